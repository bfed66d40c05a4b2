//! [`Cluster`]: the nodes and what runs on them, kept so that a rule finds what it asks for at once.

mod amounts;
mod classes;
mod compile;
mod devices;
mod labels;
mod log;
mod masks;
mod nodes;
mod nominated;
mod place;
mod pods;
mod queues;
mod shape;
mod tallies;
mod volumes;

use std::collections::BTreeMap;

pub(crate) use amounts::amount;
pub use amounts::{Dim, MOST, MOST_DIMS};
pub(crate) use classes::Class;
pub use classes::ClassId;
pub use devices::{DeviceAsk, Devices, MOST_DEVICES, WHOLE};
pub use labels::Key;
pub(crate) use labels::{Column, Domain, NOWHERE};
pub(crate) use log::Cursor;
pub(crate) use masks::meets;
pub(crate) use nodes::{Facts, Nodes};
pub(crate) use nominated::Kept;
pub use pods::PodId;
pub(crate) use shape::{Port, Shape, Spread};
pub(crate) use tallies::{Tally, TallyId};
pub(crate) use volumes::{BIND_COMPLETED, SELECTED_NODE};

use orchestra_core::kinds::{Namespace, Node, PodDisruptionBudget};
use orchestra_core::object::{LabelSelector, Map, Metadata, Str};

use crate::hash::Index;
use crate::set::{NodeId, NodeSet};
use amounts::Dims;
use classes::Classes;
use devices::Shelves;
use labels::Labels;
use log::Log;
use masks::Masks;
use nominated::Nominated;
use pods::Pods;
use queues::Queues;
use volumes::Volumes;

/// The nodes of a cluster and the pods that are placed on them.
///
/// It is told what happens, object by object, and each event costs what has changed and no more. Rules
/// read it; nothing in it is looked up by scanning.
#[derive(Clone, Debug)]
pub struct Cluster {
    dims: Dims,
    nodes: Nodes,
    shelves: Shelves,
    labels: Labels,
    masks: Masks,
    tallies: Vec<Option<Tally>>,
    free_tallies: Vec<TallyId>,
    tally_index: Index,
    classes: Classes,
    /// How many classes there may be before those that nobody needs are looked for.
    classes_kept: usize,
    pods: Pods,
    volumes: Volumes,
    /// Pods whose node is not known, by its name.
    waiting: BTreeMap<Str, Vec<PodId>>,
    nominated: Nominated,
    queues: Queues,
    budgets: BTreeMap<(Str, Str), Budget>,
    /// Raised when a budget changes.
    budgets_version: u64,
    /// The labels of namespaces.
    namespaces: BTreeMap<Str, Map<Str>>,
    /// The host ports that are taken, by node.
    ports: Vec<Vec<Port>>,
    /// On how many nodes each image is.
    images: BTreeMap<Str, u32>,
    log: Log,
    /// Raised by everything but pods coming and going: what nodes and namespaces say.
    objects: u64,
    /// Raised when what some pods say of others concerns another class.
    sayings: u64,
}

/// How many of some pods may go.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    namespace: Str,
    pods: Option<LabelSelector>,
    pub(crate) allowed: i64,
}

impl Default for Cluster {
    fn default() -> Self {
        Self::seeded(0)
    }
}

impl Cluster {
    /// A cluster without nodes. The seed decides which of two equal nodes is taken.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut nodes = Nodes::seeded(seed);
        let dims = Dims::default();
        nodes.widen(dims.len());
        Self {
            dims,
            nodes,
            shelves: Shelves::default(),
            labels: Labels::default(),
            masks: Masks::default(),
            tallies: Vec::new(),
            free_tallies: Vec::new(),
            tally_index: Index::default(),
            classes: Classes::default(),
            classes_kept: compile::FEWEST_KEPT,
            pods: Pods::default(),
            volumes: Volumes::default(),
            waiting: BTreeMap::new(),
            nominated: Nominated::default(),
            queues: Queues::default(),
            budgets: BTreeMap::new(),
            budgets_version: 0,
            namespaces: BTreeMap::new(),
            ports: Vec::new(),
            images: BTreeMap::new(),
            log: Log::default(),
            objects: 0,
            sayings: 0,
        }
    }

    /// Takes over what a node's object says; a new node, if need be.
    pub fn set_node(&mut self, node: &Node) -> NodeId {
        let is_new = self.nodes.find(&node.metadata.name).is_none();
        let id = self.nodes.enter(&node.metadata.name);
        let places = self.nodes.places();
        if self.pods.on.len() < places {
            self.pods.on.resize_with(places, Vec::new);
            self.ports.resize_with(places, Vec::new);
            self.labels.grow(places);
            self.log.fit(places);
        }
        let facts = Facts::of(node);
        let is_other = is_new || self.nodes.facts[id.at()] != facts;
        if is_other {
            self.leave_tallies(id);
            self.note_images(id, false);
            self.nodes.say(id, facts);
            self.labels.set(id, Some(&self.nodes.facts[id.at()]));
            self.masks.set(id, Some(&self.nodes.facts[id.at()]));
            self.note_images(id, true);
            self.enter_tallies(id);
            self.objects += 1;
        }
        // That a node is alive is said every few seconds, and changes nothing.
        let has_other = self.nodes.offer(id, node, &mut self.dims);
        if has_other {
            self.offer_devices(id);
        }
        if has_other || is_other {
            self.log.note(id);
        }
        if let Some(waiting) = self.waiting.remove(&node.metadata.name) {
            waiting.into_iter().for_each(|pod| self.put_on(pod, id));
        }
        id
    }

    /// Forgets a node. Pods that are placed on it wait for its return.
    pub fn remove_node(&mut self, name: &str) {
        let Some(id) = self.nodes.find(name) else { return };
        let name = self.nodes.facts[id.at()].name.clone();
        for pod in self.pods.on[id.at()].clone() {
            self.take_off(pod);
            self.pods.all[pod.at()].waits_for = name.clone();
            self.waiting.entry(name.clone()).or_default().push(pod);
        }
        self.denominate_all(id);
        self.leave_tallies(id);
        self.note_images(id, false);
        self.labels.set(id, None);
        self.masks.set(id, None);
        self.nodes.remove(id);
        self.offer_devices(id);
        self.objects += 1;
        self.log.note(id);
    }

    /// Says which of two equal nodes is taken: the one with the lower rank. It is forgotten with the node: one
    /// that comes back has the rank that follows from the seed.
    pub fn set_rank(&mut self, node: NodeId, rank: u64) {
        self.nodes.ranks[node.at()] = rank;
        self.objects += 1;
        self.log.note(node);
    }

    /// Takes over a namespace's labels.
    pub fn set_namespace(&mut self, namespace: &Namespace) {
        let (name, labels) = (&namespace.metadata.name, &namespace.metadata.labels);
        if self.namespaces.get(name) != Some(labels) {
            self.namespaces.insert(name.clone(), labels.clone());
            self.recount_all();
        }
    }

    /// Forgets a namespace.
    pub fn remove_namespace(&mut self, name: &str) {
        if self.namespaces.remove(name).is_some() {
            self.recount_all();
        }
    }

    /// Takes over how many pods a disruption budget lets go.
    pub fn set_budget(&mut self, budget: &PodDisruptionBudget) {
        let Metadata { namespace, name, .. } = &budget.metadata;
        let (pods, allowed) = (budget.spec.selector.clone(), i64::from(budget.status.disruptions_allowed));
        let budget = Budget { namespace: namespace.clone(), pods, allowed };
        self.budgets.insert((namespace.clone(), name.clone()), budget);
        self.budgets_version += 1;
    }

    /// Forgets a disruption budget.
    pub fn remove_budget(&mut self, namespace: &str, name: &str) {
        self.budgets.remove(&(Str::from(namespace), Str::from(name)));
        self.budgets_version += 1;
    }

    pub(crate) fn budgets_version(&self) -> u64 {
        self.budgets_version
    }

    pub(crate) fn budgets(&self) -> impl Iterator<Item = &Budget> {
        self.budgets.values()
    }

    /// Whether a budget is about a pod.
    pub(crate) fn is_under(&self, budget: &Budget, pod: PodId) -> bool {
        let placed = &self.pods.all[pod.at()];
        let class = self.classes.get(placed.class);
        placed.namespace == budget.namespace
            && budget.pods.as_ref().is_some_and(|pods| class.is_some_and(|it| pods.matches(&it.shape.labels)))
    }

    fn note_images(&mut self, node: NodeId, there: bool) {
        for (image, _) in &self.nodes.facts[node.at()].images {
            if there {
                *self.images.entry(image.clone()).or_default() += 1;
            } else if let Some(nodes) = self.images.get_mut(image) {
                *nodes -= 1;
                if *nodes == 0 {
                    self.images.remove(image);
                }
            }
        }
    }
}

/// What rules read.
impl Cluster {
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.many
    }

    /// Whether there are no nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.many == 0
    }

    /// How many pods are placed.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.pods.many
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> &NodeSet {
        &self.nodes.known
    }

    /// The node of a name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.nodes.find(name)
    }

    /// A pod that is placed on a node.
    pub(crate) fn find_on(&self, node: NodeId, namespace: &str, name: &str) -> Option<PodId> {
        self.pods.find(namespace, name).filter(|pod| self.pods.all[pod.at()].node == Some(node))
    }

    /// The node that a pod is placed on.
    pub(crate) fn place_of(&self, namespace: &str, name: &str) -> Option<NodeId> {
        self.pods.find(namespace, name).and_then(|pod| self.pods.all[pod.at()].node)
    }

    /// The name of a node.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &Str {
        &self.nodes.facts[node.at()].name
    }

    /// The dimension of a resource, if anybody ever named it.
    #[must_use]
    pub fn dim(&self, resource: &str) -> Option<Dim> {
        self.dims.get(resource)
    }

    /// The dimension of a resource, also of one that nobody has named before.
    pub(crate) fn dim_of(&mut self, resource: &Str) -> Dim {
        let dim = self.dims.of(resource);
        self.nodes.widen(self.dims.len());
        dim
    }

    /// The name of a resource.
    #[must_use]
    pub fn resource(&self, dim: Dim) -> &Str {
        self.dims.name(dim)
    }

    /// The key of a label by which some rule groups nodes.
    #[must_use]
    pub fn key(&self, label: &str) -> Option<Key> {
        self.labels.find(label)
    }

    /// How many places the columns have: an array of this length has one for each node.
    #[must_use]
    pub fn places(&self) -> usize {
        self.nodes.places()
    }

    /// What of a resource pods can have on each node, by the node's place.
    #[must_use]
    pub fn allocatable(&self, dim: Dim) -> &[f64] {
        self.nodes.resources.get(dim.at()).map_or(&[], |resource| &resource.allocatable)
    }

    /// What of a resource is taken on each node, by the node's place.
    #[must_use]
    pub fn taken(&self, dim: Dim) -> &[f64] {
        self.nodes.resources.get(dim.at()).map_or(&[], |resource| &resource.taken)
    }

    pub(crate) fn columns(&self) -> &Nodes {
        &self.nodes
    }

    pub(crate) fn column(&self, key: Key) -> &Column {
        self.labels.column(key)
    }

    pub(crate) fn facts(&self, node: NodeId) -> &Facts {
        &self.nodes.facts[node.at()]
    }

    pub(crate) fn rank(&self, node: NodeId) -> u64 {
        self.nodes.ranks[node.at()]
    }

    pub(crate) fn masks(&self) -> &Masks {
        &self.masks
    }

    pub(crate) fn tally(&self, id: TallyId) -> &Tally {
        static NONE: std::sync::LazyLock<Tally> = std::sync::LazyLock::new(Tally::nothing);
        self.tallies[id.0 as usize].as_ref().unwrap_or(&NONE)
    }

    pub(crate) fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(id)
    }

    pub(crate) fn taken_ports(&self, node: NodeId) -> &[Port] {
        &self.ports[node.at()]
    }

    pub(crate) fn nodes_with_image(&self, image: &str) -> u32 {
        self.images.get(image).copied().unwrap_or(0)
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn objects(&self) -> u64 {
        self.objects
    }

    pub(crate) fn sayings(&self) -> u64 {
        self.sayings
    }

    pub(crate) fn pods_on(&self, node: NodeId) -> &[PodId] {
        &self.pods.on[node.at()]
    }
}
