//! Runs: one, or many.

use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use super::failure::{Failure, Found};
use super::fault::{Counts, Fault};
use super::injector::{Fate, Firing};
use super::simulation::Simulation;
use super::world::World;

/// What came of a run in which nothing was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// From which seed.
    pub seed: u64,
    /// How many runs it took until every fault had bitten, each from the seed after the last one's.
    pub rounds: u64,
    /// All that happened, as a number: runs that differ in anything have others.
    pub hash: u64,
    /// How much happened.
    pub steps: u64,
    /// How many commits took effect, those of elections apart.
    pub commits: u64,
    /// How long it took, of virtual time.
    pub virtual_time: Duration,
    /// How often each fault was met.
    pub faults: Counts,
    /// The faults of the last round, one by one.
    pub firings: Vec<Firing>,
    /// Who led in the last round, one after the other.
    pub terms: Vec<TermWon>,
    /// When the leader [died for good](Simulation::leader_dies_at) in the last round, if it did.
    pub leader_died: Option<Duration>,
}

/// A machine led from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermWon {
    /// When it learned that it does, since the beginning of the simulation.
    pub at: Duration,
    /// Which machine.
    pub machine: String,
    /// The number of the term.
    pub number: u64,
}

/// What came of many runs in which nothing was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many.
    pub seeds: u64,
    /// How much happened.
    pub steps: u64,
    /// How many commits took effect, those of elections apart.
    pub commits: u64,
    /// How long they took, of virtual time.
    pub virtual_time: Duration,
    /// How often each fault was met.
    pub faults: Counts,
}

impl Simulation {
    /// How many runs there are at most until every fault has bitten.
    pub const ROUNDS: u64 = 100;
    /// How many steps a run may have.
    pub const STEPS: u64 = 20_000_000;

    /// Runs it: from its seed, and from the seeds after that until every fault has bitten.
    ///
    /// The variable `ORCHESTRA_SEED` replaces the seed, and `ORCHESTRA_FAULTS` has exactly the faults
    /// met that it lists, as a failure's message does.
    ///
    /// # Errors
    /// What was found. A fault that never bit is found, too.
    pub fn run(&self) -> Result<Ran, Failure> {
        let Asked { seed, faults } = self.asked()?;
        let seed = seed.unwrap_or(self.seed);
        if let Some(faults) = faults {
            return self.once(seed, &Fate::Listed(faults));
        }
        let mut all = Ran { seed, ..Ran::default() };
        for round in 0..Self::ROUNDS {
            let ran = self.once(seed.wrapping_add(round), &Fate::Rates);
            let ran = ran.map_err(|failure| self.shrink(Failure { runs: round + 1, ..failure }))?;
            all.add(ran);
            if self.never_bit(&all.faults).is_empty() {
                return Ok(all);
            }
        }
        Err(self.nothing_shown(seed, all.faults))
    }

    /// Runs it once, from this seed, whether its faults bite or not.
    ///
    /// # Errors
    /// What was found, with all the faults that were met.
    pub fn replay(&self, seed: u64) -> Result<Ran, Failure> {
        self.once(seed, &Fate::Rates)
    }

    /// Runs it from each of many seeds, on all cores. The variable `ORCHESTRA_SEEDS` says how many instead, from the
    /// first one on; `ORCHESTRA_SEED` and `ORCHESTRA_FAULTS` have one run, as with [`run`](Self::run).
    ///
    /// # Errors
    /// What was found first. A fault that never bit in any of them is found, too.
    pub fn search(&self, seeds: Range<u64>) -> Result<Summary, Failure> {
        let Asked { seed: only, faults } = self.asked()?;
        let mut all = Summary::default();
        if let Some(faults) = faults {
            all.add(&self.once(only.unwrap_or(seeds.start), &Fate::Listed(faults))?);
            return Ok(all);
        }
        let many = self.number("ORCHESTRA_SEEDS")?;
        let seeds = many.map_or(seeds.clone(), |many| seeds.start..seeds.start.saturating_add(many));
        let seeds = only.map_or(seeds, |seed| seed..seed.saturating_add(1));
        for (runs, ran) in (1..).zip(side_by_side(seeds.clone(), |seed| self.once(seed, &Fate::Rates))) {
            all.add(&ran.map_err(|failure| self.shrink(Failure { runs, ..failure }))?);
        }
        match only.is_none() && !self.never_bit(&all.faults).is_empty() {
            true => Err(self.nothing_shown(seeds.start, all.faults)),
            false => Ok(all),
        }
    }

    /// The faults that were to be met, could have been, and changed nothing.
    fn never_bit(&self, counts: &Counts) -> Vec<Fault> {
        let can_be = |fault: &Fault| match fault {
            Fault::Rewind => self.may_rewind(),
            fault => !fault.is_of_effects() || !self.handlers.is_empty(),
        };
        self.faults.enabled().filter(can_be).filter(|fault| counts.of(*fault).bit == 0).collect()
    }

    /// What the environment asks for instead of what the test says.
    pub(crate) fn asked(&self) -> Result<Asked, Failure> {
        let read = |text: &str| {
            let unread = || self.cannot(format!("ORCHESTRA_FAULTS has `{text}`, which is no fault"));
            Firing::parse(text).ok_or_else(unread)
        };
        let faults = match variable("ORCHESTRA_FAULTS") {
            Some(listed) if listed == "none" => Some(Vec::new()),
            Some(listed) => Some(listed.split(',').map(read).collect::<Result<_, _>>()?),
            None => None,
        };
        Ok(Asked { seed: self.number("ORCHESTRA_SEED")?, faults })
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let read = |text: String| {
            text.parse().map_err(|_| self.cannot(format!("{name} is `{text}`, which is no number")))
        };
        variable(name).map(read).transpose()
    }

    fn cannot(&self, reason: String) -> Failure {
        Failure { found: Found::Impossible { reason }, ..self.nothing_shown(self.seed, Counts::default()) }
    }

    fn nothing_shown(&self, seed: u64, faults: Counts) -> Failure {
        Failure {
            found: Found::NeverBit(self.never_bit(&faults)),
            seed,
            step: 0,
            runs: 0,
            at: Duration::ZERO,
            story: Vec::new(),
            faults,
            firings: Vec::new(),
            is_shrunk: false,
            is_drawn: true,
        }
    }

    /// Runs it once.
    pub(crate) fn once(&self, seed: u64, fate: &Fate) -> Result<Ran, Failure> {
        let mut world = World::new(self, seed, &self.faults, fate);
        match self.live(&mut world) {
            Ok(()) => Ok(Ran {
                seed,
                rounds: 1,
                hash: world.hash,
                steps: world.step,
                commits: world.commits,
                virtual_time: world.now,
                faults: world.injector.counts.clone(),
                firings: world.injector.fired().to_vec(),
                terms: std::mem::take(&mut world.terms),
                leader_died: world.leader_died,
            }),
            Err(found) => Err(Failure {
                found,
                seed,
                step: world.step,
                runs: 1,
                at: world.now,
                story: world.story.in_words(),
                faults: world.injector.counts.clone(),
                firings: world.injector.fired().to_vec(),
                is_shrunk: false,
                is_drawn: matches!(fate, Fate::Rates),
            }),
        }
    }

    /// First things happen and go wrong; then everything is mended, and must become well.
    pub(crate) fn live(&self, world: &mut World<'_>) -> Result<(), Found> {
        let chaos = self.chaos();
        while world.next_at().is_some_and(|at| at <= chaos) {
            go_on(world)?;
        }
        world.heal();
        found(world)?;
        let Some(goal) = &self.goal else { return Ok(()) };
        let deadline = chaos + self.within;
        let mut state = goal(&world.truth);
        let mut since = chaos;
        let mut before = world.commits;
        world.has_changed = false;
        loop {
            let next = world.next_at();
            let is_past = |time: Duration| next.is_none_or(|next| next > time);
            match &state {
                Ok(()) if is_past(since.max(world.last_commit) + self.stays) => return Ok(()),
                Ok(()) if is_past(deadline + self.stays) => {
                    let commits = world.commits - before;
                    return Err(Found::Restless { commits, lately: self.stays });
                }
                Err(reason) if is_past(deadline) => {
                    return Err(Found::NotConverged { within: self.within, reason: reason.clone() });
                }
                _ => {}
            }
            if next.is_none_or(|next| next <= deadline) {
                before = world.commits;
            }
            go_on(world)?;
            if std::mem::take(&mut world.has_changed) {
                let was = std::mem::replace(&mut state, goal(&world.truth));
                match (&was, &state) {
                    (Ok(()), Err(reason)) if world.now > deadline => {
                        let after = world.now.saturating_sub(since);
                        return Err(Found::NotStayed { after, reason: reason.clone() });
                    }
                    (Err(_), Ok(())) => since = world.now,
                    _ => {}
                }
            }
        }
    }
}

fn go_on(world: &mut World<'_>) -> Result<(), Found> {
    if world.step >= Simulation::STEPS {
        return Err(Found::Endless);
    }
    world.go_on();
    found(world)
}

fn found(world: &mut World<'_>) -> Result<(), Found> {
    world.found.take().map_or(Ok(()), Err)
}

/// What the environment asks for instead of what a test says.
pub(crate) struct Asked {
    pub(crate) seed: Option<u64>,
    /// Exactly these.
    pub(crate) faults: Option<Vec<Firing>>,
}

impl Summary {
    fn add(&mut self, ran: &Ran) {
        self.seeds += 1;
        self.steps += ran.steps;
        self.commits += ran.commits;
        self.virtual_time += ran.virtual_time;
        self.faults.add(&ran.faults);
    }
}

impl Ran {
    fn add(&mut self, ran: Self) {
        self.rounds += 1;
        self.hash = self.hash.rotate_left(7) ^ ran.hash;
        self.steps += ran.steps;
        self.commits += ran.commits;
        self.virtual_time += ran.virtual_time;
        self.faults.add(&ran.faults);
        self.firings = ran.firings;
        (self.terms, self.leader_died) = (ran.terms, ran.leader_died);
    }
}

/// A variable of the environment: the ways to have a test run otherwise than it says.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs by some numbers, on all cores; what comes of them is what comes of one after the other. After the first,
/// in their order, in which something is found, hardly any is run, and none is told of.
pub(crate) fn side_by_side(
    numbers: Range<u64>,
    run: impl Fn(u64) -> Result<Ran, Failure> + Sync,
) -> impl Iterator<Item = Result<Ran, Failure>> {
    let (next, end) = (AtomicU64::new(numbers.start), AtomicU64::new(numbers.end));
    let work = || {
        let mut runs = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end.load(Ordering::Relaxed) {
                return runs;
            }
            let ran = run(number);
            if ran.is_err() {
                end.fetch_min(number + 1, Ordering::Relaxed);
            }
            runs.push((number, ran));
        }
    };
    let cores = available_parallelism().map_or(1, NonZero::get);
    let mut runs = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let mut runs = work();
        for other in others {
            // What a check panics with is the test's business.
            runs.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        runs
    });
    runs.sort_unstable_by_key(|(number, _)| *number);
    let end = end.into_inner();
    runs.into_iter().filter(move |(number, _)| *number < end).map(|(_, ran)| ran)
}
