//! [`PodView`] and [`NodeView`]: what a rule sees of a pod and of a node.

use std::borrow::Cow;
use std::sync::Arc;

use orchestra_core::kinds::Taint;
use orchestra_core::object::{Map, Str, Timestamp};

use crate::cluster::{ClassId, Cluster, DeviceAsk, Dim, Domain, Kept, Port, Shape, TallyId};
use crate::set::NodeId;

/// A pod that asks for a place.
#[derive(Clone, Debug)]
pub struct PodView {
    name: Str,
    class: ClassId,
    shape: Arc<Shape>,
    created: Option<Timestamp>,
}

impl PodView {
    pub(crate) fn new(name: Str, class: ClassId, shape: Arc<Shape>, created: Option<Timestamp>) -> Self {
        Self { name, class, shape, created }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Str {
        &self.name
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Str {
        &self.shape.namespace
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &Map<Str> {
        &self.shape.labels
    }

    /// The value of one of its labels.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&Str> {
        self.shape.labels.get(key)
    }

    /// Its priority, the greater the more important.
    #[must_use]
    pub fn priority(&self) -> i32 {
        self.shape.priority
    }

    /// The profile by which it is placed: its `schedulerName`.
    #[must_use]
    pub fn profile(&self) -> &Str {
        &self.shape.profile
    }

    /// How much of a resource it asks for: thousandths of a core, bytes, pieces. Of the shares of a device
    /// (`…-milli`) also what whole ones come to.
    #[must_use]
    pub fn request(&self, dim: Dim) -> i64 {
        self.shape.get(dim)
    }

    /// What it asks for, by resource, in order; what it does not ask for is left out.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = (Dim, i64)> + '_ {
        self.shape.ask.amounts.iter().copied()
    }

    /// The devices that it asks for, by sort.
    #[must_use]
    pub fn devices(&self) -> &[DeviceAsk] {
        &self.shape.ask.devices
    }

    /// Its class: pods of one class ask the same, so that a rule answers them the same.
    #[must_use]
    pub fn class(&self) -> ClassId {
        self.class
    }

    /// When it was created; nothing, as long as no store has it.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// The queue that it waits in, for fair shares; empty where it says none.
    #[must_use]
    pub fn queue(&self) -> &Str {
        &self.shape.queue
    }

    pub(crate) fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }
}

/// A node, and the cluster around it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    cluster: &'a Cluster,
    id: NodeId,
    /// Room that counts as taken.
    kept: Option<&'a Kept>,
}

impl Cluster {
    /// A node as rules see it.
    #[must_use]
    pub fn at(&self, id: NodeId) -> NodeView<'_> {
        NodeView { cluster: self, id, kept: None }
    }
}

impl<'a> NodeView<'a> {
    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &'a Cluster {
        self.cluster
    }

    /// Its place in the columns.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a Str {
        self.cluster.name(self.id)
    }

    /// The value of one of its labels.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&'a Str> {
        self.cluster.facts(self.id).labels.get(key)
    }

    /// The value of one of its labels as a whole number, if it is one.
    #[must_use]
    pub fn label_i64(&self, key: &str) -> Option<i64> {
        self.label(key)?.parse().ok()
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &'a Map<Str> {
        &self.cluster.facts(self.id).labels
    }

    /// What keeps pods away from it.
    #[must_use]
    pub fn taints(&self) -> &'a [Taint] {
        &self.cluster.facts(self.id).taints
    }

    /// Whether it is closed for new pods.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.cluster.facts(self.id).is_closed
    }

    /// What of a resource pods can have.
    #[must_use]
    pub fn allocatable(&self, dim: Dim) -> i64 {
        self.cluster.columns().allocatable(self.id, dim) as i64
    }

    /// What of a resource is taken, or kept for a pod that is [nominated](Cluster::nominate).
    #[must_use]
    pub fn taken(&self, dim: Dim) -> i64 {
        let taken = self.cluster.columns().taken(self.id, dim) as i64;
        self.kept.map_or(taken, |kept| taken.saturating_add(kept.amount(dim)))
    }

    /// What of a resource is free; less than nothing where more is taken than there is.
    #[must_use]
    pub fn free(&self, dim: Dim) -> i64 {
        self.allocatable(dim).saturating_sub(self.taken(dim))
    }

    /// What is left of each of its devices of a sort, in thousandths: [`WHOLE`](crate::WHOLE) of one that nobody uses.
    #[must_use]
    pub fn devices(&self, dim: Dim) -> &'a [u16] {
        self.cluster.devices(self.id, dim)
    }

    /// The same, less what is kept for those who are nominated there.
    pub(crate) fn devices_left(&self, dim: Dim) -> Cow<'a, [u16]> {
        let free = self.devices(dim);
        self.kept.map_or(Cow::Borrowed(free), |kept| kept.devices_left(dim, free).into())
    }

    /// Whether it has what is asked for of a sort of devices.
    pub(crate) fn has_some(&self, ask: DeviceAsk) -> bool {
        self.cluster.has_some(ask, self.id, self.kept)
    }

    /// How many pods are on it, or nominated for it.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.cluster.pods_on(self.id).len() + self.kept.map_or(0, |kept| kept.pods)
    }

    /// The same node, where some room is kept.
    pub(crate) fn with(self, kept: &'a Kept) -> Self {
        Self { kept: Some(kept), ..self }
    }

    pub(crate) fn taken_ports(&self) -> impl Iterator<Item = &'a Port> {
        self.cluster.taken_ports(self.id).iter().chain(self.kept.into_iter().flat_map(|kept| &kept.ports))
    }

    /// The node's domain by a tally's key, and what the tally counts there.
    pub(crate) fn count(&self, id: TallyId) -> (Domain, i64) {
        let tally = self.cluster.tally(id);
        let domain = self.cluster.column(tally.key).domain(self.id);
        (domain, tally.count(domain) + self.kept.map_or(0, |kept| kept.count(id)))
    }

    /// What a tally counts in all.
    pub(crate) fn total(&self, id: TallyId) -> i64 {
        self.cluster.tally(id).total() + self.kept.map_or(0, |kept| kept.count(id))
    }

    /// The least that a tally counts in a domain.
    pub(crate) fn least(&self, id: TallyId) -> i64 {
        let tally = self.cluster.tally(id);
        self.kept.map_or_else(
            || tally.least(),
            |kept| kept.least(id, tally, self.cluster.column(tally.key), self.id),
        )
    }
}
