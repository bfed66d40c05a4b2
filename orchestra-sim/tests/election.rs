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

/// How long it takes until another leads when the leader is gone for good.
fn takes(times: Times, seed: u64) -> Duration {
    // What does not keep the other from looking, nor the store from answering.
    let faults = Faults::none().clock_jumps(Duration::from_secs(3600)).lag(8).conflicts(50);
    // At every moment between two beats.
    let dies = times.lease * 2 + Duration::from_millis(137 * seed % 20_000);
    let controller = Controller::new("fleet", fleet::fleet).owns::<fleet::Worker>();
    let simulation = fleet::busy(0).controller(controller).election(times).faults(faults);
    let simulation = simulation.leader_dies_at(dies).chaos_for(dies + times.lease * 3);
    let ran = simulation.replay(seed).unwrap_or_else(|failure| panic!("{failure}"));
    let died = ran.leader_died.expect("a leader died");
    ran.terms.iter().find(|term| term.at > died).expect("another leads").at - died
}

/// How long the store takes to answer in a simulation in which nothing slows it down: there and back.
const ANSWERS: Duration = Duration::from_millis(20);
const QUICK: Times = Times {
    lease: Duration::from_secs(3),
    give_up: Duration::from_secs(2),
    beat: Duration::from_millis(500),
};

#[test]
fn another_leads_in_time_when_the_leader_is_gone_for_good() {
    let seeds = std::env::var("ORCHESTRA_SEEDS").map_or(100, |seeds| seeds.parse().unwrap());
    for times in [Times::DEFAULT, QUICK] {
        let most = times.failover(ANSWERS);
        let longest = (0..seeds).map(|seed| {
            let time = takes(times, seed);
            assert!(time <= most, "seed {seed}: it took {time:?}, and {most:?} is promised");
            time
        });
        let longest = longest.max().unwrap();
        println!("{times:?}: at most {longest:?} of {seeds}, {most:?} is promised");
        // Nobody takes over from a leader that may yet be there.
        assert!(longest > times.lease, "at most {longest:?}");
    }
}

/// What is promised is looked at: times other than those of which it is told would not do.
#[test]
fn a_lease_twice_as_long_breaks_the_promise() {
    for times in [Times::DEFAULT, QUICK] {
        let slow = Times { lease: times.lease * 2, ..times };
        assert!((0..20).all(|seed| takes(slow, seed) > times.failover(ANSWERS)));
    }
}
