//! Sandboxes: what the containers of a pod share.

use std::time::Duration;

use super::program::Program;
use super::trial::{Trial, is_running, soon};
use crate::{CreateSandbox, Labels, PodRef, SandboxId, SandboxState};

const GRACE: Duration = Duration::from_secs(5);

pub(super) async fn a_sandbox_is_ready_and_says_whose_it_is(trial: Trial) {
    let request = trial.pod("web").attempt(3).label("app", "web");
    let id = trial.create_sandbox(request.clone()).await.unwrap();
    let status = trial.sandbox_status(&id).await;
    assert_eq!((status.id, status.state), (id, SandboxState::Ready));
    assert_eq!((status.pod, status.attempt), (request.pod, 3));
    assert_eq!(status.labels, request.labels);
}

pub(super) async fn creating_a_sandbox_twice_gives_the_same(trial: Trial) {
    let request = trial.pod("web");
    let id = trial.create_sandbox(request.clone()).await.unwrap();
    assert_eq!(trial.create_sandbox(request.clone()).await.unwrap(), id);
    assert_eq!(trial.sandboxes(&request.labels).await.unwrap().len(), 1);
}

pub(super) async fn the_next_attempt_is_another_sandbox(trial: Trial) {
    let request = trial.pod("web");
    let first = trial.create_sandbox(request.clone()).await.unwrap();
    let second = trial.create_sandbox(request.clone().attempt(1)).await.unwrap();
    assert_ne!(first, second);
    trial.remove_sandbox(&first).await.unwrap();
    assert_eq!(trial.sandbox_status(&second).await.state, SandboxState::Ready);
}

pub(super) async fn a_pod_of_another_uid_has_another_sandbox(trial: Trial) {
    let (one, mut other) = (trial.pod("web"), trial.pod("web"));
    other.pod.name = one.pod.name.clone();
    let one = trial.create_sandbox(one).await.unwrap();
    assert_ne!(trial.create_sandbox(other).await.unwrap(), one);
}

pub(super) async fn sandboxes_are_found_by_their_labels(trial: Trial) {
    let request = trial.pod("web").label("tier", "front");
    let front = trial.create_sandbox(request.clone()).await.unwrap();
    let back = trial.create_sandbox(trial.pod("db").label("tier", "back")).await.unwrap();
    let found = |with: &Labels| {
        let with = with.clone();
        let runtime = trial.harness().runtime();
        async move { runtime.sandboxes(&with).await.unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>() }
    };
    assert_eq!(found(&request.labels).await, std::slice::from_ref(&front));
    let mut both = request.labels.clone();
    both.insert("tier", "back".into());
    assert!(found(&both).await.is_empty(), "all labels must be had");
    let all = found(&Labels::new()).await;
    assert!(all.contains(&front) && all.contains(&back));
}

pub(super) async fn sandboxes_are_listed_in_order(trial: Trial) {
    for _ in 0..5 {
        trial.a_sandbox().await;
    }
    let ids: Vec<_> = trial.sandboxes(&Labels::new()).await.unwrap().into_iter().map(|it| it.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
}

pub(super) async fn a_stopped_sandbox_is_not_ready(trial: Trial) {
    let id = trial.a_sandbox().await;
    trial.stop_sandbox(&id, GRACE).await.unwrap();
    assert_eq!(trial.sandbox_status(&id).await.state, SandboxState::NotReady);
}

pub(super) async fn stopping_a_sandbox_stops_what_runs_there(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let one = trial.started_in(&sandbox, trial.harness().container("one", &Program::Waits)).await;
    let other = trial.started_in(&sandbox, trial.harness().container("other", &Program::IgnoresTerm)).await;
    soon("it stops", trial.stop_sandbox(&sandbox, Duration::from_secs(1))).await.unwrap();
    for id in [one, other] {
        assert!(!is_running(&trial.status(&id).await), "{id} runs");
    }
}

pub(super) async fn stopping_a_sandbox_twice_is_done_already(trial: Trial) {
    let id = trial.a_sandbox().await;
    trial.stop_sandbox(&id, GRACE).await.unwrap();
    trial.stop_sandbox(&id, GRACE).await.unwrap();
}

pub(super) async fn a_removed_sandbox_is_gone(trial: Trial) {
    let request = trial.pod("web");
    let id = trial.create_sandbox(request.clone()).await.unwrap();
    trial.remove_sandbox(&id).await.unwrap();
    assert!(trial.sandbox(&id).await.is_err_and(|error| error.is_not_found()));
    assert!(trial.sandboxes(&request.labels).await.unwrap().is_empty());
}

pub(super) async fn removing_a_sandbox_kills_what_runs_there(trial: Trial) {
    let sandbox = trial.a_sandbox().await;
    let id = trial.started_in(&sandbox, trial.request(&Program::IgnoresTerm)).await;
    soon("it is removed", trial.remove_sandbox(&sandbox)).await.unwrap();
    assert!(trial.container(&id).await.is_err_and(|error| error.is_not_found()));
}

pub(super) async fn removing_a_sandbox_twice_is_done_already(trial: Trial) {
    let id = trial.a_sandbox().await;
    trial.remove_sandbox(&id).await.unwrap();
    trial.remove_sandbox(&id).await.unwrap();
}

pub(super) async fn nothing_is_created_in_a_stopped_sandbox(trial: Trial) {
    let id = trial.a_sandbox().await;
    trial.stop_sandbox(&id, GRACE).await.unwrap();
    let refused = trial.create_container(&id, trial.request(&Program::Waits)).await;
    assert!(refused.is_err(), "{refused:?}");
}

pub(super) async fn what_is_not_there_is_said_not_to_be(trial: Trial) {
    let id = SandboxId("none-such".into());
    assert!(trial.sandbox(&id).await.is_err_and(|error| error.is_not_found()));
    let created = trial.create_container(&id, trial.request(&Program::Waits)).await;
    assert!(created.is_err_and(|error| error.is_not_found()));
}

pub(super) async fn names_that_lead_elsewhere_are_refused(trial: Trial) {
    for name in ["../../etc", "a/b", "a\nb", "", "a\0b"] {
        let request = CreateSandbox::new(PodRef::new("default", name, "uid"));
        let refused = trial.create_sandbox(request).await;
        assert!(refused.is_err(), "`{}` was accepted", name.escape_debug());
        let request = CreateSandbox::new(PodRef::new("default", "name", name));
        assert!(trial.create_sandbox(request).await.is_err(), "uid `{}` was accepted", name.escape_debug());
    }
    let sandbox = trial.a_sandbox().await;
    let refused = trial.create_container(&sandbox, trial.harness().container("../x", &Program::Waits)).await;
    assert!(refused.is_err());
}

pub(super) async fn ports_say_how_they_are_reached(trial: Trial) {
    let id = trial.create_sandbox(trial.pod("web").port(8080)).await.unwrap();
    let status = trial.sandbox_status(&id).await;
    assert!(status.address.is_some());
    let ports: Vec<_> = status.reaches.iter().map(|it| it.port).collect();
    assert_eq!(ports, [8080], "{:?}", status.reaches);
}

pub(super) async fn two_sandboxes_have_two_addresses(trial: Trial) {
    let (one, other) = (trial.a_sandbox().await, trial.a_sandbox().await);
    let address = async |id| trial.sandbox_status(id).await.address;
    assert_ne!(address(&one).await, address(&other).await);
}
