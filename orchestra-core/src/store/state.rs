//! [`State`]: the store as a state machine, without I/O, clock or waiting.
//!
//! It lies under the memory and the disk store, and under the simulation.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

pub use super::history::{History, HistoryLimits};
use super::{
    Batch, CommitError, Cursor, Entry, Event, Key, KeyRange, Listing, Page, Revision, Scope, StoreError, Txn,
    Write,
};

/// Whatever stands under each key, and what happened lately.
///
/// ```
/// use orchestra_core::store::{Page, Scope, Txn, state::State};
/// let mut state = State::default();
/// let then = state.commit(Txn::new().put_new("a", "1").put("b", "2"))?;
/// state.commit(Txn::new().delete("a"))?;
///
/// assert_eq!(state.list(&Scope::all(), &Page::first())?.entries.len(), 1);
/// assert_eq!(state.list(&Scope::all(), &Page::at(then))?.entries.len(), 2);
/// # Ok::<_, orchestra_core::store::CommitError>(())
/// ```
#[derive(Default)]
pub struct State {
    entries: Entries,
    /// The same keys in order. Most writes change a value, not which keys there are: to find a value is
    /// a look into a hash map, and only what comes or goes touches a tree.
    keys: BTreeSet<Key>,
    history: History,
}

#[allow(clippy::disallowed_types)] // never iterated: its order is never seen
type Entries = std::collections::HashMap<Key, Arc<Entry>>;

#[allow(clippy::disallowed_types)] // never iterated either
type Changes = std::collections::HashMap<Key, Option<Arc<Entry>>>;

/// Transactions that were found good, in order, and are not applied yet.
pub struct Pending {
    revision: Revision,
    changes: Changes,
}

/// What a transaction that was found good comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// The answer to whoever committed it.
    pub revision: Revision,
    /// What it changes; nothing when it makes no difference.
    pub batch: Option<Arc<Batch>>,
}

impl State {
    /// How many entries a page has at most. Whoever lists holds up a writer for so long.
    pub const PAGE: usize = 5_000;

    /// An empty state, whose history has these limits.
    #[must_use]
    pub fn new(limits: HistoryLimits) -> Self {
        Self { history: History::new(limits), ..Self::default() }
    }

    /// A state as it was written down: the entries, in the order of their keys, and the revision.
    #[must_use]
    pub fn restored(entries: Vec<Arc<Entry>>, revision: Revision, limits: HistoryLimits) -> Self {
        Self {
            keys: entries.iter().map(|entry| entry.key.clone()).collect(),
            entries: entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect(),
            history: History::starting_after(revision, limits),
        }
    }

    /// The present revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.history.revision()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What stands under a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// What happened lately.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Forgets what happened up to a revision.
    pub fn compact(&mut self, revision: Revision) {
        self.history.forget(revision);
    }

    /// A page of what stands in a scope, now or at the revision of the page before.
    ///
    /// # Errors
    /// When that revision is not held any more, or not reached yet, or the page is to have no entry.
    pub fn list(&self, scope: &Scope, page: &Page) -> Result<Listing, StoreError> {
        let limit = page.limit.unwrap_or(Self::PAGE).min(Self::PAGE);
        if limit == 0 {
            return Err(StoreError::Invalid { reason: "a page must have room for an entry".into() });
        }
        let revision = page.from.as_ref().map_or(self.revision(), |from| from.revision);
        let after = page.from.as_ref().and_then(|from| from.after.as_ref());
        let undone = self.undone(scope, revision, after)?;

        let mut rest = Then {
            now: self.in_order(scope, after).filter(|entry| !undone.contains_key(&entry.key)).peekable(),
            undone: undone.values().flatten().peekable(),
        };
        let entries: Vec<Arc<Entry>> = rest.by_ref().take(limit).cloned().collect();
        let last = entries.last().map(|entry| entry.key.clone());
        let next = rest.next().map(|_| Cursor { revision, after: last });
        Ok(Listing { revision, entries, next })
    }

    /// Some of what there is now, after a key, in order; nothing at the end. What changes from one call
    /// to the next shows as it is at the later one.
    #[must_use]
    pub fn scan(&self, after: Option<&Key>) -> Vec<Arc<Entry>> {
        const AT_ONCE: usize = 1000;
        let start = after.map_or(Bound::Unbounded, |after| Bound::Excluded(&**after));
        let keys = self.keys.range::<[u8], _>((start, Bound::Unbounded)).take(AT_ONCE);
        keys.filter_map(|key| self.entries.get(key)).cloned().collect()
    }

    /// What stands in a scope now, after a key, in order.
    fn in_order<'s>(
        &'s self,
        scope: &'s Scope,
        after: Option<&'s Key>,
    ) -> impl Iterator<Item = &'s Arc<Entry>> {
        let ranges = scope.ranges().iter().filter_map(move |range| bounds_after(range, after));
        // Every key has an entry.
        ranges.flat_map(|bounds| self.keys.range::<[u8], _>(bounds)).filter_map(|key| self.entries.get(key))
    }

    /// What stood at a revision under those keys of a scope that have changed since, after a key.
    fn undone(
        &self,
        scope: &Scope,
        revision: Revision,
        after: Option<&Key>,
    ) -> Result<BTreeMap<Key, Option<Arc<Entry>>>, StoreError> {
        let mut undone = BTreeMap::new();
        for event in self.history.after(revision)?.flat_map(|batch| &batch.events) {
            if scope.contains(&event.key) && after.is_none_or(|after| event.key > *after) {
                // The first change since then knows what stood there then.
                undone.entry(event.key.clone()).or_insert_with(|| event.previous.clone());
            }
        }
        Ok(undone)
    }

    /// Applies a transaction if its guards hold, and says what it came to. The
    /// [limits](super::Limits) are the caller's to check.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a guard does not hold.
    pub fn commit(&mut self, txn: Txn) -> Result<Revision, CommitError> {
        let found = |key: &[u8]| self.get(key);
        check(&txn, found)?;
        if let Some(batch) = batch(txn, self.revision(), found) {
            self.apply(Arc::new(batch));
        }
        Ok(self.revision())
    }

    /// Begins to stage transactions, which is to find out what they come to before they are applied.
    #[must_use]
    pub fn pending(&self) -> Pending {
        Pending { revision: self.revision(), changes: Changes::default() }
    }

    /// Checks a transaction as if all that is pending were applied, and adds it to that.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a guard does not hold.
    pub fn stage(&self, pending: &mut Pending, txn: Txn) -> Result<Staged, CommitError> {
        let found = |key: &[u8]| match pending.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.get(key),
        };
        check(&txn, found)?;
        let batch = batch(txn, pending.revision, found).map(Arc::new);
        if let Some(batch) = &batch {
            pending.revision = batch.revision;
            let changes = batch.events.iter().map(|event| (event.key.clone(), event.entry.clone()));
            pending.changes.extend(changes);
        }
        Ok(Staged { revision: pending.revision, batch })
    }

    /// Makes a batch the present. It was staged on the revision before it, or read from a journal.
    pub fn apply(&mut self, batch: Arc<Batch>) {
        for event in &batch.events {
            match &event.entry {
                Some(entry) => {
                    if self.entries.insert(event.key.clone(), entry.clone()).is_none() {
                        self.keys.insert(event.key.clone());
                    }
                }
                None => {
                    self.entries.remove(&event.key);
                    self.keys.remove(&event.key);
                }
            }
        }
        self.history.push(batch);
    }
}

/// A listing as it was: what has not changed since, and what stood where something has, in order.
struct Then<N: Iterator, U: Iterator> {
    now: std::iter::Peekable<N>,
    undone: std::iter::Peekable<U>,
}

impl<'e, N, U> Iterator for Then<N, U>
where
    N: Iterator<Item = &'e Arc<Entry>>,
    U: Iterator<Item = &'e Arc<Entry>>,
{
    type Item = &'e Arc<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.now.peek(), self.undone.peek()) {
            (Some(now), Some(undone)) if now.key < undone.key => self.now.next(),
            (_, Some(_)) => self.undone.next(),
            (_, None) => self.now.next(),
        }
    }
}

/// Where a part of an ordered set begins and ends.
type Ends<'r> = (Bound<&'r [u8]>, Bound<&'r [u8]>);

/// The part of a range that comes after a key, if any can.
fn bounds_after<'r>(range: &'r KeyRange, after: Option<&'r Key>) -> Option<Ends<'r>> {
    let (start, end) = range.bounds();
    match after {
        Some(after) if range.start() <= after => {
            // An ordered set panics at a range that ends before it begins.
            let is_past = range.end().is_some_and(|end| end <= after);
            (!is_past).then_some((Bound::Excluded(&**after), end))
        }
        _ => Some((start, end)),
    }
}

/// Whether all guards hold.
fn check<'e>(txn: &Txn, found: impl Fn(&[u8]) -> Option<&'e Arc<Entry>>) -> Result<(), CommitError> {
    for guard in txn.guards() {
        let found = found(&guard.key).map(|entry| entry.modified);
        if !guard.expect.holds(found) {
            return Err(CommitError::Conflict { key: guard.key.clone(), expected: guard.expect, found });
        }
    }
    Ok(())
}

/// What the writes come to at the revision after this one; nothing when they make no difference.
fn batch<'e>(txn: Txn, revision: Revision, found: impl Fn(&[u8]) -> Option<&'e Arc<Entry>>) -> Option<Batch> {
    let revision = Revision(revision.0 + 1);
    let event = |write: Write| {
        let previous = found(write.key()).cloned();
        match (write, previous) {
            (Write::Put(_, value), Some(previous)) => {
                let (key, created) = (previous.key.clone(), previous.created);
                let entry = Entry { key: key.clone(), value, created, modified: revision };
                Some(Event { key, entry: Some(entry.into()), previous: Some(previous) })
            }
            (Write::Put(key, value), None) => {
                let entry = Entry { key: key.clone(), value, created: revision, modified: revision };
                Some(Event { key, entry: Some(entry.into()), previous: None })
            }
            (Write::Delete(key), Some(previous)) => {
                Some(Event { key, entry: None, previous: Some(previous) })
            }
            (Write::Delete(_), None) => None,
        }
    };
    let writes = txn.into_writes();
    let mut events = Vec::with_capacity(writes.len());
    events.extend(writes.into_iter().filter_map(event));
    events.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    (!events.is_empty()).then(|| Batch { revision, events: events.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Expect;
    use super::*;

    fn keys(listing: &Listing) -> Vec<String> {
        listing.entries.iter().map(|entry| entry.key.to_string()).collect()
    }

    #[test]
    fn what_a_transaction_comes_to() {
        let mut state = State::default();
        assert_eq!(state.commit(Txn::new()), Ok(Revision(1)), "nothing to do makes no revision");
        assert_eq!(state.commit(Txn::new().put("b", "1").put("a", "1")), Ok(Revision(2)));
        assert_eq!(state.commit(Txn::new().delete("c")), Ok(Revision(2)));
        assert_eq!(
            state.commit(Txn::new().put_at("a", Revision(1), "2").put("b", "2")),
            Err(CommitError::Conflict {
                key: "a".into(),
                expected: Expect::At(Revision(1)),
                found: Some(Revision(2))
            })
        );
        assert_eq!(state.commit(Txn::new().put_at("a", Revision(2), "2").delete("b")), Ok(Revision(3)));
        let entry = state.get(b"a").unwrap();
        assert_eq!((entry.created, entry.modified, &*entry.value), (Revision(2), Revision(3), &b"2"[..]));
        let batch = state.history().get(Revision(3)).unwrap();
        assert!(batch.events[1].is_deletion() && !batch.events[0].is_creation());
        assert_eq!(
            batch.events.iter().map(|event| event.previous.as_ref().unwrap().modified.0).sum::<u64>(),
            4
        );
    }

    #[test]
    fn staged_is_not_there_yet() {
        let mut state = State::default();
        let mut pending = state.pending();
        let first = state.stage(&mut pending, Txn::new().put_new("a", "1")).unwrap();
        assert!(state.stage(&mut pending, Txn::new().put_new("a", "2")).is_err());
        let second = state.stage(&mut pending, Txn::new().put_at("a", first.revision, "3")).unwrap();
        let third = state.stage(&mut pending, Txn::new().delete("a")).unwrap();
        let fourth = state.stage(&mut pending, Txn::new().delete("a")).unwrap();
        assert_eq!((third.revision, fourth.revision, fourth.batch), (Revision(4), Revision(4), None));
        assert!(state.is_empty() && state.revision() == Revision(1));
        for staged in [first, second, third] {
            state.apply(staged.batch.unwrap());
        }
        assert_eq!((state.len(), state.revision()), (0, Revision(4)));
    }

    #[test]
    fn history_is_bounded() {
        let mut state = State::new(HistoryLimits::DEFAULT.revisions(3));
        assert_eq!(state.history().oldest(), Revision(0));
        for at in 0..10 {
            state.commit(Txn::new().put("a", at.to_string())).unwrap();
        }
        assert_eq!(state.history().oldest(), Revision(8));
        assert!(state.history().after(Revision(8)).is_ok_and(|batches| batches.len() == 3));
        let error = state.list(&Scope::all(), &Page::at(Revision(7))).unwrap_err();
        assert_eq!(error, StoreError::Compacted { asked: Revision(7), oldest: Revision(8) });
        let error = state.list(&Scope::all(), &Page::at(Revision(12))).unwrap_err();
        assert_eq!(error, StoreError::Ahead { asked: Revision(12), current: Revision(11) });

        let mut state = State::new(HistoryLimits::DEFAULT.bytes(10_000));
        for _ in 0..100 {
            state.commit(Txn::new().put("a", vec![0; 1000])).unwrap();
            assert!(state.history().bytes() <= 10_000);
        }
        state.compact(Revision(1000));
        assert_eq!((state.history().oldest(), state.history().bytes()), (Revision(101), 0));
    }

    /// Some writes at a time, over few keys.
    fn txns() -> impl Strategy<Value = Vec<BTreeMap<u8, Option<u8>>>> {
        let txn = proptest::collection::btree_map(0..12_u8, proptest::option::of(0..4_u8), 0..4);
        proptest::collection::vec(txn, 0..40)
    }

    proptest! {
        /// Held against a copy of everything at every revision.
        #[test]
        fn lists_what_was_there(txns in txns(), low in 0..12_u8, high in 0..14_u8, limit in 1..5_usize) {
            let mut state = State::default();
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            let mut copies = vec![(state.revision(), model.clone())];
            for txn in txns {
                let txn = txn.into_iter().fold(Txn::new(), |txn, (key, value)| match value {
                    Some(value) => { model.insert(vec![key], vec![value]); txn.put([key].as_slice(), [value].as_slice()) }
                    None => { model.remove([key].as_slice()); txn.delete([key].as_slice()) }
                });
                copies.push((state.commit(txn).unwrap(), model.clone()));
            }
            let scope = Scope::from(KeyRange::new([low].as_slice(), [high].as_slice())).and(KeyRange::key([3]));
            // A revision may stand for several copies, of which all are the same.
            for (revision, copy) in copies {
                let mut page = Page::at(revision).limit(limit);
                let mut listed = Vec::new();
                loop {
                    let listing = state.list(&scope, &page).unwrap();
                    prop_assert!(listing.entries.len() <= limit);
                    prop_assert_eq!(listing.revision, revision);
                    listed.extend(listing.entries.iter().map(|entry| (entry.key.to_vec(), entry.value.to_vec())));
                    match listing.next {
                        Some(next) => page = Page::after(next).limit(limit),
                        None => break,
                    }
                }
                let expected: Vec<_> = copy.into_iter().filter(|(key, _)| scope.contains(key)).collect();
                prop_assert_eq!(listed, expected);
            }
        }
    }

    #[test]
    fn a_page_begins_after_its_cursor() {
        let mut state = State::default();
        let txn = ["a", "b", "c", "d"].iter().fold(Txn::new(), |txn, key| txn.put(*key, "1"));
        state.commit(txn).unwrap();
        for (after, expected) in [("a", "b d"), ("b", "d"), ("bb", "d"), ("d", ""), ("z", ""), ("", "a b d")]
        {
            let scope = Scope::from(KeyRange::new("a", "c")).and(KeyRange::new("d", "e"));
            let cursor = Cursor { revision: state.revision(), after: Some(after.into()) };
            let listing = state.list(&scope, &Page::after(cursor)).unwrap();
            assert_eq!(keys(&listing).join(" "), expected, "after {after}");
        }
        assert!(state.list(&Scope::all(), &Page::first().limit(0)).is_err());
        assert!(state.list(&Scope::nothing(), &Page::first()).unwrap().entries.is_empty());
    }
}
