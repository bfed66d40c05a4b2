//! What can be wrong with a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use orchestra_core::store::{CommitError, Expect, Guard, Key, Revision, Store, Txn, Write};
use tokio::task::yield_now;

use crate::right::RightStore;
use crate::tamper::{Tamper, now};
use crate::{Sabotage, hanging, sabotage};

/// A transaction of some guards and writes.
fn txn<'a>(guards: impl IntoIterator<Item = &'a Guard>, writes: impl IntoIterator<Item = &'a Write>) -> Txn {
    let txn = guards.into_iter().fold(Txn::new(), |txn, guard| txn.guard(guard.key.clone(), guard.expect));
    writes.into_iter().fold(txn, |txn, write| match write {
        Write::Put(key, value) => txn.put(key.clone(), value.clone()),
        Write::Delete(key) => txn.delete(key.clone()),
    })
}

fn only_guards(of: &Txn, keep: impl Fn(&Guard) -> bool) -> Txn {
    txn(of.guards().iter().filter(|guard| keep(guard)), of.writes())
}

fn only_writes(of: &Txn, keep: impl Fn(&Write) -> bool) -> Txn {
    txn(of.guards(), of.writes().iter().filter(|write| keep(write)))
}

fn is_put(write: &Write) -> bool {
    write.value().is_some()
}

/// Writes with other keys and values.
fn rewritten(of: &Txn, change: impl Fn(&Key, &[u8]) -> (Key, Vec<u8>)) -> Txn {
    let guards: Vec<_> = of
        .guards()
        .iter()
        .map(|guard| Guard { key: change(&guard.key, &[]).0, expect: guard.expect })
        .collect();
    let writes = of.writes().iter().map(|write| match write {
        Write::Put(key, value) => {
            let (key, value) = change(key, value);
            Write::Put(key, value.into())
        }
        Write::Delete(key) => Write::Delete(change(key, &[]).0),
    });
    txn(&guards, &writes.collect::<Vec<_>>())
}

/// Makes the writes one after another, each on its own.
async fn one_by_one(store: RightStore, of: Txn) -> Result<Revision, CommitError> {
    let mut made = store.commit(txn(of.guards(), [])).await?;
    for write in of.writes() {
        made = store.commit(txn([], [write])).await?;
        yield_now().await;
    }
    Ok(made)
}

/// A tamper with the errors of commits.
fn errors(change: impl Fn(&mut CommitError) + Clone + Send + Sync + 'static) -> Tamper {
    Tamper::new().commit(move |store, txn| {
        let change = change.clone();
        async move {
            store.commit(txn).await.map_err(|mut error| {
                change(&mut error);
                error
            })
        }
    })
}

/// A tamper with keys, wherever one is given.
fn keys(change: impl Fn(&Key) -> Key + Clone + Send + Sync + 'static) -> Tamper {
    let read = change.clone();
    Tamper::new().txn(move |txn| rewritten(&txn, |key, value| (change(key), value.to_vec()))).get(
        move |store, key| {
            let key = read(&key);
            async move { store.get(&key).await }
        },
    )
}

fn values(change: impl Fn(&[u8]) -> Vec<u8> + Clone + Send + Sync + 'static) -> Tamper {
    Tamper::new().txn(move |txn| rewritten(&txn, |key, value| (key.clone(), change(value))))
}

pub(crate) fn all() -> Vec<Sabotage> {
    vec![
        sabotage(
            "a write is acknowledged and not made",
            "an_acknowledged_write_is_read",
            Tamper::new().commit(|store, _| async move { Ok(Revision(now(&store).await.0 + 1)) }),
        ),
        sabotage(
            "a deletion is acknowledged and not made",
            "an_acknowledged_deletion_is_read",
            Tamper::new().txn(|txn| only_writes(&txn, is_put)),
        ),
        sabotage(
            "the last of several writes is lost",
            "all_writes_are_made",
            Tamper::new().txn(|of| match of.writes() {
                [first @ .., _] if !first.is_empty() => txn(of.guards(), first),
                _ => of,
            }),
        ),
        sabotage(
            "each write has a revision of its own",
            "a_txn_has_one_revision",
            Tamper::new().commit(one_by_one),
        ),
        sabotage(
            "writes are seen one by one by reads",
            "gets_show_no_half_of_a_txn",
            Tamper::new().commit(one_by_one),
        ),
        sabotage(
            "writes are seen one by one by listings",
            "a_listing_shows_no_half_of_a_txn",
            Tamper::new().commit(one_by_one),
        ),
        sabotage(
            "a dropped commit leaves its first write",
            "a_dropped_commit_is_made_wholly_or_not_at_all",
            Tamper::new().commit(|store, of| async move {
                store.commit(txn(of.guards(), of.writes().first())).await?;
                yield_now().await;
                store.commit(txn([], of.writes())).await
            }),
        ),
        sabotage(
            "a commit is sent again when its answer is late",
            "a_dropped_commit_is_not_made_twice",
            Tamper::new().commit(|store, of| async move {
                store.commit(of.clone()).await?;
                yield_now().await;
                store.commit(txn([], of.writes())).await
            }),
        ),
        hanging("a dropped commit keeps its lock", "the_store_goes_on_after_dropped_commits", {
            let busy = Arc::new(AtomicBool::new(false));
            Tamper::new().commit(move |store, txn| {
                let busy = Arc::clone(&busy);
                async move {
                    while busy.swap(true, Ordering::SeqCst) {
                        yield_now().await;
                    }
                    yield_now().await;
                    let done = store.commit(txn).await;
                    busy.store(false, Ordering::SeqCst);
                    done
                }
            })
        }),
        sabotage(
            "guards are looked at some time before the writes",
            "no_increment_is_lost",
            Tamper::new().commit(|store, of| async move {
                store.commit(txn(of.guards(), [])).await?;
                yield_now().await;
                store.commit(txn([], of.writes())).await
            }),
        ),
        sabotage(
            "the answer is the revision before",
            "the_answer_is_the_revision_of_the_write",
            Tamper::new().commit(|store, txn| async move { Ok(Revision(store.commit(txn).await?.0 - 1)) }),
        ),
        sabotage(
            "guards on keys that are not written are left out",
            "a_guard_counts_on_a_key_that_is_not_written",
            Tamper::new().txn(|txn| {
                only_guards(&txn, |guard| txn.writes().iter().any(|write| *write.key() == guard.key))
            }),
        ),
        sabotage(
            "guards for absence are left out",
            "absent_fails_where_something_is",
            Tamper::new().txn(|txn| only_guards(&txn, |guard| guard.expect != Expect::Absent)),
        ),
        sabotage(
            "guards for a revision are left out",
            "at_fails_after_an_update",
            Tamper::new().txn(|txn| only_guards(&txn, |guard| guard.expect == Expect::Absent)),
        ),
        sabotage(
            "guards are held against the creation",
            "at_means_the_last_write_not_the_creation",
            Tamper::new().commit(|store, of| async move {
                let mut guards = of.guards().to_vec();
                for guard in &mut guards {
                    if let Some(entry) = store.get(&guard.key).await?
                        && guard.expect == Expect::At(entry.created)
                    {
                        guard.expect = Expect::At(entry.modified);
                    }
                }
                store.commit(txn(&guards, of.writes())).await
            }),
        ),
        sabotage(
            "a guard holds for what is older",
            "at_fails_at_any_later_revision",
            Tamper::new().commit(|store, of| async move {
                let mut guards = of.guards().to_vec();
                for guard in &mut guards {
                    if let (Some(entry), Expect::At(at)) = (store.get(&guard.key).await?, guard.expect)
                        && at > entry.modified
                    {
                        guard.expect = Expect::At(entry.modified);
                    }
                }
                store.commit(txn(&guards, of.writes())).await
            }),
        ),
        sabotage(
            "only the first guard is looked at",
            "every_guard_counts",
            Tamper::new().txn(|of| txn(of.guards().first(), of.writes())),
        ),
        sabotage(
            "only the last guard on a key is looked at",
            "two_guards_on_one_key_both_count",
            Tamper::new().txn(|of| {
                let last = of.guards().iter().enumerate();
                let last = last
                    .filter(|(at, guard)| of.guards()[at + 1..].iter().all(|later| later.key != guard.key));
                txn(last.map(|(_, guard)| guard), of.writes())
            }),
        ),
        sabotage(
            "guards are not looked at without writes",
            "a_guard_alone_holds_or_conflicts",
            Tamper::new().txn(|of| if of.writes().is_empty() { Txn::new() } else { of }),
        ),
        sabotage(
            "zero means absence",
            "no_revision_is_not_absence",
            Tamper::new().txn(|of| {
                let mut guards = of.guards().to_vec();
                for guard in guards.iter_mut().filter(|guard| guard.expect == Expect::At(Revision(0))) {
                    guard.expect = Expect::Absent;
                }
                txn(&guards, of.writes())
            }),
        ),
        sabotage(
            "a conflict writes all the same",
            "a_conflict_writes_nothing",
            Tamper::new().commit(|store, of| async move {
                let answer = store.commit(of.clone()).await;
                if answer.is_err() {
                    store.commit(txn([], of.writes())).await?;
                }
                answer
            }),
        ),
        sabotage(
            "a conflict finds the creation",
            "a_conflict_says_when_what_it_found_was_written",
            Tamper::new().commit(|store, txn| async move {
                match store.commit(txn).await {
                    Err(CommitError::Conflict { key, expected, .. }) => {
                        let found = store.get(&key).await?.map(|entry| entry.created);
                        Err(CommitError::Conflict { key, expected, found })
                    }
                    answer => answer,
                }
            }),
        ),
        sabotage(
            "a conflict finds something where nothing is",
            "a_conflict_says_when_it_found_nothing",
            errors(|error| {
                if let CommitError::Conflict { found, .. } = error {
                    *found = found.or(Some(Revision(0)));
                }
            }),
        ),
        sabotage(
            "a conflict blames the first guard",
            "a_conflict_names_the_guard_that_did_not_hold",
            Tamper::new().commit(|store, txn| async move {
                let first = txn.guards().first().cloned();
                match (store.commit(txn).await, first) {
                    (Err(CommitError::Conflict { found, .. }), Some(Guard { key, expect: expected })) => {
                        Err(CommitError::Conflict { key, expected, found })
                    }
                    (answer, _) => answer,
                }
            }),
        ),
        sabotage(
            "a conflict tells another expectation",
            "a_conflict_says_what_was_expected",
            errors(|error| {
                if let CommitError::Conflict { expected, .. } = error {
                    *expected = Expect::Absent;
                }
            }),
        ),
        sabotage("every third guard conflicts", "nobody_conflicts_with_who_writes_elsewhere", {
            let count = AtomicU64::new(0);
            Tamper::new().commit(move |store, txn| {
                let refused = count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
                async move {
                    match txn.guards().first().cloned() {
                        Some(Guard { key, expect: expected }) if refused => {
                            Err(CommitError::Conflict { key, expected, found: None })
                        }
                        _ => store.commit(txn).await,
                    }
                }
            })
        }),
        sabotage(
            "a transaction may write one key",
            "limits_leave_room_for_a_txn",
            Tamper::new().limits(|limits| limits.operations = 1),
        ),
        sabotage(
            "an empty transaction makes a revision",
            "an_empty_txn_makes_no_revision",
            Tamper::new().txn(|txn| if txn == Txn::new() { txn.put("\0", "\0") } else { txn }),
        ),
        sabotage(
            "deleting nothing makes a revision",
            "deleting_nothing_makes_no_revision",
            Tamper::new().commit(|store, of| async move {
                for write in of.writes().iter().filter(|write| !is_put(write)) {
                    if store.get(write.key()).await?.is_none() {
                        store.commit(Txn::new().put(write.key().clone(), "")).await?;
                    }
                }
                store.commit(of).await
            }),
        ),
        sabotage(
            "a value that is there already is not written",
            "the_same_value_again_is_a_write",
            Tamper::new().commit(|store, of| async move {
                let mut new = Vec::new();
                for write in of.writes() {
                    if write.value() != store.get(write.key()).await?.as_ref().map(|entry| &entry.value) {
                        new.push(write.clone());
                    }
                }
                store.commit(txn(of.guards(), &new)).await
            }),
        ),
        sabotage(
            "many writes are made in pieces",
            "as_many_writes_as_may_be_are_made",
            Tamper::new().commit(|store, of| async move {
                let mut made = store.commit(txn(of.guards(), [])).await?;
                for piece in of.writes().chunks(100) {
                    made = store.commit(txn([], piece)).await?;
                }
                Ok(made)
            }),
        ),
        sabotage(
            "more writes are taken than is said",
            "too_many_writes_are_refused",
            Tamper::new().limits(|limits| limits.operations = 64),
        ),
        sabotage(
            "longer values are taken than is said",
            "a_value_that_is_too_long_is_refused",
            Tamper::new().limits(|limits| limits.bytes = 10_000),
        ),
        sabotage(
            "longer keys are taken than is said",
            "a_key_that_is_too_long_is_refused",
            Tamper::new().limits(|limits| limits.key_bytes = 100),
        ),
        sabotage(
            "of a key written twice the last counts",
            "a_key_written_twice_makes_no_sense",
            Tamper::new().txn(|of| {
                let writes = of.writes().iter().enumerate();
                let last =
                    writes.filter(|(at, write)| of.writes()[at + 1..].iter().all(|w| w.key() != write.key()));
                txn(of.guards(), last.map(|(_, write)| write))
            }),
        ),
        sabotage(
            "a transaction is refused in the midst of its writes",
            "a_refused_txn_leaves_nothing",
            Tamper::new().commit(|store, of| async move {
                if let Err(error @ CommitError::Invalid { .. }) = of.check(&store.limits()) {
                    store.commit(txn([], of.writes().first())).await?;
                    return Err(error);
                }
                store.commit(of).await
            }),
        ),
        sabotage(
            "long values are cut off",
            "the_longest_value_is_kept_whole",
            values(|value| value[..value.len().min(1_000_000)].to_vec()),
        ),
        sabotage(
            "values are taken for text",
            "any_bytes_are_a_value",
            values(|value| String::from_utf8_lossy(value).into_owned().into_bytes()),
        ),
        sabotage(
            "an empty value deletes",
            "an_empty_value_is_a_value",
            Tamper::new().txn(|of| {
                let delete = |write: &Write| match write {
                    Write::Put(key, value) if value.is_empty() => Write::Delete(key.clone()),
                    write => write.clone(),
                };
                txn(of.guards(), &of.writes().iter().map(delete).collect::<Vec<_>>())
            }),
        ),
        sabotage("keys are folded", "case_counts", keys(|key| key.to_ascii_lowercase().into())),
        sabotage(
            "keys end at a zero byte",
            "zero_bytes_count",
            keys(|key| match key.iter().skip(1).position(|byte| *byte == 0) {
                Some(end) => key[..=end].into(),
                None => key.clone(),
            }),
        ),
        sabotage("keys are trimmed", "blanks_and_signs_count", keys(|key| key.trim_ascii_end().into())),
        sabotage(
            "keys are taken for text",
            "a_key_need_not_be_text",
            keys(|key| String::from_utf8_lossy(key).into_owned().into()),
        ),
        sabotage(
            "long keys are cut off",
            "the_longest_keys_are_kept_apart",
            keys(|key| key[..key.len().min(1000)].into()),
        ),
    ]
}
