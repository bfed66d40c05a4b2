//! What makes no sense or is too large is refused, says why, and leaves nothing.

use super::trial::{Trial, listed};
use crate::store::{CommitError, Expect, Limits, Scope, Txn};

/// What a transaction that was too large had too much of.
async fn too_large(t: &Trial, txn: Txn) -> (usize, usize) {
    let error = t.refused(txn).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "", "{error}, but something was written");
    match error {
        CommitError::TooLarge { size, limit, .. } => (size, limit),
        error => panic!("it should be too large: {error}"),
    }
}

async fn makes_no_sense(t: &Trial, txn: Txn) {
    let error = t.refused(txn).await;
    assert!(matches!(error, CommitError::Invalid { .. }), "it should make no sense: {error}");
    assert_eq!(listed(&t.list(&Scope::all()).await), "", "{error}, but something was written");
}

fn writes(count: usize) -> Txn {
    (0..count).fold(Txn::new(), |txn, at| txn.put(format!("{at:x}"), "1"))
}

fn guards(count: usize) -> Txn {
    (0..count).fold(Txn::new(), |txn, at| txn.guard(format!("{at:x}"), Expect::Absent))
}

pub(super) async fn limits_leave_room_for_a_txn(t: Trial) {
    let Limits { operations, bytes, key_bytes } = t.limits();
    assert!(operations >= 8 && key_bytes >= 64 && bytes >= 2 * key_bytes, "{:?}", t.limits());
    t.put("a", "1").await;
    assert_eq!(t.hand().limits(), Limits { operations, bytes, key_bytes }, "they changed");
}

pub(super) async fn too_many_writes_are_refused(t: Trial) {
    let limit = t.limits().operations;
    assert_eq!(too_large(&t, writes(limit + 1)).await, (limit + 1, limit));
}

pub(super) async fn too_many_guards_are_refused(t: Trial) {
    let limit = t.limits().operations;
    assert_eq!(too_large(&t, guards(limit + 1).put("a", "1")).await, (limit + 1, limit));
}

pub(super) async fn guards_and_writes_are_counted_apart(t: Trial) {
    let limit = t.limits().operations;
    let txn = (0..limit).fold(guards(limit), |txn, at| txn.put(format!("{at:x}"), "1"));
    t.commit(txn).await;
    assert_eq!(t.list(&Scope::all()).await.entries.len(), limit);
}

pub(super) async fn the_last_of_many_guards_counts(t: Trial) {
    let limit = t.limits().operations;
    let there = t.put("there", "1").await;
    let txn = guards(limit - 1).guard("there", Expect::Absent).put("a", "1");
    assert_eq!(t.conflict(txn).await, ("there".into(), Some(there)));
}

pub(super) async fn a_key_that_is_too_long_is_refused(t: Trial) {
    let limit = t.limits().key_bytes;
    assert_eq!(too_large(&t, Txn::new().put(vec![b'k'; limit + 1], "1")).await, (limit + 1, limit));
    too_large(&t, Txn::new().put("a", "1").delete(vec![b'k'; limit + 1])).await;
    too_large(&t, Txn::new().put("a", "1").guard(vec![b'k'; limit + 1], Expect::Absent)).await;
}

pub(super) async fn an_empty_key_makes_no_sense(t: Trial) {
    makes_no_sense(&t, Txn::new().put("a", "1").put("", "1")).await;
    makes_no_sense(&t, Txn::new().put("a", "1").delete("")).await;
}

pub(super) async fn a_guard_on_an_empty_key_makes_no_sense(t: Trial) {
    makes_no_sense(&t, Txn::new().put("a", "1").guard("", Expect::Absent)).await;
}

pub(super) async fn a_key_written_twice_makes_no_sense(t: Trial) {
    makes_no_sense(&t, Txn::new().put("a", "1").put("a", "1")).await;
    makes_no_sense(&t, Txn::new().put("a", "1").put("b", "1").delete("a")).await;
    makes_no_sense(&t, Txn::new().delete("a").put("a", "1")).await;
    makes_no_sense(&t, Txn::new().delete("a").delete("a").put("b", "1")).await;
}

pub(super) async fn what_is_refused_is_not_told_to_watches(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    t.refused(Txn::new().put("a", "1").put("a", "2")).await;
    t.refused(Txn::new().put("b", "1").put("", "1")).await;
    t.refused(writes(t.limits().operations + 1)).await;
    t.put("c", "1").await;
    assert_eq!(watch.told().await.1, "+c=1");
}

pub(super) async fn what_was_refused_can_be_done_right(t: Trial) {
    t.refused(Txn::new().put("a", "1").put("a", "2")).await;
    t.commit(Txn::new().put("a", "1")).await;
    assert_eq!(t.text("a").await, "1");
}
