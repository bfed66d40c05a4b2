//! Containers: created, started, ended.

use std::time::Duration;

use orchestra_core::object::Str;

use super::program::Program;
use super::trial::{Trial, is_running, soon, texts};
use crate::{ContainerId, CreateContainer, Error, Exit, Labels, Limits, ReadLogs, State};

pub(super) async fn a_container_does_not_run_before_it_is_started(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.created(&sandbox, &Program::Waits).await;
    let status = trial.status(&id).await;
    assert_eq!((status.state, status.sandbox), (State::Created, sandbox));
    assert_eq!((status.id, &*status.name, status.attempt), (id, "main", 0));
}

pub(super) async fn creating_a_container_twice_gives_the_same(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.created(&sandbox, &Program::Waits).await;
    assert_eq!(trial.created(&sandbox, &Program::Waits).await, id);
    trial.start_container(&id).await.unwrap();
    assert_eq!(trial.created(&sandbox, &Program::Waits).await, id, "also when it runs");
    assert!(is_running(&trial.status(&id).await));
}

pub(super) async fn the_next_attempt_is_another_container(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let first = trial.started_in(&sandbox, trial.request(&Program::Exits(1))).await;
    trial.ends(&first).await;
    let second = trial.started_in(&sandbox, trial.request(&Program::Waits).attempt(1)).await;
    assert_ne!(first, second);
    assert_eq!((trial.status(&first).await.attempt, trial.status(&second).await.attempt), (0, 1));
    assert!(is_running(&trial.status(&second).await));
}

pub(super) async fn containers_are_found_by_their_labels(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let label = sandbox.0.clone();
    let request = trial.request(&Program::Waits).label("of", label.clone()).label("tier", "front");
    let front = trial.create_container(&sandbox, request.clone()).await.unwrap();
    let other = trial.harness().container("other", &Program::Waits).label("of", label.clone());
    let other = trial.create_container(&sandbox, other).await.unwrap();
    let found = async |with: &Labels| -> Vec<ContainerId> {
        trial.containers(with).await.unwrap().into_iter().map(|it| it.id).collect()
    };
    assert_eq!(found(&request.labels).await, std::slice::from_ref(&front));
    let both = found(&[(Str::from("of"), label)].into_iter().collect()).await;
    assert!(
        both.len() == 2 && both.contains(&front) && both.contains(&other) && both.is_sorted(),
        "{both:?}"
    );
    assert_eq!(trial.status(&front).await.labels, request.labels);
}

pub(super) async fn a_started_container_runs(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    assert!(is_running(&trial.status(&id).await));
}

pub(super) async fn starting_twice_is_done_already(trial: Trial) {
    let id = trial.started(&Program::Waits).await;
    let before = trial.status(&id).await;
    trial.start_container(&id).await.unwrap();
    assert_eq!(trial.status(&id).await.state, before.state);
}

pub(super) async fn an_exit_code_is_kept(trial: Trial) {
    let id = trial.started(&Program::Exits(3)).await;
    assert_eq!(trial.ends(&id).await, Exit::Code(3));
    for _ in 0..3 {
        assert_eq!(trial.status(&id).await.state.exit(), Some(&Exit::Code(3)), "it is kept");
    }
}

pub(super) async fn every_exit_code_is_told(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    for code in [0, 1, 2, 126, 127, 128, 137, 143, 255] {
        let name = format!("exits-{code}");
        let id = trial.started_in(&sandbox, trial.harness().container(&name, &Program::Exits(code))).await;
        assert_eq!(trial.ends(&id).await, Exit::Code(code));
    }
}

pub(super) async fn a_signal_is_told_from_a_code(trial: Trial) {
    let id = trial.started(&Program::Dies(9)).await;
    let exit = trial.ends(&id).await;
    // A daemon may tell no more than what a shell does.
    assert!(matches!(exit, Exit::Signal(9)) || exit == Exit::Code(137), "{exit:?}");
    assert_eq!(exit.code(), 137);
}

pub(super) async fn what_has_ended_is_not_started_again(trial: Trial) {
    let id = trial.started(&Program::Exits(0)).await;
    trial.ends(&id).await;
    assert!(trial.start_container(&id).await.is_err());
    assert_eq!(trial.status(&id).await.state.exit(), Some(&Exit::Code(0)));
}

pub(super) async fn a_program_that_is_not_there_is_said_so(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.created(&sandbox, &Program::Missing).await;
    let failed = trial.start_container(&id).await;
    assert!(matches!(failed, Err(Error::Start { .. })), "{failed:?}");
    let status = trial.status(&id).await;
    assert!(matches!(status.state.exit(), Some(Exit::NotStarted(_))), "{:?}", status.state);
}

pub(super) async fn states_have_their_times(trial: Trial) {
    let id = trial.started(&Program::Exits(0)).await;
    trial.ends(&id).await;
    let status = trial.status(&id).await;
    let State::Exited { since: Some(since), at, .. } = status.state else { panic!("{:?}", status.state) };
    assert!(status.created <= since && since <= at, "{status:?}");
}

pub(super) async fn two_containers_of_a_sandbox_are_two(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let one = trial.started_in(&sandbox, trial.harness().container("one", &Program::Exits(1))).await;
    let other = trial.started_in(&sandbox, trial.harness().container("other", &Program::Waits)).await;
    assert_eq!(trial.ends(&one).await, Exit::Code(1));
    assert!(is_running(&trial.status(&other).await));
    trial.remove_container(&one).await.unwrap();
    assert!(is_running(&trial.status(&other).await));
}

pub(super) async fn two_that_run_at_once_end_on_their_own(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let mut all = Vec::new();
    for code in 10..18 {
        let name = format!("exits-{code}");
        let request = trial.harness().container(&name, &Program::Exits(code));
        all.push((code, trial.create_container(&sandbox, request).await.unwrap()));
    }
    for (_, id) in &all {
        trial.start_container(id).await.unwrap();
    }
    for (code, id) in all.iter().rev() {
        assert_eq!(trial.ends(id).await, Exit::Code(*code));
    }
}

pub(super) async fn the_environment_reaches_the_program(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let request = trial.request(&Program::ShowsEnvironment).env("A", "one two").env("B", "x").env("B", "=");
    let id = trial.started_in(&sandbox, request).await;
    trial.ends(&id).await;
    assert_eq!(texts(&trial.log(&id, ReadLogs::all()).await), ["A=one two", "B=="]);
}

pub(super) async fn what_no_program_can_be_given_is_refused(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let app = || trial.request(&Program::Waits);
    let wrong: [CreateContainer; 5] = [
        app().env("A=B", "x"),
        app().env("A", "x\0y"),
        app().env("A", "x".repeat(1 << 20)),
        app().command(["a\0b"]),
        app().limits(Limits::default().memory(0)),
    ];
    for request in wrong {
        let refused = trial.create_container(&sandbox, request).await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
}

pub(super) async fn an_image_that_is_not_there_is_refused(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let request = CreateContainer::new("main", "no-such-image.example/none:1").command(["sh"]);
    let refused = trial.create_container(&sandbox, request).await;
    assert!(refused.as_ref().is_err_and(Error::is_not_found), "{refused:?}");
}

pub(super) async fn limits_are_kept(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let limits = Limits::default().memory(64 << 20).cpu_milli(500);
    let id = trial.started_in(&sandbox, trial.request(&Program::Waits).limits(limits)).await;
    assert_eq!(trial.status(&id).await.limits, limits);
}

pub(super) async fn limits_change_while_it_runs(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let limits = Limits::default().memory(64 << 20).cpu_milli(500);
    let id = trial.started_in(&sandbox, trial.request(&Program::Waits).limits(limits)).await;
    trial.update_container(&id, Limits::default().memory(128 << 20)).await.unwrap();
    let status = trial.status(&id).await;
    assert_eq!(status.limits, limits.memory(128 << 20), "what is not said stays as it is");
    assert!(is_running(&status));
}

pub(super) async fn who_takes_too_much_memory_is_killed_and_said_so(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let request = trial.request(&Program::Takes(64)).limits(Limits::default().memory(16 << 20));
    let id = trial.started_in(&sandbox, request).await;
    assert_eq!(trial.ends(&id).await, Exit::OutOfMemory);
}

pub(super) async fn an_unknown_container_is_said_not_to_be_there(trial: Trial) {
    let id = ContainerId("none-such".into());
    assert!(trial.container(&id).await.is_err_and(|error| error.is_not_found()));
    assert!(trial.start_container(&id).await.is_err_and(|error| error.is_not_found()));
    assert!(trial.stop_container(&id, Duration::ZERO).await.is_err_and(|error| error.is_not_found()));
    assert!(trial.signal_container(&id, 15).await.is_err_and(|error| error.is_not_found()));
}

pub(super) async fn its_usage_is_told_while_it_runs(trial: Trial) {
    let id = trial.started(&Program::Ticks).await;
    trial.has_written(&id, "tick 3").await;
    let stats = trial.stats(&id).await.unwrap();
    assert!(stats.pids >= 1 && stats.memory > 0, "{stats:?}");
    trial.has_written(&id, "tick 8").await;
    assert!(trial.stats(&id).await.unwrap().cpu_nanos >= stats.cpu_nanos);
    trial.stop_container(&id, Duration::ZERO).await.unwrap();
    assert!(trial.stats(&id).await.is_err(), "it uses nothing any more");
}

pub(super) async fn two_hundred_at_once_all_start(trial: Trial) {
    let mut starting = tokio::task::JoinSet::new();
    for number in 0..200 {
        let runtime = trial.harness().runtime();
        let (pod, request) = (trial.pod(&format!("many-{number}")), trial.request(&Program::Waits));
        starting.spawn(async move {
            let sandbox = runtime.create_sandbox(pod).await.unwrap();
            let id = runtime.create_container(&sandbox, request).await.unwrap();
            runtime.start_container(&id).await.unwrap();
            id
        });
    }
    let ids = soon("all start", starting.join_all()).await;
    for id in ids {
        assert!(is_running(&trial.status(&id).await), "{id}");
    }
}
