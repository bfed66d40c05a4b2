//! Queues have what they may have, and their turns by what they have.

use orchestra_core::client::Delete;
use orchestra_core::control::Random;
use orchestra_core::kinds::{Pod, PodGroup};
use orchestra_core::object::{Apply, Resource};
use orchestra_sched::QueueShare;
use orchestra_sim::{Faults, Simulation, Truth, User};
use serde_json::json;

use crate::desk::{Desk, crowd};
use crate::scene::{SECOND, cpu_of, has_ended, pod, scene, scheduler, with_nodes};
use crate::{passes, seeds};

fn of(queue: &str, name: &str, cpu: i64) -> Apply<Pod> {
    pod(name, cpu).set("spec.orchestra.queue", queue)
}

fn may_have(queue: &str, weight: i64, cpu: Option<&str>) -> Apply<QueueShare> {
    let share = QueueShare::new(queue.to_owned()).set("spec.weight", weight);
    match cpu {
        Some(cpu) => share.set("spec.quota", json!({"cpu": cpu})),
        None => share,
    }
}

fn bound(desk: &Desk, queue: &str) -> usize {
    let is = |pod: &&&Pod| pod.metadata.name.starts_with(queue) && !pod.spec.node_name.is_empty();
    desk.pods().iter().filter(is).count()
}

#[test]
fn a_quota_keeps_waiting_and_says_so_and_lets_go_when_something_ends() {
    let mut desk = crowd(0, 2);
    desk.apply(may_have("batch", 1, Some("1")));
    (0..6).for_each(|number| desk.apply(of("batch", &format!("batch-{number}"), 400)));
    desk.apply(of("other", "other-0", 400));
    desk.settle();
    assert_eq!((bound(&desk, "batch"), bound(&desk, "other")), (2, 1));
    let waits =
        (0..6).map(|number| format!("batch-{number}")).find(|it| desk.pod(it).spec.node_name.is_empty());
    assert_eq!(
        desk.why(&waits.unwrap()),
        "PodScheduled=False (Unschedulable: queue batch is over its quota of cpu: it has 800m of 1, and 400m more is asked for)"
    );
    // One ends, and then more is allowed.
    let name = desk.pods().iter().find(|it| !it.spec.node_name.is_empty()).unwrap().metadata.name.clone();
    desk.observe::<Pod>(&name, json!({"phase": "Succeeded"}));
    desk.settle();
    assert_eq!(bound(&desk, "batch"), 3);
    desk.apply(may_have("batch", 1, Some("1200m")));
    desk.settle();
    assert_eq!(bound(&desk, "batch"), 4);
    // Nothing is said of it any more.
    desk.remove::<QueueShare>("batch");
    desk.settle();
    assert_eq!(bound(&desk, "batch"), 6);
}

#[test]
fn turns_are_by_what_each_has_and_weighs() {
    let mut desk = Desk::new(scheduler());
    desk.apply(may_have("heavy", 3, None));
    for number in 0..20 {
        desk.apply(of("light", &format!("light-{number}"), 1000));
        desk.apply(of("heavy", &format!("heavy-{number}"), 1000));
        desk.apply(of("heavy", &format!("heavy-small-{number}"), 1).set("spec.priority", -1));
    }
    desk.node("node-0", 12);
    desk.settle();
    assert_eq!((bound(&desk, "light"), bound(&desk, "heavy")), (3, 9));
}

#[test]
fn who_is_over_quota_drives_out_nobody() {
    let mut desk = Desk::new(scheduler());
    desk.node("node-0", 4);
    desk.apply(may_have("proud", 1, Some("1")));
    (0..4).for_each(|number| desk.apply(pod(&format!("low-{number}"), 1000)));
    desk.settle();
    desk.apply(of("proud", "proud-0", 2000).set("spec.priority", 10));
    desk.settle();
    assert!(desk.pods().iter().all(|it| !it.metadata.is_deleting()));
    assert!(desk.why("proud-0").contains("over its quota"), "{}", desk.why("proud-0"));
}

#[test]
fn a_gang_has_all_of_what_its_queue_may_have_or_nothing() {
    let mut desk = crowd(0, 2);
    desk.apply(may_have("batch", 1, Some("2")));
    desk.apply(PodGroup::new("trio").min_member(3));
    for number in 0..3 {
        desk.apply(of("batch", &format!("batch-{number}"), 800).set("spec.orchestra.podGroup", "trio"));
    }
    desk.settle();
    assert_eq!(bound(&desk, "batch"), 0);
    assert_eq!(
        desk.why("batch-0"),
        "PodScheduled=False (Unschedulable: only 2 of its gang fit, and 3 must: queue batch is over its quota of cpu: it has 1600m of 2, and 800m more is asked for)"
    );
    desk.apply(may_have("batch", 1, Some("2400m")));
    desk.settle();
    assert_eq!(bound(&desk, "batch"), 3);
}

#[test]
fn a_queue_that_cannot_be_is_refused() {
    let refused = |share: Apply<QueueShare>| share.build().unwrap().problems().to_string();
    assert!(refused(may_have("batch", 0, None)).contains("spec.weight: must be from 1 to 1000000"));
    let negative = refused(may_have("batch", 1, Some("-1")));
    assert!(negative.contains("spec.quota.cpu: must not be less than 0"), "{negative}");
}

/// No bind leaves a queue with more than its quota.
fn within_quota(truth: &Truth) -> Result<(), String> {
    let pods = truth.list::<Pod>();
    let taken: i64 = pods
        .iter()
        .filter(|it| !it.spec.node_name.is_empty() && !has_ended(it) && queue_of(it) == "batch")
        .map(|it| cpu_of(it))
        .sum();
    if taken > 2500 { Err(format!("queue batch has {taken}m of 2500m")) } else { Ok(()) }
}

fn queue_of(pod: &Pod) -> &str {
    pod.spec.orchestra.as_ref().map_or("", |it| &it.queue)
}

fn come_and_go(user: &mut User<'_>, random: &mut Random) {
    let name = format!("pod-{}", random.below(30));
    // What cannot be done any more was to be done too late.
    let _ = match random.below(4) {
        0 => user.delete::<Pod>("", &name, Delete::default()),
        _ => match user.truth().get::<Pod>("", &name) {
            Some(_) => Ok(()),
            None => user.apply(of(["batch", "other"][random.below(2) as usize], &name, 400)),
        },
    };
}

fn shared(seed: u64) -> Simulation {
    with_nodes(scene(seed).within(SECOND * 900).chaos_for(SECOND * 40), 3, 4)
        .apply(may_have("batch", 2, Some("2500m")))
        .users(1.0, come_and_go)
        .invariant("nobody has more than may be", within_quota)
        .goal(|truth: &Truth| {
            let pods = truth.list::<Pod>();
            let waits = pods.iter().filter(|it| it.spec.node_name.is_empty() && !has_ended(it));
            let has = |queue: &str| {
                pods.iter()
                    .filter(|it| !it.spec.node_name.is_empty() && queue_of(it) == queue && !has_ended(it))
                    .map(|it| cpu_of(it))
                    .sum::<i64>()
            };
            for pod in waits {
                if queue_of(pod) != "batch" || has("batch") + cpu_of(pod) <= 2500 {
                    let has = (has("batch"), has("other"));
                    if has.0 + has.1 + cpu_of(pod) <= 12_000 - 3 * 400 {
                        return Err(format!("{} waits, and {has:?} are taken", pod.metadata.name));
                    }
                }
            }
            Ok(())
        })
}

#[test]
fn a_quota_holds_whatever_goes_wrong() {
    passes(shared(0).part_with(scheduler).faults(Faults::everything()).search(0..seeds(20)));
}
