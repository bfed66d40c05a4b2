//! What is wrong with what it writes down: a status is an answer to people, and no memory.

use std::time::Duration;

use orchestra_core::control::{Plan, View};
use orchestra_core::object::Str;
use orchestra_sim::{Found, Truth};

use super::{Planted, is_astray, is_broken, is_broken_or_astray, of, status, with};
use crate::fleet::{self, Fleet, FleetStatus, Worker, WorkerSpec};

pub(super) const BUGS: &[Planted] = &[
    Planted {
        name: "leaks after a crash between two commits: makes, then writes down what it made",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, makes_then_writes_down),
        found: is_broken_or_astray,
    },
    Planted {
        name: "takes the status for the truth",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, believes_the_status),
        found: is_astray,
    },
    Planted {
        name: "writes down that it is done before it is",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, writes_down_first),
        found: is_astray,
    },
    Planted {
        name: "flaps",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, flaps),
        found: |found| is_astray(found) || matches!(found, Found::Restless { .. }),
    },
    Planted {
        name: "is never content: writes the time",
        runs: 1,
        random: |seed| fleet::busy(seed).within(Duration::from_secs(100)),
        scripted: |seed| fleet::scripted(seed).within(Duration::from_secs(100)),
        plant: |sim| with(sim, writes_the_time),
        found: |found| matches!(found, Found::Restless { .. }),
    },
    Planted {
        name: "goes on only from the generation before",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, expects_each_generation),
        found: is_astray,
    },
    Planted {
        name: "gives up for good after some attempts",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, gives_up),
        found: is_astray,
    },
    Planted {
        name: "writes down which revision it saw",
        runs: 1,
        random: |seed| fleet::busy(seed).within(Duration::from_secs(100)),
        scripted: |seed| fleet::scripted(seed).within(Duration::from_secs(100)),
        plant: |sim| with(sim, echoes),
        found: |found| matches!(found, Found::Restless { .. }),
    },
    Planted {
        name: "moves a mark in two steps",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim.invariant("one leads at most", one_leads), marks_the_first),
        found: is_broken,
    },
];

fn makes_then_writes_down(fleet: &Fleet, world: &View<'_>) -> Plan {
    let made = &fleet.status.made;
    let mut workers = made
        .iter()
        .filter_map(|name| world.get::<Worker>(name))
        .filter(|worker| !worker.metadata.is_deleting());
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    if (made.len() as u32) < fleet.spec.replicas {
        let name = format!("{}-{}", fleet.name(), world.revision());
        let made = made.iter().cloned().chain([name.clone()]).collect();
        return Plan::new()
            .ensure(Worker::new(name).owned_by(fleet))
            .status(fleet, FleetStatus { made, ..fleet.status.clone() });
    }
    if (made.len() as u32) > fleet.spec.replicas {
        let made = made[..fleet.spec.replicas as usize].to_vec();
        let gone = fleet.status.made[fleet.spec.replicas as usize..].iter();
        let plan = gone.filter_map(|name| world.get::<Worker>(name)).fold(Plan::new(), Plan::delete);
        return plan.status(fleet, FleetStatus { made, ..fleet.status.clone() });
    }
    if workers.by_ref().count() < made.len() {
        let there = made
            .iter()
            .filter(|name| world.get::<Worker>(name).is_some_and(|worker| !worker.metadata.is_deleting()));
        let made = there.cloned().collect();
        return Plan::new().status(fleet, FleetStatus { made, ..fleet.status.clone() });
    }
    status(Plan::new(), fleet, world)
}

fn believes_the_status(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() || fleet.status.ready == fleet.spec.replicas {
        return Plan::new();
    }
    fleet::fleet(fleet, world)
}

fn writes_down_first(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.status.observed_generation == fleet.metadata.generation {
        return status(Plan::new(), fleet, world);
    }
    let observed_generation = fleet.metadata.generation;
    let first = Plan::new().status(fleet, FleetStatus { observed_generation, ..fleet.status.clone() });
    let names: Vec<Str> = (0..fleet.spec.replicas).map(|slot| world.name(slot)).collect();
    let plan = first.ensure_each(names.iter().map(|name| Worker::new(name.clone()).owned_by(fleet)));
    of(fleet, world).iter().filter(|worker| !names.contains(worker.name())).fold(plan, Plan::delete)
}

fn flaps(fleet: &Fleet, world: &View<'_>) -> Plan {
    let ready = fleet::ready(fleet, world);
    let ready = if fleet.status.ready == ready { 0 } else { ready };
    fleet::fleet(fleet, world).and(Plan::new().status(fleet, FleetStatus { ready, ..FleetStatus::default() }))
}

fn writes_the_time(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let mark = world.now_micros().to_string();
    let names = (0..fleet.spec.replicas).map(|slot| world.name(slot));
    let workers = names.map(|name| Worker::new(name).owned_by(fleet).spec(WorkerSpec { mark: mark.clone() }));
    let plan = Plan::new().ensure_each(workers);
    let surplus = (fleet.spec.replicas..8).filter_map(|slot| world.get::<Worker>(&world.name(slot)));
    status(surplus.filter(|worker| !worker.metadata.is_deleting()).fold(plan, Plan::delete), fleet, world)
        .after(std::time::Duration::from_secs(5))
}

fn expects_each_generation(fleet: &Fleet, world: &View<'_>) -> Plan {
    let (seen, now) = (fleet.status.observed_generation, fleet.metadata.generation);
    if fleet.metadata.is_deleting() || (seen != 0 && now > seen + 1) {
        return Plan::new();
    }
    let ready = fleet::ready(fleet, world);
    let status = FleetStatus { ready, observed_generation: now, ..fleet.status.clone() };
    Plan::new().status(fleet, status).and(workers(fleet, world))
}

fn gives_up(fleet: &Fleet, world: &View<'_>) -> Plan {
    const PATIENCE: u64 = 3;
    let missing = (0..fleet.spec.replicas).any(|slot| world.get::<Worker>(&world.name(slot)).is_none());
    let attempts = fleet.status.observed_generation + u64::from(missing);
    if attempts > PATIENCE {
        return status(Plan::new(), fleet, world);
    }
    let ready = fleet::ready(fleet, world);
    let status = FleetStatus { ready, observed_generation: attempts, ..fleet.status.clone() };
    Plan::new().status(fleet, status).and(workers(fleet, world))
}

fn workers(fleet: &Fleet, world: &View<'_>) -> Plan {
    let names: Vec<Str> = (0..fleet.spec.replicas).map(|slot| world.name(slot)).collect();
    let plan = Plan::new().ensure_each(names.iter().map(|name| Worker::new(name.clone()).owned_by(fleet)));
    of(fleet, world).iter().filter(|worker| !names.contains(worker.name())).fold(plan, Plan::delete)
}

fn echoes(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let (ready, observed_generation) = (fleet::ready(fleet, world), world.revision().0);
    workers(fleet, world).status(fleet, FleetStatus { ready, observed_generation, ..fleet.status.clone() })
}

/// The first of them, by name, bears a mark; the one that has it loses it in another step.
fn marks_the_first(fleet: &Fleet, world: &View<'_>) -> Plan {
    let mut names: Vec<Str> = (0..fleet.spec.replicas).map(|slot| world.name(slot)).collect();
    names.sort();
    let mark = |at: usize| WorkerSpec { mark: if at == 0 { "first".into() } else { String::new() } };
    let marked = |(at, name): (usize, &Str)| Worker::new(name.clone()).owned_by(fleet).spec(mark(at));
    let plan = Plan::new().ensure_each(names.iter().enumerate().map(marked));
    let surplus = of(fleet, world);
    let surplus = surplus.iter().filter(|worker| !names.contains(worker.name()));
    status(surplus.fold(plan, Plan::delete), fleet, world)
}

fn one_leads(truth: &Truth) -> bool {
    let workers = truth.list::<Worker>();
    let marked =
        workers.iter().filter(|worker| worker.spec.mark == "first" && !worker.metadata.is_deleting());
    let owners: Vec<_> =
        marked.map(|worker| worker.metadata.owner_references.first().map(|it| &it.uid)).collect();
    owners.iter().all(|owner| owners.iter().filter(|other| *other == owner).count() == 1)
}
