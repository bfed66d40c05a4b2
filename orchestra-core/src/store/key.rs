//! [`Key`] and [`Value`]: what a store holds, and under what.

use std::fmt;
use std::sync::Arc;

/// Under what a value stands: some bytes, ordered byte by byte.
///
/// Cloning one is cheap. It shows as text, with `\x` for bytes that are none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

/// What stands under a key: some bytes. Cloning one is cheap.
///
/// `Debug` shows how many bytes there are, not which: they may be secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value(Arc<[u8]>);

impl std::ops::Deref for Key {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

// With it, a map by keys can be asked for bytes: `Key` orders and hashes as its bytes do.
impl std::borrow::Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::ops::Deref for Value {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

macro_rules! from_bytes {
    ($($type:ident),*) => {$(
        impl From<&[u8]> for $type {
            fn from(bytes: &[u8]) -> Self {
                Self(bytes.into())
            }
        }
        impl<const N: usize> From<&[u8; N]> for $type {
            fn from(bytes: &[u8; N]) -> Self {
                Self(bytes.as_slice().into())
            }
        }
        impl From<Vec<u8>> for $type {
            fn from(bytes: Vec<u8>) -> Self {
                Self(bytes.into())
            }
        }
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.as_bytes().into())
            }
        }
        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text.into_bytes().into())
            }
        }
    )*};
}
from_bytes!(Key, Value);
