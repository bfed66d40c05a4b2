//! What a kernel has under way, and what becomes of it.

use std::time::Duration;

use super::{Kernel, Output, SOON};
use crate::control::Now;
use crate::control::budget::{Budget, Habit};
use crate::control::effect::EffectRequest;
use crate::control::election::Term;
use crate::control::perform::{Done, End, Job};
use crate::control::plan::Step;
use crate::control::queue::{Ended, Urgency};
use crate::control::report::Trouble;
use crate::object::{Revision, Str};
use crate::store::{Expect, Key};

/// A job that is under way.
pub(super) struct Begun {
    pub(super) work: Work,
    /// In which history of the store it was planned.
    pub(super) epoch: u64,
    /// In which term.
    pub(super) term: Option<Revision>,
}

/// What is under way.
pub(super) enum Work {
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

impl Kernel {
    pub(super) fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn begin(&mut self, id: u64, work: Work) {
        let term = self.term.as_ref().map(|term| term.since);
        self.jobs.insert(id, Begun { work, epoch: self.epoch, term });
    }

    pub(super) fn perform(
        &mut self,
        manager: Str,
        guards: Vec<(Key, Expect)>,
        steps: Vec<Step>,
        work: Work,
    ) -> Output {
        let id = self.next_id();
        self.begin(id, work);
        let guards = self.term.iter().map(Term::guard).chain(guards).collect();
        Output::Perform(Job { id, manager, guards, steps })
    }

    /// A job has ended.
    pub(super) fn done(&mut self, done: Done, now: Now) -> Vec<Output> {
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

    /// Something may stand in the store of which nobody knows the revision.
    pub(super) fn become_unsure(&mut self) {
        self.is_unsure = true;
        self.reaches_all = false;
    }

    /// Remembers what was made, so that it is not made again.
    pub(super) fn remember(&mut self, item: u32, done: &Done) {
        let Some(item) = self.items.get_mut(item) else { return };
        done.made.iter().for_each(|made| item.memory.note(*made));
    }

    pub(super) fn came_to_rest(
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
    pub(super) fn overtaken(&mut self, item: u32) -> Ended {
        const OFTEN: u32 = 4;
        let Some(entry) = self.items.get_mut(item) else { return Ended::Overtaken };
        entry.overtaken += 1;
        if entry.overtaken % OFTEN == 0 { Ended::Badly } else { Ended::Overtaken }
    }
}
