//! [`Entry`], [`Event`] and [`Batch`]: what stands under a key, and how it came to.

use std::sync::Arc;

use super::{Key, Revision, Scope, Value};

/// A value, its key, and since when it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Value,
    /// When the key came to be; deleting it and writing it again begins anew.
    pub created: Revision,
    /// When this value was written.
    pub modified: Revision,
}

/// What happened to one key at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: Key,
    /// What stands there now; nothing when it was deleted.
    pub entry: Option<Arc<Entry>>,
    /// What stood there before, as far as the history holds it. Nothing did when the event
    /// [is a creation](Self::is_creation).
    pub previous: Option<Arc<Entry>>,
}

/// Everything that happened at one revision in a watched scope: a transaction is never seen torn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The revision.
    pub revision: Revision,
    /// What happened, in the order of the keys; never nothing.
    pub events: Box<[Event]>,
}

impl Event {
    /// Whether there was nothing under the key before.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.created == entry.modified)
    }

    /// Whether there is nothing under the key now.
    #[must_use]
    pub const fn is_deletion(&self) -> bool {
        self.entry.is_none()
    }
}

impl Batch {
    /// The part of it that is in a scope, if any is.
    #[must_use]
    pub fn within(self: &Arc<Self>, scope: &Scope) -> Option<Arc<Self>> {
        let inside = self.events.iter().filter(|event| scope.contains(&event.key)).count();
        if inside == self.events.len() {
            return Some(self.clone());
        }
        let events = self.events.iter().filter(|event| scope.contains(&event.key)).cloned();
        (inside > 0).then(|| Arc::new(Self { revision: self.revision, events: events.collect() }))
    }
}

impl Entry {
    /// About how much memory it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        // Beside the bytes: itself, and three counters of references with what the allocator adds.
        size_of::<Self>() + self.key.len() + self.value.len() + 3 * 24
    }
}
