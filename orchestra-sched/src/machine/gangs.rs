//! [`Gangs`]: pods that are bound together or not at all: in one transaction, where the store takes as much.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestra_core::control::{Answer, Desk, Now};
use orchestra_core::kinds::{Pod, PodGroup};
use orchestra_core::object::Str;
use orchestra_core::store::Key;

use super::pods::{At, Decided};
use super::provisional;
use super::see::group_of;
use super::work::Work;
use crate::decide::Decision;
use crate::gang::{Together, all_or_none};

/// A gang: its namespace and name.
pub(super) type Name = (Str, Str);

/// All gangs of which anything is known.
#[derive(Debug, Default)]
pub(super) struct Gangs {
    pub(super) gangs: BTreeMap<Name, Gang>,
    /// Which are to be tried, and when.
    to_try: BTreeSet<(Duration, Name)>,
    /// Those that have been decided about, and wait for the nodes to come free that others are being bound to.
    ready: Vec<Name>,
    /// Of which what is observed may have changed.
    pub(super) to_tell: BTreeSet<(Duration, Name)>,
}

#[derive(Debug, Default)]
pub(super) struct Gang {
    /// How many must have a place; unknown while there is no such group.
    pub(super) least: Option<usize>,
    waiting: BTreeSet<Key>,
    pub(super) placed: BTreeSet<Key>,
    /// When it is to be tried, if it is.
    due: Option<Duration>,
    /// Who of it is to be bound together.
    together: Vec<Key>,
    /// Why it waits.
    pub(super) reason: Str,
    /// Whether enough of it had their places at one time, and its PodGroup says so.
    pub(super) is_admitted: bool,
    /// Whether it had too few places for too long: what is bound of it is undone.
    pub(super) has_timed_out: bool,
    /// How long it may have too few.
    pub(super) timeout: Duration,
    /// Since when it has.
    pub(super) since: Option<Duration>,
    /// How often it was undone, and until when it is not tried again.
    pub(super) undone: u32,
    pub(super) not_before: Duration,
}

/// How many gangs are tried in a turn.
const TRIED_AT_ONCE: usize = 8;
/// When what failed is tried again.
const SOON: Duration = Duration::from_secs(1);

impl Gang {
    /// Whether its members wait for each other. One that has been admitted is a gang no more until none of it is
    /// left: who comes later comes alone.
    pub(super) fn is_held(&self) -> bool {
        let is_short = self.least.is_none_or(|least| self.placed.len() < least);
        is_short && (!self.is_admitted || self.placed.is_empty())
    }
}

impl Gangs {
    pub(super) fn due(&self) -> Option<Duration> {
        let first = |all: &BTreeSet<(Duration, Name)>| all.first().map(|(at, _)| *at);
        first(&self.to_try).into_iter().chain(first(&self.to_tell)).min()
    }

    /// Whether members wait for each other: there is no such group, or too few of it have a place.
    pub(super) fn is_held(&self, namespace: &Str, group: &Str) -> bool {
        self.gangs.get(&(namespace.clone(), group.clone())).is_none_or(Gang::is_held)
    }

    /// Whether some gang waits for nodes: what others are bound to comes free then.
    pub(super) fn waits_for_nodes(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn reason(&self, namespace: &Str, group: &Str) -> Option<Str> {
        let gang = self.gangs.get(&(namespace.clone(), group.clone()))?;
        (!gang.reason.is_empty()).then(|| gang.reason.clone())
    }

    pub(super) fn see(&mut self, group: &PodGroup) {
        let name = (group.namespace().clone(), group.name().clone());
        let gang = self.gangs.entry(name.clone()).or_default();
        gang.least = Some(group.spec.min_member as usize);
        gang.timeout = provisional::timeout_of(group);
        gang.is_admitted = provisional::is_admitted(group);
        gang.has_timed_out = provisional::has_timed_out(group);
        self.put(&name, Duration::ZERO);
        self.to_tell.insert((Duration::ZERO, name));
    }

    pub(super) fn lose(&mut self, group: &PodGroup) {
        let name = (group.namespace().clone(), group.name().clone());
        if let Some(gang) = self.gangs.get_mut(&name) {
            gang.least = None;
        }
        self.forget_if_empty(&name);
    }

    /// A pod is one of a gang.
    pub(super) fn join(&mut self, pod: &Pod, key: &Key, is_placed: bool) {
        let group = group_of(pod);
        if group.is_empty() {
            return;
        }
        let name = (pod.namespace().clone(), group);
        let gang = self.gangs.entry(name.clone()).or_default();
        let (to, from) = match is_placed {
            true => (&mut gang.placed, &mut gang.waiting),
            false => (&mut gang.waiting, &mut gang.placed),
        };
        from.remove(key);
        if to.insert(key.clone()) {
            self.put(&name, Duration::ZERO);
            self.to_tell.insert((Duration::ZERO, name));
        }
    }

    /// And is no more.
    pub(super) fn leave(&mut self, pod: &Pod, key: &Key) {
        let group = group_of(pod);
        if group.is_empty() {
            return;
        }
        let name = (pod.namespace().clone(), group);
        if let Some(gang) = self.gangs.get_mut(&name) {
            gang.placed.remove(key);
            gang.waiting.remove(key);
            self.to_tell.insert((Duration::ZERO, name.clone()));
        }
        self.forget_if_empty(&name);
    }

    fn forget_if_empty(&mut self, name: &Name) {
        let is_empty =
            |gang: &Gang| gang.least.is_none() && gang.placed.is_empty() && gang.waiting.is_empty();
        if let Some(gang) = self.gangs.get(name).filter(|gang| is_empty(gang)) {
            if let Some(due) = gang.due {
                self.to_try.remove(&(due, name.clone()));
            }
            self.gangs.remove(name);
        }
    }

    pub(super) fn put(&mut self, name: &Name, at: Duration) {
        let Some(gang) = self.gangs.get_mut(name) else { return };
        if let Some(before) = gang.due.filter(|before| *before > at) {
            self.to_try.remove(&(before, name.clone()));
            gang.due = None;
        }
        if gang.due.is_none() {
            gang.due = Some(at);
            self.to_try.insert((at, name.clone()));
        }
    }

    /// A gang is tried again.
    pub(super) fn try_again(&mut self, name: &Name, now: Now, at_once: bool) {
        self.put(name, if at_once { Duration::ZERO } else { now.elapsed + SOON });
    }

    /// Every gang is tried again: there may be room now.
    pub(super) fn try_all(&mut self, now: Now) {
        let waiting = |gang: &Gang| !gang.waiting.is_empty() && gang.together.is_empty();
        let names: Vec<_> =
            self.gangs.iter().filter(|(_, gang)| waiting(gang)).map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| self.try_again(name, now, true));
    }

    pub(super) fn were_told(&mut self, name: &Name, now: Now, answer: &Answer) {
        if !matches!(answer, Answer::Committed(_)) {
            self.to_tell.insert((now.elapsed + SOON, name.clone()));
        }
    }
}

impl Work {
    /// Tries some gangs, and has those bound that have their places.
    pub(super) fn try_gangs(&mut self, now: Now, desk: &mut Desk<'_>) {
        for _ in 0..TRIED_AT_ONCE {
            let first = self.gangs.to_try.first().filter(|(at, _)| *at <= now.elapsed).cloned();
            let Some((at, name)) = first else { break };
            self.gangs.to_try.remove(&(at, name.clone()));
            if let Some(gang) = self.gangs.gangs.get_mut(&name) {
                gang.due = None;
            }
            self.try_gang(now, &name, desk);
        }
        for name in std::mem::take(&mut self.gangs.ready) {
            self.bind_gang(now, desk, name);
        }
    }

    fn try_gang(&mut self, now: Now, name: &Name, desk: &Desk<'_>) {
        let Some(gang) = self.gangs.gangs.get(name) else { return };
        if gang.not_before > now.elapsed {
            let at = gang.not_before;
            return self.gangs.put(name, at);
        }
        let waits = |key: &&Key| self.pods.get(*key).is_some_and(|it| matches!(it.at, At::Gang));
        let members: Vec<Key> = gang.waiting.iter().filter(waits).cloned().collect();
        if !gang.is_held() {
            // Enough of it run: the others come as they can.
            return members.iter().for_each(|key| self.enqueue(key));
        }
        // What is on its way already comes first.
        let is_under_way = gang
            .waiting
            .iter()
            .any(|key| self.pods.get(key).is_some_and(|it| matches!(it.at, At::Decided(_) | At::Batch(..))));
        if is_under_way || members.is_empty() || gang.has_timed_out {
            return;
        }
        let placed = gang.placed.len();
        let Some(least) = gang.least else {
            return self.gang_waits(name, &members, "its PodGroup does not exist".into());
        };
        if members.len() + placed < least {
            let reason = format!("{} of {least} members of its gang are there", members.len() + placed);
            return self.gang_waits(name, &members, reason);
        }
        let views: Vec<_> =
            members.iter().filter_map(|key| self.pods.get(key)).map(|it| it.view.clone()).collect();
        let deciders = &mut self.deciders;
        let together = all_or_none(&mut self.cluster, &views, least - placed, |cluster, view| {
            let decider = deciders.get_mut(view.profile());
            decider.map_or(Decision::NoFit, |decider| decider.place(cluster, view))
        });
        let decisions = match together {
            Together::Placed(decisions) => decisions,
            Together::TooFew { placed: fit } => {
                let reason = format!("only {} of its gang fit, and {least} must", fit + placed);
                return self.gang_waits(name, &members, reason);
            }
        };
        let mut nodes = BTreeSet::new();
        let mut bound = Vec::new();
        for (key, decision) in members.iter().zip(decisions) {
            let Decision::Place { node, .. } = decision else { continue };
            let node = self.cluster.name(node).clone();
            let basis = self.nodes.get(&node).map_or(0, |state| state.basis);
            self.decisions += 1;
            if let Some(waiting) = self.pods.get_mut(key) {
                waiting.at = At::Decided(Decided { node: node.clone(), basis, number: self.decisions });
            }
            nodes.insert(node);
            bound.push(key.clone());
        }
        let (needed, taken) = (bound.len() + 2 * nodes.len() + 1, desk.limits().operations);
        if needed > taken || placed > 0 {
            // One by one, and nobody runs before its PodGroup says that enough of them have their places.
            for key in bound {
                if let Some(At::Decided(decided)) = self.pods.get(&key).map(|waiting| &waiting.at) {
                    self.decided.push_back((key, decided.number));
                }
            }
            return;
        }
        if let Some(gang) = self.gangs.gangs.get_mut(name) {
            gang.together = bound;
            gang.reason = Str::EMPTY;
        }
        self.gangs.ready.push(name.clone());
    }

    fn gang_waits(&mut self, name: &Name, members: &[Key], reason: String) {
        if let Some(gang) = self.gangs.gangs.get_mut(name) {
            gang.reason = reason.into();
        }
        members.iter().for_each(|key| self.tell_later(key));
        self.gangs.to_tell.insert((Duration::ZERO, name.clone()));
    }

    fn bind_gang(&mut self, now: Now, desk: &mut Desk<'_>, name: Name) {
        let Some(gang) = self.gangs.gangs.get(&name) else { return };
        let mut nodes = BTreeSet::new();
        for key in &gang.together {
            match self.pods.get(key).map(|waiting| &waiting.at) {
                Some(At::Decided(decided)) => drop(nodes.insert(decided.node.clone())),
                _ => nodes.clear(),
            }
        }
        // Somebody of it is gone meanwhile, or has been decided about anew.
        let is_whole = gang
            .together
            .iter()
            .all(|key| self.pods.get(key).is_some_and(|waiting| matches!(waiting.at, At::Decided(_))));
        if !is_whole || nodes.is_empty() {
            let members = self.gangs.gangs.get_mut(&name).map(|it| std::mem::take(&mut it.together));
            for key in members.unwrap_or_default() {
                if self.pods.get(&key).is_some_and(|waiting| matches!(waiting.at, At::Decided(_))) {
                    self.undo(&key, now, true);
                }
            }
            return self.gangs.put(&name, Duration::ZERO);
        }
        let is_taken = |node: &Str| self.nodes.get(node).is_some_and(|state| state.batch.is_some());
        if nodes.iter().any(is_taken) || desk.room() == 0 {
            return self.gangs.ready.push(name);
        }
        let Some(gang) = self.gangs.gangs.get_mut(&name) else { return };
        let members = std::mem::take(&mut gang.together);
        self.read(now, desk, members, nodes, Some(name));
    }
}
