//! InterPodAffinity: near certain pods, or away from them.

use std::collections::BTreeMap;

use orchestra_core::kinds::{Affinity, Node, Pod, PodAffinity, PodTerm, PreferredPods};
use orchestra_core::object::{LabelSelector, Str};

use super::{Rejected, Scored, Situation, World};

pub(super) const INTER_POD_AFFINITY: &str = "InterPodAffinity";

/// Where certain pods are: how many there are, or what they weigh, by a label and its value. Nodes that have both
/// are the same place; a node without the label is no place at all.
type Places<'a> = BTreeMap<(&'a Str, &'a Str), i64>;

/// The pods that matter to one, and where they are.
#[derive(Default)]
pub(super) struct Company<'a> {
    /// Those that all terms select that it requires, by the labels of these terms.
    friends: Places<'a>,
    /// Those that it must not be near,
    avoided: Places<'a>,
    /// and those that must not be near it.
    avoiding: Places<'a>,
    /// What draws it and others to each other, less what drives them apart.
    drawn: Places<'a>,
}

impl<'a> Company<'a> {
    pub(super) fn of(situation: &Situation<'a>) -> Self {
        let (world, pod) = (situation.world, situation.pod);
        let mut company = Self::default();
        let friend = |other: &Pod| required(near(pod)).iter().all(|term| selects(world, pod, term, other));
        for (there, other, times) in situation.running() {
            if friend(other) {
                required(near(pod)).iter().for_each(|term| add(&mut company.friends, there, term, times));
            }
            for term in required(away(pod)).iter().filter(|term| selects(world, pod, term, other)) {
                add(&mut company.avoided, there, term, times);
            }
            for term in required(away(other)).iter().filter(|term| selects(world, other, term, pod)) {
                add(&mut company.avoiding, there, term, times);
            }
            // Required affinity of others draws too, if little; that of the pod itself has had its say.
            for term in required(near(other)).iter().filter(|term| selects(world, other, term, pod)) {
                add(&mut company.drawn, there, term, times * situation.settings.hard_pod_affinity_weight);
            }
            for (owner, met) in [(pod, other), (other, pod)] {
                for (wish, sign) in wishes(owner) {
                    let term = &wish.pod_affinity_term;
                    if selects(world, owner, term, met) {
                        add(&mut company.drawn, there, term, times * sign * i64::from(wish.weight));
                    }
                }
            }
        }
        company
    }
}

/// Counts pods on a node by a term's label, if the node has it.
fn add<'a>(places: &mut Places<'a>, node: &'a Node, term: &'a PodTerm, by: i64) {
    if let Some(value) = node.metadata.labels.get(&term.topology_key) {
        *places.entry((&term.topology_key, value)).or_default() += by;
    }
}

/// What there is at all places that a node is in.
fn at<'a>(places: &'a Places<'_>, node: &'a Node) -> impl Iterator<Item = i64> {
    node.metadata.labels.iter().filter_map(|it| places.get(&it).copied())
}

/// The pod must be near what it asks to be near, away from what it asks to be away from, and away from what
/// asks to be away from it.
pub(super) fn in_good_company(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    if !near_required(situation, node) {
        return Some(Rejected::for_good(INTER_POD_AFFINITY, "node(s) didn't match pod affinity rules"));
    }
    if at(&situation.company.avoided, node).any(|pods| pods > 0) {
        return Some(Rejected::for_now(INTER_POD_AFFINITY, "node(s) didn't match pod anti-affinity rules"));
    }
    if at(&situation.company.avoiding, node).any(|pods| pods > 0) {
        let reason = "node(s) didn't satisfy existing pods anti-affinity rules";
        return Some(Rejected::for_now(INTER_POD_AFFINITY, reason));
    }
    None
}

/// Whether each required term has a pod nearby. Only pods that all the terms select count, for each of them;
/// they need not be the same pod. The first of a group that wants to be near itself may go anywhere where
/// the labels are.
fn near_required(situation: &Situation<'_>, node: &Node) -> bool {
    let (world, pod, friends) = (situation.world, situation.pod, &situation.company.friends);
    let terms = required(near(pod));
    let mut places =
        terms.iter().map(|term| Some((&term.topology_key, node.metadata.labels.get(&term.topology_key)?)));
    if places.clone().any(|place| place.is_none()) {
        return false;
    }
    let friend_nearby = places.all(|place| place.is_some_and(|it| friends.contains_key(&it)));
    // A friend on a node that has none of the labels is nowhere.
    let first = || friends.is_empty() && terms.iter().all(|term| selects(world, pod, term, pod));
    friend_nearby || first()
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

/// What draws the pod to where others are, and them to where it is, less what drives them apart.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let raw: Vec<i64> = fit.iter().map(|node| at(&situation.company.drawn, node).sum()).collect();
    let least = raw.iter().copied().min().unwrap_or(0);
    let range = raw.iter().copied().max().unwrap_or(0) - least;
    let between = |raw: &i64| {
        if range == 0 { 0 } else { (100.0 * ((raw - least) as f64 / range as f64)) as i64 }
    };
    Scored { scores: raw.iter().map(between).collect(), raw }
}

/// What a pod would rather have, and what it would rather not.
fn wishes(pod: &Pod) -> impl Iterator<Item = (&PreferredPods, i64)> {
    let of = |affinity: Option<_>| affinity.into_iter().flat_map(|it: &PodAffinity| &it.preferred);
    of(near(pod)).map(|wish| (wish, 1)).chain(of(away(pod)).map(|wish| (wish, -1)))
}

fn required(affinity: Option<&PodAffinity>) -> &[PodTerm] {
    affinity.map(|it| &it.required[..]).unwrap_or_default()
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
