//! Survival: an agent that is started anew finds its own.

use std::time::Duration;

use orchestra_core::object::Str;

use super::program::Program;
use super::trial::{Trial, is_running, soon, texts};
use crate::{Exit, Labels, ReadLogs, RuntimeExt};

pub(super) async fn another_agent_finds_its_own(trial: Trial) {
    let request = trial.pod("web");
    let sandbox = trial.create_sandbox(request.clone()).await.unwrap();
    let mine: Labels = [(Str::from("mine"), sandbox.0.clone())].into_iter().collect();
    let container = trial.request(&Program::Waits).label("mine", sandbox.0.clone());
    let id = trial.started_in(&sandbox, container).await;
    let again = trial.harness().again();
    assert_eq!(again.sandboxes(&request.labels).await.unwrap()[0].id, sandbox);
    let found = again.containers(&mine).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, is_running(&found[0])), (&id, true));
}

pub(super) async fn another_agent_reads_the_log(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    trial.has_written(&id, "tick 2").await;
    let again = trial.harness().again();
    let mut logs = again.logs(&id, ReadLogs::all().follow()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        seen.push(soon("it ticks on", logs.next()).await.unwrap().expect("it goes on"));
    }
    assert_eq!(texts(&seen), ["tick 1", "tick 2", "tick 3", "tick 4", "tick 5"]);
}

pub(super) async fn another_agent_is_told_the_exit(trial: Trial) {
    let id = trial.started(&Program::EndsWith(6)).await;
    trial.has_written(&id, "ready").await;
    let again = trial.harness().again();
    again.signal_container(&id, 15).await.unwrap();
    assert_eq!(soon("it ends", again.wait(&id)).await.unwrap(), Exit::Code(6));
}

pub(super) async fn another_agent_stops_it(trial: Trial) {
    let id = trial.started(&Program::IgnoresTerm).await;
    let again = trial.harness().again();
    soon("it is killed", again.stop_container(&id, Duration::ZERO)).await.unwrap();
    assert!(again.container(&id).await.unwrap().state.exit().is_some());
}

pub(super) async fn another_agent_creates_nothing_twice(trial: Trial) {
    let request = trial.pod("web");
    let sandbox = trial.create_sandbox(request.clone()).await.unwrap();
    let id = trial.started_in(&sandbox, trial.request(&Program::Waits)).await;
    let again = trial.harness().again();
    assert_eq!(again.create_sandbox(request).await.unwrap(), sandbox);
    assert_eq!(again.create_container(&sandbox, trial.request(&Program::Waits)).await.unwrap(), id);
    again.start_container(&id).await.unwrap();
    assert!(is_running(&again.container(&id).await.unwrap()));
}
