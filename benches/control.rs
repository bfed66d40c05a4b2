//! Controllers: how many objects that need nothing are looked at in a second, what a cached object takes,
//! how soon after a commit the owner is reconciled, and what a listing of everything costs.
//!
//! The objects are half owners (a `Website`) and half what these own (a `Deployment` each); a case's number
//! counts both. The reconciler is that of the front page: it reads what the website owns, ensures the
//! Deployment with its replicas and one container, and says the status.
//!
//! - `noop/<objects>`: looks a second of a kernel over a cache, on one core, without a driver: all is as it
//!   should be. The owners are looked at in random order, which is the worst for the processor's caches;
//!   `/in-order` is the best. `/lean` ensures the replicas and nothing else.
//! - `wake/<objects>`: changes a second of which a kernel takes note, in random order.
//! - `bytes-per-object`: what a Deployment (`data/deployment.json`) takes in a cache with all its indexes.
//!   The peers are the same JSON as `k8s-openapi` reads it, in a `BTreeMap`, as it stands and without
//!   `managedFields`.
//! - `commit-to-plan-…-ms/<store>`: with 100,000 objects, from the acknowledgement of a commit of a
//!   Deployment until the reconciler of its owner runs and sees it; at rest otherwise. The commit itself, and
//!   with it the sync, is not in it: watchers are told once it is applied, mostly before whoever committed is
//!   awake again, and what was seen by then counts as 0. What the plan leads to is committed meanwhile. On a
//!   machine that does other things p99 says how long a thread waits for a core, on a disk a thread more than
//!   in memory.
//! - `resync/<objects>`: objects a second of a listing of everything, where nothing has changed, and the
//!   bytes that are held at most meanwhile, those of the store's answers included.

#![allow(clippy::disallowed_methods)] // measuring is what clocks are for
#![allow(clippy::expect_used, clippy::panic)] // what fails here is the benchmark

mod harness;
#[path = "control/simulation.rs"]
mod simulation;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Bench, Directory, Random, alloc, percentile};
use orchestra::control::feed::{Ask, Told};
use orchestra::control::kernel::{Input, Kernel, Output, Settings};
use orchestra::control::perform::{Done, End, Job};
use orchestra::control::{Cache, Changed, Changes, Expected, Feed, Need, Now, Watched};
use orchestra::object::{MicroTime, Revision};
use orchestra::prelude::*;
use orchestra::store::{Batch, Entry, Event, Key, Page, Scope, StoreError, Txn, Value};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// A Deployment as `kubectl get deployment -o json` shows it.
const DEPLOYMENT: &str = include_str!("data/deployment.json");

fn main() -> std::io::Result<()> {
    let mut bench = Bench::from_args("control");
    let directory = Directory::new("control")?;
    bytes_per_object(&mut bench);
    for objects in [1_000, 100_000, 1_000_000] {
        noop(&mut bench, objects);
    }
    for objects in if bench.is_quick() { &[100_000][..] } else { &[100_000, 1_000_000] } {
        resync(&mut bench, *objects);
    }
    commit_to_plan(&mut bench, "memory", || Arc::new(MemoryStore::new()));
    commit_to_plan(&mut bench, "disk", || Arc::new(DiskStore::open(directory.fresh()).expect("a store")));
    simulation::commits(&mut bench);
    for (what, case, peer) in [
        ("no-op looks, 100,000 objects to 1,000", "noop/100000", "noop/1000"),
        ("no-op looks, 1,000,000 objects to 1,000", "noop/1000000", "noop/1000"),
        ("the same in order", "noop/1000000/in-order", "noop/1000/in-order"),
        ("bytes, ours to k8s-openapi's", "bytes-per-object", "bytes-per-object/k8s-openapi"),
        ("the same without managedFields", "bytes-per-object", "bytes-per-object/k8s-openapi-bare"),
    ] {
        bench.ratio(what, case, peer);
    }
    bench.finish()
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct WebsiteSpec {
    replicas: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct WebsiteStatus {
    ready: u32,
}

impl Spec for WebsiteSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
    type Status = WebsiteStatus;
}

type Website = Object<WebsiteSpec>;

fn website(site: &Website, world: &View<'_>) -> Plan {
    let server = Container::new("server").image("registry.example.com/server:1");
    let web = Deployment::new(site.name()).replicas(site.spec.replicas).container(server);
    let ready = world.owned_by::<Deployment>(site).map(|d| d.status.available_replicas).sum();
    Plan::new().ensure(web.owned_by(site)).status(site, WebsiteStatus { ready })
}

/// The same without a container. A store would refuse it; a kernel at rest commits nothing.
fn lean(site: &Website, world: &View<'_>) -> Plan {
    let web = Deployment::new(site.name()).replicas(site.spec.replicas);
    let ready = world.owned_by::<Deployment>(site).map(|d| d.status.available_replicas).sum();
    Plan::new().ensure(web.owned_by(site)).status(site, WebsiteStatus { ready })
}

fn noop(bench: &mut Bench, objects: usize) {
    let case = format!("noop/{objects}");
    let (in_order, lean_case, wake) =
        (format!("{case}/in-order"), format!("{case}/lean"), format!("wake/{objects}"));
    let wants = [&case, &in_order, &lean_case, &wake].map(|case| bench.wants(case));
    if wants.iter().all(|wanted| !wanted) {
        return;
    }
    let quick = bench.is_quick();
    let measured = alloc::uncounted(|| {
        let (cache, owners) = full_cache(objects);
        let mut plain = Resting::new(Controller::new("website", website), &cache, owners);
        let random = wants[0].then(|| plain.measure(quick, Order::Random));
        let in_order = wants[1].then(|| plain.measure(quick, Order::Keys));
        let wakes = wants[3].then(|| plain.measure_wakes(quick));
        let lean = wants[2].then(|| {
            let owners = std::mem::take(&mut plain.owners);
            drop(plain);
            Resting::new(Controller::new("website", lean), &cache, owners).measure(quick, Order::Random)
        });
        [random, in_order, lean, wakes]
    });
    for (case, samples) in [&case, &in_order, &lean_case, &wake].into_iter().zip(measured) {
        bench.record(case, "1/s", samples.unwrap_or_default());
    }
}

/// A kernel and a cache of objects that need nothing.
struct Resting<'a> {
    kernel: Kernel,
    cache: &'a Cache,
    /// The owners, as if each had just changed.
    owners: Changes,
    random: Random,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Keys,
    Random,
}

impl<'a> Resting<'a> {
    fn new(controller: Controller, cache: &'a Cache, owners: Changes) -> Self {
        let mut kernel = Kernel::new(Settings::default());
        kernel.add(controller.owns::<Deployment>(), cache);
        while kernel.depth() > 0 {
            for output in kernel.handle(now(), Input::Turn(cache)) {
                match output {
                    Output::Perform(job) => drop(kernel.handle(now(), Input::Done(found_so(&job)))),
                    // What is looked at is said to be needed once, though it is there.
                    Output::Need(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        Self { kernel, cache, owners, random: Random(7) }
    }

    fn wake_all(&mut self, order: Order) {
        match order {
            Order::Random => self.random.shuffle(&mut self.owners.changed),
            Order::Keys => self.owners.changed.sort_by(|a, b| a.key.cmp(&b.key)),
        }
        self.kernel.handle(now(), Input::Changed(&self.owners));
    }

    fn turn_to_the_end(&mut self) {
        while self.kernel.depth() > 0 {
            let outputs = self.kernel.handle(now(), Input::Turn(self.cache));
            assert!(outputs.is_empty(), "something was to be done: {outputs:?}");
        }
    }

    /// Looks a second.
    fn measure(&mut self, quick: bool, order: Order) -> Vec<f64> {
        let (runs, length) = runs(quick);
        let mut samples = Vec::new();
        for run in 0..=runs {
            let (mut taken, before) = (Duration::ZERO, self.kernel.looks());
            while taken < length {
                self.wake_all(order);
                let start = Instant::now();
                self.turn_to_the_end();
                taken += start.elapsed();
            }
            // The first run warms the caches.
            if run > 0 {
                samples.push((self.kernel.looks() - before) as f64 / taken.as_secs_f64());
            }
        }
        samples
    }

    /// Changes a second that it takes note of.
    fn measure_wakes(&mut self, quick: bool) -> Vec<f64> {
        let (runs, length) = runs(quick);
        let mut samples = Vec::new();
        for _ in 0..runs {
            let (mut taken, mut done) = (Duration::ZERO, 0);
            while taken < length {
                self.random.shuffle(&mut self.owners.changed);
                let start = Instant::now();
                self.kernel.handle(now(), Input::Changed(&self.owners));
                taken += start.elapsed();
                done += self.owners.changed.len();
                self.turn_to_the_end();
            }
            samples.push(done as f64 / taken.as_secs_f64());
        }
        samples
    }
}

const fn runs(quick: bool) -> (usize, Duration) {
    if quick { (3, Duration::from_millis(100)) } else { (7, Duration::from_millis(300)) }
}

fn now() -> Now {
    Now::new(MicroTime::from_unix_micros(1_780_000_000_000_000), Duration::from_secs(1))
}

/// What a driver says that finds each change of a job made already.
fn found_so(job: &Job) -> Done {
    let ops = job.steps.iter().flat_map(|step| step.ops());
    let made = ops.map(|op| match op.expected() {
        Expected::At(revision) => (op.hash(), Some(revision)),
        other => panic!("nothing to be found: {other:?}"),
    });
    Done { id: job.id, made: made.collect(), commits: 0, revision: Revision(0), end: End::Whole }
}

/// A cache of so many objects, and its owners as if each had just come.
fn full_cache(objects: usize) -> (Cache, Changes) {
    let pair = runtime().block_on(Pair::new());
    let mut cache = Cache::new();
    cache.subscribe(Watched::of::<Website>());
    cache.subscribe(Watched::of::<Deployment>());
    let mut owners: Vec<Changed> = Vec::new();
    for numbers in chunks(objects / 2) {
        let values = numbers.flat_map(|number| pair.values(number)).collect();
        let changes = cache.apply(&batch(Revision(cache.revision().0 + 1), values));
        owners.extend(changes.changed.into_iter().filter(|it| it.watched == Watched::of::<Website>()));
    }
    assert_eq!(cache.len(), objects);
    let revision = cache.revision();
    (cache, Changes { revision, changed: owners, ..Changes::default() })
}

fn chunks(count: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    // Two writes each: a store takes 128 at once.
    (0..count).step_by(50).map(move |start| start..count.min(start + 50))
}

fn batch(revision: Revision, mut values: Vec<(Key, String)>) -> Batch {
    values.sort();
    let event = |(key, value): (Key, String)| {
        let value = Value::from(value.as_bytes());
        let entry = Entry { key: key.clone(), value, created: revision, modified: revision };
        Event { key, entry: Some(Arc::new(entry)), previous: None }
    };
    Batch { revision, events: values.into_iter().map(event).collect() }
}

/// A website and its Deployment, as a manager left them in a store.
struct Pair {
    site: (String, String),
    web: (String, String),
    site_uid: String,
    web_uid: String,
}

impl Pair {
    const NAME: &str = "web-0000000";

    async fn new() -> Self {
        let store = MemoryStore::new();
        let controller = Controller::new("website", website);
        let running = Manager::new(store.clone()).controller(controller).start().await;
        let client = Client::new(store.clone());
        let site = client.apply(Website::new(Self::NAME).spec(WebsiteSpec { replicas: 3 })).await;
        let site = site.expect("a website");
        running.at_rest().await;
        let web = client.get::<Deployment>("", Self::NAME).await.expect("a store").expect("its child");
        let listing = store.list(&Scope::all(), Page::first()).await.expect("a listing");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a text");
        let of = |kind: &str| {
            let mut texts = listing.entries.iter().map(|entry| (text(&entry.key), text(&entry.value)));
            texts.find(|(key, _)| key.contains(kind)).expect("it was written")
        };
        Self {
            site: of("/websites/"),
            web: of("/deployments/"),
            site_uid: site.uid().to_string(),
            web_uid: web.uid().to_string(),
        }
    }

    fn values(&self, number: usize) -> [(Key, String); 2] {
        [&self.site, &self.web].map(|(key, value)| {
            let name = name(number);
            let value = value.replace(Self::NAME, &name);
            let value = value.replace(&self.site_uid, &uid(number)).replace(&self.web_uid, &uid(!number));
            (Key::from(key.replace(Self::NAME, &name)), value)
        })
    }

    /// The Deployment of a number with so many replicas available.
    fn web(&self, number: usize, available: u32) -> (Key, String) {
        let [_, (key, value)] = self.values(number);
        let mut tree: serde_json::Value = serde_json::from_str(&value).expect("an object");
        tree["status"]["availableReplicas"] = available.into();
        (key, tree.to_string())
    }
}

fn name(number: usize) -> String {
    format!("web-{number:07}")
}

fn uid(number: usize) -> String {
    let mixed = Random(number as u64).next();
    format!("{:08x}-{:04x}-4000-8000-{:012x}", mixed >> 32, mixed & 0xffff, number & 0xffff_ffff_ffff)
}

fn bytes_per_object(bench: &mut Bench) {
    let count = if bench.is_quick() { 10_000 } else { 100_000 };
    let bare = {
        let mut tree: serde_json::Value = serde_json::from_str(DEPLOYMENT).expect("a Deployment");
        tree["metadata"].as_object_mut().expect("metadata").remove("managedFields");
        tree.to_string()
    };
    let text = |of: &str, number: usize| {
        let text = of.replace(Pair::NAME, &name(number));
        let text = text.replace("5a1e7b0c-93d4-4c7a-8f21-000000000000", &uid(!number));
        text.replace("c0ffee00-93d4-4c7a-8f21-000000000000", &uid(number))
    };
    let case = "bytes-per-object";
    if bench.wants(case) {
        let before = alloc::live();
        let mut cache = Cache::new();
        cache.subscribe(Watched::of::<Deployment>());
        for number in 0..count {
            let key = Key::from(format!("apps/deployments/shop/{}", name(number)));
            cache.apply(&batch(Revision(cache.revision().0 + 1), vec![(key, text(DEPLOYMENT, number))]));
        }
        assert_eq!((cache.len(), cache.unreadable().count()), (count, 0));
        bench.record(case, "B", vec![(alloc::live() - before) as f64 / count as f64]);
        drop(black_box(cache));
    }
    for (peer, json) in [("k8s-openapi", DEPLOYMENT), ("k8s-openapi-bare", &*bare)] {
        let case = format!("bytes-per-object/{peer}");
        if bench.wants(&case) {
            let before = alloc::live();
            let mut all = BTreeMap::new();
            for number in 0..count {
                let object: k8s_openapi::api::apps::v1::Deployment =
                    serde_json::from_str(&text(json, number)).expect("a Deployment");
                all.insert(format!("shop/{}", name(number)), object);
            }
            bench.record(&case, "B", vec![(alloc::live() - before) as f64 / count as f64]);
            drop(black_box(all));
        }
    }
}

fn resync(bench: &mut Bench, objects: usize) {
    let case = format!("resync/{objects}");
    if !bench.wants(&case) {
        return;
    }
    let runtime = runtime();
    let store = MemoryStore::new();
    runtime.block_on(fill(&store, objects));
    let mut feed = Feed::new();
    drive(&runtime, &store, &mut feed, Told::Start);
    let needs = [Watched::of::<Website>(), Watched::of::<Deployment>()].map(Need::kind);
    drive(&runtime, &store, &mut feed, Told::Need(needs.into()));
    assert!(feed.is_current() && feed.cache().len() == objects, "{feed:?}");
    let (mut rates, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..runs(bench.is_quick()).0 {
        let start = Instant::now();
        let compacted = StoreError::Compacted { asked: Revision(1), oldest: Revision(2) };
        let (changed, peak) =
            alloc::peak_of(|| drive(&runtime, &store, &mut feed, Told::WatchFailed(compacted)));
        rates.push(objects as f64 / start.elapsed().as_secs_f64());
        peaks.push(peak as f64);
        assert!(feed.is_current() && changed == 0, "{changed} have changed");
    }
    bench.record(&case, "1/s", rates);
    bench.record(&format!("{case}/peak-bytes"), "B", peaks);
}

/// Tells a feed something, and does what it asks for until it is content. How many objects changed.
fn drive(runtime: &Runtime, store: &MemoryStore, feed: &mut Feed, told: Told) -> usize {
    let (mut told, mut changed) = (Some(told), 0);
    while let Some(news) = told.take() {
        let (changes, asks) = feed.told(news);
        changed += changes.iter().map(|changes| changes.changed.len()).sum::<usize>();
        for ask in asks {
            let answer = match ask {
                Ask::Identity => Told::Identity(runtime.block_on(store.identity())),
                Ask::List { scope, page } => Told::Listed(runtime.block_on(store.list(&scope, page))),
                Ask::Watch { .. } => Told::Watching(Ok(())),
                Ask::Retry { .. } => Told::Retry,
                Ask::Progress | Ask::Unwatch => continue,
            };
            told = Some(answer);
        }
    }
    changed
}

fn commit_to_plan<S: Store>(bench: &mut Bench, name: &str, fresh: impl FnOnce() -> Arc<S>) {
    const OBJECTS: usize = 100_000;
    let [p50, p99] = ["p50", "p99"].map(|it| format!("commit-to-plan-{it}-ms/{name}"));
    if !bench.wants(&p50) && !bench.wants(&p99) {
        return;
    }
    let (runs, commits) = if bench.is_quick() { (3, 500) } else { (5, 5_000) };
    let delays: Vec<Vec<f64>> = runtime().block_on(async {
        let store = fresh();
        fill(&*store, OBJECTS).await;
        let (sees, mut seen) = mpsc::unbounded_channel();
        // Of whichever version of its Deployment a website is told.
        let reconcile = move |site: &Website, world: &View<'_>| {
            for web in world.owned_by::<Deployment>(site) {
                // When the measurement is over nobody listens.
                let _ = sees.send((web.metadata.resource_version, Instant::now()));
            }
            website(site, world)
        };
        let running =
            Manager::new(store.clone()).controller(Controller::new("website", reconcile)).start().await;
        running.at_rest().await;
        assert_eq!(running.counters().commits(), 0, "all is as it should be");
        let (pair, mut random) = (Pair::new().await, Random(3));
        let mut all = Vec::new();
        for run in 0..runs {
            let mut delays = Vec::with_capacity(commits);
            for _ in 0..commits {
                let (key, value) = pair.web(random.below(OBJECTS / 2), run as u32 + 1);
                let txn = Txn::new().put(key, Value::from(value.as_bytes()));
                let committed = store.commit(txn).await.expect("a commit");
                let acknowledged = Instant::now();
                let at = loop {
                    let (revision, at) = seen.recv().await.expect("it runs");
                    if revision >= committed {
                        break at;
                    }
                };
                delays.push(at.saturating_duration_since(acknowledged).as_secs_f64() * 1e3);
            }
            delays.sort_by(f64::total_cmp);
            all.push(delays);
        }
        running.shutdown(Duration::from_secs(5)).await;
        all
    });
    for (case, percent) in [(p50, 50.0), (p99, 99.0)] {
        bench.record(&case, "ms", delays.iter().map(|delays| percentile(delays, percent)).collect());
    }
}

/// Writes so many objects as a manager has left them.
async fn fill<S: Store>(store: &S, objects: usize) {
    let pair = Pair::new().await;
    for numbers in chunks(objects / 2) {
        let values = numbers.flat_map(|number| pair.values(number));
        let put = |txn: Txn, (key, value): (Key, String)| txn.put(key, Value::from(value.as_bytes()));
        store.commit(values.fold(Txn::new(), put)).await.expect("a commit");
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}
