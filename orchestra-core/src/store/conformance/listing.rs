//! A listing has exactly the keys of its scope, in their order.

use super::trial::{Trial, all_told, listed};
use crate::store::{Key, KeyRange, Scope, Txn};

/// Writes each of these keys, all with the value `1`.
async fn write(t: &Trial, keys: &[&str]) {
    t.commit(keys.iter().fold(Txn::new(), |txn, key| txn.put(*key, "1"))).await;
}

/// The keys of a scope, as they are listed.
async fn keys(t: &Trial, scope: Scope) -> String {
    listed(&t.list(&scope).await).replace("=1", "")
}

pub(super) async fn keys_are_listed_in_the_order_of_their_bytes(t: Trial) {
    write(&t, &["b", "a", "B", "a/b", "a-b", "a0", "aa", "~", "10", "9"]).await;
    assert_eq!(keys(&t, Scope::all()).await, "10 9 B a a-b a/b a0 aa b ~");
}

pub(super) async fn a_prefix_lists_what_begins_so_and_nothing_else(t: Trial) {
    write(&t, &["a", "a.", "a/", "a/b", "a/z/z", "a0", "b"]).await;
    assert_eq!(keys(&t, Scope::prefix("a/")).await, "a/ a/b a/z/z");
}

pub(super) async fn a_range_has_its_start_and_not_its_end(t: Trial) {
    write(&t, &["a", "b", "bb", "c", "d"]).await;
    assert_eq!(keys(&t, KeyRange::new("b", "d").into()).await, "b bb c");
}

pub(super) async fn a_range_begins_and_ends_between_keys(t: Trial) {
    write(&t, &["a", "c", "e", "g"]).await;
    assert_eq!(keys(&t, KeyRange::new("b", "f").into()).await, "c e");
}

pub(super) async fn a_range_without_end_lists_to_the_last_key(t: Trial) {
    write(&t, &["a", "b", "c"]).await;
    t.put(&[0xff, 0xff], "1").await;
    assert_eq!(keys(&t, KeyRange::from(Key::from("b")).into()).await, r"b c \xff\xff");
}

pub(super) async fn one_key_is_listed_without_what_begins_so(t: Trial) {
    write(&t, &["a", "a/", "aa", "b"]).await;
    assert_eq!(keys(&t, Scope::key("a")).await, "a");
    assert_eq!(keys(&t, Scope::key("c")).await, "");
}

pub(super) async fn several_ranges_are_listed_in_one_order(t: Trial) {
    write(&t, &["a/1", "b/1", "c/1", "d/1", "e"]).await;
    let scope = Scope::prefix("d/").and(KeyRange::key("e")).and(KeyRange::prefix("a/"));
    assert_eq!(keys(&t, scope).await, "a/1 d/1 e");
}

pub(super) async fn ranges_that_overlap_list_a_key_once(t: Trial) {
    write(&t, &["a", "b", "c", "d"]).await;
    let scope = Scope::from(KeyRange::new("a", "c")).and(KeyRange::new("b", "d")).and(KeyRange::key("b"));
    assert_eq!(keys(&t, scope).await, "a b c");
}

pub(super) async fn ranges_that_touch_lose_no_key(t: Trial) {
    write(&t, &["a", "b", "bb", "c"]).await;
    let scope = Scope::from(KeyRange::new("a", "b")).and(KeyRange::new("b", "c"));
    assert_eq!(keys(&t, scope).await, "a b bb");
}

pub(super) async fn the_scope_of_all_lists_every_key(t: Trial) {
    write(&t, &["a", "z"]).await;
    t.commit(Txn::new().put(&[0], "1").put(&[0xff; 9], "1")).await;
    assert_eq!(keys(&t, Scope::all()).await, r"\x00 a z \xff\xff\xff\xff\xff\xff\xff\xff\xff");
}

pub(super) async fn an_empty_scope_lists_nothing(t: Trial) {
    let written = t.put("a", "1").await;
    let listing = t.list(&Scope::nothing()).await;
    assert!(listing.entries.is_empty() && listing.revision >= written);
}

pub(super) async fn a_scope_without_keys_has_a_revision_to_watch_from(t: Trial) {
    t.put("a", "1").await;
    let scope = Scope::prefix("b/");
    let listing = t.list(&scope).await;
    assert_eq!(listed(&listing), "");
    t.put("b/1", "1").await;
    assert_eq!(all_told(&t.happened(&scope, listing.revision).await), "+b/1=1");
}

pub(super) async fn what_was_deleted_is_not_listed(t: Trial) {
    write(&t, &["a", "b", "c", "d"]).await;
    t.commit(Txn::new().delete("a").delete("d")).await;
    t.delete("b").await;
    t.put("b", "1").await;
    assert_eq!(keys(&t, Scope::all()).await, "b c");
}

pub(super) async fn entries_are_listed_whole(t: Trial) {
    let created = t.put("a", "old").await;
    let modified = t.put("a", "new").await;
    let listing = t.list(&Scope::all()).await;
    let entry = &listing.entries[0];
    assert_eq!((&*entry.key, &*entry.value), (&b"a"[..], &b"new"[..]));
    assert_eq!((entry.created, entry.modified), (created, modified));
}

pub(super) async fn many_entries_are_all_listed(t: Trial) {
    let mut written = Vec::new();
    for chunk in 0..20 {
        let keys = (0..100).map(|at| format!("k{:05}", chunk * 100 + at)).collect::<Vec<_>>();
        for some in keys.chunks(t.limits().operations.min(100)) {
            t.commit(some.iter().fold(Txn::new(), |txn, key| txn.put(key.as_str(), "1"))).await;
        }
        written.extend(keys);
    }
    assert_eq!(keys(&t, Scope::all()).await, written.join(" "));
}
