//! [`Kernel`]: what reconciles, without I/O: told what happened, it says what is to be done.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::backoff::{Backoff, Rate};
use super::budget::{Budget, Habit};
use super::cache::Cache;
use super::changes::{CachedObject, Changed, Changes};
use super::controller::Controller;
use super::effect::{EffectError, EffectRequest, EffectSpec};
use super::election::Term;
use super::garbage::{garbage, waits_for_what_it_owns};
use super::hash::{Place, hash_bytes, mix};
use super::interests::Interests;
use super::items::{Item, Items};
use super::notes::Notes;
use super::perform::{Done, End, Job};
use super::plan::{Expected, Note, Noted, Plan, PlanLimits, Step};
use super::queue::{Ended, LaneLimits, Queue, Urgency};
use super::reads::Need;
use super::report::{Report, Trouble};
use super::view::{Subject, View};
use super::{Now, Watched};
use crate::client::ObjectName;
use crate::kinds::Event;
use crate::object::{Kind, Metadata, Revision, Str, Uid};
use crate::store::{Expect, Key};

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

struct Lane {
    name: Str,
    duty: Duty,
}

/// What a lane's items are looked at for.
#[derive(Clone)]
enum Duty {
    /// To reconcile them.
    Reconcile(Arc<Controller>),
    /// To have their handlers called: these, or all.
    Effects(Option<BTreeSet<Str>>),
    /// To see whether anybody still owns them.
    Garbage,
}

/// A job that is under way.
struct Begun {
    work: Work,
    /// In which history of the store it was planned.
    epoch: u64,
    /// In which term.
    term: Option<Revision>,
}

/// What is under way.
enum Work {
    /// The plan of an item: its hash, and when it is to be looked at again.
    Plan { item: u32, plan: u64, again: Option<Duration> },
    /// That a handler is called is being written down.
    Intent { item: u32, request: Box<EffectRequest> },
    /// A handler's call.
    Call { item: u32, request: Box<EffectRequest> },
    /// What a handler answered is being written down.
    Answer { item: u32, is_good: bool },
    /// Events.
    Notes,
    /// Something that is gone.
    Nobody,
}

/// What a look at an object came to.
enum Look {
    /// There is nothing to do.
    Rest(Option<Duration>),
    /// There is something to do.
    Perform {
        steps: Vec<Step>,
        seen: Revision,
        /// What else must be so.
        guards: Vec<(Key, Expect)>,
        plan: u64,
        again: Option<Duration>,
    },
    /// A handler is to be called.
    Call(Box<EffectRequest>),
    /// It cannot be told before the cache has more.
    Need(Vec<Need>),
    Trouble(Trouble),
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

    /// The cache has moved.
    fn changed(&mut self, changes: &Changes) {
        if changes.reset {
            // Another history: its revisions say nothing about what was seen in this one.
            self.must_see = Revision(0);
            self.items.iter_mut().for_each(|item| item.memo.clear());
            self.epoch += 1;
            self.reaches = false;
            self.become_unsure();
        }
        if changes.is_listing {
            self.wake_garbage();
        }
        for changed in &changes.changed {
            for lane in 0..self.lanes.len() as u32 {
                // What comes with a whole listing is looked at for good measure.
                let urgency = if changes.is_listing { Urgency::Routine } else { Urgency::Fresh };
                self.changed_in(lane, changed, urgency);
            }
            self.wake_mapped(changed);
        }
        let queue = &mut self.queue;
        self.interests.woken_by(changes, |item| queue.want(item, Urgency::Fresh));
    }

    /// An object has changed, as far as a lane is concerned.
    fn changed_in(&mut self, lane: u32, changed: &Changed, urgency: Urgency) {
        let Some(Lane { duty, .. }) = &self.lanes[lane as usize] else { return };
        if !duty.is_about(changed.watched) {
            return;
        }
        let known = self.items.number(lane, &changed.key);
        let Some(new) = changed.new.as_ref().filter(|new| duty.concerns(new.metadata())) else {
            known.into_iter().for_each(|item| self.forget(item));
            return;
        };
        let uid = &new.metadata().uid;
        let same = known.filter(|item| self.items.get(*item).is_some_and(|item| item.uid == *uid));
        let item = same.unwrap_or_else(|| {
            known.into_iter().for_each(|item| self.forget(item));
            let item = self.items.add(lane, changed.watched, changed.key.clone(), uid.clone());
            self.queue.add(item, lane, seed_of(self.settings.seed, &changed.key));
            item
        });
        self.queue.want(item, urgency);
    }

    /// A kind has come: what could not be told before may be told now.
    fn wake_garbage(&mut self) {
        for lane in 0..self.lanes.len() as u32 {
            if let Some(Lane { duty: Duty::Garbage, .. }) = &self.lanes[lane as usize] {
                for item in self.items.of_lane(lane) {
                    self.queue.want(item, Urgency::Routine);
                }
            }
        }
    }

    /// Wakes what controllers narrowed by hand want to see woken.
    fn wake_mapped(&mut self, changed: &Changed) {
        for (lane, entry) in self.lanes.iter().enumerate() {
            let Some(Lane { duty: Duty::Reconcile(controller), .. }) = entry else { continue };
            for object in [&changed.old, &changed.new].into_iter().flatten() {
                let concerned = AssertUnwindSafe(|| controller.concerned(changed.watched, object.as_any()));
                let items = match catch_unwind(concerned) {
                    Ok(names) => {
                        names.iter().filter_map(|it| self.items.number(lane as u32, &it.key())).collect()
                    }
                    // It does not say whom it concerns: anybody, then.
                    Err(_) => self.items.of_lane(lane as u32),
                };
                items.into_iter().for_each(|item| self.queue.want(item, Urgency::Fresh));
            }
        }
    }

    fn forget(&mut self, item: u32) {
        self.items.remove(item);
        self.queue.remove(item);
        self.interests.remove(item);
        self.parked.retain(|(parked, _)| *parked != item);
        for Begun { work, .. } in self.jobs.values_mut() {
            if matches!(work, Work::Plan { item: of, .. } | Work::Intent { item: of, .. } | Work::Call { item: of, .. } | Work::Answer { item: of, .. } if *of == item)
            {
                *work = Work::Nobody;
            }
        }
    }

    fn turn(&mut self, now: Now, cache: &Cache) -> Vec<Output> {
        let mut outputs = Vec::new();
        if !self.leads || self.reaches {
            return outputs;
        }
        if self.is_unsure || cache.revision() < self.must_see {
            self.reaches = true;
            self.reaches_all = self.is_unsure;
            outputs.push(Output::Reach((!self.is_unsure).then_some(self.must_see)));
            return outputs;
        }
        if std::mem::take(&mut self.has_news) {
            self.unpark(cache);
        }
        if self.notes.due().is_some_and(|due| due <= now.elapsed) {
            let steps = self.notes.take(now).into_steps();
            outputs.push(self.perform(EVENTS.into(), Vec::new(), steps, Work::Notes));
        }
        for _ in 0..self.settings.per_turn {
            if self.jobs.len() >= self.settings.in_flight {
                self.held_back += u64::from(self.queue.depth() > 0);
                break;
            }
            let Some(item) = self.queue.next(now.elapsed) else { break };
            match self.look(item, now, cache, &mut outputs) {
                Look::Rest(again) => self.queue.ended(item, Ended::Well(again), now.elapsed),
                Look::Need(needs) => {
                    // What was planned meanwhile is thrown away: it was planned on half of the truth.
                    self.queue.ended(item, Ended::Well(None), now.elapsed);
                    let news: Vec<Need> =
                        needs.iter().filter(|need| !self.needed.contains(need)).cloned().collect();
                    self.needed.extend(news.iter().cloned());
                    self.parked.push((item, needs));
                    if !news.is_empty() {
                        outputs.push(Output::Need(news));
                    }
                }
                Look::Perform { steps, seen, mut guards, plan, again } => {
                    let Some(Item { lane, key, .. }) = self.items.get(item) else { continue };
                    guards.push((key.clone(), Expect::At(seen)));
                    let manager = self.lane_name(*lane);
                    outputs.push(self.perform(manager, guards, steps, Work::Plan { item, plan, again }));
                }
                Look::Call(request) => {
                    // Only who still leads gets this written, so that no one else calls.
                    let status = request.status.called();
                    let steps = Plan::new().status(&request, status).into_steps();
                    let intent =
                        self.perform(EFFECTS.into(), Vec::new(), steps, Work::Intent { item, request });
                    outputs.push(intent);
                }
                Look::Trouble(trouble) => {
                    self.trouble(item, trouble, now, &mut outputs);
                    self.queue.ended(item, Ended::Badly, now.elapsed);
                }
            }
        }
        outputs
    }

    fn begin(&mut self, id: u64, work: Work) {
        let term = self.term.as_ref().map(|term| term.since);
        self.jobs.insert(id, Begun { work, epoch: self.epoch, term });
    }

    /// Has everything looked at again for which the cache has now what was needed.
    fn unpark(&mut self, cache: &Cache) {
        self.needed.retain(|need| !cache.satisfies(need));
        for (item, needs) in std::mem::take(&mut self.parked) {
            match needs.iter().all(|need| cache.satisfies(need)) {
                true => self.queue.want(item, Urgency::Fresh),
                false => self.parked.push((item, needs)),
            }
        }
    }

    /// Says that kinds are needed that somebody looked at, though the cache has them: it may be shared.
    fn use_kinds(&mut self, presences: &[Place], cache: &Cache) -> Option<Output> {
        let news: Vec<Place> = presences.iter().copied().filter(|it| !self.used.contains(it)).collect();
        if news.is_empty() {
            return None;
        }
        let kinds = cache.kinds().filter(|watched| news.contains(&watched.atlas().presence()));
        let needs = kinds.map(Need::kind).collect();
        self.used.extend(news);
        Some(Output::Need(needs))
    }

    fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn lane_name(&self, lane: u32) -> Str {
        self.lanes.get(lane as usize).and_then(Option::as_ref).map_or(Str::EMPTY, |lane| lane.name.clone())
    }

    fn perform(&mut self, manager: Str, guards: Vec<(Key, Expect)>, steps: Vec<Step>, work: Work) -> Output {
        let id = self.next_id();
        self.begin(id, work);
        let guards = self.term.iter().map(Term::guard).chain(guards).collect();
        Output::Perform(Job { id, manager, guards, steps })
    }

    /// Looks at an object, and finds out what is to be done.
    fn look(&mut self, item: u32, now: Now, cache: &Cache, outputs: &mut Vec<Output>) -> Look {
        self.looks += 1;
        let Some(Item { lane, watched, key, memo, .. }) = self.items.get(item) else {
            return Look::Rest(None);
        };
        let Some(Lane { name, duty, .. }) = self.lanes.get(*lane as usize).and_then(Option::as_ref) else {
            return Look::Rest(None);
        };
        let Some(object) = cache.object_at(*watched, key) else { return Look::Rest(None) };
        let metadata = object.metadata();
        let subject = Subject {
            controller: name,
            uid: &metadata.uid,
            namespace: &metadata.namespace,
            name: &metadata.name,
            key,
        };
        let view = View::new(cache, now, subject, self.settings.seed, duty.narrowed());
        let mut guards = Vec::new();
        let planned = match duty {
            Duty::Reconcile(controller) => reconcile(controller, object.as_any(), &view),
            Duty::Effects(handlers) => return effect(object, handlers.as_ref()),
            Duty::Garbage if waits_for_what_it_owns(metadata) && !self.was_looked_at(*watched, key) => {
                return Look::Rest(Some(SOON));
            }
            Duty::Garbage => {
                let due = garbage(object, *watched, &view);
                guards = due.guards;
                Ok(due.plan)
            }
        };
        let plan = planned.and_then(|mut plan| {
            plan.settle(&metadata.namespace);
            plan.check(&self.settings.limits).map_err(|error| Trouble::Refused(error.to_string()))?;
            Ok(plan)
        });
        let draft = plan.map(|plan| {
            let again = [duty.resync(), plan.look_again(now)].into_iter().flatten().min();
            let notes: Vec<Noted> = plan.notes().to_vec();
            let going = metadata.is_deleting().then_some(&metadata.uid);
            (Draft::of(plan, again, memo, going, &view), notes)
        });
        let (seen, needs) = (metadata.resource_version, view.needs());
        if !needs.is_empty() {
            return Look::Need(needs);
        }
        let reporter = name.clone();
        let mut presences = Vec::new();
        view.each_presence(|presence| presences.push(presence));
        self.interests.set(item, view.into_reads());
        outputs.extend(self.use_kinds(&presences, cache));
        let Some(entry) = self.items.get_mut(item) else { return Look::Rest(None) };
        entry.was_looked_at = true;
        match draft {
            Err(trouble) => Look::Trouble(trouble),
            Ok((draft, notes)) => {
                if let Some(memo) = draft.memo {
                    entry.memo = memo;
                }
                notes.iter().for_each(|noted| self.notes.add(noted, &reporter, now));
                match draft.steps.is_empty() {
                    true => Look::Rest(draft.again),
                    false => {
                        let Draft { steps, hash: plan, again, .. } = draft;
                        Look::Perform { steps, seen, guards, plan, again }
                    }
                }
            }
        }
    }

    /// Whether every controller of an object's kind has looked at it, so that what each looks for there is
    /// in the cache: what the object owns, above all.
    fn was_looked_at(&self, watched: Watched, key: &Key) -> bool {
        (0..self.lanes.len() as u32).all(|lane| match &self.lanes[lane as usize] {
            Some(Lane { duty: Duty::Reconcile(controller), .. }) if controller.watched() == watched => {
                let item = self.items.number(lane, key).and_then(|item| self.items.get(item));
                item.is_some_and(|item| item.was_looked_at)
            }
            _ => true,
        })
    }

    /// A job has ended.
    fn done(&mut self, done: Done, now: Now) -> Vec<Output> {
        let mut outputs = Vec::new();
        let Some(Begun { work, epoch, term }) = self.jobs.remove(&done.id) else { return outputs };
        // What a job of another history saw says nothing about this one.
        let is_current = epoch == self.epoch;
        // Nobody need see events, and nothing follows from them.
        if is_current && !matches!(work, Work::Notes) {
            self.must_see = self.must_see.max(done.revision);
            match &done.end {
                End::Overtaken(Some(at)) => self.must_see = self.must_see.max(*at),
                // What is gone, and what may have been written, is known once the cache is where the store is.
                End::Overtaken(None) | End::Unknown(_) => self.become_unsure(),
                End::Deposed | End::Whole | End::Failed(_) => {}
            }
        }
        // A job of an earlier term says nothing about this one either.
        if matches!(done.end, End::Deposed) && term == self.term.as_ref().map(|term| term.since) {
            self.leads = false;
            self.term = None;
        }
        let (item, plan, again) = match work {
            Work::Plan { item, plan, again } => (item, plan, again),
            Work::Answer { item, is_good } => {
                let how = match (&done.end, is_good) {
                    (End::Whole, true) => Ended::Well(None),
                    (End::Whole, false) | (End::Failed(_), _) => Ended::Badly,
                    // It is not known to be written down: then the handler is called again.
                    (End::Overtaken(_) | End::Deposed | End::Unknown(_), _) => Ended::Overtaken,
                };
                if let End::Failed(error) = &done.end {
                    self.trouble(item, Trouble::NotMade(error.to_string()), now, &mut outputs);
                }
                self.queue.ended(item, how, now.elapsed);
                return outputs;
            }
            Work::Notes => {
                self.notes.were_written(matches!(done.end, End::Whole), now);
                return outputs;
            }
            Work::Intent { item, request } => {
                self.call(item, request, &done, now, &mut outputs);
                return outputs;
            }
            Work::Call { .. } | Work::Nobody => return outputs,
        };
        if is_current {
            self.remember(item, &done);
        }
        let how = match done.end {
            End::Whole => self.came_to_rest(item, plan, done.commits, again, now, &mut outputs),
            End::Overtaken(_) => {
                self.trouble(item, Trouble::Conflict, now, &mut outputs);
                self.overtaken(item)
            }
            End::Deposed => Ended::Overtaken,
            End::Unknown(reason) => {
                self.trouble(item, Trouble::UnknownFate(reason), now, &mut outputs);
                Ended::Overtaken
            }
            End::Failed(error) if error.is_retryable() => {
                // That is no fault of the object's: it need not wait for longer than the store does.
                self.trouble(item, Trouble::Unavailable(error.to_string()), now, &mut outputs);
                Ended::Held(SOON)
            }
            End::Failed(error) => {
                self.trouble(item, Trouble::NotMade(error.to_string()), now, &mut outputs);
                Ended::Badly
            }
        };
        self.queue.ended(item, how, now.elapsed);
        if done.commits > 0 {
            // What was made may be gone again before the cache comes so far: then no change tells of it.
            self.queue.want(item, Urgency::Fresh);
        }
        outputs
    }

    /// That a handler is called was written down, or not.
    fn call(
        &mut self,
        item: u32,
        mut request: Box<EffectRequest>,
        done: &Done,
        now: Now,
        outputs: &mut Vec<Output>,
    ) {
        let written = done.made.last().and_then(|(_, stands)| *stands);
        let how = match (&done.end, written) {
            (End::Whole, Some(revision)) if self.leads => {
                request.status = request.status.called();
                request.metadata.resource_version = revision;
                let id = self.next_id();
                let EffectSpec { handler, key, input, .. } = request.spec.clone();
                self.begin(id, Work::Call { item, request });
                outputs.push(Output::Call(Call { id, handler, key, input }));
                return;
            }
            (End::Failed(error), _) => {
                let trouble = match error.is_retryable() {
                    true => Trouble::Unavailable(error.to_string()),
                    false => Trouble::NotMade(error.to_string()),
                };
                self.trouble(item, trouble, now, outputs);
                Ended::Badly
            }
            _ => Ended::Overtaken,
        };
        self.queue.ended(item, how, now.elapsed);
    }

    /// Something may stand in the store of which nobody knows the revision.
    fn become_unsure(&mut self) {
        self.is_unsure = true;
        self.reaches_all = false;
    }

    /// Remembers what was made, so that it is not made again.
    fn remember(&mut self, item: u32, done: &Done) {
        let Some(item) = self.items.get_mut(item) else { return };
        for made in &done.made {
            match item.memo.binary_search_by_key(&made.0, |(known, _)| *known) {
                Ok(at) => item.memo[at] = *made,
                Err(at) => item.memo.insert(at, *made),
            }
        }
    }

    fn came_to_rest(
        &mut self,
        item: u32,
        plan: u64,
        commits: usize,
        again: Option<Duration>,
        now: Now,
        outputs: &mut Vec<Output>,
    ) -> Ended {
        let Some(entry) = self.items.get_mut(item) else { return Ended::Well(None) };
        entry.overtaken = 0;
        if commits == 0 {
            return Ended::Well(again);
        }
        let budget = entry.budget.get_or_insert_with(|| Box::new(Budget::new()));
        let Some((habit, wait, is_news)) = budget.spend(plan, now.elapsed) else { return Ended::Well(again) };
        if is_news {
            let trouble = match habit {
                Habit::Loops => Trouble::Loops,
                Habit::Flaps => Trouble::Flaps,
                Habit::Churns => Trouble::Churns,
            };
            self.trouble(item, trouble, now, outputs);
        }
        Ended::Held(wait)
    }

    /// Somebody else was first: it is planned again as soon as that is seen; later, if it happens again and
    /// again.
    fn overtaken(&mut self, item: u32) -> Ended {
        const OFTEN: u32 = 4;
        let Some(entry) = self.items.get_mut(item) else { return Ended::Overtaken };
        entry.overtaken += 1;
        if entry.overtaken % OFTEN == 0 { Ended::Badly } else { Ended::Overtaken }
    }

    /// A handler has answered.
    fn answered(&mut self, call: u64, answer: Result<Value, EffectError>, now: Now) -> Vec<Output> {
        let mut outputs = Vec::new();
        let Some(Begun { work: Work::Call { item, request }, .. }) = self.jobs.remove(&call) else {
            return outputs;
        };
        if !self.leads {
            // Whoever leads calls again, with the same key: only a leader writes anything down.
            self.queue.ended(item, Ended::Overtaken, now.elapsed);
            return outputs;
        }
        let is_good = answer.is_ok();
        let status = request.status.answered(request.metadata.generation, &answer);
        if !is_good {
            self.trouble(item, Trouble::EffectFailed(status.message.to_string()), now, &mut outputs);
        }
        // What was answered is written down whatever became of the object for which it was asked.
        let steps = Plan::new().status(&request, status).into_steps();
        outputs.push(self.perform(EFFECTS.into(), Vec::new(), steps, Work::Answer { item, is_good }));
        outputs
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

/// What of a plan is to be done.
struct Draft {
    steps: Vec<Step>,
    hash: u64,
    again: Option<Duration>,
    /// What need be remembered of what was applied, if that is less than was.
    memo: Option<Vec<(u64, Option<Revision>)>>,
}

impl Draft {
    /// Leaves out what was applied already and still stands.
    fn of(
        plan: Plan,
        again: Option<Duration>,
        memo: &[(u64, Option<Revision>)],
        going: Option<&Uid>,
        view: &View<'_>,
    ) -> Self {
        let (mut hash, mut kept) = (0, Vec::with_capacity(memo.len()));
        let mut steps = Vec::new();
        for mut step in plan.into_steps() {
            let mut is_done = true;
            for op in step.ops_mut() {
                let stands = view.stands(op.watched(), op.object());
                if op.expected() == Expected::Unread {
                    op.expect(stands.map_or(Expected::Absent, Expected::At));
                }
                let made = (op.hash(), stands);
                hash = mix(hash ^ made.0);
                match memo.binary_search(&made) {
                    Ok(_) => kept.push(made),
                    Err(_) if stands.is_some() => is_done = false,
                    // What is gone need not be deleted; and nothing is made for an owner that is going.
                    Err(_) => is_done &= op.is_deletion() || going.is_some_and(|owner| op.is_made_for(owner)),
                }
            }
            if !is_done {
                steps.push(step);
            }
        }
        kept.sort_unstable();
        let memo = (kept.len() < memo.len()).then_some(kept);
        Self { steps, hash, again, memo }
    }
}

/// Whether an effect's handler is to be called.
fn effect(object: &dyn CachedObject, handlers: Option<&BTreeSet<Str>>) -> Look {
    let is_ours = |request: &EffectRequest| handlers.is_none_or(|ours| ours.contains(&request.spec.handler));
    match object.as_any().downcast_ref::<EffectRequest>().filter(|request| is_ours(request)) {
        Some(request) if request.status.is_open(request.metadata.generation) => {
            Look::Call(Box::new(request.clone()))
        }
        _ => Look::Rest(None),
    }
}

/// Calls a reconciler, and takes its panic for an answer.
fn reconcile(controller: &Controller, object: &dyn Any, view: &View<'_>) -> Result<Plan, Trouble> {
    let asked = || controller.reconcile(object, view).map_err(|error| error.to_string());
    match catch_unwind(AssertUnwindSafe(asked)) {
        Ok(Ok(plan)) => Ok(plan),
        Ok(Err(error)) => Err(Trouble::Failed(error)),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(Trouble::Panicked(text.unwrap_or_else(|| "for no reason that is a text".into())))
        }
    }
}

impl Duty {
    /// The kinds that must be in the cache.
    fn kinds(&self) -> Vec<Watched> {
        match self {
            Self::Reconcile(controller) => controller.subscriptions(),
            Self::Effects(_) => vec![Watched::of::<EffectRequest>()],
            // Events go with what they are about.
            Self::Garbage => vec![Watched::of::<Event>()],
        }
    }

    /// Whether objects of a kind are looked at.
    fn is_about(&self, watched: Watched) -> bool {
        match self {
            Self::Reconcile(controller) => controller.watched() == watched,
            Self::Effects(_) => Watched::of::<EffectRequest>() == watched,
            Self::Garbage => true,
        }
    }

    /// The kinds that it does not watch as it sees them.
    fn narrowed(&self) -> &[TypeId] {
        match self {
            Self::Reconcile(controller) => controller.narrowed(),
            Self::Effects(_) | Self::Garbage => &[],
        }
    }

    /// How often it looks again for good measure.
    fn resync(&self) -> Option<Duration> {
        match self {
            Self::Reconcile(controller) => controller.resync_period(),
            Self::Effects(_) | Self::Garbage => None,
        }
    }

    /// Whether an object is looked at that looks so from outside.
    fn concerns(&self, metadata: &Metadata) -> bool {
        match self {
            Self::Reconcile(_) | Self::Effects(_) => true,
            Self::Garbage => super::garbage::concerns(metadata),
        }
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
