//! The suite on the stores that come with the crate, and what many clients saw of them at once.

#![allow(clippy::unwrap_used, clippy::panic)] // what fails here is the test

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orchestra_core::store::conformance::linear::{Workload, drive};
use orchestra_core::store::conformance::{Harness, store_conformance};
use orchestra_core::store::layers::{Encrypted, Faults, Faulty, Keyring, Limited, Metered};
use orchestra_core::store::{Delivery, DiskStore, MemoryStore, Revision, Scope, Store, Txn, Watch};

/// A directory that goes when the test is done.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A disk store, and what stands on it.
struct OnDisk<S: Store> {
    store: Option<(DiskStore, Arc<S>)>,
    layers: fn(DiskStore) -> S,
    directory: Directory,
}

impl<S: Store> OnDisk<S> {
    fn new(layers: fn(DiskStore) -> S) -> Self {
        let mut harness = Self { store: None, layers, directory: Directory::new() };
        harness.open();
        harness
    }

    fn open(&mut self) {
        // Snapshots all the time: nobody may notice.
        let disk = DiskStore::options().snapshot_after(10_000).open(&self.directory.0).unwrap();
        self.store = Some((disk.clone(), Arc::new((self.layers)(disk))));
    }
}

#[async_trait]
impl<S: Store> Harness for OnDisk<S> {
    fn store(&self) -> Arc<dyn Store> {
        self.store.as_ref().unwrap().1.clone()
    }

    async fn forget(&self, before: Revision) {
        self.store.as_ref().unwrap().0.compact(before);
    }

    async fn reopen(&mut self) {
        let (disk, _) = self.store.take().unwrap();
        disk.close().await;
        self.open();
    }
}

fn encrypt<S: Store>(store: S) -> Encrypted<S> {
    Encrypted::new(store, Scope::all(), Keyring::new("one", [1; 32]))
}

struct InMemory(MemoryStore);

#[async_trait]
impl Harness for InMemory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }

    async fn forget(&self, before: Revision) {
        self.0.compact(before);
    }
}

mod memory {
    use super::*;
    store_conformance!(async { InMemory(MemoryStore::new()) }, without durability);
}

mod disk {
    use super::*;
    store_conformance!(async { OnDisk::new(|disk| disk) });
}

mod encrypted_disk {
    use super::*;
    store_conformance!(async { OnDisk::new(encrypt) });
}

/// Layers that change nothing.
mod layered_disk {
    use super::*;
    store_conformance!(async {
        OnDisk::new(|disk| {
            let limited = Limited::new(disk, Limited::<DiskStore>::LIMIT);
            Metered::new(Faulty::new(limited, Faults::default(), 1), "test")
        })
    });
}

fn seeds() -> u64 {
    std::env::var("ORCHESTRA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// What many clients see of a store at once is what one after another could have seen.
async fn is_linearizable(store: Arc<dyn Store>, seed: u64) {
    let workload = Workload { seed, clients: 8, calls: 300, ..Workload::default() };
    let history = drive(store, &workload).await;
    history.check().unwrap_or_else(|refuted| panic!("seed {seed}: {refuted}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_linearizable() {
    for seed in 0..seeds() {
        is_linearizable(Arc::new(MemoryStore::new()), seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_is_linearizable() {
    for seed in 0..seeds() {
        let harness = OnDisk::new(|disk| disk);
        is_linearizable(harness.store(), seed).await;
    }
}

/// With errors, delays, answers that are lost and watches that end; with and without watches that must
/// begin anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_is_linearizable() {
    for seed in 0..seeds() {
        let compacted_watches = if seed % 2 == 0 { 0 } else { 20 };
        let faults = Faults { compacted_watches, ..Faults::everything() };
        let store = Arc::new(Faulty::new(MemoryStore::new(), faults, seed));
        is_linearizable(store.clone(), seed).await;
        let counts = store.counts();
        assert!(counts.unavailable > 0 && counts.lost_after > 0 && counts.lost_before > 0, "{counts:?}");
    }
}

/// A store, and what goes with it where it is on a disk.
type Either = (Arc<dyn Store>, Option<OnDisk<DiskStore>>);

/// Both stores that stand on a state in memory, to be tested alike.
fn both() -> [Either; 2] {
    let disk = OnDisk::new(|disk| disk);
    [(Arc::new(MemoryStore::new()), None), (disk.store(), Some(disk))]
}

async fn is_told(mut watch: Watch) {
    let told = tokio::time::timeout(Duration::from_secs(20), watch.next()).await;
    assert!(matches!(told, Ok(Ok(Delivery::Batch(_)))), "{told:?}");
}

/// Whoever commits may compute afterwards: watchers do not wait for that.
#[test]
fn a_watcher_is_told_while_the_committer_is_busy() {
    for (store, _directory) in both() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async move {
            let watch = store.watch(&Scope::all(), Revision(1)).await.unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            tokio::spawn(async move {
                is_told(watch).await;
                tell.send(()).unwrap();
            });
            let busy = tokio::spawn(async move {
                store.commit(Txn::new().put("a", "1")).await.unwrap();
                // Without giving the thread back.
                told.recv_timeout(Duration::from_secs(20)).unwrap();
            });
            busy.await.unwrap();
        });
    }
}

/// A runtime whose threads are all blocked holds up nobody but its own tasks.
#[test]
fn a_watcher_is_told_while_another_runtime_is_blocked() {
    for (store, _directory) in both() {
        let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (blocked, free) = (runtime().unwrap(), runtime().unwrap());
        let _first = blocked.block_on(store.watch(&Scope::all(), Revision(1))).unwrap();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let blocker = blocked.spawn(async move { released.recv().is_err() });
        free.block_on(async {
            let watch = store.watch(&Scope::all(), Revision(1)).await.unwrap();
            let watcher = tokio::spawn(is_told(watch));
            store.commit(Txn::new().put("a", "1")).await.unwrap();
            watcher.await.unwrap();
        });
        drop(release);
        blocked.block_on(blocker).unwrap();
    }
}

/// All of it works on any executor, or on none.
#[test]
fn no_runtime_is_needed() {
    for (store, directory) in both() {
        let waited = std::pin::pin!(async {
            for _ in 0..1_000 {
                let mut watch = store.watch(&Scope::prefix("x"), Revision(1)).await.unwrap();
                let looked = std::future::poll_fn(|cx| std::task::Poll::Ready(watch.poll_next(cx))).await;
                assert!(looked.is_pending());
            }
            store.commit(Txn::new().put("x", "1")).await.unwrap();
        });
        block_on(waited);
        if let Some(OnDisk { store: Some((disk, _)), .. }) = &directory {
            block_on(std::pin::pin!(disk.close()));
        }
    }
}

/// Runs a future without any runtime.
fn block_on<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    loop {
        if let std::task::Poll::Ready(value) =
            future.as_mut().poll(&mut std::task::Context::from_waker(&waker))
        {
            return value;
        }
        std::thread::park();
    }
}
