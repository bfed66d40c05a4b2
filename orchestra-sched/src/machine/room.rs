//! Room for a gang that is more important than others: they make way for all of it, or nobody does.
//!
//! It is tried out in the cluster first, one member after the other: each has the best node that is left, or others
//! have to go for it. Only if as many have a place as must have one does anybody go. Until the gang is bound, its
//! members are nominated, as single pods are, and the room is kept for them.

use std::time::Duration;

use orchestra_core::control::{Desk, Now};
use orchestra_core::kinds::Pod;
use orchestra_core::object::{Resource, Str};
use orchestra_core::store::Key;

use super::gangs::Name;
use super::pods::{At, key_of};
use super::sabotage::Sabotage;
use super::work::{Asked, Work};
use crate::decide::Decision;
use crate::preempt::{Preempt, Victim};
use crate::set::NodeId;
use crate::view::PodView;

/// How long nobody is asked again to make way for a gang: each time costs a look at all nodes for each member.
const REST: Duration = Duration::from_secs(1);

/// A place for a member, and who has to go for it.
struct Found {
    member: usize,
    node: NodeId,
    victims: Vec<Key>,
}

impl Work {
    /// Members that are nominated are taken off, so that all of the gang is tried anew. Tells where they were.
    pub(super) fn take_off_nominated(&mut self, members: &[Key]) -> Vec<(Key, Str)> {
        let mut were = Vec::new();
        for key in members {
            let Some(waiting) = self.pods.get_mut(key) else { continue };
            let At::Nominated(node) = &waiting.at else { continue };
            were.push((key.clone(), node.clone()));
            self.nominees.remove(&(node.clone(), key.clone()));
            waiting.at = At::Gang;
            self.cluster.remove_pod(waiting.view.namespace(), waiting.view.name());
        }
        were
    }

    /// The room for a gang is kept on while those who have to go are still leaving; tells whether some are.
    pub(super) fn is_still_being_made(&mut self, were: &[(Key, Str)]) -> bool {
        let is_being_made = were.iter().any(|(key, node)| {
            let priority = self.pods.get(key).map_or(i32::MIN, |waiting| waiting.view.priority());
            self.evictions.iter().any(|(pod, _)| pod == key)
                || self.asks.values().any(|asked| matches!(asked, Asked::Evict(pod) if pod == key))
                || self.cluster.is_left_by_less_important(node, priority)
        });
        if is_being_made {
            for (key, node) in were {
                if let Some(view) = self.pods.get(key).map(|waiting| waiting.view.clone()) {
                    self.hold(key, &view, node);
                }
            }
        }
        is_being_made
    }

    /// Finds out who has to go so that at least so many of a gang have a place, and has them go. Tells whether they do.
    pub(super) fn make_room(
        &mut self,
        now: Now,
        name: &Name,
        (members, views): (&[Key], &[PodView]),
        least: usize,
        desk: &Desk<'_>,
        preempt: &mut dyn Preempt,
    ) -> bool {
        if !views.iter().any(|view| self.is_more_important_than_some(view)) {
            return false;
        }
        let Some(gang) = self.gangs.gangs.get_mut(name) else { return false };
        if now.elapsed < gang.in_vain_until {
            let at = gang.in_vain_until;
            self.gangs.put(name, at);
            return false;
        }
        gang.in_vain_until = now.elapsed + REST;
        let (found, enough) = self.find_room(views, least, preempt);
        if !enough && !self.is_sabotaged(Sabotage::RoomForHalfAGang) {
            for it in found.iter().rev() {
                let view = &views[it.member];
                self.cluster.remove_pod(view.namespace(), view.name());
                it.victims.iter().for_each(|victim| self.put_back(victim, desk));
            }
            return false;
        }
        for it in found {
            let to_go: Vec<_> =
                it.victims.into_iter().filter(|victim| self.has_to_be_deleted(now, victim)).collect();
            // Until they are gone they are there.
            to_go.iter().for_each(|victim| self.put_back(victim, desk));
            let key = members[it.member].clone();
            let node = self.cluster.name(it.node).clone();
            self.hold(&key, &views[it.member], &node);
            self.evictions.push_back((key, to_go));
        }
        self.is_busy = true;
        true
    }

    /// Tries members one by one; what they get, and whether it is enough.
    fn find_room(
        &mut self,
        views: &[PodView],
        least: usize,
        preempt: &mut dyn Preempt,
    ) -> (Vec<Found>, bool) {
        let mut found = Vec::new();
        for (member, view) in views.iter().enumerate() {
            if found.len() + (views.len() - member) < least {
                break;
            }
            let place = match self.decide(view) {
                Decision::Place { node, .. } => Some((node, Vec::new())),
                _ => self.by_force(view, preempt),
            };
            let Some((node, victims)) = place else { continue };
            let keys = victims.iter().filter_map(|it| key_of(&it.namespace, &it.name)).collect();
            victims.iter().for_each(|it| self.cluster.remove_pod(&it.namespace, &it.name));
            self.assume(view, node);
            found.push(Found { member, node, victims: keys });
        }
        let enough = found.len() >= least;
        (found, enough)
    }

    fn by_force(&mut self, view: &PodView, preempt: &mut dyn Preempt) -> Option<(NodeId, Vec<Victim>)> {
        if !self.is_more_important_than_some(view) || self.over_quota(view).is_some() {
            return None;
        }
        let profile = self.deciders.get(view.profile())?.profile().clone();
        let eviction = self.ask_who_has_to_go(&profile, view, preempt).ok().flatten()?;
        // What is being bound is there, or is not: wait for that.
        let is_being_bound = |victim: &Victim| {
            let waiting = key_of(&victim.namespace, &victim.name).and_then(|key| self.pods.get(&key));
            waiting.is_some_and(|waiting| matches!(waiting.at, At::Batch(..)))
        };
        if eviction.victims.iter().any(is_being_bound) {
            return None;
        }
        Some((eviction.node, eviction.victims))
    }

    /// Somebody who was taken off to try something out stays where it was.
    fn put_back(&mut self, victim: &Key, desk: &Desk<'_>) {
        if let Some(waiting) = self.pods.get(victim) {
            let node = match &waiting.at {
                At::Decided(decided) | At::Batch(decided, _) => &decided.node,
                At::Nominated(node) => node,
                At::Queue(_) | At::Gang | At::Held(_) => return,
            };
            if let Some(node) = self.cluster.node(node) {
                self.cluster.assume(&waiting.view, node);
            }
            return;
        }
        let name = orchestra_core::client::ObjectName::of_key(Pod::KIND, victim);
        let pod = name.and_then(|it| desk.cache().get::<Pod>(it.namespace(), it.name()));
        // If it is gone from there, it will be told.
        let Some(pod) = pod else { return };
        match self.strangers.get(victim).and_then(|node| self.cluster.node(node)) {
            Some(node) => {
                let view = self.cluster.view(pod);
                self.cluster.assume(&view, node);
            }
            None => self.cluster.set_pod(pod),
        }
    }
}
