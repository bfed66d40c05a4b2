//! History is bounded: what is forgotten is said to be, and never skipped in silence.

use super::trial::{Trial, all_told, listed, revisions};
use crate::store::{Page, Revision, Scope, StoreError, Txn};

/// Revisions of `a=1 b=1`, `a=2`, `-b`, `a=3 c=3`, of which the first three are forgotten.
async fn forgetful(t: &Trial) -> [Revision; 4] {
    let made = [
        t.commit(Txn::new().put("a", "1").put("b", "1")).await,
        t.put("a", "2").await,
        t.delete("b").await,
        t.commit(Txn::new().put("a", "3").put("c", "3")).await,
    ];
    t.forget(made[3]).await;
    made
}

pub(super) async fn what_is_forgotten_cannot_be_watched(t: Trial) {
    let made = forgetful(&t).await;
    for after in [made[0], made[1]] {
        let error = t.unwatched(&Scope::all(), after).await;
        assert!(matches!(error, StoreError::Compacted { .. }), "after {after}: {error}");
    }
}

pub(super) async fn what_is_forgotten_cannot_be_watched_where_nothing_happened(t: Trial) {
    let made = forgetful(&t).await;
    let error = t.unwatched(&Scope::prefix("elsewhere"), made[0]).await;
    assert!(matches!(error, StoreError::Compacted { .. }), "{error}");
}

pub(super) async fn what_is_forgotten_cannot_be_listed(t: Trial) {
    let made = forgetful(&t).await;
    for at in [made[0], made[1]] {
        let error = t.unlisted(&Scope::all(), Page::at(at)).await;
        assert!(matches!(error, StoreError::Compacted { .. }), "at {at}: {error}");
    }
}

pub(super) async fn compacted_says_what_was_asked_and_what_can_be(t: Trial) {
    let made = forgetful(&t).await;
    let error = t.unwatched(&Scope::all(), made[0]).await;
    let StoreError::Compacted { asked, oldest } = error else { panic!("it should be compacted: {error}") };
    assert_eq!(asked, made[0]);
    assert!(oldest > made[0] && oldest <= made[3], "the oldest is {oldest}, of {made:?}");
    // And it is the truth.
    let held = t.happened(&Scope::all(), oldest).await;
    let due: Vec<_> = made.into_iter().filter(|revision| *revision > oldest).collect();
    assert_eq!(revisions(&held), due);
}

pub(super) async fn the_oldest_that_is_held_can_be_watched(t: Trial) {
    let made = forgetful(&t).await;
    let next = t.put("a", "4").await;
    assert_eq!(revisions(&t.happened(&Scope::all(), made[3]).await), [next]);
}

pub(super) async fn the_oldest_that_is_held_can_be_listed(t: Trial) {
    let made = forgetful(&t).await;
    t.commit(Txn::new().put("a", "4").delete("c").put("d", "4")).await;
    let listing = t.rest(&Scope::all(), Page::at(made[3]), Some(1)).await;
    assert_eq!((listing.revision, listed(&listing).as_str()), (made[3], "a=3 c=3"));
}

pub(super) async fn what_stands_there_is_not_forgotten(t: Trial) {
    let kept = t.put("kept", "1").await;
    let made = forgetful(&t).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=3 c=3 kept=1");
    let (entry, changed) = (t.entry("kept").await, t.entry("a").await);
    assert_eq!((entry.created, entry.modified), (kept, kept));
    assert_eq!((changed.created, changed.modified), (made[0], made[3]));
}

pub(super) async fn what_was_deleted_stays_deleted(t: Trial) {
    forgetful(&t).await;
    assert_eq!(t.text("b").await, "-");
    let again = t.commit(Txn::new().put_new("b", "5")).await;
    assert_eq!(t.entry("b").await.created, again);
}

pub(super) async fn guards_hold_at_forgotten_revisions(t: Trial) {
    let kept = t.put("kept", "1").await;
    forgetful(&t).await;
    t.commit(Txn::new().put_at("kept", kept, "2")).await;
    t.conflict(Txn::new().put_at("kept", kept, "3")).await;
}

pub(super) async fn a_watch_that_is_past_goes_on(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let first = t.put("a", "1").await;
    assert_eq!(watch.batch().await.revision, first);
    let second = t.put("a", "2").await;
    assert_eq!(watch.batch().await.revision, second);
    t.forget(second).await;
    let third = t.put("a", "3").await;
    assert_eq!(watch.batch().await.revision, third);
}

/// An idle watch has been told nothing yet; what was forgotten did not concern it, or it is told so.
pub(super) async fn a_watch_that_lags_is_told_all_or_that_it_is_not(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let made = forgetful(&t).await;
    let mut told = Vec::new();
    let ended = loop {
        match watch.next_or_end().await {
            Ok(crate::store::Delivery::Batch(batch)) => told.push(batch.revision),
            Ok(crate::store::Delivery::Progress(revision)) => panic!("nobody asked for progress: {revision}"),
            Err(error) => break Some(error),
        }
        if told.last() == Some(&made[3]) {
            break None;
        }
    };
    assert_eq!(told, made[..told.len()], "something was skipped in silence");
    match ended {
        Some(error) => assert!(matches!(error, StoreError::Compacted { .. }), "{error}"),
        None => assert_eq!(told, made),
    }
}

pub(super) async fn a_listing_that_lags_goes_on_or_is_told_that_it_cannot(t: Trial) {
    let first = t.commit(Txn::new().put("a", "1").put("b", "1").put("c", "1")).await;
    let page = t.page(&Scope::all(), Page::first().limit(1)).await;
    assert_eq!(page.revision, first, "nobody else writes here");
    let last = (t.put("b", "2").await, t.put("c", "2").await).1;
    t.forget(last).await;
    let next = Page::after(page.next.expect("there are more"));
    match t.store().list(&Scope::all(), next).await {
        Ok(rest) => assert_eq!((rest.revision, listed(&rest).as_str()), (first, "b=1 c=1")),
        Err(error) => assert!(matches!(error, StoreError::Compacted { .. }), "{error}"),
    }
}

pub(super) async fn who_is_told_to_list_again_misses_nothing(t: Trial) {
    let made = forgetful(&t).await;
    t.unwatched(&Scope::all(), made[0]).await;
    let listing = t.list(&Scope::all()).await;
    t.put("d", "4").await;
    assert_eq!(listed(&listing), "a=3 c=3");
    assert_eq!(all_told(&t.happened(&Scope::all(), listing.revision).await), "+d=4");
}

pub(super) async fn revisions_grow_on_after_compaction(t: Trial) {
    let made = forgetful(&t).await;
    t.no_revision_between(made[3], t.now().await);
    assert!(t.put("a", "4").await > made[3]);
}

pub(super) async fn what_is_forgotten_stays_forgotten(t: Trial) {
    let made = forgetful(&t).await;
    let next = t.put("a", "4").await;
    t.forget(next).await;
    for after in [made[0], made[2]] {
        let error = t.unwatched(&Scope::all(), after).await;
        assert!(matches!(error, StoreError::Compacted { .. }), "after {after}: {error}");
    }
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=4 c=3");
}

pub(super) async fn the_future_is_not_forgotten(t: Trial) {
    let made = forgetful(&t).await;
    let error = t.unwatched(&Scope::all(), Revision(made[3].0 + 1_000_000)).await;
    assert!(matches!(error, StoreError::Ahead { .. }), "{error}");
}
