//! Servers that do not answer: what is known and what is not, and who is asked next.

use std::time::{Duration, Instant};

use orchestra_core::store::{CommitError, EtcdStore, Store, StoreError, Txn};

use crate::server::{self, Cluster, Elections, until};

const TIMEOUT: Duration = Duration::from_millis(500);

/// The same and some more: nobody waits for ever.
const LATEST: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_commit_that_is_not_answered_is_unknown() {
    if !server::is_there() {
        return;
    }
    let cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::options(cluster.endpoints()).timeout(TIMEOUT).open().await.unwrap();
    store.commit(Txn::new().put("a", "1")).await.unwrap();
    cluster.pause(0, true);
    #[allow(clippy::disallowed_methods)] // what is tested is that it takes no longer
    let begun = Instant::now();
    let lost = store.commit(Txn::new().put("a", "2")).await.unwrap_err();
    assert!(lost.is_unknown() && !lost.is_retryable(), "{lost}");
    let unread = store.get(&"a".into()).await.unwrap_err();
    assert!(matches!(unread, StoreError::Unavailable { .. }), "{unread}");
    let unwatched = store.watch(&orchestra_core::store::Scope::all(), 1.into()).await.unwrap_err();
    assert!(matches!(unwatched, StoreError::Unavailable { .. }), "{unwatched}");
    assert!(begun.elapsed() < LATEST, "it took {:?}", begun.elapsed());
    // Once the server goes on, it is done or withdrawn: either may be.
    cluster.pause(0, false);
    let found = until("it answers again", || async { store.get(&"a".into()).await.ok() }).await.unwrap();
    assert!(*found.value == *b"1" || *found.value == *b"2", "{found:?}");
}

#[tokio::test]
async fn nothing_listens() {
    let open = EtcdStore::options(["http://127.0.0.1:1", "127.0.0.1:2"]).timeout(TIMEOUT).open();
    let error = open.await.err().unwrap();
    assert!(error.is_retryable() && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_commit_that_was_never_sent_is_known_not_to_be_made() {
    if !server::is_there() {
        return;
    }
    let mut cluster = Cluster::start(1, Elections::Rare).await;
    let store = EtcdStore::options(cluster.endpoints()).timeout(TIMEOUT).open().await.unwrap();
    cluster.kill(0);
    // The first may still be sent on the connection that was there.
    let error = until("the connection is gone", || async {
        let error = store.commit(Txn::new().put("a", "1")).await.unwrap_err();
        (!error.is_unknown()).then_some(error)
    })
    .await;
    assert!(matches!(error, CommitError::Failed(StoreError::Unavailable { .. })), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn another_endpoint_serves() {
    if !server::is_there() {
        return;
    }
    let cluster = Cluster::start(1, Elections::Rare).await;
    let endpoints = ["http://127.0.0.1:1".to_owned(), cluster.endpoint(0)];
    let store = EtcdStore::options(endpoints).timeout(Duration::from_secs(5)).open().await.unwrap();
    for number in 0..20 {
        store.commit(Txn::new().put("a", number.to_string())).await.unwrap();
        assert_eq!(*store.get(&"a".into()).await.unwrap().unwrap().value, *number.to_string().as_bytes());
    }
}

#[tokio::test]
async fn the_others_serve_when_a_server_falls_silent() {
    if !server::is_there() {
        return;
    }
    let cluster = Cluster::start(3, Elections::Quick).await;
    let store = EtcdStore::options(cluster.endpoints()).timeout(Duration::from_secs(3)).open().await.unwrap();
    // The first is the one that is asked.
    store.commit(Txn::new().put("a", "0")).await.unwrap();
    cluster.pause(0, true);
    // A read goes to the next by itself; a commit's fate would be unknown.
    until("another one answers", || async { store.get(&"a".into()).await.ok() }).await;
    until("there is a leader", || async { store.commit(Txn::new().put("a", "0")).await.ok() }).await;
    for number in 0..20 {
        store.commit(Txn::new().put("a", number.to_string())).await.unwrap();
        assert_eq!(*store.get(&"a".into()).await.unwrap().unwrap().value, *number.to_string().as_bytes());
    }
    cluster.pause(0, false);
}
