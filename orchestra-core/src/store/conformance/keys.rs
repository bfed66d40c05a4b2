//! Keys are bytes: any but none, ordered by their bytes, never mistaken for one another.

use super::trial::{Trial, listed, told};
use crate::store::{Key, Scope, Txn};

/// Writes each key with a value of its own, and finds each by reading, listing and watching.
async fn are_kept_apart(t: &Trial, keys: &[&[u8]]) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let mut due = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        t.put(*key, at.to_string()).await;
        due.push((Key::from(*key), at.to_string()));
        assert_eq!(told(&*watch.batch().await), format!("+{}={at}", key.escape_ascii()));
    }
    for (key, value) in &due {
        assert_eq!(t.text(key.clone()).await, *value, "{key}");
        assert_eq!(listed(&t.list(&Scope::key(&**key)).await), format!("{key}={value}"));
    }
    due.sort();
    let due: Vec<_> = due.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(listed(&t.list(&Scope::all()).await), due.join(" "));
    // And none goes with another.
    for (at, key) in keys.iter().enumerate() {
        t.delete(*key).await;
        assert_eq!(t.list(&Scope::all()).await.entries.len(), keys.len() - at - 1);
    }
}

pub(super) async fn a_key_may_begin_another(t: Trial) {
    are_kept_apart(&t, &[b"a", b"ab", b"abc", b"abcd", b"b"]).await;
}

pub(super) async fn zero_bytes_count(t: Trial) {
    are_kept_apart(&t, &[b"\0", b"\0\0", b"a", b"a\0", b"a\0\0", b"a\0b", b"a\x01"]).await;
}

pub(super) async fn the_greatest_bytes_count(t: Trial) {
    are_kept_apart(&t, &[b"\xff", b"\xff\xff", b"a\xff", b"a\xff\xff", b"a\xfe", b"b"]).await;
}

pub(super) async fn case_counts(t: Trial) {
    are_kept_apart(&t, &[b"a", b"A", b"Web", b"web", b"WEB"]).await;
}

pub(super) async fn any_text_is_a_key(t: Trial) {
    are_kept_apart(&t, &["ключ".as_bytes(), "鍵".as_bytes(), "e\u{301}".as_bytes(), "é".as_bytes()]).await;
}

pub(super) async fn a_key_is_no_path(t: Trial) {
    are_kept_apart(&t, &[b"a", b"a/", b"/a", b"a//b", b"a/b", b"a/../b", b"a/./b", b"b", b".", b"..", b"/"])
        .await;
}

pub(super) async fn blanks_and_signs_count(t: Trial) {
    are_kept_apart(
        &t,
        &[b" ", b"a ", b" a", b"a\t", b"a\n", b"a\r\n", b"%", b"%2f", b"*", b"?", b"'", b"\"", b"\\"],
    )
    .await;
}

pub(super) async fn a_key_need_not_be_text(t: Trial) {
    are_kept_apart(&t, &[b"\x80", b"\xc3\x28", b"\xed\xa0\x80", b"\xfe", b"\xf0\x28\x8c\x28"]).await;
}

pub(super) async fn each_byte_is_a_key(t: Trial) {
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    for some in bytes.chunks(t.limits().operations) {
        t.commit(some.iter().fold(Txn::new(), |txn, byte| txn.put(&[*byte], &[*byte]))).await;
    }
    let listing = t.list(&Scope::all()).await;
    let seen: Vec<u8> = listing.entries.iter().map(|entry| entry.key[0]).collect();
    assert_eq!(seen, bytes);
    assert!(listing.entries.iter().all(|entry| *entry.key == *entry.value), "a value is another key's");
}

pub(super) async fn the_longest_keys_are_kept_apart(t: Trial) {
    let mut one = vec![b'k'; t.limits().key_bytes];
    let shorter = one[1..].to_vec();
    let mut other = one.clone();
    *other.last_mut().expect("a key may have a byte at least") = b'l';
    one[0] = b'j';
    are_kept_apart(&t, &[&one, &other, &shorter]).await;
}
