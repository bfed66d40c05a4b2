//! Several leaders, partitions, pauses and clocks that jump: only one leads, and soon another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fleet;

use std::time::Duration;

use orchestra_core::control::Controller;
use orchestra_core::control::election::Times;
use orchestra_sim::{Fault, Faults, Found, Simulation};

fn busy(machines: usize) -> Simulation {
    let controller = Controller::new("fleet", fleet::fleet).owns::<fleet::Worker>();
    fleet::busy(0).controller(controller).machines(machines)
}

fn what_makes_two_leaders() -> Faults {
    Faults::none()
        .partitions(Duration::from_secs(40))
        .pauses(Duration::from_secs(40))
        .clock_jumps(Duration::from_secs(3600))
        .slow_commits(Duration::from_secs(8))
        .crashes(10)
        .with(Fault::Partition, 40)
        .with(Fault::Pause, 60)
}

/// That nothing of an earlier term takes effect is looked at after each commit, in every simulation.
#[test]
fn nothing_of_an_earlier_term_takes_effect() {
    match busy(3).faults(what_makes_two_leaders()).search(0..60) {
        Ok(summary) => println!("{summary:?}"),
        Err(failure) => panic!("{failure}"),
    }
}

/// A kernel whose guards are taken away is found out: so the check checks something.
#[test]
fn a_kernel_without_guards_is_found_out() {
    let failure =
        busy(2).faults(what_makes_two_leaders()).shrinking(20).sabotaged().search(0..100).unwrap_err();
    println!("{failure}");
    assert!(!matches!(failure.found, Found::NeverBit(_)), "{failure}");
    let election = busy(2).faults(what_makes_two_leaders()).shrinking(0).sabotaged();
    let mut seeds = 0..300;
    let is_two = |seed| {
        let outcome = election.replay(seed);
        matches!(outcome, Err(failure) if matches!(failure.found, Found::TwoLeaders { .. }))
    };
    assert!(seeds.any(is_two), "two leaders were never found");
}

#[test]
fn another_leads_in_time_when_the_leader_is_gone_for_good() {
    // What does not keep the other from looking, nor the store from answering.
    let faults = Faults::none().clock_jumps(Duration::from_secs(3600)).lag(8).conflicts(50);
    let most = Times::DEFAULT.failover(Duration::from_millis(20));
    let mut longest = Duration::ZERO;
    for seed in 0..40 {
        let died = Duration::from_millis(20_000 + 137 * seed);
        let controller = Controller::new("fleet", fleet::fleet).owns::<fleet::Worker>();
        let simulation = fleet::busy(seed).controller(controller).faults(faults.clone()).leader_dies_at(died);
        let ran =
            simulation.chaos_for(Duration::from_secs(60)).run().unwrap_or_else(|failure| panic!("{failure}"));
        let died = ran.leader_died.unwrap();
        let next = ran.terms.iter().find(|term| term.at > died).expect("another leads");
        longest = longest.max(next.at - died);
        assert!(
            next.at - died <= most,
            "seed {seed}: it took {:?}, and {most:?} is promised",
            next.at - died
        );
    }
    println!("at most {longest:?}, {most:?} is promised");
}
