//! [`Keyring`]: the keys that keys are encrypted with.

use std::collections::BTreeMap;
use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The key of one value. It is wiped from memory when it is dropped, and never shown.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// A key that nobody else has.
    pub(super) fn random() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let failed = |error: getrandom::Error| KeyError::Failed { reason: error.to_string() };
        getrandom::fill(&mut *bytes).map_err(failed)?;
        Ok(Self(bytes))
    }

    /// The key itself. Whoever asks for it answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for DataKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Who encrypts the keys of values: a [`Keyring`], or a key management service of yours.
///
/// Values are not encrypted with these keys but each with one of its own, which is stored beside the
/// value, wrapped by the service. Both calls are made for each value that is written or read, and must
/// not block: a service across a network caches what it unwrapped.
pub trait KeyService: Send + Sync + 'static {
    /// The name of the key that wraps now.
    fn current(&self) -> &str;

    /// Wraps the key of a value. `context` must be given again to unwrap it.
    ///
    /// # Errors
    /// When the service fails.
    fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<Wrapped, KeyError>;

    /// Unwraps the key of a value.
    ///
    /// # Errors
    /// When the service does not have the key, or what was wrapped or its context is not the same.
    fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<DataKey, KeyError>;
}

/// A wrapped key.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The name of the key that wrapped it, of at most 64 bytes.
    pub by: String,
    /// The service's own bytes, of which there are at most 512.
    pub bytes: Vec<u8>,
}

/// Why a key was not wrapped or unwrapped. It says nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such key.
    #[error("there is no key `{name}`")]
    Missing {
        /// The key's name.
        name: String,
    },
    /// What was wrapped is not what is to be unwrapped, or was wrapped with another key of the name.
    #[error("key `{name}` does not fit")]
    Unfit {
        /// The key's name.
        name: String,
    },
    /// The service failed.
    #[error("{reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}

/// Keys that the program holds itself: one that wraps, and older ones that only unwrap.
///
/// To rotate: add a new key in all processes, [rotate](super::Encrypted::rotate), take the old one away.
/// What the history still holds is then unreadable: watchers that resume there are told to list again.
///
/// ```
/// # use orchestra_core::store::layers::Keyring;
/// # let (new, old) = ([1; 32], [2; 32]);
/// let keys = Keyring::new("2027-01", new).with_old("2026-07", old);
/// ```
pub struct Keyring {
    current: String,
    keys: BTreeMap<String, XChaCha20Poly1305>,
}

impl Keyring {
    const NONCE: usize = 24;

    /// One key, of 32 bytes that are random and secret.
    #[must_use]
    pub fn new(name: impl Into<String>, key: [u8; 32]) -> Self {
        let current = name.into();
        Self { keys: BTreeMap::new(), current: String::new() }.with(current, key, true)
    }

    /// Another key, which unwraps what it wrapped before, and wraps nothing any more.
    #[must_use]
    pub fn with_old(self, name: impl Into<String>, key: [u8; 32]) -> Self {
        self.with(name.into(), key, false)
    }

    fn with(mut self, name: String, key: [u8; 32], is_current: bool) -> Self {
        let key = Zeroizing::new(key);
        self.keys.insert(name.clone(), XChaCha20Poly1305::new((&*key).into()));
        if is_current {
            self.current = name;
        }
        self
    }

    fn key(&self, name: &str) -> Result<&XChaCha20Poly1305, KeyError> {
        self.keys.get(name).ok_or_else(|| KeyError::Missing { name: name.into() })
    }
}

impl KeyService for Keyring {
    fn current(&self) -> &str {
        &self.current
    }

    fn wrap(&self, key: &DataKey, context: &[u8]) -> Result<Wrapped, KeyError> {
        let failed = |reason: String| KeyError::Failed { reason };
        let mut bytes = vec![0; Self::NONCE];
        getrandom::fill(&mut bytes).map_err(|error| failed(error.to_string()))?;
        let payload = Payload { msg: key.expose(), aad: context };
        let sealed = self.key(&self.current)?.encrypt(XNonce::from_slice(&bytes), payload);
        bytes.extend(sealed.map_err(|error| failed(error.to_string()))?);
        Ok(Wrapped { by: self.current.clone(), bytes })
    }

    fn unwrap(&self, wrapped: &Wrapped, context: &[u8]) -> Result<DataKey, KeyError> {
        let unfit = || KeyError::Unfit { name: wrapped.by.clone() };
        let (nonce, sealed) = wrapped.bytes.split_at_checked(Self::NONCE).ok_or_else(unfit)?;
        let payload = Payload { msg: sealed, aad: context };
        let key = self.key(&wrapped.by)?.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| unfit())?;
        let key = Zeroizing::new(key);
        Ok(DataKey::from(<[u8; 32]>::try_from(key.as_slice()).map_err(|_| unfit())?))
    }
}

/// Shows the names of the keys.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key wrapped by `{}`", self.by)
    }
}
