//! [`Plan`]: what a reconciler wants to be done, as data.
//!
//! A plan is a list of [`Step`]s. They are made in order, each in a transaction of its own, and each is
//! planned on what the reconciler saw: where the world has moved on, the rest is not made, and the
//! reconciler is asked again. So a plan may stop after any of its steps, and every reconciler must be
//! right when it is asked to go on from there; [`Plan::atomic`] is for the few steps that must not be
//! torn apart.
//!
//! ```
//! use std::time::Duration;
//! use orchestra_core::control::{Note, Plan};
//! use orchestra_core::kinds::{Deployment, Pod};
//!
//! let pod = Pod::new("old").namespace("default").build()?;
//! let plan = Plan::new()
//!     .ensure(Deployment::new("web").namespace("default").replicas(3))
//!     .delete(&pod)
//!     .event(&pod, Note::normal("Replaced", "a Deployment does it now"))
//!     .after(Duration::from_secs(5));
//! assert_eq!(plan.to_string(), r#"
//! 1. + Deployment default/web             ensure
//!        spec.replicas: 3
//! 2. - Pod default/old                    delete
//!    ! Normal Replaced "a Deployment does it now" (Pod default/old)
//!    look again in 5s
//! "#.trim_start());
//! # Ok::<_, orchestra_core::Error>(())
//! ```

mod build;
mod check;
mod diff;
mod ensure;
mod error;
mod hash;
mod note;
mod op;
#[cfg(test)]
mod tests;

use std::slice;
use std::time::Duration;

use super::Now;
use crate::object::MicroTime;

pub use check::PlanLimits;
pub use ensure::Ensure;
pub use error::{Contradiction, PlanError};
pub use note::{Note, Noted};
pub use op::{Act, Expected, Op};

/// How many changes a plan keeps. What is added beyond it is only counted, so that a reconciler that
/// runs wild costs no memory; [`Plan::check`] refuses such a plan. Ten thousand is more than a
/// reconciler should want of one look (a Job of ten thousand pods is made in several), and at a few
/// hundred bytes to a kilobyte each not more than ten megabytes.
pub const MOST_CHANGES: usize = 10_000;

/// How many events a plan keeps; what is added beyond it is only counted. People read them: a hundred
/// about one look at one object are too many already.
pub const MOST_NOTES: usize = 100;

/// What is to be done: steps in order, what there is to tell, and when to look again.
///
/// What goes wrong while it is built (a field set to what it cannot be, an object without a name) is
/// kept, and told by [`check`](Self::check): a plan that is not right is not begun.
///
/// `Display` shows it as a difference that a person can read. `Debug` does not show any values, which
/// may be secret.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "a plan does nothing until it is returned"]
pub struct Plan {
    steps: Vec<Step>,
    notes: Vec<Noted>,
    after: Option<Duration>,
    at: Option<MicroTime>,
    /// The first thing that went wrong.
    wrong: Option<Box<PlanError>>,
    /// How many changes there are, those included that are not kept.
    changes: usize,
    /// How many events are not kept.
    notes_left_out: usize,
}

/// What is done in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Step(Ops);

#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // nearly all steps have one, and need no list
enum Ops {
    One(Op),
    Atomic(Vec<Op>),
}

impl Step {
    /// The changes that are made, all or none.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        match &self.0 {
            Ops::One(op) => slice::from_ref(op),
            Ops::Atomic(ops) => ops,
        }
    }

    /// Whether it is several changes that must not be torn apart.
    #[must_use]
    pub const fn is_atomic(&self) -> bool {
        matches!(self.0, Ops::Atomic(_))
    }

    pub(super) fn ops_mut(&mut self) -> &mut [Op] {
        match &mut self.0 {
            Ops::One(op) => slice::from_mut(op),
            Ops::Atomic(ops) => ops,
        }
    }
}

impl Plan {
    /// Nothing is to be done.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks again after so long a time, though nothing happens. Of several, the earliest counts; a tenth of a second
    /// is the least.
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = Some(self.after.map_or(wait, |before| before.min(wait)));
        self
    }

    /// Looks again at a point in time, though nothing happens. Of several, the earliest counts.
    pub fn at(mut self, time: impl Into<MicroTime>) -> Self {
        let time = time.into();
        self.at = Some(self.at.map_or(time, |before| before.min(time)));
        self
    }

    /// The steps of a plan as one transaction: all of them take effect, or none. Its events and times
    /// are added to mine. It cannot change one object twice, and a store takes
    /// [so many](crate::store::Limits::operations) changes at once and no more.
    pub fn atomic(mut self, mut plan: Self) -> Self {
        let steps = std::mem::take(&mut plan.steps);
        let kept: usize = steps.iter().map(|step| step.ops().len()).sum();
        self.changes = self.changes.saturating_add(plan.changes.saturating_sub(kept));
        plan.changes = 0;
        let mut ops = Vec::with_capacity(kept.min(MOST_CHANGES));
        for step in steps {
            match step.0 {
                Ops::One(op) => ops.push(op),
                Ops::Atomic(more) => ops.extend(more),
            }
        }
        if !ops.is_empty() {
            self.push_step(Step(Ops::Atomic(ops)));
        }
        self.and(plan)
    }

    /// What another plan wants, after what I want.
    pub fn and(mut self, plan: Self) -> Self {
        let kept: usize = plan.steps.iter().map(|step| step.ops().len()).sum();
        self.changes = self.changes.saturating_add(plan.changes.saturating_sub(kept));
        for step in plan.steps {
            self.push_step(step);
        }
        self.notes_left_out = self.notes_left_out.saturating_add(plan.notes_left_out);
        for noted in plan.notes {
            self.push_note(noted);
        }
        if let Some(wrong) = plan.wrong {
            self.wrong.get_or_insert(wrong);
        }
        if let Some(wait) = plan.after {
            self = self.after(wait);
        }
        match plan.at {
            Some(time) => self.at(time),
            None => self,
        }
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps, taken out.
    #[must_use]
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// What there is to tell about objects.
    #[must_use]
    pub fn notes(&self) -> &[Noted] {
        &self.notes
    }

    /// How many events there were beyond those that are kept.
    #[must_use]
    pub const fn notes_left_out(&self) -> usize {
        self.notes_left_out
    }

    /// How many changes it has, those included that were too many to be kept.
    #[must_use]
    pub const fn changes(&self) -> usize {
        self.changes
    }

    /// Whether nothing is to be changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes == 0
    }

    /// In how long a time to look again, though nothing happens.
    #[must_use]
    pub fn look_again(&self, now: Now) -> Option<Duration> {
        let until = |at: MicroTime| {
            let micros = at.unix_micros().saturating_sub(now.wall.unix_micros());
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        };
        [self.after, self.at.map(until)].into_iter().flatten().min()
    }

    pub(super) const fn times(&self) -> (Option<Duration>, Option<MicroTime>) {
        (self.after, self.at)
    }

    pub(super) fn wrong(&self) -> Option<&PlanError> {
        self.wrong.as_deref()
    }

    fn push_step(&mut self, step: Step) {
        let more = step.ops().len();
        self.changes = self.changes.saturating_add(more);
        if self.changes <= MOST_CHANGES {
            self.steps.push(step);
        }
    }

    /// And one more change.
    pub(super) fn with_op(mut self, op: Op) -> Self {
        self.push(op);
        self
    }

    fn push(&mut self, op: Op) {
        self.push_step(Step(Ops::One(op)));
    }

    fn push_note(&mut self, noted: Noted) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(noted);
        } else {
            self.notes_left_out = self.notes_left_out.saturating_add(1);
        }
    }

    fn refuse(&mut self, error: PlanError) {
        self.wrong.get_or_insert_with(|| Box::new(error));
    }
}
