//! What holds pods back whatever nodes there are: what they depend on, and that they come too late.

use orchestra_core::kinds::{Container, Deployment, Job, Node, Pod, PodGroup};
use orchestra_core::object::{Apply, Conditions};
use orchestra_sched::EarliestDeadline;
use serde_json::json;

use crate::desk::{Desk, crowd};
use crate::scene::{SECOND, pod, scheduler};

fn after(name: &str, on: serde_json::Value) -> Apply<Pod> {
    pod(name, 100).set("spec.orchestra.dependsOn", on)
}

fn available(is: &str) -> serde_json::Value {
    json!({"conditions": [{"type": "Available", "status": is}]})
}

fn deployment(name: &str) -> Apply<Deployment> {
    Deployment::new(name.to_owned()).container(Container::new("app").image("app:1"))
}

#[test]
fn what_a_pod_depends_on_is_there_before_it_has_a_place() {
    let mut desk = crowd(0, 2);
    desk.apply(after(
        "web",
        json!([{"name": "db"}, {"kind": "Job", "name": "migrate", "condition": "Complete"}]),
    ));
    desk.settle();
    let condition = |why: &str| format!("PodScheduled=False (DependenciesMissing: waits for {why})");
    let none = "Deployment db to be Available: there is none in namespace default";
    assert_eq!(desk.why("web"), condition(none));
    desk.apply(deployment("db"));
    desk.now += SECOND * 11;
    desk.settle();
    assert_eq!(desk.why("web"), condition("Deployment db to be Available"));
    desk.observe::<Deployment>("db", available("True"));
    desk.now += SECOND * 11;
    desk.settle();
    let none = "Job migrate to be Complete: there is none in namespace default";
    assert_eq!((desk.waiting(), desk.why("web")), (1, condition(none)));
    desk.apply(
        Job::new("migrate")
            .container(Container::new("app").image("app:1"))
            .set("spec.template.spec.restartPolicy", "Never"),
    );
    desk.observe::<Job>("migrate", json!({"conditions": [{"type": "Complete", "status": "True"}]}));
    desk.settle();
    assert_eq!(desk.waiting(), 0);
    assert!(desk.pod("web").status.conditions.is_true("PodScheduled"));
    // What fails later is no reason to wait again.
    desk.observe::<Deployment>("db", available("False"));
    desk.settle();
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn a_circle_is_named_and_holds_up_nobody_else() {
    let mut desk = crowd(3, 2);
    for (name, on) in [("a", "b"), ("b", "c"), ("c", "a")] {
        desk.apply(deployment(name).set("spec.template.spec.orchestra.dependsOn", json!([{"name": on}])));
        desk.apply(after(&format!("{name}-0"), json!([{"name": on}])));
    }
    desk.apply(after("itself", json!([{"kind": "Pod", "name": "itself", "condition": "Ready"}])));
    desk.apply(after("strange", json!([{"kind": "Unicorn", "name": "u"}])));
    desk.settle();
    assert_eq!(desk.waiting(), 5, "the three that depend on nothing have their places");
    assert_eq!(
        desk.why("a-0"),
        "PodScheduled=False (DependenciesMissing: waits for Deployment b to be Available, which never comes: \
         Deployment b waits for Deployment c waits for Deployment a waits for Deployment b)"
    );
    assert_eq!(
        desk.why("itself"),
        "PodScheduled=False (DependenciesMissing: waits for Pod itself to be Ready, which never comes: \
         Pod itself waits for Pod itself)"
    );
    assert_eq!(
        desk.why("strange"),
        "PodScheduled=False (DependenciesMissing: depends on Unicorn u, a kind whose state this scheduler is not told how to read)"
    );
    let quiet = desk.state.revision();
    for _ in 0..10 {
        desk.now += SECOND * 61;
        desk.settle();
    }
    assert_eq!(desk.state.revision(), quiet, "nothing has changed, and nothing is written");
    // Somebody cuts the circle.
    desk.observe::<Deployment>("a", available("True"));
    desk.settle();
    assert!(!desk.pod("c-0").spec.node_name.is_empty());
}

#[test]
fn ones_own_kinds_can_be_depended_on() {
    let ready = |node: &Node, _: &str| node.metadata.labels.get("warm").is_some_and(|it| *it == "yes");
    let mut desk = Desk::new(scheduler().depend_on::<Node>(ready, |_| Vec::new()));
    desk.node("node-0", 4);
    desk.apply(after("web", json!([{"kind": "Node", "name": "node-0", "condition": "Warm"}])));
    desk.settle();
    assert_eq!(desk.waiting(), 1);
    desk.apply_as("user", Node::new("node-0").label("warm", "yes"));
    desk.settle();
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn a_gang_waits_for_what_its_members_depend_on() {
    let mut desk = crowd(0, 2);
    desk.apply(PodGroup::new("pair").min_member(2));
    desk.apply(deployment("db"));
    desk.apply(after("pair-0", json!([{"name": "db"}])).set("spec.orchestra.podGroup", "pair"));
    desk.apply(pod("pair-1", 100).set("spec.orchestra.podGroup", "pair"));
    desk.settle();
    assert_eq!(desk.waiting(), 2);
    desk.observe::<Deployment>("db", available("True"));
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.clone()), (0, vec![2]));
}

/// A pod that must have ended so many seconds after it was created (at second 1), and runs five.
fn due(name: &str, cpu: i64, within: u32) -> Apply<Pod> {
    pod(name, cpu).set("spec.orchestra.deadline", json!({"within": format!("{within}s"), "runtime": "5s"}))
}

#[test]
fn who_comes_too_late_is_refused_and_the_others_are_in_time() {
    let mut desk = Desk::new(scheduler().order(EarliestDeadline));
    for (name, within) in [("late", 20), ("later", 600), ("never", 4000), ("soon", 60)] {
        desk.apply(due(name, 4_000, within));
    }
    desk.apply(pod("whenever", 4_000));
    desk.settle();
    assert_eq!(desk.waiting(), 5, "there is no node");
    desk.now += SECOND * 30;
    desk.node("node-0", 8);
    desk.settle();
    let bound = |desk: &Desk| {
        let bound = desk.pods().into_iter().filter(|it| !it.spec.node_name.is_empty());
        bound.map(|it| it.metadata.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(bound(&desk), ["later", "soon"]);
    assert_eq!(
        desk.why("late"),
        "PodScheduled=False (DeadlineMissed: it runs 5s and must have ended by 1970-01-01T00:00:21Z: it had to start by 1970-01-01T00:00:16Z)"
    );
    // It is of no use to it that there is room now.
    desk.node("node-1", 80);
    desk.settle();
    assert_eq!(bound(&desk), ["later", "never", "soon", "whenever"]);
}
