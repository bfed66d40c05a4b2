//! [`Machine`]: what runs a kernel, and what befalls it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use orchestra_core::clock::SeededIds;
use orchestra_core::control::election::{Candidate, Election, Term};
use orchestra_core::control::feed::{Feed, Told};
use orchestra_core::control::kernel::{Kernel, Output, Settings};
use orchestra_core::control::perform::Performance;
use orchestra_core::control::post::{self, Post};
use orchestra_core::control::{Need, Now, Random};
use orchestra_core::object::{MicroTime, Str};
use orchestra_core::store::{Batch, Delivery, Limits, Revision, Scope};

use super::event::{Arrival, From};
use crate::random::{mix, stream};
use crate::simulation::Simulation;

/// What wall clocks show when a simulation begins, in microseconds since 1970: some Tuesday in 2024.
pub(super) const BEGINNING: i64 = 1_704_189_600_000_000;

/// A machine: what it is, whatever it is doing.
pub(super) struct Machine {
    pub(super) name: Str,
    number: usize,
    /// Whether faults fall on it.
    pub(super) is_control: bool,
    /// Grows whenever it dies.
    pub(super) life: u64,
    /// Whether it never comes back.
    pub(super) is_gone: bool,
    /// What it is doing, unless it is down.
    pub(super) up: Option<Running>,
    /// By how many microseconds its wall clock is off.
    pub(super) clock: i64,
    /// Whether that has bitten.
    pub(super) clock_has_bitten: bool,
    /// Why it cannot reach the store.
    pub(super) cut: Option<Cut>,
    /// What comes to it while it stands still, and how many commits there had been before.
    pub(super) halted: Option<(Vec<Arrival>, u64)>,
    pub(super) latency: Random,
}

/// A machine cannot reach the store.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) until: Duration,
    /// Whether its watch breaks by that.
    pub(super) breaks: bool,
    pub(super) has_bitten: bool,
}

/// A machine that runs.
pub(super) struct Running {
    pub(super) kernel: Kernel,
    /// What runs beside the kernel, in the order of their seats.
    pub(super) posts: Vec<Post>,
    pub(super) feed: Feed,
    pub(super) election: Option<Election>,
    /// What the candidate asked that is not answered yet.
    pub(super) asked: Option<u64>,
    pub(super) asks: u64,
    pub(super) term: Option<Term>,
    /// The jobs, and since which revision the term was in which each was begun.
    pub(super) jobs: BTreeMap<u64, (Performance, Option<Revision>)>,
    pub(super) ids: SeededIds,
    pub(super) since: Duration,
    /// What the kernel needs and the cache does not have yet.
    pub(super) needs: Vec<Vec<Need>>,
    /// How far the cache is to come, for the kernel (0) and each post.
    pub(super) reach: BTreeMap<usize, Reach>,
    pub(super) watch: Option<Watching>,
    pub(super) watches: u64,
    pub(super) wakes_at: Option<Duration>,
    /// Whether it has not listed anything yet.
    pub(super) is_new: bool,
}

/// How far somebody wants the cache to come.
#[derive(Clone, Copy)]
pub(super) enum Reach {
    To(Revision),
    /// As far as the store is, which is being asked.
    All,
}

/// A watch, and what is on its way.
pub(super) struct Watching {
    pub(super) number: u64,
    pub(super) scope: Scope,
    /// What was sent, and when it comes.
    pub(super) queue: VecDeque<Sent>,
    /// Nothing overtakes what was sent before.
    pub(super) last: Duration,
    pub(super) held: Option<Held>,
}

pub(super) struct Sent {
    pub(super) comes: Duration,
    pub(super) delivery: Delivery,
    /// Whether it has passed the points at which a fault is met.
    pub(super) is_met: bool,
}

/// How a fault holds a watch back.
#[derive(Clone, Copy)]
pub(super) enum Held {
    /// So many events behind.
    Behind { events: usize, has_bitten: bool },
    /// Until so many are there, which then come at once.
    Gathering(usize),
    /// Until so many are there, of which none ever comes.
    Skipping(usize),
}

impl Machine {
    pub(super) fn new(of: &Simulation, seed: u64, number: usize) -> Self {
        let is_control = number < of.machines;
        let name = if is_control { format!("control-{number}") } else { "environment".into() };
        Self {
            latency: stream(seed, "latency", number as u64),
            name: name.into(),
            number,
            is_control,
            life: 0,
            is_gone: false,
            up: None,
            clock: 0,
            clock_has_bitten: false,
            cut: None,
            halted: None,
        }
    }

    pub(super) const fn this(&self) -> From {
        From { machine: self.number, life: self.life }
    }

    pub(super) fn now(&self, time: Duration) -> Now {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 2);
        let wall = MicroTime::from_unix_micros(BEGINNING + micros + self.clock);
        Now::new(wall, time - self.up.as_ref().map_or(Duration::ZERO, |up| up.since))
    }

    /// Begins a new life, and says what the kernel and each post want first.
    pub(super) fn start(
        &mut self,
        of: &Simulation,
        seed: u64,
        time: Duration,
    ) -> (Vec<Output>, Vec<Vec<post::Output>>) {
        let elected = of.times.filter(|_| self.is_control);
        let settings = Settings { seed: mix(seed), elected: elected.is_some(), ..Settings::default() };
        let holder = format!("{}.{}", self.name, self.life);
        let candidate =
            elected.map(|times| Candidate { name: "control".into(), holder: holder.into(), times });
        let mut feed = Feed::new();
        // There is nothing to ask for yet.
        feed.told(Told::Start);
        let mut kernel = Kernel::new(settings);
        let mut outputs = Vec::new();
        if self.is_control {
            outputs.extend(kernel.collect_garbage(feed.cache()).1);
            if !of.handlers.is_empty() {
                outputs.extend(kernel.call_effects(16, feed.cache()).1);
            }
        }
        let controllers = if self.is_control { &of.controllers } else { &of.environment };
        for make in controllers {
            outputs.extend(kernel.add(make(), feed.cache()).1);
        }
        let parts = if self.is_control { &of.parts[..] } else { &[] };
        let settings = |seat| post::Settings {
            seat,
            in_flight: post::Settings::IN_FLIGHT,
            limits: Limits::DEFAULT,
            elected: elected.is_some(),
        };
        let (posts, wants) = (1..).zip(parts).map(|(seat, make)| Post::new(make(), settings(seat))).unzip();
        self.up = Some(Running {
            kernel,
            posts,
            feed,
            election: candidate.map(Election::new),
            asked: None,
            asks: 0,
            term: None,
            jobs: BTreeMap::new(),
            ids: SeededIds::new(mix(mix(seed ^ self.number as u64) ^ self.life)),
            since: time,
            needs: Vec::new(),
            reach: BTreeMap::new(),
            watch: None,
            watches: 0,
            wakes_at: None,
            is_new: true,
        });
        (outputs, wants)
    }

    /// Whether it can reach the store.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut.is_some()
    }
}

impl Running {
    /// How many of the kernel's needs have been met by now.
    pub(super) fn arrived(&mut self) -> usize {
        let (before, cache) = (self.needs.len(), self.feed.cache());
        self.needs.retain(|needs| !needs.iter().all(|need| cache.satisfies(need)));
        before - self.needs.len()
    }

    /// For whom the cache has come far enough by now.
    pub(super) fn have_reached(&mut self) -> Vec<usize> {
        let revision = self.feed.cache().revision();
        let is_there = |reach: &Reach| matches!(reach, Reach::To(wanted) if *wanted <= revision);
        self.reach.extract_if(.., |_, reach| is_there(reach)).map(|(seat, _)| seat).collect()
    }

    /// How much is under way.
    pub(super) fn in_flight(&self) -> usize {
        self.kernel.in_flight() + self.posts.iter().map(Post::in_flight).sum::<usize>()
    }

    /// When it wants to be woken, by its own stopwatch.
    pub(super) fn due(&self, now: Now) -> Option<Duration> {
        let election = self.election.as_ref().filter(|_| self.asked.is_none());
        let election = election.and_then(Election::due);
        let posts = self.posts.iter().filter_map(|post| post.due(now));
        election.into_iter().chain(self.kernel.due(now)).chain(posts).min()
    }
}

impl Watching {
    /// How many batches are on their way.
    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.queue.iter().filter_map(|sent| match &sent.delivery {
            Delivery::Batch(batch) => Some(&**batch),
            Delivery::Progress(_) => None,
        })
    }

    /// Whether some state is among them that another covers.
    pub(super) fn hides_a_state(&self) -> bool {
        let mut keys: Vec<_> =
            self.batches().flat_map(|batch| &batch.events).map(|event| &event.key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        keys.len() < all
    }
}
