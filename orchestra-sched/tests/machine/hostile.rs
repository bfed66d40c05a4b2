//! Parts that misbehave, and moments that are awkward: nobody is lost, nobody goes in vain, and it comes to rest.

use std::time::Duration;

use orchestra_core::kinds::{Pod, PodGroup, PodGroupPhase};
use orchestra_core::object::{Apply, Resource};
use orchestra_core::store::Txn;
use orchestra_sched::machine::Settings;
use orchestra_sched::{
    Cluster, Decider, Decision, Eviction, Filter, Greedy, NodeView, Packer, Placer, PodView, Preempt,
    Profile, Verdict, Victim,
};
use serde_json::json;

use crate::desk::{Desk, crowd};
use crate::scene::{SECOND, pod, scheduler};

fn prized(name: &str, cpu: i64, priority: i32) -> Apply<Pod> {
    pod(name, cpu).set("spec.priority", priority)
}

fn is_bound(desk: &Desk, name: &str) -> bool {
    !desk.pod(name).spec.node_name.is_empty()
}

fn leaving(desk: &Desk) -> Vec<String> {
    let leaving = desk.pods().into_iter().filter(|pod| pod.metadata.is_deleting());
    leaving.map(|pod| pod.metadata.name.to_string()).collect()
}

/// A filter that panics about pods of one label.
struct Touchy;

impl Filter for Touchy {
    fn name(&self) -> &'static str {
        "Touchy"
    }

    fn filter(&self, pod: &PodView, _: &NodeView<'_>) -> Verdict {
        assert!(pod.label("touch").is_none(), "do not touch");
        Verdict::Fits
    }
}

#[test]
fn a_rule_that_panics_stops_nobody_also_where_others_might_have_to_go() {
    let profile = || Profile::default().filter(Touchy);
    let with_placer = scheduler().profile(profile()).placer("default-scheduler", Packer::new(profile()));
    for scheduler in [scheduler().profile(profile()), with_placer] {
        let mut desk = Desk::new(scheduler);
        desk.node("node-0", 6);
        desk.apply(prized("low", 3000, 0));
        desk.settle();
        desk.apply(prized("touchy", 2000, 10).label("touch", "me"));
        desk.apply(prized("high", 1000, 5));
        desk.settle();
        assert!(is_bound(&desk, "high") && !is_bound(&desk, "touchy") && leaving(&desk).is_empty());
        assert!(desk.why("touchy").contains("rule Touchy panicked: do not touch"), "{}", desk.why("touchy"));
    }
}

#[test]
fn a_strangers_nomination_gives_way_to_who_is_more_important() {
    let mut desk = Desk::new(scheduler());
    desk.node("node-0", 4);
    desk.apply(prized("theirs", 3000, 0).set("spec.schedulerName", "theirs"));
    desk.observe::<Pod>("theirs", json!({"nominatedNodeName": "node-0"}));
    desk.apply(prized("low", 2000, 0));
    desk.settle();
    assert!(!is_bound(&desk, "low"), "the room is kept for it");
    desk.apply(prized("high", 4000, 10));
    desk.settle();
    assert!(is_bound(&desk, "high") && leaving(&desk).is_empty());
}

#[test]
fn nobody_is_deleted_who_has_no_place_yet() {
    let profile = || Profile::default().named("batch");
    let greedy = Greedy::new(Decider::new(profile()));
    let mut desk = Desk::new(scheduler().profile(profile()).placer("batch", greedy));
    desk.node("node-0", 4);
    let of =
        |name: &str, cpu: i64, priority: i32| prized(name, cpu, priority).set("spec.schedulerName", "batch");
    desk.apply(of("there", 2000, 0));
    desk.settle();
    desk.apply(of("high", 4000, 10));
    desk.apply(of("low", 2000, 0));
    desk.settle();
    assert_eq!(leaving(&desk), ["there"]);
    desk.remove::<Pod>("there");
    desk.settle();
    assert!(is_bound(&desk, "high") && !is_bound(&desk, "low"));
}

#[test]
fn a_gang_whose_bytes_no_transaction_holds_is_bound_one_by_one() {
    let mut desk = crowd(0, 2);
    desk.apply(PodGroup::new("heavy").min_member(4));
    for number in 0..4 {
        let member = pod(&format!("heavy-{number}"), 1000).annotation("note", "x".repeat(230_000));
        desk.apply(member.set("spec.orchestra.podGroup", "heavy"));
    }
    desk.settle();
    assert_eq!((desk.waiting(), desk.bound.iter().sum::<usize>()), (0, 4));
    assert!(desk.bound.len() > 1);
    let group = desk.cache.get::<PodGroup>("default", "heavy").unwrap();
    assert_eq!(group.status.phase, PodGroupPhase::Scheduled);
}

#[test]
fn another_pod_of_the_same_name_is_another_pod() {
    let mut desk = crowd(0, 1);
    desk.apply(PodGroup::new("pair").min_member(2));
    desk.apply(pod("db-0", 1000).set("spec.orchestra.podGroup", "pair"));
    desk.apply(pod("db-1", 1000).set("spec.orchestra.podGroup", "pair"));
    desk.settle();
    assert_eq!(desk.waiting(), 0);
    // Seen as one change: it was deleted and created anew, and another scheduler has bound it already.
    let mut other = desk.pod("db-0").clone();
    other.metadata.uid = "another".into();
    other.spec.containers[0].resources.requests.insert("cpu", 8.into());
    other.spec.orchestra = None;
    let key = orchestra_core::client::ObjectName::new(Pod::KIND, "default", "db-0").unwrap().key();
    desk.commit(Txn::new().put(key, other.to_json().unwrap())).unwrap();
    desk.apply(pod("late", 2000));
    desk.settle();
    assert!(!is_bound(&desk, "late"), "one and eight of ten are taken");
    let group = desk.cache.get::<PodGroup>("default", "pair").unwrap();
    assert_eq!(group.status.scheduled, 1);
}

#[test]
fn gangs_have_their_turns_among_the_others() {
    let mut desk = Desk::new(scheduler());
    for (gang, priority) in [("a", 0), ("b", 100)] {
        desk.apply(PodGroup::new(gang).min_member(2));
        for number in 0..2 {
            let member = prized(&format!("{gang}-{number}"), 1000, priority);
            desk.apply(member.set("spec.orchestra.podGroup", gang).set("spec.preemptionPolicy", "Never"));
        }
    }
    desk.apply(prized("high", 2000, 1000).set("spec.preemptionPolicy", "Never"));
    desk.settle();
    desk.node("node-0", 2);
    desk.settle();
    assert!(is_bound(&desk, "high"), "the most important is first");
    desk.node("node-1", 2);
    desk.settle();
    assert!(is_bound(&desk, "b-0") && is_bound(&desk, "b-1") && !is_bound(&desk, "a-0"));
}

#[test]
fn many_gangs_all_have_a_turn() {
    let mut desk = crowd(0, 1);
    for number in 0..30 {
        let gang = format!("gang-{number:02}");
        desk.apply(PodGroup::new(gang.as_str()).min_member(2));
        let cpu = if number == 29 { 1000 } else { 8000 };
        for member in 0..2 {
            desk.apply(pod(&format!("{gang}-{member}"), cpu).set("spec.orchestra.podGroup", gang.as_str()));
        }
    }
    desk.settle();
    assert!(is_bound(&desk, "gang-29-0") && is_bound(&desk, "gang-29-1"));
}

#[test]
fn who_comes_after_a_gang_has_ended_waits_for_others_again() {
    let mut desk = crowd(0, 2);
    desk.apply(PodGroup::new("trio").min_member(3));
    let member = |name: String, cpu: i64| pod(&name, cpu).set("spec.orchestra.podGroup", "trio");
    (0..3).for_each(|number| desk.apply(member(format!("old-{number}"), 1000)));
    desk.settle();
    assert_eq!(desk.waiting(), 0);
    (0..3).for_each(|number| desk.observe::<Pod>(&format!("old-{number}"), json!({"phase": "Failed"})));
    desk.settle();
    let group = |desk: &Desk| desk.cache.get::<PodGroup>("default", "trio").unwrap().status.clone();
    assert_eq!(group(&desk).phase, PodGroupPhase::Scheduled, "what it has come to stays said");
    // There is room for two of three.
    (0..3).for_each(|number| desk.apply(member(format!("new-{number}"), 8000)));
    desk.settle();
    assert_eq!(desk.waiting(), 3);
    desk.node("node-2", 10);
    desk.settle();
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn the_more_important_do_not_wait_for_the_next_flush() {
    let mut desk = Desk::new(scheduler());
    desk.node("node-0", 4);
    desk.apply(prized("middle", 3000, 10));
    desk.settle();
    desk.apply(prized("high", 4000, 10));
    desk.apply(prized("low", 1000, 0));
    desk.settle();
    assert!(is_bound(&desk, "low") && !is_bound(&desk, "high"));
    desk.remove::<Pod>("middle");
    desk.settle();
    desk.now += SECOND;
    desk.settle();
    assert_eq!(leaving(&desk), ["low"]);
}

#[test]
fn all_who_fit_nowhere_are_told_also_who_was_not_asked_about() {
    let mut desk = crowd(0, 3);
    (0..5).for_each(|number| desk.apply(pod(&format!("big-{number}"), 20_000)));
    desk.apply(pod("gated", 100).set("spec.schedulingGates", json!([{"name": "wait"}])));
    desk.settle();
    for number in 0..5 {
        assert_eq!(
            desk.why(&format!("big-{number}")),
            "PodScheduled=False (Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.)"
        );
    }
    assert_eq!(
        desk.why("gated"),
        "PodScheduled=False (SchedulingGated: Scheduling is blocked due to non-empty scheduling gates: wait)"
    );
}

/// Gives nobody a place.
struct Reluctant;

impl Placer for Reluctant {
    fn name(&self) -> &'static str {
        "Reluctant"
    }

    fn place(&mut self, batch: &[PodView], _: &mut Cluster) -> Vec<Decision> {
        vec![Decision::NoFit; batch.len()]
    }
}

#[test]
fn what_a_placer_declines_is_declined() {
    let profile = Profile::default().named("batch");
    let mut desk = Desk::new(scheduler().profile(profile).placer("batch", Reluctant));
    desk.node("node-0", 4);
    desk.apply(prized("low", 1000, 0));
    desk.settle();
    desk.apply(prized("high", 2000, 10).set("spec.schedulerName", "batch"));
    desk.settle();
    assert!(!is_bound(&desk, "high") && leaving(&desk).is_empty());
    assert!(desk.why("high").contains("placer Reluctant gives it no place"), "{}", desk.why("high"));
}

#[test]
fn who_is_too_late_when_the_room_has_come_is_not_bound() {
    let mut desk = Desk::new(scheduler());
    desk.node("node-0", 4);
    desk.apply(prized("low", 3000, 0));
    desk.settle();
    desk.apply(
        prized("high", 4000, 10).set("spec.orchestra.deadline", json!({"within": "20s", "runtime": "5s"})),
    );
    desk.settle();
    assert_eq!(leaving(&desk), ["low"]);
    desk.now += SECOND * 30;
    desk.remove::<Pod>("low");
    desk.settle();
    assert!(!is_bound(&desk, "high"));
    desk.now += SECOND * 11;
    desk.settle();
    assert!(desk.why("high").contains("DeadlineMissed"), "{}", desk.why("high"));
}

/// Wants somebody to go, whoever it is.
struct Bloodthirsty(&'static str);

impl Preempt for Bloodthirsty {
    fn name(&self) -> &'static str {
        "Bloodthirsty"
    }

    fn preempt(&mut self, _: &Profile, cluster: &mut Cluster, _: &PodView) -> Option<Eviction> {
        assert_ne!(self.0, "panic", "no more");
        let node = cluster.node("node-0")?;
        let victim = Victim { namespace: "default".into(), name: self.0.into(), priority: 0, since: None };
        Some(Eviction { node, victims: vec![victim], violations: 0 })
    }
}

#[test]
fn nobody_goes_whose_going_would_not_help() {
    for (victim, why) in [
        ("peer", "one is not less important"),
        ("small", "it would not fit all the same"),
        ("nobody", "one is not there"),
        ("panic", "Bloodthirsty panicked"),
    ] {
        let mut desk = Desk::new(scheduler().preempt(Bloodthirsty(victim)));
        desk.node("node-0", 4);
        desk.apply(prized("peer", 3000, 10));
        desk.apply(prized("small", 500, 0));
        desk.settle();
        desk.apply(prized("high", 4000, 10));
        desk.settle();
        assert!(leaving(&desk).is_empty() && !is_bound(&desk, "high"), "{victim}");
        assert!(desk.why("high").contains(why), "{}", desk.why("high"));
    }
}

#[test]
fn settings_may_be_as_large_or_as_small_as_they_like() {
    let endless = Duration::MAX;
    for settings in [
        Settings { flush: endless, tell_every: endless, ..Settings::default() },
        Settings { per_turn: 0, ahead: 0, at_once: 0, ..Settings::default() },
    ] {
        let mut desk = Desk::new(scheduler().settings(settings));
        desk.node("node-0", 4);
        desk.apply(pod("one", 1000));
        desk.apply(pod("large", 9000));
        desk.settle();
        desk.now += SECOND * 100;
        desk.apply(pod("two", 1000));
        desk.settle();
        assert_eq!(desk.waiting(), 1);
    }
}
