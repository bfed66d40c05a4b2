//! [`Sweep`]: looking at all nodes, rule by rule.

use std::sync::Arc;

use super::Decision;
use crate::cluster::Cluster;
use crate::profile::Profile;
use crate::rule::{BLOCK, Only, Score};
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
    /// By blocks: the greatest sum, and each node's.
    sums: Vec<(f64, [f64; BLOCK])>,
}

fn greater(one: f64, other: f64) -> f64 {
    if one > other { one } else { other }
}

/// The greatest of a block, several compared at a time.
fn greatest(block: &[f64; BLOCK]) -> f64 {
    let (lanes, _) = block.as_chunks::<8>();
    let mut top = [f64::MIN; 8];
    for lane in lanes {
        for (top, one) in top.iter_mut().zip(lane) {
            *top = greater(*one, *top);
        }
    }
    top.into_iter().fold(f64::MIN, greater)
}

impl Sweep {
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
        profile.filters().iter().for_each(|filter| filter.filter_all(pod, cluster, &mut self.fit));
        self.leave_alone(cluster, pod, |node| {
            profile.filters().iter().all(|filter| filter.filter(pod, node).fits())
        });
        if let Some(decision) = self.by_blocks(profile, cluster, pod) {
            return decision;
        }
        self.sum(profile.scores(), cluster, pod);
        best(cluster, &self.fit, &self.totals)
    }

    /// The best of the nodes where the pod fits, 64 nodes at a time, if all scores that have something to say
    /// can be asked so.
    fn by_blocks(&mut self, profile: &Profile, cluster: &Cluster, pod: &PodView) -> Option<Decision> {
        let (mut asked, mut constant) = (Vec::with_capacity(profile.scores().len()), 0);
        for (score, weight) in profile.scores().filter(|(_, weight)| *weight > 0) {
            match score.constant(pod, cluster) {
                Some(it) => constant += it * weight,
                None => asked.push((score, weight)),
            }
        }
        let top = self.sum_blocks(asked.into_iter(), cluster, pod)?;
        let Self { fit, sums, .. } = self;
        let mut best = None;
        for (block, _) in fit.words().filter(|(block, _)| sums[*block].0 == top) {
            for at in (0..BLOCK).filter(|at| sums[block].1[*at] == top) {
                let node = NodeId::of(block * BLOCK + at);
                let rank = (cluster.rank(node), node);
                best = Some(best.map_or(rank, |best| rank.min(best)));
            }
        }
        let node = best.map(|(_, node)| Decision::Place { node, score: top as i64 + constant });
        Some(node.unwrap_or(Decision::NoFit))
    }

    /// Sums up what scores say of the nodes where the pod fits, 64 nodes at a time; the others get -1. The greatest
    /// sum, or nothing, where one of the scores cannot be asked so.
    pub(crate) fn sum_blocks<'a>(
        &mut self,
        scores: impl Iterator<Item = (&'a Arc<dyn Score>, i64)> + Clone,
        cluster: &Cluster,
        pod: &PodView,
    ) -> Option<f64> {
        let Self { fit, sums, .. } = self;
        sums.resize(cluster.places() / BLOCK, (0.0, [0.0; BLOCK]));
        let mut top = -1.0;
        for (block, word) in fit.words() {
            let (peak, out) = &mut sums[block];
            out.fill(0.0);
            for (score, weight) in scores.clone() {
                if !score.add_block(pod, cluster, block, weight as f64, out) {
                    return None;
                }
            }
            let mut others = !word;
            while others != 0 {
                out[others.trailing_zeros() as usize] = -1.0;
                others &= others - 1;
            }
            *peak = greatest(out);
            top = greater(*peak, top);
        }
        Some(top)
    }

    /// What was summed up so for a node where the pod fits.
    pub(crate) fn block_sum(&self, node: NodeId) -> f64 {
        self.sums[node.at() / BLOCK].1[node.at() % BLOCK]
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
        scores: impl Iterator<Item = (&'a Arc<dyn Score>, i64)>,
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
        scores: impl Iterator<Item = (&'a Arc<dyn Score>, i64)>,
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
