//! Servers in a cloud, which are made and taken away by effects.
#![allow(dead_code)] // each test uses its part

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestra_core::client::Delete;
use orchestra_core::control::{Controller, Effect, EffectPhase, EffectRequest, Plan, View};
use orchestra_core::object::{Kind, Object, Resource, Spec};
use orchestra_sim::{EffectCall, Outside, Simulation, Truth};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServerSpec {
    pub(crate) size: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServerStatus {
    pub(crate) machine: String,
}

impl Spec for ServerSpec {
    const KIND: Kind = Kind::namespaced("sim.example.com/v1", "Server");
    type Status = ServerStatus;
}
pub(crate) type Server = Object<ServerSpec>;

/// What there is in the cloud: a machine for each key, and which of them were taken away.
#[derive(Default)]
pub(crate) struct Cloud {
    pub(crate) machines: BTreeMap<String, String>,
    /// A call may come late, after what it made was taken away.
    pub(crate) taken_away: BTreeSet<String>,
    pub(crate) made: u32,
}

pub(crate) const CREATE: &str = "create-machine";
pub(crate) const DELETE: &str = "delete-machine";

/// The cloud makes one machine for a key, however often it is asked.
fn create(world: &mut Outside, call: &EffectCall) -> Result<Value, String> {
    let server = call.input["server"].as_str().unwrap_or_default().to_owned();
    let cloud = world.state::<Cloud>();
    if !cloud.machines.contains_key(&call.key) && !cloud.taken_away.contains(&call.key) {
        cloud.made += 1;
        cloud.machines.insert(call.key.clone(), server);
    }
    Ok(json!({ "machine": call.key }))
}

fn delete(world: &mut Outside, call: &EffectCall) -> Result<Value, String> {
    let machine = call.input["machine"].as_str().unwrap_or_default();
    let cloud = world.state::<Cloud>();
    cloud.machines.remove(machine);
    cloud.taken_away.insert(machine.to_owned());
    Ok(Value::Null)
}

pub(crate) fn answer<'a>(server: &Server, effect: &Effect, world: &View<'a>) -> Option<&'a EffectRequest> {
    let request = world.get::<EffectRequest>(&effect.request_name(server.uid()))?;
    (request.status.phase == EffectPhase::Done).then_some(request)
}

pub(crate) fn creation(server: &Server) -> Effect {
    Effect::new(CREATE, "machine").input(json!({ "server": server.name() }))
}

pub(crate) fn removal(machine: &str) -> Effect {
    Effect::new(DELETE, "machine").input(json!({ "machine": machine }))
}

pub(crate) fn let_go(server: &Server) -> Plan {
    let finalizers = [CREATE, DELETE].map(Effect::finalizer);
    finalizers.into_iter().fold(Plan::new(), |plan, finalizer| plan.remove_finalizer(server, finalizer))
}

/// The right one: makes a machine, and takes it away before it goes.
pub(crate) fn server(server: &Server, world: &View<'_>) -> Plan {
    let create = creation(server);
    let made = answer(server, &create, world);
    let machine = made.and_then(|request| request.status.answer["machine"].as_str());
    // To what is being deleted no finalizer can be added, so both are there from the beginning.
    let is_ready =
        [CREATE, DELETE].iter().all(|name| server.metadata.finalizers.contains(&Effect::finalizer(name)));
    match (server.metadata.is_deleting(), machine) {
        (true, _) if !is_ready => let_go(server),
        // It may be asked for already, or not: then it is asked for now, so that it can be taken away.
        (true, None) => Plan::new().effect(server, create),
        (true, Some(machine)) => match answer(server, &removal(machine), world) {
            Some(_) => let_go(server),
            None => Plan::new().effect(server, removal(machine)),
        },
        (false, machine) => Plan::new()
            .finalizer(server, Effect::finalizer(DELETE))
            .effect(server, create)
            .status(server, ServerStatus { machine: machine.unwrap_or_default().to_owned() }),
    }
}

pub(crate) fn with(simulation: Simulation, reconcile: fn(&Server, &View<'_>) -> Plan) -> Simulation {
    simulation.controller(Controller::new("server", reconcile).owns::<EffectRequest>())
}

fn simulation(seed: u64) -> Simulation {
    Simulation::seeded(seed)
        .handler(CREATE, create)
        .handler(DELETE, delete)
        .invariant("one machine a server", one_each)
        .goal(as_many)
}

pub(crate) fn scripted(seed: u64) -> Simulation {
    let at = Duration::from_secs;
    simulation(seed)
        .apply(Server::new("one").spec(ServerSpec { size: 1 }))
        .apply_at(at(5), Server::new("two").spec(ServerSpec { size: 1 }))
        .delete_at::<Server>(at(15), "", "one", Delete::default())
        .apply_at(Duration::from_millis(15_200), Server::new("one").spec(ServerSpec { size: 1 }))
        .chaos_for(at(40))
}

pub(crate) fn busy(seed: u64) -> Simulation {
    simulation(seed).apply(Server::new("a").spec(ServerSpec { size: 1 })).users(0.3, |user, random| {
        let name = ["a", "b", "c"][random.below(3) as usize];
        // What cannot be done any more was to be done too late.
        let _ = match random.below(2) {
            0 => user.apply(Server::new(name).spec(ServerSpec { size: 1 })),
            _ => user.delete::<Server>("", name, Delete::default()),
        };
    })
}

fn one_each(truth: &Truth) -> Result<(), String> {
    let Some(cloud) = truth.outside::<Cloud>() else { return Ok(()) };
    for server in truth.list::<Server>().iter() {
        let machines = cloud.machines.values().filter(|of| **of == *server.name()).count();
        if machines > 1 {
            return Err(format!("{} has {machines} machines", server.name()));
        }
    }
    Ok(())
}

fn as_many(truth: &Truth) -> Result<(), String> {
    let (servers, cloud) = (truth.list::<Server>(), truth.outside::<Cloud>());
    let machines = cloud.map_or(0, |cloud| cloud.machines.len());
    if servers.len() != machines {
        return Err(format!("there are {} servers and {machines} machines", servers.len()));
    }
    match servers.iter().find(|server| server.metadata.is_deleting() || server.status.machine.is_empty()) {
        Some(server) => Err(format!("{} has no machine yet, or is on its way out", server.name())),
        None => Ok(()),
    }
}
