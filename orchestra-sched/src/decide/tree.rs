//! [`Tree`]: nodes that have about the same left stand side by side, and those that cannot be best are passed over
//! together.

use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Decision;
use super::sweep::Weighted;
use crate::bounds::{Amounts, Bounds};
use crate::cluster::{Cluster, Cursor};
use crate::rule::{Filter, Scale};
use crate::set::{NodeId, NodeSet};
use crate::view::PodView;

/// The nodes of a cluster as a tree of boxes: each leaf has some nodes, each other box two boxes, and of each box is
/// known between what the amounts of its nodes lie.
///
/// A node that changes leaves those that it is not like any more, for a leaf of nodes that have changed lately. When there
/// are many of those, the tree is made anew.
///
/// Who looks for the best node opens boxes in the order of the most that a node in them could score. When no box is left
/// that could have a better one than was found, that is the best of all: the same that looking at all would find.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// From so many nodes on there is a tree; without this, none.
    from: Option<usize>,
    leaves: Vec<Leaf>,
    /// By the node's place: its leaf.
    leaf_of: Vec<u32>,
    /// Of the leaves that were made, and of those for nodes that have changed since.
    made: Boxes,
    changed: Boxes,
    /// What the cluster's objects were when it was made.
    objects: Option<u64>,
    seen: Cursor,
    /// How often nodes have changed since it was made.
    changes: usize,
    /// How often it was or would have been of use since.
    wanted: usize,
    /// Up to where in the log it is left alone, after it was of no use.
    rests: Cursor,
    found: u64,
    open: BinaryHeap<(i64, u32, u32)>,
}

/// Some nodes that are like each other.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    nodes: [NodeId; LEAF],
    many: u32,
}

/// The boxes of some leaves, a power of two. The root is the first; those below a box `at` are `2 * at + 1` and
/// `2 * at + 2`. Those of the leaves are the last.
#[derive(Clone, Debug, Default)]
struct Boxes {
    boxes: Vec<Boxed>,
    /// The number of the first of its leaves.
    first_leaf: usize,
}

#[derive(Clone, Copy, Debug)]
struct Boxed {
    bounds: Bounds,
    /// Among equals the node with the greatest is taken: the greatest of its nodes'.
    first: u32,
}

const EMPTY: Boxed = Boxed { bounds: Bounds::NONE, first: 0 };

/// As many nodes are in a leaf at most. More would be looked at one by one, fewer would be more boxes.
const LEAF: usize = 8;
/// Where more than such a part of the nodes have changed, a new tree is better.
const STALE: usize = 16;
/// To make a tree costs about as much as so many looks at all nodes, of many nodes; of few it costs nothing much.
const COST: usize = 16;
/// To look at more than such a part of the nodes one by one costs more than to look at all, 64 at a time.
const MOST_LOOKED_AT: usize = 8;
/// One that costs more than looking at all is left alone until nodes have changed so often.
const REST: u64 = 64;

/// What is asked of a tree.
pub(crate) struct Wanted<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pod: &'a PodView,
    /// Only these count,
    pub(crate) fit: &'a NodeSet,
    /// and of them only those that these filters let pass.
    pub(crate) filters: &'a [&'a Arc<dyn Filter>],
    pub(crate) scores: &'a [Weighted<'a>],
    /// By place: the greater, the earlier a node is taken among equals.
    pub(crate) order: &'a [f64],
}

impl Tree {
    /// A tree for clusters of so many nodes or more.
    pub(crate) fn from(nodes: usize) -> Self {
        Self { from: Some(nodes), ..Self::default() }
    }

    /// Whether a pod can be looked up, as far as its scores go.
    pub(crate) fn serves(&self, cluster: &Cluster, pod: &PodView, scores: &[Weighted<'_>]) -> bool {
        let can = |(score, _): &Weighted<'_>| {
            score.scale() == Scale::Is && score.at_most(pod, &Bounds::NONE).is_some()
        };
        self.rests <= cluster.log().end()
            && self.from.is_some_and(|from| cluster.len() >= from.max(1))
            && scores.iter().all(can)
    }

    /// How many nodes it found.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// The best node, and what it scores; nothing, where looking at all nodes would cost less.
    pub(crate) fn find(&mut self, wanted: &Wanted<'_>) -> Option<Decision> {
        if !self.serves(wanted.cluster, wanted.pod, wanted.scores) || !self.is_current(wanted) {
            return None;
        }
        let decision = self.look_up(wanted);
        match decision {
            Some(_) => self.found += 1,
            None => self.rests = wanted.cluster.log().end() + REST,
        }
        decision
    }

    fn look_up(&mut self, wanted: &Wanted<'_>) -> Option<Decision> {
        let mut left = wanted.cluster.len() / MOST_LOOKED_AT + 8 * LEAF;
        let mut best: Option<(i64, u32, NodeId)> = None;
        self.open.clear();
        self.open.extend([self.rate(wanted, 0), self.rate(wanted, 1)].into_iter().flatten());
        while let Some((most, first, at)) = self.open.pop() {
            if best.is_some_and(|(score, order, _)| (most, first) <= (score, order)) {
                break;
            }
            let Some(leaf) = self.boxes(at).leaf(at as usize / 2) else {
                for below in [at / 2 * 2 + 1, at / 2 * 2 + 2] {
                    let rated = self.rate(wanted, below * 2 + at % 2);
                    self.open.extend(rated);
                }
                continue;
            };
            for node in self.leaves[leaf].nodes() {
                left = left.checked_sub(1)?;
                let order = wanted.order[node.at()] as u32;
                // Most of those that could be equal are not looked at closely.
                if best.is_some_and(|(score, earlier, _)| (most, order) <= (score, earlier)) {
                    continue;
                }
                if let Some(score) = wanted.score(*node) {
                    best = best.max(Some((score, order, *node)));
                }
            }
        }
        Some(best.map_or(Decision::NoFit, |(score, _, node)| Decision::Place { node, score }))
    }

    /// The most that a node in a box could score, what comes first of it, and the box, which is one of those that were
    /// made where it is even; nothing, where the pod fits on none.
    fn rate(&self, wanted: &Wanted<'_>, at: u32) -> Option<(i64, u32, u32)> {
        let Boxed { bounds, first } = self.boxes(at).boxes.get(at as usize / 2)?;
        let is_empty = bounds.least.taken[0] > bounds.most.taken[0];
        if is_empty || wanted.filters.iter().any(|filter| filter.rejects_all(wanted.pod, bounds)) {
            return None;
        }
        let most = |(score, weight): &Weighted<'_>| {
            score.at_most(wanted.pod, bounds).unwrap_or(crate::BEST).clamp(0, crate::BEST) * weight
        };
        Some((wanted.scores.iter().map(most).sum(), *first, at))
    }

    fn boxes(&self, at: u32) -> &Boxes {
        if at.is_multiple_of(2) { &self.made } else { &self.changed }
    }

    /// Sees to it that the tree shows the cluster as it is; tells whether it does.
    fn is_current(&mut self, wanted: &Wanted<'_>) -> bool {
        let cluster = wanted.cluster;
        self.wanted += 1;
        let more = cluster.log().end().saturating_sub(self.seen) as usize;
        let is_same = self.objects == Some(cluster.objects())
            && self.changes.saturating_add(more) <= most_changes(cluster.len());
        if let Some(changed) = is_same.then(|| cluster.log().since(self.seen)).flatten() {
            changed.for_each(|node| self.change(wanted, node));
        } else if self.wanted > (cluster.len() / 64).min(COST) {
            self.make(wanted);
        } else {
            return false;
        }
        self.seen = cluster.log().end();
        true
    }

    /// A node has changed: it goes to the leaves of those that have.
    fn change(&mut self, wanted: &Wanted<'_>, node: NodeId) {
        let Some(leaf) = self.leaf_of.get(node.at()).filter(|leaf| **leaf != u32::MAX) else { return };
        let leaf = *leaf as usize;
        self.leaves[leaf].take_out(node);
        self.box_anew(wanted, leaf);
        // There is one for every eighth change.
        let leaf = self.changed.first_leaf + self.changes / LEAF;
        self.leaves[leaf].put_in(node);
        self.leaf_of[node.at()] = leaf as u32;
        self.box_anew(wanted, leaf);
        self.changes += 1;
    }

    /// Finds out between what the nodes of a leaf lie.
    fn box_anew(&mut self, wanted: &Wanted<'_>, leaf: usize) {
        let boxed = self.leaves[leaf].boxed(wanted);
        let boxes = if leaf < self.changed.first_leaf { &mut self.made } else { &mut self.changed };
        boxes.set(leaf, boxed);
    }

    fn make(&mut self, wanted: &Wanted<'_>) {
        let cluster = wanted.cluster;
        let mut all: Vec<Placed> = cluster.nodes().iter().map(|node| Placed::of(cluster, node)).collect();
        self.leaves.clear();
        let into = all.len().div_ceil(LEAF).next_power_of_two();
        split(&mut all, into, &mut self.leaves);
        let made = self.leaves.len();
        let changed = (most_changes(all.len()) / LEAF + 1).next_power_of_two();
        self.leaves.resize(made + changed, Leaf::EMPTY);
        self.leaf_of.clear();
        self.leaf_of.resize(cluster.places(), u32::MAX);
        for (number, leaf) in self.leaves.iter().enumerate() {
            leaf.nodes().iter().for_each(|node| self.leaf_of[node.at()] = number as u32);
        }
        self.made.make(0, self.leaves[..made].iter().map(|leaf| leaf.boxed(wanted)));
        self.changed.make(made, std::iter::repeat_n(EMPTY, changed));
        self.objects = Some(cluster.objects());
        (self.changes, self.wanted) = (0, 0);
    }
}

/// How often nodes may change before a tree of so many is made anew.
fn most_changes(nodes: usize) -> usize {
    nodes / STALE + LEAF
}

impl Leaf {
    const EMPTY: Self = Self { nodes: [NodeId::of(0); LEAF], many: 0 };

    fn nodes(&self) -> &[NodeId] {
        &self.nodes[..self.many as usize]
    }

    fn put_in(&mut self, node: NodeId) {
        self.nodes[self.many as usize] = node;
        self.many += 1;
    }

    fn take_out(&mut self, node: NodeId) {
        if let Some(at) = self.nodes().iter().position(|it| *it == node) {
            self.many -= 1;
            self.nodes[at] = self.nodes[self.many as usize];
        }
    }

    fn boxed(&self, wanted: &Wanted<'_>) -> Boxed {
        let mut boxed = EMPTY;
        for node in self.nodes() {
            boxed.bounds.widen(&Amounts::of(wanted.cluster.columns(), *node));
            boxed.first = boxed.first.max(wanted.order[node.at()] as u32);
        }
        boxed
    }
}

impl Boxes {
    /// The boxes of as many leaves as a power of two.
    fn make(&mut self, first_leaf: usize, leaves: impl ExactSizeIterator<Item = Boxed>) {
        self.first_leaf = first_leaf;
        self.boxes.clear();
        self.boxes.resize(leaves.len() - 1, EMPTY);
        self.boxes.extend(leaves);
        for at in (0..self.inner()).rev() {
            self.boxes[at] = self.both_below(at);
        }
    }

    /// How many boxes have others below them.
    fn inner(&self) -> usize {
        self.boxes.len() / 2
    }

    /// The leaf that a box is of.
    fn leaf(&self, at: usize) -> Option<usize> {
        at.checked_sub(self.inner()).map(|leaf| self.first_leaf + leaf)
    }

    fn set(&mut self, leaf: usize, mut new: Boxed) {
        let mut at = self.inner() + leaf - self.first_leaf;
        loop {
            let old = std::mem::replace(&mut self.boxes[at], new);
            if at == 0 || (old.bounds == new.bounds && old.first == new.first) {
                return;
            }
            at = (at - 1) / 2;
            new = self.both_below(at);
        }
    }

    fn both_below(&self, at: usize) -> Boxed {
        let (one, other) = (&self.boxes[2 * at + 1], &self.boxes[2 * at + 2]);
        Boxed { bounds: one.bounds.with(&other.bounds), first: one.first.max(other.first) }
    }
}

impl Wanted<'_> {
    /// What a node scores, if the pod fits there.
    fn score(&self, node: NodeId) -> Option<i64> {
        let view = self.cluster.at(node);
        let fits = |filter: &&Arc<dyn Filter>| filter.filter(self.pod, &view).fits();
        if !self.fit.contains(node) || !self.filters.iter().all(fits) {
            return None;
        }
        let of = |(score, weight): &Weighted<'_>| score.score(self.pod, &view).clamp(0, crate::BEST) * weight;
        Some(self.scores.iter().map(of).sum())
    }
}

/// A node, and where it stands: what is taken of it, and how large it is.
#[derive(Clone, Copy)]
struct Placed {
    node: NodeId,
    at: [f64; 4],
}

impl Placed {
    fn of(cluster: &Cluster, node: NodeId) -> Self {
        let amounts = Amounts::of(cluster.columns(), node);
        let share = |at: usize| {
            let share = amounts.taken[at] / amounts.allocatable[at];
            if share.is_finite() { share.clamp(0.0, 2.0) } else { 0.0 }
        };
        // Doubled, a size is as far away as what is full is from what is empty.
        let size = |at: usize| libm::log2(1.0 + amounts.allocatable[at].max(0.0));
        Self { node, at: [share(0), share(1), size(0), size(1)] }
    }
}

/// Puts nodes into so many leaves, a power of two, such that those of a leaf are like each other: halves them again and
/// again, each time where they lie farthest apart.
fn split(nodes: &mut [Placed], into: usize, leaves: &mut Vec<Leaf>) {
    if into == 1 {
        let mut leaf = Leaf::EMPTY;
        nodes.iter().for_each(|placed| leaf.put_in(placed.node));
        leaves.push(leaf);
        return;
    }
    let width = |at: &usize| {
        let (least, most) = nodes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), node| {
            (least.min(node.at[*at]), most.max(node.at[*at]))
        });
        most - least
    };
    let widest = (0..4).map(|at| (width(&at), at)).max_by(|one, other| one.0.total_cmp(&other.0));
    let (_, by) = widest.unwrap_or((0.0, 0));
    let half = nodes.len() / 2;
    if half > 0 {
        nodes.select_nth_unstable_by(half, |one, other| {
            one.at[by].total_cmp(&other.at[by]).then(one.node.cmp(&other.node))
        });
    }
    let (one, other) = nodes.split_at_mut(half);
    split(one, into / 2, leaves);
    split(other, into / 2, leaves);
}
