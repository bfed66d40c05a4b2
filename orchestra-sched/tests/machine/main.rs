//! Schedulers under simulation: whatever goes wrong, no room is given away twice and no pod is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alone;
mod desk;
mod devices;
mod gang_room;
mod gangs;
mod held;
mod hostile;
mod many;
mod more_important;
mod placers;
mod planted;
mod queues;
mod scene;
mod volumes;

use orchestra_sim::{Failure, Summary};

/// How many seeds, if nothing else is asked for, and at most of those that are.
fn seeds(few: u64) -> u64 {
    let asked = std::env::var("ORCHESTRA_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    asked.unwrap_or(few)
}

fn passes(outcome: Result<Summary, Failure>) {
    match outcome {
        Ok(summary) => println!("{summary:#?}"),
        Err(failure) => panic!("{failure}"),
    }
}
