//! [`Sweep`]: looking at all nodes, rule by rule.

use std::sync::Arc;

use super::Decision;
use crate::cluster::Cluster;
use crate::profile::Profile;
use crate::rule::{Filter, Only, Score};
use crate::set::{NodeId, NodeSet};
use crate::view::PodView;

/// What a sweep works with. It is kept so that a decision allocates nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweep {
    /// Where the pod fits.
    pub(crate) fit: NodeSet,
    /// The weighted scores of those nodes, by place.
    pub(crate) totals: Vec<i64>,
    one: Vec<i64>,
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
        self.sum(profile.scores(), cluster, pod);
        best(cluster, &self.fit, &self.totals)
    }

    /// Finds out where a pod fits.
    pub(crate) fn filter<'a>(
        &mut self,
        filters: impl Iterator<Item = &'a Arc<dyn Filter>>,
        cluster: &Cluster,
        pod: &PodView,
    ) {
        self.fit.copy_from(cluster.nodes());
        filters.for_each(|filter| filter.filter_all(pod, cluster, &mut self.fit));
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
                self.totals.iter_mut().for_each(|total| *total += constant * weight);
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
        for (total, one) in self.totals.iter_mut().zip(&self.one) {
            // Where the pod does not fit, anything may stand, and nobody looks.
            *total = total.wrapping_add(one.wrapping_mul(weight));
        }
    }
}

/// The best of some nodes: the greatest score, and of those that have it the one with the least rank.
pub(crate) fn best(cluster: &Cluster, fit: &NodeSet, totals: &[i64]) -> Decision {
    let key = |node: &NodeId| (totals[node.at()], std::cmp::Reverse((cluster.rank(*node), *node)));
    match fit.iter().max_by_key(key) {
        Some(node) => Decision::Place { node, score: totals[node.at()] },
        None => Decision::NoFit,
    }
}
