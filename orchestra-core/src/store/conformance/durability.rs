//! What was acknowledged is there after the store was closed and opened again, and its history goes on.

use super::trial::{Trial, all_told, listed};
use crate::store::{Page, Revision, Scope, StoreError, Txn};

/// Some of everything, and the last revision of it.
async fn some_history(t: &Trial) -> Vec<Revision> {
    vec![
        t.commit(Txn::new().put("a", "1").put("b", "1").put("c", "1")).await,
        t.put("a", "2").await,
        t.delete("b").await,
        t.commit(Txn::new().put("c", "3").put("d", "3")).await,
    ]
}

pub(super) async fn what_was_acknowledged_is_there_again(mut t: Trial) {
    some_history(&t).await;
    let before = t.list(&Scope::all()).await;
    t.reopen().await;
    assert_eq!(t.list(&Scope::all()).await.entries, before.entries);
    assert_eq!(listed(&before), "a=2 c=3 d=3");
}

pub(super) async fn the_very_last_write_is_there_again(mut t: Trial) {
    for value in 1..=10_u64 {
        t.put("a", value.to_string()).await;
        t.reopen().await;
        assert_eq!(t.number("a").await.0, value);
    }
}

pub(super) async fn what_was_deleted_stays_deleted_when_reopened(mut t: Trial) {
    some_history(&t).await;
    t.reopen().await;
    assert_eq!(t.text("b").await, "-");
}

pub(super) async fn entries_keep_their_revisions(mut t: Trial) {
    let made = some_history(&t).await;
    t.reopen().await;
    let (a, c) = (t.entry("a").await, t.entry("c").await);
    assert_eq!((a.created, a.modified), (made[0], made[1]));
    assert_eq!((c.created, c.modified), (made[0], made[3]));
}

pub(super) async fn revisions_grow_on(mut t: Trial) {
    let made = some_history(&t).await;
    t.reopen().await;
    assert!(t.now().await >= made[3], "the revision went back");
    assert!(t.put("a", "4").await > made[3], "a revision was given again");
}

/// The last revision may leave no entry behind: it counts all the same.
pub(super) async fn revisions_grow_on_after_a_deletion(mut t: Trial) {
    t.put("a", "1").await;
    let deleted = t.delete("a").await;
    t.reopen().await;
    assert!(t.now().await >= deleted, "the revision went back");
    assert!(t.put("a", "2").await > deleted, "a revision was given again");
}

pub(super) async fn the_identity_is_kept(mut t: Trial) {
    some_history(&t).await;
    let before = t.hand().store().identity().await;
    t.reopen().await;
    assert_eq!(t.hand().store().identity().await, before);
}

pub(super) async fn the_identity_is_kept_where_nothing_is(mut t: Trial) {
    let before = t.hand().store().identity().await;
    t.reopen().await;
    assert_eq!(t.hand().store().identity().await, before);
    assert_eq!(listed(&t.list(&Scope::all()).await), "");
}

pub(super) async fn guards_hold_as_before(mut t: Trial) {
    let made = some_history(&t).await;
    t.reopen().await;
    t.conflict(Txn::new().put_at("a", made[0], "4")).await;
    t.conflict(Txn::new().put_new("c", "4")).await;
    t.commit(Txn::new().put_at("a", made[1], "4").put_new("b", "4")).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=4 b=4 c=3 d=3");
}

pub(super) async fn a_watch_resumes_where_it_was_or_is_told_that_it_cannot(mut t: Trial) {
    let made = some_history(&t).await;
    t.reopen().await;
    let last = t.put("e", "5").await;
    let due = ["a=2", "-b", "c=3 +d=3", "+e=5"];
    for (at, after) in made.iter().enumerate() {
        match t.store().watch(&Scope::all(), *after).await {
            Err(error) => assert!(matches!(error, StoreError::Compacted { .. }), "{error}"),
            Ok(_) => {
                let told = t.watch(&Scope::all(), *after).await.upto(last).await;
                assert_eq!(all_told(&told), due[at..].join(" | "), "after {after}");
            }
        }
    }
}

pub(super) async fn who_watched_to_the_end_resumes(mut t: Trial) {
    let made = some_history(&t).await;
    t.reopen().await;
    t.put("e", "5").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), made[3]).await), "+e=5");
}

pub(super) async fn a_listing_goes_on_or_is_told_that_it_cannot(mut t: Trial) {
    t.commit(Txn::new().put("a", "1").put("b", "1").put("c", "1")).await;
    let page = t.page(&Scope::all(), Page::first().limit(1)).await;
    t.put("b", "2").await;
    t.reopen().await;
    let next = Page::after(page.next.expect("there are more"));
    match t.store().list(&Scope::all(), next).await {
        Ok(rest) => assert_eq!((rest.revision, listed(&rest).as_str()), (page.revision, "b=1 c=1")),
        Err(error) => assert!(matches!(error, StoreError::Compacted { .. }), "{error}"),
    }
}

pub(super) async fn txns_are_whole(mut t: Trial) {
    for round in 1..=5 {
        let many = t.limits().operations.min(20);
        let txn = (0..many).fold(Txn::new(), |txn, at| txn.put(format!("k{at:02}"), round.to_string()));
        let revision = t.commit(txn).await;
        t.reopen().await;
        let listing = t.list(&Scope::all()).await;
        assert_eq!(listing.entries.len(), many);
        assert!(
            listing.entries.iter().all(|entry| entry.modified == revision),
            "a transaction is there by half"
        );
    }
}

pub(super) async fn what_was_refused_is_not_there(mut t: Trial) {
    some_history(&t).await;
    t.conflict(Txn::new().put("x", "1").put_new("a", "1")).await;
    t.refused(Txn::new().put("y", "1").put("y", "2")).await;
    t.reopen().await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=2 c=3 d=3");
}

pub(super) async fn the_longest_value_is_there_again(mut t: Trial) {
    let value: Vec<u8> = (0..t.limits().bytes - 1).map(|at| (at % 251) as u8).collect();
    t.put("a", value.clone()).await;
    t.put(b"\0odd\xff", b"\0\xff\n").await;
    t.reopen().await;
    assert!(*t.entry("a").await.value == *value, "it is another");
    assert_eq!(*t.entry(b"\0odd\xff").await.value, *b"\0\xff\n");
}
