//! [`Nodes`]: what is known of each node, as columns.

use orchestra_core::kinds::{Node, Taint, TaintEffect};
use orchestra_core::object::{Map, Quantity, Str};

use super::amounts::{Ask, Dim, Dims, MOST, MOST_DIMS, amount};
use super::devices::{MOST_DEVICES, WHOLE};
use crate::hash::{Index, hash, mix};
use crate::rule::BLOCK;
use crate::set::{NodeId, NodeSet, WORD};

/// What a node's object says, as far as some rule asks for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) name: Str,
    pub(crate) labels: Map<Str>,
    pub(crate) taints: Vec<Taint>,
    pub(crate) is_closed: bool,
    /// The images that it has, and their bytes.
    pub(crate) images: Vec<(Str, u64)>,
}

impl Facts {
    pub(crate) fn of(node: &Node) -> Self {
        let images = node.status.images.iter();
        let mut images: Vec<_> = images
            .flat_map(|image| image.names.iter().map(|name| (name.clone(), image.size_bytes)))
            .collect();
        images.sort_unstable();
        images.dedup_by(|one, other| one.0 == other.0);
        Self {
            name: node.metadata.name.clone(),
            labels: node.metadata.labels.clone(),
            taints: node.spec.taints.clone(),
            is_closed: node.spec.unschedulable,
            images,
        }
    }

    /// Whether some taint would rather have no pods.
    pub(crate) fn is_disliked(&self) -> bool {
        self.taints.iter().any(|taint| taint.effect == TaintEffect::PreferNoSchedule)
    }
}

/// One number a node. As floating-point numbers, since processors compare and divide those several at a
/// time; all of them are whole and less than 2⁵³, so that nothing is rounded.
pub(crate) type Column = Vec<f64>;

/// What there is and what is taken of one resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource {
    pub(crate) allocatable: Column,
    pub(crate) taken: Column,
    /// What all nodes have of it.
    pub(crate) total: i128,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    index: Index,
    pub(crate) facts: Vec<Facts>,
    free: Vec<NodeId>,
    pub(crate) known: NodeSet,
    pub(crate) closed: NodeSet,
    /// How many nodes have a taint that would rather have no pods.
    pub(crate) disliked: usize,
    /// How many nodes there are.
    pub(crate) many: usize,
    pub(crate) resources: Vec<Resource>,
    /// Processor time and memory taken, where each pod needs a little at least.
    pub(crate) presumed_cpu: Column,
    pub(crate) presumed_memory: Column,
    /// Which of two equal nodes is taken: the one with the lower rank.
    pub(crate) ranks: Vec<u64>,
    seed: u64,
}

impl Nodes {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(crate) fn find(&self, name: &str) -> Option<NodeId> {
        let is = |at: u32| {
            let node = NodeId(at);
            self.known.contains(node) && self.facts[node.at()].name == name
        };
        self.index.find(hash(name), is).map(NodeId)
    }

    /// How many places the columns have; a multiple of 64.
    pub(crate) fn places(&self) -> usize {
        self.facts.len()
    }

    /// The place of a node of this name, a new one if need be.
    pub(crate) fn enter(&mut self, name: &Str) -> NodeId {
        if let Some(node) = self.find(name) {
            return node;
        }
        if self.free.is_empty() {
            let old = self.facts.len();
            self.grow(old + WORD);
            self.free.extend((old..old + WORD).rev().map(NodeId::of));
        }
        let node = self.free.pop().unwrap_or_default();
        self.facts[node.at()].name = name.clone();
        self.ranks[node.at()] = mix(hash(name.as_str()) ^ mix(self.seed));
        self.known.insert(node);
        self.many += 1;
        let facts = &self.facts;
        self.index.insert(hash(name.as_str()), node.0, |at| hash(facts[at as usize].name.as_str()));
        node
    }

    fn grow(&mut self, places: usize) {
        self.facts.resize_with(places, Facts::default);
        self.ranks.resize(places, u64::MAX);
        self.presumed_cpu.resize(places, 0.0);
        self.presumed_memory.resize(places, 0.0);
        for resource in &mut self.resources {
            resource.allocatable.resize(places, 0.0);
            resource.taken.resize(places, 0.0);
        }
    }

    /// Makes columns for dimensions that are new.
    pub(crate) fn widen(&mut self, dims: usize) {
        let places = self.places();
        self.resources.resize_with(dims.max(self.resources.len()), || Resource {
            allocatable: vec![0.0; places],
            taken: vec![0.0; places],
            total: 0,
        });
    }

    /// Takes over what a node's object says.
    pub(crate) fn say(&mut self, id: NodeId, facts: Facts) {
        self.disliked -= usize::from(self.facts[id.at()].is_disliked());
        self.disliked += usize::from(facts.is_disliked());
        self.closed.set(id, facts.is_closed);
        self.facts[id.at()] = facts;
    }

    /// Takes over what a node has for pods; tells whether that is something else than before.
    pub(crate) fn offer(&mut self, id: NodeId, node: &Node, dims: &mut Dims) -> bool {
        let of = |(name, it): (&Str, &Quantity)| {
            let dim = dims.of(name);
            (dim, amount(dim, *it).max(0))
        };
        let mut amounts: Vec<_> = node.status.allocatable.iter().map(of).collect();
        self.widen(dims.len());
        for (whole, share) in dims.shared() {
            // What there is in shares follows from the devices, whatever is said of it.
            amounts.retain(|(dim, _)| *dim != share);
            let many = amounts.iter().find(|(dim, _)| *dim == whole).map_or(0, |(_, many)| *many);
            if (1..=MOST_DEVICES as i64).contains(&many) {
                amounts.push((share, many * i64::from(WHOLE)));
            }
        }
        let mut changed = false;
        for (at, resource) in self.resources.iter_mut().enumerate() {
            let dim = Dim(at as u16);
            // More resources than there are columns for are on no node.
            let said = amounts.iter().find(|(it, _)| *it == dim && at < MOST_DIMS);
            let has = said.map_or(0.0, |(_, amount)| *amount as f64);
            let had = std::mem::replace(&mut resource.allocatable[id.at()], has);
            resource.total += has as i128 - had as i128;
            changed |= had != has;
        }
        changed
    }

    /// Takes a node out. Its pods must have been taken off before.
    pub(crate) fn remove(&mut self, id: NodeId) {
        let facts = &self.facts;
        self.index
            .remove(hash(facts[id.at()].name.as_str()), id.0, |at| hash(facts[at as usize].name.as_str()));
        self.say(id, Facts::default());
        for resource in &mut self.resources {
            resource.total -= std::mem::take(&mut resource.allocatable[id.at()]) as i128;
        }
        self.ranks[id.at()] = u64::MAX;
        self.known.remove(id);
        self.many -= 1;
        self.free.push(id);
    }

    /// Takes what a pod asks for, so many times; tells whether it was and is exactly what it says. Beyond
    /// what floating-point numbers count exactly, it is a great deal too much in any case.
    pub(crate) fn take(&mut self, node: NodeId, ask: &Ask, times: f64) -> bool {
        let (at, mut exact) = (node.at(), true);
        let mut change = |column: &mut Column, amount: i64| {
            exact &= column[at].abs() < MOST as f64;
            column[at] += amount as f64 * times;
            exact &= column[at].abs() < MOST as f64;
        };
        for (dim, amount) in ask.taken() {
            change(&mut self.resources[dim.at()].taken, amount);
        }
        change(&mut self.resources[Dim::PODS.at()].taken, 1);
        change(&mut self.presumed_cpu, ask.cpu);
        change(&mut self.presumed_memory, ask.memory);
        exact
    }

    /// Takes nothing any more.
    pub(crate) fn take_nothing(&mut self, node: NodeId) {
        let presumed = [&mut self.presumed_cpu, &mut self.presumed_memory];
        let columns = self.resources.iter_mut().map(|resource| &mut resource.taken).chain(presumed);
        columns.for_each(|column| column[node.at()] = 0.0);
    }

    /// What stands in a column for a block of nodes.
    pub(crate) fn block(column: &[f64], block: usize) -> &[f64; BLOCK] {
        static NOTHING: [f64; BLOCK] = [0.0; BLOCK];
        column.as_chunks().0.get(block).unwrap_or(&NOTHING)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (NodeId, &Facts)> + '_ {
        self.known.iter().map(|node| (node, &self.facts[node.at()]))
    }

    #[inline]
    pub(crate) fn allocatable(&self, node: NodeId, dim: Dim) -> f64 {
        self.resources.get(dim.at()).map_or(0.0, |resource| resource.allocatable[node.at()])
    }

    #[inline]
    pub(crate) fn taken(&self, node: NodeId, dim: Dim) -> f64 {
        self.resources.get(dim.at()).map_or(0.0, |resource| resource.taken[node.at()])
    }
}
