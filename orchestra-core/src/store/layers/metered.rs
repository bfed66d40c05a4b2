//! [`Metered`]: how often a store is asked, how long it takes, and how it ends.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_trait::async_trait;
use metrics::{counter, gauge, histogram};

use crate::store::{
    CommitError, Delivery, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId,
    Txn, Watch, WatchSource,
};

/// A store that tells the recorder of the `metrics` crate what it does:
///
/// | name | sort | labels |
/// |---|---|---|
/// | `orchestra_store_requests_total` | counter | `store`, `request`, `outcome` |
/// | `orchestra_store_request_seconds` | histogram | `store`, `request` |
/// | `orchestra_store_entries_listed_total` | counter | `store` |
/// | `orchestra_store_watches` | gauge | `store` |
/// | `orchestra_store_watch_events_total` | counter | `store` |
/// | `orchestra_store_watches_ended_total` | counter | `store`, `outcome` |
///
/// An outcome is `ok` or the sort of error: `conflict`, `compacted`, `unavailable` and so on. Keys and
/// values are not told: there are too many, and they may be secret.
pub struct Metered<S> {
    inner: S,
    name: &'static str,
}

impl<S: Store> Metered<S> {
    /// Measures a store, under a name that tells it from others.
    pub const fn new(inner: S, name: &'static str) -> Self {
        Self { inner, name }
    }

    /// The store beneath.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    async fn measure<T, E: Outcome>(
        &self,
        request: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        #[allow(clippy::disallowed_methods)] // nothing is decided by it
        let begun = Instant::now();
        let answer = work.await;
        let outcome = answer.as_ref().err().map_or("ok", Outcome::outcome);
        histogram!("orchestra_store_request_seconds", "store" => self.name, "request" => request)
            .record(begun.elapsed().as_secs_f64());
        counter!("orchestra_store_requests_total",
            "store" => self.name, "request" => request, "outcome" => outcome)
        .increment(1);
        answer
    }
}

/// An error's sort, in a word.
trait Outcome {
    fn outcome(&self) -> &'static str;
}

impl Outcome for StoreError {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Compacted { .. } => "compacted",
            Self::Ahead { .. } => "ahead",
            Self::Unavailable { .. } => "unavailable",
            Self::ReadOnly { .. } => "read_only",
            Self::Corrupt { .. } => "corrupt",
            Self::Locked { .. } => "locked",
            Self::Closed => "closed",
            Self::Invalid { .. } => "invalid",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Outcome for CommitError {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::Unknown { .. } => "unknown",
            Self::TooLarge { .. } => "too_large",
            Self::Invalid { .. } => "invalid",
            Self::Failed(error) => error.outcome(),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Metered<S> {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.measure("get", self.inner.get(key)).await
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        let listing = self.measure("list", self.inner.list(scope, page)).await?;
        counter!("orchestra_store_entries_listed_total", "store" => self.name)
            .increment(listing.entries.len() as u64);
        Ok(listing)
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.measure("commit", self.inner.commit(txn)).await
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        let inner = self.measure("watch", self.inner.watch(scope, after)).await?;
        gauge!("orchestra_store_watches", "store" => self.name).increment(1);
        Ok(Watch::new(Counting { inner, name: self.name }))
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.measure("identity", self.inner.identity()).await
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }
}

/// A watch that is counted.
struct Counting {
    inner: Watch,
    name: &'static str,
}

impl WatchSource for Counting {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        let next = ready!(self.inner.poll_next(cx));
        match &next {
            Ok(Delivery::Batch(batch)) => {
                counter!("orchestra_store_watch_events_total", "store" => self.name)
                    .increment(batch.events.len() as u64);
            }
            Ok(Delivery::Progress(_)) => {}
            Err(error) => {
                counter!("orchestra_store_watches_ended_total",
                    "store" => self.name, "outcome" => error.outcome())
                .increment(1);
            }
        }
        Poll::Ready(next)
    }

    fn request_progress(&mut self) {
        self.inner.request_progress();
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        gauge!("orchestra_store_watches", "store" => self.name).decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    use metrics::{
        Counter, Gauge, GaugeFn, Histogram, HistogramFn, Key as Name, KeyName, Metadata, Recorder,
        SharedString, Unit,
    };

    use super::*;
    use crate::store::MemoryStore;

    /// Remembers what it was told.
    #[derive(Default)]
    struct Told(Mutex<BTreeMap<String, Arc<Figure>>>);

    /// A counter's sum, a gauge's value, or how often a histogram was told something.
    #[derive(Default)]
    struct Figure(AtomicU64);

    impl metrics::CounterFn for Figure {
        fn increment(&self, by: u64) {
            self.0.fetch_add(by, Ordering::Relaxed);
        }
        fn absolute(&self, value: u64) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    impl GaugeFn for Figure {
        fn increment(&self, by: f64) {
            self.0.fetch_add(by as u64, Ordering::Relaxed);
        }
        fn decrement(&self, by: f64) {
            self.0.fetch_sub(by as u64, Ordering::Relaxed);
        }
        fn set(&self, value: f64) {
            self.0.store(value as u64, Ordering::Relaxed);
        }
    }

    impl HistogramFn for Figure {
        fn record(&self, seconds: f64) {
            assert!(seconds >= 0.0);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Told {
        fn figure(&self, name: &Name) -> Arc<Figure> {
            let labels: Vec<_> = name.labels().map(metrics::Label::value).collect();
            let name = format!("{} {}", name.name(), labels.join(" "));
            self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone()
        }

        fn at(&self, name: &str) -> u64 {
            let figures = self.0.lock().unwrap();
            figures.get(name).map_or(0, |figure| figure.0.load(Ordering::Relaxed))
        }
    }

    impl Recorder for Told {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, name: &Name, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.figure(name))
        }
        fn register_gauge(&self, name: &Name, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.figure(name))
        }
        fn register_histogram(&self, name: &Name, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.figure(name))
        }
    }

    #[test]
    fn it_tells_what_the_store_does() {
        let told = Told::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        metrics::with_local_recorder(&told, || {
            runtime.block_on(async {
                let store = Metered::new(MemoryStore::new(), "test");
                let at = store.commit(Txn::new().put_new("secret-name", "1").put("b", "1")).await.unwrap();
                store.commit(Txn::new().put_new("secret-name", "2")).await.unwrap_err();
                store.get(&"secret-name".into()).await.unwrap();
                store.list(&Scope::all(), Page::first()).await.unwrap();
                let mut watch = store.watch(&Scope::all(), Revision(0)).await.unwrap();
                watch.next().await.unwrap();
                assert_eq!(told.at("orchestra_store_watches test"), 1);
                store.watch(&Scope::all(), Revision(at.0 + 1)).await.unwrap_err();
                drop(watch);
            });
        });
        for (name, figure) in [
            ("orchestra_store_requests_total test commit ok", 1),
            ("orchestra_store_requests_total test commit conflict", 1),
            ("orchestra_store_requests_total test get ok", 1),
            ("orchestra_store_requests_total test watch ahead", 1),
            ("orchestra_store_request_seconds test commit", 2),
            ("orchestra_store_entries_listed_total test", 2),
            ("orchestra_store_watch_events_total test", 2),
            ("orchestra_store_watches test", 0),
        ] {
            assert_eq!(told.at(name), figure, "{name}");
        }
        let names: Vec<String> = told.0.lock().unwrap().keys().cloned().collect();
        assert!(!names.iter().any(|name| name.contains("secret")), "{names:?}");
    }
}
