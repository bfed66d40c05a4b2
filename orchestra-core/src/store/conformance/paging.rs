//! Pages that follow from one another show one instant, however much is written meanwhile.

use super::trial::{Trial, listed, number, page_after};
use crate::store::{KeyRange, Page, Revision, Scope, StoreError, Txn};

/// Writes `a=1 b=1 c=1 d=1 e=1` and lists the first two.
async fn first_two_of_five(t: &Trial) -> (Revision, Page) {
    t.commit(["e", "c", "a", "d", "b"].iter().fold(Txn::new(), |txn, key| txn.put(*key, "1"))).await;
    let page = t.page(&Scope::all(), Page::first().limit(2)).await;
    assert_eq!(listed(&page), "a=1 b=1");
    (page.revision, Page::after(page.next.expect("there are more")))
}

pub(super) async fn a_page_has_no_more_than_asked_for(t: Trial) {
    first_two_of_five(&t).await;
    for limit in 1..=7 {
        let page = t.page(&Scope::all(), Page::first().limit(limit)).await;
        assert!(page.entries.len() <= limit, "{} entries where {limit} were asked for", page.entries.len());
    }
}

pub(super) async fn pages_together_are_the_listing(t: Trial) {
    first_two_of_five(&t).await;
    for limit in 1..=7 {
        let listing = t.rest(&Scope::all(), Page::first(), Some(limit)).await;
        assert_eq!(listed(&listing), "a=1 b=1 c=1 d=1 e=1", "in pages of {limit}");
    }
}

pub(super) async fn a_page_says_whether_there_are_more(t: Trial) {
    first_two_of_five(&t).await;
    let page = t.page(&Scope::all(), Page::first().limit(4)).await;
    let next = page.next.expect("one is left");
    assert_eq!(t.page(&Scope::all(), Page::after(next)).await.next, None, "none is left");
    let page = t.page(&Scope::prefix("x"), Page::first().limit(1)).await;
    assert_eq!((page.entries.len(), page.next), (0, None), "there never was one");
}

pub(super) async fn the_last_page_may_be_full(t: Trial) {
    first_two_of_five(&t).await;
    let page = t.page(&Scope::all(), Page::first().limit(5)).await;
    assert_eq!((listed(&page).as_str(), page.next), ("a=1 b=1 c=1 d=1 e=1", None));
}

pub(super) async fn an_update_between_pages_is_not_shown(t: Trial) {
    let (revision, next) = first_two_of_five(&t).await;
    t.put("c", "2").await;
    t.put("d", "2").await;
    let rest = t.rest(&Scope::all(), next, None).await;
    assert_eq!((rest.revision, listed(&rest).as_str()), (revision, "c=1 d=1 e=1"));
}

pub(super) async fn a_deletion_between_pages_is_not_shown(t: Trial) {
    let (revision, next) = first_two_of_five(&t).await;
    t.commit(Txn::new().delete("c").delete("e")).await;
    let rest = t.rest(&Scope::all(), next, None).await;
    assert_eq!((rest.revision, listed(&rest).as_str()), (revision, "c=1 d=1 e=1"));
}

pub(super) async fn a_creation_between_pages_is_not_shown(t: Trial) {
    let (revision, next) = first_two_of_five(&t).await;
    t.commit(Txn::new().put("bb", "2").put("cc", "2").put("f", "2")).await;
    let rest = t.rest(&Scope::all(), next, None).await;
    assert_eq!((rest.revision, listed(&rest).as_str()), (revision, "c=1 d=1 e=1"));
}

pub(super) async fn a_page_goes_on_where_its_last_key_was_deleted(t: Trial) {
    let (_, next) = first_two_of_five(&t).await;
    t.commit(Txn::new().delete("a").delete("b")).await;
    assert_eq!(listed(&t.rest(&Scope::all(), next, None).await), "c=1 d=1 e=1");
}

pub(super) async fn a_later_page_shows_entries_as_they_were(t: Trial) {
    let (revision, next) = first_two_of_five(&t).await;
    t.put("c", "2").await;
    t.delete("d").await;
    t.put("d", "3").await;
    for entry in t.rest(&Scope::all(), next, None).await.entries {
        assert_eq!((entry.created <= revision, entry.modified <= revision), (true, true), "{}", entry.key);
    }
}

pub(super) async fn every_page_shows_the_first_ones_revision(t: Trial) {
    let (revision, mut next) = first_two_of_five(&t).await;
    for value in ["2", "3", "4"] {
        t.put("a", value).await;
        let page = t.page(&Scope::all(), next.limit(1)).await;
        assert_eq!(page.revision, revision);
        match page.next {
            Some(cursor) => {
                assert_eq!(cursor.revision, revision);
                next = Page::after(cursor);
            }
            None => return,
        }
    }
}

pub(super) async fn a_past_revision_can_be_listed(t: Trial) {
    let empty = t.now().await;
    let mut instants = vec![(empty, "")];
    instants.push((t.put("a", "1").await, "a=1"));
    instants.push((t.commit(Txn::new().put("b", "1").put("c", "1")).await, "a=1 b=1 c=1"));
    instants.push((t.put("b", "2").await, "a=1 b=2 c=1"));
    instants.push((t.commit(Txn::new().delete("a").put("c", "2")).await, "b=2 c=2"));
    instants.push((t.put("a", "3").await, "a=3 b=2 c=2"));
    // Zero is no revision: a store that begins there does not have it to list.
    for (revision, stood) in instants.into_iter().filter(|(revision, _)| revision.0 > 0) {
        let listing = t.rest(&Scope::all(), Page::at(revision), Some(2)).await;
        assert_eq!((listing.revision, listed(&listing).as_str()), (revision, stood));
    }
}

pub(super) async fn a_past_revision_shows_entries_as_they_were(t: Trial) {
    let first = t.put("a", "1").await;
    let second = t.put("a", "2").await;
    t.delete("a").await;
    t.put("a", "3").await;
    for (at, value) in [(first, "1"), (second, "2")] {
        let listing = t.page(&Scope::key("a"), Page::at(at)).await;
        let entry = &listing.entries[0];
        assert_eq!((&*entry.value, entry.created, entry.modified), (value.as_bytes(), first, at));
    }
}

pub(super) async fn the_current_revision_can_be_asked_for(t: Trial) {
    first_two_of_five(&t).await;
    let now = t.list(&Scope::all()).await;
    assert_eq!(t.rest(&Scope::all(), Page::at(now.revision), None).await, now);
}

pub(super) async fn a_future_revision_cannot_be_listed(t: Trial) {
    let now = t.put("a", "1").await;
    let future = Revision(now.0 + 1_000_000);
    let error = t.unlisted(&Scope::all(), Page::at(future)).await;
    let StoreError::Ahead { asked, current } = error else { panic!("it should be ahead: {error}") };
    assert!(asked == future && current >= now && current < future, "{error}");
}

pub(super) async fn a_page_after_the_last_key_is_empty(t: Trial) {
    let (revision, _) = first_two_of_five(&t).await;
    for after in ["e", "ee", "z"] {
        let page = t.page(&Scope::all(), page_after(revision, after)).await;
        assert_eq!((page.entries.len(), page.next), (0, None), "after {after}");
    }
}

pub(super) async fn a_page_may_follow_a_key_that_never_was(t: Trial) {
    let (revision, _) = first_two_of_five(&t).await;
    assert_eq!(listed(&t.page(&Scope::all(), page_after(revision, "bb")).await), "c=1 d=1 e=1");
    assert_eq!(listed(&t.page(&Scope::all(), page_after(revision, "0")).await), "a=1 b=1 c=1 d=1 e=1");
}

pub(super) async fn a_page_does_not_leave_its_scope(t: Trial) {
    let (revision, _) = first_two_of_five(&t).await;
    let scope = Scope::from(KeyRange::new("b", "d"));
    assert_eq!(listed(&t.page(&scope, page_after(revision, "a")).await), "b=1 c=1");
    assert_eq!(listed(&t.page(&scope, page_after(revision, "b")).await), "c=1");
    assert_eq!(listed(&t.page(&scope, page_after(revision, "d")).await), "");
}

pub(super) async fn pages_cross_from_range_to_range(t: Trial) {
    first_two_of_five(&t).await;
    let scope = Scope::from(KeyRange::new("a", "c")).and(KeyRange::key("d")).and(KeyRange::prefix("e"));
    for limit in 1..=5 {
        let listing = t.rest(&scope, Page::first(), Some(limit)).await;
        assert_eq!(listed(&listing), "a=1 b=1 d=1 e=1", "in pages of {limit}");
    }
}

pub(super) async fn a_page_of_nothing_makes_no_sense(t: Trial) {
    t.put("a", "1").await;
    let error = t.unlisted(&Scope::all(), Page::first().limit(0)).await;
    assert!(matches!(error, StoreError::Invalid { .. }), "{error}");
}

pub(super) async fn a_page_may_be_asked_to_be_huge(t: Trial) {
    first_two_of_five(&t).await;
    let listing = t.rest(&Scope::all(), Page::first(), Some(usize::MAX)).await;
    assert_eq!(listed(&listing), "a=1 b=1 c=1 d=1 e=1");
}

/// All keys always have the same number; so have all that are listed together, page by page.
pub(super) async fn pages_show_one_instant_beside_a_writer(t: Trial) {
    let all_of = |value: u64| {
        ["a", "b", "c", "d", "e"].iter().fold(Txn::new(), |txn, key| txn.put(*key, value.to_string()))
    };
    t.commit(all_of(0)).await;
    let writer = t.hand();
    let writing = tokio::spawn(async move {
        for value in 1..=200 {
            writer.commit(all_of(value)).await;
        }
    });
    let mut seen = 0;
    while seen < 200 {
        let listing = t.rest(&Scope::all(), Page::first(), Some(2)).await;
        let values: Vec<u64> = listing.entries.iter().map(|entry| number(entry)).collect();
        seen = values[0];
        assert_eq!(values, [seen; 5], "pages of different instants");
        tokio::task::yield_now().await;
    }
    writing.await.unwrap();
}
