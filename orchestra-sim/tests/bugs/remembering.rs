//! What is wrong with what it keeps in mind between two looks, and with what it thinks of clocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use orchestra_core::control::{Plan, View};
use orchestra_core::object::{Resource, Str};
use orchestra_sim::Simulation;

use super::{Planted, controller, is_astray, is_broken_or_astray, of, status, with};
use crate::fleet::{self, Fleet, FleetSpec, FleetStatus, Worker};

pub(super) const BUGS: &[Planted] = &[
    Planted {
        name: "misses a state that it never observed: reacts to the step from one size to another",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| {
            sim.controller_with(|| {
                let before = Mutex::new(BTreeMap::new());
                controller(move |fleet: &Fleet, world: &View<'_>| reacts_to_steps(fleet, world, &before))
            })
        },
        found: is_broken_or_astray,
    },
    Planted {
        name: "acts on its own memory of what it made",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| {
            sim.controller_with(|| {
                let made = Mutex::new(BTreeSet::new());
                controller(move |fleet: &Fleet, world: &View<'_>| remembers(fleet, world, &made))
            })
        },
        found: is_astray,
    },
    Planted {
        name: "waits for an event that may have been before its time",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| {
            sim.controller_with(|| {
                let seen = Mutex::new(BTreeMap::new());
                controller(move |fleet: &Fleet, world: &View<'_>| waits_for_a_change(fleet, world, &seen))
            })
        },
        found: is_astray,
    },
    Planted {
        name: "judges by the wall clock",
        runs: 1500,
        random: fleet::scaled,
        scripted: fleet::scaled,
        plant: |sim| with(sim, judges_by_the_clock),
        found: is_broken_or_astray,
    },
    Planted {
        name: "acts on the copy that it saw first",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| {
            remembering(
                sim,
                || Mutex::new(BTreeMap::new()),
                |fleet, world, copies: &Copies| acts_on_a_copy(fleet, world, copies),
            )
        },
        found: is_broken_or_astray,
    },
    Planted {
        name: "looks once a second at most, and forgets what comes between",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| {
            remembering(
                sim,
                || Mutex::new(0),
                |fleet, world, last: &Mutex<i64>| looks_seldom(fleet, world, last),
            )
        },
        found: is_astray,
    },
    Planted {
        name: "waits until a time of day that it wrote down",
        runs: 3000,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, waits_by_the_clock),
        found: is_astray,
    },
    Planted {
        name: "waits, and does not ask to be woken",
        runs: 1200,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, does_not_ask),
        found: is_astray,
    },
];

type Sizes = Mutex<BTreeMap<String, u32>>;
type Copies = Mutex<BTreeMap<String, FleetSpec>>;

/// With a controller that keeps something in mind, as long as its machine lives.
fn remembering<M: Send + Sync + 'static>(
    simulation: Simulation,
    nothing: fn() -> M,
    reconcile: fn(&Fleet, &View<'_>, &M) -> Plan,
) -> Simulation {
    simulation.controller_with(move || {
        let mind = nothing();
        controller(move |fleet: &Fleet, world: &View<'_>| reconcile(fleet, world, &mind))
    })
}

fn reacts_to_steps(fleet: &Fleet, world: &View<'_>, before: &Sizes) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let wanted = fleet.spec.replicas;
    let before = before.lock().unwrap().insert(fleet.uid().to_string(), wanted).unwrap_or(wanted);
    let plan =
        (0..wanted).map(|slot| Worker::new(world.name(slot)).owned_by(fleet)).fold(Plan::new(), Plan::ensure);
    let gone = (wanted..before).filter_map(|slot| world.get::<Worker>(&world.name(slot)));
    status(gone.fold(plan, Plan::delete), fleet, world)
}

fn remembers(fleet: &Fleet, world: &View<'_>, made: &Mutex<BTreeSet<Str>>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let mut made = made.lock().unwrap();
    let names: Vec<Str> = (0..fleet.spec.replicas).map(|slot| world.name(slot)).collect();
    let new = names.iter().filter(|name| made.insert((*name).clone()));
    let plan = Plan::new().ensure_each(new.map(|name| Worker::new(name.clone()).owned_by(fleet)));
    let plan =
        of(fleet, world).iter().filter(|worker| !names.contains(worker.name())).fold(plan, Plan::delete);
    status(plan, fleet, world)
}

/// It does something only when the size has changed since it looked last, and at first.
fn waits_for_a_change(fleet: &Fleet, world: &View<'_>, seen: &Sizes) -> Plan {
    let wanted = fleet.spec.replicas;
    let before = seen.lock().unwrap().insert(fleet.uid().to_string(), wanted);
    match before {
        Some(before) if before == wanted => status(Plan::new(), fleet, world),
        _ => fleet::fleet(fleet, world),
    }
}

fn judges_by_the_clock(fleet: &Fleet, world: &View<'_>) -> Plan {
    let is_old = |worker: &&Worker| {
        let created = worker.metadata.creation_timestamp;
        created.is_some_and(|created| world.now().unix() - created.unix() > 1800)
    };
    let workers = of(fleet, world);
    workers.iter().filter(is_old).fold(fleet::fleet(fleet, world), Plan::delete)
}

fn acts_on_a_copy(fleet: &Fleet, world: &View<'_>, copies: &Copies) -> Plan {
    let mut copies = copies.lock().unwrap();
    let spec = copies.entry(fleet.uid().to_string()).or_insert_with(|| fleet.spec.clone());
    let mut copy = fleet.clone();
    copy.spec.clone_from(spec);
    fleet::fleet(&copy, world)
}

fn looks_seldom(fleet: &Fleet, world: &View<'_>, last: &Mutex<i64>) -> Plan {
    let now = world.now().unix();
    match std::mem::replace(&mut *last.lock().unwrap(), now) == now {
        true => Plan::new(),
        false => fleet::fleet(fleet, world),
    }
}

/// Changes nothing before some seconds have passed, which it judges by what it wrote down.
fn waits_by_the_clock(fleet: &Fleet, world: &View<'_>) -> Plan {
    const WAIT: i64 = 5;
    let (now, generation) = (world.now().unix(), fleet.metadata.generation);
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    if fleet.status.observed_generation != generation {
        let made = vec![(now + WAIT).to_string()];
        return Plan::new()
            .status(fleet, FleetStatus { made, observed_generation: generation, ..fleet.status.clone() });
    }
    let until = fleet.status.made.first().and_then(|until| until.parse().ok()).unwrap_or(now);
    match now < until {
        true => Plan::new().after(Duration::from_secs((until - now) as u64)),
        false => fleet::fleet(fleet, world),
    }
}

fn does_not_ask(fleet: &Fleet, world: &View<'_>) -> Plan {
    const WAIT: i64 = 3;
    let created = fleet.metadata.creation_timestamp.map_or(0, |created| created.unix());
    match world.now().unix() < created + WAIT {
        true => Plan::new(),
        false => fleet::fleet(fleet, world),
    }
}
