//! Events: what happens, as it happens.

use std::time::Duration;

use super::program::Program;
use super::trial::{Trial, soon};
use crate::{Cursor, Event, EventKind, Exit, Happened, RuntimeExt};

pub(super) async fn a_start_and_an_end_are_told(trial: Trial) {
    let mut events = trial.events(None).await.unwrap();
    let id = trial.started(&Program::Exits(4)).await;
    assert_eq!(trial.event_of(&mut events, &id).await, EventKind::Started);
    assert!(matches!(trial.event_of(&mut events, &id).await, EventKind::Exited(_)));
}

pub(super) async fn an_event_agrees_with_the_status(trial: Trial) {
    let mut events = trial.events(None).await.unwrap();
    let id = trial.started(&Program::Exits(0)).await;
    while !matches!(trial.event_of(&mut events, &id).await, EventKind::Exited(_)) {}
    assert!(trial.status(&id).await.state.exit().is_some(), "the event was told already");
}

pub(super) async fn the_exit_is_in_the_event(trial: Trial) {
    let mut events = trial.events(None).await.unwrap();
    let id = trial.started(&Program::Exits(42)).await;
    loop {
        if let EventKind::Exited(exit) = trial.event_of(&mut events, &id).await {
            assert_eq!(exit, Exit::Code(42));
            return;
        }
    }
}

pub(super) async fn events_go_on_after_a_cursor(trial: Trial) {
    let mut events = trial.events(None).await.unwrap();
    let id = trial.started(&Program::Exits(9)).await;
    let started = loop {
        let event = soon("an event comes", events.next()).await.unwrap();
        if event.happened == Happened::Container(id.clone(), EventKind::Started) {
            break event.cursor;
        }
    };
    drop(events);
    trial.ends(&id).await;
    // It happened while nobody was watching.
    let mut again = trial.events(Some(&started)).await.unwrap();
    assert_eq!(
        trial.event_of(&mut again, &id).await,
        EventKind::Exited(Exit::Code(9)),
        "once, and no other before"
    );
}

pub(super) async fn two_watchers_both_see_all(trial: Trial) {
    let mut one = trial.events(None).await.unwrap();
    let mut other = trial.events(None).await.unwrap();
    let id = trial.started(&Program::Exits(0)).await;
    for events in [&mut one, &mut other] {
        assert_eq!(trial.event_of(events, &id).await, EventKind::Started);
        assert_eq!(trial.event_of(events, &id).await, EventKind::Exited(Exit::Code(0)));
    }
}

pub(super) async fn a_removal_is_told(trial: Trial) {
    let id = trial.started(&Program::Exits(0)).await;
    trial.ends(&id).await;
    let mut events = trial.events(None).await.unwrap();
    trial.remove_container(&id).await.unwrap();
    while trial.event_of(&mut events, &id).await != EventKind::Removed {}
}

pub(super) async fn dropping_a_wait_loses_nothing(trial: Trial) {
    let mut events = trial.events(None).await.unwrap();
    let id = trial.started(&Program::Ticks).await;
    while trial.event_of(&mut events, &id).await != EventKind::Started {}
    for _ in 0..5 {
        let nothing = tokio::time::timeout(Duration::from_millis(20), events.next()).await;
        // Others may run on the same machine.
        if let Ok(Ok(Event { happened: Happened::Container(it, kind), .. })) = nothing {
            assert_ne!(it, id, "{kind:?} out of nothing");
        }
    }
    trial.stop_container(&id, Duration::ZERO).await.unwrap();
    while !matches!(trial.event_of(&mut events, &id).await, EventKind::Exited(_)) {}
}

pub(super) async fn a_cursor_of_nobodys_has_a_gap(trial: Trial) {
    let mut events = match trial.events(Some(&Cursor("of another world".into()))).await {
        Ok(events) => events,
        Err(error) => panic!("a cursor is given back, not judged: {error}"),
    };
    let event = soon("it is told", events.next()).await.unwrap();
    assert!(matches!(event.happened, Happened::Gap(_)), "{event:?}");
    // And then it goes on.
    let id = trial.started(&Program::Exits(0)).await;
    assert_eq!(trial.event_of(&mut events, &id).await, EventKind::Started);
}

pub(super) async fn waiting_for_what_has_ended_is_over(trial: Trial) {
    let id = trial.started(&Program::Exits(1)).await;
    trial.ends(&id).await;
    assert_eq!(soon("it has ended", trial.wait(&id)).await.unwrap(), Exit::Code(1));
}

pub(super) async fn what_happened_between_list_and_watch_is_seen(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    for attempt in 0..10 {
        let request = trial.request(&Program::Exits(0)).attempt(attempt);
        let id = trial.create_container(&sandbox, request).await.unwrap();
        // Begins to watch, then to look: in between it may end.
        let mut events = trial.events(None).await.unwrap();
        trial.start_container(&id).await.unwrap();
        if trial.status(&id).await.state.exit().is_none() {
            while !matches!(trial.event_of(&mut events, &id).await, EventKind::Exited(_)) {}
        }
    }
}
