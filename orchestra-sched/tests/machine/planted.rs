//! Bugs planted on purpose: the simulation must catch each.

use orchestra_sched::Scheduler;
use orchestra_sched::machine::{Sabotage, Settings};
use orchestra_sim::{Fault, Faults, Found, Simulation};

use crate::scene::{SECOND, scheduler};
use crate::{gang_room, gangs, many};

/// What is broken, where it shows, and what is to be found.
struct Planted {
    bug: Sabotage,
    /// From which seed on it is looked for: a little before the first that shows it.
    first: u64,
    scenario: fn(u64) -> Simulation,
    found: fn(&Found) -> bool,
}

fn three(simulation: Simulation) -> Simulation {
    simulation.without_election().machines(3)
}

const PLANTED: &[Planted] = &[
    Planted {
        bug: Sabotage::LedgerUnguarded,
        first: 0,
        scenario: |seed| three(many::crowd(seed)),
        found: |found| is_broken(found, "no node is given away twice"),
    },
    Planted {
        bug: Sabotage::NodeUnguarded,
        first: 50,
        scenario: |seed| three(many::crowd(seed)),
        found: |found| is_broken(found, "no node is given away twice"),
    },
    Planted {
        bug: Sabotage::NodeUnheeded,
        first: 0,
        scenario: |seed| three(many::crowd(seed)),
        found: |found| is_broken(found, "no node is given away twice"),
    },
    Planted {
        bug: Sabotage::PodUnguarded,
        first: 855,
        scenario: |seed| three(many::crowd(seed)),
        found: |found| {
            is_broken(found, "a pod keeps its node") || is_broken(found, "no node is given away twice")
        },
    },
    Planted {
        bug: Sabotage::AssumedForEver,
        first: 235,
        scenario: |seed| three(many::crowd(seed)),
        found: is_astray,
    },
    Planted { bug: Sabotage::NeverWoken, first: 0, scenario: many::crowd, found: is_astray },
    Planted {
        bug: Sabotage::HalfAGang,
        first: 65,
        scenario: |seed| three(gangs::rivals(seed)),
        found: |found| is_broken(found, "a gang is bound as a whole or not at all"),
    },
    Planted {
        bug: Sabotage::RoomForHalfAGang,
        first: 0,
        scenario: gang_room::in_vain,
        found: |found| is_broken(found, "nobody goes in vain"),
    },
];

fn is_broken(found: &Found, name: &str) -> bool {
    matches!(found, Found::Broken { invariant, .. } if invariant == name)
}

fn is_astray(found: &Found) -> bool {
    matches!(found, Found::NotConverged { .. } | Found::NotStayed { .. })
}

fn sabotaged(bug: Sabotage) -> Scheduler {
    let sabotage = Some(bug);
    scheduler().settings(Settings { tell_every: SECOND * 5, sabotage, ..Settings::default() })
}

#[test]
fn each_is_caught() {
    let mut missed = Vec::new();
    for Planted { bug, first, scenario, found } in PLANTED {
        let bug = *bug;
        let simulation = scenario(0).part_with(move || sabotaged(bug));
        let faults = Faults::everything().without(Fault::SlowCommit);
        match simulation.faults(faults).shrinking(0).search(*first..*first + 400) {
            Err(failure) if found(&failure.found) => {
                println!("{:>4} seeds  {bug:?}: {}", failure.runs, failure.found);
            }
            Err(failure) => missed.push(format!("{bug:?}: found {}", failure.found)),
            Ok(_) => missed.push(format!("{bug:?}: nothing found")),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
