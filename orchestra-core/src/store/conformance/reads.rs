//! Reads are now: they see what was acknowledged, by whomever, and never go back.

use super::trial::{Trial, beside, listed, number, together};
use crate::store::{Page, Scope, Txn};

pub(super) async fn nothing_stands_there_at_first(t: Trial) {
    assert_eq!(t.get("a").await, None);
    assert_eq!(listed(&t.list(&Scope::all()).await), "");
}

pub(super) async fn an_acknowledged_write_is_read(t: Trial) {
    t.put("a", "1").await;
    assert_eq!(t.text("a").await, "1");
}

pub(super) async fn an_acknowledged_write_is_listed(t: Trial) {
    t.put("a", "1").await;
    t.put("b", "2").await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=1 b=2");
}

pub(super) async fn an_acknowledged_deletion_is_read(t: Trial) {
    t.put("a", "1").await;
    t.delete("a").await;
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn an_acknowledged_deletion_is_listed(t: Trial) {
    t.commit(Txn::new().put("a", "1").put("b", "2")).await;
    t.delete("a").await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "b=2");
}

pub(super) async fn the_last_value_is_read_every_time(t: Trial) {
    for value in 1..50_u64 {
        t.put("a", value.to_string()).await;
        assert_eq!(t.number("a").await.0, value);
    }
}

pub(super) async fn the_last_value_is_listed_every_time(t: Trial) {
    for value in 1..50 {
        t.put("a", value.to_string()).await;
        assert_eq!(listed(&t.list(&Scope::key("a")).await), format!("a={value}"));
    }
}

pub(super) async fn one_user_reads_what_another_wrote(t: Trial) {
    let (one, other) = (t.hand(), t.hand());
    for value in 1..20 {
        one.put("a", value.to_string()).await;
        assert_eq!(other.text("a").await, value.to_string());
        other.put("b", value.to_string()).await;
        assert_eq!(one.text("b").await, value.to_string());
    }
}

pub(super) async fn one_task_reads_what_another_wrote(t: Trial) {
    for value in 1..20 {
        let (one, other) = (t.hand(), t.hand());
        together([async move { one.put("a", value.to_string()).await }]).await;
        together([async move { assert_eq!(other.text("a").await, value.to_string()) }]).await;
    }
}

pub(super) async fn an_entry_is_the_same_read_and_listed(t: Trial) {
    t.put("a", "1").await;
    t.put("a", "2").await;
    let entry = t.entry("a").await;
    assert_eq!(t.list(&Scope::all()).await.entries, [entry]);
}

pub(super) async fn only_the_very_key_is_read(t: Trial) {
    t.commit(Txn::new().put("ab", "1").put("a/", "2").put("b", "3").put("A", "4").put("a\0", "5")).await;
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn neighbours_are_left_alone(t: Trial) {
    t.commit(Txn::new().put("a", "1").put("ab", "2").put("abc", "3").put("b", "4")).await;
    t.delete("ab").await;
    t.put("abc", "5").await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=1 abc=5 b=4");
}

pub(super) async fn a_listing_is_no_older_than_what_was_read(t: Trial) {
    for value in 1..20 {
        t.put("a", value.to_string()).await;
        let seen = t.entry("a").await.modified;
        let listing = t.page(&Scope::prefix("b"), Page::first()).await;
        assert!(listing.revision >= seen, "read at {seen}, then listed at {}", listing.revision);
    }
}

/// Readers beside a writer, each until it has seen the last value some times.
pub(super) async fn reads_never_go_back(t: Trial) {
    const LAST: u64 = 300;
    let writer = t.hand();
    let write = async move {
        for value in 1..=LAST {
            writer.put("a", value.to_string()).await;
        }
    };
    let readers = [true, false, true].map(|by_get| {
        let hand = t.hand();
        async move {
            let (mut seen, mut after_the_last) = (0, 0);
            while after_the_last < 20 {
                let now = if by_get {
                    hand.number("a").await.0
                } else {
                    hand.page(&Scope::key("a"), Page::first()).await.entries.first().map_or(0, |e| number(e))
                };
                assert!(now >= seen, "{seen} was read, and then {now}");
                seen = now;
                after_the_last += u32::from(seen == LAST);
                tokio::task::yield_now().await;
            }
        }
    });
    beside(write, readers).await;
}

pub(super) async fn revisions_of_listings_never_go_back(t: Trial) {
    const LAST: u64 = 300;
    let (writer, reader) = (t.hand(), t.hand());
    let write = async move {
        for value in 1..=LAST {
            writer.put("a", value.to_string()).await;
        }
    };
    let read = async move {
        let (mut value, mut revision) = (0, reader.now().await);
        while value < LAST {
            let listing = reader.page(&Scope::key("a"), Page::first()).await;
            assert!(listing.revision >= revision, "listed at {revision}, and then at {}", listing.revision);
            revision = listing.revision;
            value = listing.entries.first().map_or(0, |entry| number(entry));
            tokio::task::yield_now().await;
        }
    };
    beside(write, [read]).await;
}
