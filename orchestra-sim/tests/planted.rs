//! Bugs planted on purpose, one a row: the simulation must catch each, at random and point by point.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cloud;
mod fleet;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use fleet::{Fleet, FleetStatus, Worker, WorkerSpec};
use orchestra_core::client::Delete;
use orchestra_core::control::{Controller, Plan, View};
use orchestra_core::object::{Resource, Str};
use orchestra_sim::{Explore, Fault, Faults, Found, Simulation};

/// A planted bug: what it is, the scenarios that show it, what is planted, and what is to be found.
struct Planted {
    name: &'static str,
    random: fn(u64) -> Simulation,
    scripted: fn(u64) -> Simulation,
    plant: fn(Simulation) -> Simulation,
    found: fn(&Found) -> bool,
}

const PLANTED: &[Planted] = &[
    // The three that everybody makes.
    Planted {
        name: "acts on a stale view: names what it makes anew each time, by what it counts",
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim.without_election(), counts_and_names_anew),
        found: is_broken_or_astray,
    },
    Planted {
        name: "leaks after a crash between two commits: makes, then writes down what it made",
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, makes_then_writes_down),
        found: is_broken_or_astray,
    },
    Planted {
        name: "misses a state that it never observed: reacts to the step from one size to another",
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
    // And others.
    Planted {
        name: "takes the status for the truth",
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, believes_the_status),
        found: is_astray,
    },
    Planted {
        name: "writes down that it is done before it is",
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, writes_down_first),
        found: is_astray,
    },
    Planted {
        name: "acts on its own memory of what it made",
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
        name: "deletes by count, those included that are going already",
        random: fleet::scaled,
        scripted: fleet::scaled,
        plant: |sim| with(sim, deletes_by_count),
        found: is_broken,
    },
    Planted {
        name: "judges by the wall clock",
        random: fleet::scaled,
        scripted: fleet::scaled,
        plant: |sim| with(sim, judges_by_the_clock),
        found: is_broken_or_astray,
    },
    Planted {
        name: "makes what nobody owns",
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, owns_nothing),
        found: is_astray,
    },
    Planted {
        name: "makes workers while it waits for them to be gone",
        random: deleted_at_the_end,
        scripted: deleted_at_the_end,
        plant: |sim| with(sim, makes_what_it_waits_for),
        found: is_astray,
    },
    Planted {
        name: "flaps",
        random: fleet::busy,
        scripted: fleet::scripted,
        plant: |sim| with(sim, flaps),
        found: |found| is_astray(found) || matches!(found, Found::Restless { .. }),
    },
    Planted {
        name: "is never content: writes the time",
        random: |seed| fleet::busy(seed).within(Duration::from_secs(100)),
        scripted: |seed| fleet::scripted(seed).within(Duration::from_secs(100)),
        plant: |sim| with(sim, writes_the_time),
        found: |found| matches!(found, Found::Restless { .. }),
    },
    Planted {
        name: "waits for an event that may have been before its time",
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
        name: "takes its finalizer away before the cloud is cleaned up",
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, cloud::lets_go_first),
        found: is_broken_or_astray,
    },
    Planted {
        name: "asks for the cleaning up, and does not wait for it",
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, cloud::does_not_wait),
        found: is_broken_or_astray,
    },
    Planted {
        name: "gives each attempt a key of its own",
        random: cloud::busy,
        scripted: cloud::scripted,
        plant: |sim| cloud::with(sim, cloud::asks_anew),
        found: is_broken_or_astray,
    },
];

fn is_broken(found: &Found) -> bool {
    matches!(found, Found::Broken { .. })
}

fn is_astray(found: &Found) -> bool {
    matches!(found, Found::NotConverged { .. } | Found::NotStayed { .. })
}

fn is_broken_or_astray(found: &Found) -> bool {
    is_broken(found) || is_astray(found)
}

fn controller(reconcile: impl Fn(&Fleet, &View<'_>) -> Plan + Send + Sync + 'static) -> Controller {
    Controller::of::<Fleet>("fleet", reconcile).owns::<Worker>()
}

fn with(simulation: Simulation, reconcile: fn(&Fleet, &View<'_>) -> Plan) -> Simulation {
    simulation.controller(controller(reconcile))
}

fn deleted_at_the_end(seed: u64) -> Simulation {
    let at = std::time::Duration::from_secs;
    fleet::simulation(seed)
        .at(at(0), |user| fleet::scale(user, 3))
        .delete_at::<Fleet>(at(20), "", "blue", Delete::default())
        .chaos_for(at(45))
}

fn status(plan: Plan, fleet: &Fleet, world: &View<'_>) -> Plan {
    plan.status(fleet, FleetStatus { ready: fleet::ready(fleet, world), ..fleet.status.clone() })
}

fn of(fleet: &Fleet, world: &View<'_>) -> Vec<Worker> {
    world.owned_by::<Worker>(fleet).filter(|worker| !worker.metadata.is_deleting()).cloned().collect()
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

type Sizes = Mutex<BTreeMap<String, u32>>;

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

fn judges_by_the_clock(fleet: &Fleet, world: &View<'_>) -> Plan {
    let is_old = |worker: &&Worker| {
        let created = worker.metadata.creation_timestamp;
        created.is_some_and(|created| world.now().unix() - created.unix() > 1800)
    };
    let workers = of(fleet, world);
    workers.iter().filter(is_old).fold(fleet::fleet(fleet, world), Plan::delete)
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

/// It does something only when the size has changed since it looked last, and at first.
fn waits_for_a_change(fleet: &Fleet, world: &View<'_>, seen: &Sizes) -> Plan {
    let wanted = fleet.spec.replicas;
    let before = seen.lock().unwrap().insert(fleet.uid().to_string(), wanted);
    match before {
        Some(before) if before == wanted => status(Plan::new(), fleet, world),
        _ => fleet::fleet(fleet, world),
    }
}

/// Everything, and old listings also where nothing protects from them.
fn faults() -> Faults {
    Faults::everything().rewinds(16)
}

/// The first is rare: it is looked for where it is, unless there is time.
fn focus(name: &str) -> Faults {
    let crashes = Faults::none().crashes(80);
    match name {
        _ if name.starts_with("acts on a stale view") => {
            crashes.down_for(Duration::from_secs(2)).rewinds(16).with(Fault::Rewind, 1000)
        }
        _ => faults(),
    }
}

/// One takes hundreds of seeds, and more faults at once than are tried point by point.
fn is_rare(planted: &Planted) -> bool {
    planted.name.starts_with("asks for the cleaning up")
}

/// What takes long is left to the runs for which somebody sets this.
fn is_thorough() -> bool {
    std::env::var("ORCHESTRA_SEEDS").is_ok()
}

#[test]
fn each_is_caught_at_random() {
    let mut missed = Vec::new();
    // One takes hundreds of seeds.
    let is_rare = |planted: &&Planted| planted.name.starts_with("asks for the cleaning up");
    let rows = PLANTED.iter().filter(|row| is_thorough() || !is_rare(row));
    for Planted { name, random, plant, found, .. } in rows {
        let faults = if is_thorough() { faults() } else { focus(name) };
        let simulation = plant(random(0)).faults(faults).shrinking(0);
        match simulation.search(0..1000) {
            Err(failure) if found(&failure.found) => {
                println!("{:>4} seeds  {name}: {}", failure.seed + 1, failure.found);
            }
            Err(failure) => missed.push(format!("{name}: found {}", failure.found)),
            Ok(_) => missed.push(format!("{name}: nothing found")),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn each_is_caught_point_by_point() {
    let mut missed = Vec::new();
    let most = if is_thorough() { PLANTED.len() } else { 3 };
    for Planted { name, scripted, plant, found, .. } in PLANTED.iter().filter(|row| !is_rare(row)).take(most)
    {
        match plant(scripted(1)).faults(faults()).explore(Explore::default()) {
            Err(failure) if found(&failure.found) => {
                let at: Vec<String> = failure.firings.iter().map(ToString::to_string).collect();
                println!("{:>24}  {name}: {}", at.join(","), failure.found);
            }
            Err(failure) => missed.push(format!("{name}: found {}", failure.found)),
            Ok(explored) => missed.push(format!("{name}: nothing found in {} runs", explored.runs)),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
