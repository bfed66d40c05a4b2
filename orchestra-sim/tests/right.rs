//! The fleet as it should be survives whatever goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cloud;
mod fleet;

use orchestra_core::control::Controller;
use orchestra_sim::{Explore, Failure, Faults, Simulation, Summary};

fn right(simulation: Simulation) -> Simulation {
    simulation.controller(Controller::new("fleet", fleet::fleet).owns::<fleet::Worker>())
}

/// Every point when many seeds are asked for; otherwise as many as take some seconds.
fn points() -> Explore {
    match std::env::var("ORCHESTRA_SEEDS") {
        Ok(_) => Explore::default(),
        Err(_) => Explore { lag: 1, pairs: 0, runs: 80 },
    }
}

fn passes(outcome: Result<Summary, Failure>) {
    match outcome {
        Ok(summary) => {
            println!("{summary:#?}");
            // Whoever has nothing to do does not turn round and round.
            assert!(summary.steps < 5_000 * summary.seeds, "{} steps", summary.steps);
        }
        Err(failure) => panic!("{failure}"),
    }
}

fn passes_everywhere(simulation: Simulation) {
    match simulation.explore(points()) {
        Ok(explored) => {
            println!("{explored:#?}");
            assert!(!explored.is_cut_short || points() != Explore::default(), "not every point was tried");
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn a_fleet_survives_everything() {
    passes(right(fleet::busy(0)).faults(Faults::everything()).search(0..200));
}

#[test]
fn a_fleet_without_an_election_survives_everything() {
    passes(right(fleet::busy(0)).without_election().faults(Faults::everything().rewinds(16)).search(0..100));
}

#[test]
fn a_fleet_that_is_only_scaled_survives_everything() {
    passes(right(fleet::scaled(0)).faults(Faults::everything()).search(0..30));
}

#[test]
fn a_fleet_survives_every_point() {
    passes_everywhere(right(fleet::scripted(1)));
}

#[test]
fn a_fleet_without_an_election_survives_every_point() {
    passes_everywhere(right(fleet::scripted(1)).without_election().faults(Faults::none().rewinds(16)));
}

#[test]
fn servers_survive_everything() {
    passes(cloud::with(cloud::busy(0), cloud::server).faults(Faults::everything()).search(0..50));
}

#[test]
fn servers_survive_every_point() {
    passes_everywhere(cloud::with(cloud::scripted(1), cloud::server));
}
