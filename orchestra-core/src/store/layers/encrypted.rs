//! [`Encrypted`]: values that only whoever has the keys can read.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use super::keyring::{DataKey, KeyError, KeyService, Wrapped};
use crate::store::{
    Batch, CommitError, Cursor, Delivery, Entry, Event, Key, Limits, Listing, Page, Revision, Scope, Store,
    StoreError, StoreId, Txn, Value, Watch, WatchSource, Write,
};

/// A store whose values are encrypted where somebody else keeps them: on a disk, in etcd, in a backup.
///
/// Each value in the scope is encrypted with a key of its own (XChaCha20-Poly1305), and that key with one
/// of a [`KeyService`]. Both are bound to the store's key under which the value stands: a value that was
/// moved elsewhere cannot be read. Keys, revisions and lengths are not hidden, and whoever can write to
/// the store beneath can put an older value of the same key back.
///
/// Whatever in the scope cannot be decrypted is [`StoreError::Corrupt`], which names the key. Values that
/// were written before they were to be encrypted are refused too, unless one
/// [accepts](Self::accept_plain) them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> orchestra_core::Result<()> {
/// use orchestra_core::store::layers::{Encrypted, Keyring};
/// use orchestra_core::store::{MemoryStore, Scope, Store, Txn};
///
/// let inner = MemoryStore::new();
/// let keys = Keyring::new("2027-01", [7; 32]); // of course random, and from a safe place
/// let store = Encrypted::new(inner.clone(), Scope::prefix("/secrets/"), keys);
/// store.commit(Txn::new().put_new("/secrets/default/tls", "hush")).await?;
///
/// let read = store.get(&"/secrets/default/tls".into()).await?;
/// assert_eq!(&*read.unwrap().value, b"hush");
/// let kept = inner.get(&"/secrets/default/tls".into()).await?;
/// assert!(!kept.unwrap().value.windows(4).any(|bytes| bytes == b"hush"));
/// # Ok(()) }
/// ```
pub struct Encrypted<S> {
    inner: S,
    safe: Arc<Safe>,
}

/// What encrypts and decrypts.
struct Safe {
    scope: Scope,
    keys: Box<dyn KeyService>,
    accepts_plain: bool,
}

/// What [`Encrypted::rotate`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// So many values were encrypted anew.
    pub rewritten: usize,
    /// So many were encrypted with the current key already.
    pub current: usize,
}

impl<S: Store> Encrypted<S> {
    /// Encrypts the values in a scope, such as that of all Secrets.
    pub fn new(inner: S, scope: Scope, keys: impl KeyService) -> Self {
        Self { inner, safe: Arc::new(Safe { scope, keys: Box::new(keys), accepts_plain: false }) }
    }

    /// Also reads values that are not encrypted, until [`rotate`](Self::rotate) has found them all.
    #[must_use]
    pub fn accept_plain(self) -> Self {
        let Self { inner, safe } = self;
        // Nobody else has it yet: watches come later.
        let safe = Arc::into_inner(safe).map(|safe| Arc::new(Safe { accepts_plain: true, ..safe }));
        match safe {
            Some(safe) => Self { inner, safe },
            None => unreachable!("a layer that was not shared"),
        }
    }

    /// The store beneath.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// Writes anew all values that are not encrypted with the current key, until none is left. Afterwards
    /// nothing needs the older keys, but backups do, and history as long as it is held. Every process that
    /// writes must have the new key as its current one by then.
    ///
    /// Each value is a transaction, so that others may write meanwhile.
    ///
    /// # Errors
    /// When the store fails, a value cannot be decrypted, or others keep writing with another key.
    pub async fn rotate(&self) -> Result<Rotated, CommitError> {
        /// Each pass finds less than the one before, unless somebody still writes with another key.
        const PASSES: usize = 16;
        let mut rewritten = 0;
        for _ in 0..PASSES {
            let pass = self.rotate_once().await?;
            rewritten += pass.rewritten;
            if pass.others == 0 && pass.rewritten == 0 {
                return Ok(Rotated { rewritten, current: pass.current - rewritten.min(pass.current) });
            }
        }
        let reason = "somebody still writes with another key".into();
        Err(StoreError::Failed { doing: "rotating keys".into(), reason }.into())
    }

    async fn rotate_once(&self) -> Result<Pass, CommitError> {
        let mut pass = Pass::default();
        let mut page = Page::first();
        loop {
            let listing = self.inner.list(&self.safe.scope, page).await?;
            for entry in &listing.entries {
                let sealed = Envelope::decode(&entry.value);
                if sealed.is_some_and(|sealed| sealed.key.by == self.safe.keys.current()) {
                    pass.current += 1;
                    continue;
                }
                let value = self.safe.open_value(&entry.key, &entry.value).map_err(StoreError::from)?;
                let sealed = self.safe.seal(&entry.key, &value)?;
                match self.inner.commit(Txn::new().put_at(entry.key.clone(), entry.modified, sealed)).await {
                    Ok(_) => pass.rewritten += 1,
                    // Somebody has just written it: the next pass sees with which key.
                    Err(CommitError::Conflict { .. }) => pass.others += 1,
                    Err(error) => return Err(error),
                }
            }
            let Some(next) = listing.next else { return Ok(pass) };
            // At the present revision: how it was when the pass began may be forgotten by now.
            let revision = self.inner.list(&self.safe.scope, Page::first().limit(1)).await?.revision;
            page = Page::after(Cursor { revision, ..next });
        }
    }
}

/// What one pass of a rotation found.
#[derive(Default)]
struct Pass {
    rewritten: usize,
    current: usize,
    /// So many were written by others meanwhile.
    others: usize,
}

#[async_trait]
impl<S: Store> Store for Encrypted<S> {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        let entry = self.inner.get(key).await?;
        Ok(entry.map(|entry| self.safe.open(entry)).transpose()?)
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        let mut listing = self.inner.list(scope, page).await?;
        for entry in &mut listing.entries {
            *entry = self.safe.open(entry.clone())?;
        }
        Ok(listing)
    }

    async fn commit(&self, mut txn: Txn) -> Result<Revision, CommitError> {
        // The limits are those that one is told, not those of what is stored.
        txn.check(&self.limits())?;
        for write in txn.writes_mut() {
            if let Write::Put(key, value) = write
                && self.safe.scope.contains(key)
            {
                *value = self.safe.seal(key, value)?;
            }
        }
        self.inner.commit(txn).await
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        let inner = self.inner.watch(scope, after).await?;
        Ok(Watch::new(Opening { inner, safe: self.safe.clone() }))
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.inner.identity().await
    }

    fn limits(&self) -> Limits {
        let limits = self.inner.limits();
        // No more operations than leave half of the bytes to the values.
        let operations = limits.operations.min(limits.bytes / 2 / Envelope::OVERHEAD);
        Limits { bytes: limits.bytes - operations * Envelope::OVERHEAD, operations, ..limits }
    }
}

/// A watch whose batches are decrypted.
struct Opening {
    inner: Watch,
    safe: Arc<Safe>,
}

impl WatchSource for Opening {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        Poll::Ready(match ready!(self.inner.poll_next(cx))? {
            Delivery::Batch(batch) => self.safe.open_batch(batch).map(Delivery::Batch),
            Delivery::Progress(revision) => Ok(Delivery::Progress(revision)),
        })
    }

    fn request_progress(&mut self) {
        self.inner.request_progress();
    }
}

impl Safe {
    fn open_batch(&self, batch: Arc<Batch>) -> Result<Arc<Batch>, StoreError> {
        if !batch.events.iter().any(|event| self.scope.contains(&event.key)) {
            return Ok(batch);
        }
        let open = |entry: &Option<Arc<Entry>>| entry.clone().map(|entry| self.open(entry)).transpose();
        let event = |event: &Event| {
            let previous = match open(&event.previous) {
                // It is told as far as it is held, and without its key it is not.
                Err(Unreadable::KeyGone { .. }) => None,
                previous => previous?,
            };
            Ok(Event { key: event.key.clone(), entry: open(&event.entry)?, previous })
        };
        match batch.events.iter().map(event).collect() {
            Ok(events) => Ok(Arc::new(Batch { revision: batch.revision, events })),
            // History from before a rotation: what stands there now has a key that is there.
            Err(Unreadable::KeyGone { .. }) => {
                Err(StoreError::Compacted { asked: batch.revision, oldest: batch.revision })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn open(&self, entry: Arc<Entry>) -> Result<Arc<Entry>, Unreadable> {
        if !self.scope.contains(&entry.key) {
            return Ok(entry);
        }
        let value = self.open_value(&entry.key, &entry.value)?;
        Ok(Arc::new(Entry { value, ..Entry::clone(&entry) }))
    }

    fn open_value(&self, key: &Key, value: &Value) -> Result<Value, Unreadable> {
        let corrupt = |reason: String| Unreadable::Damaged { place: key.to_string(), reason };
        let Some(envelope) = Envelope::decode(value) else {
            if self.accepts_plain {
                return Ok(value.clone());
            }
            return Err(corrupt("it is not encrypted, though it should be".into()));
        };
        let data_key = self.keys.unwrap(&envelope.key, key).map_err(|error| match error {
            KeyError::Missing { name } => Unreadable::KeyGone { place: key.to_string(), name },
            error => corrupt(error.to_string()),
        })?;
        let cipher = XChaCha20Poly1305::new(data_key.expose().into());
        let payload = Payload { msg: envelope.sealed, aad: key };
        let opened = cipher.decrypt(XNonce::from_slice(envelope.nonce), payload);
        opened.map(Value::from).map_err(|_| corrupt("it was changed, or is the value of another key".into()))
    }

    fn seal(&self, key: &Key, value: &Value) -> Result<Value, StoreError> {
        let failed = |reason: String| StoreError::Failed { doing: format!("encrypting {key}"), reason };
        let data_key = DataKey::random().map_err(|error| failed(error.to_string()))?;
        let mut nonce = [0; Envelope::NONCE];
        getrandom::fill(&mut nonce).map_err(|error| failed(error.to_string()))?;
        let wrapped = self.keys.wrap(&data_key, key).map_err(|error: KeyError| failed(error.to_string()))?;
        let cipher = XChaCha20Poly1305::new(data_key.expose().into());
        let payload = Payload { msg: value, aad: key };
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|error| failed(error.to_string()))?;
        Envelope { key: wrapped, nonce: &nonce, sealed: &sealed }.encode().map_err(failed)
    }
}

/// Why a value cannot be decrypted.
enum Unreadable {
    /// There is no such key any more.
    KeyGone { place: String, name: String },
    /// It is not what was encrypted.
    Damaged { place: String, reason: String },
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::KeyGone { place, name } => {
                Self::Corrupt { place, reason: KeyError::Missing { name }.to_string() }
            }
            Unreadable::Damaged { place, reason } => Self::Corrupt { place, reason },
        }
    }
}

/// What stands in the store: the wrapped key, and what is encrypted with it.
struct Envelope<'e> {
    key: Wrapped,
    nonce: &'e [u8],
    sealed: &'e [u8],
}

impl<'e> Envelope<'e> {
    /// No text in UTF-8 begins so, and no object is anything else.
    const MAGIC: [u8; 4] = [0xff, b'o', b'e', 1];
    const NONCE: usize = 24;
    /// How much longer than its value an envelope is at most.
    const OVERHEAD: usize = 4 + 1 + Self::LONGEST_NAME + 2 + Self::LONGEST_KEY + Self::NONCE + 16;
    const LONGEST_NAME: usize = 64;
    const LONGEST_KEY: usize = 512;

    fn encode(&self) -> Result<Value, String> {
        let (name, wrapped) = (self.key.by.len(), self.key.bytes.len());
        if name > Self::LONGEST_NAME || wrapped > Self::LONGEST_KEY {
            return Err(format!(
                "the name of the key has {name} bytes and the wrapped key {wrapped}; the limits are {} and {}",
                Self::LONGEST_NAME,
                Self::LONGEST_KEY
            ));
        }
        let (name, wrapped) = (name as u8, wrapped as u16);
        let parts = [
            &Self::MAGIC,
            &[name][..],
            self.key.by.as_bytes(),
            &wrapped.to_le_bytes(),
            &self.key.bytes,
            self.nonce,
            self.sealed,
        ];
        Ok(Value::from(parts.concat()))
    }

    fn decode(bytes: &'e [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&Self::MAGIC)?;
        let (&[name], rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(usize::from(name))?;
        let (wrapped, rest) = rest.split_first_chunk()?;
        let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*wrapped)))?;
        let (nonce, sealed) = rest.split_at_checked(Self::NONCE)?;
        let by = std::str::from_utf8(name).ok()?.to_owned();
        Some(Self { key: Wrapped { by, bytes: wrapped.into() }, nonce, sealed })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Keyring;
    use super::*;
    use crate::store::MemoryStore;

    fn secrets() -> Scope {
        Scope::prefix("secrets/")
    }

    fn store(inner: &MemoryStore, keys: Keyring) -> Encrypted<MemoryStore> {
        Encrypted::new(inner.clone(), secrets(), keys)
    }

    #[tokio::test]
    async fn only_whoever_has_the_key_can_read() {
        let inner = MemoryStore::new();
        let writes = store(&inner, Keyring::new("one", [1; 32]));
        let at = writes.commit(Txn::new().put("secrets/a", "hush").put("open/a", "aloud")).await.unwrap();
        let kept = inner.get(&"secrets/a".into()).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&kept.value).contains("hush"));
        assert_eq!(&*inner.get(&"open/a".into()).await.unwrap().unwrap().value, b"aloud");
        assert_eq!(&*writes.get(&"secrets/a".into()).await.unwrap().unwrap().value, b"hush");

        for keys in [Keyring::new("one", [2; 32]), Keyring::new("two", [1; 32])] {
            let error = store(&inner, keys).get(&"secrets/a".into()).await.unwrap_err();
            assert!(matches!(&error, StoreError::Corrupt { place, .. } if place == "secrets/a"), "{error}");
        }
        // Moved to another key, or changed anywhere, it is not read.
        let mut watch = writes.watch(&Scope::all(), at).await.unwrap();
        inner.commit(Txn::new().put("secrets/b", kept.value.clone())).await.unwrap();
        assert!(writes.get(&"secrets/b".into()).await.is_err());
        assert!(writes.list(&Scope::all(), Page::first()).await.is_err());
        assert!(matches!(watch.next().await, Err(StoreError::Corrupt { .. })));
        for byte in 0..kept.value.len() {
            let mut bytes = kept.value.to_vec();
            bytes[byte] ^= 1;
            inner.commit(Txn::new().put("secrets/a", bytes)).await.unwrap();
            assert!(writes.get(&"secrets/a".into()).await.is_err(), "byte {byte}");
        }
    }

    #[tokio::test]
    async fn keys_are_rotated() {
        let inner = MemoryStore::new();
        let plain = inner.commit(Txn::new().put("secrets/plain", "p")).await.unwrap();
        let old = store(&inner, Keyring::new("old", [1; 32]));
        for number in 0..300 {
            old.commit(Txn::new().put(format!("secrets/{number}"), "s")).await.unwrap();
        }
        assert!(old.list(&secrets(), Page::first()).await.is_err(), "what is not encrypted is refused");

        let both = store(&inner, Keyring::new("new", [2; 32]).with_old("old", [1; 32])).accept_plain();
        both.commit(Txn::new().put("secrets/7", "s")).await.unwrap();
        assert_eq!(both.rotate().await.unwrap(), Rotated { rewritten: 300, current: 1 });
        assert_eq!(both.rotate().await.unwrap(), Rotated { rewritten: 0, current: 301 });
        let new = store(&inner, Keyring::new("new", [2; 32]));
        let listing = new.list(&secrets(), Page::first()).await.unwrap();
        assert_eq!(listing.entries.len(), 301);
        assert!(listing.entries.iter().all(|entry| entry.modified > plain));
        let shown = format!("{:?} {:?}", Keyring::new("new", [2; 32]), listing.entries[0]);
        assert_eq!(shown.matches("2, 2").count(), 0, "{shown}");
    }

    #[tokio::test]
    async fn history_that_no_key_opens_is_as_good_as_forgotten() {
        let inner = MemoryStore::new();
        let old = store(&inner, Keyring::new("old", [1; 32]));
        let first = old.commit(Txn::new().put("secrets/a", "1")).await.unwrap();
        let second = old.commit(Txn::new().put("secrets/a", "2")).await.unwrap();
        store(&inner, Keyring::new("new", [2; 32]).with_old("old", [1; 32])).rotate().await.unwrap();
        let new = store(&inner, Keyring::new("new", [2; 32]));
        let mut watch = new.watch(&Scope::all(), first).await.unwrap();
        assert!(watch.next().await.unwrap_err().must_resync());
        let mut watch = new.watch(&Scope::all(), second).await.unwrap();
        let Delivery::Batch(batch) = watch.next().await.unwrap() else { panic!() };
        assert!(batch.events[0].previous.is_none() && batch.events[0].entry.is_some());
    }

    #[tokio::test]
    async fn limits_leave_room_for_values() {
        let many = Limits { operations: 10_000, ..Limits::DEFAULT };
        let inner = MemoryStore::with(crate::store::state::HistoryLimits::DEFAULT, many);
        let limits = store(&inner, Keyring::new("one", [1; 32])).limits();
        assert!(limits.bytes >= many.bytes / 2 && limits.operations > 1_000, "{limits:?}");
    }

    #[tokio::test]
    async fn what_the_limits_allow_can_be_stored() {
        let store = store(&MemoryStore::new(), Keyring::new("a name of ordinary length", [1; 32]));
        let limits = store.limits();
        let share = limits.bytes / limits.operations - 20;
        let txn = (0..limits.operations)
            .fold(Txn::new(), |txn, number| txn.put(format!("secrets/{number:04}"), vec![1; share]));
        store.commit(txn).await.unwrap();
        let txn = Txn::new().put("secrets/a", vec![1; limits.bytes]);
        assert!(matches!(store.commit(txn).await, Err(CommitError::TooLarge { .. })));
    }
}
