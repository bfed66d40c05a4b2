//! What cases are written with: a store at hand that must do as it is told, and watches that are read.

use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use tokio::task::JoinSet;

use super::Harness;
use crate::store::{
    Batch, CommitError, Cursor, Delivery, Entry, Expect, Key, Limits, Listing, Page, Revision, Scope, Store,
    StoreError, Txn, Value, Watch,
};

/// One case on one store.
pub(super) struct Trial {
    harness: Box<dyn Harness>,
    hand: Option<Hand>,
}

/// A store that must do as it is told: what is not expected panics. A clone is another user of it.
#[derive(Clone)]
pub(super) struct Hand(Arc<dyn Store>);

impl Trial {
    pub(super) fn new(harness: Box<dyn Harness>) -> Self {
        let hand = Some(Hand(harness.store()));
        Self { harness, hand }
    }

    /// Another user of the same store.
    pub(super) fn hand(&self) -> Hand {
        Hand(self.harness.store())
    }

    /// Forgets the history before a revision.
    pub(super) async fn forget(&self, before: Revision) {
        self.harness.forget(before).await;
    }

    /// Closes the store and opens it again.
    pub(super) async fn reopen(&mut self) {
        self.hand = None;
        self.harness.reopen().await;
        self.hand = Some(Hand(self.harness.store()));
    }

    /// Nothing made a revision between these two, as far as one can tell.
    #[track_caller]
    pub(super) fn no_revision_between(&self, before: Revision, after: Revision) {
        assert!(after >= before, "the revision went back from {before} to {after}");
        assert!(after == before || !self.harness.is_alone(), "a revision was made: {before} became {after}");
    }
}

impl Deref for Trial {
    type Target = Hand;
    fn deref(&self) -> &Hand {
        self.hand.as_ref().expect("a case uses the store while it is open")
    }
}

impl Hand {
    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.0
    }

    pub(super) fn limits(&self) -> Limits {
        self.0.limits()
    }

    /// Makes a transaction, which must be made.
    pub(super) async fn commit(&self, txn: Txn) -> Revision {
        self.0
            .commit(txn)
            .await
            .unwrap_or_else(|error| panic!("a transaction that can be made was not: {error}"))
    }

    /// Why a transaction was not made, which must not be.
    pub(super) async fn refused(&self, txn: Txn) -> CommitError {
        match self.0.commit(txn).await {
            Ok(revision) => panic!("a transaction that cannot be made was made at {revision}"),
            Err(error) => error,
        }
    }

    /// Which key a transaction stumbled over, which must conflict, and when what it found was written.
    pub(super) async fn conflict(&self, txn: Txn) -> (String, Option<Revision>) {
        match self.refused(txn).await {
            CommitError::Conflict { key, found, .. } => (key.to_string(), found),
            error => panic!("it should be a conflict: {error}"),
        }
    }

    pub(super) async fn put(&self, key: impl Into<Key>, value: impl Into<Value>) -> Revision {
        self.commit(Txn::new().put(key, value)).await
    }

    pub(super) async fn delete(&self, key: impl Into<Key>) -> Revision {
        self.commit(Txn::new().delete(key)).await
    }

    /// Writes a value if what stands there was written at this revision; whether it was made.
    pub(super) async fn put_if(&self, key: &str, at: Expect, value: impl Into<Value>) -> Option<Revision> {
        self.attempt(Txn::new().guard(key, at).put(key, value)).await
    }

    /// Makes a transaction, unless it conflicts.
    pub(super) async fn attempt(&self, txn: Txn) -> Option<Revision> {
        match self.0.commit(txn).await {
            Ok(revision) => Some(revision),
            Err(CommitError::Conflict { .. }) => None,
            Err(error) => panic!("a transaction that is right was refused: {error}"),
        }
    }

    pub(super) async fn get(&self, key: impl Into<Key>) -> Option<Arc<Entry>> {
        let key = key.into();
        self.0.get(&key).await.unwrap_or_else(|error| panic!("{key} could not be read: {error}"))
    }

    /// What stands under a key, where something must.
    pub(super) async fn entry(&self, key: impl Into<Key>) -> Arc<Entry> {
        let key = key.into();
        self.get(key.clone()).await.unwrap_or_else(|| panic!("nothing stands under {key}"))
    }

    /// The value under a key, as text; `-` for nothing.
    pub(super) async fn text(&self, key: impl Into<Key>) -> String {
        self.get(key).await.map_or("-".into(), |entry| entry.value.escape_ascii().to_string())
    }

    /// The value under a key, a number; nothing counts as zero. And how to expect it there again.
    pub(super) async fn number(&self, key: &str) -> (u64, Expect) {
        match self.get(key).await {
            Some(entry) => (number(&entry), Expect::At(entry.modified)),
            None => (0, Expect::Absent),
        }
    }

    /// The current revision.
    pub(super) async fn now(&self) -> Revision {
        self.page(&Scope::all(), Page::first().limit(1)).await.revision
    }

    pub(super) async fn page(&self, scope: &Scope, page: Page) -> Listing {
        self.0.list(scope, page).await.unwrap_or_else(|error| panic!("{scope} could not be listed: {error}"))
    }

    /// Why a page could not be listed, which must not be.
    pub(super) async fn unlisted(&self, scope: &Scope, page: Page) -> StoreError {
        match self.0.list(scope, page).await {
            Ok(listing) => panic!("{scope} was listed at {}, which cannot be", listing.revision),
            Err(error) => error,
        }
    }

    /// All pages of a listing.
    pub(super) async fn list(&self, scope: &Scope) -> Listing {
        self.rest(scope, Page::first(), None).await
    }

    /// All pages from one on, of so many entries.
    pub(super) async fn rest(&self, scope: &Scope, mut page: Page, limit: Option<usize>) -> Listing {
        let mut all: Option<Listing> = None;
        loop {
            page.limit = limit.or(page.limit);
            let listing = self.page(scope, page).await;
            let all = all.get_or_insert_with(|| Listing { entries: Vec::new(), next: None, ..listing });
            assert_eq!(listing.revision, all.revision, "pages of one listing show different revisions");
            assert!(listing.entries.len() <= limit.unwrap_or(usize::MAX), "a page has too many entries");
            assert!(
                listing.next.is_none() || !listing.entries.is_empty(),
                "an empty page says there are more"
            );
            all.entries.extend(listing.entries);
            match listing.next {
                Some(next) => page = Page::after(next),
                None => return all.clone(),
            }
        }
    }

    pub(super) async fn watch(&self, scope: &Scope, after: Revision) -> Watcher {
        match self.0.watch(scope, after).await {
            Ok(watch) => Watcher { watch, scope: scope.clone(), after },
            Err(error) => panic!("{scope} could not be watched after {after}: {error}"),
        }
    }

    /// A watch from now on.
    pub(super) async fn watch_now(&self, scope: &Scope) -> Watcher {
        self.watch(scope, self.now().await).await
    }

    /// How a watch ends that cannot be: at once, or before it yields anything.
    pub(super) async fn unwatched(&self, scope: &Scope, after: Revision) -> StoreError {
        match self.0.watch(scope, after).await {
            Ok(mut watch) => match watch.next().await {
                Ok(delivery) => panic!("a watch after {after} cannot be, but it yields {delivery:?}"),
                Err(error) => error,
            },
            Err(error) => error,
        }
    }

    /// Everything that happened in a scope after a revision, up to now.
    pub(super) async fn happened(&self, scope: &Scope, after: Revision) -> Vec<Arc<Batch>> {
        let now = self.now().await;
        self.watch(scope, after).await.upto(now).await
    }
}

/// A watch that must yield what makes sense.
pub(super) struct Watcher {
    watch: Watch,
    scope: Scope,
    after: Revision,
}

impl Watcher {
    /// What comes next.
    pub(super) async fn next(&mut self) -> Delivery {
        match self.next_or_end().await {
            Ok(delivery) => delivery,
            Err(error) => panic!("the watch of {} ended: {error}", self.scope),
        }
    }

    /// What comes next, or why nothing more does.
    pub(super) async fn next_or_end(&mut self) -> Result<Delivery, StoreError> {
        let next = self.watch.next().await?;
        match &next {
            Delivery::Batch(batch) => {
                assert!(batch.revision > self.after, "{batch:?} came after revision {}", self.after);
                assert!(!batch.events.is_empty(), "a batch without events");
                assert!(batch.events.is_sorted_by(|a, b| a.key < b.key), "events not in order: {batch:?}");
                for event in &batch.events {
                    assert!(self.scope.contains(&event.key), "{} is not in {}", event.key, self.scope);
                    if let Some(entry) = &event.entry {
                        assert_eq!(
                            (&entry.key, entry.modified),
                            (&event.key, batch.revision),
                            "an event's entry"
                        );
                    }
                }
                self.after = batch.revision;
            }
            Delivery::Progress(revision) => {
                assert!(*revision >= self.after, "progress went back from {} to {revision}", self.after);
                self.after = *revision;
            }
        }
        Ok(next)
    }

    /// The next batch, where one must come.
    pub(super) async fn batch(&mut self) -> Arc<Batch> {
        match self.next().await {
            Delivery::Batch(batch) => batch,
            Delivery::Progress(revision) => panic!("a batch was due, and progress at {revision} came"),
        }
    }

    /// The next batch, shown as text.
    pub(super) async fn told(&mut self) -> (Revision, String) {
        let batch = self.batch().await;
        (batch.revision, told(&batch))
    }

    pub(super) fn ask(&mut self) {
        self.watch.request_progress();
    }

    /// The batches before the next progress, and that; without asking for it.
    pub(super) async fn before_progress(&mut self) -> (Vec<Arc<Batch>>, Revision) {
        let mut batches = Vec::new();
        loop {
            match self.next().await {
                Delivery::Batch(batch) => batches.push(batch),
                Delivery::Progress(revision) => return (batches, revision),
            }
        }
    }

    /// All batches up to a revision, by asking for progress until it is reached.
    pub(super) async fn upto(&mut self, revision: Revision) -> Vec<Arc<Batch>> {
        let mut all = Vec::new();
        loop {
            self.ask();
            let (batches, reached) = self.before_progress().await;
            all.extend(batches);
            if reached >= revision {
                return all;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Nothing happened up to a revision that was not told yet.
    pub(super) async fn nothing_upto(&mut self, revision: Revision) {
        let more = self.upto(revision).await;
        assert!(more.is_empty(), "nothing more was due: {}", all_told(&more));
    }

    pub(super) fn source(&mut self) -> &mut Watch {
        &mut self.watch
    }
}

/// A batch as text: `+a=1` for a creation, `a=2` for an update, `-a` for a deletion.
pub(super) fn told(batch: &Batch) -> String {
    let events = batch.events.iter().map(|event| match &event.entry {
        None => format!("-{}", event.key),
        Some(entry) => {
            let plus = if event.is_creation() { "+" } else { "" };
            format!("{plus}{}={}", event.key, entry.value.escape_ascii())
        }
    });
    events.collect::<Vec<_>>().join(" ")
}

/// Batches as text.
pub(super) fn all_told(batches: &[Arc<Batch>]) -> String {
    batches.iter().map(|batch| told(batch)).collect::<Vec<_>>().join(" | ")
}

/// The batches' revisions.
pub(super) fn revisions(batches: &[Arc<Batch>]) -> Vec<Revision> {
    batches.iter().map(|batch| batch.revision).collect()
}

/// A listing as text: `a=1 b=2`.
pub(super) fn listed(listing: &Listing) -> String {
    let entries = listing.entries.iter();
    let entries = entries.map(|entry| format!("{}={}", entry.key, entry.value.escape_ascii()));
    entries.collect::<Vec<_>>().join(" ")
}

/// The number that an entry's value is.
pub(super) fn number(entry: &Entry) -> u64 {
    let text = std::str::from_utf8(&entry.value).unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("{}: {text:?} is not the number that was written", entry.key))
}

/// The page after a key, as it was at a revision.
pub(super) fn page_after(revision: Revision, key: &str) -> Page {
    Page::after(Cursor { revision, after: Some(key.into()) })
}

/// Reads beside a writer, who begins when all do.
pub(super) async fn beside<F>(
    writer: F,
    readers: impl IntoIterator<Item = impl Future<Output = ()> + Send + 'static>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
    let readers = readers.into_iter().map(|reader| -> Task { Box::pin(reader) });
    together([Box::pin(writer) as Task].into_iter().chain(readers)).await;
}

/// Does several things at once, each on a task of its own, none of which begins before all can; what they
/// yield, in their order.
pub(super) async fn together<T, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    // When one fails, dropping the set stops the others.
    let mut running = JoinSet::new();
    let tasks: Vec<F> = tasks.into_iter().collect();
    let (count, ready) = (tasks.len(), Arc::new(AtomicUsize::new(0)));
    for (at, task) in tasks.into_iter().enumerate() {
        let ready = Arc::clone(&ready);
        running.spawn(async move {
            ready.fetch_add(1, Ordering::SeqCst);
            while ready.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
            (at, task.await)
        });
    }
    let mut done = Vec::new();
    while let Some(result) = running.join_next().await {
        match result {
            Ok(one) => done.push(one),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Polls a future so many times and drops it, done or not.
pub(super) async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..times {
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(done);
        }
        tokio::task::yield_now().await;
    }
    None
}
