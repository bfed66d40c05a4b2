//! Whose turn it is, and what is decided; and who is asked again when something has changed.

use orchestra_core::control::Now;
use orchestra_core::object::Str;
use orchestra_core::store::Key;

use super::Algorithms;
use super::pods::{At, Held};
use super::sabotage::Sabotage;
use super::work::Work;
use crate::decide::Decision;
use crate::fair::FairTicket;
use crate::preempt::Preempt;
use crate::view::PodView;

/// How many classes of those that fit nowhere are asked about in a turn.
const ASKED_AT_ONCE: usize = 16;

impl Work {
    /// Decides about those whose turn it is.
    pub(super) fn decide_some(&mut self, now: Now, algorithms: &mut Algorithms) {
        let mut batches = Vec::new();
        let mut taken = 0;
        let mut is_done = false;
        while !is_done && taken < self.settings.per_turn {
            if self.decided.len() + batches.len() >= self.settings.ahead {
                break; // What is answered goes on with it.
            }
            let Some((ticket, view)) = self.next(now) else {
                is_done = true;
                continue;
            };
            taken += 1;
            let Some(key) = self.tickets.get(&ticket).cloned() else {
                self.queue.remove(&ticket);
                continue;
            };
            if let Some(why) = view.is_too_late(now.wall.into()) {
                self.is_too_late(&key, why);
            } else if algorithms.placers.contains_key(view.profile()) {
                batches.push((key, ticket, view));
            } else {
                self.decide_about(now, &key, &ticket, &view, &mut *algorithms.preempt);
            }
        }
        self.is_busy |= taken == self.settings.per_turn;
        self.place_batches(now, batches, algorithms);
    }

    fn decide_about(
        &mut self,
        now: Now,
        key: &Key,
        ticket: &FairTicket,
        view: &PodView,
        preempt: &mut dyn Preempt,
    ) {
        match self.decide(view) {
            Decision::Place { node, .. } => {
                self.cluster.assume(view, node);
                self.was_decided(key, node);
            }
            Decision::NoFit => self.fits_nowhere(now, key, ticket, view, preempt),
            Decision::Gated => self.queue.block(ticket),
        }
    }

    /// What a queue may not have fits nowhere.
    pub(super) fn decide(&mut self, view: &PodView) -> Decision {
        if self.over_quota(view).is_some() {
            return Decision::NoFit;
        }
        match self.deciders.get_mut(view.profile()) {
            Some(decider) => decider.decide(&self.cluster, view),
            None => Decision::NoFit,
        }
    }

    /// It is of no use any more to start a pod: nobody makes room for it, and it keeps nobody waiting.
    pub(super) fn is_too_late(&mut self, key: &Key, why: String) {
        self.withdraw(key);
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.at = At::Held(Held { reason: "DeadlineMissed", why: why.into() });
        }
        self.tell_later(key);
    }

    pub(super) fn fits_nowhere(
        &mut self,
        now: Now,
        key: &Key,
        ticket: &FairTicket,
        view: &PodView,
        preempt: &mut dyn Preempt,
    ) {
        self.tell_later(key);
        let Some(profile) = self.deciders.get(view.profile()).map(|decider| decider.profile().clone()) else {
            return self.queue.block(ticket);
        };
        // What others have to go for must be of use.
        let may_preempt = self.is_more_important_than_some(view) && self.over_quota(view).is_none();
        let eviction = match may_preempt {
            true => preempt.preempt(&profile, &mut self.cluster, view),
            false => None,
        };
        match eviction {
            Some(eviction) => self.nominate(now, key, ticket, view, &eviction),
            None => self.queue.block(ticket),
        }
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
        if let Some(why) = self.over_quota(view) {
            return why.into();
        }
        match self.deciders.get_mut(view.profile()) {
            Some(decider) => decider.explain(&self.cluster, view).summary().into(),
            None => Str::EMPTY,
        }
    }
}
