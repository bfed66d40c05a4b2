//! Containers that are told to end, and removed.

use std::time::Duration;

use orchestra_core::object::Str;

use super::program::Program;
use super::trial::{Trial, is_running, soon};
use crate::{Exit, Labels, State};

/// So long that it is noticed when it is waited out.
const LONG: Duration = Duration::from_secs(1000);

pub(super) async fn who_is_told_to_end_ends(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    soon("it ends at once", trial.stop_container(&id, LONG)).await.unwrap();
    let status = trial.status(&id).await;
    assert_eq!(status.state.exit().map(Exit::code), Some(143), "{:?}", status.state);
}

pub(super) async fn who_ends_in_its_own_way_has_its_own_code(trial: Trial) {
    let id = trial.started(&Program::EndsWith(7)).await;
    trial.has_written(&id, "ready").await;
    soon("it ends", trial.stop_container(&id, LONG)).await.unwrap();
    assert_eq!(trial.status(&id).await.state.exit(), Some(&Exit::Code(7)));
}

pub(super) async fn who_does_not_heed_is_killed_after_the_grace(trial: Trial) {
    let id = trial.started(&Program::IgnoresTerm).await;
    // It has to have come so far as not to heed.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = tokio::time::Instant::now();
    soon("it is killed", trial.stop_container(&id, Duration::from_secs(1))).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "it had its grace: {:?}", begun.elapsed());
    assert_eq!(trial.status(&id).await.state.exit().map(Exit::code), Some(137));
}

pub(super) async fn no_grace_is_no_grace(trial: Trial) {
    let id = trial.started(&Program::IgnoresTerm).await;
    soon("it is killed", trial.stop_container(&id, Duration::ZERO)).await.unwrap();
    assert!(trial.status(&id).await.state.exit().is_some());
}

pub(super) async fn stopping_twice_is_done_already(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    trial.stop_container(&id, LONG).await.unwrap();
    let ended = trial.status(&id).await.state;
    trial.stop_container(&id, LONG).await.unwrap();
    assert_eq!(trial.status(&id).await.state, ended);
}

pub(super) async fn stopping_what_was_not_started_is_done(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.created(&sandbox, &Program::Waits).await;
    soon("there is nothing to wait for", trial.stop_container(&id, LONG)).await.unwrap();
    assert!(!is_running(&trial.status(&id).await));
}

pub(super) async fn what_was_stopped_is_not_started_any_more(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.created(&sandbox, &Program::Waits).await;
    trial.stop_container(&id, LONG).await.unwrap();
    assert!(trial.start_container(&id).await.is_err());
    assert!(matches!(trial.status(&id).await.state, State::Exited { since: None, .. }));
}

pub(super) async fn a_signal_reaches_the_program(trial: Trial) {
    let id = trial.started(&Program::EndsWith(5)).await;
    trial.has_written(&id, "ready").await;
    trial.signal_container(&id, 15).await.unwrap();
    assert_eq!(trial.ends(&id).await, Exit::Code(5));
    assert!(trial.signal_container(&id, 15).await.is_err(), "it runs no more");
}

pub(super) async fn children_end_with_it(trial: Trial) {
    for program in [Program::HasChild, Program::LeavesChild] {
        let id = trial.started(&program).await;
        trial.has_written(&id, "child").await;
        soon("it ends, and its child", trial.stop_container(&id, Duration::from_secs(1))).await.unwrap();
        assert!(!is_running(&trial.status(&id).await));
    }
    // Whether a child goes on, whoever looks at the machine tells when the case is over.
}

pub(super) async fn what_runs_is_not_removed(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    assert!(trial.remove_container(&id).await.is_err());
    assert!(is_running(&trial.status(&id).await));
}

pub(super) async fn what_has_ended_is_removed(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let mine: Labels = [(Str::from("mine"), sandbox.0.clone())].into_iter().collect();
    let request = trial.request(&Program::Exits(0)).label("mine", sandbox.0.clone());
    let id = trial.started_in(&sandbox, request).await;
    trial.ends(&id).await;
    assert_eq!(trial.containers(&mine).await.unwrap().len(), 1);
    trial.remove_container(&id).await.unwrap();
    assert!(trial.container(&id).await.is_err_and(|error| error.is_not_found()));
    assert!(trial.containers(&mine).await.unwrap().is_empty());
}

pub(super) async fn removing_twice_is_done_already(trial: Trial) {
    let id = trial.started(&Program::Exits(0)).await;
    trial.ends(&id).await;
    trial.remove_container(&id).await.unwrap();
    trial.remove_container(&id).await.unwrap();
}

pub(super) async fn dropping_a_stop_leaves_it_usable(trial: Trial) {
    let id = trial.started(&Program::IgnoresTerm).await;
    let stop = tokio::time::timeout(Duration::from_millis(50), trial.stop_container(&id, LONG)).await;
    assert!(stop.is_err(), "it was not done yet");
    // Who asks again may have less patience.
    soon("it is killed", trial.stop_container(&id, Duration::ZERO)).await.unwrap();
    assert!(!is_running(&trial.status(&id).await));
}
