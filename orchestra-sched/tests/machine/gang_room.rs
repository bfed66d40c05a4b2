//! Others make way for a gang that is more important: for all of it, or nobody does.

use orchestra_core::client::Delete;
use orchestra_core::control::Random;
use orchestra_core::kinds::{Pod, PodGroup, PodGroupPhase};
use orchestra_core::object::Apply;
use orchestra_sim::{Fault, Faults, Simulation, Truth, User};

use crate::desk::Desk;
use crate::scene::{SECOND, pod, scene, scheduler, with_nodes};
use crate::{passes, seeds};

fn member(gang: &str, number: usize, cpu: i64) -> Apply<Pod> {
    pod(&format!("{gang}-{number}"), cpu).set("spec.orchestra.podGroup", gang).set("spec.priority", 10)
}

/// So many nodes of one core, on each of them somebody less important, and a gang of so many that need a core each.
fn against(nodes: usize, members: usize) -> Desk {
    let mut desk = Desk::new(scheduler());
    (0..nodes).for_each(|number| desk.node(&format!("node-{number}"), 1));
    (0..nodes).for_each(|number| desk.apply(pod(&format!("low-{number}"), 600)));
    desk.settle();
    assert_eq!(desk.waiting(), 0);
    desk.bound.clear();
    desk.apply(PodGroup::new("high").min_member(members as u32));
    (0..members).for_each(|number| desk.apply(member("high", number, 900)));
    desk.settle();
    desk
}

fn leaving(desk: &Desk) -> Vec<String> {
    let leaving = desk.pods().into_iter().filter(|pod| pod.metadata.is_deleting());
    leaving.map(|pod| pod.metadata.name.to_string()).collect()
}

#[test]
fn as_many_go_as_must_and_then_all_of_it_is_bound_at_once() {
    let mut desk = against(4, 3);
    let victims = leaving(&desk);
    assert_eq!((victims.len(), desk.waiting(), desk.bound.len()), (3, 3, 0));
    let told = |desk: &Desk| desk.cache.get::<PodGroup>("default", "high").unwrap().status.clone();
    let conditions = told(&desk).conditions;
    assert!(format!("{}", conditions[0]).contains("room is being made for it"), "{}", conditions[0]);
    // They leave one by one, and nobody else comes in between.
    for (left, victim) in victims.iter().enumerate() {
        desk.apply(pod(&format!("small-{left}"), 500));
        desk.settle();
        assert_eq!((desk.bound.clone(), leaving(&desk).len()), (vec![], 3 - left), "no more have to go");
        desk.remove::<Pod>(victim);
        desk.settle();
    }
    assert_eq!(desk.bound[0], 3, "in one transaction: {:?}", desk.bound);
    assert_eq!(told(&desk).phase, PodGroupPhase::Scheduled);
    assert!(leaving(&desk).is_empty());
    assert_eq!(desk.waiting(), 3, "there is no room for the small ones");
}

#[test]
fn nobody_goes_where_it_would_not_be_enough() {
    let mut desk = against(4, 5);
    assert!(leaving(&desk).is_empty());
    // Nobody is in the way of others meanwhile, and when there is more room, all is well.
    desk.apply(pod("small", 300));
    desk.settle();
    assert_eq!(desk.waiting(), 5);
    desk.node("node-4", 1);
    desk.now += SECOND * 2;
    desk.settle();
    assert_eq!(leaving(&desk).len(), 5, "all that are in the way");
    for victim in leaving(&desk) {
        desk.remove::<Pod>(&victim);
    }
    desk.settle();
    assert_eq!(desk.waiting(), 0);
}

#[test]
fn nobody_goes_for_a_gang_of_equals() {
    let mut desk = Desk::new(scheduler());
    (0..2).for_each(|number| desk.node(&format!("node-{number}"), 1));
    (0..2).for_each(|number| desk.apply(pod(&format!("there-{number}"), 600).set("spec.priority", 10)));
    desk.settle();
    desk.apply(PodGroup::new("high").min_member(2));
    (0..2).for_each(|number| desk.apply(member("high", number, 900)));
    desk.settle();
    assert_eq!((leaving(&desk).len(), desk.waiting()), (0, 2));
}

#[test]
fn room_is_given_up_when_some_of_the_gang_are_gone() {
    let mut desk = against(4, 3);
    for victim in leaving(&desk).into_iter().take(2) {
        desk.remove::<Pod>(&victim);
    }
    desk.remove::<Pod>("high-1");
    desk.settle();
    desk.apply(pod("small-0", 900));
    desk.apply(pod("small-1", 900));
    desk.now += SECOND * 61;
    desk.settle();
    assert_eq!(desk.waiting(), 2, "the two that are left of it");
}

fn come_and_go(user: &mut User<'_>, random: &mut Random) {
    let name = format!("low-{}", random.below(8));
    // What cannot be done any more was to be done too late.
    let _ = match random.below(3) {
        0 => user.delete::<Pod>("", &name, Delete::default()),
        _ => match user.truth().get::<Pod>("", &name) {
            Some(_) => Ok(()),
            None => user.apply(pod(&name, 700).set("spec.terminationGracePeriodSeconds", 5)),
        },
    };
}

/// Four nodes with room for one pod each, pods that come and go, and a gang of so many that is more important.
fn crowded(seed: u64, members: usize) -> Simulation {
    let group = PodGroup::new("high").min_member(members as u32).schedule_timeout("60s");
    let mut simulation = with_nodes(scene(seed).within(SECOND * 900).chaos_for(SECOND * 60), 4, 1)
        .users(1.0, come_and_go)
        .apply_at(SECOND * 15, group);
    for number in 0..members {
        simulation = simulation.apply_at(SECOND * 15, member("high", number, 900));
    }
    simulation
}

fn bound(truth: &Truth) -> usize {
    let pods = truth.list::<Pod>();
    pods.iter().filter(|it| it.spec.priority == Some(10) && !it.spec.node_name.is_empty()).count()
}

#[test]
fn a_gang_never_waits_for_less_important_ones() {
    let simulation = crowded(0, 3).goal(|truth: &Truth| match bound(truth) {
        3 => Ok(()),
        many => Err(format!("{many} of the gang have a place")),
    });
    let simulation = simulation
        .invariant("all of it or nothing", |truth: &Truth| match bound(truth) {
            0 | 3 => Ok(()),
            many => Err(format!("{many} of the gang have a place")),
        })
        .part_with(scheduler)
        .faults(Faults::everything().without(Fault::Rewind));
    passes(simulation.search(0..seeds(20)));
}

/// As [`crowded`], but it is too large: nobody may have to go for it.
pub(crate) fn in_vain(seed: u64) -> Simulation {
    let mut simulation = with_nodes(scene(seed).within(SECOND * 300), 4, 1);
    for number in 0..4 {
        simulation = simulation.apply(pod(&format!("low-{number}"), 700));
    }
    simulation = simulation.apply_at(SECOND * 15, PodGroup::new("high").min_member(5));
    for number in 0..5 {
        simulation = simulation.apply_at(SECOND * 15, member("high", number, 900));
    }
    simulation
        .invariant("nobody goes in vain", |truth: &Truth| {
            let pods = truth.list::<Pod>();
            match pods.iter().find(|pod| pod.metadata.is_deleting()) {
                Some(pod) => Err(format!("{} has to go", pod.metadata.name)),
                None => Ok(()),
            }
        })
        .goal(|truth: &Truth| truth.list::<Pod>().len() == 9)
}

#[test]
fn nobody_goes_in_vain() {
    let faults = Faults::everything().without(Fault::SlowCommit).without(Fault::Lag);
    passes(in_vain(0).part_with(scheduler).faults(faults).search(0..seeds(60)));
}
