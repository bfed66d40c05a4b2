//! A watch tells everything that happens in its scope: once, in order, whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::trial::{Trial, all_told, revisions, together, told};
use crate::store::{Delivery, Entry, Key, KeyRange, Revision, Scope, StoreError, Txn};

pub(super) async fn what_happens_is_told(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let put = t.put("a", "1").await;
    assert_eq!(watch.told().await, (put, "+a=1".into()));
    let update = t.put("a", "2").await;
    assert_eq!(watch.told().await, (update, "a=2".into()));
    let delete = t.delete("a").await;
    assert_eq!(watch.told().await, (delete, "-a".into()));
}

pub(super) async fn what_had_happened_is_told_too(t: Trial) {
    let before = t.now().await;
    t.put("a", "1").await;
    t.put("b", "1").await;
    t.put("a", "2").await;
    t.delete("b").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), before).await), "+a=1 | +b=1 | a=2 | -b");
}

pub(super) async fn nothing_is_told_of_the_revision_itself_or_before(t: Trial) {
    t.put("a", "1").await;
    let second = t.put("a", "2").await;
    t.put("a", "3").await;
    assert_eq!(all_told(&t.happened(&Scope::all(), second).await), "a=3");
}

pub(super) async fn every_revision_is_told_once_and_in_order(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let mut made = Vec::new();
    for at in 0..100 {
        made.push(t.put(format!("k{}", at % 7), at.to_string()).await);
    }
    assert_eq!(revisions(&watch.upto(made[99]).await), made);
}

pub(super) async fn quick_changes_are_not_made_one(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    for value in ["1", "2"] {
        t.put("a", value).await;
        t.delete("a").await;
    }
    let last = t.put("a", "3").await;
    assert_eq!(all_told(&watch.upto(last).await), "+a=1 | -a | +a=2 | -a | +a=3");
}

pub(super) async fn a_txn_is_one_batch(t: Trial) {
    t.put("c", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    let revision = t.commit(Txn::new().put("d", "2").delete("c").put("a", "2").put("b", "2")).await;
    assert_eq!(watch.told().await, (revision, "+a=2 +b=2 -c +d=2".into()));
}

pub(super) async fn a_batch_is_in_the_order_of_the_keys(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    t.commit(Txn::new().put("b", "1").put("a/", "1").put("B", "1").put("a", "1").put("a-", "1")).await;
    assert_eq!(watch.told().await.1, "+B=1 +a=1 +a-=1 +a/=1 +b=1");
}

pub(super) async fn an_event_shows_the_entry_as_it_is_read(t: Trial) {
    t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.put("a", "2").await;
    assert_eq!(watch.batch().await.events[0].entry, t.get("a").await);
}

pub(super) async fn an_update_shows_what_stood_there_before(t: Trial) {
    t.put("a", "1").await;
    let before = t.get("a").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.put("a", "2").await;
    assert_eq!(watch.batch().await.events[0].previous, before);
}

pub(super) async fn a_deletion_shows_what_stood_there_before(t: Trial) {
    t.put("a", "1").await;
    let before = t.get("a").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.delete("a").await;
    let batch = watch.batch().await;
    assert_eq!((&batch.events[0].entry, &batch.events[0].previous), (&None, &before));
}

pub(super) async fn a_deletion_shows_no_entry(t: Trial) {
    t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.delete("a").await;
    let batch = watch.batch().await;
    assert!(batch.events[0].is_deletion(), "{batch:?}");
}

pub(super) async fn a_creation_is_one_and_shows_nothing_before(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    t.put("a", "1").await;
    let batch = watch.batch().await;
    assert!(batch.events[0].is_creation(), "{batch:?}");
    assert_eq!(batch.events[0].previous, None);
}

pub(super) async fn a_creation_after_a_deletion_is_one(t: Trial) {
    t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.delete("a").await;
    t.put("a", "2").await;
    watch.batch().await;
    let batch = watch.batch().await;
    assert!(batch.events[0].is_creation() && batch.events[0].previous.is_none(), "{batch:?}");
}

pub(super) async fn an_update_is_no_creation(t: Trial) {
    let created = t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    t.put("a", "2").await;
    let batch = watch.batch().await;
    assert!(!batch.events[0].is_creation(), "{batch:?}");
    assert_eq!(batch.events[0].entry.as_ref().map(|entry| entry.created), Some(created));
}

pub(super) async fn the_same_value_again_is_told(t: Trial) {
    t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::all()).await;
    let again = t.put("a", "1").await;
    assert_eq!(watch.told().await, (again, "a=1".into()));
}

pub(super) async fn deleting_nothing_is_not_told(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    t.delete("a").await;
    t.commit(Txn::new().delete("b").put("c", "1")).await;
    assert_eq!(watch.told().await.1, "+c=1");
}

pub(super) async fn what_is_outside_of_the_scope_is_not_told(t: Trial) {
    let mut watch = t.watch_now(&Scope::prefix("b/")).await;
    for key in ["a", "b", "b.", "b0", "c", "b/in"] {
        t.put(key, "1").await;
    }
    assert_eq!(watch.told().await.1, "+b/in=1");
}

pub(super) async fn of_a_txn_only_what_is_in_the_scope_is_told(t: Trial) {
    let mut watch = t.watch_now(&Scope::prefix("b/")).await;
    t.commit(Txn::new().put("a/1", "1").put("b/1", "1").put("b/2", "1").put("c/1", "1")).await;
    assert_eq!(watch.told().await.1, "+b/1=1 +b/2=1");
}

pub(super) async fn several_ranges_are_told_together(t: Trial) {
    let scope = Scope::prefix("pods/").and(KeyRange::key("term")).and(KeyRange::prefix("nodes/"));
    let mut watch = t.watch_now(&scope).await;
    t.commit(Txn::new().put("term", "1").put("pods/a", "1").put("other", "1").put("nodes/a", "1")).await;
    t.put("other", "2").await;
    t.put("nodes/a", "2").await;
    assert_eq!(watch.told().await.1, "+nodes/a=1 +pods/a=1 +term=1");
    assert_eq!(watch.told().await.1, "nodes/a=2");
}

pub(super) async fn one_key_is_watched_without_what_begins_so(t: Trial) {
    let mut watch = t.watch_now(&Scope::key("a")).await;
    for key in ["a/", "aa", "b", "A", "a"] {
        t.put(key, "1").await;
    }
    assert_eq!(watch.told().await.1, "+a=1");
}

pub(super) async fn a_prefix_of_the_greatest_bytes_is_watched_to_its_end(t: Trial) {
    let mut watch = t.watch_now(&Scope::prefix(b"a\xff")).await;
    t.commit(Txn::new().put(b"a\xfe", "0").put(b"a\xff", "1").put(b"a\xff\xff", "2").put("b", "3")).await;
    assert_eq!(watch.told().await.1, r"+a\xff=1 +a\xff\xff=2");
}

pub(super) async fn every_key_is_watched_in_the_scope_of_all(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    t.commit(Txn::new().put(&[0], "1").put("m", "1").put(&[0xff, 0xff, 0xff], "1")).await;
    assert_eq!(watch.told().await.1, r"+\x00=1 +m=1 +\xff\xff\xff=1");
}

pub(super) async fn an_empty_scope_is_told_nothing(t: Trial) {
    let mut watch = t.watch_now(&Scope::nothing()).await;
    let last = t.put("a", "1").await;
    watch.nothing_upto(last).await;
}

/// From before the first revision, where nothing has ever happened, or all that did is forgotten.
pub(super) async fn a_watch_from_before_everything_waits(t: Trial) {
    let mut watch = match t.store().watch(&Scope::all(), Revision(0)).await {
        Ok(watch) => watch,
        Err(error) => return assert!(matches!(error, StoreError::Compacted { .. }), "{error}"),
    };
    // Whoever looks is told at once that there is nothing yet, and need not look again until there is.
    let looked = std::future::poll_fn(|cx| std::task::Poll::Ready(watch.poll_next(cx))).await;
    match looked {
        std::task::Poll::Pending => {}
        std::task::Poll::Ready(Err(StoreError::Compacted { .. })) => return,
        std::task::Poll::Ready(told) => panic!("nothing has happened, and yet: {told:?}"),
    }
    let revision = t.put("a", "1").await;
    match watch.next().await {
        Ok(Delivery::Batch(batch)) => assert_eq!(batch.revision, revision),
        told => assert!(matches!(told, Err(StoreError::Compacted { .. })), "{told:?}"),
    }
}

pub(super) async fn a_waiting_watch_is_woken(t: Trial) {
    for round in 0..20 {
        let mut watch = t.watch_now(&Scope::all()).await;
        let waiting = tokio::spawn(async move { watch.told().await });
        // So that it mostly waits already.
        tokio::task::yield_now().await;
        let revision = t.put("a", round.to_string()).await;
        assert_eq!(waiting.await.unwrap().0, revision);
    }
}

pub(super) async fn a_watch_read_late_misses_nothing(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    for value in 1..=50 {
        t.put("a", value.to_string()).await;
    }
    for value in 1..=50 {
        assert!(watch.told().await.1.ends_with(&format!("a={value}")));
    }
}

pub(super) async fn whoever_polled_last_is_woken(t: Trial) {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let mut watch = t.watch_now(&Scope::all()).await;
    let (first, last) = (Arc::new(Flag(false.into())), Arc::new(Flag(false.into())));
    for flag in [&first, &last] {
        let waker = Waker::from(Arc::clone(flag));
        assert!(
            watch.source().poll_next(&mut Context::from_waker(&waker)).is_pending(),
            "nothing happened yet"
        );
    }
    t.put("a", "1").await;
    while !last.0.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert_eq!(watch.told().await.1, "+a=1");
}

pub(super) async fn the_future_cannot_be_watched(t: Trial) {
    let now = t.put("a", "1").await;
    let future = Revision(now.0 + 1_000_000);
    let error = t.unwatched(&Scope::all(), future).await;
    let StoreError::Ahead { asked, current } = error else { panic!("it should be ahead: {error}") };
    assert!(asked == future && current >= now && current < future, "{error}");
}

/// Who is told of a write and reads then, reads that write or a later one.
pub(super) async fn nothing_is_told_before_it_can_be_read(t: Trial) {
    const LAST: u64 = 200;
    let mut watch = t.watch_now(&Scope::all()).await;
    let writer = t.hand();
    let writing = tokio::spawn(async move {
        for value in 1..=LAST {
            writer.put("a", value.to_string()).await;
        }
    });
    for _ in 0..LAST {
        let told = watch.batch().await.revision;
        let read = t.entry("a").await.modified;
        assert!(read >= told, "told of {told}, read at {read}");
    }
    writing.await.unwrap();
}

/// Lists, watches from there, and holds what it was told against what is there at last.
pub(super) async fn list_and_watch_leave_no_gap(t: Trial) {
    const ROUNDS: u64 = 60;
    const WRITERS: u64 = 3;
    let writers = (0..WRITERS).map(|writer| {
        let hand = t.hand();
        async move {
            for round in 0..ROUNDS {
                let key = format!("k{}", (writer + round) % 5);
                match round % 4 {
                    3 => hand.delete(key.as_str()).await,
                    _ => hand.put(key.as_str(), format!("{writer}-{round}")).await,
                };
            }
        }
    });
    let watchers = (0..3).map(|_| {
        let hand = t.hand();
        async move {
            let listing = hand.list(&Scope::prefix("k")).await;
            let watch = hand.watch(&Scope::prefix("k").and(KeyRange::key("marker")), listing.revision).await;
            let model: BTreeMap<Key, Arc<Entry>> =
                listing.entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
            (watch, model)
        }
    });
    let writing = tokio::spawn(together(writers.collect::<Vec<_>>()));
    let watched = together(watchers).await;
    writing.await.unwrap();
    let marker = t.put("marker", "1").await;
    let last = t.list(&Scope::prefix("k")).await.entries;
    for (mut watch, mut model) in watched {
        while let Delivery::Batch(batch) = watch.next().await {
            if batch.revision == marker {
                break;
            }
            for event in &batch.events {
                let previous = match &event.entry {
                    Some(entry) => model.insert(event.key.clone(), entry.clone()),
                    None => model.remove(&event.key),
                };
                assert_eq!(event.previous, previous, "there is a gap before {}", told(&batch));
            }
        }
        assert_eq!(
            model.into_values().collect::<Vec<_>>(),
            last,
            "what was told does not add up to what is there"
        );
    }
}

pub(super) async fn what_is_acknowledged_at_once_is_told_in_order(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let writers = (0..4).map(|writer| {
        let hand = t.hand();
        async move {
            let mut made = Vec::new();
            for round in 0..25 {
                made.push(hand.put(format!("k{writer}"), round.to_string()).await);
            }
            made
        }
    });
    let mut made = together(writers).await.concat();
    made.sort();
    assert_eq!(revisions(&watch.upto(made[99]).await), made);
}

pub(super) async fn a_watch_that_nobody_writes_to_waits(t: Trial) {
    t.put("a", "1").await;
    let mut watch = t.watch_now(&Scope::prefix("b")).await;
    t.put("a", "2").await;
    let waker = Waker::noop();
    for _ in 0..10 {
        let polled = watch.source().poll_next(&mut Context::from_waker(waker));
        assert!(matches!(polled, Poll::Pending), "nothing was due, {polled:?} came");
        tokio::task::yield_now().await;
    }
}
