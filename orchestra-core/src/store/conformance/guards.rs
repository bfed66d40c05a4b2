//! Guards: a transaction is made when all hold, and a conflict is a fact.

use super::trial::{Trial, listed};
use crate::store::{CommitError, Expect, Revision, Scope, Txn};

pub(super) async fn absent_holds_where_nothing_is(t: Trial) {
    t.commit(Txn::new().put_new("a", "1")).await;
    assert_eq!(t.text("a").await, "1");
}

pub(super) async fn absent_fails_where_something_is(t: Trial) {
    t.put("a", "1").await;
    t.conflict(Txn::new().put_new("a", "2")).await;
    assert_eq!(t.text("a").await, "1");
}

pub(super) async fn absent_holds_again_after_a_deletion(t: Trial) {
    t.put("a", "1").await;
    t.delete("a").await;
    t.commit(Txn::new().put_new("a", "2")).await;
    assert_eq!(t.text("a").await, "2");
}

pub(super) async fn absent_fails_where_an_empty_value_is(t: Trial) {
    t.put("a", "").await;
    t.conflict(Txn::new().put_new("a", "1")).await;
}

pub(super) async fn at_holds_at_the_revision_of_the_value(t: Trial) {
    let first = t.put("a", "1").await;
    let second = t.commit(Txn::new().put_at("a", first, "2")).await;
    t.commit(Txn::new().put_at("a", second, "3")).await;
    assert_eq!(t.text("a").await, "3");
}

pub(super) async fn at_fails_after_an_update(t: Trial) {
    let first = t.put("a", "1").await;
    t.put("a", "2").await;
    t.conflict(Txn::new().put_at("a", first, "3")).await;
    assert_eq!(t.text("a").await, "2");
}

pub(super) async fn at_means_the_last_write_not_the_creation(t: Trial) {
    let created = t.put("a", "1").await;
    let modified = t.put("a", "2").await;
    t.conflict(Txn::new().put_at("a", created, "3")).await;
    t.commit(Txn::new().put_at("a", modified, "4")).await;
}

pub(super) async fn at_fails_after_a_deletion(t: Trial) {
    let written = t.put("a", "1").await;
    t.delete("a").await;
    assert_eq!(t.conflict(Txn::new().put_at("a", written, "2")).await, ("a".into(), None));
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn at_fails_where_it_was_written_again(t: Trial) {
    let first = t.put("a", "1").await;
    t.delete("a").await;
    let again = t.put("a", "1").await;
    assert_eq!(t.conflict(Txn::new().put_at("a", first, "2")).await, ("a".into(), Some(again)));
}

pub(super) async fn at_fails_at_any_later_revision(t: Trial) {
    t.put("a", "1").await;
    let later = t.put("b", "1").await;
    t.conflict(Txn::new().put_at("a", later, "2")).await;
    assert_eq!(t.text("a").await, "1");
}

pub(super) async fn at_fails_at_any_earlier_revision(t: Trial) {
    let earlier = t.put("b", "1").await;
    t.put("a", "1").await;
    t.conflict(Txn::new().put_at("a", earlier, "2")).await;
    assert_eq!(t.text("a").await, "1");
}

pub(super) async fn no_revision_is_not_absence(t: Trial) {
    t.conflict(Txn::new().put_at("a", Revision(0), "1")).await;
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn a_guard_need_not_be_on_a_key_that_is_written(t: Trial) {
    let term = t.put("term", "1").await;
    t.commit(Txn::new().guard("term", Expect::At(term)).put("a", "1")).await;
    t.commit(Txn::new().guard("rival", Expect::Absent).put("b", "1")).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=1 b=1 term=1");
}

pub(super) async fn a_guard_counts_on_a_key_that_is_not_written(t: Trial) {
    let term = t.put("term", "1").await;
    let next = t.put("term", "2").await;
    let conflict = t.conflict(Txn::new().guard("term", Expect::At(term)).put("a", "1")).await;
    assert_eq!(conflict, ("term".into(), Some(next)));
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn absence_counts_on_a_key_that_is_not_written(t: Trial) {
    let rival = t.put("rival", "1").await;
    let conflict = t.conflict(Txn::new().guard("rival", Expect::Absent).put("a", "1")).await;
    assert_eq!(conflict, ("rival".into(), Some(rival)));
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn every_guard_counts(t: Trial) {
    let right = t.commit(Txn::new().put("a", "1").put("b", "1").put("c", "1")).await;
    let wrong = t.put("other", "1").await;
    for failing in ["a", "b", "c"] {
        let txn = ["a", "b", "c"].into_iter().fold(Txn::new().put("d", "1"), |txn, key| {
            txn.guard(key, Expect::At(if key == failing { wrong } else { right }))
        });
        assert_eq!(t.conflict(txn).await, (failing.into(), Some(right)));
    }
    assert_eq!(t.text("d").await, "-");
}

pub(super) async fn a_conflict_names_the_guard_that_did_not_hold(t: Trial) {
    let a = t.put("a", "1").await;
    let b = t.put("b", "1").await;
    let txn = Txn::new().guard("a", Expect::At(a)).guard("b", Expect::Absent).guard("c", Expect::Absent);
    assert_eq!(t.conflict(txn.put("c", "1")).await, ("b".into(), Some(b)));
}

pub(super) async fn a_conflict_says_what_was_expected(t: Trial) {
    let first = t.put("a", "1").await;
    t.put("a", "2").await;
    for expect in [Expect::Absent, Expect::At(first)] {
        match t.refused(Txn::new().guard("a", expect).put("b", "1")).await {
            CommitError::Conflict { expected, .. } => assert_eq!(expected, expect),
            error => panic!("it should be a conflict: {error}"),
        }
    }
}

pub(super) async fn a_conflict_says_when_what_it_found_was_written(t: Trial) {
    t.put("a", "1").await;
    let found = t.put("a", "2").await;
    t.put("b", "1").await;
    assert_eq!(t.conflict(Txn::new().put_new("a", "3")).await, ("a".into(), Some(found)));
}

pub(super) async fn a_conflict_says_when_it_found_nothing(t: Trial) {
    let other = t.put("b", "1").await;
    assert_eq!(t.conflict(Txn::new().put_at("a", other, "2")).await, ("a".into(), None));
}

pub(super) async fn of_two_guards_that_fail_one_is_named(t: Trial) {
    let (a, b) = (t.put("a", "1").await, t.put("b", "1").await);
    let (key, found) = t.conflict(Txn::new().put_new("a", "2").put_new("b", "2")).await;
    assert!((key == "a" && found == Some(a)) || (key == "b" && found == Some(b)), "{key} at {found:?}");
}

pub(super) async fn a_conflict_writes_nothing(t: Trial) {
    t.commit(Txn::new().put("b", "1").put("c", "1")).await;
    t.conflict(Txn::new().put("a", "2").put_new("b", "2").delete("c").put("d", "2")).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "b=1 c=1");
}

pub(super) async fn a_conflict_is_not_told_to_watches(t: Trial) {
    t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.conflict(Txn::new().put("b", "2").put_new("a", "2").put("c", "2")).await;
    let marker = t.put("marker", "1").await;
    assert_eq!(watch.told().await, (marker, "+marker=1".into()));
}

pub(super) async fn a_guard_alone_holds_or_conflicts(t: Trial) {
    let a = t.put("a", "1").await;
    t.commit(Txn::new().guard("a", Expect::At(a))).await;
    t.commit(Txn::new().guard("b", Expect::Absent)).await;
    assert_eq!(t.conflict(Txn::new().guard("a", Expect::Absent)).await, ("a".into(), Some(a)));
    assert_eq!(t.conflict(Txn::new().guard("b", Expect::At(a))).await, ("b".into(), None));
}

pub(super) async fn guards_look_before_the_writes_are_made(t: Trial) {
    let a = t.put("a", "1").await;
    t.commit(Txn::new().put("b", "1").guard("b", Expect::Absent).delete("a").guard("a", Expect::At(a))).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "b=1");
}

pub(super) async fn two_guards_on_one_key_both_count(t: Trial) {
    let a = t.put("a", "1").await;
    t.commit(Txn::new().guard("a", Expect::At(a)).guard("a", Expect::At(a)).put("b", "1")).await;
    t.conflict(Txn::new().guard("a", Expect::At(a)).guard("a", Expect::Absent).put("b", "2")).await;
    t.conflict(Txn::new().guard("a", Expect::Absent).guard("a", Expect::At(a)).put("b", "3")).await;
    assert_eq!(t.text("b").await, "1");
}

pub(super) async fn a_guarded_deletion_needs_its_guard(t: Trial) {
    let first = t.put("a", "1").await;
    let second = t.put("a", "2").await;
    t.conflict(Txn::new().delete_at("a", first)).await;
    assert_eq!(t.text("a").await, "2");
    t.commit(Txn::new().delete_at("a", second)).await;
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn a_guard_on_a_deletion_of_nothing_counts(t: Trial) {
    let other = t.put("b", "1").await;
    assert_eq!(t.conflict(Txn::new().delete_at("a", other)).await, ("a".into(), None));
}

/// A leader's writes guard the term: once there is a next one, nothing of the old one is written.
pub(super) async fn who_was_deposed_writes_nothing_more(t: Trial) {
    let term = t.put("term", "1").await;
    let as_leader = |value: &str| Txn::new().guard("term", Expect::At(term)).put("a", value);
    t.commit(as_leader("1")).await;
    t.commit(as_leader("2")).await;
    t.commit(Txn::new().put_at("term", term, "2")).await;
    t.conflict(as_leader("3")).await;
    assert_eq!(t.text("a").await, "2");
}
