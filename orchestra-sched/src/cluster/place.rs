//! Pods come and go, and the columns and tallies with them.

use orchestra_core::kinds::{Pod, PodPhase};
use orchestra_core::object::{Metadata, Str};

use super::Cluster;
use super::classes::ClassId;
use super::compile::is_within;
use super::devices::{DeviceAsk, Devices, Held};
use super::pods::{Placed, PodId};
use super::shape::Asking;
use super::tallies::{TallyId, Within};
use crate::preempt::Victim;
use crate::set::NodeId;
use crate::view::PodView;

impl Cluster {
    /// Takes over a pod that is placed; one that has ended or is not placed (any more) is forgotten.
    pub fn set_pod(&mut self, pod: &Pod) {
        let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
        let old = self.pods.find(namespace, name);
        if pod.spec.node_name.is_empty() || matches!(pod.status.phase, PodPhase::Succeeded | PodPhase::Failed)
        {
            old.into_iter().for_each(|old| self.forget(old));
            return;
        }
        let class = self.class_at(&Asking { pod, node_name: "" });
        let is_going = pod.metadata.is_deleting();
        let held = self.held(class, |cluster, asks| cluster.named_devices(pod, asks));
        if let Some(old) = old {
            let known = &self.pods.all[old.at()];
            let there = known.node.map(|node| self.name(node)).unwrap_or(&known.waits_for);
            let has_same = match (&known.held, &held) {
                (Some(known), Some(held)) => known.said() == held.said(),
                _ => true,
            };
            if known.class == class && known.is_going == is_going && *there == pod.spec.node_name && has_same
            {
                if known.since != pod.status.start_time {
                    self.pods.all[old.at()].since = pod.status.start_time;
                    self.pods.all[old.at()].node.into_iter().for_each(|node| self.log.note(node));
                }
                return;
            }
            let stays = *there == pod.spec.node_name;
            let promised = if stays { self.promised_to(old) } else { Vec::new() };
            self.forget_but(old, &promised);
            let new = self.place(pod, class, held);
            return self.pass_on(&promised, old, new);
        }
        self.place(pod, class, held);
    }

    fn place(&mut self, pod: &Pod, class: ClassId, held: Option<Box<Held>>) -> PodId {
        let Metadata { namespace, name, .. } = &pod.metadata;
        let is_going = pod.metadata.is_deleting();
        let node = self.nodes.find(&pod.spec.node_name).ok_or(&pod.spec.node_name);
        let since = pod.status.start_time;
        self.insert(namespace, name, node, Placed { class, is_going, since, held, ..Placed::default() })
    }

    /// What a pod of a class has of devices, if it asks for any.
    fn held(
        &self,
        class: ClassId,
        devices: impl FnOnce(&Self, &[DeviceAsk]) -> Option<Devices>,
    ) -> Option<Box<Held>> {
        let asks = &self.classes.get(class)?.shape.ask.devices;
        (!asks.is_empty()).then(|| Held::new(devices(self, asks)))
    }

    /// Forgets a pod that was placed.
    pub fn remove_pod(&mut self, namespace: &str, name: &str) {
        let old = self.pods.find(namespace, name);
        old.into_iter().for_each(|old| self.forget(old));
    }

    /// A pod that asks for a place.
    #[must_use]
    pub fn view(&mut self, pod: &Pod) -> PodView {
        let class = self.class_of(pod);
        let shape = self.classes.get(class).map(|class| class.shape.clone()).unwrap_or_default();
        PodView::new(pod.metadata.name.clone(), class, shape, pod.metadata.creation_timestamp)
    }

    /// Takes a pod to be placed on a node, whatever is decided next.
    ///
    /// What the store says of it later, with [`set_pod`](Self::set_pod), takes the place of this. Of devices it has
    /// those that are fullest and still fit; a [`Decider`](crate::Decider) may [know better](crate::Decider::assume).
    pub fn assume(&mut self, pod: &PodView, node: NodeId) {
        self.assume_with(pod, node, None);
    }

    /// The same, with these devices, if it [can have](Self::can_have) them.
    pub fn assume_with(&mut self, pod: &PodView, node: NodeId, devices: Option<Devices>) {
        let old = self.pods.find(pod.namespace(), pod.name());
        old.into_iter().for_each(|old| self.forget(old));
        let class = self.placed_class(pod);
        let devices = devices.filter(|devices| self.can_have(pod, node, devices));
        let held = self.held(class, |cluster, _| devices.or_else(|| cluster.choose_devices(pod, node)));
        let placed = Placed { class, held, ..Placed::default() };
        let id = self.insert(pod.namespace(), pod.name(), Ok(node), placed);
        self.promise_volumes(id, pod, node);
    }

    /// The class that a pod has when it is placed: the node that it asked for is no part of that.
    fn placed_class(&mut self, pod: &PodView) -> ClassId {
        if pod.shape().node_name.is_empty() {
            return pod.class();
        }
        let Some(class) = self.classes.get(pod.class()) else { return pod.class() };
        let essence = class.essence().clone();
        self.class_at(&Asking { pod: &essence, node_name: "" })
    }

    /// A pod that is placed on a node, or waits for one of a name.
    fn insert(&mut self, namespace: &Str, name: &Str, node: Result<NodeId, &Str>, placed: Placed) -> PodId {
        self.denominate(namespace, name);
        let (namespace, name, class) = (namespace.clone(), name.clone(), placed.class);
        let pod = self.pods.insert(Placed { namespace, name, ..placed });
        if let Some(class) = self.classes.get_mut(class) {
            self.pods.join(pod, &mut class.pods);
        }
        match node {
            Ok(node) => self.put_on(pod, node),
            Err(node) => {
                self.pods.all[pod.at()].waits_for = node.clone();
                self.waiting.entry(node.clone()).or_default().push(pod);
            }
        }
        pod
    }

    fn forget(&mut self, pod: PodId) {
        self.forget_but(pod, &[]);
    }

    /// Forgets a pod, but not what was promised to some of its claims.
    fn forget_but(&mut self, pod: PodId, promised: &[(Str, Str)]) {
        self.take_back_volumes(pod, promised);
        if !self.take_off(pod) {
            let node = &self.pods.all[pod.at()].waits_for;
            if let Some(waiting) = self.waiting.get_mut(node) {
                waiting.retain(|it| *it != pod);
                if waiting.is_empty() {
                    self.waiting.remove(&node.clone());
                }
            }
        }
        if let Some(class) = self.classes.get_mut(self.pods.all[pod.at()].class) {
            self.pods.quit(pod, &mut class.pods);
        }
        self.pods.remove(pod);
    }

    /// Takes a pod off its node for a moment, to try something out. It is no change: [`lower`](Self::lower)
    /// puts it back.
    pub(crate) fn lift(&mut self, pod: PodId) {
        if let Some(node) = self.pods.take_off(pod) {
            self.lift_devices(pod, node);
            self.move_amounts(pod, node, -1);
        }
    }

    /// Puts a pod back that was lifted.
    pub(crate) fn lower(&mut self, pod: PodId, node: NodeId) {
        self.pods.put_on(pod, node);
        self.move_amounts(pod, node, 1);
    }

    /// How important a pod is.
    pub(crate) fn priority(&self, pod: PodId) -> i32 {
        let class = self.classes.get(self.pods.all[pod.at()].class);
        class.map_or(0, |class| class.shape.priority)
    }

    /// Whether some pod is placed that is less important.
    pub(crate) fn has_less_important(&self, than: i32) -> bool {
        let mut classes = self.classes.iter();
        classes.any(|(_, class)| class.shape.priority < than && !class.pods.is_empty())
    }

    /// Whether somebody who is less important is leaving a node.
    pub(crate) fn is_left_by_less_important(&self, node: &str, than: i32) -> bool {
        let Some(node) = self.nodes.find(node) else { return false };
        let is_leaving = |id: &PodId| self.pods.all[id.at()].is_going && self.priority(*id) < than;
        self.pods.on[node.at()].iter().any(is_leaving)
    }

    /// Whether a pod is being deleted.
    pub(crate) fn is_going(&self, pod: PodId) -> bool {
        self.pods.all[pod.at()].is_going
    }

    pub(crate) fn placed(&self, pod: PodId) -> &Placed {
        &self.pods.all[pod.at()]
    }

    /// A pod that may have to go.
    pub(crate) fn victim(&self, pod: PodId) -> Victim {
        let placed = &self.pods.all[pod.at()];
        let (namespace, name) = (placed.namespace.clone(), placed.name.clone());
        Victim { namespace, name, priority: self.priority(pod), since: placed.since }
    }

    pub(super) fn put_on(&mut self, pod: PodId, node: NodeId) {
        self.pods.put_on(pod, node);
        self.move_amounts(pod, node, 1);
        self.log.note(node);
    }

    pub(super) fn take_off(&mut self, pod: PodId) -> bool {
        let Some(node) = self.pods.take_off(pod) else { return false };
        self.move_amounts(pod, node, -1);
        self.log.note(node);
        true
    }

    /// What a pod takes, and where it counts.
    fn move_amounts(&mut self, pod: PodId, node: NodeId, by: i64) {
        let placed = &self.pods.all[pod.at()];
        let Some(class) = self.classes.get(placed.class) else { return };
        let (shape, at) = (&class.shape, node.at());
        let exact = self.nodes.take(node, &shape.ask, by as f64);
        self.queues.take(&shape.queue, &shape.ask, by);
        for counts in class.counted_by.iter().filter(|counts| counts.also_going || !placed.is_going) {
            if let Some(tally) = &mut self.tallies[counts.tally.0 as usize]
                && is_within(&tally.within, node, &self.masks, &self.labels)
            {
                tally.add(self.labels.column(tally.key).domain(node), counts.by * by);
            }
        }
        for port in &shape.ports {
            let taken = &mut self.ports[at];
            match by {
                1 => taken.push(port.clone()),
                _ => {
                    if let Some(found) = taken.iter().position(|it| it == port) {
                        taken.swap_remove(found);
                    }
                }
            }
        }
        if !exact && by < 0 {
            self.sum_up(node);
        }
        self.move_devices(pod, node, by > 0);
    }

    /// Sums up anew what is taken on a node: it was more than can be counted exactly.
    fn sum_up(&mut self, node: NodeId) {
        self.nodes.take_nothing(node);
        for pod in &self.pods.on[node.at()] {
            if let Some(class) = self.classes.get(self.pods.all[pod.at()].class) {
                self.nodes.take(node, &class.shape.ask, 1.0);
            }
        }
    }

    pub(super) fn is_within(&self, within: &Within, node: NodeId) -> bool {
        is_within(within, node, &self.masks, &self.labels)
    }

    /// A node's pods are counted again, where it then is.
    pub(super) fn enter_tallies(&mut self, node: NodeId) {
        self.move_tallies(node, 1);
    }

    /// A node's pods are not counted any more: what it says is about to change.
    pub(super) fn leave_tallies(&mut self, node: NodeId) {
        self.move_tallies(node, -1);
    }

    fn move_tallies(&mut self, node: NodeId, by: i64) {
        let within = |id: TallyId, tally: Option<&super::Tally>| {
            let tally = tally?;
            self.is_within(&tally.within, node).then(|| (id, self.labels.column(tally.key).domain(node)))
        };
        let ids = (0..self.tallies.len() as u32).map(TallyId);
        let at: Vec<_> = ids.filter_map(|id| within(id, self.tallies[id.0 as usize].as_ref())).collect();
        let mut moves = Vec::new();
        for pod in &self.pods.on[node.at()] {
            let placed = &self.pods.all[pod.at()];
            let counted =
                self.classes.get(placed.class).map(|class| &class.counted_by[..]).unwrap_or_default();
            for counts in counted.iter().filter(|counts| counts.also_going || !placed.is_going) {
                if let Ok(found) = at.binary_search_by_key(&counts.tally, |(id, _)| *id) {
                    moves.push((at[found], counts.by * by));
                }
            }
        }
        if by > 0 {
            at.iter().for_each(|it| self.with_tally(*it, super::Tally::enter));
        }
        for (it, by) in moves {
            self.with_tally(it, |tally, domain| tally.add(domain, by));
        }
        if by < 0 {
            at.iter().for_each(|it| self.with_tally(*it, super::Tally::leave));
        }
    }

    fn with_tally(&mut self, (id, domain): (TallyId, u32), then: impl FnOnce(&mut super::Tally, u32)) {
        if let Some(tally) = &mut self.tallies[id.0 as usize] {
            then(tally, domain);
        }
    }
}
