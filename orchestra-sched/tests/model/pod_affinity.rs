//! InterPodAffinity: near certain pods, or away from them.

use orchestra_core::kinds::{Affinity, Node, Pod, PodAffinity, PodTerm, PreferredPods};
use orchestra_core::object::LabelSelector;

use super::{Rejected, Scored, Situation, World, same_place};

pub(super) const INTER_POD_AFFINITY: &str = "InterPodAffinity";

/// The pod must be near what it asks to be near, away from what it asks to be away from, and away from what
/// asks to be away from it.
pub(super) fn in_good_company(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let (world, pod) = (situation.world, situation.pod);
    if !near_required(world, pod, node) {
        return Some(Rejected::for_good(INTER_POD_AFFINITY, "node(s) didn't match pod affinity rules"));
    }
    let disturbs =
        |term: &PodTerm| world.running().any(|(there, other)| concerns(world, pod, term, other, there, node));
    if away(pod).is_some_and(|away| away.required.iter().any(disturbs)) {
        return Some(Rejected::for_now(INTER_POD_AFFINITY, "node(s) didn't match pod anti-affinity rules"));
    }
    let disturbed = |(there, other): (&Node, &Pod)| {
        let terms = away(other).into_iter().flat_map(|away| &away.required);
        terms.into_iter().any(|term| concerns(world, other, term, pod, there, node))
    };
    if world.running().any(disturbed) {
        let reason = "node(s) didn't satisfy existing pods anti-affinity rules";
        return Some(Rejected::for_now(INTER_POD_AFFINITY, reason));
    }
    None
}

/// Whether each required term has a pod nearby. Only pods that all the terms select count, for each of them;
/// they need not be the same pod. The first of a group that wants to be near itself may go anywhere where
/// the labels are.
fn near_required(world: &World, pod: &Pod, node: &Node) -> bool {
    let Some(terms) = near(pod).map(|near| &near.required).filter(|terms| !terms.is_empty()) else {
        return true;
    };
    let friend = |other: &Pod| terms.iter().all(|term| selects(world, pod, term, other));
    if terms.iter().any(|term| !node.metadata.labels.contains_key(&term.topology_key)) {
        return false;
    }
    let friend_nearby = |term: &PodTerm| {
        world.running().any(|(there, other)| friend(other) && same_place(&term.topology_key, there, node))
    };
    // A friend on a node that has none of the labels is nowhere.
    let nowhere = |there: &Node| !terms.iter().any(|it| there.metadata.labels.contains_key(&it.topology_key));
    let first = || friend(pod) && world.running().all(|(there, other)| !friend(other) || nowhere(there));
    terms.iter().all(friend_nearby) || first()
}

/// Whether a term of one pod means another, and the node is where one of the two already is.
fn concerns(world: &World, owner: &Pod, term: &PodTerm, other: &Pod, there: &Node, node: &Node) -> bool {
    selects(world, owner, term, other) && same_place(&term.topology_key, there, node)
}

/// Whether a term of one pod means another.
fn selects(world: &World, owner: &Pod, term: &PodTerm, other: &Pod) -> bool {
    let Some(selector) = &term.label_selector else { return false };
    let (own, labels) = (&owner.metadata.labels, &other.metadata.labels);
    let same = |key: &_| own.get(key).is_none_or(|value| labels.get(key) == Some(value));
    let different = |key: &_| own.get(key).is_none_or(|value| labels.get(key) != Some(value));
    in_namespaces(world, owner, term, other)
        && selector.matches(labels)
        && term.match_label_keys.iter().all(|key| same(key))
        && term.mismatch_label_keys.iter().all(|key| different(key))
}

/// Whether a pod is in a namespace that the term names or selects. One that does neither means its own.
fn in_namespaces(world: &World, owner: &Pod, term: &PodTerm, other: &Pod) -> bool {
    if term.namespaces.is_empty() && term.namespace_selector.is_none() {
        return owner.namespace() == other.namespace();
    }
    let selected = |selector: &LabelSelector| selector.matches(&world.namespace_labels(other.namespace()));
    term.namespaces.contains(other.namespace()) || term.namespace_selector.as_ref().is_some_and(selected)
}

/// What draws the pod to where others are, and them to where it is, less what drives them apart. Required
/// affinity of others draws too, if little; that of the pod itself has had its say.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let (world, pod) = (situation.world, situation.pod);
    let drawn = |node: &&Node| {
        let mut sum = 0;
        for (there, other) in world.running() {
            sum += wishes(world, pod, other, there, node) + wishes(world, other, pod, there, node);
            let needs = near(other).into_iter().flat_map(|near| &near.required);
            let met = needs.filter(|term| concerns(world, other, term, pod, there, node)).count();
            sum += situation.settings.hard_pod_affinity_weight * met as i64;
        }
        sum
    };
    let raw: Vec<i64> = fit.iter().map(drawn).collect();
    let least = raw.iter().copied().min().unwrap_or(0);
    let range = raw.iter().copied().max().unwrap_or(0) - least;
    let between = |raw: &i64| {
        if range == 0 { 0 } else { (100.0 * ((raw - least) as f64 / range as f64)) as i64 }
    };
    Scored { scores: raw.iter().map(between).collect(), raw }
}

/// How much a pod is drawn to another, by what it would rather have, less how much it is driven away.
fn wishes(world: &World, owner: &Pod, other: &Pod, there: &Node, node: &Node) -> i64 {
    let sum = |wishes: &[PreferredPods]| {
        let met =
            wishes.iter().filter(|wish| concerns(world, owner, &wish.pod_affinity_term, other, there, node));
        met.map(|wish| i64::from(wish.weight)).sum::<i64>()
    };
    near(owner).map_or(0, |near| sum(&near.preferred)) - away(owner).map_or(0, |away| sum(&away.preferred))
}

fn affinity(pod: &Pod) -> Option<&Affinity> {
    pod.spec.affinity.as_deref()
}

fn near(pod: &Pod) -> Option<&PodAffinity> {
    affinity(pod).map(|affinity| &affinity.pod_affinity)
}

fn away(pod: &Pod) -> Option<&PodAffinity> {
    affinity(pod).map(|affinity| &affinity.pod_anti_affinity)
}
