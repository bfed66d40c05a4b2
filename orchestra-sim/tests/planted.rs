//! Bugs planted on purpose: the simulation must catch each, at random and point by point.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bugs;
mod cloud;
mod fleet;

use bugs::Planted;
use orchestra_sim::{Explore, Faults};

/// What a user writes: nothing is tuned for what is to be found.
fn faults() -> Faults {
    Faults::everything()
}

#[test]
fn each_is_caught_at_random() {
    let mut missed = Vec::new();
    for Planted { name, random, plant, found, .. } in bugs::all() {
        match plant(random(0)).faults(faults()).shrinking(0).search(0..1000) {
            Err(failure) if found(&failure.found) => {
                println!("{:>4} seeds  {name}: {}", failure.runs, failure.found);
            }
            Err(failure) => missed.push(format!("{name}: found {}", failure.found)),
            Ok(_) => missed.push(format!("{name}: nothing found")),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What takes thousands of runs is left to the runs for which somebody sets this.
fn is_thorough() -> bool {
    std::env::var("ORCHESTRA_SEEDS").is_ok()
}

#[test]
fn each_is_caught_point_by_point() {
    const SOON: u64 = 400;
    let mut missed = Vec::new();
    for Planted { name, runs, scripted, plant, found, .. } in bugs::all() {
        if *runs > SOON && !is_thorough() {
            continue;
        }
        let explore = Explore { runs: *runs, ..Explore::default() };
        match plant(scripted(1)).faults(faults()).explore(explore) {
            Err(failure) if found(&failure.found) => {
                let at: Vec<String> = failure.firings.iter().map(ToString::to_string).collect();
                println!("{:>5} runs  {name}: {}: {}", failure.runs, at.join(","), failure.found);
            }
            Err(failure) => missed.push(format!("{name}: found {}", failure.found)),
            Ok(explored) => missed.push(format!("{name}: nothing found in {} runs", explored.runs)),
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
