//! The linearizability checker: histories made by hand, right and wrong ones, and stores that are driven.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orchestra_core::store::conformance::linear::{
    Answer, Call, History, Refuted, Request, Told, Workload, check_registers, check_txns, drive,
};
use orchestra_core::store::{
    Batch, CommitError, Entry, Event, Expect, Key, Page, Revision, Scope, Store, StoreError, Txn,
};

#[path = "sabotage/right.rs"]
mod right;
#[path = "sabotage/tamper.rs"]
#[allow(dead_code, reason = "the other test uses more of it")]
mod tamper;

use right::RightStore;
use tamper::{Tamper, Tampered, just_before, page_at};

/// A call from one instant to another.
fn call(called: u64, answered: u64, request: Request, answer: Answer) -> Call {
    Call { client: called as usize, called, answered, request, answer }
}

fn entry(key: &str, value: &str, created: u64, modified: u64) -> Arc<Entry> {
    Arc::new(Entry {
        key: key.into(),
        value: value.into(),
        created: Revision(created),
        modified: Revision(modified),
    })
}

fn get(key: &str) -> Request {
    Request::Get(key.into())
}

fn put(key: &str, value: &str) -> Request {
    Request::Commit(Txn::new().put(key, value))
}

fn read(key: &str, value: &str, created: u64, modified: u64) -> Answer {
    Answer::Entry(Some(entry(key, value, created, modified)))
}

fn made(at: u64) -> Answer {
    Answer::Made(Revision(at))
}

const NOTHING: Answer = Answer::Entry(None);

/// What each way of looking at it says: whether it can have been.
fn verdicts(calls: Vec<Call>) -> (bool, bool) {
    let history = History { calls, told: None };
    (check_registers(&history, 1000).is_ok(), check_txns(&history).is_ok())
}

const RIGHT: (bool, bool) = (true, true);
const WRONG: (bool, bool) = (false, false);

#[test]
fn histories_of_one_key() {
    let a = || call(1, 2, put("a", "1"), made(1));
    let b = || call(3, 4, put("a", "2"), made(2));
    let slow_b = || call(3, 20, put("a", "2"), made(2));
    let lost_b = || call(3, 4, put("a", "2"), Answer::Unknown);
    let cas = |called, value, at| {
        call(called, called + 1, Request::Commit(Txn::new().put_at("a", Revision(1), value)), at)
    };
    let sees = |called, answer| call(called, called + 1, get("a"), answer);
    let table = [
        ("one after another", vec![a(), sees(3, read("a", "1", 1, 1))], RIGHT),
        ("nothing at first", vec![sees(0, NOTHING), a()], RIGHT),
        ("a lost write", vec![a(), sees(3, NOTHING)], WRONG),
        ("a stale read", vec![a(), b(), sees(5, read("a", "1", 1, 1))], WRONG),
        ("beside a write, the old value", vec![a(), slow_b(), sees(5, read("a", "1", 1, 1))], RIGHT),
        ("beside a write, the new value", vec![a(), slow_b(), sees(5, read("a", "2", 1, 2))], RIGHT),
        (
            "beside a write, the new value and then the old",
            vec![a(), slow_b(), sees(5, read("a", "2", 1, 2)), sees(7, read("a", "1", 1, 1))],
            WRONG,
        ),
        (
            "a value before it is written",
            vec![sees(0, read("a", "1", 1, 1)), call(5, 6, put("a", "1"), made(1))],
            WRONG,
        ),
        ("a value that nobody wrote", vec![a(), sees(3, read("a", "9", 1, 1))], WRONG),
        ("a read with another revision than the write's", vec![a(), sees(3, read("a", "1", 1, 7))], WRONG),
        ("an update", vec![a(), cas(3, "2", made(2)), sees(5, read("a", "2", 1, 2))], RIGHT),
        ("a lost update", vec![a(), cas(3, "2", made(2)), cas(5, "3", made(3))], WRONG),
        (
            "an update on what was deleted",
            vec![a(), call(3, 4, Request::Commit(Txn::new().delete("a")), made(2)), cas(5, "2", made(3))],
            WRONG,
        ),
        ("a conflict", vec![a(), b(), cas(5, "3", Answer::Conflict("a".into(), Some(Revision(2))))], RIGHT),
        ("a conflict that is no fact", vec![a(), cas(3, "2", Answer::Conflict("a".into(), None))], WRONG),
        (
            "a conflict that finds the future",
            vec![
                a(),
                cas(3, "3", Answer::Conflict("a".into(), Some(Revision(2)))),
                call(7, 8, put("a", "2"), made(2)),
            ],
            WRONG,
        ),
        ("a write of unknown fate that was made", vec![a(), lost_b(), sees(5, read("a", "2", 1, 2))], RIGHT),
        (
            "a write of unknown fate that was not made",
            vec![a(), lost_b(), sees(5, read("a", "1", 1, 1))],
            RIGHT,
        ),
        (
            "a write of unknown fate that is made late",
            vec![a(), lost_b(), sees(5, read("a", "1", 1, 1)), sees(7, read("a", "2", 1, 2))],
            RIGHT,
        ),
        (
            "a write of unknown fate that is seen and then not",
            vec![a(), lost_b(), sees(5, read("a", "2", 1, 2)), sees(7, read("a", "1", 1, 1))],
            WRONG,
        ),
        (
            "a deletion of unknown fate that was made",
            vec![a(), call(3, 4, Request::Commit(Txn::new().delete("a")), Answer::Unknown), sees(5, NOTHING)],
            RIGHT,
        ),
        (
            "a conflict with whom nobody saw",
            vec![a(), lost_b(), cas(5, "3", Answer::Conflict("a".into(), Some(Revision(2))))],
            RIGHT,
        ),
        (
            "a conflict with whom nobody saw, and an answer at the same revision by whom nothing was written",
            vec![
                a(),
                lost_b(),
                cas(5, "3", Answer::Conflict("a".into(), Some(Revision(2)))),
                call(7, 8, Request::Commit(Txn::new().guard("a", Expect::At(Revision(2)))), made(2)),
            ],
            RIGHT,
        ),
        (
            "a write that failed and is seen",
            vec![a(), call(3, 4, put("a", "2"), Answer::Failed), sees(5, read("a", "2", 1, 2))],
            WRONG,
        ),
        (
            "a write that failed and is not seen",
            vec![a(), call(3, 4, put("a", "2"), Answer::Failed), sees(5, read("a", "1", 1, 1))],
            RIGHT,
        ),
        ("a read that failed", vec![a(), sees(3, Answer::Failed)], RIGHT),
        (
            "deleted and written anew",
            vec![
                a(),
                call(3, 4, Request::Commit(Txn::new().delete("a")), made(2)),
                call(5, 6, put("a", "2"), made(3)),
                sees(7, read("a", "2", 3, 3)),
            ],
            RIGHT,
        ),
    ];
    for (what, calls, verdict) in table {
        assert_eq!(verdicts(calls), verdict, "{what}");
    }
}

#[test]
fn histories_of_transactions() {
    let both = |called, value: &str, at| {
        call(called, called + 1, Request::Commit(Txn::new().put("a", value).put("b", value)), made(at))
    };
    let lists = |called, at, entries: &[Arc<Entry>]| {
        call(called, called + 1, Request::List(Scope::all()), Answer::Listing(Revision(at), entries.to_vec()))
    };
    let table = [
        (
            "a transaction, listed",
            vec![both(1, "1", 1), lists(3, 1, &[entry("a", "1", 1, 1), entry("b", "1", 1, 1)])],
            true,
        ),
        (
            "half of a transaction, listed",
            vec![
                both(1, "1", 1),
                both(3, "2", 2),
                lists(5, 2, &[entry("a", "2", 1, 2), entry("b", "1", 1, 1)]),
            ],
            false,
        ),
        (
            "a transaction of which a half is missing",
            vec![both(1, "1", 1), lists(3, 1, &[entry("a", "1", 1, 1)])],
            false,
        ),
        (
            "a listing of the past",
            vec![
                both(1, "1", 1),
                both(3, "2", 2),
                lists(5, 1, &[entry("a", "1", 1, 1), entry("b", "1", 1, 1)]),
            ],
            false,
        ),
        (
            "half of a transaction, read beside it",
            vec![
                both(1, "1", 1),
                call(3, 20, Request::Commit(Txn::new().put("a", "2").put("b", "2")), made(2)),
                call(5, 6, get("a"), read("a", "2", 1, 2)),
                call(7, 8, get("b"), read("b", "1", 1, 1)),
            ],
            false,
        ),
        (
            "revisions that go back",
            vec![call(1, 2, put("a", "1"), made(2)), call(3, 4, put("b", "1"), made(1))],
            false,
        ),
        (
            "one revision for two",
            vec![call(1, 2, put("a", "1"), made(1)), call(3, 4, put("b", "1"), made(1))],
            false,
        ),
        (
            "a guard on another key that did not hold",
            vec![
                call(1, 2, put("term", "1"), made(1)),
                call(3, 4, put("term", "2"), made(2)),
                call(
                    5,
                    6,
                    Request::Commit(Txn::new().guard("term", Expect::At(Revision(1))).put("a", "1")),
                    made(3),
                ),
            ],
            false,
        ),
        (
            "a guard alone that held",
            vec![
                call(1, 2, put("a", "1"), made(1)),
                call(3, 4, Request::Commit(Txn::new().guard("a", Expect::At(Revision(1)))), made(1)),
            ],
            true,
        ),
        (
            "a guard alone that did not hold any more",
            vec![
                call(1, 2, put("a", "1"), made(1)),
                call(3, 4, put("a", "2"), made(2)),
                call(5, 6, Request::Commit(Txn::new().guard("a", Expect::At(Revision(1)))), made(1)),
            ],
            false,
        ),
        (
            "two that delete the same, of whom one finds nothing",
            vec![
                call(1, 2, put("a", "1"), made(1)),
                call(3, 4, Request::Commit(Txn::new().delete("a")), made(2)),
                call(5, 6, Request::Commit(Txn::new().delete("a")), made(2)),
            ],
            true,
        ),
        (
            "a transaction of unknown fate, seen by half",
            vec![
                call(1, 2, Request::Commit(Txn::new().put("a", "1").put("b", "1")), Answer::Unknown),
                call(3, 4, get("a"), read("a", "1", 1, 1)),
                call(5, 6, get("b"), NOTHING),
            ],
            false,
        ),
        (
            "a transaction of unknown fate that is made late",
            vec![
                call(1, 2, Request::Commit(Txn::new().put("a", "1").put("b", "1")), Answer::Unknown),
                call(3, 4, get("b"), NOTHING),
                call(5, 6, get("a"), read("a", "1", 1, 1)),
                call(7, 8, get("b"), read("b", "1", 1, 1)),
            ],
            true,
        ),
        (
            "an update that forgot when it was created",
            vec![
                call(1, 2, put("a", "1"), made(1)),
                call(3, 4, put("a", "2"), made(2)),
                call(5, 6, get("a"), read("a", "2", 2, 2)),
            ],
            false,
        ),
    ];
    for (what, calls, verdict) in table {
        let outcome = check_txns(&History { calls, told: None });
        assert_eq!(outcome.is_ok(), verdict, "{what}: {outcome:?}");
    }
}

#[test]
fn what_a_watch_told() {
    let batch = |at: u64, value: &str| {
        let event = Event { key: "a".into(), entry: Some(entry("a", value, 1, at)), previous: None };
        Arc::new(Batch { revision: Revision(at), events: [event].into() })
    };
    let calls = vec![
        call(1, 2, put("a", "1"), made(1)),
        call(3, 4, put("a", "2"), Answer::Unknown),
        call(5, 6, put("a", "3"), made(3)),
        call(7, 8, put("a", "4"), Answer::Unknown),
    ];
    let (one, two, three) = (batch(1, "1"), batch(2, "2"), batch(3, "3"));
    for (what, batches, verdict) in [
        ("everything", vec![&one, &two, &three], true),
        ("nothing of what was not made after all", vec![&one, &three], true),
        ("a batch skipped", vec![&one, &two], false),
        ("a batch twice", vec![&one, &two, &two, &three], false),
        ("batches out of order", vec![&two, &one, &three], false),
        ("a batch of nobody's", vec![&one, &batch(2, "9"), &three], false),
    ] {
        let told = Some(Told { upto: Revision(3), batches: batches.into_iter().cloned().collect() });
        let outcome = check_txns(&History { calls: calls.clone(), told });
        assert_eq!(outcome.is_ok(), verdict, "{what}: {outcome:?}");
    }
}

#[test]
fn a_search_that_is_given_up_is_no_success() {
    let calls = (0..20).map(|at| call(at, 100 + at, put("a", &at.to_string()), made(at + 1))).chain([call(
        200,
        201,
        get("a"),
        NOTHING,
    )]);
    let history = History { calls: calls.collect(), told: None };
    assert!(matches!(check_registers(&history, 100), Err(Refuted::Undecided { .. })));
}

/// Drives a store with a few seeds.
fn driven(store: impl Fn() -> Arc<dyn Store>, seeds: u64) -> Result<(), Refuted> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    (1..=seeds).try_for_each(|seed| {
        runtime.block_on(drive(store(), &Workload { seed, ..Workload::default() })).check()
    })
}

#[test]
fn a_store_that_is_right_holds() {
    driven(|| Arc::new(RightStore::default()), 10).unwrap_or_else(|refuted| panic!("{refuted}"));
}

/// What it is told may be lost on the way there or on the way back.
fn unreliable(lost: impl Fn(u64) -> bool + Clone + Send + Sync + 'static) -> Tampered {
    let count = Arc::new(AtomicU64::new(0));
    let reads = Arc::clone(&count);
    let unavailable =
        || StoreError::Unavailable { doing: "testing".into(), reason: "as it should be".into() };
    Tampered::new(
        Tamper::new()
            .commit(move |store: RightStore, txn| {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let lost = lost.clone();
                async move {
                    match number % 10 {
                        0 => Err(CommitError::Failed(unavailable())),
                        1 => Err(CommitError::Unknown { reason: "lost on the way there".into() }),
                        2 => {
                            let _ = store.commit(txn).await;
                            Err(CommitError::Unknown { reason: "lost on the way back".into() })
                        }
                        3 => {
                            tokio::spawn(async move {
                                tokio::task::yield_now().await;
                                store.commit(txn).await
                            });
                            Err(CommitError::Unknown { reason: "late".into() })
                        }
                        4 if lost(number) => {
                            let _ = store.commit(txn).await;
                            Err(CommitError::Failed(unavailable()))
                        }
                        _ => store.commit(txn).await,
                    }
                }
            })
            .get(move |store: RightStore, key: Key| {
                let number = reads.fetch_add(1, Ordering::SeqCst);
                async move { if number % 10 == 5 { Err(unavailable()) } else { store.get(&key).await } }
            }),
    )
}

#[test]
fn a_store_that_loses_answers_and_says_so_holds() {
    driven(|| Arc::new(unreliable(|_| false)), 10).unwrap_or_else(|refuted| panic!("{refuted}"));
}

#[test]
fn stores_that_are_sabotaged_are_refuted() {
    let third = |count: &AtomicU64| count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
    let table: Vec<(&str, Tampered)> = vec![
        ("a failure that was made all the same", unreliable(|_| true)),
        (
            "reads that lag",
            Tampered::new(Tamper::new().get(|store: RightStore, key: Key| async move {
                let at = Page::at(just_before(&store).await);
                Ok(store.list(&Scope::key(&*key), at).await?.entries.pop())
            })),
        ),
        (
            "listings that lag and say so",
            Tampered::new(Tamper::new().list(|store: RightStore, (scope, page): (Scope, Page)| async move {
                let at = page.from.as_ref().map(|cursor| cursor.revision);
                let at = at.unwrap_or(just_before(&store).await);
                store.list(&scope, page_at(at, &page)).await
            })),
        ),
        ("guards that are looked at too early", {
            Tampered::new(Tamper::new().commit(|store: RightStore, txn: Txn| async move {
                let guards = txn.guards().iter();
                store.commit(guards.fold(Txn::new(), |txn, g| txn.guard(g.key.clone(), g.expect))).await?;
                tokio::task::yield_now().await;
                store.commit(unguarded(&txn)).await
            }))
        }),
        ("transactions that are torn", {
            Tampered::new(Tamper::new().commit(|store: RightStore, txn: Txn| async move {
                let [first, .., _] = txn.writes() else { return store.commit(txn).await };
                if let Some(value) = first.value() {
                    store.commit(Txn::new().put(first.key().clone(), value.clone())).await?;
                }
                tokio::task::yield_now().await;
                store.commit(unguarded(&txn)).await
            }))
        }),
        ("writes that are lost", {
            let count = AtomicU64::new(0);
            Tampered::new(Tamper::new().commit(move |store: RightStore, txn: Txn| {
                let lost = third(&count) && !txn.writes().is_empty();
                async move {
                    if lost {
                        return Ok(Revision(store.commit(Txn::new()).await?.0 + 1));
                    }
                    store.commit(txn).await
                }
            }))
        }),
        ("conflicts without reason", {
            let count = AtomicU64::new(0);
            Tampered::new(Tamper::new().commit(move |store: RightStore, txn: Txn| {
                let refused = third(&count);
                async move {
                    match txn.guards().first() {
                        Some(guard) if refused => {
                            let found = matches!(guard.expect, Expect::Absent).then_some(Revision(1));
                            Err(CommitError::Conflict {
                                key: guard.key.clone(),
                                expected: guard.expect,
                                found,
                            })
                        }
                        _ => store.commit(txn).await,
                    }
                }
            }))
        }),
        ("a watch that skips", {
            Tampered::new(Tamper::new().deliveries(|| {
                let mut count = 0;
                Box::new(move |delivery| {
                    count += 1;
                    if count == 7 { vec![] } else { vec![delivery] }
                })
            }))
        }),
    ];
    for (what, store) in table {
        let outcome = driven(|| Arc::new(Tampered { store: RightStore::default(), ..store.clone() }), 5);
        match outcome {
            Err(Refuted::Impossible(why)) => println!("{what}: {why}\n"),
            outcome => panic!("{what}: {outcome:?}"),
        }
    }
}

/// The writes of a transaction, whatever stands there.
fn unguarded(txn: &Txn) -> Txn {
    txn.writes().iter().fold(Txn::new(), |txn, write| match write.value() {
        Some(value) => txn.put(write.key().clone(), value.clone()),
        None => txn.delete(write.key().clone()),
    })
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    let silent = || {
        let count = AtomicU64::new(0);
        Tampered::new(Tamper::new().commit(move |store: RightStore, txn| {
            let silent = count.fetch_add(1, Ordering::SeqCst) % 20 == 7;
            async move { if silent { std::future::pending().await } else { store.commit(txn).await } }
        }))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let workload = Workload { calls: 30, patience: Duration::from_millis(20), ..Workload::default() };
    let history = runtime.block_on(drive(Arc::new(silent()), &workload));
    assert!(history.calls.iter().any(|call| call.answer == Answer::Unknown));
    history.check().unwrap_or_else(|refuted| panic!("{refuted}"));
}
