//! Whoever stops waiting leaves nothing half done, and nobody else waiting.

use super::trial::{Hand, Trial, all_told, listed, number, polled, together};
use crate::store::{Page, Scope, Txn};

const KEYS: [&str; 3] = ["a", "b", "c"];

fn all_of(value: u64) -> Txn {
    KEYS.iter().fold(Txn::new(), |txn, key| txn.put(*key, value.to_string()))
}

/// Starts a hundred transactions and drops each after it was polled a few times; which were answered.
async fn dropped_commits(hand: &Hand) -> Vec<u64> {
    let mut answered = Vec::new();
    for value in 1..=100 {
        if polled(value as usize % 4, hand.commit(all_of(value))).await.is_some() {
            answered.push(value);
        }
    }
    answered
}

pub(super) async fn a_dropped_commit_is_made_wholly_or_not_at_all(t: Trial) {
    t.commit(all_of(0)).await;
    let mut watch = t.watch_now(&Scope::all()).await;
    dropped_commits(&t).await;
    let last = t.commit(all_of(101)).await;
    for batch in watch.upto(last).await {
        let entries: Vec<_> = batch.events.iter().filter_map(|event| event.entry.as_deref()).collect();
        let values: Vec<u64> = entries.iter().map(|entry| number(entry)).collect();
        assert_eq!(values, [values[0]; KEYS.len()], "a dropped transaction was made by half");
    }
}

pub(super) async fn a_dropped_commit_is_not_made_twice(t: Trial) {
    t.commit(all_of(0)).await;
    let mut watch = t.watch_now(&Scope::key("a")).await;
    let answered = dropped_commits(&t).await;
    let last = t.commit(all_of(101)).await;
    let entries = watch.upto(last).await.into_iter().filter_map(|batch| batch.events[0].entry.clone());
    let mut made: Vec<u64> = entries.map(|entry| number(&entry)).collect();
    assert!(answered.iter().all(|value| made.contains(value)), "what was answered is missing: {made:?}");
    let count = made.len();
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), count, "a dropped transaction was made twice");
}

pub(super) async fn the_store_goes_on_after_dropped_commits(t: Trial) {
    dropped_commits(&t).await;
    t.commit(all_of(101)).await;
    // What was dropped may come a little later, but not for ever: two that follow are seen.
    let txn = t.commit(Txn::new().put("d", "1")).await;
    assert_eq!(t.entry("d").await.modified, txn);
    t.commit(Txn::new().put("d", "2")).await;
    assert_eq!(t.text("d").await, "2");
}

pub(super) async fn the_store_goes_on_after_dropped_reads(t: Trial) {
    t.commit(all_of(1)).await;
    for times in 0..20 {
        polled(times % 3, t.get("a")).await;
        polled(times % 3, t.page(&Scope::all(), Page::first())).await;
        polled(times % 3, t.commit(Txn::new())).await;
    }
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=1 b=1 c=1");
}

pub(super) async fn a_dropped_wait_loses_nothing(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let mut told = Vec::new();
    for value in 1..=50 {
        told.extend(polled(value % 3, watch.told()).await);
        t.put("a", value.to_string()).await;
        told.extend(polled(value % 2, watch.told()).await);
    }
    while told.len() < 50 {
        told.push(watch.told().await);
    }
    let values: Vec<_> =
        told.iter().map(|(_, text)| text.trim_start_matches("+a=").replace("a=", "")).collect();
    assert_eq!(values, (1..=50).map(|value| value.to_string()).collect::<Vec<_>>());
}

pub(super) async fn a_dropped_watch_call_leaves_nothing(t: Trial) {
    let now = t.now().await;
    for times in 0..50 {
        drop(polled(times % 3, t.watch(&Scope::all(), now)).await);
    }
    t.put("a", "1").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), now).await), "+a=1");
}

/// Tasks that are aborted wherever they happen to be, beside others that are not.
pub(super) async fn aborted_tasks_leave_nothing_half_done(t: Trial) {
    t.commit(all_of(0)).await;
    let mut watch = t.watch_now(&Scope::all()).await;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let hand = t.hand();
            tokio::spawn(async move {
                for value in 0.. {
                    hand.commit(all_of(task * 1_000_000 + value)).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 0..20 {
        t.commit(all_of(9_000_000 + round)).await;
        if let Some(task) = tasks.get(round as usize / 2) {
            task.abort();
        }
    }
    for task in tasks {
        task.await.unwrap_err();
    }
    let last = t.commit(all_of(10_000_000)).await;
    for batch in watch.upto(last).await {
        let entries: Vec<_> = batch.events.iter().filter_map(|event| event.entry.as_deref()).collect();
        let values: Vec<u64> = entries.iter().map(|entry| number(entry)).collect();
        assert_eq!(values, [values[0]; KEYS.len()], "a transaction was made by half");
    }
}

pub(super) async fn those_who_wait_are_not_held_up_by_who_left(t: Trial) {
    let answers = together((0..16_usize).map(|at| {
        let hand = t.hand();
        async move {
            if at % 2 == 0 {
                polled(1, hand.put("a", at.to_string())).await;
                None
            } else {
                Some(hand.put(format!("b{at:02}"), "1").await)
            }
        }
    }));
    assert_eq!(answers.await.iter().flatten().count(), 8);
    assert_eq!(t.list(&Scope::prefix("b")).await.entries.len(), 8);
}
