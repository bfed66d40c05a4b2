//! Which of the faults that were met are needed for a failure.

use super::failure::Failure;
use super::fault::Fault;
use super::injector::{Fate, Firing};
use super::simulation::Simulation;

impl Simulation {
    /// The same failure with fewer faults, as far as the runs for it reach: first whole kinds are left
    /// out, then single ones.
    pub(crate) fn shrink(&self, failure: Failure) -> Failure {
        let mut shrinking = Shrinking { of: self, runs: self.shrinking, failure };
        let all = shrinking.failure.firings.clone();
        // What was drawn, met once more as a list, must show the same; then parts of the list can.
        if all.is_empty() || !shrinking.is_enough(&all) {
            return shrinking.failure;
        }
        if !shrinking.is_enough(&[]) {
            for fault in Fault::ALL {
                shrinking.without(|firing| firing.fault == fault);
            }
            // What comes last is needed least often: the failure may have come before it.
            let mut before = usize::MAX;
            while shrinking.failure.firings.len() < before {
                before = shrinking.failure.firings.len();
                for firing in shrinking.failure.firings.clone().into_iter().rev() {
                    shrinking.without(|other| *other == firing);
                }
            }
        }
        let is_shrunk = shrinking.failure.firings.len() < all.len();
        Failure { is_shrunk, is_drawn: true, ..shrinking.failure }
    }
}

struct Shrinking<'s> {
    of: &'s Simulation,
    runs: usize,
    failure: Failure,
}

impl Shrinking<'_> {
    /// Whether these faults are enough; if so, what they show is the failure from now on.
    fn is_enough(&mut self, firings: &[Firing]) -> bool {
        if self.runs == 0 {
            return false;
        }
        self.runs -= 1;
        match self.of.once(self.failure.seed, &Fate::Listed(firings.to_vec())) {
            Err(failure) if failure.found.is_like(&self.failure.found) => {
                self.failure = Failure { runs: self.failure.runs, ..failure };
                true
            }
            _ => false,
        }
    }

    fn without(&mut self, is_left_out: impl Fn(&Firing) -> bool) {
        let rest: Vec<Firing> =
            self.failure.firings.iter().copied().filter(|firing| !is_left_out(firing)).collect();
        if rest.len() < self.failure.firings.len() {
            self.is_enough(&rest);
        }
    }
}
