//! What can be wrong with watches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use orchestra_core::store::{
    Batch, Delivery, Entry, Event, KeyRange, Page, Revision, Scope, Store, StoreError, Watch, WatchSource,
};

use crate::right::RightStore;
use crate::tamper::{Tamper, now};
use crate::{Sabotage, hanging, sabotage};

/// A tamper with every batch.
fn batches(change: impl Fn(&Batch) -> Vec<Batch> + Clone + Send + Sync + 'static) -> Tamper {
    Tamper::new().deliveries(move || {
        let change = change.clone();
        Box::new(move |delivery| match delivery {
            Delivery::Batch(batch) => {
                change(&batch).into_iter().map(|b| Delivery::Batch(Arc::new(b))).collect()
            }
            progress => vec![progress],
        })
    })
}

/// A tamper with every event.
fn events(change: impl Fn(Event) -> Event + Clone + Send + Sync + 'static) -> Tamper {
    batches(move |batch| {
        vec![Batch { events: batch.events.iter().cloned().map(&change).collect(), ..*batch }]
    })
}

/// A tamper with what a watch begins after.
fn start(change: impl Fn(Revision) -> Revision + Clone + Send + Sync + 'static) -> Tamper {
    Tamper::new().watch(move |store, (scope, after)| {
        let after = change(after);
        async move { store.watch(&scope, after).await }
    })
}

/// Only some of what a watch yields.
fn every_third(change: fn(Delivery) -> Vec<Delivery>) -> Tamper {
    Tamper::new().deliveries(move || {
        let mut count = 0;
        Box::new(move |delivery| {
            count += usize::from(matches!(delivery, Delivery::Batch(_)));
            if count % 3 == 2 { change(delivery) } else { vec![delivery] }
        })
    })
}

/// A source made of a function; its second argument says that progress is asked for.
struct Source<P>(P);

impl<P> WatchSource for Source<P>
where
    P: FnMut(&mut Context<'_>, bool) -> Poll<Result<Delivery, StoreError>> + Send,
{
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        (self.0)(cx, false)
    }
    fn request_progress(&mut self) {
        let _ = (self.0)(&mut Context::from_waker(Waker::noop()), true);
    }
}

/// A tamper with how watches are polled.
fn polls<P>(make: impl Fn(RightStore, Watch) -> P + Clone + Send + Sync + 'static) -> Tamper
where
    P: FnMut(&mut Context<'_>, bool) -> Poll<Result<Delivery, StoreError>> + Send + 'static,
{
    Tamper::new().source(move |store, watch| Watch::new(Source(make(store, watch))))
}

/// Polls a watch, or asks it for progress.
fn pass(watch: &mut Watch, cx: &mut Context<'_>, ask: bool) -> Poll<Result<Delivery, StoreError>> {
    if ask {
        watch.request_progress();
        return Poll::Pending;
    }
    watch.poll_next(cx)
}

pub(crate) fn all() -> Vec<Sabotage> {
    [what_is_told(), where_it_begins(), how_it_waits(), progress()].into_iter().flatten().collect()
}

fn what_is_told() -> Vec<Sabotage> {
    vec![
        sabotage("an event is skipped", "every_revision_is_told_once_and_in_order", every_third(|_| vec![])),
        sabotage(
            "an event is told twice",
            "every_revision_is_told_once_and_in_order",
            every_third(|delivery| vec![delivery.clone(), delivery]),
        ),
        sabotage(
            "two events change places",
            "every_revision_is_told_once_and_in_order",
            Tamper::new().deliveries(|| {
                let mut held = None;
                Box::new(move |delivery| match held.take() {
                    Some(earlier) => vec![delivery, earlier],
                    None => {
                        held = Some(delivery);
                        vec![]
                    }
                })
            }),
        ),
        sabotage(
            "a transaction is told in pieces",
            "a_txn_is_one_batch",
            batches(|batch| {
                let events = batch.events.iter().cloned();
                events.map(|event| Batch { revision: batch.revision, events: [event].into() }).collect()
            }),
        ),
        sabotage(
            "a transaction is told by half",
            "a_watch_tells_no_half_of_a_txn",
            batches(|batch| {
                let half = batch.events.len().div_ceil(2);
                vec![Batch { revision: batch.revision, events: batch.events[..half].into() }]
            }),
        ),
        sabotage(
            "events are in the order of the writes",
            "a_batch_is_in_the_order_of_the_keys",
            batches(|batch| vec![Batch { events: batch.events.iter().rev().cloned().collect(), ..*batch }]),
        ),
        sabotage(
            "what stood there before is left out",
            "an_update_shows_what_stood_there_before",
            events(|event| Event { previous: None, ..event }),
        ),
        sabotage(
            "what stands there now is told to have stood before",
            "a_resumed_watch_shows_what_stood_there_before",
            events(|event| Event { previous: event.entry.clone(), ..event }),
        ),
        sabotage(
            "a deletion shows what was deleted",
            "a_deletion_shows_no_entry",
            events(|event| match &event.previous {
                Some(gone) if event.is_deletion() => {
                    let batch = Revision(gone.modified.0 + 1);
                    Event { entry: Some(Arc::new(Entry { modified: batch, ..Entry::clone(gone) })), ..event }
                }
                _ => event,
            }),
        ),
        sabotage(
            "every event looks like a creation",
            "an_update_is_no_creation",
            events(|event| {
                let anew =
                    |entry: &Arc<Entry>| Arc::new(Entry { created: entry.modified, ..Entry::clone(entry) });
                Event { entry: event.entry.as_ref().map(anew), ..event }
            }),
        ),
        sabotage(
            "an event has no value",
            "an_event_shows_the_entry_as_it_is_read",
            events(|event| {
                let bare = |entry: &Arc<Entry>| Arc::new(Entry { value: "".into(), ..Entry::clone(entry) });
                Event { entry: event.entry.as_ref().map(bare), ..event }
            }),
        ),
        sabotage(
            "everything is told to everybody",
            "what_is_outside_of_the_scope_is_not_told",
            Tamper::new().watch(|store, (_, after)| async move { store.watch(&Scope::all(), after).await }),
        ),
        sabotage(
            "a key is watched as a prefix",
            "one_key_is_watched_without_what_begins_so",
            Tamper::new().scope(|scope| {
                scope.ranges().iter().map(|range| KeyRange::prefix(&**range.start())).collect()
            }),
        ),
        sabotage(
            "the end of a prefix is off by one",
            "a_prefix_of_the_greatest_bytes_is_watched_to_its_end",
            Tamper::new().scope(|scope| {
                let short = |range: &KeyRange| match range.as_prefix() {
                    Some(prefix) if prefix.ends_with(&[0xff]) => KeyRange::key(&**prefix),
                    _ => range.clone(),
                };
                scope.ranges().iter().map(short).collect()
            }),
        ),
        sabotage(
            "each range is told apart",
            "several_ranges_are_told_together",
            Tamper::new().watch(|store, (scope, after)| async move {
                let watch = store.watch(&scope, after).await?;
                let told = move |batch: &Batch| -> Vec<Delivery> {
                    let in_range = |range: &KeyRange| {
                        let events = batch.events.iter().filter(|event| range.contains(&event.key));
                        Batch { revision: batch.revision, events: events.cloned().collect() }
                    };
                    let parts = scope.ranges().iter().map(in_range).filter(|part| !part.events.is_empty());
                    parts.map(|part| Delivery::Batch(Arc::new(part))).collect()
                };
                Ok(queued(watch, move |delivery| match delivery {
                    Delivery::Batch(batch) => told(&batch),
                    progress => vec![progress],
                }))
            }),
        ),
        sabotage("every third watch is forgotten", "a_hundred_watches_of_one_scope_are_told_the_same", {
            let count = AtomicU64::new(0);
            Tamper::new().watch(move |store, (scope, after)| {
                let forgotten = count.fetch_add(1, Ordering::SeqCst) % 3 == 2;
                let scope = if forgotten { Scope::nothing() } else { scope };
                async move { store.watch(&scope, after).await }
            })
        }),
    ]
}

/// A watch each of whose deliveries becomes some.
fn queued(mut watch: Watch, mut change: impl FnMut(Delivery) -> Vec<Delivery> + Send + 'static) -> Watch {
    let mut ready = VecDeque::new();
    Watch::new(Source(move |cx: &mut Context<'_>, ask| {
        if ask {
            return pass(&mut watch, cx, true);
        }
        while ready.is_empty() {
            match watch.poll_next(cx)? {
                Poll::Ready(delivery) => ready.extend(change(delivery)),
                Poll::Pending => return Poll::Pending,
            }
        }
        ready.pop_front().map_or(Poll::Pending, |delivery| Poll::Ready(Ok(delivery)))
    }))
}

fn where_it_begins() -> Vec<Sabotage> {
    vec![
        sabotage(
            "a watch begins one revision too early",
            "nothing_is_told_of_the_revision_itself_or_before",
            start(|after| Revision(after.0.saturating_sub(1))),
        ),
        sabotage(
            "a watch that resumes skips one revision",
            "a_watch_resumes_after_every_revision",
            Tamper::new().watch(|store, (scope, after)| async move {
                let resumed = after < now(&store).await;
                store.watch(&scope, Revision(after.0 + u64::from(resumed))).await
            }),
        ),
        sabotage(
            "a watch begins now",
            "what_had_happened_is_told_too",
            Tamper::new()
                .watch(|store, (scope, _)| async move { store.watch(&scope, now(&store).await).await }),
        ),
        sabotage(
            "what is forgotten is skipped",
            "what_is_forgotten_cannot_be_watched",
            Tamper::new().watch(|store, (scope, after)| async move {
                match store.watch(&scope, after).await {
                    Err(StoreError::Compacted { oldest, .. }) => {
                        let mut watch = store.watch(&scope, oldest).await?;
                        // So that it yields something at once.
                        watch.request_progress();
                        Ok(watch)
                    }
                    answer => answer,
                }
            }),
        ),
        sabotage(
            "what is forgotten meanwhile is skipped",
            "a_watch_that_lags_is_told_all_or_that_it_is_not",
            Tamper::new().watch(|store, (scope, after)| async move {
                let mut watch = store.watch(&scope, after).await?;
                let (store, scope) = (store.clone(), scope.clone());
                Ok(Watch::new(Source(move |cx: &mut Context<'_>, ask| {
                    let polled = pass(&mut watch, cx, ask);
                    let Poll::Ready(Err(StoreError::Compacted { oldest, .. })) = polled else {
                        return polled;
                    };
                    let before = Revision(oldest.0 - 1);
                    // The boundary's own batch, as if it were the next.
                    let entries = at_once(store.list(&scope, Page::at(oldest)))?.entries;
                    let last = entries.into_iter().filter(|entry| entry.modified > before);
                    let events = last.map(|entry| Event {
                        key: entry.key.clone(),
                        entry: Some(entry),
                        previous: None,
                    });
                    let batch = Batch { revision: oldest, events: events.collect() };
                    watch = at_once(store.watch(&scope, oldest))?;
                    Poll::Ready(Ok(Delivery::Batch(Arc::new(batch))))
                })))
            }),
        ),
        sabotage(
            "a wrong revision is said to be the oldest",
            "compacted_says_what_was_asked_and_what_can_be",
            Tamper::new().watch(|store, (scope, after)| async move {
                store.watch(&scope, after).await.map_err(|error| match error {
                    StoreError::Compacted { asked, .. } => StoreError::Compacted { asked, oldest: asked },
                    error => error,
                })
            }),
        ),
        hanging(
            "the future is watched as the present",
            "the_future_cannot_be_watched",
            Tamper::new().watch(|store, (scope, after)| async move {
                let now = now(&store).await;
                store.watch(&scope, after.min(now)).await
            }),
        ),
    ]
}

/// What a future yields that is done at once, as all of this store's are.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("this store answers at once"),
    }
}

fn how_it_waits() -> Vec<Sabotage> {
    vec![
        hanging(
            "a watch is not woken",
            "a_waiting_watch_is_woken",
            polls(|_, mut watch| {
                move |_: &mut Context<'_>, ask| pass(&mut watch, &mut Context::from_waker(Waker::noop()), ask)
            }),
        ),
        hanging(
            "who polled first is woken",
            "whoever_polled_last_is_woken",
            polls(|_, mut watch| {
                let mut first: Option<Waker> = None;
                move |cx: &mut Context<'_>, ask| {
                    let first = first.get_or_insert_with(|| cx.waker().clone());
                    pass(&mut watch, &mut Context::from_waker(first), ask)
                }
            }),
        ),
        sabotage(
            "changes that wait are merged",
            "quick_changes_are_not_made_one",
            polls(|_, mut watch| {
                let mut next = None;
                move |cx: &mut Context<'_>, ask| {
                    let mut last =
                        next.take().map_or_else(|| pass(&mut watch, cx, ask), |d| Poll::Ready(Ok(d)));
                    while let (false, Poll::Ready(Ok(Delivery::Batch(_)))) = (ask, &last) {
                        match watch.poll_next(cx)? {
                            Poll::Ready(Delivery::Batch(later)) => {
                                last = Poll::Ready(Ok(Delivery::Batch(later)))
                            }
                            Poll::Ready(progress) => {
                                next = Some(progress);
                                break;
                            }
                            Poll::Pending => break,
                        }
                    }
                    last
                }
            }),
        ),
        sabotage(
            "a watch that is read late forgets",
            "a_watch_read_late_misses_nothing",
            polls(|_, mut watch| {
                let mut waiting = VecDeque::new();
                move |cx: &mut Context<'_>, ask| {
                    if ask {
                        return pass(&mut watch, cx, true);
                    }
                    while let Poll::Ready(delivery) = watch.poll_next(cx)? {
                        waiting.push_back(delivery);
                    }
                    waiting.drain(..waiting.len().saturating_sub(20));
                    waiting.pop_front().map_or(Poll::Pending, |delivery| Poll::Ready(Ok(delivery)))
                }
            }),
        ),
    ]
}

fn progress() -> Vec<Sabotage> {
    vec![
        hanging(
            "progress never comes",
            "an_idle_watch_is_told_how_far_it_is",
            polls(|_, mut watch| {
                move |cx: &mut Context<'_>, ask| if ask { Poll::Pending } else { watch.poll_next(cx) }
            }),
        ),
        sabotage(
            "progress comes at once",
            "progress_comes_after_what_happened_before",
            polls(|store, mut watch| {
                let mut asked = false;
                move |cx: &mut Context<'_>, ask| {
                    if ask {
                        asked = true;
                        return Poll::Pending;
                    }
                    if std::mem::take(&mut asked) {
                        return Poll::Ready(Ok(Delivery::Progress(at_once(now(&store)))));
                    }
                    watch.poll_next(cx)
                }
            }),
        ),
        hanging(
            "progress stays where something was last told",
            "progress_reaches_what_happens_elsewhere",
            Tamper::new().watch(|store, (scope, after)| async move {
                let mut told = after;
                let watch = store.watch(&scope, after).await?;
                Ok(queued(watch, move |delivery| match delivery {
                    Delivery::Batch(batch) => {
                        told = batch.revision;
                        vec![Delivery::Batch(batch)]
                    }
                    Delivery::Progress(_) => vec![Delivery::Progress(told)],
                }))
            }),
        ),
        sabotage(
            "progress is told twice",
            "asking_twice_is_asking_once",
            Tamper::new().deliveries(|| {
                Box::new(|delivery| match delivery {
                    Delivery::Progress(_) => vec![delivery.clone(), delivery],
                    batch => vec![batch],
                })
            }),
        ),
        sabotage(
            "progress is told one revision ahead",
            "a_watch_resumes_after_progress",
            Tamper::new().deliveries(|| {
                Box::new(|delivery| match delivery {
                    Delivery::Progress(revision) => vec![Delivery::Progress(Revision(revision.0 + 1))],
                    batch => vec![batch],
                })
            }),
        ),
        sabotage(
            "progress is told where nobody asked",
            "a_watch_that_nobody_writes_to_waits",
            polls(|store, mut watch| {
                move |cx: &mut Context<'_>, ask| match pass(&mut watch, cx, ask) {
                    Poll::Pending if !ask => Poll::Ready(Ok(Delivery::Progress(at_once(now(&store))))),
                    polled => polled,
                }
            }),
        ),
    ]
}
