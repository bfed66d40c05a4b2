//! NodeName and NodeAffinity: the nodes that a pod asks for.

use std::collections::BTreeSet;

use orchestra_core::kinds::{Node, NodeSelector, NodeTerm, Pod};
use orchestra_core::object::{Map, Operator, Str};

use super::{Rejected, Scored, Situation};

pub(super) const NODE_AFFINITY: &str = "NodeAffinity";

/// Said of a pod whose every term names nodes, and no node twice.
pub(super) const CONFLICT: &str = "pod affinity terms conflict";

/// A pod that names its nodes is tried on these only; this is seen before any filter is asked.
pub(super) fn named(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let names = names(required(situation.pod)?)?;
    if names.is_empty() {
        return Some(Rejected::for_good(NODE_AFFINITY, CONFLICT));
    }
    (!names.contains(node.name()))
        .then(|| Rejected::for_good(NODE_AFFINITY, "node(s) didn't satisfy plugin(s) [NodeAffinity]"))
}

/// The nodes that the terms name; none when there is a term that names no node.
fn names(selector: &NodeSelector) -> Option<BTreeSet<Str>> {
    let mut all = BTreeSet::new();
    for term in &selector.node_selector_terms {
        let lists =
            term.match_fields.iter().filter(|it| it.key == "metadata.name" && it.operator == Operator::In);
        let sets = lists.map(|it| it.values.iter().cloned().collect::<BTreeSet<Str>>());
        all.extend(sets.reduce(|a, b| a.intersection(&b).cloned().collect())?);
    }
    (!selector.node_selector_terms.is_empty()).then_some(all)
}

/// A pod that has a node already is right on that one only.
pub(super) fn node_name(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let wanted = &situation.pod.spec.node_name;
    (!wanted.is_empty() && wanted != node.name())
        .then(|| Rejected::for_good("NodeName", "node(s) didn't match the requested node name"))
}

/// The node must have the labels, and meet one of the terms.
pub(super) fn matched(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let enforced = situation.settings.added.required.as_ref();
    if enforced.is_some_and(|it| !it.node_selector_terms.iter().any(|term| meets(node, term))) {
        let reason = "node(s) didn't match scheduler-enforced node affinity";
        return Some(Rejected::for_good(NODE_AFFINITY, reason));
    }
    (!wants(situation.pod, node))
        .then(|| Rejected::for_good(NODE_AFFINITY, "node(s) didn't match Pod's node affinity/selector"))
}

/// Whether the pod may be on the node as far as its selector and its affinity go.
pub(super) fn wants(pod: &Pod, node: &Node) -> bool {
    let labels = &node.metadata.labels;
    pod.spec.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        && required(pod).is_none_or(|it| it.node_selector_terms.iter().any(|term| meets(node, term)))
}

fn required(pod: &Pod) -> Option<&NodeSelector> {
    pod.spec.affinity.as_ref()?.node_affinity.required.as_ref()
}

/// Whether the node meets all that a term says. A term that says nothing is met by no node.
pub(super) fn meets(node: &Node, term: &NodeTerm) -> bool {
    let fields: Map<Str> = [("metadata.name", node.name().clone())].into_iter().collect();
    let empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    !empty
        && term.match_expressions.iter().all(|it| it.matches(&node.metadata.labels))
        && term.match_fields.iter().all(|it| it.matches(&fields))
}

/// The weights of the terms that the node meets.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let weight = |node: &&Node| {
        let affinity = situation.pod.spec.affinity.iter();
        let terms = affinity.flat_map(|affinity| &affinity.node_affinity.preferred);
        let terms = terms.chain(&situation.settings.added.preferred);
        terms.filter(|term| meets(node, &term.preference)).map(|term| i64::from(term.weight)).sum()
    };
    Scored::of_highest(fit.iter().map(weight).collect())
}
