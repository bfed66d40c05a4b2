//! A watch resumes after any revision, without a gap and without telling anything twice.

use super::trial::{Trial, all_told, revisions};
use crate::store::{Delivery, Revision, Scope, Txn};

/// Ten revisions of a few keys.
async fn ten(t: &Trial) -> Vec<Revision> {
    let mut made = Vec::new();
    for at in 0..10 {
        made.push(t.put(format!("k{}", at % 3), at.to_string()).await);
    }
    made
}

pub(super) async fn a_watch_resumes_after_every_revision(t: Trial) {
    let made = ten(&t).await;
    for (at, after) in made.iter().enumerate() {
        assert_eq!(revisions(&t.happened(&Scope::all(), *after).await), made[at + 1..], "after {after}");
    }
}

pub(super) async fn a_watch_resumes_after_what_happened_elsewhere(t: Trial) {
    t.put("a/1", "1").await;
    let elsewhere = t.put("b/1", "1").await;
    t.put("a/2", "2").await;
    assert_eq!(all_told(&t.happened(&Scope::prefix("a/"), elsewhere).await), "+a/2=2");
}

pub(super) async fn a_watch_resumes_after_a_whole_batch(t: Trial) {
    let batch = t.commit(Txn::new().put("a", "1").put("b", "1").put("c", "1")).await;
    t.put("d", "1").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), batch).await), "+d=1");
}

pub(super) async fn a_watch_resumes_after_progress(t: Trial) {
    let made = ten(&t).await;
    let mut watch = t.watch(&Scope::key("k0"), made[4]).await;
    watch.ask();
    let (before, progress) = watch.before_progress().await;
    drop(watch);
    let last = t.put("k0", "last").await;
    let after = t.watch(&Scope::key("k0"), progress).await.upto(last).await;
    // Of the ten, `k0` is written by the first and by each third after it.
    let all = [made[6], made[9], last];
    assert_eq!(revisions(&[before, after].concat()), all);
}

pub(super) async fn a_watch_resumes_after_an_empty_txn(t: Trial) {
    ten(&t).await;
    let now = t.commit(Txn::new()).await;
    t.put("k0", "last").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), now).await), "k0=last");
}

pub(super) async fn a_watch_resumes_after_a_deletion(t: Trial) {
    t.put("a", "1").await;
    let deleted = t.delete("a").await;
    t.put("a", "2").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), deleted).await), "+a=2");
}

pub(super) async fn a_resumed_watch_shows_what_stood_there_before(t: Trial) {
    let first = t.put("a", "1").await;
    let before = t.get("a").await;
    t.put("a", "2").await;
    t.delete("a").await;
    let batches = t.happened(&Scope::all(), first).await;
    assert_eq!(batches[0].events[0].previous, before, "the update's");
    assert_eq!(batches[1].events[0].previous, batches[0].events[0].entry, "the deletion's");
}

pub(super) async fn a_resumed_watch_goes_on_with_what_happens(t: Trial) {
    let made = ten(&t).await;
    let mut watch = t.watch(&Scope::all(), made[7]).await;
    assert_eq!(watch.batch().await.revision, made[8]);
    let now = t.put("k0", "now").await;
    assert_eq!(watch.batch().await.revision, made[9]);
    assert_eq!(watch.batch().await.revision, now);
}

/// Drops the watch after every few batches and resumes, beside a writer.
pub(super) async fn resuming_again_and_again_tells_all_once(t: Trial) {
    let mut after = t.now().await;
    let writer = t.hand();
    let writing = tokio::spawn(async move {
        let mut made = Vec::new();
        for at in 0..100 {
            made.push(writer.put(format!("k{}", at % 3), at.to_string()).await);
        }
        made
    });
    let mut seen = Vec::new();
    for round in 0.. {
        let mut watch = t.watch(&Scope::all(), after).await;
        for _ in 0..=round % 4 {
            if seen.len() < 100 {
                seen.push(watch.batch().await.revision);
            }
        }
        watch.ask();
        match watch.next().await {
            Delivery::Batch(batch) => {
                seen.push(batch.revision);
                after = batch.revision;
            }
            Delivery::Progress(revision) => after = revision,
        }
        if seen.len() >= 100 {
            break;
        }
    }
    assert_eq!(seen, writing.await.unwrap());
}

pub(super) async fn two_watches_resume_from_different_places(t: Trial) {
    let made = ten(&t).await;
    let (mut early, mut late) =
        (t.watch(&Scope::all(), made[1]).await, t.watch(&Scope::all(), made[6]).await);
    assert_eq!(late.batch().await.revision, made[7]);
    assert_eq!(early.batch().await.revision, made[2]);
    assert_eq!(revisions(&late.upto(made[9]).await), made[8..]);
    assert_eq!(revisions(&early.upto(made[9]).await), made[3..]);
}
