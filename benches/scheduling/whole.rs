//! From end to end: pods are put into a store, watched, decided about and bound.
//!
//! One thread does it all: it puts pods into the store, keeps the cache, decides, binds, and watches who is bound.
//! (A DiskStore writes on a thread of its own.) So many pods wait at most: who waits is what makes others wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orchestra_core::client::{ObjectName, scope_of};
use orchestra_core::control::{Manager, Running};
use orchestra_core::kinds::{Pod, PodSpec};
use orchestra_core::object::{Resource, Spec, Uid};
use orchestra_core::store::{Delivery, DiskStore, Key, MemoryStore, Revision, Store, Txn, Value};
use orchestra_sched::Scheduler;
use tokio::sync::Notify;

use crate::harness::{Bench, Directory, percentile};
use crate::workload::{self, Workload};

/// How many pods wait at most.
const WINDOW: usize = 2_000;
/// How many are put into the store at once.
const AT_ONCE: usize = 100;

pub(crate) fn all(bench: &mut Bench) {
    let directory = Directory::new("scheduling").expect("a directory");
    for kind in ["memory", "disk"] {
        for nodes in [500, 5_000] {
            for workload in workload::ALL.iter().filter(|it| it.fits) {
                let case = format!("{kind}/{}/{nodes}", workload.name);
                if !bench.wants(&case) {
                    continue;
                }
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let measured = runtime.expect("a runtime").block_on(async {
                    let store: Arc<dyn Store> = match kind {
                        "memory" => Arc::new(MemoryStore::new()),
                        _ => Arc::new(DiskStore::open(directory.fresh()).expect("a store")),
                    };
                    Whole::start(store, workload, nodes).await.measure(bench.is_quick()).await
                });
                bench.record(&case, "1/s", measured.rates);
                bench.record(&format!("{case}/p99-ms"), "ms", measured.p99);
            }
        }
    }
}

struct Measured {
    rates: Vec<f64>,
    p99: Vec<f64>,
}

struct Whole {
    store: Arc<dyn Store>,
    workload: &'static Workload,
    nodes: usize,
    seen: Arc<Seen>,
    running: Running,
}

/// Who was seen to be bound.
#[derive(Default)]
struct Seen {
    bound: AtomicUsize,
    /// When each of those was put into the store that are not bound yet, and how long it took the others.
    times: std::sync::Mutex<(BTreeMap<Key, Instant>, Vec<f64>)>,
    moved: Notify,
}

impl Whole {
    async fn start(store: Arc<dyn Store>, workload: &'static Workload, nodes: usize) -> Self {
        for numbers in (0..nodes).collect::<Vec<_>>().chunks(AT_ONCE) {
            let txn = numbers.iter().fold(Txn::new(), |txn, number| {
                let mut node = workload::node(*number);
                node.metadata.uid = Uid::from(&*format!("node-{number}"));
                txn.put_new(name_of(&node), node.to_json().expect("JSON"))
            });
            store.commit(txn).await.expect("nodes");
        }
        let seen = Arc::new(Seen::default());
        let after = Revision(nodes.div_ceil(AT_ONCE) as u64);
        tokio::spawn(watch(store.clone(), after, seen.clone()));
        let manager = Manager::new(store.clone()).garbage(false).part(Scheduler::new("scheduler"));
        let whole = Self { store, workload, nodes, seen, running: manager.start().await };
        whole.wave(workload.old, 0, (workload.before)(nodes)).await;
        whole
    }

    async fn measure(self, is_quick: bool) -> Measured {
        let length = Duration::from_millis(if is_quick { 500 } else { 2_000 });
        let most =
            if self.workload.name == "PodAntiAffinity" { self.nodes * 7 / 10 } else { self.nodes * 20 };
        let wave = most.min(20_000);
        let mut measured = Measured { rates: Vec::new(), p99: Vec::new() };
        for _ in 0..3 {
            let (mut spent, mut done) = (Duration::ZERO, 0);
            self.times().1.clear();
            while spent < length {
                spent += self.wave(self.workload.new, self.nodes, wave).await;
                done += wave;
                self.clear(wave).await;
            }
            let times = &mut self.times().1;
            times.sort_by(f64::total_cmp);
            measured.p99.push(percentile(times, 99.0));
            measured.rates.push(done as f64 / spent.as_secs_f64());
        }
        self.running.shutdown(Duration::from_secs(5)).await;
        measured
    }

    /// Puts so many pods into the store, and waits until all are bound.
    async fn wave(&self, pod: fn(usize) -> Pod, first: usize, many: usize) -> Duration {
        let pods: Vec<(Key, Value)> = (first..first + many).map(|number| stored(&pod(number))).collect();
        let (before, start) = (self.bound(), Instant::now());
        let mut put = 0;
        for pods in pods.chunks(AT_ONCE) {
            while before + put + pods.len() > self.bound() + WINDOW {
                self.moves().await;
            }
            let txn =
                pods.iter().fold(Txn::new(), |txn, (key, value)| txn.put_new(key.clone(), value.clone()));
            self.store.commit(txn).await.expect("pods");
            let now = Instant::now();
            self.times().0.extend(pods.iter().map(|(key, _)| (key.clone(), now)));
            put += pods.len();
        }
        while self.bound() < before + many {
            self.moves().await;
        }
        start.elapsed()
    }

    async fn moves(&self) {
        let moved = tokio::time::timeout(Duration::from_secs(30), self.seen.moved.notified());
        moved.await.expect("pods are bound");
    }

    async fn clear(&self, many: usize) {
        for numbers in (self.nodes..self.nodes + many).collect::<Vec<_>>().chunks(AT_ONCE) {
            let delete = |txn: Txn, number: &usize| txn.delete(name_of(&(self.workload.new)(*number)));
            self.store.commit(numbers.iter().fold(Txn::new(), delete)).await.expect("deletions");
        }
        self.running.at_rest().await;
    }

    fn bound(&self) -> usize {
        self.seen.bound.load(Ordering::Relaxed)
    }

    fn times(&self) -> std::sync::MutexGuard<'_, (BTreeMap<Key, Instant>, Vec<f64>)> {
        self.seen.times.lock().expect("nobody panics")
    }
}

fn name_of<R: Resource>(object: &R) -> Key {
    ObjectName::new(R::KIND, object.namespace().clone(), object.name().clone()).expect("a name").key()
}

/// A pod as a store holds it that somebody has made.
fn stored(pod: &Pod) -> (Key, Value) {
    let mut pod = pod.clone();
    pod.fill_in();
    pod.metadata.uid = Uid::from(&**pod.name());
    pod.metadata.generation = 1;
    (name_of(&pod), pod.to_json().expect("JSON").into())
}

/// Counts who is bound.
async fn watch(store: Arc<dyn Store>, after: Revision, seen: Arc<Seen>) {
    let mut watch = store.watch(&scope_of(&PodSpec::KIND), after).await.expect("a watch");
    let is_bound = |value: &[u8]| value.windows(12).any(|text| text == b"\"nodeName\":\"");
    while let Ok(delivery) = watch.next().await {
        let Delivery::Batch(batch) = delivery else { continue };
        let (now, mut bound) = (Instant::now(), 0);
        let mut times = seen.times.lock().expect("nobody panics");
        for event in &batch.events {
            if event.entry.as_ref().is_some_and(|entry| is_bound(&entry.value)) {
                bound += 1;
                if let Some(put) = times.0.remove(&event.key) {
                    times.1.push((now - put).as_secs_f64() * 1e3);
                }
            }
        }
        drop(times);
        seen.bound.fetch_add(bound, Ordering::Relaxed);
        seen.moved.notify_one();
    }
}
