//! [`RightStore`]: the store that is sabotaged. Nothing is wrong with it, and it is no quicker than it must be.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use orchestra_core::store::*;

type Entries = BTreeMap<Key, Arc<Entry>>;

/// Keeps what stood there at each revision, under one lock. A clone is another handle on the same store.
#[derive(Clone, Default)]
pub(crate) struct RightStore(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    now: Revision,
    present: Entries,
    past: BTreeMap<Revision, Entries>,
    waiting: Vec<Waker>,
}

impl State {
    fn at(&self, asked: Revision) -> Result<&Entries, StoreError> {
        let (current, oldest) = (self.now, self.past.keys().next().copied().unwrap_or(self.now));
        match asked.cmp(&current) {
            Ordering::Equal => Ok(&self.present),
            Ordering::Greater => Err(StoreError::Ahead { asked, current }),
            Ordering::Less => self.past.get(&asked).ok_or(StoreError::Compacted { asked, oldest }),
        }
    }
}

impl RightStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Forgets the history before a revision.
    pub(crate) fn forget(&self, before: Revision) {
        let mut state = self.lock();
        state.past = state.past.split_off(&before);
    }
}

#[async_trait::async_trait]
impl Store for RightStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        Ok(self.lock().present.get(key).cloned())
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        let state = self.lock();
        let Cursor { revision, after } = page.from.unwrap_or(Cursor { revision: state.now, after: None });
        let limit = page.limit.unwrap_or(1000);
        if limit == 0 {
            return Err(StoreError::Invalid { reason: "a page has at least one entry".into() });
        }
        let rest = state.at(revision)?.values().filter(|entry| scope.contains(&entry.key));
        let mut rest = rest.filter(|entry| after.as_ref().is_none_or(|after| entry.key > *after)).cloned();
        let entries: Vec<_> = rest.by_ref().take(limit).collect();
        let last = entries.last().filter(|_| rest.next().is_some());
        let next = last.map(|last| Cursor { revision, after: Some(last.key.clone()) });
        Ok(Listing { revision, entries, next })
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check(&self.limits())?;
        let mut state = self.lock();
        for Guard { key, expect } in txn.guards() {
            let found = state.present.get(key).map(|entry| entry.modified);
            if !expect.holds(found) {
                return Err(CommitError::Conflict { key: key.clone(), expected: *expect, found });
            }
        }
        let (now, mut next) = (state.now, state.present.clone());
        let modified = Revision(now.0 + 1);
        for write in txn.writes() {
            let created = next.remove(write.key()).map_or(modified, |entry| entry.created);
            if let Write::Put(key, value) = write.clone() {
                next.insert(key.clone(), Arc::new(Entry { key, value, created, modified }));
            }
        }
        if next != state.present {
            let before = std::mem::replace(&mut state.present, next);
            state.past.insert(now, before);
            state.now = modified;
            state.waiting.drain(..).for_each(Waker::wake);
        }
        Ok(state.now)
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.lock().at(after)?;
        Ok(Watch::new(Follower { store: self.clone(), scope: scope.clone(), at: after, asked: false }))
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        Ok(StoreId(Arc::as_ptr(&self.0).addr() as u128)) // it lives no longer than its memory does
    }

    fn limits(&self) -> Limits {
        Limits::DEFAULT
    }
}

struct Follower {
    store: RightStore,
    scope: Scope,
    at: Revision,
    asked: bool,
}

impl WatchSource for Follower {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        let mut state = self.store.lock();
        while self.at < state.now {
            let (before, revision) = (state.at(self.at)?, Revision(self.at.0 + 1));
            let after = state.at(revision)?;
            let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
            let events = changed.filter(|key| self.scope.contains(key)).map(|key| {
                let (entry, previous) = (after.get(key).cloned(), before.get(key).cloned());
                Event { key: key.clone(), entry, previous }
            });
            let batch = Batch { revision, events: events.collect() };
            self.at = revision;
            if !batch.events.is_empty() {
                return Poll::Ready(Ok(Delivery::Batch(Arc::new(batch))));
            }
        }
        if std::mem::take(&mut self.asked) {
            return Poll::Ready(Ok(Delivery::Progress(self.at)));
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }
    fn request_progress(&mut self) {
        self.asked = true;
    }
}
