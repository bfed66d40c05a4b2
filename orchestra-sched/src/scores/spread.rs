use crate::cluster::{NOWHERE, Spread};
use crate::{BEST, Cluster, NodeSet, NodeView, PodView, Reads, Scale, Score};

/// The fewer pods like it are in a node's domains, the better (`topologySpreadConstraints` with
/// `ScheduleAnyway`). Where there are more domains to choose from, each pod counts more.
#[derive(Clone, Copy, Debug, Default)]
pub struct PodTopologySpread;

/// The score of a node that lacks one of the labels, until it is scaled.
const IGNORED: i64 = i64::MIN;

impl PodTopologySpread {
    /// What a pod in a domain counts, for each constraint. It follows from how many domains there are
    /// among the nodes where the pod fits.
    fn weights(spreads: &[Spread], cluster: &Cluster, fit: &NodeSet) -> Vec<f64> {
        let counted = |node| spreads.iter().all(|it| cluster.column(it.key).domain(node) != NOWHERE);
        let domains = |spread: &Spread| {
            let column = cluster.column(spread.key);
            if spread.by != spread.key {
                return fit.iter().filter(|node| counted(*node)).count();
            }
            let mut seen = vec![false; column.domains()];
            fit.iter()
                .filter(|node| counted(*node))
                .for_each(|node| seen[column.domain(node) as usize] = true);
            seen.iter().filter(|seen| **seen).count()
        };
        spreads.iter().map(|spread| libm::log((domains(spread) + 2) as f64)).collect()
    }

    fn of(spreads: &[Spread], weights: &[f64], node: &NodeView<'_>) -> i64 {
        let cluster = node.cluster();
        let mut sum = 0.0;
        for (spread, weight) in spreads.iter().zip(weights) {
            if cluster.column(spread.key).domain(node.id()) == NOWHERE {
                return IGNORED;
            }
            let domain = cluster.column(spread.by).domain(node.id());
            sum += cluster.tally(spread.tally).count(domain) as f64 * weight + (spread.skew - 1) as f64;
        }
        libm::round(sum) as i64
    }
}

impl Score for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let soft = &pod.shape().soft;
        Self::of(soft, &Self::weights(soft, node.cluster(), node.cluster().nodes()), node)
    }

    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        let soft = &pod.shape().soft;
        let weights = Self::weights(soft, cluster, fit);
        fit.iter().for_each(|node| out[node.at()] = Self::of(soft, &weights, &cluster.at(node)));
    }

    fn scale(&self) -> Scale {
        Scale::Own
    }

    fn normalise(&self, fit: &NodeSet, out: &mut [i64]) {
        let counted = fit.iter().map(|node| out[node.at()]).filter(|score| *score != IGNORED);
        let (least, most) = counted.fold((i64::MAX, 0), |(least, most), it| (least.min(it), most.max(it)));
        for node in fit.iter() {
            let score = &mut out[node.at()];
            *score = match *score {
                IGNORED => 0,
                _ if most == 0 => BEST,
                score => BEST * (most + least - score) / most,
            };
        }
    }

    fn reads(&self, pod: &PodView, cluster: &Cluster) -> Reads {
        let soft = &pod.shape().soft;
        let alone = |spread: &Spread| spread.by != spread.key || cluster.column(spread.key).is_unique();
        if soft.iter().any(alone) {
            return Reads::Cluster; // in how many of them it fits changes what each domain counts
        }
        Reads::domains(soft.iter().map(|spread| spread.key))
    }

    fn constant(&self, pod: &PodView, _: &Cluster) -> Option<i64> {
        pod.shape().soft.is_empty().then_some(0)
    }
}
