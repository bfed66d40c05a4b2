//! The suite that every store must pass: what [`Store`] guarantees, one test a case.
//!
//! ```ignore
//! use orchestra_core::store::conformance::store_conformance;
//! store_conformance!(async { Arc::new(MyStore::new()) }, without compaction, without durability);
//! ```
//!
//! That makes one `#[test]` of each case. Each gets a store of its own, in which nothing is; of its
//! revisions nothing is assumed but that they grow. To have the cases about compaction and durability
//! too, implement [`Harness`]. What a case is there to catch is its [`fault`](Case::fault), and the first
//! thing that a failure says. Orchestra tests the suite in turn: stores with one fault each fail the case
//! that names it.
//!
//! [`linear`] looks at what many clients at once saw, and says whether it can have been so.
//!
//! A case panics when it fails, as tests do: this module is for tests only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod atomicity;
mod cancellation;
mod compaction;
mod concurrency;
mod durability;
mod fanout;
mod guards;
mod identity;
mod keys;
mod limits;
pub mod linear;
mod listing;
mod paging;
mod progress;
mod reads;
mod resuming;
mod revisions;
mod table;
mod trial;
mod values;
mod watching;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Revision, Store};
use trial::Trial;

pub use crate::store_conformance;

/// A store under test, and what the suite cannot do to it by way of [`Store`].
///
/// An `Arc` of a store is the simplest harness.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// The store: the same each time, as another user of it has it. Nothing is in it at first; what else it
    /// may hold (on a server that cases share) is beyond the keys that it shows.
    fn store(&self) -> Arc<dyn Store>;

    /// Whether nobody else writes to the store meanwhile, not even under other keys. Then the suite can
    /// tell that something makes no revision.
    fn is_alone(&self) -> bool {
        true
    }

    /// Forgets the history before a revision: what stood there earlier can be neither listed nor watched
    /// from. That revision itself can be; and what stands there now stays.
    async fn forget(&self, before: Revision) {
        panic!(
            "nobody said how to forget what is before {before}: `Harness::forget`, or `without compaction`"
        );
    }

    /// Closes the store and opens it again. Nobody else holds it or watches it when this is called.
    async fn reopen(&mut self) {
        panic!("nobody said how to reopen the store: `Harness::reopen`, or `without durability`");
    }
}

impl<S: Store> Harness for Arc<S> {
    fn store(&self) -> Arc<dyn Store> {
        self.clone()
    }
}

/// One thing that a store must do.
pub struct Case {
    /// What it is about.
    pub family: &'static str,
    /// What must be so.
    pub name: &'static str,
    /// The fault that it is there to catch.
    pub fault: &'static str,
    body: fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{family}::{case} found {fault}: {reason}")]
pub struct Failure {
    /// What the case is about.
    pub family: &'static str,
    /// The case's name.
    pub case: &'static str,
    /// The fault that it is there to catch.
    pub fault: &'static str,
    /// What was seen.
    pub reason: String,
}

/// How long a case may take: a hundred times what the slowest takes on a store that syncs, so that only
/// one that hangs is ever stopped.
pub const LIMIT: Duration = Duration::from_secs(60);

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    table::FAMILIES.iter().flat_map(|family| family.iter())
}

impl Case {
    /// The case with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        cases().find(|case| case.name == name)
    }

    /// Tries it on a store, in a tokio runtime that has time.
    ///
    /// # Errors
    /// What was seen that must not be, or that it was not done within the limit.
    pub async fn run(&self, harness: impl Harness, limit: Duration) -> Result<(), Failure> {
        let running = tokio::spawn((self.body)(Trial::new(Box::new(harness))));
        let stop = running.abort_handle();
        let reason = match tokio::time::timeout(limit, running).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => message(&*panic),
                Err(error) => error.to_string(),
            },
            Err(_) => {
                stop.abort();
                format!(
                    "it was not done after {} s: something that was waited for did not come",
                    limit.as_secs()
                )
            }
        };
        Err(Failure { family: self.family, case: self.name, fault: self.fault, reason })
    }
}

/// Runs one case on a fresh store, in a runtime of its own. The tests that [`store_conformance!`]
/// makes call it.
///
/// # Panics
/// When the case fails.
pub fn check<H: Harness>(case: &str, open: impl Future<Output = H>) {
    let case = Case::named(case).expect("no such case");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime for the test");
    let outcome = runtime.block_on(async { case.run(open.await, LIMIT).await });
    // A store that hangs must not hang the test.
    runtime.shutdown_background();
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}, to catch {}", self.family, self.name, self.fault)
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

/// Makes a `#[test]` of each case of the [suite](crate::store::conformance), in a module a family.
///
/// What it is given is a future of a [`Harness`](crate::store::conformance::Harness), made anew for
/// each case. `without compaction` and `without durability` say what the store is not meant to do; those
/// tests are then shown as ignored.
#[macro_export]
macro_rules! store_conformance {
    ($harness:expr $(, without $lack:ident)* $(,)?) => {
        async fn harness() -> impl $crate::store::conformance::Harness {
            $harness.await
        }
        $crate::__store_conformance_table! { [$crate::__store_conformance_tests] [$($lack)*] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance_tests {
    // The whole table: each family with what the store is not meant to do.
    ($lacks:tt $($family:ident $cases:tt)*) => {
        $($crate::__store_conformance_tests! { @family $family $lacks $cases })*
    };
    (@family compaction [compaction $($lack:ident)*] $cases:tt) => {
        $crate::__store_conformance_tests! { @tests compaction $cases [#[ignore = "the store does not compact"]] }
    };
    (@family durability [durability $($lack:ident)*] $cases:tt) => {
        $crate::__store_conformance_tests! { @tests durability $cases [#[ignore = "the store is not durable"]] }
    };
    (@family $family:ident [$other:ident $($lack:ident)*] $cases:tt) => {
        $crate::__store_conformance_tests! { @family $family [$($lack)*] $cases }
    };
    (@family $family:ident [] $cases:tt) => {
        $crate::__store_conformance_tests! { @tests $family $cases [] }
    };
    (@tests $family:ident { $($case:ident: $fault:literal;)* } $ignored:tt) => {
        mod $family {
            $($crate::__store_conformance_tests! { @test $case $ignored })*
        }
    };
    (@test $case:ident [$($ignored:tt)*]) => {
        #[test]
        $($ignored)*
        fn $case() {
            $crate::store::conformance::check(stringify!($case), super::harness());
        }
    };
}
