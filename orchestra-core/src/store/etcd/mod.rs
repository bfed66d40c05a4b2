//! [`EtcdStore`]: the store on etcd, for when one machine is not enough.

mod commit;
mod errors;
mod keys;
mod members;
mod options;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use etcd_client::proto::PbKeyValue;
use etcd_client::{GetOptions, GetResponse, WatchOptions};

use super::{
    CommitError, Cursor, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId, Txn,
    Watch,
};
use errors::Fault;
use keys::{Layout, Span, is_reserved};
use members::Members;

pub use options::{EtcdOptions, EtcdTls};

/// A store in etcd: several machines hold what stands in it, and go on while most of them do.
///
/// It is the one to choose when an orchestrator runs on several machines, or when an etcd is there anyway.
/// On one machine a `DiskStore` is faster and needs no server.
///
/// ```no_run
/// # async fn reach() -> Result<(), orchestra_core::store::StoreError> {
/// use orchestra_core::store::EtcdStore;
///
/// let store = EtcdStore::options(["http://10.0.0.1:2379", "http://10.0.0.2:2379", "http://10.0.0.3:2379"])
///     .prefix("/my-platform/")
///     .open()
///     .await?;
/// # drop(store);
/// # Ok(()) }
/// ```
///
/// # Guarantees
///
/// All of [`Store`]'s. Revisions are etcd's own. Reads and guards are linearizable, all pages of a listing
/// show one revision, and one etcd watch over the whole scope sees no transaction torn.
/// - **A commit is never sent again when nobody knows what became of it**: it is
///   [`Unknown`](CommitError::Unknown). One that certainly had no effect (no connection came about, or etcd said
///   so before it proposed it) is sent to another endpoint, or
///   [`is_retryable`](CommitError::is_retryable).
/// - One endpoint is asked as long as it answers, then the next. A watch ends with
///   [`Unavailable`](StoreError::Unavailable) when its server goes; resume after the last revision, and the
///   next endpoint goes on.
/// - A watcher that does not keep up costs a bounded number of batches. It reads on from etcd's history
///   when it does; when that is compacted, it is told so.
///
/// # What it needs
///
/// etcd 3.4 or later, with its default limits (128 operations and 1.5 MiB a transaction) or greater ones.
/// With users and roles: the right to read and write everything under the prefix. The endpoints are those of one
/// cluster; they are not asked who else belongs to it.
///
/// # Caveats
///
/// - **Somebody must compact.** etcd holds its history until it is told to forget:
///   [`compact`](Self::compact), or `etcd --auto-compaction-retention`. Both are of the *whole* etcd, whoever
///   else uses it. Space comes back by `etcdctl defrag`, during which a server does not answer.
/// - **The quota**: when the database is full (2 GiB as etcd comes), commits that put are refused with
///   [`ReadOnly`](StoreError::ReadOnly). The very commit that filled it is `Unknown`: etcd reports the same
///   error, and has made it.
/// - **A restore keeps the identity** when the cluster restored from a snapshot has the same members and the
///   same `--initial-cluster-token`. Give it another token: the [identity](Store::identity) is made of the
///   cluster's and of a number that is stored.
/// - Revisions count what anybody writes to the etcd. To tell [progress](super::Delivery::Progress), a watch
///   writes a key of its own into its range, since etcd 3.4 does not order the progress that it tells itself; the
///   key goes when the watch does. A watcher needs the right to write, and progress costs a revision.
/// - A watch that lags behind by exactly the history that is compacted may miss a deletion at the very
///   revision of the compaction (a fault of etcd before 3.4.34 and 3.5.16): compact what is minutes old,
///   not what has just been. A watch that begins or resumes is told `Compacted` there.
/// - Keys that end in `\0orchestra-progress`, and the key `\0orchestra-identity`, are the store's own.
#[derive(Clone)]
pub struct EtcdStore {
    inner: Arc<Inner>,
}

/// What a store and its watches share.
struct Inner {
    members: Members,
    layout: Layout,
    /// Whether etcd said that its database is full.
    full: AtomicBool,
}

/// How many entries a page has at most. A page of long values is asked for in parts.
const PAGE: usize = 500;

impl EtcdStore {
    /// How an etcd is reached: begin with its endpoints, and say the rest.
    #[must_use]
    pub fn options(endpoints: impl IntoIterator<Item = impl Into<String>>) -> EtcdOptions {
        EtcdOptions::new(endpoints)
    }

    /// Reaches an etcd without TLS and password.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no endpoint answers in time.
    pub async fn connect(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, StoreError> {
        Self::options(endpoints).open().await
    }

    async fn open(options: EtcdOptions) -> Result<Self, StoreError> {
        options.check()?;
        let inner = Inner {
            members: Members::new(&options),
            layout: Layout::new(options.prefix),
            full: AtomicBool::new(false),
        };
        let store = Self { inner: Arc::new(inner) };
        store.identity().await?;
        Ok(store)
    }

    /// Forgets the history before a revision, **of the whole etcd, whoever else uses it**: what stood there
    /// earlier can be neither listed nor watched from. What stands there now stays.
    ///
    /// # Errors
    /// [`StoreError::Ahead`] when the revision has not been reached, or that etcd cannot be reached.
    pub async fn compact(&self, before: Revision) -> Result<(), StoreError> {
        const DOING: &str = "compacting";
        let Ok(number) = i64::try_from(before.0) else { return Err(self.inner.ahead(before, DOING).await) };
        if before >= self.inner.now(None, DOING).await? {
            // Older etcds forget a deletion that is the last revision of all, and when they are killed just
            // then, the revision goes back.
            match self.inner.make_revision(DOING).await {
                // To compact is what helps then.
                Ok(()) | Err(StoreError::ReadOnly { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let request = |connection: Arc<members::Connection>| {
            let mut kv = connection.kv.clone();
            async move { kv.compact(number, None).await }
        };
        match self.inner.members.ask(request).await {
            // It was before, perhaps by the same request whose answer was lost.
            Ok(_) | Err(Fault::Compacted) => Ok(()),
            Err(fault) => Err(self.inner.explain(fault, before, DOING).await),
        }
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        if key.is_empty() || is_reserved(key) {
            return Ok(None);
        }
        let span = (self.inner.layout.place(key), Vec::new());
        let answer = self.inner.range(&span, GetOptions::new()).await;
        let answer = answer.map_err(|fault| fault.into_store_error("reading"))?;
        Ok(answer.0.kvs.into_iter().next().and_then(|found| self.inner.entry(found)))
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        let limit = page.limit.unwrap_or(PAGE).min(PAGE);
        if limit == 0 {
            return Err(StoreError::Invalid { reason: "a page must have room for an entry".into() });
        }
        let (at, after) = page.from.map_or((None, None), |from| (Some(from.revision), from.after));
        let mut reading = Reading { revision: at, entries: Vec::new(), limit };
        for range in scope.ranges() {
            // The next key after one has a zero byte more.
            let next = after.as_ref().map(|after| [after, &[0][..]].concat()).unwrap_or_default();
            let start: &[u8] = if **range.start() < *next { &next } else { range.start() };
            if range.end().is_none_or(|end| *start < **end) && !reading.is_full() {
                reading.read(&self.inner, self.inner.layout.span(start, range.end())).await?;
            }
        }
        // There may have been nothing to read.
        let revision = match reading.revision {
            Some(revision) if !scope.ranges().is_empty() => revision,
            at => {
                let now = self.inner.now(at, LISTING).await?;
                at.unwrap_or(now)
            }
        };
        let mut entries = reading.entries;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next =
            entries.last().filter(|_| more).map(|last| Cursor { revision, after: Some(last.key.clone()) });
        Ok(Listing { revision, entries, next })
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.inner.commit(&txn).await
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        watch::watch(self.inner.clone(), scope, after).await
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.inner.identity().await
    }

    fn limits(&self) -> Limits {
        Limits::DEFAULT
    }
}

const LISTING: &str = "listing";

/// A page that is being read.
struct Reading {
    /// The revision that it shows, once it is known.
    revision: Option<Revision>,
    entries: Vec<Arc<Entry>>,
    limit: usize,
}

impl Reading {
    /// Whether it has an entry more than it needs: the one that says that there are more.
    fn is_full(&self) -> bool {
        self.entries.len() > self.limit
    }

    /// Reads what stands in a range, as far as there is room.
    async fn read(&mut self, inner: &Inner, (mut start, end): Span) -> Result<(), StoreError> {
        let mut most = self.limit + 1;
        while !self.is_full() {
            let want = most.min(self.limit + 1 - self.entries.len());
            let mut options = GetOptions::new().with_limit(i64::try_from(want).unwrap_or(i64::MAX));
            if let Some(at) = self.revision {
                match i64::try_from(at.0) {
                    // Zero asks etcd for the present.
                    Ok(0) => return Err(inner.explain(Fault::Compacted, at, LISTING).await),
                    Ok(number) => options = options.with_revision(number),
                    Err(_) => return Err(inner.ahead(at, LISTING).await),
                }
            }
            let answer = match inner.range(&(start.clone(), end.clone()), options).await {
                Ok(answer) => answer,
                // Long values: a part of them at a time.
                Err(Fault::AnswerTooLong) if want > 1 => {
                    most = want / 2;
                    continue;
                }
                Err(fault) => {
                    return Err(inner.explain(fault, self.revision.unwrap_or_default(), LISTING).await);
                }
            };
            if self.revision.is_none() {
                self.revision = Some(revision_of(&answer).map_err(|fault| fault.into_store_error(LISTING))?);
            }
            let more = answer.0.more;
            let Some(last) = answer.0.kvs.last() else { return Ok(()) };
            start = [&*last.key, &[0]].concat();
            self.entries.extend(answer.0.kvs.into_iter().filter_map(|found| inner.entry(found)));
            if !more {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Inner {
    /// What stands in a range.
    async fn range(&self, (start, end): &Span, options: GetOptions) -> Result<GetResponse, Fault> {
        let request = |connection: Arc<members::Connection>| {
            let (mut kv, start, options) =
                (connection.kv.clone(), start.clone(), options.clone().with_range(end.clone()));
            async move { kv.get(start, Some(options)).await }
        };
        self.members.ask(request).await
    }

    /// The current revision; and whether one is held.
    async fn now(&self, held: Option<Revision>, doing: &str) -> Result<Revision, StoreError> {
        let held = held.unwrap_or_default();
        let Ok(number) = i64::try_from(held.0) else { return Err(self.ahead(held, doing).await) };
        match self.revision_if_held(number).await {
            Ok(current) => Ok(current),
            Err(fault) => Err(self.explain(fault, held, doing).await),
        }
    }

    /// The current revision, if one is held; the first that ever was is zero.
    async fn revision_if_held(&self, number: i64) -> Result<Revision, Fault> {
        let options = GetOptions::new().with_revision(number).with_count_only();
        let answer = self.range(&(self.layout.identity(), Vec::new()), options).await?;
        revision_of(&answer)
    }

    /// That a revision has not been reached.
    async fn ahead(&self, asked: Revision, doing: &str) -> StoreError {
        match self.revision_if_held(0).await {
            Ok(current) => StoreError::Ahead { asked, current },
            Err(fault) => fault.into_store_error(doing),
        }
    }

    /// What a fault means to who asked for a revision.
    async fn explain(&self, fault: Fault, asked: Revision, doing: &str) -> StoreError {
        match fault {
            Fault::Future => self.ahead(asked, doing).await,
            Fault::Compacted => match self.oldest().await {
                Ok(oldest) => StoreError::Compacted { asked, oldest },
                Err(fault) => fault.into_store_error(doing),
            },
            fault => fault.into_store_error(doing),
        }
    }

    /// The oldest revision that is held: etcd tells it only to a watch from further back.
    async fn oldest(&self) -> Result<Revision, Fault> {
        let request = |connection: Arc<members::Connection>| {
            let place = self.layout.identity();
            async move {
                let options = WatchOptions::new().with_start_revision(1);
                let mut stream = connection.watch(place, options).await?;
                while let Some(answer) = stream.message().await? {
                    if answer.canceled() || !answer.events().is_empty() {
                        return Ok(answer.compact_revision());
                    }
                }
                Ok(0)
            }
        };
        match self.members.ask(request).await? {
            // Not so old after all; the present always is held.
            ..=0 => self.revision_if_held(0).await,
            number => Ok(revision(number)),
        }
    }

    /// Makes a revision that changes nothing for anybody.
    async fn make_revision(&self, doing: &str) -> Result<(), StoreError> {
        let (marker, _) = self.layout.watched(&Scope::nothing());
        let request = |connection: Arc<members::Connection>| {
            let (mut kv, marker) = (connection.kv.clone(), marker.clone());
            async move { kv.put(marker, "", None).await }
        };
        self.members.ask(request).await.map(drop).map_err(|fault| fault.into_store_error(doing))
    }

    /// An entry, unless it is the store's own.
    fn entry(&self, found: PbKeyValue) -> Option<Arc<Entry>> {
        let key = self.layout.key(&found.key).filter(|key| !is_reserved(key))?;
        Some(Arc::new(Entry {
            key: key.into(),
            value: found.value.into(),
            created: revision(found.create_revision),
            modified: revision(found.mod_revision),
        }))
    }
}

fn revision(number: i64) -> Revision {
    // etcd's are never negative.
    Revision(u64::try_from(number).unwrap_or_default())
}

fn revision_of(answer: &GetResponse) -> Result<Revision, Fault> {
    let header = answer.header().ok_or_else(|| Fault::Lost("an answer without header".into()))?;
    Ok(revision(header.revision()))
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdStore").field("layout", &self.inner.layout).finish_non_exhaustive()
    }
}
