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
use orchestra_core::kinds::{Pod, PodGroup, PodSpec};
use orchestra_core::object::{Resource, Spec, Uid};
use orchestra_core::store::{Delivery, DiskStore, Key, MemoryStore, Revision, Store, Txn, Value};
use orchestra_sched::Scheduler;
use tokio::sync::Notify;

use crate::harness::{Bench, Directory, percentile};
use crate::workload::{self, How, Workload};

/// How many pods wait at most.
const WINDOW: usize = 2_000;
/// How many are put into the store at once: whole gangs.
const AT_ONCE: usize = 96;
/// By how many clients at the same time.
const CLIENTS: usize = 4;

pub(crate) fn all(bench: &mut Bench) {
    let directory = Directory::new("scheduling").expect("a directory");
    for kind in ["memory", "disk"] {
        for nodes in crate::sizes(bench).iter().copied() {
            for workload in workload::ALL {
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
    /// Those of the pods that were there beforehand who may have to go.
    may_go: BTreeMap<Key, Value>,
}

/// Who was seen to be bound.
#[derive(Default)]
struct Seen {
    bound: AtomicUsize,
    /// When each of those was sent to the store that are not bound yet, and how long it took the others.
    times: std::sync::Mutex<(BTreeMap<Key, Instant>, Vec<f64>)>,
    /// Who is there no more.
    gone: std::sync::Mutex<Vec<Key>>,
    moved: Notify,
}

impl Whole {
    async fn start(store: Arc<dyn Store>, workload: &'static Workload, nodes: usize) -> Self {
        let mut after = Revision(0);
        for numbers in (0..nodes).collect::<Vec<_>>().chunks(AT_ONCE) {
            let txn = numbers.iter().fold(Txn::new(), |txn, number| {
                let mut node = workload::node(*number);
                node.metadata.uid = Uid::from(&*format!("node-{number}"));
                txn.put_new(name_of(&node), node.to_json().expect("JSON"))
            });
            after = store.commit(txn).await.expect("nodes");
        }
        let mut may_go = BTreeMap::new();
        for numbers in (0..(workload.before)(nodes)).collect::<Vec<_>>().chunks(AT_ONCE) {
            let pods: Vec<_> =
                numbers.iter().map(|number| stored(&placed(workload, *number, nodes))).collect();
            if workload.how == How::Preempting {
                may_go.extend(pods.iter().cloned());
            }
            let txn = pods.into_iter().fold(Txn::new(), |txn, (key, value)| txn.put_new(key, value));
            after = store.commit(txn).await.expect("pods");
        }
        let seen = Arc::new(Seen::default());
        tokio::spawn(watch(store.clone(), after, seen.clone()));
        let manager = Manager::new(store.clone()).garbage(false).part(Scheduler::new("scheduler"));
        let running = manager.start().await;
        running.at_rest().await;
        Self { store, workload, nodes, seen, running, may_go }
    }

    async fn measure(self, is_quick: bool) -> Measured {
        let length = Duration::from_millis(if is_quick { 250 } else { 2_000 });
        // Whole rounds, of pods that find a place and others.
        let wave =
            (self.workload.room)(self.nodes).min(if is_quick { 5_000 } else { 20_000 }) / ROUND * ROUND;
        let first = (self.workload.before)(self.nodes).next_multiple_of(ROUND);
        let mut measured = Measured { rates: Vec::new(), p99: Vec::new() };
        for _ in 0..3 {
            let (mut spent, mut done) = (Duration::ZERO, 0);
            self.times().1.clear();
            while spent < length {
                let (bound, took) = self.wave(first, wave).await;
                (spent, done) = (spent + took, done + bound);
                self.clear(first, wave).await;
            }
            let times = &mut self.times().1;
            times.sort_by(f64::total_cmp);
            measured.p99.push(percentile(times, 99.0));
            measured.rates.push(done as f64 / spent.as_secs_f64());
        }
        self.running.shutdown(Duration::from_secs(5)).await;
        measured
    }

    /// Puts so many pods into the store, and waits until all are bound that find a place; tells how many those are.
    async fn wave(&self, first: usize, many: usize) -> (usize, Duration) {
        let numbers: Vec<_> = (first..first + many).collect();
        let pods = |numbers: &[usize]| numbers.iter().flat_map(|it| arriving(self.workload, *it)).collect();
        let batches: Vec<Vec<Arriving>> = numbers.chunks(AT_ONCE).map(pods).collect();
        let (before, start) = (self.bound(), Instant::now());
        let mut put = 0;
        let mut puts = tokio::task::JoinSet::new();
        for batch in batches {
            let waiting: Vec<_> =
                batch.iter().filter(|it| it.finds_a_place).map(|it| it.key.clone()).collect();
            while before + put + waiting.len() > self.bound() + WINDOW {
                self.moves().await;
            }
            while puts.len() >= CLIENTS {
                puts.join_next().await;
            }
            put += waiting.len();
            let now = Instant::now();
            self.times().0.extend(waiting.into_iter().map(|key| (key, now)));
            let txn = batch.into_iter().fold(Txn::new(), |txn, it| txn.put_new(it.key, it.value));
            let store = self.store.clone();
            puts.spawn(async move { store.commit(txn).await.expect("pods") });
        }
        while self.bound() < before + put {
            self.moves().await;
        }
        (put, start.elapsed())
    }

    async fn moves(&self) {
        let moved = tokio::time::timeout(Duration::from_secs(60), self.seen.moved.notified());
        moved.await.expect("pods are bound");
    }

    /// Everything is as it was beforehand.
    async fn clear(&self, first: usize, many: usize) {
        for numbers in (first..first + many).collect::<Vec<_>>().chunks(AT_ONCE) {
            let gone = numbers.iter().flat_map(|number| arriving(self.workload, *number));
            let txn = gone.fold(Txn::new(), |txn, it| txn.delete(it.key));
            self.store.commit(txn).await.expect("deletions");
        }
        let gone = std::mem::take(&mut *self.seen.gone.lock().expect("nobody panics"));
        let back: Vec<_> = gone.iter().filter_map(|key| self.may_go.get_key_value(key)).collect();
        for pods in back.chunks(AT_ONCE) {
            let put = |txn: Txn, (key, value): &(&Key, &Value)| txn.put_new((*key).clone(), (*value).clone());
            self.store.commit(pods.iter().fold(Txn::new(), put)).await.expect("pods");
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

/// After so many pods of a workload, the same sorts come again.
const ROUND: usize = 64;

/// What is put into the store: a pod, or what it is to be placed with.
struct Arriving {
    key: Key,
    value: Value,
    finds_a_place: bool,
}

/// A pod that arrives, and its gang with the first of it.
fn arriving(workload: &Workload, number: usize) -> Vec<Arriving> {
    let mut pod = (workload.new)(number);
    let How::Together(size) = workload.how else {
        let finds_a_place = workload.name != "Unschedulable" || !number.is_multiple_of(2);
        let (key, value) = stored(&pod);
        return vec![Arriving { key, value, finds_a_place }];
    };
    let gang = format!("gang-{}", number / size);
    pod.spec.orchestra = Some(Box::default());
    if let Some(orchestra) = &mut pod.spec.orchestra {
        orchestra.pod_group = gang.as_str().into();
    }
    // The last member of a round fits nowhere, and so none of its gang does.
    let finds_a_place = number % ROUND < ROUND - size;
    let (key, value) = stored(&pod);
    let mut all = vec![Arriving { key, value, finds_a_place }];
    if number.is_multiple_of(size) {
        let mut group = PodGroup::new(gang).namespace("default").build().expect("a group");
        group.spec.min_member = size as u32;
        let (key, value) = (name_of(&group), group.to_json().expect("JSON").into());
        all.push(Arriving { key, value, finds_a_place: false });
    }
    all
}

/// A pod that is there beforehand, and where it is: where its rules let it be.
fn placed(workload: &Workload, number: usize, nodes: usize) -> Pod {
    let mut pod = (workload.old)(number);
    let is_zonal = matches!(workload.name, "PodAffinity" | "NodeAffinity");
    let in_one_zone = is_zonal || (workload.name == "MixedPods" && number % 5 == 1);
    // Every third node is in the first zone.
    let node = if in_one_zone { number % (nodes / 3) * 3 } else { number % nodes };
    pod.spec.node_name = format!("node-{node}").into();
    // Nobody is there to stop it: who has to go goes at once.
    pod.spec.termination_grace_period_seconds = 0;
    pod
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
            match &event.entry {
                None => seen.gone.lock().expect("nobody panics").push(event.key.clone()),
                Some(entry) if is_bound(&entry.value) => {
                    if let Some(put) = times.0.remove(&event.key) {
                        bound += 1;
                        times.1.push((now - put).as_secs_f64() * 1e3);
                    }
                }
                Some(_) => {}
            }
        }
        drop(times);
        seen.bound.fetch_add(bound, Ordering::Relaxed);
        seen.moved.notify_one();
    }
}
