//! [`MemoryStore`]: everything in memory, gone with the process.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::live::Live;
use super::state::{HistoryLimits, State};
use super::{
    CommitError, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId, Txn, Watch,
};

/// The store to begin with: in memory, and gone with the process. Cloning gives another handle to it.
///
/// A commit is applied by whoever makes it, who then lets the watchers have a turn. A reader waits at most while one transaction is put in place,
/// never for another reader, and holds a writer up for a page at most. The history is bounded; a watcher
/// that falls behind by more than it holds is told to list again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> orchestra_core::Result<()> {
/// use orchestra_core::store::{Delivery, MemoryStore, Scope, Store, Txn};
///
/// let store = MemoryStore::new();
/// let before = store.commit(Txn::new().put_new("jobs/a", "1")).await?;
/// let mut watch = store.watch(&Scope::prefix("jobs/"), before).await?;
/// store.commit(Txn::new().put_at("jobs/a", before, "2").put_new("jobs/b", "1")).await?;
///
/// let Delivery::Batch(batch) = watch.next().await? else { panic!("nobody asked for progress") };
/// assert_eq!(batch.events.len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    live: Arc<Live>,
    identity: StoreId,
    limits: Limits,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with(HistoryLimits::DEFAULT, Limits::DEFAULT)
    }

    /// An empty store with limits of its own.
    #[must_use]
    pub fn with(history: HistoryLimits, limits: Limits) -> Self {
        Self { live: Live::new(State::new(history)), identity: StoreId::random(), limits }
    }

    /// Forgets what happened up to a revision.
    pub fn compact(&self, revision: Revision) {
        self.live.change(|state| state.compact(revision));
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        Ok(self.live.read().get(key).cloned())
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.live.read().list(scope, &page)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        txn.check(&self.limits)?;
        let answer = self.live.change(|state| state.commit(txn));
        if self.live.has_watchers() {
            // Nothing here ever waits: a loop of commits, or what is computed after one, would keep
            // watchers from the thread that was told to run them.
            tokio::task::yield_now().await;
        }
        answer
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.live.watch(scope, after)
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        Ok(self.identity)
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.live.read();
        f.debug_struct("MemoryStore")
            .field("revision", &state.revision())
            .field("keys", &state.len())
            .finish_non_exhaustive()
    }
}
