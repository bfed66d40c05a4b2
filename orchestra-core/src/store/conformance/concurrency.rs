//! Many at once: one order, which is that of the revisions and keeps to real time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::trial::{Hand, Trial, all_told, revisions, together};
use crate::store::{Expect, Page, Revision, Scope, Txn};

/// So many users of the store do the same, each knowing which it is.
async fn users<T, F>(t: &Trial, count: usize, work: impl Fn(Hand, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    together((0..count).map(|user| work(t.hand(), user))).await
}

pub(super) async fn no_increment_is_lost(t: Trial) {
    users(&t, 8, |hand, _| async move {
        for _ in 0..20 {
            loop {
                let (value, at) = hand.number("counter").await;
                if hand.put_if("counter", at, (value + 1).to_string()).await.is_some() {
                    break;
                }
            }
        }
    })
    .await;
    assert_eq!(t.number("counter").await.0, 160);
}

pub(super) async fn of_many_creators_one_wins(t: Trial) {
    for round in 0..20 {
        let key = format!("lock{round}");
        let won = users(&t, 8, |hand, user| {
            let key = key.clone();
            async move { hand.put_if(&key, Expect::Absent, user.to_string()).await }
        });
        let won = won.await;
        let winners: Vec<_> = (0..8).filter(|user| won[*user].is_some()).collect();
        assert_eq!(winners.len(), 1, "{winners:?} all created {key}");
        assert_eq!(t.text(key.as_str()).await, winners[0].to_string());
    }
}

pub(super) async fn of_many_deleters_one_wins(t: Trial) {
    for _ in 0..20 {
        let at = t.put("a", "1").await;
        let won = users(&t, 8, |hand, _| async move { hand.attempt(Txn::new().delete_at("a", at)).await });
        assert_eq!(won.await.iter().flatten().count(), 1, "more than one deleted it, or none");
        assert_eq!(t.text("a").await, "-");
    }
}

pub(super) async fn no_two_txns_share_a_revision(t: Trial) {
    let made = users(&t, 8, |hand, user| async move {
        let mut made = Vec::new();
        for value in 0..20 {
            made.push(hand.put(format!("k{}", (user + value) % 5), "1").await);
        }
        made
    });
    let made = made.await.concat();
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len(), "a revision was given twice");
}

/// What begins after something was acknowledged has a later revision, whoever does it.
pub(super) async fn revisions_keep_to_real_time(t: Trial) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    users(&t, 8, |hand, user| {
        let acknowledged = Arc::clone(&acknowledged);
        async move {
            for value in 0..20 {
                let before = acknowledged.load(Ordering::SeqCst);
                let made = hand.put(format!("k{user}"), value.to_string()).await;
                assert!(made.0 > before, "{made} was made after {before} was acknowledged");
                acknowledged.fetch_max(made.0, Ordering::SeqCst);
            }
        }
    })
    .await;
}

pub(super) async fn reads_keep_to_real_time(t: Trial) {
    let acknowledged = Arc::new(AtomicU64::new(0));
    t.put("a", "0").await;
    users(&t, 6, |hand, user| {
        let acknowledged = Arc::clone(&acknowledged);
        async move {
            for value in 0..40 {
                if user < 2 {
                    let made = hand.put("a", value.to_string()).await;
                    acknowledged.fetch_max(made.0, Ordering::SeqCst);
                    continue;
                }
                let before = Revision(acknowledged.load(Ordering::SeqCst));
                let seen = if user % 2 == 0 {
                    hand.entry("a").await.modified
                } else {
                    hand.page(&Scope::key("a"), Page::first()).await.entries[0].modified
                };
                assert!(seen >= before, "{before} was acknowledged, then {seen} was read");
            }
        }
    })
    .await;
}

pub(super) async fn nobody_conflicts_with_who_writes_elsewhere(t: Trial) {
    users(&t, 8, |hand, user| async move {
        let key = format!("k{user}");
        let mut at = hand.commit(Txn::new().put_new(key.as_str(), "0")).await;
        for value in 1..20 {
            at = hand.commit(Txn::new().put_at(key.as_str(), at, value.to_string())).await;
        }
    })
    .await;
}

pub(super) async fn every_job_is_taken_once(t: Trial) {
    let jobs: Vec<String> = (0..40).map(|job| format!("jobs/{job:02}")).collect();
    for job in &jobs {
        t.put(job.as_str(), "todo").await;
    }
    let taken = users(&t, 6, |hand, user| async move {
        let mut taken = Vec::new();
        loop {
            let listing = hand.list(&Scope::prefix("jobs/")).await;
            let Some(job) = listing.entries.get(user % listing.entries.len().max(1)) else { return taken };
            if hand.attempt(Txn::new().delete_at(job.key.clone(), job.modified)).await.is_some() {
                taken.push(job.key.to_string());
            }
        }
    });
    let mut taken = taken.await.concat();
    taken.sort();
    assert_eq!(taken, jobs);
}

pub(super) async fn everything_that_is_acknowledged_is_told(t: Trial) {
    let mut watch = t.watch_now(&Scope::all()).await;
    let made = users(&t, 8, |hand, user| async move {
        let mut made = Vec::new();
        for value in 0..20 {
            let txn = Txn::new().guard(format!("g{}", value % 3), Expect::Absent);
            made.extend(
                hand.attempt(txn.put(format!("k{user}"), "1").put(format!("g{}", user % 7), "1")).await,
            );
            made.push(hand.delete(format!("g{}", user % 7)).await);
        }
        made
    });
    let mut made = made.await.concat();
    made.sort();
    made.dedup();
    let last = t.put("last", "1").await;
    let told = watch.upto(last).await;
    // A deletion of what another had deleted makes no revision: its answer may be anybody's.
    let told_revisions: BTreeSet<_> = revisions(&told).into_iter().collect();
    let missing: Vec<_> = made.iter().filter(|revision| !told_revisions.contains(revision)).collect();
    assert!(missing.iter().all(|revision| **revision < told[0].revision), "{missing:?} were not told");
    assert_eq!(told_revisions.len(), told.len(), "told twice: {}", all_told(&told));
}

pub(super) async fn an_election_has_one_leader_a_term(t: Trial) {
    let terms = users(&t, 6, |hand, user| async move {
        let mut led = Vec::new();
        for _ in 0..10 {
            let (term, at) = hand.number("term").await;
            let next = (term + 1).to_string();
            if let Some(mine) = hand.put_if("term", at, next).await {
                let write =
                    Txn::new().guard("term", Expect::At(mine)).put("leader", format!("{}-{user}", term + 1));
                hand.attempt(write).await;
                led.push(term + 1);
            }
        }
        led
    });
    let mut terms = terms.await.concat();
    let count = terms.len();
    terms.sort_unstable();
    terms.dedup();
    assert_eq!(terms.len(), count, "two led in one term");
    assert_eq!(t.number("term").await.0, count as u64);
}
