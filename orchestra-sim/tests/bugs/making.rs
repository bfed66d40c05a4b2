//! What is wrong with what it makes, names, owns and takes away.

use std::sync::atomic::{AtomicU32, Ordering};

use orchestra_core::client::Delete;
use orchestra_core::control::{Plan, View};
use orchestra_core::object::{Resource, Str};
use orchestra_sim::Simulation;

use super::{Planted, controller, is_astray, is_broken, is_broken_or_astray, of, status, with};
use crate::fleet::{self, Fleet, FleetStatus, Worker};

pub(super) const BUGS: &[Planted] = &[
    Planted {
        name: "acts on a stale view: names what it makes anew each time, by what it counts",
        runs: 400,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim.without_election(), counts_and_names_anew),
        found: is_broken_or_astray,
    },
    Planted {
        name: "deletes by count, those included that are going already",
        runs: 1,
        random: fleet::scaled,
        scripted: fleet::scaled,
        plant: |sim| with(sim, deletes_by_count),
        found: is_broken,
    },
    Planted {
        name: "makes what nobody owns",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, owns_nothing),
        found: is_astray,
    },
    Planted {
        name: "makes workers while it waits for them to be gone",
        runs: 1000,
        random: deleted_at_the_end,
        scripted: deleted_at_the_end,
        plant: |sim| with(sim, makes_what_it_waits_for),
        found: is_astray,
    },
    Planted {
        name: "names what it makes by a counter that a crash sets back",
        runs: 400,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| {
            sim.controller_with(|| {
                let next = AtomicU32::new(0);
                controller(move |fleet: &Fleet, world: &View<'_>| names_by_a_counter(fleet, world, &next))
            })
        },
        found: is_broken_or_astray,
    },
    Planted {
        name: "fills up from the count, whichever slots are free",
        runs: 1,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, fills_up_from_the_count),
        found: is_astray,
    },
    Planted {
        name: "is content with one too many",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, is_off_by_one),
        found: is_astray,
    },
    Planted {
        name: "never lets go",
        runs: 1,
        random: deleted_at_the_end,
        scripted: deleted_at_the_end,
        plant: |sim| with(sim, never_lets_go),
        found: is_astray,
    },
    Planted {
        name: "promises to clean up when it has made something",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, promises_late),
        found: is_astray,
    },
    Planted {
        name: "lets go, and then cleans up",
        runs: 100,
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, lets_go_first),
        found: is_astray,
    },
];

fn deleted_at_the_end(seed: u64) -> Simulation {
    let at = std::time::Duration::from_secs;
    fleet::simulation(seed)
        .at(at(0), |user| fleet::scale(user, 3))
        .delete_at::<Fleet>(at(20), "", "blue", Delete::default())
        .chaos_for(at(45))
}

fn counts_and_names_anew(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let there = of(fleet, world);
    let wanted = fleet.spec.replicas as usize;
    let names = (there.len()..wanted).map(|slot| format!("{}-{}-{slot}", fleet.name(), world.revision()));
    let plan = Plan::new().ensure_each(names.map(|name| Worker::new(name).owned_by(fleet)));
    let plan = there.iter().skip(wanted).fold(plan, Plan::delete);
    status(plan, fleet, world)
}

fn deletes_by_count(fleet: &Fleet, world: &View<'_>) -> Plan {
    let names: Vec<Str> = (0..fleet.spec.replicas).map(|slot| world.name(slot)).collect();
    let there = world.owned_by::<Worker>(fleet).count();
    let mut victims = of(fleet, world);
    victims.sort_by_key(|worker| names.contains(worker.name()));
    let extra = there.saturating_sub(names.len());
    let spared: Vec<&Str> = victims.iter().skip(extra).map(Resource::name).collect();
    let victims = victims.iter().take(extra);
    let is_missing = |name: &&Str| spared.contains(name) || world.get::<Worker>(name).is_none();
    let ensured = names.iter().filter(is_missing).map(|name| Worker::new(name.clone()).owned_by(fleet));
    status(victims.fold(Plan::new().ensure_each(ensured), Plan::delete), fleet, world)
}

fn owns_nothing(fleet: &Fleet, world: &View<'_>) -> Plan {
    let names = (0..fleet.spec.replicas).map(|slot| world.name(slot));
    let plan =
        Plan::new().ensure_each(names.map(|name| Worker::new(name).label("fleet", fleet.name().clone())));
    let surplus = (fleet.spec.replicas..8).filter_map(|slot| world.get::<Worker>(&world.name(slot)));
    let plan = surplus.filter(|worker| !worker.metadata.is_deleting()).fold(plan, Plan::delete);
    let is_ready = |slot| world.get::<Worker>(&world.name(slot)).is_some_and(|worker| worker.status.ready);
    let ready = (0..fleet.spec.replicas).filter(|slot| is_ready(*slot)).count() as u32;
    plan.status(fleet, FleetStatus { ready, ..fleet.status.clone() })
}

fn makes_what_it_waits_for(fleet: &Fleet, world: &View<'_>) -> Plan {
    const CLEANS_UP: &str = "sim.example.com/cleans-up";
    let plan = fleet::fleet(fleet, world);
    if !fleet.metadata.is_deleting() {
        return Plan::new().finalizer(fleet, CLEANS_UP).and(plan);
    }
    let workers = of(fleet, world);
    if workers.is_empty() && world.owned_by::<Worker>(fleet).count() == 0 && fleet.status.ready == 0 {
        return Plan::new().remove_finalizer(fleet, CLEANS_UP);
    }
    let names = (0..fleet.spec.replicas).map(|slot| world.name(slot));
    let plan = Plan::new().ensure_each(names.map(|name| Worker::new(name).owned_by(fleet)));
    status(workers.iter().fold(plan, Plan::delete), fleet, world)
}

fn names_by_a_counter(fleet: &Fleet, world: &View<'_>, next: &AtomicU32) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let (there, wanted) = (of(fleet, world), fleet.spec.replicas as usize);
    let names =
        (there.len()..wanted).map(|_| format!("{}-{}", fleet.name(), next.fetch_add(1, Ordering::Relaxed)));
    let plan = Plan::new().ensure_each(names.map(|name| Worker::new(name).owned_by(fleet)));
    status(there.iter().skip(wanted).fold(plan, Plan::delete), fleet, world)
}

fn fills_up_from_the_count(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let (there, wanted) = (of(fleet, world), fleet.spec.replicas);
    let new = (there.len() as u32..wanted).map(|slot| Worker::new(world.name(slot)).owned_by(fleet));
    let names: Vec<Str> = (0..wanted).map(|slot| world.name(slot)).collect();
    let surplus = there.iter().filter(|worker| !names.contains(worker.name()));
    status(surplus.fold(Plan::new().ensure_each(new), Plan::delete), fleet, world)
}

fn is_off_by_one(fleet: &Fleet, world: &View<'_>) -> Plan {
    if fleet.metadata.is_deleting() {
        return Plan::new();
    }
    let names = (0..fleet.spec.replicas).map(|slot| world.name(slot));
    let plan = Plan::new().ensure_each(names.map(|name| Worker::new(name).owned_by(fleet)));
    let surplus = (fleet.spec.replicas + 1..8).filter_map(|slot| world.get::<Worker>(&world.name(slot)));
    status(surplus.filter(|worker| !worker.metadata.is_deleting()).fold(plan, Plan::delete), fleet, world)
}

const CLEANS_UP: &str = "sim.example.com/cleans-up";

fn never_lets_go(fleet: &Fleet, world: &View<'_>) -> Plan {
    match fleet.metadata.is_deleting() {
        true => of(fleet, world).iter().fold(Plan::new(), Plan::delete),
        false => Plan::new().finalizer(fleet, CLEANS_UP).and(fleet::fleet(fleet, world)),
    }
}

/// Workers that nobody owns, and who cleans them up: right but for the order in which it promises that.
fn promises_late(fleet: &Fleet, world: &View<'_>) -> Plan {
    match fleet.metadata.is_deleting() {
        true => match its_own(world).next() {
            None => Plan::new().remove_finalizer(fleet, CLEANS_UP),
            Some(_) => cleans_up(world),
        },
        false => owns_nothing(fleet, world).finalizer(fleet, CLEANS_UP),
    }
}

/// The same with the other end wrong.
fn lets_go_first(fleet: &Fleet, world: &View<'_>) -> Plan {
    match fleet.metadata.is_deleting() {
        true => Plan::new().remove_finalizer(fleet, CLEANS_UP).and(cleans_up(world)),
        false => Plan::new().finalizer(fleet, CLEANS_UP).and(owns_nothing(fleet, world)),
    }
}

fn its_own<'a>(world: &View<'a>) -> impl Iterator<Item = &'a Worker> {
    (0..8).filter_map(|slot| world.get::<Worker>(&world.name(slot)))
}

fn cleans_up(world: &View<'_>) -> Plan {
    its_own(world).filter(|worker| !worker.metadata.is_deleting()).fold(Plan::new(), Plan::delete)
}
