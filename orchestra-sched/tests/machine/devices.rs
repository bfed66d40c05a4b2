//! Devices with fractions: no two schedulers give one device away twice, and a pod says which it has.

use orchestra_core::client::Delete;
use orchestra_core::control::Random;
use orchestra_core::kinds::{Container, Node, Pod, PodPhase};
use orchestra_core::object::{Apply, Quantity};
use orchestra_sched::machine::{Sabotage, Settings};
use orchestra_sim::{Fault, Faults, Found, Simulation, Truth, User};

use crate::scene::{SECOND, amounts, has_ended, scene, scheduler};
use crate::{passes, seeds};

const GPU: &str = "nvidia.com/gpu";
const SHARE: &str = "nvidia.com/gpu-milli";
const DEVICES: usize = 2;

fn put_node(user: &mut User<'_>, name: &str) -> orchestra_core::Result<()> {
    user.apply(Node::new(name.to_owned()))?;
    user.edit::<Node>("", name, |node| {
        node.status.allocatable = amounts(64);
        node.status.allocatable.insert(GPU, Quantity::from(DEVICES as i64));
    })
}

fn pod(name: &str, resource: &'static str, amount: i64) -> Apply<Pod> {
    let app = Container::new("app").image("app:1");
    let amount = Quantity::from(amount);
    Pod::new(name).container(app.request(resource, amount).limit(resource, amount))
}

fn asks(pod: &Pod, resource: &str) -> i64 {
    let requests = pod.spec.containers.iter().filter_map(|it| it.resources.requests.get(resource));
    requests.map(|it| it.value()).sum()
}

/// What is taken of each device of a node.
fn taken<'a>(pods: impl Iterator<Item = &'a Pod>) -> Result<[i64; DEVICES], String> {
    let mut taken = [0; DEVICES];
    for pod in pods.filter(|pod| !has_ended(pod)) {
        let devices = pod.spec.orchestra.as_ref().and_then(|it| it.devices.get(GPU)).cloned();
        let devices = devices.unwrap_or_default();
        let (whole, share) = (asks(pod, GPU), asks(pod, SHARE));
        if devices.len() as i64 != whole + i64::from(share > 0) {
            return Err(format!("{} has {devices:?} for {whole} and {share}", pod.metadata.name));
        }
        for (at, device) in devices.iter().enumerate() {
            let device = taken.get_mut(*device as usize);
            *device.ok_or("there is no such device")? += if at < whole as usize { 1000 } else { share };
        }
    }
    Ok(taken)
}

/// No device gives more than it is, and who is bound says which it has.
fn no_device_is_given_away_twice(truth: &Truth) -> Result<(), String> {
    let pods = truth.list::<Pod>();
    for node in truth.list::<Node>().iter() {
        let there = pods.iter().filter(|pod| pod.spec.node_name == node.metadata.name);
        let taken = taken(there.map(|it| &**it))?;
        if taken.iter().any(|taken| *taken > 1000) {
            return Err(format!("{}: {taken:?} are taken", node.metadata.name));
        }
    }
    Ok(())
}

/// Whoever waits finds no device with enough left, nor enough that nobody uses.
fn all_who_find_devices_are_bound(truth: &Truth) -> Result<(), String> {
    let pods = truth.list::<Pod>();
    for pod in pods.iter().filter(|pod| pod.spec.node_name.is_empty() && !has_ended(pod)) {
        for node in truth.list::<Node>().iter() {
            let there = pods.iter().filter(|it| it.spec.node_name == node.metadata.name);
            let taken = taken(there.map(|it| &**it))?;
            let unused = taken.iter().filter(|taken| **taken == 0).count() as i64;
            let share = asks(pod, SHARE);
            if asks(pod, GPU) <= unused && taken.iter().any(|taken| taken + share <= 1000) {
                return Err(format!(
                    "{} waits, and of {} {taken:?} are taken",
                    pod.metadata.name, node.metadata.name
                ));
            }
        }
    }
    Ok(())
}

fn busy(user: &mut User<'_>, random: &mut Random) {
    let name = format!("pod-{}", random.below(16));
    // What cannot be done any more was to be done too late.
    let _ = match random.below(8) {
        0..5 => match user.truth().get::<Pod>("", &name) {
            Some(_) => Ok(()),
            None if random.below(4) == 0 => user.apply(pod(&name, GPU, 1 + random.below(2) as i64)),
            None => user.apply(pod(&name, SHARE, 100 * (1 + random.below(9) as i64))),
        },
        5 => user.delete::<Pod>("", &name, Delete::default()),
        6 => user.edit::<Pod>("", &name, |pod| {
            if !pod.spec.node_name.is_empty() {
                pod.status.phase = PodPhase::Succeeded;
            }
        }),
        _ => put_node(user, &format!("node-{}", random.below(3))),
    };
}

fn crowd(seed: u64) -> Simulation {
    scene(seed)
        .within(SECOND * 600)
        .chaos_for(SECOND * 40)
        .at(std::time::Duration::ZERO, |user| {
            (0..3).try_for_each(|number| put_node(user, &format!("node-{number}")))
        })
        .invariant("no device is given away twice", no_device_is_given_away_twice)
        .users(1.0, busy)
        .goal(all_who_find_devices_are_bound)
}

#[test]
fn three_on_one_store_give_no_device_away_twice() {
    let simulation = crowd(0).without_election().machines(3).part_with(scheduler);
    passes(simulation.faults(Faults::everything().rewinds(16)).search(0..seeds(15)));
}

/// What keeps them from it is what keeps them from giving away other room.
#[test]
fn without_ledgers_they_would() {
    let sabotaged = || {
        let sabotage = Some(Sabotage::LedgerUnguarded);
        scheduler().settings(Settings { tell_every: SECOND * 5, sabotage, ..Settings::default() })
    };
    let simulation = crowd(0).without_election().machines(3).part_with(sabotaged);
    let faults = Faults::everything().without(Fault::SlowCommit);
    let failure = simulation.faults(faults).shrinking(0).search(0..400).unwrap_err();
    let is_found = matches!(&failure.found, Found::Broken { invariant, .. } if invariant == "no device is given away twice");
    assert!(is_found, "{}", failure.found);
}
