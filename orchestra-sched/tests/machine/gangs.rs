//! Gangs are bound as a whole or not at all.

use std::collections::BTreeMap;

use orchestra_core::client::Delete;
use orchestra_core::control::Random;
use orchestra_core::kinds::{Node, Pod, PodGroup, PodGroupPhase};
use orchestra_core::object::{Apply, Str};
use orchestra_sim::{Fault, Faults, Simulation, Truth, User};

use crate::scene::{SECOND, cpu_of, has_ended, no_overcommit, pod, scene, scheduler, with_nodes};
use crate::{passes, seeds};

fn member(gang: &str, number: usize, cpu: i64) -> Apply<Pod> {
    pod(&format!("{gang}-{number}"), cpu).set("spec.orchestra.podGroup", gang)
}

fn gang_of(pod: &Pod) -> Str {
    pod.spec.orchestra.as_ref().map(|it| it.pod_group.clone()).unwrap_or_default()
}

/// How many of each gang have a place.
fn placed(truth: &Truth) -> BTreeMap<Str, usize> {
    let pods = truth.list::<Pod>();
    let placed = pods.iter().filter(|pod| !pod.spec.node_name.is_empty());
    placed.fold(BTreeMap::new(), |mut all, pod| {
        *all.entry(gang_of(pod)).or_default() += 1;
        all
    })
}

/// After each commit.
fn all_or_none(truth: &Truth) -> Result<(), String> {
    let placed = placed(truth);
    for group in truth.list::<PodGroup>().iter() {
        let (least, many) = (group.spec.min_member as usize, placed.get(&group.metadata.name).copied());
        if many.is_some_and(|many| many < least) {
            return Err(format!("{many:?} of {} have a place, and {least} must", group.metadata.name));
        }
    }
    Ok(())
}

/// No gang waits that would fit, and what is said of each is so.
fn gangs_that_fit_are_bound(truth: &Truth) -> Result<(), String> {
    let (pods, placed) = (truth.list::<Pod>(), placed(truth));
    for group in truth.list::<PodGroup>().iter() {
        let name = &group.metadata.name;
        let waiting: Vec<_> =
            pods.iter().filter(|pod| gang_of(pod) == *name && pod.spec.node_name.is_empty()).collect();
        let many = placed.get(name).copied().unwrap_or(0);
        if group.status.scheduled as usize != many {
            return Err(format!("{many} of {name} have a place, its status says {}", group.status.scheduled));
        }
        let Some(one) = waiting.first().map(|pod| cpu_of(pod)) else { continue };
        let free = |node: &Node| {
            let room = node.status.allocatable.get("cpu").and_then(|cpu| cpu.milli_value()).unwrap_or(0);
            let there = pods.iter().filter(|it| it.spec.node_name == node.metadata.name && !has_ended(it));
            (room - there.map(|it| cpu_of(it)).sum::<i64>()) / one
        };
        let fit: i64 = truth.list::<Node>().iter().map(|node| free(node)).sum();
        let least = (group.spec.min_member as usize).saturating_sub(many);
        if waiting.len() >= least && fit as usize >= least.max(1) {
            return Err(format!("{name} waits, and {fit} of it would fit"));
        }
    }
    Ok(())
}

fn alone(user: &mut User<'_>, random: &mut Random) {
    let name = format!("alone-{}", random.below(12));
    // What cannot be done any more was to be done too late.
    let _ = match random.below(2) {
        0 => user.delete::<Pod>("", &name, Delete::default()),
        _ => user.apply(pod(&name, 500)),
    };
}

/// Two gangs that do not both fit, one that comes late and grows, and pods that come and go between them.
pub(crate) fn rivals(seed: u64) -> Simulation {
    let mut simulation = with_nodes(scene(seed), 6, 2)
        .within(SECOND * 900)
        .chaos_for(SECOND * 50)
        .apply(PodGroup::new("red").min_member(4))
        .apply(PodGroup::new("blue").min_member(4))
        .apply_at(SECOND * 12, PodGroup::new("late").min_member(2));
    for number in 0..5 {
        simulation = simulation.apply(member("red", number, 1800)).apply(member("blue", number, 1800));
    }
    for number in 0..3 {
        simulation = simulation.apply_at(SECOND * (8 + 6 * number), member("late", number as usize, 200));
    }
    for number in 0..5 {
        let name = format!("red-{number}");
        simulation = simulation.at(SECOND * 30, move |user| {
            // All of it goes at once, group and all, so that it is no gang any more.
            let _ = user.delete::<PodGroup>("", "red", Delete::default());
            user.delete::<Pod>("", &name, Delete::default())
        });
    }
    simulation
        .users(0.7, alone)
        .invariant("a gang is bound as a whole or not at all", all_or_none)
        .goal(gangs_that_fit_are_bound)
}

#[test]
fn gangs_are_bound_as_a_whole() {
    passes(rivals(0).part_with(scheduler).faults(Faults::everything()).search(0..seeds(10)));
}

#[test]
fn also_where_three_schedule() {
    let simulation = rivals(0).without_election().machines(3).part_with(scheduler);
    passes(simulation.faults(Faults::everything()).search(0..seeds(10)));
}

/// Two gangs of which one fits, and no transaction holds either: they are bound one by one, and admitted or undone.
fn wide(seed: u64) -> Simulation {
    const MEMBERS: usize = 43;
    let mut simulation =
        with_nodes(Simulation::seeded(seed), MEMBERS + 1, 1).within(SECOND * 3000).chaos_for(SECOND * 60);
    for gang in ["red", "blue"] {
        simulation = simulation.apply(PodGroup::new(gang).min_member(MEMBERS as u32).schedule_timeout("20s"));
        for number in 0..MEMBERS {
            simulation = simulation.apply(member(gang, number, 1000));
        }
    }
    simulation
        .invariant("no node is given away twice", no_overcommit)
        .invariant("whoever is admitted keeps its node", |truth: &Truth| {
            for group in truth.list::<PodGroup>().iter() {
                let many = placed(truth).get(&group.metadata.name).copied().unwrap_or(0);
                if group.status.phase == PodGroupPhase::Scheduled && many < MEMBERS {
                    return Err(format!(
                        "{} is admitted, and {many} of it have a place",
                        group.metadata.name
                    ));
                }
            }
            Ok(())
        })
        .goal(|truth: &Truth| {
            let placed = placed(truth);
            match (placed.get("red").copied().unwrap_or(0), placed.get("blue").copied().unwrap_or(0)) {
                (0, MEMBERS) | (MEMBERS, 0) => Ok(()),
                both => Err(format!("{both:?} have a place")),
            }
        })
}

#[test]
fn gangs_that_no_transaction_holds_are_admitted_or_undone() {
    let simulation = wide(0).without_election().machines(3).part_with(scheduler);
    // A second is enough for all of it, so that little happens at any other moment.
    let faults = Faults::everything().without(Fault::Crash).without(Fault::Skip);
    passes(simulation.faults(faults).search(0..seeds(5)));
}
