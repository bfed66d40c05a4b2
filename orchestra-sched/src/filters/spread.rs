use crate::cluster::{Key, NOWHERE, Spread};
use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod is put where its domain would not have too many more pods like it than the emptiest one has
/// (`topologySpreadConstraints` with `DoNotSchedule`).
#[derive(Clone, Copy, Debug, Default)]
pub struct PodTopologySpread;

/// How many pods the emptiest domain has; none, where there are fewer domains than there should be.
fn least(spread: &Spread, cluster: &Cluster, least: impl FnOnce() -> i64) -> i64 {
    if cluster.tally(spread.tally).domains() < spread.least_domains { 0 } else { least() }
}

/// Whether it can be there, by all keys or by one.
fn judge(pod: &PodView, node: &NodeView<'_>, key: Option<Key>) -> Verdict {
    let cluster = node.cluster();
    let counts = |spread: &&Spread| key.is_none_or(|key| key == spread.key);
    for spread in pod.shape().hard.iter().filter(counts) {
        let domain = cluster.column(spread.key).domain(node.id());
        if domain == NOWHERE {
            let text = "node(s) didn't match pod topology spread constraints (missing required label)";
            return Verdict::never(text);
        }
        let then = node.count(spread.tally).1 + i64::from(spread.is_meant);
        if then - least(spread, cluster, || node.least(spread.tally)) > spread.skew {
            return Verdict::no("node(s) didn't match pod topology spread constraints");
        }
    }
    Verdict::Fits
}

impl Filter for PodTopologySpread {
    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        judge(pod, node, None)
    }

    fn filter_by(&self, key: Key, pod: &PodView, node: &NodeView<'_>) -> Option<Verdict> {
        Some(judge(pod, node, Some(key)))
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if !pod.shape().hard.is_empty() {
            fit.retain(|node| self.filter(pod, &cluster.at(node)).fits());
        }
    }

    fn reads(&self, pod: &PodView, _: &Cluster) -> Reads {
        Reads::domains(pod.shape().hard.iter().map(|spread| spread.key))
    }

    fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        let least = |spread: &Spread| least(spread, cluster, || cluster.tally(spread.tally).least());
        let leasts = pod.shape().hard.iter().map(|spread| least(spread) as u64);
        leasts.fold(0, |all, least| crate::hash::mix(all) ^ least)
    }
}
