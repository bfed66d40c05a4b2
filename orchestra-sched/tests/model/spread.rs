//! PodTopologySpread: pods of a sort are spread over zones, nodes and the like.

use std::collections::{BTreeMap, BTreeSet};

use orchestra_core::kinds::{Node, NodePolicy, Pod, TopologySpread, WhenUnsatisfiable};
use orchestra_core::object::Str;

use super::{Rejected, Scored, Situation, node_affinity, taints};

pub(super) const POD_TOPOLOGY_SPREAD: &str = "PodTopologySpread";

/// Places by this label are single nodes, and are counted one by one.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// A constraint, and how many pods that it means are at each place that counts.
pub(super) struct Places<'a> {
    spread: &'a TopologySpread,
    pods: BTreeMap<&'a Str, i64>,
}

/// The pod's constraints of a sort.
pub(super) fn places<'a>(situation: &Situation<'a>, when: WhenUnsatisfiable) -> Vec<Places<'a>> {
    let spreads = spreads(situation.pod, when);
    let places = |spread: &&'a TopologySpread| {
        let mut pods: BTreeMap<&Str, i64> = BTreeMap::new();
        for node in situation.world.nodes.iter().filter(|it| counted(situation.pod, it, spread, &spreads)) {
            if let Some(there) = place(node, spread) {
                *pods.entry(there).or_default() += matching(situation, node, spread);
            }
        }
        Places { spread, pods }
    };
    spreads.iter().map(places).collect()
}

/// With the pod, no place may have more than `max_skew` pods more than the emptiest.
pub(super) fn even_enough(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    for Places { spread, pods } in &situation.hard {
        let Some(here) = place(node, spread) else {
            let reason = "node(s) didn't match pod topology spread constraints (missing required label)";
            return Some(Rejected::for_good(POD_TOPOLOGY_SPREAD, reason));
        };
        // While there are fewer places than asked for, there might as well be an empty one.
        let enough = pods.len() >= spread.min_domains.unwrap_or(1) as usize;
        let emptiest = if enough { pods.values().copied().min().unwrap_or(0) } else { 0 };
        let own = i64::from(means(situation.pod, spread, situation.pod));
        let there = pods.get(here).copied().unwrap_or(0);
        if there + own - emptiest > i64::from(spread.max_skew) {
            let reason = "node(s) didn't match pod topology spread constraints";
            return Some(Rejected::for_now(POD_TOPOLOGY_SPREAD, reason));
        }
    }
    None
}

/// The fewer pods there are at a node's places, the better. Where there are many places a pod weighs more, so
/// that zones do not drown nodes. Nodes that lack one of the labels are not considered and get nothing.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    if situation.soft.is_empty() {
        return Scored::as_is(vec![0; fit.len()]);
    }
    let considered = |node: &Node| situation.soft.iter().all(|it| place(node, it.spread).is_some());
    let considered_ones: Vec<&Node> = fit.iter().copied().filter(|node| considered(node)).collect();
    let size = |spread: &TopologySpread| match spread.topology_key.as_str() {
        HOSTNAME => considered_ones.len(),
        _ => considered_ones.iter().filter_map(|it| place(it, spread)).collect::<BTreeSet<_>>().len(),
    };
    let sizes: Vec<usize> = situation.soft.iter().map(|it| size(it.spread)).collect();
    let crowd = |node: &Node| {
        let mut sum = 0.0;
        for (Places { spread, pods }, size) in situation.soft.iter().zip(&sizes) {
            let here = match spread.topology_key.as_str() {
                HOSTNAME => matching(situation, node, spread),
                _ => place(node, spread).and_then(|here| pods.get(here)).copied().unwrap_or(0),
            };
            sum += here as f64 * libm::log((size + 2) as f64) + (f64::from(spread.max_skew) - 1.0);
        }
        sum.round() as i64
    };
    let raw: Vec<Option<i64>> = fit.iter().map(|node| considered(node).then(|| crowd(node))).collect();
    let least = raw.iter().flatten().copied().min().unwrap_or(0);
    let most = raw.iter().flatten().copied().max().unwrap_or(0);
    let between = |raw: &Option<i64>| match raw {
        None => 0,
        Some(_) if most == 0 => 100,
        Some(raw) => 100 * (most + least - raw) / most,
    };
    Scored {
        scores: raw.iter().map(between).collect(),
        raw: raw.into_iter().map(Option::unwrap_or_default).collect(),
    }
}

fn spreads(pod: &Pod, when: WhenUnsatisfiable) -> Vec<&TopologySpread> {
    pod.spec.topology_spread_constraints.iter().filter(|spread| spread.when_unsatisfiable == when).collect()
}

fn place<'a>(node: &'a Node, spread: &TopologySpread) -> Option<&'a Str> {
    node.metadata.labels.get(&spread.topology_key)
}

fn has_all(node: &Node, spreads: &[&TopologySpread]) -> bool {
    spreads.iter().all(|spread| place(node, spread).is_some())
}

/// Whether the pods of a node count: it has the labels of all constraints of the same sort, and the pod
/// could go there, as far as the constraint asks.
fn counted(pod: &Pod, node: &Node, spread: &TopologySpread, spreads: &[&TopologySpread]) -> bool {
    let affinity = spread.node_affinity_policy.unwrap_or(NodePolicy::Honor) == NodePolicy::Honor;
    let taints = spread.node_taints_policy.unwrap_or(NodePolicy::Ignore) == NodePolicy::Honor;
    has_all(node, spreads)
        && (!affinity || node_affinity::wants(pod, node))
        && (!taints || taints::forbidding(pod, node).is_none())
}

/// How many pods of a node a constraint means: of the pod's namespace, and none that is going. A selector that
/// selects everything counts nothing, though it does mean the pod itself.
fn matching(situation: &Situation<'_>, node: &Node, spread: &TopologySpread) -> i64 {
    let pod = situation.pod;
    let everything = spread.label_selector.as_ref().is_some_and(|it| it.is_empty());
    let same_labels = spread.match_label_keys.iter().any(|key| pod.metadata.labels.contains_key(key));
    if everything && !same_labels {
        return 0;
    }
    let pods = situation.pods_on(node).filter(|(other, _)| {
        other.namespace() == pod.namespace() && !other.metadata.is_deleting() && means(pod, spread, other)
    });
    pods.map(|(_, times)| times).sum()
}

/// Whether a constraint of one pod means another, by its labels.
fn means(owner: &Pod, spread: &TopologySpread, other: &Pod) -> bool {
    let (own, labels) = (&owner.metadata.labels, &other.metadata.labels);
    let same = |key: &Str| own.get(key).is_none_or(|value| labels.get(key) == Some(value));
    spread.label_selector.as_ref().is_some_and(|selector| selector.matches(labels))
        && spread.match_label_keys.iter().all(same)
}
