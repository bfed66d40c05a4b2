//! [`Draft`]: what of a plan is left to be done.

use std::time::Duration;

use crate::control::hash::mix;
use crate::control::plan::{Expected, Plan, Step};
use crate::control::view::View;
use crate::object::{Revision, Uid};

/// What of a plan is to be done.
pub(super) struct Draft {
    pub(super) steps: Vec<Step>,
    pub(super) hash: u64,
    pub(super) again: Option<Duration>,
    /// What need be remembered of what was applied, if that is less than was.
    pub(super) memo: Option<Vec<(u64, Option<Revision>)>>,
}

impl Draft {
    /// Leaves out what was applied already and still stands.
    pub(super) fn of(
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
