//! The suite on one member and on three, and what the suite does not ask of every store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orchestra_core::store::conformance::{Harness, store_conformance};
use orchestra_core::store::etcd::EtcdOptions;
use orchestra_core::store::{
    CommitError, Delivery, EtcdStore, Expect, Limits, MemoryStore, Page, Revision, Scope, Store, StoreError,
    Txn,
};

use crate::server::{self, Cluster, Elections, Lease, Pool};

/// A store on a cluster that nobody else uses meanwhile, under a prefix of its own.
struct OnEtcd {
    store: Option<EtcdStore>,
    cluster: Lease,
    prefix: String,
    restarts: usize,
}

impl OnEtcd {
    async fn on(pool: &'static Pool) -> Box<dyn Harness> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        if !server::is_there() {
            return Box::new(Skipped(MemoryStore::new()));
        }
        let prefix = format!("/case-{}/", MADE.fetch_add(1, Ordering::Relaxed));
        let mut harness = Self { store: None, cluster: pool.take().await, prefix, restarts: 0 };
        harness.open().await;
        Box::new(harness)
    }

    async fn open(&mut self) {
        let options = EtcdStore::options(self.cluster.endpoints()).prefix(&self.prefix);
        self.store = Some(options.timeout(Duration::from_secs(20)).open().await.unwrap());
    }
}

#[async_trait]
impl Harness for OnEtcd {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone().unwrap())
    }

    fn is_alone(&self) -> bool {
        // Watches write markers.
        false
    }

    async fn forget(&self, before: Revision) {
        self.store.as_ref().unwrap().compact(before).await.unwrap();
    }

    /// Members are killed and started again, in turn.
    async fn reopen(&mut self) {
        self.store = None;
        let number = self.restarts % self.cluster.size();
        self.restarts += 1;
        self.cluster.kill(number);
        self.cluster.start_member(number);
        self.cluster.ready().await;
        self.open().await;
    }
}

/// Where there is no etcd: a store that passes. That the tests are skipped was said.
struct Skipped(MemoryStore);

#[async_trait]
impl Harness for Skipped {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
    async fn forget(&self, before: Revision) {
        self.0.compact(before);
    }
    async fn reopen(&mut self) {}
}

/// Either of them.
struct Either(Box<dyn Harness>);

#[async_trait]
impl Harness for Either {
    fn store(&self) -> Arc<dyn Store> {
        self.0.store()
    }
    fn is_alone(&self) -> bool {
        self.0.is_alone()
    }
    async fn forget(&self, before: Revision) {
        self.0.forget(before).await;
    }
    async fn reopen(&mut self) {
        self.0.reopen().await;
    }
}

mod one_member {
    use super::*;
    static POOL: Pool = Pool::new(1);
    store_conformance!(async { Either(OnEtcd::on(&POOL).await) });
}

mod three_members {
    use super::*;
    static POOL: Pool = Pool::new(3);
    store_conformance!(async { Either(OnEtcd::on(&POOL).await) });
}

/// A member with etcd's own limits, and a store with a prefix.
async fn store(prefix: impl AsRef<[u8]>) -> (Cluster, EtcdStore) {
    let cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::options(cluster.endpoints()).prefix(prefix).open().await.unwrap();
    (cluster, store)
}

#[tokio::test]
async fn the_largest_transaction_fits_into_what_etcd_takes() {
    if !server::is_there() {
        return;
    }
    let (_cluster, store) = store(vec![b'p'; EtcdOptions::LONGEST_PREFIX]).await;
    let Limits { operations, bytes, key_bytes, .. } = store.limits();
    // All of each: guards with the longest keys, as many writes, and values as long as there is room.
    let key = |number: usize| format!("{number:0key_bytes$}");
    let guards = (0..operations).fold(Txn::new(), |txn, number| txn.guard(key(number), Expect::Absent));
    let short = |number: usize| format!("short-{number:04}");
    let mut room = bytes - guards.bytes() - operations * short(0).len();
    let largest = (0..operations).fold(guards, |txn, number| {
        let share = room / (operations - number);
        room -= share;
        txn.put(short(number), vec![b'v'; share])
    });
    assert_eq!(largest.bytes(), bytes);
    let made = store.commit(largest.clone()).await.unwrap();
    assert_eq!(store.list(&Scope::all(), Page::first()).await.unwrap().entries.len(), operations);
    // With so long keys, what was found is asked for apart.
    let last = key(operations - 1);
    let put = store.commit(Txn::new().put(last.as_str(), "1")).await.unwrap();
    assert!(put > made);
    match store.commit(largest).await {
        Err(CommitError::Conflict { key, expected: Expect::Absent, found: Some(found) }) => {
            assert_eq!((key, found), (last.as_str().into(), put));
        }
        other => panic!("it should be a conflict: {other:?}"),
    }
}

#[tokio::test]
async fn the_stores_own_keys_are_nobody_elses() {
    if !server::is_there() {
        return;
    }
    let (_cluster, store) = store("/own/").await;
    let mut watch = store.watch(&Scope::all(), Revision(0)).await.unwrap();
    for key in ["\0orchestra-identity", "\0orchestra-progress", "pods/\0orchestra-progress"] {
        for txn in [
            Txn::new().put(key, "1"),
            Txn::new().put("a", "1").delete(key),
            Txn::new().guard(key, Expect::Absent).put("a", "1"),
        ] {
            let refused = store.commit(txn).await;
            assert!(matches!(refused, Err(CommitError::Invalid { .. })), "{refused:?}");
        }
        assert_eq!(store.get(&key.into()).await.unwrap(), None);
    }
    watch.request_progress();
    watch.next().await.unwrap();
    let listing = store.list(&Scope::all(), Page::first()).await.unwrap();
    assert!(listing.entries.is_empty(), "{listing:?}");
}

#[tokio::test]
async fn stores_with_other_prefixes_do_not_see_each_other() {
    if !server::is_there() {
        return;
    }
    let (cluster, one) = store("/one/").await;
    let other = EtcdStore::options(cluster.endpoints()).prefix("/other/").open().await.unwrap();
    let again = EtcdStore::options(cluster.endpoints()).prefix("/one/").open().await.unwrap();
    let now = one.commit(Txn::new().put("a", "1")).await.unwrap();
    assert_eq!(other.get(&"a".into()).await.unwrap(), None);
    assert!(other.list(&Scope::all(), Page::first()).await.unwrap().entries.is_empty());
    assert_eq!(again.get(&"a".into()).await.unwrap().unwrap().modified, now);
    let [one, other, again] =
        [one.identity().await.unwrap(), other.identity().await.unwrap(), again.identity().await.unwrap()];
    assert!(one == again && one != other, "{one} {other} {again}");
}

/// With an empty prefix, and one after which no key comes.
#[tokio::test]
async fn any_prefix_will_do() {
    if !server::is_there() {
        return;
    }
    for prefix in [&b""[..], b"\xff\xff", b"\0"] {
        let (_cluster, store) = store(prefix).await;
        let now = store.list(&Scope::all(), Page::first()).await.unwrap().revision;
        let mut watch = store.watch(&Scope::all(), now).await.unwrap();
        store.commit(Txn::new().put(b"\0", "1").put("a", "1").put(b"\xff\xff", "1")).await.unwrap();
        let listing = store.list(&Scope::prefix(""), Page::first()).await.unwrap();
        let keys: Vec<_> = listing.entries.iter().map(|entry| entry.key.to_vec()).collect();
        // Another prefix was used to see whether the server answers.
        let keys: Vec<_> = keys.into_iter().filter(|key| !key.starts_with(b"ready/")).collect();
        assert_eq!(keys, [&b"\0"[..], b"a", b"\xff\xff"]);
        let Delivery::Batch(batch) = watch.next().await.unwrap() else { panic!("nobody asked for progress") };
        assert_eq!(batch.events.len(), 3, "{batch:?}");
        watch.request_progress();
        assert!(matches!(watch.next().await, Ok(Delivery::Progress(at)) if at > batch.revision));
    }
}

/// etcd says of the commit that fills its database what it says of those after it.
#[tokio::test]
async fn a_full_etcd_is_read_only() {
    if !server::is_there() {
        return;
    }
    let mut cluster = Cluster::prepare(1, Elections::Rare, "http", &["--quota-backend-bytes=4000000"]);
    cluster.start_all();
    cluster.ready().await;
    let store = EtcdStore::connect(cluster.endpoints()).await.unwrap();
    let mut number = 0;
    let first = loop {
        match store.commit(Txn::new().put(format!("{}", number % 3), vec![b'v'; 200_000])).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
        assert!(number < 100, "it is never full");
    };
    assert!(first.is_unknown() && first.to_string().contains("full"), "{first}");
    let read_only = server::until("etcd has raised the alarm", || async {
        let answer = store.commit(Txn::new().put("more", vec![b'v'; 200_000])).await;
        answer.err().filter(|error| !error.is_unknown())
    })
    .await;
    assert!(matches!(read_only, CommitError::Failed(StoreError::ReadOnly { .. })), "{read_only}");
    // What is there can be read, and deleted.
    assert!(store.get(&"1".into()).await.unwrap().is_some());
    let now = store.commit(Txn::new().delete("1")).await.unwrap();
    // What its message says helps.
    store.compact(now).await.unwrap();
    let mut client = etcd_client::Client::connect(cluster.endpoints(), None).await.unwrap();
    client.defragment().await.unwrap();
    let alarm = etcd_client::AlarmType::Nospace;
    let alarms = client.alarm(etcd_client::AlarmAction::Get, alarm, None).await.unwrap();
    let mut options = etcd_client::AlarmOptions::new();
    options.with_member(alarms.alarms()[0].member_id());
    client.alarm(etcd_client::AlarmAction::Deactivate, alarm, Some(options)).await.unwrap();
    store.commit(Txn::new().put("more", "1")).await.unwrap();
}
