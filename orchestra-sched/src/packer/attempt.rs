//! [`Attempt`]: one way to place a batch, and how pods make way for each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::MOST_EJECTIONS;
use crate::cluster::{Cluster, Dim};
use crate::decide::{Decider, Decision};
use crate::fits::{fits, fitting};
use crate::profile::Profile;
use crate::rule::{BEST, Reads};
use crate::set::NodeId;
use crate::view::PodView;

/// How long a chain may be: one makes room for another, which makes room for a third, and so on.
const LONGEST_CHAIN: usize = 3;

/// How many nodes are tried for a pod that does not fit, those where the least is missing.
const MOST_NODES_TRIED: usize = 24;

/// In which order pods of one priority are tried, by their greatest share of what there is in all, or the sum of their
/// shares. If all fit, the large ones must come first; if not, more of the small ones do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Largest,
    LargestSum,
    Smallest,
    SmallestSum,
}

/// One way to place the batch.
pub(super) struct Attempt<'a> {
    batch: &'a [PodView],
    cluster: Cluster,
    decider: Decider,
    decisions: Vec<Decision>,
    sizes: Vec<i64>,
    /// The pods of the batch that may be moved, by node.
    on: BTreeMap<NodeId, Vec<usize>>,
    left: usize,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(profile: Profile, batch: &'a [PodView], cluster: Cluster) -> Self {
        let decider = Decider::new(profile);
        let decisions = vec![Decision::NoFit; batch.len()];
        let on = BTreeMap::new();
        Self { batch, cluster, decider, decisions, sizes: Vec::new(), on, left: MOST_EJECTIONS }
    }

    /// The cluster as it has become.
    pub(super) fn into_cluster(self) -> Cluster {
        self.cluster
    }

    pub(super) fn run(&mut self, by: Order) -> Vec<Decision> {
        let totals = totals(&self.cluster);
        let by_sum = matches!(by, Order::LargestSum | Order::SmallestSum);
        let sign = if matches!(by, Order::Smallest | Order::SmallestSum) { -1 } else { 1 };
        self.sizes = self.batch.iter().map(|pod| size(pod, &totals, by_sum)).collect();
        let mut order: Vec<_> = (0..self.batch.len()).collect();
        order.sort_by_key(|at| (Reverse(self.batch[*at].priority()), Reverse(sign * self.sizes[*at]), *at));
        let mut refused = Vec::new();
        for at in order {
            self.decisions[at] = self.put(at);
            if self.decisions[at] == Decision::NoFit {
                refused.push(at);
            }
        }
        let mut in_vain = BTreeSet::new();
        for at in refused {
            // Where no room could be made for one, there is none for another that asks the same.
            if self.left == 0 || in_vain.contains(&self.batch[at].class()) {
                continue;
            }
            let mut moved = Vec::new();
            if !self.make_room(at, LONGEST_CHAIN, &mut moved) {
                self.undo(moved);
                in_vain.insert(self.batch[at].class());
            }
        }
        std::mem::take(&mut self.decisions)
    }

    /// Puts a pod where it fits best, if anywhere.
    fn put(&mut self, at: usize) -> Decision {
        let decision = self.decider.decide(&self.cluster, &self.batch[at]);
        if let Decision::Place { node, .. } = decision {
            self.put_on(at, node);
        }
        decision
    }

    fn put_on(&mut self, at: usize, node: NodeId) {
        self.cluster.assume(&self.batch[at], node);
        if self.is_free(at) {
            self.on.entry(node).or_default().push(at);
        }
    }

    fn take_off(&mut self, at: usize, node: NodeId) {
        self.cluster.remove_pod(self.batch[at].namespace(), self.batch[at].name());
        self.on.entry(node).or_default().retain(|it| *it != at);
    }

    /// Whether a pod concerns nobody but the node where it is.
    fn is_free(&self, at: usize) -> bool {
        let pod = &self.batch[at];
        let is_local = |it: &std::sync::Arc<dyn crate::Filter>| it.reads(pod, &self.cluster) == Reads::Node;
        self.decider.profile().filters().iter().all(is_local)
            && self.cluster.class(pod.class()).is_some_and(|class| class.counted_by.is_empty())
    }

    /// Places a pod that does not fit, by moving smaller ones; notes what it changes. Whoever fails leaves that to be
    /// undone.
    fn make_room(&mut self, at: usize, chain: usize, moved: &mut Vec<(usize, Decision)>) -> bool {
        for node in self.nearly(at) {
            let before = moved.len();
            let mut ejected = Vec::new();
            let mut others = self.on.get(&node).cloned().unwrap_or_default();
            // The smallest that make room: they find another place most easily.
            others.retain(|it| self.sizes[*it] < self.sizes[at]);
            others.sort_by_key(|it| (self.sizes[*it], *it));
            let mut is_in = false;
            for other in others {
                if self.left == 0 {
                    break;
                }
                self.left -= 1;
                self.take_off(other, node);
                moved.push((other, self.decisions[other]));
                self.decisions[other] = Decision::NoFit;
                ejected.push(other);
                is_in = fits(self.decider.profile(), &self.cluster, &self.batch[at], node);
                if is_in {
                    break;
                }
            }
            if is_in {
                moved.push((at, self.decisions[at]));
                self.decisions[at] = Decision::Place { node, score: BEST };
                self.put_on(at, node);
                ejected.sort_by_key(|it| (Reverse(self.sizes[*it]), *it));
                if ejected.into_iter().all(|it| self.put_again(it, chain, moved)) {
                    return true;
                }
            }
            let since = moved.split_off(before);
            self.undo(since);
        }
        false
    }

    /// Finds another place for a pod that had to go.
    fn put_again(&mut self, at: usize, chain: usize, moved: &mut Vec<(usize, Decision)>) -> bool {
        moved.push((at, self.decisions[at]));
        self.decisions[at] = self.put(at);
        self.decisions[at] != Decision::NoFit || chain > 1 && self.make_room(at, chain - 1, moved)
    }

    /// The nodes where a pod would fit if others of the batch were not there, those first where these take up least.
    fn nearly(&mut self, at: usize) -> Vec<NodeId> {
        let pod = &self.batch[at];
        let mut bare = NearlyBare { cluster: &mut self.cluster, lifted: Vec::new() };
        for (node, others) in &self.on {
            for other in others.iter().filter(|it| self.sizes[**it] < self.sizes[at]) {
                bare.lift(&self.batch[*other], *node);
            }
        }
        let fit = fitting(self.decider.profile(), bare.cluster, pod);
        // To look at all nodes, and to lift so many, is work, too.
        self.left = self.left.saturating_sub(1 + bare.lifted.len() / 16);
        bare.lower();
        let missing = |node: NodeId| -> i128 {
            let view = self.cluster.at(node);
            let lacks = |(dim, asked): (Dim, i64)| {
                let missing = i128::from(asked.saturating_sub(view.free(dim)).max(0));
                missing * 1_000_000 / i128::from(view.allocatable(dim).max(1))
            };
            pod.requests().map(lacks).sum()
        };
        let has_some = |node: &NodeId| self.on.get(node).is_some_and(|it| !it.is_empty());
        let mut nodes: Vec<_> = fit.iter().filter(has_some).collect();
        nodes.sort_by_key(|node| (missing(*node), self.cluster.rank(*node), *node));
        nodes.truncate(MOST_NODES_TRIED);
        nodes
    }

    /// Undoes changes, the last one first.
    fn undo(&mut self, moved: Vec<(usize, Decision)>) {
        for (at, before) in moved.into_iter().rev() {
            if let Decision::Place { node, .. } = self.decisions[at] {
                self.take_off(at, node);
            }
            self.decisions[at] = before;
            if let Decision::Place { node, .. } = before {
                self.put_on(at, node);
            }
        }
    }
}

/// A cluster from which some pods are taken for a moment.
struct NearlyBare<'a> {
    cluster: &'a mut Cluster,
    lifted: Vec<(crate::PodId, NodeId)>,
}

impl NearlyBare<'_> {
    fn lift(&mut self, pod: &PodView, node: NodeId) {
        let is = |it: &crate::PodId| {
            let placed = self.cluster.placed(*it);
            placed.name == *pod.name() && placed.namespace == *pod.namespace()
        };
        if let Some(found) = self.cluster.pods_on(node).iter().copied().find(is) {
            self.cluster.lift(found);
            self.lifted.push((found, node));
        }
    }

    fn lower(&mut self) {
        for (pod, node) in self.lifted.drain(..).rev() {
            self.cluster.lower(pod, node);
        }
    }
}

/// What there is of each resource in all.
fn totals(cluster: &Cluster) -> Vec<i128> {
    let all = |at: usize| cluster.allocatable(Dim(at as u16)).iter().map(|it| *it as i128).sum();
    (0..cluster.columns().resources.len()).map(all).collect()
}

/// How large a pod is: its greatest share of what there is in all, or the sum of its shares.
fn size(pod: &PodView, totals: &[i128], by_sum: bool) -> i64 {
    let share = |(dim, asked): (Dim, i64)| {
        let total = totals.get(dim.at()).copied().unwrap_or(0).max(1);
        (i128::from(asked) * 1_000_000_000 / total).min(1 << 40)
    };
    let shares = pod.requests().map(share);
    let size = if by_sum { shares.sum() } else { shares.max().unwrap_or(0) };
    size.min(1 << 60) as i64
}
