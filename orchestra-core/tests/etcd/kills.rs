//! Many clients while members are killed: whatever is lost, it must be so that one store can have answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orchestra_core::store::conformance::linear::{Answer, Random, Workload, drive};
use orchestra_core::store::{
    CommitError, Entry, EtcdStore, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId,
    Txn, Watch,
};

use crate::server::{self, Cluster, Elections, until};

/// Counts what is asked, so that a member can be killed amid it.
struct Counting {
    store: EtcdStore,
    asked: AtomicUsize,
    answered: AtomicUsize,
}

impl Counting {
    async fn count<T>(&self, request: impl Future<Output = T>) -> T {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = request.await;
        self.answered.fetch_add(1, Ordering::SeqCst);
        answer
    }

    fn under_way(&self) -> usize {
        let answered = self.answered.load(Ordering::SeqCst);
        self.asked.load(Ordering::SeqCst).saturating_sub(answered)
    }
}

#[async_trait]
impl Store for Counting {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.count(self.store.get(key)).await
    }
    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.count(self.store.list(scope, page)).await
    }
    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.count(self.store.commit(txn)).await
    }
    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.store.watch(scope, after).await
    }
    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.store.identity().await
    }
    fn limits(&self) -> Limits {
        self.store.limits()
    }
}

/// Has eight clients use a cluster whose leader is killed again and again; how often it was.
async fn is_linearizable_while_killed(size: usize, seed: u64) -> usize {
    let mut cluster = Cluster::start(size, Elections::Quick).await;
    let open = EtcdStore::options(cluster.endpoints()).timeout(Duration::from_secs(2)).open();
    let store = Arc::new(Counting {
        store: open.await.unwrap(),
        asked: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
    });
    let workload = Workload { seed, clients: 8, calls: 300, keys: 8, ..Workload::default() };
    let (driven, driving) = (store.clone(), workload.clone());
    let driving = tokio::spawn(async move { drive(driven, &driving).await });
    let mut random = Random::new(seed, 99);
    let (mut kills, mut amid) = (0, 0);
    // Each wait is for answers, so that the members are killed amid requests however fast the machine is.
    let more = async |count: usize| {
        let due = store.answered.load(Ordering::SeqCst) + count;
        until("there are more answers", || async {
            (store.answered.load(Ordering::SeqCst) >= due || driving.is_finished()).then_some(())
        })
        .await;
    };
    loop {
        more(50 + random.below(200)).await;
        if driving.is_finished() {
            break;
        }
        let leader = cluster.leader().await;
        amid += usize::from(store.under_way() > 0);
        cluster.kill(leader);
        kills += 1;
        if size > 1 {
            more(random.below(100)).await; // by those who are left
        }
        cluster.start_member(leader);
        cluster.answers(leader).await;
    }
    let history = driving.await.unwrap();
    let count = |answer: &Answer| history.calls.iter().filter(|call| call.answer == *answer).count();
    let (unknown, failed, calls) = (count(&Answer::Unknown), count(&Answer::Failed), history.calls.len());
    println!("{size} members, seed {seed}: {kills} kills, {calls} calls, {unknown} unknown, {failed} failed");
    history.check().unwrap_or_else(|refuted| panic!("{size} members, seed {seed}: {refuted}"));
    assert!(history.told.is_some(), "the watch did not come to the end");
    assert!(amid > 0 && unknown + failed > 0, "nobody was asking when a member was killed");
    assert!(unknown + failed < calls / 2, "hardly anything was answered");
    kills
}

fn seeds() -> u64 {
    std::env::var("ORCHESTRA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_linearizable_while_the_leader_is_killed() {
    if server::is_there() {
        for seed in 0..seeds() {
            assert!(is_linearizable_while_killed(3, seed).await >= 3, "the leader was hardly killed");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_linearizable_while_the_only_member_is_killed() {
    if server::is_there() {
        for seed in 0..seeds() {
            assert!(is_linearizable_while_killed(1, seed).await >= 3, "the member was hardly killed");
        }
    }
}
