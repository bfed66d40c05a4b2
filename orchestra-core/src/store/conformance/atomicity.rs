//! A transaction takes effect wholly or not at all, for everybody.

use super::trial::{Hand, Trial, beside, listed, number, together, told};
use crate::store::{CommitError, Expect, Page, Revision, Scope, Txn};

const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The same value under all keys.
fn all_of(value: u64) -> Txn {
    KEYS.iter().fold(Txn::new(), |txn, key| txn.put(*key, value.to_string()))
}

pub(super) async fn all_writes_are_made(t: Trial) {
    t.put("c", "old").await;
    t.put("d", "old").await;
    t.commit(Txn::new().put("a", "1").put("b", "2").put("c", "3").delete("d")).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=1 b=2 c=3");
}

pub(super) async fn as_many_writes_as_may_be_are_made(t: Trial) {
    let many = t.limits().operations.min(1000);
    let txn = (0..many).fold(Txn::new(), |txn, at| txn.put(format!("k{at:04}"), at.to_string()));
    let revision = t.commit(txn).await;
    let listing = t.list(&Scope::all()).await;
    assert_eq!(listing.entries.len(), many);
    assert!(listing.entries.iter().all(|entry| entry.modified == revision));
}

pub(super) async fn a_refused_txn_leaves_nothing(t: Trial) {
    let twice = t.refused(Txn::new().put("a", "1").put("b", "1").put("a", "2")).await;
    assert!(matches!(twice, CommitError::Invalid { .. }), "{twice}");
    let too_long = vec![b'k'; t.limits().key_bytes + 1];
    t.refused(Txn::new().put("a", "1").put(too_long, "1")).await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "");
}

/// One writer counts under all keys at once, after a revision; each reader looks until it sees the end.
async fn beside_a_writer<F: Future<Output = ()> + Send + 'static>(
    t: &Trial,
    last: u64,
    look: impl Fn(Hand, Revision) -> F,
) {
    let start = t.commit(all_of(0)).await;
    let writer = t.hand();
    let write = async move {
        for value in 1..=last {
            writer.commit(all_of(value)).await;
        }
    };
    beside(write, [look(t.hand(), start), look(t.hand(), start)]).await;
}

pub(super) async fn a_listing_shows_no_half_of_a_txn(t: Trial) {
    const LAST: u64 = 200;
    beside_a_writer(&t, LAST, async |hand, _| {
        loop {
            let listing = hand.page(&Scope::all(), Page::first()).await;
            let seen: Vec<u64> = listing.entries.iter().map(|entry| number(entry)).collect();
            assert_eq!(seen, [seen[0]; KEYS.len()], "half of a transaction at {}", listing.revision);
            if seen[0] == LAST {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// What is read later must not be older, in whichever order the keys are read.
pub(super) async fn gets_show_no_half_of_a_txn(t: Trial) {
    const LAST: u64 = 200;
    beside_a_writer(&t, LAST, async |hand, _| {
        let mut seen = 0;
        while seen < LAST {
            for key in KEYS.iter().chain(KEYS.iter().rev()) {
                let now = hand.number(key).await.0;
                assert!(
                    now >= seen,
                    "{key} is at {now}, where another key was at {seen}: half of a transaction"
                );
                seen = now;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(super) async fn a_watch_tells_no_half_of_a_txn(t: Trial) {
    const LAST: u64 = 200;
    beside_a_writer(&t, LAST, async |hand, start| {
        let mut watch = hand.watch(&Scope::all(), start).await;
        let mut seen = 0;
        while seen < LAST {
            let batch = watch.batch().await;
            let first = batch.events[0].entry.as_ref().map_or(0, |entry| number(entry));
            let whole = KEYS.map(|key| format!("{key}={first}")).join(" ");
            assert_eq!(told(&batch), whole, "half of a transaction at {}", batch.revision);
            seen = first;
        }
    })
    .await;
}

/// Money moves between accounts; whoever lists them finds none lost and none made.
pub(super) async fn transfers_keep_the_sum(t: Trial) {
    const SUM: u64 = 500;
    t.commit(KEYS.iter().fold(Txn::new(), |txn, key| txn.put(*key, "100"))).await;
    let movers = (0..4_usize).map(|mover| {
        let hand = t.hand();
        async move {
            for step in 0..25 {
                let (from, to) = (KEYS[(mover + step) % 5], KEYS[(mover * 2 + step + 1) % 5]);
                if from != to {
                    transfer(&hand, from, to).await;
                }
                let sum: u64 = hand.list(&Scope::all()).await.entries.iter().map(|entry| number(entry)).sum();
                assert_eq!(sum, SUM, "a transfer was seen or made by half");
            }
        }
    });
    together(movers).await;
}

async fn transfer(hand: &Hand, from: &str, to: &str) {
    loop {
        let ((rich, rich_at), (poor, poor_at)) = (hand.number(from).await, hand.number(to).await);
        if rich == 0 {
            return;
        }
        let guarded = Txn::new().guard(from, rich_at).guard(to, poor_at);
        let txn = guarded.put(from, (rich - 1).to_string()).put(to, (poor + 1).to_string());
        if hand.attempt(txn).await.is_some() {
            return;
        }
    }
}

/// Two write the same keys at once: what is there at last is all of one of them.
pub(super) async fn of_two_txns_at_once_the_last_is_there_wholly(t: Trial) {
    for round in 0..25 {
        let answers = together([2 * round, 2 * round + 1].map(|value| {
            let hand = t.hand();
            async move { (hand.commit(all_of(value)).await, value) }
        }));
        let (_, last) = answers.await.into_iter().max().unwrap();
        let all = KEYS.map(|key| format!("{key}={last}")).join(" ");
        assert_eq!(listed(&t.list(&Scope::all()).await), all);
    }
}

pub(super) async fn a_swap_is_whole(t: Trial) {
    let at = t.commit(Txn::new().put("a", "x").put("b", "y")).await;
    t.commit(Txn::new().guard("a", Expect::At(at)).guard("b", Expect::At(at)).put("a", "y").put("b", "x"))
        .await;
    assert_eq!(listed(&t.list(&Scope::all()).await), "a=y b=x");
}
