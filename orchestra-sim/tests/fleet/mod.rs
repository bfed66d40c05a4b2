//! A fleet of workers: something like a ReplicaSet, small enough to be seen through.
#![allow(dead_code)] // each test uses its part

use std::time::Duration;

use orchestra_core::client::{Delete, Dependents};
use orchestra_core::control::{Controller, Plan, Random, View};
use orchestra_core::object::{Apply, Kind, Object, Spec};
use orchestra_sim::{Simulation, Truth, User};
use serde::{Deserialize, Serialize};

/// So many workers are wanted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FleetSpec {
    pub(crate) replicas: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FleetStatus {
    pub(crate) ready: u32,
    /// What only planted bugs write.
    pub(crate) made: Vec<String>,
    pub(crate) observed_generation: u64,
}

impl Spec for FleetSpec {
    const KIND: Kind = Kind::namespaced("sim.example.com/v1", "Fleet");
    type Status = FleetStatus;
}
pub(crate) type Fleet = Object<FleetSpec>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WorkerSpec {
    pub(crate) mark: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct WorkerStatus {
    pub(crate) ready: bool,
}

impl Spec for WorkerSpec {
    const KIND: Kind = Kind::namespaced("sim.example.com/v1", "Worker");
    type Status = WorkerStatus;
}
pub(crate) type Worker = Object<WorkerSpec>;

pub(crate) const STOPS: &str = "sim.example.com/stops";

pub(crate) fn fleet_of(replicas: u32) -> Apply<Fleet> {
    Fleet::new("blue").spec(FleetSpec { replicas })
}

/// What keeps a fleet as large as it is wanted. This one is right.
pub(crate) fn fleet(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let names: Vec<_> = (0..fleet.spec.replicas).map(|slot| world.name(slot)).collect();
    let mut plan =
        Plan::new().ensure_each(names.iter().map(|name| Worker::new(name.clone()).owned_by(fleet)));
    for worker in world.owned_by::<Worker>(fleet) {
        if !names.contains(worker.name()) && !worker.metadata.is_deleting() {
            plan = plan.delete(worker);
        }
    }
    plan.status(fleet, FleetStatus { ready: ready(fleet, world), ..fleet.status.clone() })
}

pub(crate) fn ready(fleet: &Fleet, world: &View<'_>) -> u32 {
    let workers = world.owned_by::<Worker>(fleet);
    workers.filter(|worker| worker.status.ready && !worker.metadata.is_deleting()).count() as u32
}

/// What plays the node: a worker is ready soon, and takes its time to stop.
fn node(worker: &Worker, _: &View<'_>) -> Plan {
    match worker.metadata.is_deleting() {
        true => Plan::new().remove_finalizer(worker, STOPS),
        false => Plan::new().finalizer(worker, STOPS).status(worker, WorkerStatus { ready: true }),
    }
}

/// How many were wanted at most so far.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) most: u32,
}

pub(crate) fn scale(user: &mut User<'_>, replicas: u32) -> orchestra_core::Result<()> {
    let wanted = user.outside::<Wanted>();
    wanted.most = wanted.most.max(replicas);
    user.apply(fleet_of(replicas))
}

/// A fleet with a controller, and what must be true of it.
pub(crate) fn simulation(seed: u64) -> Simulation {
    Simulation::seeded(seed)
        .environment(Controller::new("node", node))
        .invariant("never more workers than were ever wanted", not_too_many)
        .goal(as_wanted)
        .within(Duration::from_secs(1200))
}

/// Scaled and deleted at certain times: for what is explored point by point.
pub(crate) fn scripted(seed: u64) -> Simulation {
    let at = Duration::from_secs;
    simulation(seed)
        .at(at(0), |user| scale(user, 3))
        .at(at(6), kill_one)
        .delete_at::<Fleet>(at(12), "", "blue", Delete::default())
        .at(at(16), |user| scale(user, 5))
        .at(at(22), |user| scale(user, 2))
        .at(Duration::from_millis(22_100), |user| scale(user, 3))
        .at(at(32), kill_one)
        .chaos_for(at(40))
}

/// Only scaled, between three and five, and nobody is killed.
pub(crate) fn scaled(seed: u64) -> Simulation {
    let at = Duration::from_secs;
    simulation(seed)
        .at(at(0), |user| scale(user, 3))
        .at(at(10), |user| scale(user, 5))
        .at(at(20), |user| scale(user, 3))
        .at(at(30), |user| scale(user, 4))
        .chaos_for(at(45))
        .invariant("three are left alone", three_are_left_alone)
}

/// Scaled, deleted, made anew and killed at random.
pub(crate) fn busy(seed: u64) -> Simulation {
    simulation(seed)
        .at(Duration::ZERO, |user| scale(user, 3))
        .users(0.3, act_at_random)
        .chaos_for(Duration::from_secs(60))
}

fn act_at_random(user: &mut User<'_>, random: &mut Random) {
    // What cannot be done any more was to be done too late.
    let _ = match random.below(10) {
        0..5 => scale(user, random.below(6) as u32),
        5..9 => kill_one(user),
        _ => user.delete::<Fleet>("", "blue", Delete::default().dependents(Dependents::Background)),
    };
}

pub(crate) fn kill_one(user: &mut User<'_>) -> orchestra_core::Result<()> {
    let first = user.truth().list::<Worker>().iter().find(|worker| !worker.metadata.is_deleting()).cloned();
    match first {
        Some(worker) => user.delete::<Worker>("", worker.name(), Delete::default()),
        None => Ok(()),
    }
}

pub(crate) fn alive(truth: &Truth) -> u32 {
    truth.list::<Worker>().iter().filter(|worker| !worker.metadata.is_deleting()).count() as u32
}

fn not_too_many(truth: &Truth) -> Result<(), String> {
    let most = truth.outside::<Wanted>().map_or(0, |wanted| wanted.most);
    // Those of a fleet that was deleted may still be about when another takes its name.
    let fleet = truth.get::<Fleet>("", "blue");
    let own = fleet.map_or(0, |fleet| {
        let owned = truth.owned_by::<Worker>(&*fleet);
        owned.iter().filter(|worker| !worker.metadata.is_deleting()).count() as u32
    });
    if own <= most { Ok(()) } else { Err(format!("there are {own}, and at most {most} were wanted")) }
}

/// No deletion leaves fewer than three.
fn three_are_left_alone(truth: &Truth) -> Result<(), String> {
    let now = truth.list::<Worker>();
    let is_hit = |worker: &Worker| {
        let before = truth.previous::<Worker>("", worker.name());
        worker.metadata.is_deleting() && before.is_some_and(|before| !before.metadata.is_deleting())
    };
    let left = alive(truth);
    match now.iter().any(|worker| is_hit(worker)) && left < 3 {
        true => Err(format!("{left} are left, and three are always wanted")),
        false => Ok(()),
    }
}

/// As many are there as are wanted, all ready, and the status says so.
pub(crate) fn as_wanted(truth: &Truth) -> Result<(), String> {
    let fleet = truth.get::<Fleet>("", "blue");
    let workers = truth.list::<Worker>();
    let wanted = fleet.as_ref().map_or(0, |fleet| fleet.spec.replicas);
    if workers.len() as u32 != wanted {
        return Err(format!("{wanted} workers are wanted, {} are there", workers.len()));
    }
    if let Some(worker) = workers.iter().find(|worker| !worker.status.ready || worker.metadata.is_deleting())
    {
        return Err(format!("{} is not ready", worker.name()));
    }
    match fleet.filter(|fleet| fleet.status.ready != wanted) {
        Some(fleet) => Err(format!("{} are ready, the status says {}", wanted, fleet.status.ready)),
        None => Ok(()),
    }
}
