//! [`Explore`]: every point at which something can go wrong, one after the other, instead of random ones.

use super::failure::Failure;
use super::fault::{Counts, Fault};
use super::injector::{Fate, Firing, force};
use super::simulation::Simulation;
use super::world::World;

/// What is explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explore {
    /// By how many events a view lags at most: each number up to it is tried at each delivery.
    pub lag: u32,
    /// Whether crashes are tried together with a view that lags about then, and with a first listing
    /// that is old.
    pub pairs: bool,
    /// How many runs there are at most.
    pub runs: u64,
}

impl Default for Explore {
    /// Up to three events, pairs, and as many runs as take a minute or so.
    fn default() -> Self {
        Self { lag: 3, pairs: true, runs: 50_000 }
    }
}

/// What was explored without finding anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// How many runs there were.
    pub runs: u64,
    /// Whether there were more points than runs.
    pub is_cut_short: bool,
    /// How many commits took effect in all of them.
    pub commits: u64,
    /// How often each fault was met, in all of them.
    pub faults: Counts,
}

impl Simulation {
    /// Tries, with no random faults, each fault at each point of a run at which it could be met: a crash
    /// before and after every commit, every lag up to a number at every delivery, a view that skips
    /// states at every delivery, a conflict, a lost answer, a slow commit and a pause at every commit.
    /// Invariants and conditions are those of any run.
    ///
    /// # Errors
    /// What was found first. Its command meets with exactly that point again.
    pub fn explore(&self, explore: Explore) -> Result<Explored, Failure> {
        let mut exploring = Exploring { of: self, explore, done: Explored::default() };
        let points = exploring.baseline()?;
        exploring.single_faults(&points)?;
        if exploring.explore.pairs {
            exploring.pairs(&points)?;
        }
        Ok(exploring.done)
    }
}

struct Exploring<'s> {
    of: &'s Simulation,
    explore: Explore,
    done: Explored,
}

impl Exploring<'_> {
    /// A run in which nothing goes wrong: how many points there are.
    fn baseline(&mut self) -> Result<Counts, Failure> {
        let ran = self.of.once(self.of.seed, &Fate::Listed(Vec::new()))?;
        self.done.runs += 1;
        Ok(ran.faults)
    }

    fn single_faults(&mut self, points: &Counts) -> Result<(), Failure> {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            // It comes back before another leads, and after.
            self.at_each_point(points, fault, &[500, 40_000])?;
        }
        for fault in [Fault::LostBefore, Fault::LostAfter, Fault::Conflict] {
            self.at_each_point(points, fault, &[0])?;
        }
        // Some come just after the one who sent them gave up waiting and did something else.
        let late = [5_020, 5_070, 5_120, 6_000].map(|millis| force::of_time(millis, true));
        self.at_each_point(points, Fault::SlowCommit, &late)?;
        self.at_each_point(points, Fault::SlowCommit, &[force::of_time(6_000, false)])?;
        self.at_each_point(points, Fault::Pause, &[3_000, 30_000])?;
        let held = |events: u32| force::of_held(events.into(), 8_000);
        let lags: Vec<u64> = (1..=self.explore.lag).map(held).collect();
        self.at_each_point(points, Fault::Lag, &lags)?;
        let skips = [held(1), held(2), held(1000 - 1)];
        self.at_each_point(points, Fault::Skip, &skips)?;
        self.at_each_point(points, Fault::Coalesce, &[held(2), held(1000 - 1)])?;
        let seconds = Counts::of(points, Fault::Crash).points;
        // A crash, a partition and a jump of the clock in every fifth second: they last longer than that.
        for (fault, forces) in [
            (Fault::Crash, vec![500, 40_000]),
            (Fault::Partition, vec![force::of_time(8_000, true), force::of_time(40_000, false)]),
            (Fault::ClockJump, vec![force::of_time(3_600_000, true), force::of_time(3_600_000, false)]),
        ] {
            for point in (0..seconds).step_by(5) {
                for force in &forces {
                    self.with(vec![Firing { fault, point, force: *force }])?;
                }
            }
        }
        self.at_each_point(points, Fault::LostEffect, &[0])
    }

    /// A crash, and a view that lags about then, or is old afterwards.
    fn pairs(&mut self, points: &Counts) -> Result<(), Failure> {
        /// How many deliveries before and after the crash have something to do with it.
        const ABOUT: u64 = 3;
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            for point in 0..points.of(fault).points {
                let crash = Firing { fault, point, force: 500 };
                let old = Firing { fault: Fault::Rewind, point: 0, force: u64::from(self.explore.lag) };
                self.with(vec![crash, old])?;
                let Some(deliveries) = self.deliveries_before(crash) else { continue };
                for point in deliveries.saturating_sub(ABOUT)..deliveries + ABOUT {
                    let force = force::of_held(self.explore.lag.into(), 8_000);
                    self.with(vec![crash, Firing { fault: Fault::Lag, point, force }])?;
                }
            }
        }
        Ok(())
    }

    /// How many deliveries there were before a fault is met.
    fn deliveries_before(&self, firing: Firing) -> Option<u64> {
        let fate = Fate::Listed(vec![firing]);
        let mut world = World::new(self.of, self.of.seed, &self.of.faults, &fate);
        while world.injector.fired().is_empty() && world.next_at().is_some_and(|at| at <= self.of.chaos()) {
            world.go_on();
        }
        world.injector.deliveries().first().copied()
    }

    fn at_each_point(&mut self, points: &Counts, fault: Fault, forces: &[u64]) -> Result<(), Failure> {
        for point in 0..points.of(fault).points {
            for force in forces {
                self.with(vec![Firing { fault, point, force: *force }])?;
            }
        }
        Ok(())
    }

    fn with(&mut self, firings: Vec<Firing>) -> Result<(), Failure> {
        if self.done.runs >= self.explore.runs {
            self.done.is_cut_short = true;
            return Ok(());
        }
        self.done.runs += 1;
        let ran = self.of.once(self.of.seed, &Fate::Listed(firings))?;
        self.done.commits += ran.commits;
        self.done.faults.add(&ran.faults);
        Ok(())
    }
}
