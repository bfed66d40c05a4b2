//! [`Sweep`]: looking at all nodes, rule by rule.

use std::sync::Arc;

use super::Decision;
use super::tree::{Tree, Wanted};
use crate::cluster::{Cluster, Nodes};
use crate::profile::Profile;
use crate::rule::{BLOCK, Filter, Only, Reads, Score};
use crate::set::{NodeId, NodeSet};
use crate::view::{NodeView, PodView};

/// What a sweep works with. It is kept so that a decision allocates nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweep {
    /// Where the pod fits.
    pub(crate) fit: NodeSet,
    /// The weighted scores of those nodes, by place.
    pub(crate) totals: Vec<i64>,
    one: Vec<i64>,
    /// The same, by blocks.
    sums: Vec<[f64; BLOCK]>,
    /// By place: the greater, the earlier a node is taken among equals; and of which of the cluster's objects.
    order: Vec<f64>,
    order_of: Option<u64>,
    /// For pods about whose class nothing is kept.
    pub(crate) tree: Tree,
}

/// Sums are that many apart where ranks are added: enough for sixteen million nodes, and exact up to 2⁵³.
const RANKS: f64 = (1 << 24) as f64;
const MOST_SUM: i64 = 1 << 29;

/// A score, and how much it counts.
pub(crate) type Weighted<'a> = (&'a Arc<dyn Score>, i64);

fn greater(one: f64, other: f64) -> f64 {
    if one > other { one } else { other }
}

/// Adds what scores say of a block of nodes; nothing, where one of them cannot be asked so.
fn add_block(
    scores: &[Weighted<'_>],
    cluster: &Cluster,
    pod: &PodView,
    block: usize,
    sums: &mut [f64; BLOCK],
) -> Option<()> {
    let mut scores = scores.iter();
    scores.all(|(score, weight)| score.add_block(pod, cluster, block, *weight as f64, sums)).then_some(())
}

/// The greatest of those in a block whose bits are set, several compared at a time; the others become -1.
fn greatest(block: &mut [f64; BLOCK], bits: u64) -> f64 {
    let mut others = !bits;
    while others != 0 {
        block[others.trailing_zeros() as usize] = -1.0;
        others &= others - 1;
    }
    let mut top = [f64::MIN; 8];
    for lane in block.as_chunks::<8>().0 {
        for (top, one) in top.iter_mut().zip(lane) {
            *top = greater(*one, *top);
        }
    }
    top.into_iter().fold(f64::MIN, greater)
}

/// The scores that have something to say about a pod, and what the others come to.
fn said<'a>(profile: &'a Profile, cluster: &Cluster, pod: &PodView) -> (Vec<Weighted<'a>>, i64) {
    let (mut asked, mut constant) = (Vec::with_capacity(profile.scores().len()), 0);
    for (score, weight) in profile.scores().filter(|(_, weight)| *weight > 0) {
        match score.constant(pod, cluster) {
            Some(it) => constant += it * weight,
            None => asked.push((score, weight)),
        }
    }
    (asked, constant)
}

impl Sweep {
    /// Where trees are made for clusters of so many nodes or more.
    pub(crate) fn with_tree(from: usize) -> Self {
        Self { tree: Tree::from(from), ..Self::default() }
    }

    /// Whether a pod can be looked up in the tree.
    pub(crate) fn is_served(&self, profile: &Profile, cluster: &Cluster, pod: &PodView) -> bool {
        let is_late = |filter: &Arc<dyn Filter>| {
            filter.filter_block(pod, cluster, 0).is_some() || filter.reads(pod, cluster) == Reads::Node
        };
        self.tree.serves(cluster, pod, &said(profile, cluster, pod).0)
            && profile.filters().iter().all(is_late)
    }

    /// Asks all rules about all nodes.
    pub(crate) fn decide(&mut self, profile: &Profile, cluster: &Cluster, pod: &PodView) -> Decision {
        self.fit.copy_from(cluster.nodes());
        for filter in profile.filters() {
            match filter.only(pod, cluster) {
                Only::Any => {}
                Only::These(nodes) => self.fit.keep(&nodes),
                Only::Never(_) => return Decision::NoFit,
            }
        }
        // Those that read what scores read are asked together with them.
        let (late, early): (Vec<_>, Vec<_>) =
            profile.filters().iter().partition(|filter| filter.filter_block(pod, cluster, 0).is_some());
        early.into_iter().for_each(|filter| filter.filter_all(pod, cluster, &mut self.fit));
        self.leave_alone(cluster, pod, |node| {
            profile.filters().iter().all(|filter| filter.filter(pod, node).fits())
        });
        if let Some(decision) = self.by_blocks(&late, profile, cluster, pod) {
            return decision;
        }
        late.into_iter().for_each(|filter| filter.filter_all(pod, cluster, &mut self.fit));
        self.sum(profile.scores(), cluster, pod);
        best(cluster, &self.fit, &self.totals)
    }

    /// The best of the nodes where the pod fits, 64 nodes at a time, if all scores that have something to say
    /// can be asked so. Each block is looked at once, while it is near.
    fn by_blocks(
        &mut self,
        filters: &[&Arc<dyn Filter>],
        profile: &Profile,
        cluster: &Cluster,
        pod: &PodView,
    ) -> Option<Decision> {
        let (asked, constant) = said(profile, cluster, pod);
        let weights: i64 = asked.iter().map(|(_, weight)| weight).sum();
        if weights * crate::BEST >= MOST_SUM || cluster.places() > RANKS as usize {
            return None;
        }
        self.order(cluster);
        let Self { fit, order, tree, .. } = self;
        let found = tree.find(&Wanted { cluster, pod, fit, filters, scores: &asked, order });
        match found {
            Some(Decision::Place { node, score }) => {
                return Some(Decision::Place { node, score: score + constant });
            }
            Some(decision) => return Some(decision),
            None => {}
        }
        let (mut top, mut best) = (-1.0, None);
        for (block, word) in self.fit.words() {
            let fits = |filter: &&Arc<dyn Filter>| filter.filter_block(pod, cluster, block).unwrap_or(0);
            let word = filters.iter().map(fits).fold(word, |word, fit| word & fit);
            if word == 0 {
                continue;
            }
            let mut sums = [0.0; BLOCK];
            add_block(&asked, cluster, pod, block, &mut sums)?;
            // No two are equal then: what follows from the ranks is added to each.
            for (sum, order) in sums.iter_mut().zip(Nodes::block(&self.order, block)) {
                *sum = *sum * RANKS + order;
            }
            let peak = greatest(&mut sums, word);
            if peak > top {
                let at = sums.iter().position(|sum| *sum == peak)?;
                (top, best) = (peak, Some(NodeId::of(block * BLOCK + at)));
            }
        }
        let score = (top / RANKS) as i64 + constant;
        Some(best.map_or(Decision::NoFit, |node| Decision::Place { node, score }))
    }

    /// Finds out in which order equal nodes are taken, if that may be another one now.
    fn order(&mut self, cluster: &Cluster) {
        if self.order_of == Some(cluster.objects()) {
            return;
        }
        let mut nodes: Vec<_> = cluster.nodes().iter().collect();
        nodes.sort_unstable_by_key(|node| (cluster.rank(*node), *node));
        self.order.clear();
        self.order.resize(cluster.places(), 0.0);
        for (at, node) in nodes.into_iter().rev().enumerate() {
            self.order[node.at()] = at as f64;
        }
        self.order_of = Some(cluster.objects());
    }

    /// Sums up what scores say of the nodes where the pod fits, 64 nodes at a time; tells whether all can be
    /// asked so.
    pub(crate) fn sum_blocks(&mut self, scores: &[Weighted<'_>], cluster: &Cluster, pod: &PodView) -> bool {
        self.sums.resize(cluster.places() / BLOCK, [0.0; BLOCK]);
        self.fit.words().all(|(block, _)| {
            self.sums[block].fill(0.0);
            add_block(scores, cluster, pod, block, &mut self.sums[block]).is_some()
        })
    }

    /// What was summed up so for a node where the pod fits.
    pub(crate) fn block_sum(&self, node: NodeId) -> f64 {
        self.sums[node.at() / BLOCK][node.at() % BLOCK]
    }

    /// Takes out the nodes where the pod does not fit beside those who are nominated there.
    pub(crate) fn leave_alone(
        &mut self,
        cluster: &Cluster,
        pod: &PodView,
        fits: impl Fn(&NodeView<'_>) -> bool,
    ) {
        for node in cluster.kept_from(pod).filter(|node| self.fit.contains(*node)).collect::<Vec<_>>() {
            if cluster.kept(pod, node).is_some_and(|kept| !fits(&cluster.at(node).with(&kept))) {
                self.fit.remove(node);
            }
        }
    }

    /// Sums up what scores say.
    pub(crate) fn sum<'a>(
        &mut self,
        scores: impl Iterator<Item = Weighted<'a>>,
        cluster: &Cluster,
        pod: &PodView,
    ) {
        self.totals.clear();
        self.totals.resize(cluster.places(), 0);
        self.add(scores, cluster, pod);
    }

    /// Adds what scores say to what is there.
    pub(crate) fn add<'a>(
        &mut self,
        scores: impl Iterator<Item = Weighted<'a>>,
        cluster: &Cluster,
        pod: &PodView,
    ) {
        if self.fit.is_empty() {
            return;
        }
        self.one.resize(cluster.places(), 0);
        for (score, weight) in scores.filter(|(_, weight)| *weight > 0) {
            if let Some(constant) = score.constant(pod, cluster) {
                let totals = &mut self.totals;
                self.fit.in_words(|places, _| {
                    totals[places]
                        .iter_mut()
                        .for_each(|total| *total = total.wrapping_add(constant * weight));
                });
                continue;
            }
            score.score_all(pod, cluster, &self.fit, &mut self.one);
            score.scale().apply(&**score, &self.fit, &mut self.one);
            self.add_one(weight);
        }
    }

    /// Adds what a score said of each node, before scaling.
    pub(crate) fn add_raw(&mut self, score: &dyn Score, weight: i64, raw: &[i64]) {
        self.one.clear();
        self.one.extend_from_slice(raw);
        score.scale().apply(score, &self.fit, &mut self.one);
        self.add_one(weight);
    }

    fn add_one(&mut self, weight: i64) {
        let Self { fit, totals, one, .. } = self;
        fit.in_words(|places, _| {
            for (total, one) in totals[places.clone()].iter_mut().zip(&one[places]) {
                // Where the pod does not fit, anything may stand, and nobody looks.
                *total = total.wrapping_add(one.wrapping_mul(weight));
            }
        });
    }
}

/// The best of some nodes: the greatest score, and of those that have it the one with the least rank.
pub(crate) fn best(cluster: &Cluster, fit: &NodeSet, totals: &[i64]) -> Decision {
    let mut top = None;
    fit.in_words(|places, bits| {
        let of = |(at, total): (usize, &i64)| (bits >> at & 1 == 1).then_some(*total);
        top = top.max(totals[places].iter().enumerate().filter_map(of).max());
    });
    let Some(score) = top else { return Decision::NoFit };
    let equal = fit.iter().filter(|node| totals[node.at()] == score);
    match equal.min_by_key(|node| (cluster.rank(*node), *node)) {
        Some(node) => Decision::Place { node, score },
        None => Decision::NoFit,
    }
}
