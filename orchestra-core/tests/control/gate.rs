//! A store behind a gate: transactions wait before it while it is closed, and are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use orchestra_core::store::{
    CommitError, Entry, Key, Limits, Listing, MemoryStore, Page, Revision, Scope, Store, StoreError, StoreId,
    Txn, Watch,
};
use tokio::sync::watch;

#[derive(Clone)]
pub(crate) struct Gate {
    store: MemoryStore,
    counts: Arc<Counts>,
    is_open: Arc<watch::Sender<bool>>,
}

#[derive(Default)]
struct Counts {
    held: AtomicUsize,
    most: AtomicUsize,
    lists: AtomicUsize,
    watches: AtomicUsize,
}

impl Gate {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self { store, counts: Arc::default(), is_open: Arc::new(watch::channel(true).0) }
    }

    pub(crate) fn close(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// How many transactions are under way.
    pub(crate) fn held(&self) -> usize {
        self.counts.held.load(Ordering::SeqCst)
    }

    /// How many were at once at most.
    pub(crate) fn most(&self) -> usize {
        self.counts.most.load(Ordering::SeqCst)
    }

    pub(crate) fn forget(&self) {
        self.counts.most.store(0, Ordering::SeqCst);
    }

    /// How often something was listed, beside how far the store is.
    pub(crate) fn lists(&self) -> usize {
        self.counts.lists.load(Ordering::SeqCst)
    }

    pub(crate) fn watches(&self) -> usize {
        self.counts.watches.load(Ordering::SeqCst)
    }
}

/// Counted for as long as it is there, whatever becomes of the request.
struct Held<'c>(&'c Counts);

impl<'c> Held<'c> {
    fn new(counts: &'c Counts) -> Self {
        let now = counts.held.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most.fetch_max(now, Ordering::SeqCst);
        Self(counts)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Gate {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.store.get(key).await
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.counts.lists.fetch_add(usize::from(*scope != Scope::nothing()), Ordering::SeqCst);
        self.store.list(scope, page).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        let _held = Held::new(&self.counts);
        // The gate outlives every handle to it.
        let _ = self.is_open.subscribe().wait_for(|open| *open).await;
        self.store.commit(txn).await
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.counts.watches.fetch_add(1, Ordering::SeqCst);
        self.store.watch(scope, after).await
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.store.identity().await
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }
}
