//! The hub: which watchers learn of a change, without asking each of them.
//!
//! A watcher is a cursor into the history, and costs nothing while it stands still. All watchers of one
//! scope share a [`Channel`], which notes the revisions that concern the scope. A change finds its
//! channels by its key: by looking up each length of prefix that somebody watches, so that ten thousand
//! disjoint prefixes cost no more than one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{Batch, Key, KeyRange, Revision, Scope};

/// The channels, and how far their notes go.
pub(super) struct Hub {
    /// Every revision up to this one is noted in the channels that it concerns.
    published: Revision,
    channels: BTreeMap<Scope, Arc<Channel>>,
    /// The channels of scopes that are, or have, a prefix: by its length, then by itself.
    prefixes: BTreeMap<usize, Index>,
    /// The channels of single keys.
    keys: Index,
    /// The channels of other ranges, which are looked through one by one.
    others: Vec<(KeyRange, Arc<Channel>)>,
}

#[allow(clippy::disallowed_types)] // never iterated: its order is never seen
type Index = std::collections::HashMap<Key, Vec<Arc<Channel>>>;

/// What the watchers of one scope share.
pub(super) struct Channel {
    pub(super) scope: Scope,
    notes: Mutex<Notes>,
}

/// The revisions that concern a scope, and who waits for the next.
pub(super) struct Notes {
    /// All of them after this one are here.
    complete_after: Revision,
    revisions: VecDeque<Revision>,
    waiting: Vec<Option<Waker>>,
    /// Places in `waiting` whose watcher is gone.
    free: Vec<usize>,
    /// How often those who waited have been woken.
    round: u64,
    /// How many watchers there are.
    watchers: usize,
}

/// A place among those who wait.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    round: u64,
    at: usize,
}

impl Hub {
    pub(super) fn new(published: Revision) -> Self {
        Self {
            published,
            channels: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            keys: Index::default(),
            others: Vec::new(),
        }
    }

    pub(super) const fn published(&self) -> Revision {
        self.published
    }

    /// Whether nobody watches.
    pub(super) fn is_idle(&self) -> bool {
        self.channels.is_empty()
    }

    /// Adds a watcher of a scope. What is not published yet will be noted for it.
    pub(super) fn join(&mut self, scope: &Scope) -> Arc<Channel> {
        if let Some(channel) = self.channels.get(scope) {
            channel.notes().watchers += 1;
            return channel.clone();
        }
        let channel = Arc::new(Channel {
            scope: scope.clone(),
            notes: Mutex::new(Notes {
                complete_after: self.published,
                revisions: VecDeque::new(),
                waiting: Vec::new(),
                free: Vec::new(),
                round: 0,
                watchers: 1,
            }),
        });
        for range in scope.ranges() {
            match (range.as_prefix(), range.as_key()) {
                (Some(prefix), _) => {
                    let index = self.prefixes.entry(prefix.len()).or_default();
                    index.entry(prefix.clone()).or_default().push(channel.clone());
                }
                (None, Some(key)) => self.keys.entry(key.clone()).or_default().push(channel.clone()),
                (None, None) => self.others.push((range.clone(), channel.clone())),
            }
        }
        self.channels.insert(scope.clone(), channel.clone());
        channel
    }

    /// Takes a watcher away, and its channel when it was the last one there.
    pub(super) fn leave(&mut self, channel: &Arc<Channel>, seat: Option<Seat>) {
        let mut notes = channel.notes();
        notes.stand_up(seat);
        notes.watchers -= 1;
        if notes.watchers > 0 {
            return;
        }
        drop(notes);
        self.channels.remove(&channel.scope);
        let is_other = |other: &Arc<Channel>| !Arc::ptr_eq(other, channel);
        let leave = |index: &mut Index, key: &Key| {
            if let Some(channels) = index.get_mut(key) {
                channels.retain(is_other);
                if channels.is_empty() {
                    index.remove(key);
                }
            }
        };
        for range in channel.scope.ranges() {
            match (range.as_prefix(), range.as_key()) {
                (Some(prefix), _) => {
                    if let Some(index) = self.prefixes.get_mut(&prefix.len()) {
                        leave(index, prefix);
                        if index.is_empty() {
                            self.prefixes.remove(&prefix.len());
                        }
                    }
                }
                (None, Some(key)) => leave(&mut self.keys, key),
                (None, None) => {}
            }
        }
        self.others.retain(|(_, other)| is_other(other));
    }

    /// Notes a batch, the one after the last that was published, where it concerns somebody.
    pub(super) fn publish(&mut self, batch: &Batch, wake: &mut Vec<Waker>) {
        self.published = batch.revision;
        for event in &batch.events {
            let key = &event.key;
            let by_prefix = self
                .prefixes
                .range(..=key.len())
                .filter_map(|(length, index)| index.get(&key[..*length]))
                .flatten();
            let by_key = self.keys.get(key).into_iter().flatten();
            let by_range =
                self.others.iter().filter(|(range, _)| range.contains(key)).map(|(_, channel)| channel);
            for channel in by_prefix.chain(by_key).chain(by_range) {
                channel.notes().note(batch.revision, wake);
            }
        }
    }

    /// Gives up on what the history does not hold any more: those who had not seen it must list again.
    pub(super) fn skip_to(&mut self, revision: Revision, wake: &mut Vec<Waker>) {
        self.published = revision;
        for channel in self.channels.values() {
            let mut notes = channel.notes();
            notes.revisions.clear();
            notes.complete_after = revision;
            notes.wake(wake);
        }
    }

    /// Wakes everybody, as when the store is closed.
    #[cfg(feature = "disk")]
    pub(super) fn wake_all(&self, wake: &mut Vec<Waker>) {
        for channel in self.channels.values() {
            channel.notes().wake(wake);
        }
    }
}

impl Channel {
    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        // Nothing that is done with the notes panics half-way.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// So many revisions are noted for watchers that fall behind. Those further behind look through the
    /// history themselves.
    const LIMIT: usize = 1024;

    fn note(&mut self, revision: Revision, wake: &mut Vec<Waker>) {
        if self.revisions.back() == Some(&revision) {
            return; // another event of the same batch
        }
        if self.revisions.len() == Self::LIMIT
            && let Some(forgotten) = self.revisions.pop_front()
        {
            self.complete_after = forgotten;
        }
        self.revisions.push_back(revision);
        self.wake(wake);
    }

    fn wake(&mut self, wake: &mut Vec<Waker>) {
        if !self.waiting.is_empty() {
            wake.extend(self.waiting.drain(..).flatten());
            self.free.clear();
            self.round += 1;
        }
    }

    /// The first revision after this one that concerns the scope, if any is noted. Only a watcher that
    /// is [not too far behind](Self::knows_all_after) may ask.
    pub(super) fn next_after(&self, revision: Revision) -> Option<Revision> {
        let at = self.revisions.partition_point(|noted| *noted <= revision);
        self.revisions.get(at).copied()
    }

    pub(super) fn knows_all_after(&self, revision: Revision) -> bool {
        revision >= self.complete_after
    }

    pub(super) const fn complete_after(&self) -> Revision {
        self.complete_after
    }

    /// Waits for the next revision: in the seat that one has, or in a new one.
    pub(super) fn sit(&mut self, seat: Option<Seat>, waker: &Waker) -> Seat {
        if let Some(seat) = seat.filter(|seat| seat.round == self.round)
            && let Some(mine) = self.waiting.get_mut(seat.at)
        {
            match mine {
                Some(mine) => mine.clone_from(waker),
                None => *mine = Some(waker.clone()),
            }
            return seat;
        }
        let at = self.free.pop().unwrap_or(self.waiting.len());
        match self.waiting.get_mut(at) {
            Some(free) => *free = Some(waker.clone()),
            None => self.waiting.push(Some(waker.clone())),
        }
        Seat { round: self.round, at }
    }

    fn stand_up(&mut self, seat: Option<Seat>) {
        if let Some(seat) = seat.filter(|seat| seat.round == self.round)
            && let Some(mine) = self.waiting.get_mut(seat.at)
        {
            *mine = None;
            self.free.push(seat.at);
        }
    }
}
