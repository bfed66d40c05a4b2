//! What the scenarios are made of: nodes and pods that come and go, and what must be true of them.

use std::time::Duration;

use orchestra_core::client::Delete;
use orchestra_core::control::{Controller, Plan, Random, View};
use orchestra_core::kinds::{Container, Node, Pod, PodPhase};
use orchestra_core::object::{Apply, Map, Quantity};
use orchestra_sched::machine::Settings;
use orchestra_sched::{Profile, Scheduler};
use orchestra_sim::{Simulation, Truth, User};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A scheduler as it is used. Several on one store.
pub(crate) fn scheduler() -> Scheduler {
    let settings = Settings { tell_every: Duration::from_secs(5), ..Settings::default() };
    Scheduler::new("scheduler").profile(Profile::default()).settings(settings)
}

/// Puts up a node with so many cores, or gives one that is there as many.
pub(crate) fn put_node(user: &mut User<'_>, name: &str, cpu: i64) -> orchestra_core::Result<()> {
    user.apply(Node::new(name.to_owned()))?;
    user.edit::<Node>("", name, |node| node.status.allocatable = amounts(cpu))
}

pub(crate) fn amounts(cpu: i64) -> Map<Quantity> {
    let amounts =
        [("cpu", Quantity::from(cpu)), ("memory", Quantity::bytes(32 << 30)), ("pods", Quantity::from(110))];
    amounts.into_iter().collect()
}

/// So many nodes with so many cores each, at the beginning.
pub(crate) fn with_nodes(simulation: Simulation, many: usize, cpu: i64) -> Simulation {
    simulation.at(Duration::ZERO, move |user| {
        (0..many).try_for_each(|number| put_node(user, &format!("node-{number}"), cpu))
    })
}

pub(crate) fn pod(name: &str, cpu: i64) -> Apply<Pod> {
    Pod::new(name).container(Container::new("app").image("app:1").request("cpu", Quantity::milli(cpu)))
}

pub(crate) fn cpu_of(pod: &Pod) -> i64 {
    let requests = pod.spec.containers.iter().filter_map(|container| container.resources.requests.get("cpu"));
    requests.filter_map(|cpu| cpu.milli_value()).sum()
}

pub(crate) fn has_ended(pod: &Pod) -> bool {
    matches!(pod.status.phase, PodPhase::Succeeded | PodPhase::Failed)
}

/// What plays the nodes' agents: a pod that is to go is gone a little later.
pub(crate) fn agent(pod: &Pod, world: &View<'_>) -> Plan {
    if pod.spec.node_name.is_empty() {
        return Plan::new();
    }
    match pod.metadata.deletion_timestamp {
        Some(_) => Plan::new().delete_with(pod, Delete::default().grace(0)),
        // Of a node that is gone, nothing runs any more.
        None if world.get::<Node>(&pod.spec.node_name).is_none() => Plan::new().delete(pod),
        None => Plan::new(),
    }
}

pub(crate) fn scene(seed: u64) -> Simulation {
    Simulation::seeded(seed)
        .environment(Controller::of::<Pod>("agent", agent))
        .invariant("no node is given away twice", no_overcommit)
        .invariant("a pod keeps its node", keeps_its_node)
}

/// A bind leaves no more taken on a node than there is. A node that shrinks below what runs there is nobody's
/// fault; that more is put on it is.
pub(crate) fn no_overcommit(truth: &Truth) -> Result<(), String> {
    let pods = truth.list::<Pod>();
    for pod in pods.iter() {
        let before = truth.previous::<Pod>(&pod.metadata.namespace, &pod.metadata.name);
        let is_new = before.is_none_or(|before| before.spec.node_name.is_empty());
        if pod.spec.node_name.is_empty() || !is_new {
            continue;
        }
        let name = &pod.spec.node_name;
        let Some(node) = truth.get::<Node>("", name) else {
            return Err(format!("{} was bound to {name}, which is no more", pod.metadata.name));
        };
        let room = node.status.allocatable.get("cpu").and_then(|cpu| cpu.milli_value()).unwrap_or(0);
        let there = pods.iter().filter(|it| it.spec.node_name == *name && !has_ended(it));
        let taken: i64 = there.map(|it| cpu_of(it)).sum();
        if taken > room {
            return Err(format!("{name} has {room}m, and its pods take {taken}m"));
        }
    }
    Ok(())
}

/// `spec.nodeName` is set once.
pub(crate) fn keeps_its_node(truth: &Truth) -> Result<(), String> {
    for pod in truth.list::<Pod>().iter() {
        let Some(before) = truth.previous::<Pod>(&pod.metadata.namespace, &pod.metadata.name) else {
            continue;
        };
        let is_same = before.metadata.uid == pod.metadata.uid;
        let (was, is) = (&before.spec.node_name, &pod.spec.node_name);
        if is_same && !was.is_empty() && was != is {
            return Err(format!("{} was on {was}, and is on `{is}`", pod.metadata.name));
        }
    }
    Ok(())
}

/// Whoever waits fits nowhere: each pod that can have a place has one.
pub(crate) fn all_who_fit_are_bound(truth: &Truth) -> Result<(), String> {
    let pods = truth.list::<Pod>();
    for pod in pods.iter().filter(|pod| pod.spec.node_name.is_empty() && !has_ended(pod)) {
        for node in truth.list::<Node>().iter() {
            let room = node.status.allocatable.get("cpu").and_then(|cpu| cpu.milli_value()).unwrap_or(0);
            let there = pods.iter().filter(|it| it.spec.node_name == node.metadata.name && !has_ended(it));
            let taken: i64 = there.map(|it| cpu_of(it)).sum();
            if !node.spec.unschedulable && taken + cpu_of(pod) <= room {
                return Err(format!(
                    "{} waits, and {} has room: {taken}m of {room}m are taken",
                    pod.metadata.name, node.metadata.name
                ));
            }
        }
    }
    Ok(())
}

/// What users do while things go wrong: pods and nodes come, end, shrink and go.
pub(crate) fn busy(user: &mut User<'_>, random: &mut Random) {
    let nodes = 4;
    let at = format!("node-{}", random.below(nodes));
    let name = format!("pod-{}", random.below(40));
    // What cannot be done any more was to be done too late.
    let _ = match random.below(20) {
        0..10 => match user.truth().get::<Pod>("", &name) {
            Some(_) => Ok(()),
            None => user.apply(pod(&name, 300 + 100 * random.below(8) as i64)),
        },
        10..13 => user.delete::<Pod>("", &name, Delete::default()),
        13..15 => user.edit::<Pod>("", &name, |pod| {
            if !pod.spec.node_name.is_empty() {
                pod.status.phase = PodPhase::Succeeded;
            }
        }),
        15 => user.edit::<Pod>("", &name, |pod| drop(pod.metadata.annotations.insert("seen", "yes".into()))),
        16 => user.delete::<Node>("", &at, Delete::default()),
        17 => user.edit::<Node>("", &at, |node| node.spec.unschedulable = !node.spec.unschedulable),
        _ => put_node(user, &at, 1 + random.below(3) as i64),
    };
}
