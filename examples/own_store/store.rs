//! A store of your own: everything that ever happened, in one list. It forgets nothing, so it is not for
//! long runs; it looks up nothing quickly; and all that a `Store` guarantees, it does.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use orchestra::store::*;

#[derive(Clone, Default)]
pub(crate) struct OwnStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    history: Vec<Batch>, // the batch of revision 1, of revision 2, …
    waiting: Vec<Waker>,
}

impl State {
    /// What stood there at a revision: what was last written by then, where that was no deletion.
    fn at(&self, asked: Revision) -> Result<BTreeMap<Key, Arc<Entry>>, StoreError> {
        let ahead = StoreError::Ahead { asked, current: self.now() };
        let events =
            self.history.get(..asked.0 as usize).ok_or(ahead)?.iter().flat_map(|batch| &batch.events);
        let last: BTreeMap<&Key, &Event> = events.map(|event| (&event.key, event)).collect();
        Ok(last.into_iter().filter_map(|(key, event)| Some((key.clone(), event.entry.clone()?))).collect())
    }
    fn now(&self) -> Revision {
        Revision(self.history.len() as u64)
    }
}

#[async_trait::async_trait]
impl Store for OwnStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        Ok(self.list(&Scope::key(&**key), Page::first()).await?.entries.pop())
    }
    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = page.limit.unwrap_or(1000);
        if limit == 0 {
            return Err(StoreError::Invalid { reason: "a page has an entry at least".into() });
        }
        let Cursor { revision, after } = page.from.unwrap_or(Cursor { revision: state.now(), after: None });
        let mut rest = state.at(revision)?;
        rest.retain(|key, _| scope.contains(key) && Some(key) > after.as_ref());
        let entries: Vec<_> = rest.values().take(limit).cloned().collect();
        let last = entries.last().filter(|_| rest.len() > limit);
        let next = last.map(|last| Cursor { revision, after: Some(last.key.clone()) });
        Ok(Listing { revision, entries, next })
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check(&self.limits())?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (present, modified) = (state.at(state.now())?, Revision(state.now().0 + 1));
        let found = |key: &Key| present.get(key).map(|entry| entry.modified);
        if let Some(Guard { key, expect }) = txn.guards().iter().find(|it| !it.expect.holds(found(&it.key))) {
            return Err(CommitError::Conflict { key: key.clone(), expected: *expect, found: found(key) });
        }
        let events = txn.writes().iter().map(|write| {
            let (key, previous) = (write.key().clone(), present.get(write.key()).cloned());
            let created = previous.as_ref().map_or(modified, |entry| entry.created);
            let entry = |value: &Value| Entry { key: key.clone(), value: value.clone(), created, modified };
            Event { entry: write.value().map(entry).map(Arc::new), key, previous }
        });
        let mut events: Vec<_> = events.filter(|it| it.entry.is_some() || it.previous.is_some()).collect();
        if !events.is_empty() {
            events.sort_by(|a, b| a.key.cmp(&b.key));
            state.history.push(Batch { revision: modified, events: events.into() });
            state.waiting.drain(..).for_each(Waker::wake);
        }
        Ok(state.now())
    }
    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.list(&Scope::nothing(), Page::at(after)).await?; // or it says why not
        Ok(Watch::new(Follower(self.clone(), scope.clone(), after, false)))
    }
    async fn identity(&self) -> Result<StoreId, StoreError> {
        Ok(StoreId(Arc::as_ptr(&self.0).addr() as u128)) // it lives no longer than its memory does
    }
    fn limits(&self) -> Limits {
        Limits::DEFAULT
    }
}

/// A watch: of which store and scope, how far it is, and whether it was asked to say so.
struct Follower(OwnStore, Scope, Revision, bool);

impl WatchSource for Follower {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        let Self(store, scope, at, asked) = self;
        let mut state = store.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(batch) = state.history.get(at.0 as usize) {
            *at = batch.revision;
            let events = batch.events.iter().filter(|event| scope.contains(&event.key)).cloned();
            let batch = Batch { revision: *at, events: events.collect() };
            if !batch.events.is_empty() {
                return Poll::Ready(Ok(Delivery::Batch(batch.into())));
            }
        }
        if std::mem::take(asked) {
            return Poll::Ready(Ok(Delivery::Progress(*at)));
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }
    fn request_progress(&mut self) {
        self.3 = true;
    }
}
