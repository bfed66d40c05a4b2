//! [`Explore`]: every point at which something can go wrong, one after the other, instead of random ones.

use super::failure::Failure;
use super::fault::{Counts, Fault};
use super::injector::{Fate, Firing, force};
use super::run::{Asked, side_by_side};
use super::simulation::Simulation;
use super::world::World;

/// What is explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explore {
    /// By how many events a view lags at most: each number up to it is tried at each delivery.
    pub lag: u32,
    /// How many pairs of faults are tried at most: if there are more, some of them, evenly spread. See
    /// [`Simulation::explore`] for which.
    pub pairs: u64,
    /// How many runs there are at most, those of pairs included.
    pub runs: u64,
}

impl Default for Explore {
    /// Up to three events, and as many pairs and runs as take a minute or so.
    fn default() -> Self {
        Self { lag: 3, pairs: 10_000, runs: 50_000 }
    }
}

/// What was explored without finding anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// How many runs there were.
    pub runs: u64,
    /// Whether there were more points or pairs than were to be tried.
    pub is_cut_short: bool,
    /// How many commits took effect in all of them.
    pub commits: u64,
    /// How often each fault was met, in all of them.
    pub faults: Counts,
}

impl Simulation {
    /// Tries, with no random faults, each fault at each point of a run at which it could be met: a crash
    /// before and after every commit, every lag up to a number at every delivery, a view that skips
    /// states at every delivery, a conflict, a lost answer, a slow commit and a pause at every commit, a
    /// lost and a slow call of every effect. What is slow by a little lets what was sent after it
    /// overtake it.
    ///
    /// Then it tries pairs: a crash and a view that lags about then or is old afterwards; a slow commit,
    /// call or answer, and something that goes wrong with one of the next commits.
    ///
    /// Invariants and conditions are those of any run. There is one script, so let it do all that is ever
    /// to be done: each thing by itself, and two things at once.
    ///
    /// # Errors
    /// What was found first. Its command meets with exactly that point again.
    pub fn explore(&self, explore: Explore) -> Result<Explored, Failure> {
        let seed = match self.asked()? {
            Asked { seed, faults: Some(faults) } => {
                let ran = self.once(seed.unwrap_or(self.seed), &Fate::Listed(faults))?;
                return Ok(Explored {
                    runs: 1,
                    commits: ran.commits,
                    faults: ran.faults,
                    ..Explored::default()
                });
            }
            Asked { seed, faults: None } => seed.unwrap_or(self.seed),
        };
        let mut exploring = Exploring { of: self, seed, explore, done: Explored::default() };
        let points = exploring.baseline()?;
        exploring.single_faults(&points)?;
        exploring.pairs(&points)?;
        Ok(exploring.done)
    }
}

struct Exploring<'s> {
    of: &'s Simulation,
    seed: u64,
    explore: Explore,
    done: Explored,
}

impl Exploring<'_> {
    /// A run in which nothing goes wrong: how many points there are.
    fn baseline(&mut self) -> Result<Counts, Failure> {
        let ran = self.of.once(self.seed, &Fate::Listed(Vec::new()))?;
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
        // Some are overtaken by what was sent just after them; some come just after the one who sent them
        // gave up waiting and did something else.
        let late = [50, 400, 5_020, 5_070, 5_120, 6_000].map(|millis| force::of_time(millis, true));
        self.at_each_point(points, Fault::SlowCommit, &late)?;
        let late_answers = [50, 6_000].map(|millis| force::of_time(millis, false));
        self.at_each_point(points, Fault::SlowCommit, &late_answers)?;
        self.at_each_point(points, Fault::LostCall, &[0])?;
        self.at_each_point(points, Fault::LostEffect, &[0])?;
        self.at_each_point(points, Fault::SlowEffect, &SLOW_EFFECTS)?;
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
            self.each(at_points((0..seconds).step_by(5), fault, &forces))?;
        }
        Ok(())
    }

    /// Pairs of faults that are near each other: as many as are to be tried, evenly spread.
    fn pairs(&mut self, points: &Counts) -> Result<(), Failure> {
        if self.explore.pairs == 0 {
            return Ok(());
        }
        let mut pairs = self.crashes_and_views(points);
        pairs.extend(slow_and_next(points));
        let (all, most) = (pairs.len() as u64, self.explore.pairs);
        self.done.is_cut_short |= all > most;
        let share = |at: u64| at * most.min(all) / all;
        let chosen = (0..).zip(pairs).filter(|(at, _)| share(*at) < share(at + 1));
        self.each(chosen.map(|(_, pair)| pair.to_vec()).collect())
    }

    /// A crash, and a view that lags about then, or is old afterwards.
    fn crashes_and_views(&self, points: &Counts) -> Vec<[Firing; 2]> {
        /// How many deliveries before and after the crash have something to do with it.
        const ABOUT: u64 = 3;
        let mut pairs = Vec::new();
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            for point in 0..points.of(fault).points {
                let crash = Firing { fault, point, force: 500 };
                let old = Firing { fault: Fault::Rewind, point: 0, force: u64::from(self.explore.lag) };
                pairs.push([crash, old]);
                let Some(deliveries) = self.deliveries_before(crash) else { continue };
                let force = force::of_held(self.explore.lag.into(), 8_000);
                let about = deliveries.saturating_sub(ABOUT)..deliveries + ABOUT;
                pairs.extend(about.map(|point| [crash, Firing { fault: Fault::Lag, point, force }]));
            }
        }
        pairs
    }

    /// How many deliveries there were before a fault is met.
    fn deliveries_before(&self, firing: Firing) -> Option<u64> {
        let fate = Fate::Listed(vec![firing]);
        let mut world = World::new(self.of, self.seed, &self.of.faults, &fate);
        while world.injector.fired().is_empty() && world.next_at().is_some_and(|at| at <= self.of.chaos()) {
            world.go_on();
        }
        world.injector.deliveries().first().copied()
    }

    fn at_each_point(&mut self, points: &Counts, fault: Fault, forces: &[u64]) -> Result<(), Failure> {
        self.each(at_points(0..points.of(fault).points, fault, forces))
    }

    /// A run for each of some lists of faults, on all cores.
    fn each(&mut self, mut lists: Vec<Vec<Firing>>) -> Result<(), Failure> {
        let left = self.explore.runs.saturating_sub(self.done.runs);
        self.done.is_cut_short |= lists.len() as u64 > left;
        lists.truncate(left.try_into().unwrap_or(usize::MAX));
        let run = |at: u64| self.of.once(self.seed, &Fate::Listed(lists[at as usize].clone()));
        for ran in side_by_side(0..lists.len() as u64, run) {
            self.done.runs += 1;
            let ran = ran.map_err(|failure| Failure { runs: self.done.runs, ..failure })?;
            self.done.commits += ran.commits;
            self.done.faults.add(&ran.faults);
        }
        Ok(())
    }
}

/// A call that is overtaken by what follows from it, one that takes as long as a retry, and one that takes
/// longer than anything else at rest; and answers that do.
const SLOW_EFFECTS: [u64; 5] = [
    force::of_time(50, true),
    force::of_time(1_500, true),
    force::of_time(8_000, true),
    force::of_time(400, false),
    force::of_time(8_000, false),
];

/// A fault at each of some points, with each force.
fn at_points(points: impl Iterator<Item = u64>, fault: Fault, forces: &[u64]) -> Vec<Vec<Firing>> {
    points
        .flat_map(|point| forces.iter().map(move |force| vec![Firing { fault, point, force: *force }]))
        .collect()
}

/// Something slow, and something that goes wrong with one of the next commits, as commits are counted when
/// nothing is slow.
fn slow_and_next(points: &Counts) -> Vec<[Firing; 2]> {
    /// How many of the next commits have something to do with it.
    const NEXT: u64 = 3;
    let mut pairs = Vec::new();
    let commits = points.of(Fault::SlowCommit).points;
    let late = [50, 6_000].map(|millis| force::of_time(millis, true));
    for (point, force) in (0..commits).flat_map(|point| late.map(|force| (point, force))) {
        let slow = Firing { fault: Fault::SlowCommit, point, force };
        for point in point + 1..=point + NEXT {
            for (fault, force) in [
                (Fault::CrashBefore, 500),
                (Fault::CrashAfter, 500),
                (Fault::CrashAfter, 40_000),
                (Fault::LostAfter, 0),
                (Fault::SlowCommit, force),
            ] {
                pairs.push([slow, Firing { fault, point, force }]);
            }
        }
    }
    // How many commits there are before a call is not known, and there are few calls.
    for point in 0..points.of(Fault::SlowEffect).points {
        let slow = Firing { fault: Fault::SlowEffect, point, force: force::of_time(8_000, true) };
        for point in 0..commits {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                pairs.push([slow, Firing { fault, point, force: 500 }]);
            }
        }
    }
    pairs
}
