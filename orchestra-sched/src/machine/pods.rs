//! [`Waiting`]: a pod that waits for a place, and how it goes from one state to the next.

use std::time::Duration;

use orchestra_core::client::ObjectName;
use orchestra_core::control::Now;
use orchestra_core::kinds::PodSpec;
use orchestra_core::object::{Revision, Spec, Str};
use orchestra_core::store::Key;

use super::sabotage::Sabotage;
use super::work::Work;
use crate::fair::FairTicket;
use crate::set::NodeId;
use crate::view::PodView;

/// A pod that waits for a place.
pub(super) struct Waiting {
    pub(super) view: PodView,
    /// As which it was seen last.
    pub(super) revision: Revision,
    pub(super) arrived: Duration,
    pub(super) failures: u32,
    pub(super) group: Str,
    pub(super) at: At,
    /// Whether it is to be tried as soon as it is seen anew.
    pub(super) is_stale: bool,
    /// The node that the store says it is nominated for.
    pub(super) nominated: Str,
    /// What went wrong, if it is not that there is no room.
    pub(super) trouble: Option<String>,
}

/// How far a pod is on its way to a place.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// It is in the queue.
    Queue(FairTicket),
    /// It is held back, whatever nodes there are.
    Held(Held),
    /// It waits for its gang.
    Gang,
    /// It has been decided about, and is to be bound.
    Decided(Decided),
    /// It is being bound, by this batch.
    Batch(Decided, u64),
    /// Room is being made for it there.
    Nominated(Str),
}

/// Why a pod is held back.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// In a word,
    pub(super) reason: &'static str,
    /// and in a line; nothing, as long as it was not looked at.
    pub(super) why: Str,
}

/// What was decided.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) node: Str,
    /// What was known of the node then.
    pub(super) basis: u64,
    pub(super) number: u64,
}

/// The key of a pod.
pub(super) fn key_of(namespace: &Str, name: &Str) -> Option<Key> {
    Some(ObjectName::new(PodSpec::KIND, namespace.clone(), name.clone()).ok()?.key())
}

impl Work {
    /// A pod comes to wait, or comes back.
    pub(super) fn enqueue(&mut self, key: &Key) {
        let Some(waiting) = self.pods.get_mut(key) else { return };
        let ticket = self.queue.push(waiting.view.clone(), waiting.arrived);
        waiting.at = At::Queue(ticket.clone());
        self.is_busy = true;
        if self.queue.is_blocked(&ticket) {
            self.tell_later(key);
        }
        self.tickets.insert(ticket, key.clone());
    }

    /// A pod that nothing holds back (any more) waits for its turn, or for its gang.
    pub(super) fn admit(&mut self, now: Now, key: &Key) {
        let Some(waiting) = self.pods.get_mut(key) else { return };
        let (namespace, group) = (waiting.view.namespace().clone(), waiting.group.clone());
        if !group.is_empty() && self.gangs.is_held(&namespace, &group) {
            waiting.at = At::Gang;
            return self.gangs.try_again(&(namespace, group), now, true);
        }
        let is_nominated = !waiting.nominated.is_empty();
        self.enqueue(key);
        if is_nominated {
            self.take_up_nomination(key);
        }
    }

    /// A pod waits no longer, or in another way: it takes no room, and is in no queue.
    pub(super) fn withdraw(&mut self, key: &Key) {
        let Some(waiting) = self.pods.get(key) else { return };
        match &waiting.at {
            At::Queue(ticket) => {
                let ticket = ticket.clone();
                self.queue.remove(&ticket);
                self.tickets.remove(&ticket);
            }
            At::Gang | At::Held(_) => {}
            At::Decided(_) | At::Batch(..) | At::Nominated(_) => {
                if let At::Nominated(node) = &waiting.at {
                    self.nominees.remove(&(node.clone(), key.clone()));
                }
                if !self.is_sabotaged(Sabotage::AssumedForEver) {
                    self.cluster.remove_pod(waiting.view.namespace(), waiting.view.name());
                }
                self.stir();
            }
        }
    }

    /// What was decided about a pod is undone, and it is tried again: at once, or after a while.
    pub(super) fn undo(&mut self, key: &Key, now: Now, at_once: bool) {
        self.withdraw(key);
        let Some(waiting) = self.pods.get_mut(key) else { return };
        if !waiting.group.is_empty() && self.gangs.is_held(waiting.view.namespace(), &waiting.group) {
            waiting.at = At::Gang;
            let (namespace, group) = (waiting.view.namespace().clone(), waiting.group.clone());
            return self.gangs.try_again(&(namespace, group), now, at_once);
        }
        if at_once {
            return self.enqueue(key);
        }
        let (view, arrived, failures) = (waiting.view.clone(), waiting.arrived, waiting.failures);
        waiting.failures = failures.saturating_add(1);
        let ticket = self.queue.push_failed(view, arrived, failures, now.elapsed);
        waiting.at = At::Queue(ticket.clone());
        self.tickets.insert(ticket, key.clone());
    }

    /// A pod has its node, as far as this scheduler is concerned.
    pub(super) fn was_decided(&mut self, key: &Key, node: NodeId) {
        let name = self.cluster.name(node).clone();
        let Some(waiting) = self.pods.get_mut(key) else { return };
        waiting.trouble = None;
        if let At::Queue(ticket) = &waiting.at {
            // The next one of its class may be tried.
            self.queue.remove(ticket);
            self.tickets.remove(ticket);
        }
        self.decisions += 1;
        let basis = self.nodes.get(&name).map_or(0, |state| state.basis);
        waiting.at = At::Decided(Decided { node: name, basis, number: self.decisions });
        self.decided.push_back((key.clone(), self.decisions));
        self.stir();
    }
}
