//! Values are bytes: any, none, and as many as may be.

use super::trial::{Trial, listed};
use crate::store::{CommitError, Scope, Txn};

pub(super) async fn an_empty_value_is_a_value(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let revision = t.put("a", "").await;
    let entry = t.entry("a").await;
    assert_eq!((entry.value.len(), entry.modified), (0, revision));
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=");
    assert_eq!(watch.told().await, (revision, "+a=".into()));
}

pub(super) async fn any_bytes_are_a_value(t: Trial) {
    let bytes: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    let mut watch = t.watch_now(&Scope::all()).await;
    t.put("a", bytes.clone()).await;
    assert_eq!(*t.entry("a").await.value, bytes, "read");
    assert_eq!(*t.list(&Scope::all()).await.entries[0].value, bytes, "listed");
    let batch = watch.batch().await;
    assert_eq!(batch.events[0].entry.as_ref().map(|entry| entry.value.to_vec()), Some(bytes), "watched");
}

pub(super) async fn a_short_value_replaces_a_long_one(t: Trial) {
    t.put("a", vec![b'x'; 10_000]).await;
    t.put("a", "short").await;
    assert_eq!(t.text("a").await, "short");
    t.put("a", "").await;
    assert_eq!(t.text("a").await, "");
}

/// The longest value under the key `a`.
fn longest(t: &Trial) -> Vec<u8> {
    (0..t.limits().bytes - 1).map(|at| (at % 251) as u8).collect()
}

pub(super) async fn the_longest_value_is_kept_whole(t: Trial) {
    let value = longest(&t);
    let mut watch = t.watch_now(&Scope::all()).await;
    t.put("a", value.clone()).await;
    // Not `assert_eq`, which would print them.
    assert!(*t.entry("a").await.value == *value, "read, it is another");
    assert!(*t.list(&Scope::all()).await.entries[0].value == *value, "listed, it is another");
    let batch = watch.batch().await;
    let told = batch.events[0].entry.as_ref().expect("it was written");
    assert!(*told.value == *value, "watched, it is another");
}

pub(super) async fn a_value_that_is_too_long_is_refused(t: Trial) {
    let mut value = longest(&t);
    value.push(0);
    let error = t.refused(Txn::new().put("a", value)).await;
    assert!(matches!(error, CommitError::TooLarge { .. }), "{error}");
    assert_eq!(t.text("a").await, "-");
}

pub(super) async fn values_are_counted_together(t: Trial) {
    let half = vec![0; t.limits().bytes / 2 + 1];
    let error = t.refused(Txn::new().put("a", half.clone()).put("b", half)).await;
    assert!(matches!(error, CommitError::TooLarge { .. }), "{error}");
    assert_eq!(listed(&t.list(&Scope::all()).await), "");
}

pub(super) async fn many_long_values_are_listed_whole(t: Trial) {
    let value = vec![b'v'; t.limits().bytes / 2];
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        t.put(key, value.clone()).await;
    }
    let listing = t.list(&Scope::all()).await;
    assert_eq!(listing.entries.len(), 8);
    assert!(listing.entries.iter().all(|entry| *entry.value == *value), "listed, one is another");
}
