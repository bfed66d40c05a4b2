//! [`Txn`]: what is written together, and on what condition.

use std::fmt;

use super::{CommitError, Key, Revision, Value};

/// A transaction: guards that must hold, and writes that are made together if they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    guards: Vec<Guard>,
    writes: Vec<Write>,
}

/// What must be so for a transaction to take effect. Its key need not be one that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The key.
    pub key: Key,
    /// How it must stand.
    pub expect: Expect,
}

/// How a key must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is nothing.
    Absent,
    /// It was written at this revision, and not since.
    At(Revision),
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// This stands there afterwards.
    Put(Key, Value),
    /// Nothing stands there afterwards.
    Delete(Key),
}

impl Txn {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { guards: Vec::new(), writes: Vec::new() }
    }

    /// On the condition that a key stands so.
    #[must_use]
    pub fn guard(mut self, key: impl Into<Key>, expect: Expect) -> Self {
        push(&mut self.guards, Guard { key: key.into(), expect });
        self
    }

    /// Writes a value, whatever stood there.
    #[must_use]
    pub fn put(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
        push(&mut self.writes, Write::Put(key.into(), value.into()));
        self
    }

    /// Deletes, whatever stood there.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Key>) -> Self {
        push(&mut self.writes, Write::Delete(key.into()));
        self
    }

    /// Writes a value if nothing stands there.
    #[must_use]
    pub fn put_new(self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
        let key = key.into();
        self.guard(key.clone(), Expect::Absent).put(key, value)
    }

    /// Writes a value if what stands there was written at this revision.
    #[must_use]
    pub fn put_at(self, key: impl Into<Key>, at: Revision, value: impl Into<Value>) -> Self {
        let key = key.into();
        self.guard(key.clone(), Expect::At(at)).put(key, value)
    }

    /// Deletes what stands there if it was written at this revision.
    #[must_use]
    pub fn delete_at(self, key: impl Into<Key>, at: Revision) -> Self {
        let key = key.into();
        self.guard(key.clone(), Expect::At(at)).delete(key)
    }

    /// What must be so.
    #[must_use]
    pub fn guards(&self) -> &[Guard] {
        &self.guards
    }

    /// What is written.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes, to be changed, as a layer that encrypts does.
    pub fn writes_mut(&mut self) -> &mut [Write] {
        &mut self.writes
    }

    /// What is written, taken out.
    #[must_use]
    pub fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// About how many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let keys = self.guards.iter().map(|guard| &guard.key).chain(self.writes.iter().map(Write::key));
        let values = self.writes.iter().filter_map(Write::value);
        keys.map(|key| key.len()).sum::<usize>() + values.map(|value| value.len()).sum::<usize>()
    }

    /// Checks what needs no look at the store: the limits, and that no key is empty or written twice.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`] or [`CommitError::Invalid`], which say what is wrong.
    pub fn check(&self, limits: &Limits) -> Result<(), CommitError> {
        let at_most = |what: &'static str, size: usize, limit: usize| {
            if size > limit { Err(CommitError::TooLarge { what, size, limit }) } else { Ok(()) }
        };
        let operations = self.guards.len().max(self.writes.len());
        at_most("guards or writes", operations, limits.operations)?;
        let keys = self.guards.iter().map(|guard| &guard.key).chain(self.writes.iter().map(Write::key));
        for key in keys {
            if key.is_empty() {
                return Err(CommitError::Invalid { reason: "a key is empty".into() });
            }
            at_most("bytes of a key", key.len(), limits.key_bytes)?;
        }
        at_most("bytes", self.bytes(), limits.bytes)?;
        match self.key_written_twice() {
            Some(key) => Err(CommitError::Invalid { reason: format!("{key} is written twice") }),
            None => Ok(()),
        }
    }

    fn key_written_twice(&self) -> Option<&Key> {
        // Most transactions write one key or two.
        if let [] | [_] = &self.writes[..] {
            return None;
        }
        let mut keys: Vec<&Key> = self.writes.iter().map(Write::key).collect();
        keys.sort();
        keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

/// Most transactions have one of each.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

impl Write {
    /// The key that changes.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    /// What stands there afterwards.
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Put(_, value) => Some(value),
            Self::Delete(_) => None,
        }
    }
}

impl Expect {
    /// Whether it is so, given when what stands there was written.
    #[must_use]
    pub fn holds(self, found: Option<Revision>) -> bool {
        found
            == match self {
                Self::Absent => None,
                Self::At(revision) => Some(revision),
            }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not to exist"),
            Self::At(revision) => write!(f, "to be at revision {revision}"),
        }
    }
}

/// How much a transaction may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Guards, and writes: so many of each.
    pub operations: usize,
    /// Bytes of all keys and values together.
    pub bytes: usize,
    /// Bytes of one key.
    pub key_bytes: usize,
}

impl Limits {
    /// The default: what etcd takes as it comes, so that what works with one store works with all.
    /// etcd takes 128 operations and 1.5 MiB with what it adds itself; a ConfigMap's greatest content,
    /// 1 MiB, fits even in base64. Keys hold two names of at most 253 bytes, a group and a plural.
    pub const DEFAULT: Self = Self { operations: 128, bytes: 1_500_000, key_bytes: 1024 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
