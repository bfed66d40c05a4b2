//! Whose turn it is, and what is decided; and who is asked again when something has changed.

use orchestra_core::control::Now;
use orchestra_core::object::Str;
use orchestra_core::store::Key;

use super::sabotage::Sabotage;
use super::work::Work;
use crate::decide::Decision;
use crate::preempt::Preempt;
use crate::queue::Ticket;
use crate::set::NodeId;
use crate::view::PodView;

/// How many classes of those that fit nowhere are asked about in a turn.
const ASKED_AT_ONCE: usize = 16;

impl Work {
    /// Decides about those whose turn it is.
    pub(super) fn decide_some(&mut self, now: Now, preempt: &mut dyn Preempt) {
        for _ in 0..self.settings.per_turn {
            if self.decided.len() >= self.settings.ahead {
                return; // What is answered goes on with it.
            }
            let Some((ticket, view)) = self.queue.pop(now.elapsed) else { return };
            let view = view.clone();
            let Some(key) = self.tickets.get(&ticket).cloned() else {
                self.queue.remove(ticket);
                continue;
            };
            match self.decide(&view) {
                Decision::Place { node, .. } => {
                    self.assume(&view, node);
                    self.was_decided(&key, node);
                }
                Decision::NoFit => self.fits_nowhere(now, &key, ticket, &view, preempt),
                Decision::Gated => self.queue.block(ticket),
            }
        }
        self.is_busy = true;
    }

    pub(super) fn decide(&mut self, view: &PodView) -> Decision {
        match self.deciders.get_mut(view.profile()) {
            Some(decider) => decider.decide(&self.cluster, view),
            None => Decision::NoFit,
        }
    }

    /// Takes a pod to be on a node, with the devices that its profile chooses.
    pub(super) fn assume(&mut self, view: &PodView, node: NodeId) {
        match self.deciders.get(view.profile()) {
            Some(decider) => decider.assume(&mut self.cluster, view, node),
            None => self.cluster.assume(view, node),
        }
    }

    fn fits_nowhere(
        &mut self,
        now: Now,
        key: &Key,
        ticket: Ticket,
        view: &PodView,
        preempt: &mut dyn Preempt,
    ) {
        let Some(profile) = self.deciders.get(view.profile()).map(|decider| decider.profile().clone()) else {
            return self.queue.block(ticket);
        };
        let eviction = match self.is_more_important_than_some(view) {
            true => preempt.preempt(&profile, &mut self.cluster, view),
            false => None,
        };
        match eviction {
            Some(eviction) => self.nominate(now, key, ticket, view, &eviction),
            None => self.queue.block(ticket),
        }
        self.tell_later(key);
    }

    /// Asks for a few of those who fit nowhere whether that is still so, if it may not be.
    pub(super) fn ask_the_blocked(&mut self, now: Now) {
        if self.is_sabotaged(Sabotage::NeverWoken) {
            self.flushed = now.elapsed;
            return;
        }
        if self.to_ask.is_empty() {
            let is_flush = now.elapsed >= self.flushed + self.settings.flush;
            if self.asked == self.stirred && !is_flush {
                return;
            }
            self.asked = self.stirred;
            self.is_flushing = is_flush;
            if is_flush {
                self.flushed = now.elapsed;
                self.retry_everywhere();
            }
            self.gangs.try_all(now);
            let blocked = self.queue.blocked().map(|(class, view)| (class, view.clone()));
            self.to_ask = blocked.collect();
        }
        for _ in 0..ASKED_AT_ONCE {
            let Some((class, view)) = self.to_ask.pop_front() else { return };
            if self.is_flushing || matches!(self.decide(&view), Decision::Place { .. }) {
                self.queue.wake(class);
                self.is_busy = true;
            }
        }
        self.is_busy = true;
    }

    /// Why a pod waits, in a line.
    pub(super) fn reason(&mut self, view: &PodView) -> Str {
        match self.deciders.get_mut(view.profile()) {
            Some(decider) => decider.explain(&self.cluster, view).summary().into(),
            None => Str::EMPTY,
        }
    }
}
