//! [`Nominated`]: pods for which room is kept on a node while others make way for them.

use std::collections::BTreeMap;

use orchestra_core::object::Str;

use super::amounts::Dim;
use super::devices::DeviceAsk;
use super::labels::Domain;
use super::shape::Port;
use super::tallies::{Tally, TallyId};
use super::{Cluster, Column};
use crate::set::NodeId;
use crate::view::PodView;

/// The pods that are nominated, and for which nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nominated {
    on: BTreeMap<NodeId, Vec<PodView>>,
    node: BTreeMap<(Str, Str), NodeId>,
}

/// What nominated pods will take of a node, beside what is taken there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) pods: usize,
    amounts: Vec<(Dim, i64)>,
    devices: Vec<DeviceAsk>,
    pub(crate) ports: Vec<Port>,
    counts: Vec<(TallyId, i64)>,
}

impl Cluster {
    /// Keeps room on a node for a pod for which others have to go, until it is placed or
    /// [given up](Self::denominate). Pods of the same or a lower priority find the room taken, as far as
    /// filters go; those of a higher one do not see it. Scores do not count it. It is no promise: the
    /// pod itself goes where it is best when it is decided about again.
    ///
    /// The room is given up, too, when the node is forgotten.
    pub fn nominate(&mut self, pod: &PodView, node: NodeId) {
        self.denominate(pod.namespace(), pod.name());
        self.nominated.node.insert((pod.namespace().clone(), pod.name().clone()), node);
        self.nominated.on.entry(node).or_default().push(pod.clone());
        self.log.note(node);
    }

    /// Gives up the room that is kept for a pod.
    pub fn denominate(&mut self, namespace: &str, name: &str) {
        if self.nominated.node.is_empty() {
            return;
        }
        let Some(node) = self.nominated.node.remove(&(namespace.into(), name.into())) else { return };
        if let Some(pods) = self.nominated.on.get_mut(&node) {
            pods.retain(|pod| pod.name() != name || pod.namespace() != namespace);
            if pods.is_empty() {
                self.nominated.on.remove(&node);
            }
        }
        self.log.note(node);
    }

    /// The node where room is kept for a pod.
    #[must_use]
    pub fn nominated(&self, namespace: &str, name: &str) -> Option<NodeId> {
        if self.nominated.node.is_empty() {
            return None;
        }
        self.nominated.node.get(&(namespace.into(), name.into())).copied()
    }

    /// The pods for which room is kept on a node, those first that were nominated first.
    pub fn nominated_on(&self, node: NodeId) -> impl Iterator<Item = &PodView> {
        self.nominated.on.get(&node).into_iter().flatten()
    }

    pub(super) fn denominate_all(&mut self, node: NodeId) {
        for pod in self.nominated.on.remove(&node).unwrap_or_default() {
            self.nominated.node.remove(&(pod.namespace().clone(), pod.name().clone()));
        }
    }

    /// The nodes where room is kept that a pod must leave alone.
    pub(crate) fn kept_from<'a>(&'a self, pod: &'a PodView) -> impl Iterator<Item = NodeId> + 'a {
        let concerns = |nominated: &PodView| concerns(nominated, pod);
        self.nominated.on.iter().filter(move |(_, pods)| pods.iter().any(concerns)).map(|(node, _)| *node)
    }

    /// The room on a node that a pod must leave alone.
    pub(crate) fn kept(&self, pod: &PodView, node: NodeId) -> Option<Kept> {
        if self.nominated.on.is_empty() {
            return None;
        }
        let mut pods = self.nominated.on.get(&node)?.iter().filter(|it| concerns(it, pod)).peekable();
        pods.peek()?;
        let mut kept = Kept::default();
        for pod in pods {
            kept.pods += 1;
            kept.amounts.extend(pod.shape().ask.taken());
            kept.devices.extend(pod.devices());
            kept.ports.extend_from_slice(&pod.shape().ports);
            for counts in self.classes.get(pod.class()).map(|it| &it.counted_by[..]).unwrap_or_default() {
                if self.is_within(&self.tally(counts.tally).within, node) {
                    kept.counts.push((counts.tally, counts.by));
                }
            }
        }
        Some(kept)
    }
}

/// Whether a pod must leave the room alone that is kept for another one.
fn concerns(nominated: &PodView, pod: &PodView) -> bool {
    nominated.priority() >= pod.priority()
        && (nominated.name() != pod.name() || nominated.namespace() != pod.namespace())
}

impl Kept {
    /// How much of a resource is kept.
    pub(crate) fn amount(&self, dim: Dim) -> i64 {
        let amounts = self.amounts.iter().filter(|(it, _)| *it == dim).map(|(_, amount)| *amount);
        if dim == Dim::PODS { self.pods as i64 } else { amounts.fold(0, i64::saturating_add) }
    }

    /// What is left of devices.
    pub(crate) fn devices_left(&self, dim: Dim, free: &[u16]) -> Vec<u16> {
        let mut free = free.to_vec();
        self.devices.iter().filter(|ask| ask.dim == dim).for_each(|ask| ask.take(&mut free));
        free
    }

    /// How many more a tally would count.
    pub(crate) fn count(&self, tally: TallyId) -> i64 {
        self.counts.iter().filter(|(it, _)| *it == tally).map(|(_, by)| by).sum()
    }

    /// What the least count of all domains would be.
    pub(crate) fn least(&self, id: TallyId, tally: &Tally, column: &Column, node: NodeId) -> i64 {
        let domain: Domain = column.domain(node);
        match self.count(id) {
            0 => tally.least(),
            more => tally.least_with(domain, more),
        }
    }
}
