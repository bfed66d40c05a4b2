//! The store: where the parts of an orchestrator meet, and the only place where they do.
//!
//! A [`Store`] holds values under keys, each at the [`Revision`] that wrote it. Every transaction that
//! changes something makes the next revision. There are three things to do with it: read at one
//! revision, [commit](Store::commit) on the condition that nothing has changed meanwhile, and
//! [watch](Store::watch) what happens after a revision.
//!
//! ```
//! # use orchestra_core::store::{Key, Txn, Expect};
//! let (web, lease) = (Key::from("apps/deployments/default/web"), Key::from("leases//leader"));
//! let txn = Txn::new()
//!     .guard(lease, Expect::At(4.into())) // still the leader,
//!     .put_new(web, r#"{"spec":{}}"#); //    then this, if it is not there yet
//! assert_eq!((txn.guards().len(), txn.writes().len()), (2, 1));
//! ```
//!
//! Programs seldom use it directly: a `Client` reads and writes whole objects on top of it.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "disk")]
pub mod disk;
mod entry;
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
mod history;
#[cfg(feature = "driver")]
mod hub;
mod key;
#[cfg(feature = "driver")]
pub mod layers;
#[cfg(feature = "driver")]
mod live;
#[cfg(feature = "driver")]
mod memory;
mod scope;
pub mod state;
mod txn;
mod watch;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use crate::object::Revision;
#[cfg(feature = "disk")]
pub use disk::DiskStore;
pub use entry::{Batch, Entry, Event};
pub use error::{CommitError, StoreError};
#[cfg(feature = "etcd")]
pub use etcd::EtcdStore;
pub use key::{Key, Value};
#[cfg(feature = "driver")]
pub use memory::MemoryStore;
pub use scope::{Cursor, KeyRange, Listing, Page, Scope};
pub use txn::{Expect, Guard, Limits, Txn, Write};
pub use watch::{Delivery, Watch, WatchSource};

/// A place for values under keys, with a history.
///
/// # Guarantees
///
/// What every reconciler relies on, and what `store_conformance!` looks for in an implementation:
///
/// 1. **One order.** All transactions that change something are in one total order, that of their
///    revisions. A transaction takes effect at one instant between its call and its answer, wholly or
///    not at all (it is linearizable).
/// 2. **Reads are now.** [`get`](Self::get) and the first page of [`list`](Self::list) see every
///    transaction that was acknowledged before they began, by whichever client. They never go back.
/// 3. **A listing is one instant.** All pages that follow from one another by their [`Cursor`] show the
///    same revision, however much is written meanwhile; or the next page is
///    [`Compacted`](StoreError::Compacted).
/// 4. **A conflict is a fact.** [`Conflict`](CommitError::Conflict) means that nothing was written, and
///    that the guard it names did not hold at an instant during the call.
/// 5. **A watch has no gap.** It yields every revision after the one it was asked for that changes a key
///    of its scope: once, in order, all events of a revision together in one [`Batch`], in the order of
///    their keys. Where it cannot, it ends with [`Compacted`](StoreError::Compacted): list again and
///    watch from there. It never skips in silence, and never shows what may yet be undone.
/// 6. **Progress is honest.** [`Delivery::Progress`] says that every batch up to its revision was
///    yielded before it.
/// 7. **Acknowledged is kept.** In a durable store an acknowledged transaction survives `kill -9` of the
///    process and a loss of power. Nothing is shown to anybody that would not survive.
/// 8. **History has one name.** [`identity`](Self::identity) changes when the store's history is not the
///    continuation of the one before, as after a restore from a backup: revisions of the one mean
///    nothing in the other.
///
/// # Assumptions
///
/// What a store may rely on: keys are not empty and within [`Limits`]; one transaction writes a key once
/// at most (it is [refused](CommitError::Invalid) otherwise); whoever asks for a revision got it from
/// this store's present identity.
///
/// # Caveats
///
/// - **A dropped commit has an unknown fate**: when the future of [`commit`](Self::commit) is dropped
///   before it is done, the transaction may take effect or not, now or a little later. The same is true
///   of [`CommitError::Unknown`]. Plan again from what is there: with guards, the same transaction
///   cannot take effect twice.
/// - A transaction that changes nothing (no writes, or deletions of what is not there) makes no
///   revision: it answers with the current one, once its guards are found to hold.
/// - History is bounded. A watcher that does not keep up is told so, and lists again.
/// - [`Event::previous`] is there as far as the history holds it.
/// - Revisions need not be consecutive for one scope, nor in every store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// What stands under a key now.
    ///
    /// # Errors
    /// When the store cannot be reached or read.
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError>;

    /// What stands in a scope, in the order of the keys, a page at a time.
    ///
    /// A page may have fewer entries than were asked for; [`Listing::next`] says whether there are more.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when the revision that the page continues is not held any more,
    /// [`StoreError::Ahead`] when it has not been reached yet.
    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError>;

    /// Writes all of a transaction if all of its guards hold, and answers with its revision.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a guard did not hold; the other variants tell whether the
    /// transaction may have taken effect.
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError>;

    /// What happens in a scope after a revision.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when the history since then is not held any more,
    /// [`StoreError::Ahead`] when that revision has not been reached yet.
    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError>;

    /// Which history this is.
    ///
    /// # Errors
    /// When the store cannot be reached or read.
    async fn identity(&self) -> Result<StoreId, StoreError>;

    /// How much a transaction may have.
    fn limits(&self) -> Limits;
}

#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        (**self).get(key).await
    }
    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        (**self).list(scope, page).await
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        (**self).commit(txn).await
    }
    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        (**self).watch(scope, after).await
    }
    async fn identity(&self) -> Result<StoreId, StoreError> {
        (**self).identity().await
    }
    fn limits(&self) -> Limits {
        (**self).limits()
    }
}

/// Which history a store holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u128);

impl StoreId {
    /// A new one, that no other store has.
    #[cfg(feature = "driver")]
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        // Without a source of randomness nothing on the system works; the address of a stack frame and
        // the process' number would be no better than zeros.
        getrandom::fill(&mut bytes).unwrap_or_default();
        Self(u128::from_ne_bytes(bytes))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
