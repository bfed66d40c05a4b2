//! How fast the stores are: commits, reads, the delay of watches, and what a million objects take.
//!
//! A commit is one guard and one put of 256 bytes, over 10,000 keys, durable before it is acknowledged.
//! With the feature `etcd` and an endpoint in `ORCHESTRA_ETCD`, etcd is measured in the same run; its
//! plain puts have no guard.

#![allow(clippy::disallowed_methods)] // measuring is what clocks are for
#![allow(clippy::expect_used)] // what fails here is the benchmark

mod harness;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::{Bench, Directory, Random, percentile};
use orchestra::store::{Delivery, DiskStore, Key, MemoryStore, Revision, Scope, Store, Txn, Value};
use tokio::runtime::Runtime;

const KEYS: usize = 10_000;
const OBJECTS: usize = 1_000_000;
const WATCHERS: [usize; 4] = [1, 100, 1_000, 10_000];

fn main() -> std::io::Result<()> {
    if let Some(path) = std::env::var_os("ORCHESTRA_BENCH_OPEN") {
        return open_here(&PathBuf::from(path));
    }
    let mut bench = Bench::from_args("store");
    let directory = Directory::new("store")?;
    memory(&mut bench);
    disk(&mut bench, &directory)?;
    #[cfg(feature = "etcd")]
    etcd(&mut bench);
    for (what, case, peer) in [
        ("disk to etcd, 1 writer", "disk/commit/1", "etcd/commit/1"),
        ("disk to etcd, 100 writers", "disk/commit/100", "etcd/commit/100"),
        ("disk to etcd, 1,000 writers", "disk/commit/1000", "etcd/commit/1000"),
        ("disk to etcd's plain puts, 100 writers", "disk/commit/100", "etcd/put/100"),
        ("disk to etcd's plain puts, 1,000 writers", "disk/commit/1000", "etcd/put/1000"),
    ] {
        bench.ratio(what, case, peer);
    }
    bench.finish()
}

fn memory(bench: &mut Bench) {
    let fresh = || Arc::new(MemoryStore::new());
    commits(bench, "memory", true, fresh);
    common(bench, "memory", &WATCHERS, fresh);
    if bench.wants("memory/bytes-per-object") {
        let before = resident();
        let runtime = runtime();
        let store = fresh();
        runtime.block_on(fill(&*store));
        bench.record("memory/bytes-per-object", "B", vec![(resident() - before) / OBJECTS as f64]);
    }
}

fn disk(bench: &mut Bench, directory: &Directory) -> std::io::Result<()> {
    let fresh = || Arc::new(DiskStore::open(directory.fresh()).expect("a store"));
    commits(bench, "disk", true, fresh);
    common(bench, "disk", &WATCHERS, fresh);
    if bench.wants("disk/open-s") || bench.wants("disk/bytes-per-object") {
        let path = directory.fresh();
        let runtime = runtime();
        runtime.block_on(async {
            let store = DiskStore::open(&path).expect("a store");
            fill(&store).await;
            store.snapshot().await.expect("a snapshot");
            store.close().await;
        });
        // A process of its own reads it: what was allocated before would blur the figures.
        let runs = if bench.is_quick() { 1 } else { 3 };
        let opened: Vec<(f64, f64)> = (0..runs).map(|_| open_elsewhere(&path)).collect::<Result<_, _>>()?;
        bench.record("disk/open-s", "s", opened.iter().map(|(seconds, _)| *seconds).collect());
        bench.record("disk/bytes-per-object", "B", opened.iter().map(|(_, bytes)| *bytes).collect());
    }
    Ok(())
}

#[cfg(feature = "etcd")]
fn etcd(bench: &mut Bench) {
    use orchestra::store::EtcdStore;

    let Ok(endpoint) = std::env::var("ORCHESTRA_ETCD") else {
        println!("NOT MEASURED: etcd (ORCHESTRA_ETCD names no endpoint)");
        return;
    };
    let runtime = runtime();
    let made = AtomicUsize::new(0);
    let fresh = || {
        let number = made.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("/bench/{}/{number}/", std::process::id());
        let open = EtcdStore::options([endpoint.as_str()]).prefix(prefix).open();
        Arc::new(runtime.block_on(open).expect("etcd"))
    };
    commits_on(&runtime, bench, "etcd/commit", true, fresh);
    commits_on(&runtime, bench, "etcd/put", false, fresh);
    // Ten thousand streams are more than a server of one process serves in the time that this takes.
    common(bench, "etcd", &WATCHERS[..3], fresh);
}

/// The cases that every store has.
fn common<S: Store>(bench: &mut Bench, name: &str, watchers: &[usize], fresh: impl Fn() -> Arc<S>) {
    let case = format!("{name}/get");
    if bench.wants(&case) {
        let store = fresh();
        let runtime = runtime();
        runtime.block_on(write_keys(&*store));
        let keys: Vec<Key> = (0..KEYS).map(key).collect();
        let mut random = Random(1);
        bench.rates(&mut [(&case, &mut || {
            runtime
                .block_on(async { std::hint::black_box(store.get(&keys[random.below(KEYS)]).await.is_ok()) });
        })]);
    }
    for watchers in watchers.iter().copied() {
        let case = format!("{name}/watch-p99-ms/{watchers}");
        if bench.wants(&case) {
            let runs = if bench.is_quick() { 1 } else { 3 };
            let samples = (0..runs).map(|_| watch_delay(fresh(), watchers, bench.is_quick())).collect();
            bench.record(&case, "ms", samples);
        }
    }
}

fn commits<S: Store>(bench: &mut Bench, name: &str, guarded: bool, fresh: impl Fn() -> Arc<S>) {
    commits_on(&runtime(), bench, &format!("{name}/commit"), guarded, fresh);
}

/// Commits per second, with their delays beside them.
fn commits_on<S: Store>(
    runtime: &Runtime,
    bench: &mut Bench,
    name: &str,
    guarded: bool,
    fresh: impl Fn() -> Arc<S>,
) {
    let (runs, length) =
        if bench.is_quick() { (3, Duration::from_millis(700)) } else { (5, Duration::from_secs(2)) };
    for writers in [1, 100, 1_000] {
        let case = format!("{name}/{writers}");
        if !bench.wants(&case) {
            continue;
        }
        let store = fresh();
        let mut revisions = runtime.block_on(write_keys(&*store));
        let (mut rates, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            let measured = measure_commits(runtime, &store, revisions, writers, length, guarded);
            revisions = measured.revisions;
            rates.push(measured.rate);
            p50.push(percentile(&measured.delays, 50.0));
            p99.push(percentile(&measured.delays, 99.0));
        }
        bench.record(&case, "1/s", rates);
        bench.record(&format!("{case}/p50-ms"), "ms", p50);
        bench.record(&format!("{case}/p99-ms"), "ms", p99);
    }
}

struct Measured {
    rate: f64,
    /// In milliseconds, sorted.
    delays: Vec<f64>,
    revisions: Vec<Revision>,
}

fn measure_commits<S: Store>(
    runtime: &Runtime,
    store: &Arc<S>,
    revisions: Vec<Revision>,
    writers: usize,
    length: Duration,
    guarded: bool,
) -> Measured {
    /// One commit in so many is timed: looking at a clock costs a tenth of a commit in memory.
    const TIMED: usize = 8;
    let stop = Arc::new(AtomicBool::new(false));
    // Each writer has keys of its own, so that its guards hold.
    let mut shares: Vec<Vec<(Key, Revision)>> = vec![Vec::new(); writers];
    for (number, revision) in revisions.into_iter().enumerate() {
        shares[number % writers].push((key(number), revision));
    }
    let start = Instant::now();
    let tasks: Vec<_> = shares
        .into_iter()
        .enumerate()
        .map(|(writer, mut keys)| {
            let (store, stop) = (store.clone(), stop.clone());
            runtime.spawn(async move {
                let mut random = Random(writer as u64 + 1);
                let (mut done, mut delays) = (0_usize, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let at = random.below(keys.len());
                    let (key, revision) = &mut keys[at];
                    let value = Value::from(&[random.next() as u8; 256]);
                    let txn = if guarded {
                        Txn::new().put_at(key.clone(), *revision, value)
                    } else {
                        Txn::new().put(key.clone(), value)
                    };
                    let begun = (done % TIMED == 0).then(Instant::now);
                    *revision = store.commit(txn).await.expect("nobody else writes this key");
                    delays.extend(begun.map(|begun| begun.elapsed().as_secs_f64() * 1e3));
                    done += 1;
                    if done % 256 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                (done, delays, keys)
            })
        })
        .collect();
    std::thread::sleep(length);
    stop.store(true, Ordering::Relaxed);
    let (mut done, mut delays, mut revisions) = (0, Vec::new(), vec![Revision(0); KEYS]);
    for (writer, task) in tasks.into_iter().enumerate() {
        let (share, mut some, keys) = runtime.block_on(task).expect("a writer");
        done += share;
        delays.append(&mut some);
        for (at, (_, revision)) in keys.into_iter().enumerate() {
            revisions[at * writers + writer] = revision;
        }
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    delays.sort_by(f64::total_cmp);
    Measured { rate, delays, revisions }
}

/// How long after a commit was begun each of so many watchers of one prefix has it.
fn watch_delay<S: Store>(store: Arc<S>, watchers: usize, quick: bool) -> f64 {
    let commits = if quick { 40 } else { 200 };
    let runtime = runtime();
    // By revision: when its commit was begun.
    let epoch = Instant::now();
    let begun: Arc<Vec<AtomicU64>> = Arc::new((0..=commits + 2).map(|_| AtomicU64::new(0)).collect());
    let seen = Arc::new(AtomicUsize::new(0));
    let before = runtime.block_on(store.commit(Txn::new().put("watched/first", "0"))).expect("a commit");
    let tasks: Vec<_> = (0..watchers)
        .map(|_| {
            let mut watch =
                runtime.block_on(store.watch(&Scope::prefix("watched/"), before)).expect("a watch");
            let (begun, seen) = (begun.clone(), seen.clone());
            runtime.spawn(async move {
                let mut delays = Vec::with_capacity(commits);
                while delays.len() < commits {
                    let Ok(Delivery::Batch(batch)) = watch.next().await else { break };
                    let now = epoch.elapsed().as_nanos() as u64;
                    let at = (batch.revision.0 - before.0) as usize;
                    let begun = begun.get(at).expect("nobody else makes revisions meanwhile");
                    delays.push((now - begun.load(Ordering::Relaxed)) as f64 / 1e6);
                    seen.fetch_add(1, Ordering::Relaxed);
                }
                delays
            })
        })
        .collect();
    let writer = runtime.spawn(async move {
        for number in 1..=commits {
            begun[number].store(epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
            store.commit(Txn::new().put("watched/one", number.to_string())).await.expect("a commit");
            // The next one when all have this one: it is the delay of one change that is measured.
            while seen.load(Ordering::Relaxed) < number * watchers {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    runtime.block_on(writer).expect("the writer");
    let mut delays: Vec<f64> =
        tasks.into_iter().flat_map(|task| runtime.block_on(task).expect("a watcher")).collect();
    delays.sort_by(f64::total_cmp);
    percentile(&delays, 99.0)
}

async fn write_keys<S: Store>(store: &S) -> Vec<Revision> {
    let mut revisions = Vec::with_capacity(KEYS);
    for some in (0..KEYS).collect::<Vec<_>>().chunks(100) {
        let txn = some.iter().fold(Txn::new(), |txn, number| txn.put(key(*number), [0; 256].as_slice()));
        let revision = store.commit(txn).await.expect("a commit");
        revisions.extend(some.iter().map(|_| revision));
    }
    revisions
}

/// A million objects of 1 KB.
async fn fill<S: Store>(store: &S) {
    let mut value = vec![0; 1024];
    let mut random = Random(9);
    for some in (0..OBJECTS).collect::<Vec<_>>().chunks(100) {
        let txn = some.iter().fold(Txn::new(), |txn, number| {
            value[..8].copy_from_slice(&random.next().to_le_bytes());
            txn.put(key(*number), value.as_slice())
        });
        store.commit(txn).await.expect("a commit");
    }
}

/// Opens a store in a process of its own: how many seconds, and bytes of memory an object, it took.
fn open_elsewhere(path: &std::path::Path) -> std::io::Result<(f64, f64)> {
    let output =
        std::process::Command::new(std::env::current_exe()?).env("ORCHESTRA_BENCH_OPEN", path).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures = text.split_whitespace().filter_map(|word| word.parse().ok());
    figures.next().zip(figures.next()).ok_or_else(|| std::io::Error::other(format!("no figures: {text}")))
}

fn open_here(path: &std::path::Path) -> std::io::Result<()> {
    let (before, start) = (resident(), Instant::now());
    let store = DiskStore::open(path).map_err(std::io::Error::other)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds} {}", (resident() - before) / OBJECTS as f64);
    drop(store);
    Ok(())
}

fn key(number: usize) -> Key {
    Key::from(format!("apps/deployments/default/web-{number:07}"))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// The bytes of memory that the process has.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<f64>().ok());
    pages.unwrap_or(f64::NAN) * 4096.0
}
