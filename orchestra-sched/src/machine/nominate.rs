//! Who is more important than others: room is made for it, and kept.

use orchestra_core::client::ObjectName;
use orchestra_core::control::{Desk, Now, Plan};
use orchestra_core::kinds::Pod;
use orchestra_core::object::{Resource, Str};
use orchestra_core::store::Key;

use super::pods::{At, key_of};
use super::work::{Asked, Work};
use crate::decide::Decision;
use crate::fair::FairTicket;
use crate::preempt::Eviction;
use crate::view::PodView;

/// How many of those that are nominated are tried in a turn.
const RETRIED_AT_ONCE: usize = 32;

impl Work {
    /// Whether a pod may drive out anybody at all.
    pub(super) fn is_more_important_than_some(&self, view: &PodView) -> bool {
        !view.shape().never_preempts && self.cluster.has_less_important(view.priority())
    }

    /// Room is made for a pod, and kept for it: until it is bound it takes the room as if it was there.
    pub(super) fn nominate(
        &mut self,
        now: Now,
        key: &Key,
        ticket: &FairTicket,
        view: &PodView,
        eviction: &Eviction,
    ) {
        let victims: Vec<_> =
            eviction.victims.iter().filter_map(|victim| key_of(&victim.namespace, &victim.name)).collect();
        let is_being_bound =
            |key: &Key| self.pods.get(key).is_some_and(|waiting| matches!(waiting.at, At::Batch(..)));
        // What is being bound is there, or is not: wait for that.
        if victims.iter().any(is_being_bound) {
            return self.queue.fail(ticket, now.elapsed);
        }
        self.queue.remove(ticket);
        self.tickets.remove(ticket);
        let node = self.cluster.name(eviction.node).clone();
        let to_go: Vec<_> =
            victims.into_iter().filter(|victim| self.has_to_be_deleted(now, victim)).collect();
        self.hold(key, view, &node);
        if to_go.is_empty() {
            self.to_retry.insert(key.clone());
        }
        self.evictions.push_back((key.clone(), to_go));
        self.is_busy = true;
    }

    /// A victim makes way. Whoever is not bound yet does so at once; tells whether it is, and has to be deleted.
    pub(super) fn has_to_be_deleted(&mut self, now: Now, victim: &Key) -> bool {
        if self.strangers.remove(victim).is_some() {
            // It has no place yet, and the room that was kept for it is another's now.
            if let Some(name) = ObjectName::of_key(Pod::KIND, victim) {
                self.cluster.remove_pod(name.namespace(), name.name());
            }
            return false;
        }
        match self.pods.get(victim).map(|waiting| waiting.at.clone()) {
            // What is not bound yet is decided again.
            Some(At::Decided(_)) => self.undo(victim, now, true),
            Some(At::Nominated(_)) => self.falls(now, victim, true),
            Some(At::Queue(_) | At::Gang | At::Held(_)) => {}
            Some(At::Batch(..)) | None => return true,
        }
        false
    }

    /// Keeps room for a pod.
    pub(super) fn hold(&mut self, key: &Key, view: &PodView, node: &Str) {
        let Some(id) = self.cluster.node(node) else {
            // A gang is tried again as a whole, since a node is gone.
            let is_of_gang = self.pods.get(key).is_some_and(|it| matches!(it.at, At::Gang));
            if !is_of_gang {
                self.enqueue(key);
            }
            return;
        };
        self.cluster.assume(view, id);
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.at = At::Nominated(node.clone());
            self.nominees.insert((node.clone(), key.clone()));
        }
    }

    /// The store says that room is being made for a pod: by who was there before, or by another scheduler.
    pub(super) fn take_up_nomination(&mut self, key: &Key) {
        let Some(waiting) = self.pods.get(key) else { return };
        let (view, node) = (waiting.view.clone(), waiting.nominated.clone());
        if self.cluster.node(&node).is_some() && matches!(waiting.at, At::Queue(_)) {
            self.withdraw(key);
            self.hold(key, &view, &node);
            self.to_retry.insert(key.clone());
            self.is_busy = true;
        }
    }

    /// A nomination falls: the pod waits as others do.
    fn falls(&mut self, now: Now, key: &Key, at_once: bool) {
        self.to_retry.remove(key);
        self.undo(key, now, at_once);
        self.tell_later(key);
    }

    /// Something has changed on a node: who is nominated for it is tried again.
    pub(super) fn retry_at(&mut self, node: &Str) {
        let first = (node.clone(), Key::from(""));
        let there = self.nominees.range(first..).take_while(|(its, _)| its == node);
        let keys: Vec<_> = there.map(|(_, key)| key.clone()).collect();
        self.is_busy |= !keys.is_empty();
        self.to_retry.extend(keys);
    }

    pub(super) fn retry_everywhere(&mut self) {
        self.to_retry.extend(self.nominees.iter().map(|(_, key)| key.clone()));
    }

    /// Tries those for whom room may have been made.
    pub(super) fn retry_nominated(&mut self, now: Now) {
        for _ in 0..RETRIED_AT_ONCE {
            let Some(key) = self.to_retry.pop_first() else { return };
            let Some(waiting) = self.pods.get(&key) else { continue };
            let At::Nominated(node) = waiting.at.clone() else { continue };
            let view = waiting.view.clone();
            if self.gangs.is_member_of_held(&view, &waiting.group) {
                let gang = (view.namespace().clone(), waiting.group.clone());
                self.gangs.try_again(&gang, now, true);
                continue;
            }
            if let Some(why) = view.is_too_late(now.wall.into()) {
                self.is_too_late(&key, why);
                continue;
            }
            self.nominees.remove(&(node.clone(), key.clone()));
            self.cluster.remove_pod(view.namespace(), view.name());
            if let Decision::Place { node, .. } = self.decide(&view) {
                self.assume(&view, node);
                self.was_decided(&key, node);
                continue;
            }
            let is_asked = self.evictions.iter().any(|(pod, _)| *pod == key)
                || self.asks.values().any(|asked| matches!(asked, Asked::Evict(pod) if *pod == key));
            // No more are driven out while some are still leaving.
            if is_asked || self.cluster.is_left_by_less_important(&node, view.priority()) {
                self.hold(&key, &view, &node);
            } else {
                self.hold(&key, &view, &node);
                // Who went for it went in vain, or could not be made to go.
                self.falls(now, &key, false);
            }
        }
        self.is_busy = true;
    }

    /// Writes down who is nominated, and has the victims go.
    pub(super) fn evict_some(&mut self, desk: &mut Desk<'_>) {
        while desk.room() > 0
            && let Some((key, victims)) = self.evictions.pop_front()
        {
            let Some(waiting) = self.pods.get(&key) else { continue };
            let At::Nominated(node) = &waiting.at else { continue };
            let (namespace, name) = (waiting.view.namespace(), waiting.view.name());
            let Some(pod) = desk.cache().get::<Pod>(namespace, name) else { continue };
            let mut status = pod.status.clone();
            status.nominated_node_name = node.clone();
            let mut plan = Plan::new().status(pod, status);
            for victim in victims {
                let victim = ObjectName::of_key(Pod::KIND, &victim);
                let Some(victim) = victim else { continue };
                let victim = desk.cache().get::<Pod>(victim.namespace(), victim.name());
                // Another one of the same name may have come since.
                let is_meant = |it: &&Pod| !it.metadata.is_deleting() && it.spec.node_name == *node;
                if let Some(victim) = victim.filter(is_meant) {
                    plan = plan.delete(victim);
                }
            }
            if plan.is_empty() {
                self.to_retry.insert(key);
                continue;
            }
            if let Some(ask) = desk.perform(plan) {
                self.asks.insert(ask, Asked::Evict(key));
            }
        }
        self.is_busy |= !self.evictions.is_empty();
    }
}
