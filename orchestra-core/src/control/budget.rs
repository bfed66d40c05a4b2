//! [`Budget`]: how a reconciler is found out that never comes to rest.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::{Rate, Tokens};

/// What a controller may change for the sake of one object.
///
/// A reconciler that is right comes to rest: after its changes nothing is left to change. One that plans
/// the same changes again and again, though each takes effect, undoes them itself or is undone by another;
/// one that always finds something else to change is driven by its own writes.
#[derive(Debug)]
pub(super) struct Budget {
    /// The last plans that changed something.
    recent: VecDeque<u64>,
    repeats: Tokens,
    any: Tokens,
    is_over: bool,
}

/// What is wrong with how a reconciler behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// It makes the same change again and again.
    Loops,
    /// It goes back and forth between some states.
    Flaps,
    /// It changes something else each time, without end.
    Churns,
}

impl Budget {
    /// Of plans that were made before: a rollout or a pod that restarts makes a few a minute.
    pub(super) const REPEATS: Rate = Rate::new(1.0, 16);
    /// Of any plans: the status of something great changes some times a second while it starts.
    pub(super) const ANY: Rate = Rate::new(10.0, 200);
    const RECENT: usize = 16;

    pub(super) fn new() -> Self {
        Self {
            recent: VecDeque::new(),
            repeats: Tokens::full(Self::REPEATS),
            any: Tokens::full(Self::ANY),
            is_over: false,
        }
    }

    /// Takes note of a plan that changed something. When it was one too many: what is wrong, when the next
    /// may be made, and whether that is news.
    pub(super) fn spend(&mut self, plan: u64, now: Duration) -> Option<(Habit, Duration, bool)> {
        let is_repeat = self.recent.contains(&plan);
        let repeats_itself = self.recent.back() == Some(&plan);
        if self.recent.len() == Self::RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(plan);
        let (habit, tokens, rate) = match (is_repeat, repeats_itself) {
            (true, true) => (Habit::Loops, &mut self.repeats, Self::REPEATS),
            (true, false) => (Habit::Flaps, &mut self.repeats, Self::REPEATS),
            (false, _) => (Habit::Churns, &mut self.any, Self::ANY),
        };
        if tokens.has_one(rate, now) {
            tokens.take();
            // Not over before there is some room again: to be told once is enough.
            self.is_over &= tokens.ready_at(rate, now) > now;
            return None;
        }
        let wait = tokens.ready_at(rate, now).saturating_sub(now);
        tokens.take();
        let is_news = !std::mem::replace(&mut self.is_over, true);
        Some((habit, wait, is_news))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn habits(plans: impl Iterator<Item = u64>, apart: Duration) -> Vec<Habit> {
        let mut budget = Budget::new();
        let mut now = Duration::ZERO;
        let mut found = Vec::new();
        for plan in plans {
            now += apart;
            if let Some((habit, wait, is_news)) = budget.spend(plan, now) {
                now += wait;
                found.extend(is_news.then_some(habit));
            }
        }
        found
    }

    #[test]
    fn what_never_rests_is_found_once_and_slowed_down() {
        let soon = Duration::from_millis(1);
        assert_eq!(habits((0..500).map(|_| 1), soon), [Habit::Loops]);
        assert_eq!(habits((0..500).map(|at| at % 2), soon), [Habit::Flaps]);
        assert_eq!(habits(0..5000, soon), [Habit::Churns]);
    }

    #[test]
    fn what_rests_in_between_is_let_be() {
        assert_eq!(habits((0..500).map(|at| at % 2), Duration::from_secs(2)), []);
        assert_eq!(habits(0..500, Duration::from_millis(200)), []);
        assert_eq!(habits(0..150, Duration::from_millis(1)), []);
    }
}
