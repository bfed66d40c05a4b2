//! [`Tamper`]: a store that is right but for what was put in its way.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use orchestra_core::store::conformance::Harness;
use orchestra_core::store::{
    CommitError, Cursor, Delivery, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError,
    StoreId, Txn, Watch, WatchSource,
};

use crate::right::RightStore;

type Now<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Hook<A, T> = Box<dyn Fn(RightStore, A) -> Now<T> + Send + Sync>;
type Read = Result<Option<Arc<Entry>>, StoreError>;
/// What becomes of each delivery of a watch.
pub(crate) type Bend = Box<dyn FnMut(Delivery) -> Vec<Delivery> + Send>;

/// What is put in the way of a store; where nothing is, it does as it should.
#[derive(Default)]
pub(crate) struct Tamper {
    get: Option<Hook<Key, Read>>,
    list: Option<Hook<(Scope, Page), Result<Listing, StoreError>>>,
    commit: Option<Hook<Txn, Result<Revision, CommitError>>>,
    watch: Option<Hook<(Scope, Revision), Result<Watch, StoreError>>>,
    identity: Option<Box<dyn Fn() -> u128 + Send + Sync>>,
    limits: Option<Limits>,
    reopen: Option<Hook<(), RightStore>>,
}

macro_rules! hooks {
    ($($hook:ident: $given:ty => $answer:ty;)*) => {$(
        pub(crate) fn $hook<F>(mut self, hook: impl Fn(RightStore, $given) -> F + Send + Sync + 'static) -> Self
        where
            F: Future<Output = $answer> + Send + 'static,
        {
            self.$hook = Some(Box::new(move |store, given| Box::pin(hook(store, given))));
            self
        }
    )*};
}

impl Tamper {
    hooks! {
        get: Key => Read;
        list: (Scope, Page) => Result<Listing, StoreError>;
        commit: Txn => Result<Revision, CommitError>;
        watch: (Scope, Revision) => Result<Watch, StoreError>;
        reopen: () => RightStore;
    }

    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn identity(mut self, identity: impl Fn() -> u128 + Send + Sync + 'static) -> Self {
        self.identity = Some(Box::new(identity));
        self
    }

    /// Says that there are other limits than there are.
    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(self.limits.insert(Limits::DEFAULT));
        self
    }

    /// Changes entries on their way to whoever gets or lists them.
    pub(crate) fn entries(self, change: impl Fn(Entry) -> Entry + Clone + Send + Sync + 'static) -> Self {
        let bend = move |entry: &Arc<Entry>| Arc::new(change(Entry::clone(entry)));
        let also = bend.clone();
        self.get(move |store, key| {
            let bend = bend.clone();
            async move { Ok(store.get(&key).await?.as_ref().map(bend)) }
        })
        .list(move |store, (scope, page)| {
            let also = also.clone();
            async move {
                let listing = store.list(&scope, page).await?;
                Ok(Listing { entries: listing.entries.iter().map(also).collect(), ..listing })
            }
        })
    }

    /// Changes what is listed.
    pub(crate) fn listing(self, change: impl Fn(&mut Listing) + Clone + Send + Sync + 'static) -> Self {
        self.list(move |store, (scope, page)| {
            let change = change.clone();
            async move {
                let mut listing = store.list(&scope, page).await?;
                change(&mut listing);
                Ok(listing)
            }
        })
    }

    /// Changes the scope that is listed and watched.
    pub(crate) fn scope(self, change: impl Fn(Scope) -> Scope + Clone + Send + Sync + 'static) -> Self {
        let also = change.clone();
        self.list(move |store, (scope, page)| {
            let change = change.clone();
            async move { store.list(&change(scope), page).await }
        })
        .watch(move |store, (scope, after)| {
            let also = also.clone();
            async move { store.watch(&also(scope), after).await }
        })
    }

    /// Changes the transaction before it is made.
    pub(crate) fn txn(self, change: impl Fn(Txn) -> Txn + Clone + Send + Sync + 'static) -> Self {
        self.commit(move |store, txn| {
            let txn = change(txn);
            async move { store.commit(txn).await }
        })
    }

    /// Changes each delivery of each watch.
    pub(crate) fn deliveries(self, bend: impl Fn() -> Bend + Clone + Send + Sync + 'static) -> Self {
        self.source(move |_, watch| Watch::new(Bent { watch, bend: bend(), ready: VecDeque::new() }))
    }

    /// Changes each watch.
    pub(crate) fn source(
        self,
        change: impl Fn(RightStore, Watch) -> Watch + Clone + Send + Sync + 'static,
    ) -> Self {
        self.watch(move |store, (scope, after)| {
            let change = change.clone();
            async move { Ok(change(store.clone(), store.watch(&scope, after).await?)) }
        })
    }
}

struct Bent {
    watch: Watch,
    bend: Bend,
    ready: VecDeque<Delivery>,
}

impl WatchSource for Bent {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        loop {
            if let Some(delivery) = self.ready.pop_front() {
                return Poll::Ready(Ok(delivery));
            }
            match self.watch.poll_next(cx)? {
                Poll::Ready(delivery) => self.ready.extend((self.bend)(delivery)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
    fn request_progress(&mut self) {
        self.watch.request_progress();
    }
}

/// A store with something in its way, and the harness of it.
#[derive(Clone)]
pub(crate) struct Tampered {
    pub(crate) store: RightStore,
    pub(crate) tamper: Arc<Tamper>,
}

impl Tampered {
    pub(crate) fn new(tamper: Tamper) -> Self {
        Self { store: RightStore::default(), tamper: Arc::new(tamper) }
    }
}

#[async_trait::async_trait]
impl Store for Tampered {
    async fn get(&self, key: &Key) -> Read {
        match &self.tamper.get {
            Some(hook) => hook(self.store.clone(), key.clone()).await,
            None => self.store.get(key).await,
        }
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        match &self.tamper.list {
            Some(hook) => hook(self.store.clone(), (scope.clone(), page)).await,
            None => self.store.list(scope, page).await,
        }
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        match &self.tamper.commit {
            Some(hook) => hook(self.store.clone(), txn).await,
            None => self.store.commit(txn).await,
        }
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        match &self.tamper.watch {
            Some(hook) => hook(self.store.clone(), (scope.clone(), after)).await,
            None => self.store.watch(scope, after).await,
        }
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        match &self.tamper.identity {
            Some(hook) => Ok(StoreId(hook())),
            None => self.store.identity().await,
        }
    }

    fn limits(&self) -> Limits {
        self.tamper.limits.unwrap_or_else(|| self.store.limits())
    }
}

/// It is opened again, if it is not tampered with, as what it was: its memory is its disk.
#[async_trait::async_trait]
impl Harness for Tampered {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    async fn forget(&self, before: Revision) {
        self.store.forget(before);
    }

    async fn reopen(&mut self) {
        if let Some(hook) = &self.tamper.reopen {
            self.store = hook(self.store.clone(), ()).await;
        }
    }
}

/// A page that begins at a revision, after what another page ended with.
pub(crate) fn page_at(revision: Revision, page: &Page) -> Page {
    let after = page.from.as_ref().and_then(|cursor| cursor.after.clone());
    Page { from: Some(Cursor { revision, after }), ..*page }
}

/// The store's revision.
pub(crate) async fn now(store: &RightStore) -> Revision {
    store.commit(Txn::new()).await.unwrap()
}

/// The revision before it.
pub(crate) async fn just_before(store: &RightStore) -> Revision {
    Revision(now(store).await.0.saturating_sub(1))
}
