//! Whose turn it is, and what is decided; and who is asked again when something has changed.

use std::time::Duration;

use orchestra_core::control::{Desk, Now};
use orchestra_core::object::Str;
use orchestra_core::store::Key;

use super::Algorithms;
use super::gangs::TRIED_AT_ONCE;
use super::pods::{At, Held};
use super::sabotage::Sabotage;
use super::work::Work;
use crate::contain::contained;
use crate::decide::Decision;
use crate::fair::FairTicket;
use crate::preempt::{Eviction, Preempt};
use crate::profile::Profile;
use crate::set::NodeId;
use crate::view::PodView;

/// How many classes of those that fit nowhere are asked about in a turn.
const ASKED_AT_ONCE: usize = 16;
/// How often it is asked at most whether others can be driven out for those who fit nowhere. Each time costs a look at
/// all nodes, and for so long the more important may wait.
pub(super) const FORCED_EVERY: Duration = Duration::from_secs(1);

impl Work {
    /// Decides about those whose turn it is, gangs and pods alone, in order.
    pub(super) fn decide_some(&mut self, now: Now, desk: &Desk<'_>, algorithms: &mut Algorithms) {
        self.line_up_gangs(now);
        let (mut batches, mut taken, mut gangs) = (Vec::new(), 0, 0);
        while self.decided.len() + batches.len() < self.settings.ahead {
            if taken == self.settings.per_turn || gangs == TRIED_AT_ONCE {
                self.is_busy = true;
                break;
            }
            if let Some(gang) = self.gang_in_turn(now) {
                gangs += 1;
                self.try_gang(now, &gang, desk, &mut *algorithms.preempt);
                continue;
            }
            let Some((ticket, view)) = self.next(now) else { break };
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
                self.assume(view, node);
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

    /// Takes a pod to be on a node, with the devices that its profile chooses.
    pub(super) fn assume(&mut self, view: &PodView, node: NodeId) {
        match self.deciders.get(view.profile()) {
            Some(decider) => decider.assume(&mut self.cluster, view, node),
            None => self.cluster.assume(view, node),
        }
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
            true => self.ask_who_has_to_go(&profile, view, preempt),
            false => Ok(None),
        };
        match eviction {
            Ok(Some(eviction)) => self.nominate(now, key, ticket, view, &eviction),
            Ok(None) => self.queue.block(ticket),
            Err(why) => {
                if let Some(waiting) = self.pods.get_mut(key) {
                    waiting.trouble = Some(why);
                }
                self.queue.block(ticket);
            }
        }
    }

    /// Whether something has changed by which others might be driven out for those who fit nowhere.
    pub(super) fn may_force(&self) -> bool {
        self.stirred != self.forced_for && !self.queue.is_empty()
    }

    /// Who has to go for a pod, if that is of use: whoever says so is believed only what is so.
    pub(super) fn ask_who_has_to_go(
        &mut self,
        profile: &Profile,
        view: &PodView,
        preempt: &mut dyn Preempt,
    ) -> Result<Option<Eviction>, String> {
        let name = preempt.name();
        let said = contained(|| preempt.preempt(profile, &mut self.cluster, view)).map_err(|why| {
            preempt.forget();
            format!("{name} panicked: {why}")
        })?;
        let Some(eviction) = said.filter(|it| !it.victims.is_empty()) else { return Ok(None) };
        match eviction.is_of_use(profile, &mut self.cluster, view) {
            Ok(()) => Ok(Some(eviction)),
            Err(why) => Err(format!("{name} would drive out {} pods: {why}", eviction.victims.len())),
        }
    }

    /// Asks for a few of those who fit nowhere whether that is still so, if it may not be.
    pub(super) fn ask_the_blocked(&mut self, now: Now) {
        if self.is_sabotaged(Sabotage::NeverWoken) {
            self.flushed = now.elapsed;
            (self.forced, self.forced_for) = (now.elapsed, self.stirred);
            return;
        }
        if self.to_ask.is_empty() {
            let is_flush = now.elapsed >= self.flushed.saturating_add(self.settings.flush);
            let is_forcing = self.may_force() && now.elapsed >= self.forced + FORCED_EVERY;
            if self.asked == self.stirred && !is_flush && !is_forcing {
                return;
            }
            self.asked = self.stirred;
            self.is_flushing = is_flush;
            if is_flush {
                self.flushed = now.elapsed;
                self.retry_everywhere();
                self.gangs.try_all(now);
            }
            self.is_forcing = is_forcing;
            if is_forcing {
                (self.forced, self.forced_for) = (now.elapsed, self.stirred);
            }
            let blocked = self.queue.blocked().map(|(class, view)| (class, view.clone()));
            let mut blocked: Vec<_> = blocked.collect();
            // The most important first: what has come free is theirs.
            blocked.sort_by_key(|(class, view)| (std::cmp::Reverse(view.priority()), *class));
            self.to_ask = blocked.into();
        }
        for _ in 0..ASKED_AT_ONCE {
            let Some((class, view)) = self.to_ask.pop_front() else { return };
            let is_worth_it = self.is_flushing
                || self.is_forcing && self.is_more_important_than_some(&view)
                || matches!(self.decide(&view), Decision::Place { .. });
            if is_worth_it {
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
