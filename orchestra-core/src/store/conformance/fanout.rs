//! Many watches at once: each is told its own, all of it, whatever the others do.

use super::trial::{Trial, all_told, revisions, together};
use crate::store::{KeyRange, Scope, Txn};

pub(super) async fn a_hundred_watches_of_one_scope_are_told_the_same(t: Trial) {
    let mut watches = Vec::new();
    for _ in 0..100 {
        watches.push(t.watch_now(&Scope::prefix("a/")).await);
    }
    let mut made = Vec::new();
    for at in 0..10 {
        made.push(t.put(format!("a/{at}"), "1").await);
    }
    for mut watch in watches {
        assert_eq!(revisions(&watch.upto(made[9]).await), made);
    }
}

pub(super) async fn watches_of_different_scopes_are_told_their_own(t: Trial) {
    let mut watches = Vec::new();
    for at in 0..20 {
        watches.push(t.watch_now(&Scope::prefix(format!("k{at:02}/"))).await);
    }
    for at in 0..20 {
        t.put(format!("k{at:02}/x"), "1").await;
    }
    let last = t.now().await;
    for (at, mut watch) in watches.into_iter().enumerate() {
        assert_eq!(all_told(&watch.upto(last).await), format!("+k{at:02}/x=1"));
    }
}

pub(super) async fn scopes_within_scopes_are_each_told_all_of_theirs(t: Trial) {
    let scopes = ["", "a", "a/", "a/b", "a/b/c"];
    let mut watches = Vec::new();
    for scope in scopes {
        watches.push(t.watch_now(&Scope::prefix(scope)).await);
    }
    let keys = ["a", "a/", "a/b", "a/b/c", "b"];
    for key in keys {
        t.put(key, "1").await;
    }
    let last = t.now().await;
    for (prefix, mut watch) in scopes.into_iter().zip(watches) {
        let due: Vec<_> =
            keys.iter().filter(|key| key.starts_with(prefix)).map(|key| format!("+{key}=1")).collect();
        assert_eq!(all_told(&watch.upto(last).await), due.join(" | "), "{prefix:?}");
    }
}

pub(super) async fn scopes_that_overlap_are_each_told_all_of_theirs(t: Trial) {
    let mut left = t.watch_now(&Scope::from(KeyRange::new("a", "d"))).await;
    let mut right = t.watch_now(&Scope::from(KeyRange::new("c", "f"))).await;
    let last =
        t.commit(["a", "b", "c", "d", "e"].iter().fold(Txn::new(), |txn, key| txn.put(*key, "1"))).await;
    assert_eq!(all_told(&left.upto(last).await), "+a=1 +b=1 +c=1");
    assert_eq!(all_told(&right.upto(last).await), "+c=1 +d=1 +e=1");
}

pub(super) async fn a_txn_is_told_to_everybody_it_concerns(t: Trial) {
    let keys: Vec<String> = (0..20).map(|at| format!("k{at:02}")).collect();
    let mut watches = Vec::new();
    for key in &keys {
        watches.push(t.watch_now(&Scope::key(key)).await);
    }
    let txn = t.commit(keys.iter().fold(Txn::new(), |txn, key| txn.put(key.as_str(), "1"))).await;
    for (key, mut watch) in keys.iter().zip(watches) {
        assert_eq!(watch.told().await, (txn, format!("+{key}=1")));
    }
}

pub(super) async fn a_watch_that_nobody_reads_hinders_nobody(t: Trial) {
    let mut stalled = t.watch_now(&Scope::all()).await;
    let mut running = t.watch_now(&Scope::all()).await;
    let mut made = Vec::new();
    for at in 0..200 {
        made.push(t.put("a", at.to_string()).await);
        assert_eq!(running.batch().await.revision, made[at]);
    }
    // It is told all or that it is not; the suite writes less than any store's history should hold.
    assert_eq!(revisions(&stalled.upto(made[199]).await), made);
}

pub(super) async fn a_dropped_watch_hinders_nobody(t: Trial) {
    let mut kept = t.watch_now(&Scope::all()).await;
    let mut dropped = t.watch_now(&Scope::all()).await;
    t.put("a", "1").await;
    dropped.batch().await;
    drop(dropped);
    let last = t.put("a", "2").await;
    assert_eq!(all_told(&kept.upto(last).await), "+a=1 | a=2");
}

pub(super) async fn watches_come_and_go_beside_a_writer(t: Trial) {
    let writer = t.hand();
    let writing = tokio::spawn(async move {
        for at in 0..200 {
            writer.put("a", at.to_string()).await;
        }
    });
    let watchers = (0..4).map(|_| {
        let hand = t.hand();
        async move {
            for _ in 0..20 {
                let now = hand.now().await;
                let mut watch = hand.watch(&Scope::key("a"), now).await;
                let later = hand.now().await;
                let told = revisions(&watch.upto(later).await);
                let due = revisions(&hand.happened(&Scope::key("a"), now).await);
                assert_eq!(told, due[..told.len()], "two watches after {now} were told different things");
                let missing = due.get(told.len()).filter(|revision| **revision <= later);
                assert_eq!(missing, None, "it was not told to the first one up to {later}");
            }
        }
    });
    together(watchers).await;
    writing.await.unwrap();
}
