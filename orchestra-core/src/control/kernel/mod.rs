//! [`Kernel`]: what reconciles, without I/O: told what happened, it says what is to be done.

mod changed;
mod draft;
mod duty;
mod effects;
mod jobs;
mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::duty::{Duty, Lane};
use self::jobs::Begun;
use super::backoff::{Backoff, Rate};
use super::cache::Cache;
use super::changes::Changes;
use super::controller::Controller;
use super::effect::EffectError;
use super::election::Term;
use super::hash::{Place, hash_bytes, mix};
use super::interests::Interests;
use super::items::{Item, Items, Made};
use super::notes::Notes;
use super::perform::{Done, Job};
use super::plan::{Note, Noted, PlanLimits};
use super::queue::{LaneLimits, Queue, Urgency};
use super::reads::{self, Need};
use super::report::{Report, Trouble};
use super::{Now, Watched};
use crate::client::ObjectName;
use crate::object::{Kind, Metadata, Revision, Str};
use crate::store::Key;

/// What a kernel is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The cache has moved: this is what has changed in it.
    Changed(&'a Changes),
    /// The cache has what was [needed](Output::Need). (If it could not get it, it is asked for again.)
    Arrived,
    /// The cache has come [so far](Output::Reach), or not, since the store does not answer.
    Reached(bool),
    /// This is what became of a [job](Output::Perform).
    Done(Done),
    /// What an effect's handler answered to a [call](Output::Call).
    Answered(u64, Result<Value, EffectError>),
    /// It leads from now on, or does not any more.
    Leads(Option<Term>),
    /// It may look at some of what there is to look at.
    Turn(&'a Cache),
}

/// What a kernel wants to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// A job, to be performed step by step.
    Perform(Job),
    /// A handler, to be called.
    Call(Call),
    /// The cache does not have this, and is to get it.
    Need(Vec<Need>),
    /// The cache is to come at least so far, or as far as the store is, before anything else is planned.
    Reach(Option<Revision>),
    /// Something that a person or a metric should know.
    Report(Report),
}

/// An effect's handler, to be called.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which call: the answer bears the same number.
    pub id: u64,
    /// Which handler.
    pub handler: Str,
    /// What tells the other side that it has been asked the same before.
    pub key: Str,
    /// What it is given.
    pub input: Value,
}

/// What a kernel may do at once, and how it is told from others.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What random streams begin with. Kernels of one system have the same, so that whoever takes over
    /// draws what the other would have drawn.
    pub seed: u64,
    /// How many jobs are being performed at once. Enough that a store's round trip does not hold up the
    /// rest; few enough that a store is not flooded after a restart.
    pub in_flight: usize,
    /// How many objects are looked at in one [turn](Input::Turn), before others have theirs.
    pub per_turn: usize,
    /// How large a plan may be.
    pub limits: PlanLimits,
    /// Whether it does nothing before it [leads](Input::Leads).
    pub elected: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, in_flight: 64, per_turn: 64, limits: PlanLimits::default(), elected: false }
    }
}

/// Decides what is to be done so that each object becomes what its controller wants it to be.
///
/// It is told what happens and says what is to be done. It asks nobody and reads no clock: the same inputs
/// give the same outputs. Whoever drives it sees to three things: that jobs are performed and their
/// ends told; that the cache gets what is needed; that it has its turn when it is [due](Self::due).
///
/// # What it keeps
/// - Of a controller, at most one look at an object is under way at a time.
/// - What a reconciler read, and what its plan was about, is watched: a change there wakes it.
/// - Nothing is planned on a cache that is older than what this kernel committed, nor than the term that
///   it won. After a commit of unknown fate nothing is planned before the cache has come as far as the
///   store was then.
/// - Each change is guarded: by the object that it changes, as it was when it was planned; by the object for
///   which it was planned; by the term.
/// - What fails is tried again later and later; what never rests is slowed down; both are reported.
pub struct Kernel {
    settings: Settings,
    lanes: Vec<Option<Lane>>,
    queue: Queue,
    items: Items,
    interests: Interests,
    jobs: BTreeMap<u64, Begun>,
    next: u64,
    notes: Notes,
    /// Nothing is planned on a cache that has not come so far.
    must_see: Revision,
    /// The fate of a commit is unknown: nothing is planned before the cache has come as far as the store.
    is_unsure: bool,
    /// It has asked for the cache to come further, and was not answered yet.
    reaches: bool,
    /// That is, as far as the store was when all that is unsure had become so.
    reaches_all: bool,
    /// What waits until the cache has what it needs.
    parked: Vec<(u32, Vec<Need>)>,
    /// What was asked for, and has not arrived yet.
    needed: Vec<Need>,
    /// Something has arrived.
    has_news: bool,
    /// The kinds that somebody looked at, as the cache numbers them.
    used: Vec<Place>,
    /// Memory that each look uses again.
    scratch: (reads::Notes, Vec<Made>),
    /// Which history this is of the store's: it counts those that were put in its place.
    epoch: u64,
    leads: bool,
    term: Option<Term>,
    looks: u64,
    /// How often there was something to look at and no room for more work.
    held_back: u64,
    /// By how much the wall clock is ahead of the stopwatch, in microseconds.
    ahead: Option<i64>,
}

impl Kernel {
    /// A kernel without controllers.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            leads: !settings.elected,
            settings,
            lanes: Vec::new(),
            queue: Queue::default(),
            items: Items::default(),
            interests: Interests::default(),
            jobs: BTreeMap::new(),
            next: 1,
            notes: Notes::default(),
            must_see: Revision(0),
            is_unsure: false,
            reaches: false,
            reaches_all: false,
            parked: Vec::new(),
            needed: Vec::new(),
            has_news: false,
            used: Vec::new(),
            scratch: Default::default(),
            epoch: 0,
            term: None,
            looks: 0,
            held_back: 0,
            ahead: None,
        }
    }

    /// Adds a controller, also while the kernel is at work. Answers with its number, and says what the cache
    /// must have for it.
    pub fn add(&mut self, controller: Controller, cache: &Cache) -> (u32, Vec<Output>) {
        let limits = LaneLimits {
            in_flight: controller.most_in_flight(),
            rate: controller.look_rate(),
            backoff: controller.look_backoff(),
        };
        let duty = Duty::Reconcile(Arc::new(controller));
        self.add_lane(duty, limits, cache)
    }

    /// Whether a controller is called so. A second one of a name would take the first one's fields for its own:
    /// who sets which fields is known by the name.
    #[must_use]
    pub fn has_controller(&self, name: &str) -> bool {
        self.lanes.iter().flatten().any(|lane| lane.name == *name)
    }

    /// Has it see to effects: their handlers are called, and what they answer is written down.
    pub fn call_effects(&mut self, in_flight: usize, cache: &Cache) -> (u32, Vec<Output>) {
        self.call_effects_of(None, in_flight, cache)
    }

    /// The same for some handlers only. Others are somebody else's.
    pub fn call_effects_of(
        &mut self,
        handlers: Option<BTreeSet<Str>>,
        in_flight: usize,
        cache: &Cache,
    ) -> (u32, Vec<Output>) {
        let backoff = Backoff { first: Duration::from_secs(1), ..Backoff::DEFAULT };
        self.add_lane(
            Duty::Effects(handlers),
            LaneLimits { in_flight, rate: Rate::UNLIMITED, backoff },
            cache,
        )
    }

    /// Has it see to what is owned: what all owners are gone of goes, too; what is deleted in the
    /// foreground waits for what it owns; what is orphaned is let go. It sees the kinds in the cache.
    pub fn collect_garbage(&mut self, cache: &Cache) -> (u32, Vec<Output>) {
        let limits = LaneLimits { in_flight: 16, rate: Rate::UNLIMITED, backoff: Backoff::DEFAULT };
        self.add_lane(Duty::Garbage, limits, cache)
    }

    fn add_lane(&mut self, duty: Duty, limits: LaneLimits, cache: &Cache) -> (u32, Vec<Output>) {
        let lane = self.queue.lane(limits);
        let name = match &duty {
            Duty::Reconcile(controller) => controller.name().clone(),
            Duty::Effects(_) => EFFECTS.into(),
            Duty::Garbage => GARBAGE.into(),
        };
        // Also of kinds that are there: who shares the cache knows then that they are needed here, too.
        let needs: Vec<Need> = duty.kinds().into_iter().map(Need::kind).collect();
        for watched in cache.kinds().filter(|watched| duty.is_about(*watched)) {
            cache.each(watched, |object| {
                let metadata = object.metadata();
                if duty.concerns(metadata)
                    && let Ok(name) = name_of(watched, metadata)
                {
                    let item = self.items.add(lane, watched, name.key(), metadata.uid.clone());
                    self.queue.add(item, lane, seed_of(self.settings.seed, &name.key()));
                    self.queue.want(item, Urgency::Routine);
                }
            });
        }
        self.lanes.push(Some(Lane { name, duty }));
        (lane, if needs.is_empty() { Vec::new() } else { vec![Output::Need(needs)] })
    }

    /// Takes a controller away, also while the kernel is at work. What it has under way is finished.
    pub fn remove(&mut self, controller: u32) {
        let Some(lane) = self.lanes.get_mut(controller as usize) else { return };
        *lane = None;
        self.queue.close(controller);
        for item in self.items.of_lane(controller) {
            self.forget(item);
        }
    }

    /// Has an object looked at by all whose business it is, though nothing is known to have changed.
    pub fn wake(&mut self, object: &ObjectName) {
        let key = object.key();
        for lane in 0..self.lanes.len() as u32 {
            if let Some(item) = self.items.number(lane, &key) {
                self.queue.want(item, Urgency::Routine);
            }
        }
    }

    /// The kinds that its controllers need, whether a cache has them or not. What nobody needs can leave the cache.
    #[must_use]
    pub fn kinds(&self, cache: &Cache) -> BTreeSet<Kind> {
        let declared = self.lanes.iter().flatten().flat_map(|lane| lane.duty.kinds());
        let outstanding = self.needed.iter().map(Need::watched);
        let looked_at = cache.kinds().filter(|it| self.interests.looks_at(*it));
        declared.chain(outstanding).chain(looked_at).map(|watched| watched.kind()).collect()
    }

    /// Takes note of what happened, and says what is to be done.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Vec<Output> {
        self.mind_the_clock(now);
        match input {
            Input::Changed(changes) => {
                self.changed(changes);
                Vec::new()
            }
            Input::Arrived => {
                self.has_news = true;
                Vec::new()
            }
            Input::Reached(is_so) => {
                self.reaches = false;
                // What became unsure after it was asked takes another answer.
                self.is_unsure &= !(is_so && self.reaches_all);
                self.reaches_all = false;
                Vec::new()
            }
            Input::Done(done) => self.done(done, now),
            Input::Answered(call, answer) => self.answered(call, answer, now),
            Input::Leads(term) => {
                self.leads = term.is_some() || !self.settings.elected;
                if let Some(term) = &term {
                    self.must_see = self.must_see.max(term.since);
                }
                self.term = term;
                Vec::new()
            }
            Input::Turn(cache) => self.turn(now, cache),
        }
    }

    /// Whoever waits for a time of day looks again when the wall clock has jumped.
    fn mind_the_clock(&mut self, now: Now) {
        const MOST: u64 = 1_000_000; // what clocks are adjusted by is no jump
        let elapsed = i64::try_from(now.elapsed.as_micros()).unwrap_or(i64::MAX);
        let ahead = now.wall.unix_micros().saturating_sub(elapsed);
        if self.ahead.is_some_and(|before| before.abs_diff(ahead) > MOST) {
            self.queue.wake_waiting();
        }
        if self.ahead.is_none_or(|before| before.abs_diff(ahead) > MOST) {
            self.ahead = Some(ahead);
        }
    }

    /// When it wants a turn, if nothing happens before. Without a cache that is up to date it waits for that.
    #[must_use]
    pub fn due(&self, now: Now) -> Option<Duration> {
        if !self.leads || self.reaches {
            return None;
        }
        if self.has_news {
            return Some(now.elapsed);
        }
        if self.jobs.len() >= self.settings.in_flight {
            return None;
        }
        self.queue.due(now.elapsed).into_iter().chain(self.notes.due()).min()
    }

    /// How many objects wait to be looked at.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.queue.depth()
    }

    /// Whether it plans anything: it has been elected, or need not be.
    #[must_use]
    pub const fn leads(&self) -> bool {
        self.leads
    }

    /// How many jobs and calls are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.jobs.len()
    }

    /// Whether it waits for the cache.
    #[must_use]
    pub const fn awaits(&self) -> bool {
        self.reaches || !self.parked.is_empty()
    }

    /// How often it has looked at an object.
    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// How often there was something to look at, but as much [under way](Settings::in_flight) as may be.
    #[must_use]
    pub const fn held_back(&self) -> u64 {
        self.held_back
    }

    /// How many objects there are to look at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events were not told because there were too many.
    #[must_use]
    pub const fn events_dropped(&self) -> u64 {
        self.notes.dropped()
    }

    fn lane_name(&self, lane: u32) -> Str {
        self.lanes.get(lane as usize).and_then(Option::as_ref).map_or(Str::EMPTY, |lane| lane.name.clone())
    }

    fn trouble(&mut self, item: u32, trouble: Trouble, now: Now, outputs: &mut Vec<Output>) {
        let Some(Item { lane, watched, key, uid, .. }) = self.items.get(item) else { return };
        let Some(object) = ObjectName::of_key(watched.kind(), key) else { return };
        let (controller, uid) = (self.lane_name(*lane), uid.clone());
        if trouble.is_an_event() {
            let note = Note::warning(trouble.name(), trouble.to_string());
            self.notes.add(&Noted::of(&object, uid, note), &controller, now);
        }
        outputs.push(Output::Report(Report { controller, object, trouble }));
    }
}

fn name_of(watched: Watched, metadata: &Metadata) -> crate::Result<ObjectName> {
    ObjectName::new(watched.kind(), metadata.namespace.clone(), metadata.name.clone())
}

/// When to look again at what cannot be told yet, or to ask a store again that could not be reached.
const SOON: Duration = Duration::from_secs(1);

/// What events are written as.
const EVENTS: &str = "events";
const EFFECTS: &str = "effects";
const GARBAGE: &str = "garbage";

fn seed_of(seed: u64, key: &Key) -> u64 {
    mix(seed ^ hash_bytes(key))
}
