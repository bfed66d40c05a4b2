//! Watches of servers that go, and of watchers who do not keep up.

use std::time::Duration;

use orchestra_core::store::{
    CommitError, Delivery, EtcdStore, Revision, Scope, Store, StoreError, Txn, Watch,
};

use crate::server::{self, Cluster, Elections, until};

/// Writes a key once, whatever becomes of the members meanwhile.
async fn write(store: &EtcdStore, key: &str) {
    until(&format!("{key} is written"), || async {
        match store.commit(Txn::new().put_new(key, "1")).await {
            // An earlier attempt whose answer was lost.
            Ok(_) | Err(CommitError::Conflict { .. }) => Some(()),
            Err(error) if error.is_unknown() || error.is_retryable() => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
}

/// The keys that a watch tells of, until a certain one; and where it came.
async fn told(watch: &mut Watch, until: &str) -> Result<(Vec<String>, Revision), StoreError> {
    let mut keys = Vec::new();
    loop {
        if let Delivery::Batch(batch) = watch.next().await? {
            keys.extend(batch.events.iter().map(|event| event.key.to_string()));
            if keys.last().is_some_and(|key| key == until) {
                return Ok((keys, batch.revision));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_is_resumed_at_another_member() {
    if !server::is_there() {
        return;
    }
    let mut cluster = Cluster::start(3, Elections::Quick).await;
    let store = EtcdStore::options(cluster.endpoints()).timeout(Duration::from_secs(3)).open().await.unwrap();
    let start = store.commit(Txn::new().put("first", "1")).await.unwrap();
    let mut watch = store.watch(&Scope::prefix("k"), start).await.unwrap();
    let mut seen = Vec::new();
    for round in 0..3 {
        for number in 0..5 {
            write(&store, &format!("k{round}-{number}-up")).await;
        }
        let (keys, last) = told(&mut watch, &format!("k{round}-4-up")).await.unwrap();
        seen.extend(keys);
        // Who serves the watch is not known: all are killed in turn until it ends.
        let (killed, ended) = 'ended: loop {
            for number in 0..3 {
                cluster.kill(number);
                let soon = tokio::time::timeout(Duration::from_millis(300), watch.next()).await;
                match soon {
                    Ok(Err(error)) => {
                        break 'ended (number, error);
                    }
                    Ok(Ok(delivery)) => panic!("nothing was written: {delivery:?}"),
                    Err(_) => {
                        cluster.start_member(number);
                        cluster.answers(number).await;
                    }
                }
            }
        };
        assert!(matches!(ended, StoreError::Unavailable { .. }) && ended.is_retryable(), "{ended}");
        // It stays ended.
        assert_eq!(watch.next().await, Err(ended));
        for number in 0..5 {
            write(&store, &format!("k{round}-{number}-down")).await;
        }
        watch = until("the watch is resumed", || async { store.watch(&Scope::prefix("k"), last).await.ok() })
            .await;
        let (keys, _) = told(&mut watch, &format!("k{round}-4-down")).await.unwrap();
        seen.extend(keys);
        cluster.start_member(killed);
        cluster.answers(killed).await;
    }
    let due = (0..3).flat_map(|round| {
        let of = move |when: &'static str| (0..5).map(move |number| format!("k{round}-{number}-{when}"));
        of("up").chain(of("down"))
    });
    assert_eq!(seen, due.collect::<Vec<_>>());
}

/// What they leave unread must not hold up who reads and writes; and they miss nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_watchers_hold_up_nobody_and_miss_nothing() {
    if !server::is_there() {
        return;
    }
    const WRITES: usize = 400;
    let cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::connect(cluster.endpoints()).await.unwrap();
    let start = store.commit(Txn::new().put("first", "1")).await.unwrap();
    let mut stalled = Vec::new();
    for _ in 0..6 {
        stalled.push(store.watch(&Scope::prefix("k"), start).await.unwrap());
    }
    // 24 MiB for each of them, far more than connections buffer.
    for number in 0..WRITES {
        store.commit(Txn::new().put("k", vec![number as u8; 60_000])).await.unwrap();
        assert!(store.get(&"k".into()).await.unwrap().is_some());
    }
    let last = store.commit(Txn::new().put("k~last", "1")).await.unwrap();
    for mut watch in stalled {
        let (keys, at) = told(&mut watch, "k~last").await.unwrap();
        assert_eq!((keys.len(), at), (WRITES + 1, last));
    }
}

/// What a stalled watcher would have to be told is compacted: it is told so, after what it was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lags_behind_a_compaction_is_told_so() {
    if !server::is_there() {
        return;
    }
    let cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::connect(cluster.endpoints()).await.unwrap();
    let start = store.commit(Txn::new().put("first", "1")).await.unwrap();
    let mut watch = store.watch(&Scope::prefix("k"), start).await.unwrap();
    let mut made = Vec::new();
    for number in 0..500 {
        made.push(store.commit(Txn::new().put("k", number.to_string())).await.unwrap());
    }
    store.compact(made[499]).await.unwrap();
    let mut seen = Vec::new();
    let ended = loop {
        match watch.next().await {
            Ok(Delivery::Batch(batch)) => seen.push(batch.revision),
            Ok(Delivery::Progress(revision)) => panic!("nobody asked: {revision}"),
            Err(error) => break Some(error),
        }
        if seen.len() == made.len() {
            break None;
        }
    };
    assert_eq!(seen, made[..seen.len()], "something was skipped in silence");
    if let Some(ended) = ended {
        assert!(matches!(ended, StoreError::Compacted { oldest, .. } if oldest == made[499]), "{ended}");
    }
}

/// etcd 3.4 forgets a deletion at the very revision of a compaction, and tells a watch after the one before
/// nothing of it. It must be told that it is too late.
#[tokio::test]
async fn a_deletion_at_the_revision_of_a_compaction_is_not_skipped_in_silence() {
    if !server::is_there() {
        return;
    }
    let cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::connect(cluster.endpoints()).await.unwrap();
    let before = store.commit(Txn::new().put("k", "1")).await.unwrap();
    let deleted = store.commit(Txn::new().delete("k")).await.unwrap();
    store.commit(Txn::new().put("other", "1")).await.unwrap();
    store.compact(deleted).await.unwrap();
    match store.watch(&Scope::all(), before).await {
        Err(error) => assert!(matches!(error, StoreError::Compacted { .. }), "{error}"),
        Ok(mut watch) => match watch.next().await {
            Ok(Delivery::Batch(batch)) => assert_eq!(batch.revision, deleted, "the deletion was skipped"),
            other => assert!(matches!(other, Err(StoreError::Compacted { .. })), "{other:?}"),
        },
    }
}

/// Nor does the revision go back, where it is the last of all.
#[tokio::test]
async fn a_compaction_at_the_last_deletion_is_survived() {
    if !server::is_there() {
        return;
    }
    let mut cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::connect(cluster.endpoints()).await.unwrap();
    store.commit(Txn::new().put("k", "1")).await.unwrap();
    let deleted = store.commit(Txn::new().delete("k")).await.unwrap();
    store.compact(deleted).await.unwrap();
    cluster.kill(0);
    cluster.start_member(0);
    cluster.answers(0).await;
    let next = until("it is written", || async { store.commit(Txn::new().put("k", "2")).await.ok() }).await;
    assert!(next > deleted, "revision {next} was given after {deleted}");
    assert!(store.get(&"k".into()).await.unwrap().unwrap().created > deleted);
}
