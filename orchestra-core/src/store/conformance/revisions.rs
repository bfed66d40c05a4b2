//! Every transaction that changes something makes a revision; nothing else does.

use super::trial::{Trial, all_told};
use crate::store::{Expect, Page, Revision, Scope, Txn};

pub(super) async fn a_write_makes_a_later_revision(t: Trial) {
    let mut last = t.now().await;
    for value in ["1", "2", "3"] {
        let revision = t.put("a", value).await;
        assert!(revision > last, "{revision} follows {last}");
        last = revision;
    }
}

pub(super) async fn a_delete_makes_a_later_revision(t: Trial) {
    let written = t.put("a", "1").await;
    let deleted = t.delete("a").await;
    let written_again = t.put("a", "2").await;
    assert!(written < deleted && deleted < written_again);
}

pub(super) async fn the_answer_is_the_revision_of_the_write(t: Trial) {
    for value in ["1", "2", "3"] {
        let revision = t.put("a", value).await;
        assert_eq!(t.entry("a").await.modified, revision);
    }
}

pub(super) async fn a_txn_has_one_revision(t: Trial) {
    let revision = t.commit(Txn::new().put("a", "1").put("b", "2").put("c", "3")).await;
    for key in ["a", "b", "c"] {
        assert_eq!(t.entry(key).await.modified, revision);
    }
}

pub(super) async fn a_new_entry_is_created_when_it_is_written(t: Trial) {
    let revision = t.put("a", "1").await;
    assert_eq!(t.entry("a").await.created, revision);
}

pub(super) async fn an_update_keeps_when_it_was_created(t: Trial) {
    let first = t.put("a", "1").await;
    t.put("a", "2").await;
    let last = t.put("a", "3").await;
    let entry = t.entry("a").await;
    assert_eq!((entry.created, entry.modified), (first, last));
}

pub(super) async fn writing_again_after_deletion_begins_anew(t: Trial) {
    t.put("a", "1").await;
    t.delete("a").await;
    let again = t.put("a", "2").await;
    let entry = t.entry("a").await;
    assert_eq!((entry.created, entry.modified), (again, again));
}

pub(super) async fn other_keys_keep_their_revisions(t: Trial) {
    let revision = t.put("a", "1").await;
    t.put("b", "1").await;
    t.delete("b").await;
    let entry = t.entry("a").await;
    assert_eq!((entry.created, entry.modified), (revision, revision));
}

pub(super) async fn the_same_value_again_is_a_write(t: Trial) {
    let first = t.put("a", "1").await;
    let second = t.put("a", "1").await;
    assert!(second > first);
    assert_eq!(t.entry("a").await.modified, second);
}

pub(super) async fn a_revision_is_never_zero(t: Trial) {
    let revision = t.put("a", "1").await;
    assert_ne!(revision, Revision(0), "zero is none");
}

pub(super) async fn an_empty_txn_makes_no_revision(t: Trial) {
    let written = t.put("a", "1").await;
    let answer = t.commit(Txn::new()).await;
    t.no_revision_between(written, answer);
    t.no_revision_between(answer, t.commit(Txn::new()).await);
    t.no_revision_between(answer, t.now().await);
}

pub(super) async fn a_guard_alone_makes_no_revision(t: Trial) {
    let written = t.put("a", "1").await;
    let answer = t.commit(Txn::new().guard("a", Expect::At(written)).guard("b", Expect::Absent)).await;
    t.no_revision_between(written, answer);
    t.no_revision_between(answer, t.now().await);
}

pub(super) async fn deleting_nothing_makes_no_revision(t: Trial) {
    let written = t.put("a", "1").await;
    let answer = t.commit(Txn::new().delete("b").delete("c")).await;
    t.no_revision_between(written, answer);
    t.no_revision_between(answer, t.now().await);
}

pub(super) async fn a_conflict_makes_no_revision(t: Trial) {
    let written = t.put("a", "1").await;
    t.conflict(Txn::new().put_new("a", "2").put("b", "2")).await;
    t.no_revision_between(written, t.now().await);
}

pub(super) async fn what_changes_something_makes_a_revision_whatever_else_it_deletes(t: Trial) {
    let before = t.now().await;
    let revision = t.commit(Txn::new().delete("nothing").put("a", "1")).await;
    assert!(revision > before);
    assert_eq!(all_told(&t.happened(&Scope::all(), before).await), "+a=1");
}

pub(super) async fn a_listing_is_at_the_last_revision(t: Trial) {
    let written = t.put("a", "1").await;
    t.no_revision_between(written, t.page(&Scope::all(), Page::first()).await.revision);
    let deleted = t.delete("a").await;
    t.no_revision_between(deleted, t.page(&Scope::all(), Page::first()).await.revision);
}

pub(super) async fn a_listing_of_other_keys_is_at_the_last_revision_too(t: Trial) {
    let written = t.put("a", "1").await;
    t.no_revision_between(written, t.page(&Scope::prefix("b"), Page::first()).await.revision);
    t.no_revision_between(written, t.page(&Scope::nothing(), Page::first()).await.revision);
}
