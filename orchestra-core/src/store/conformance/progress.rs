//! Progress is told when it is asked for, and says the truth.

use super::trial::{Trial, all_told, polled, revisions};
use crate::store::{Delivery, Scope, Txn};

pub(super) async fn an_idle_watch_is_told_how_far_it_is(t: Trial) {
    let now = t.put("a", "1").await;
    let mut watch = t.watch(&Scope::prefix("b"), now).await;
    watch.ask();
    let (batches, progress) = watch.before_progress().await;
    assert!(batches.is_empty() && progress >= now, "{progress}");
}

pub(super) async fn progress_reaches_what_happens_elsewhere(t: Trial) {
    let mut watch = t.watch_now(&Scope::prefix("b")).await;
    let elsewhere = (t.put("a", "1").await, t.put("a", "2").await).1;
    watch.nothing_upto(elsewhere).await;
}

pub(super) async fn progress_comes_after_what_happened_before(t: Trial) {
    let before = t.now().await;
    let mut made = Vec::new();
    for value in 1..=20 {
        made.push(t.put("a", value.to_string()).await);
    }
    let mut watch = t.watch(&Scope::all(), before).await;
    watch.ask();
    let (batches, progress) = watch.before_progress().await;
    made.retain(|revision| *revision <= progress);
    assert_eq!(revisions(&batches), made, "progress at {progress} came too early");
}

pub(super) async fn progress_comes_after_a_whole_txn(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let txn = t.commit(Txn::new().put("a", "1").put("b", "1").put("c", "1")).await;
    assert_eq!(all_told(&watch.upto(txn).await), "+a=1 +b=1 +c=1");
}

pub(super) async fn asking_twice_is_asking_once(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    watch.ask();
    watch.ask();
    watch.before_progress().await;
    t.put("a", "1").await;
    assert_eq!(watch.told().await.1, "+a=1");
}

pub(super) async fn progress_can_be_asked_for_again(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let mut last = t.now().await;
    for value in 1..=5 {
        watch.nothing_upto(last).await;
        last = t.put("a", value.to_string()).await;
        assert_eq!(watch.batch().await.revision, last);
    }
    watch.nothing_upto(last).await;
}

pub(super) async fn progress_can_be_asked_for_while_one_waits(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    assert!(polled(3, watch.next()).await.is_none(), "nothing happened yet");
    watch.ask();
    assert!(matches!(watch.next().await, Delivery::Progress(_)));
}

pub(super) async fn a_watch_goes_on_after_progress(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    watch.ask();
    watch.before_progress().await;
    for value in ["1", "2", "3"] {
        let revision = t.put("a", value).await;
        assert_eq!(watch.batch().await.revision, revision);
    }
}

pub(super) async fn an_empty_scope_makes_progress(t: Trial) {
    let mut watch = t.watch_now(&Scope::nothing()).await;
    let revision = t.put("a", "1").await;
    watch.nothing_upto(revision).await;
}

/// Asks all the time beside a writer: what comes after progress is later than it.
pub(super) async fn progress_is_honest_beside_a_writer(t: Trial) {
    const LAST: u64 = 200;
    let mut watch = t.watch_now(&Scope::key("a")).await;
    let writer = t.hand();
    let writing = tokio::spawn(async move {
        for value in 1..=LAST {
            writer.commit(Txn::new().put("a", value.to_string())).await;
            writer.put("elsewhere", value.to_string()).await;
        }
    });
    // That no batch is older than the progress before it, every watch here looks for.
    for _ in 0..LAST {
        loop {
            watch.ask();
            if matches!(watch.next().await, Delivery::Batch(_)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    writing.await.unwrap();
}

pub(super) async fn one_watchs_progress_is_not_anothers(t: Trial) {
    let before = t.now().await;
    let last = (t.put("a", "1").await, t.put("b", "2").await).1;
    let (mut asking, mut silent) =
        (t.watch(&Scope::all(), before).await, t.watch(&Scope::all(), before).await);
    assert_eq!(all_told(&asking.upto(last).await), "+a=1 | +b=2");
    assert_eq!([silent.told().await.1, silent.told().await.1], ["+a=1", "+b=2"]);
    t.put("c", "3").await;
    assert_eq!(silent.told().await.1, "+c=3");
}
