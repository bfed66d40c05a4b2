//! [`Draft`]: what of a plan is left to be done.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::control::hash::mix;
use crate::control::items::{Made, Memory};
use crate::control::plan::{Expected, Plan, Step};
use crate::control::table::NOWHERE;
use crate::control::view::View;
use crate::object::Uid;

/// What of a plan is to be done.
pub(super) struct Draft {
    pub(super) steps: Vec<Step>,
    pub(super) hash: u64,
    pub(super) again: Option<Duration>,
    /// What need be remembered of what was applied, if that is less than was.
    pub(super) memo: Option<Vec<Made>>,
    /// The whole plan as a number, if all of it is so already.
    pub(super) rest: Option<NonZeroU64>,
    /// Where the first object stands that it is about.
    pub(super) target: u32,
}

impl Draft {
    /// Leaves out what was applied already and still stands. `made` is memory to be used again.
    pub(super) fn of(
        plan: Plan,
        again: Option<Duration>,
        memory: &Memory,
        going: Option<&Uid>,
        view: &View<'_>,
        made: &mut Vec<Made>,
    ) -> Self {
        made.clear();
        let mut all = plan.into_steps();
        let (mut hash, mut standing, mut target) = (0, 0, memory.target);
        for op in all.iter_mut().flat_map(Step::ops_mut) {
            let mut anywhere = NOWHERE;
            let near = if made.is_empty() { &mut target } else { &mut anywhere };
            let stands = view.stands_near(op.watched(), op.object(), near);
            if op.expected() == Expected::Unread {
                op.expect(stands.map_or(Expected::Absent, Expected::At));
            }
            let op = op.hash();
            hash = mix(hash ^ op);
            standing = mix(standing ^ stands.map_or(0, |revision| revision.0.wrapping_add(1)));
            made.push((op, stands));
        }
        let rest = NonZeroU64::new(mix(hash ^ mix(standing)));
        if rest.is_some() && rest == memory.rest {
            return Self { steps: Vec::new(), hash, again, memo: None, rest, target };
        }

        let memo = &memory.memo;
        let (mut steps, mut kept, mut is_so) = (Vec::new(), Vec::with_capacity(memo.len()), true);
        let mut next = made.iter();
        for step in all {
            let mut is_done = true;
            for (op, made) in step.ops().iter().zip(&mut next) {
                match memo.binary_search(made) {
                    Ok(_) => {
                        kept.push(*made);
                        continue;
                    }
                    Err(_) if made.1.is_some() => is_done = false,
                    // What is gone need not be deleted; and nothing is made for an owner that is going.
                    Err(_) => is_done &= op.is_deletion() || going.is_some_and(|owner| op.is_made_for(owner)),
                }
                is_so = false;
            }
            if !is_done {
                steps.push(step);
            }
        }
        kept.sort_unstable();
        let memo = (kept.len() < memo.len()).then_some(kept);
        Self { steps, hash, again, memo, rest: rest.filter(|_| is_so), target }
    }
}
