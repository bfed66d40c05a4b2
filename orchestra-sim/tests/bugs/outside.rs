//! What is wrong with how it deals with the world outside.

use orchestra_core::control::{Effect, EffectRequest, Plan, View};
use orchestra_core::object::Resource;
use orchestra_sim::{EffectCall, Outside};
use serde_json::{Value, json};

use super::{Planted, is_broken_or_astray};
use crate::cloud::{self, CREATE, Cloud, DELETE, Server, ServerStatus, answer, creation, let_go, removal};

pub(super) const BUGS: &[Planted] = &[
    Planted {
        name: "takes its finalizer away before the cloud is cleaned up",
        runs: 1,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, lets_go_first),
        found: is_broken_or_astray,
    },
    Planted {
        name: "asks for the cleaning up, and does not wait for it",
        runs: 250,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, does_not_wait),
        found: is_broken_or_astray,
    },
    Planted {
        name: "gives each attempt a key of its own",
        runs: 1,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, asks_anew),
        found: is_broken_or_astray,
    },
    Planted {
        name: "takes a call for its answer",
        runs: 300,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, takes_a_call_for_an_answer),
        found: is_broken_or_astray,
    },
    Planted {
        name: "goes by its status when it cleans up",
        runs: 100,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, goes_by_its_status),
        found: is_broken_or_astray,
    },
    Planted {
        name: "does not wait for what it asked for before",
        runs: 100,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, forgets_what_it_asked),
        found: is_broken_or_astray,
    },
    Planted {
        name: "promises to clean up when it has asked for something",
        runs: 100,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, promises_late),
        found: is_broken_or_astray,
    },
    Planted {
        name: "takes what another of its name was given",
        runs: 100,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, takes_anothers),
        found: is_broken_or_astray,
    },
    Planted {
        name: "calls without heeding the key",
        runs: 100,
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim.handler(CREATE, heeds_no_key), cloud::server),
        found: is_broken_or_astray,
    },
];

/// It takes its finalizers away, and nobody takes away the machine.
fn lets_go_first(server: &Server, world: &View<'_>) -> Plan {
    if server.metadata.is_deleting() { let_go(server) } else { cloud::server(server, world) }
}

/// It asks for the removal, and goes without an answer.
fn does_not_wait(server: &Server, world: &View<'_>) -> Plan {
    let machine =
        answer(server, &creation(server), world).and_then(|made| made.status.answer["machine"].as_str());
    match (server.metadata.is_deleting(), machine) {
        (true, Some(machine)) if server.metadata.finalizers.contains(&Effect::finalizer(DELETE)) => {
            Plan::new().effect(server, removal(machine)).and(let_go(server))
        }
        _ => cloud::server(server, world),
    }
}

/// What it asks for has another slot each time, until it has an answer.
fn asks_anew(server: &Server, world: &View<'_>) -> Plan {
    if server.metadata.is_deleting() {
        return cloud::server(server, world);
    }
    if !server.status.machine.is_empty() {
        return Plan::new();
    }
    let mut requests = world.owned_by::<EffectRequest>(server);
    let machine = requests.find_map(|request| request.status.answer["machine"].as_str());
    if let Some(machine) = machine {
        return Plan::new().status(server, ServerStatus { machine: machine.to_owned() });
    }
    let slot = format!("machine-{}", world.now_micros().unix_micros());
    Plan::new().effect(server, Effect::new(CREATE, slot).input(json!({ "server": server.name() })))
}

/// That the handler was called says nothing about what it did.
fn takes_a_call_for_an_answer(server: &Server, world: &View<'_>) -> Plan {
    let machine = answer(server, &creation(server), world);
    let Some(machine) = machine.and_then(|request| request.status.answer["machine"].as_str()) else {
        return cloud::server(server, world);
    };
    let request = world.get::<EffectRequest>(&removal(machine).request_name(server.uid()));
    match server.metadata.is_deleting() && request.is_some_and(|request| request.status.attempts > 0) {
        true => let_go(server),
        false => cloud::server(server, world),
    }
}

/// Its status may not have been written yet.
fn goes_by_its_status(server: &Server, world: &View<'_>) -> Plan {
    let machine = server.status.machine.as_str();
    match (server.metadata.is_deleting(), machine) {
        (false, _) => cloud::server(server, world),
        (true, "") => let_go(server),
        (true, machine) => match answer(server, &removal(machine), world) {
            Some(_) => let_go(server),
            None => Plan::new().effect(server, removal(machine)),
        },
    }
}

/// What it asked for may yet come.
fn forgets_what_it_asked(server: &Server, world: &View<'_>) -> Plan {
    match server.metadata.is_deleting() && answer(server, &creation(server), world).is_none() {
        true => let_go(server),
        false => cloud::server(server, world),
    }
}

/// It may have asked and not promised yet.
fn promises_late(server: &Server, world: &View<'_>) -> Plan {
    if server.metadata.is_deleting() {
        return cloud::server(server, world);
    }
    let made = answer(server, &creation(server), world);
    let machine = made.and_then(|request| request.status.answer["machine"].as_str()).unwrap_or_default();
    Plan::new()
        .effect(server, creation(server))
        .finalizer(server, Effect::finalizer(DELETE))
        .status(server, ServerStatus { machine: machine.to_owned() })
}

/// It finds what was asked for by the name of who asked, and another had that name before.
fn takes_anothers(server: &Server, world: &View<'_>) -> Plan {
    if server.metadata.is_deleting() {
        return cloud::server(server, world);
    }
    let requests = world.list::<EffectRequest>();
    let mut mine = requests.filter(|request| request.spec.input["server"] == server.name().as_str());
    let machine = mine.find_map(|request| request.status.answer["machine"].as_str());
    match machine {
        Some(machine) if server.status.machine.is_empty() => {
            let finalizers = Plan::new().finalizer(server, Effect::finalizer(CREATE));
            let finalizers = finalizers.finalizer(server, Effect::finalizer(DELETE));
            finalizers.status(server, ServerStatus { machine: machine.to_owned() })
        }
        _ if !server.status.machine.is_empty() => Plan::new(),
        _ => Plan::new().finalizer(server, Effect::finalizer(DELETE)).effect(server, creation(server)),
    }
}

/// A cloud that makes a machine whenever it is asked to.
fn heeds_no_key(world: &mut Outside, call: &EffectCall) -> Result<Value, String> {
    let server = call.input["server"].as_str().unwrap_or_default().to_owned();
    let cloud = world.state::<Cloud>();
    cloud.made += 1;
    let machine = format!("machine-{}", cloud.made);
    cloud.machines.insert(machine.clone(), server);
    Ok(json!({ "machine": machine }))
}
