//! [`Limited`]: a store that answers in time, be it that it cannot.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::store::{
    CommitError, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId, Txn, Watch,
};

/// A store whose requests end in time. What was not answered by then could not be reached; a commit is of
/// unknown fate.
///
/// Whoever waits for an answer that never comes waits for ever, and holds for so long what it holds:
/// controllers run over one of these.
pub struct Limited<S> {
    inner: S,
    limit: Duration,
}

impl<S: Store> Limited<S> {
    /// How long a controller waits for an answer: longer than a store that is well ever takes, a page of a
    /// listing included, and about as long as people wait before they look what is wrong.
    pub const LIMIT: Duration = Duration::from_secs(30);

    /// Waits so long for each answer.
    pub const fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit }
    }

    /// The store beneath.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    fn reason(&self) -> String {
        format!("no answer within {:?}", self.limit)
    }

    async fn within<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = || StoreError::Unavailable { doing: doing.into(), reason: self.reason() };
        timeout(self.limit, work).await.unwrap_or_else(|_| Err(late()))
    }
}

#[async_trait]
impl<S: Store> Store for Limited<S> {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.within("reading a key", self.inner.get(key)).await
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.within("listing", self.inner.list(scope, page)).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        let late = || CommitError::Unknown { reason: self.reason() };
        timeout(self.limit, self.inner.commit(txn)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.within("beginning to watch", self.inner.watch(scope, after)).await
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.within("asking which store it is", self.inner.identity()).await
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }
}
