//! A kernel's turn: it looks at objects, and finds out what is to be done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::draft::Draft;
use super::duty::{Duty, Lane};
use super::jobs::Work;
use super::{EFFECTS, EVENTS, Kernel, Output, SOON, effects};
use crate::control::cache::Cache;
use crate::control::controller::Controller;
use crate::control::effect::EffectRequest;
use crate::control::garbage::{garbage, waits_for_what_it_owns};
use crate::control::hash::Place;
use crate::control::items::Item;
use crate::control::plan::{Noted, Plan, Step};
use crate::control::queue::{Ended, Urgency};
use crate::control::reads::Need;
use crate::control::report::Trouble;
use crate::control::view::{Subject, View};
use crate::control::{Now, Watched};
use crate::object::Revision;
use crate::store::{Expect, Key};

/// What a look at an object came to.
pub(super) enum Look {
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

/// How soon an object is looked at again at the earliest for which nothing happens, whatever its plan says: what asks
/// to be looked at at once, or at a time that is over, would be looked at for ever.
pub(crate) const LEAST_WAIT: Duration = Duration::from_millis(100);

impl Kernel {
    pub(super) fn turn(&mut self, now: Now, cache: &Cache) -> Vec<Output> {
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

    /// Looks at an object, and finds out what is to be done.
    pub(super) fn look(&mut self, item: u32, now: Now, cache: &Cache, outputs: &mut Vec<Output>) -> Look {
        self.looks += 1;
        let (mut noted, mut made) = std::mem::take(&mut self.scratch);
        noted.clear();
        let Some(Item { lane, watched, key, slot, memory, .. }) = self.items.get(item) else {
            return Look::Rest(None);
        };
        let Some(Lane { name, duty, .. }) = self.lanes.get(*lane as usize).and_then(Option::as_ref) else {
            return Look::Rest(None);
        };
        let Some((slot, object)) = cache.object_near(*watched, key, *slot) else { return Look::Rest(None) };
        let metadata = object.metadata();
        let subject = Subject {
            controller: name,
            uid: &metadata.uid,
            namespace: &metadata.namespace,
            name: &metadata.name,
            key,
        };
        let view = View::new(cache, now, subject, self.settings.seed, duty.narrowed()).noting(noted);
        let mut guards = Vec::new();
        let planned = match duty {
            Duty::Reconcile(controller) => reconcile(controller, object.as_any(), &view),
            Duty::Effects(handlers) => return effects::effect(object, handlers.as_ref()),
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
            let again = again.map(|wait| wait.max(LEAST_WAIT));
            let notes: Vec<Noted> = plan.notes().to_vec();
            let going = metadata.is_deleting().then_some(&metadata.uid);
            (Draft::of(plan, again, memory, going, &view, &mut made), notes)
        });
        let (seen, needs) = (metadata.resource_version, view.needs());
        if !needs.is_empty() {
            return Look::Need(needs);
        }
        let reporter = name.clone();
        let mut noted = view.into_notes();
        outputs.extend(self.use_kinds(noted.presences(), cache));
        let Some(entry) = self.items.get_mut(item) else { return Look::Rest(None) };
        entry.was_looked_at = true;
        entry.slot = slot;
        let digest = noted.digest();
        if digest.is_none() || entry.reads != digest {
            entry.reads = digest;
            self.interests.set(item, noted.take());
        }
        self.scratch = (noted, made);
        match draft {
            Err(trouble) => Look::Trouble(trouble),
            Ok((draft, notes)) => {
                (entry.memory.rest, entry.memory.target) = (draft.rest, draft.target);
                if let Some(memo) = draft.memo {
                    entry.memory.memo = memo;
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
    pub(super) fn was_looked_at(&self, watched: Watched, key: &Key) -> bool {
        (0..self.lanes.len() as u32).all(|lane| match &self.lanes[lane as usize] {
            Some(Lane { duty: Duty::Reconcile(controller), .. }) if controller.watched() == watched => {
                let item = self.items.number(lane, key).and_then(|item| self.items.get(item));
                item.is_some_and(|item| item.was_looked_at)
            }
            _ => true,
        })
    }

    /// Has everything looked at again for which the cache has now what was needed.
    pub(super) fn unpark(&mut self, cache: &Cache) {
        self.needed.retain(|need| !cache.satisfies(need));
        for (item, needs) in std::mem::take(&mut self.parked) {
            match needs.iter().all(|need| cache.satisfies(need)) {
                true => self.queue.want(item, Urgency::Fresh),
                false => self.parked.push((item, needs)),
            }
        }
    }

    /// Says that kinds are needed that somebody looked at, though the cache has them: it may be shared.
    pub(super) fn use_kinds(&mut self, presences: &[Place], cache: &Cache) -> Option<Output> {
        let news: Vec<Place> = presences.iter().copied().filter(|it| !self.used.contains(it)).collect();
        if news.is_empty() {
            return None;
        }
        let kinds = cache.kinds().filter(|watched| news.contains(&watched.atlas().presence()));
        let needs = kinds.map(Need::kind).collect();
        self.used.extend(news);
        Some(Output::Need(needs))
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
