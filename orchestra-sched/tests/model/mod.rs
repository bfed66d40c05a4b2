//! What a scheduler is to say of each node, worked out slowly and obviously from the Kubernetes
//! documentation and the plugins of kube-scheduler 1.34: nothing is kept, everything is looked through
//! for every pod. An engine that is fast must say the same.
//!
//! Left out: devices that are claimed, default spread constraints, and what Kubernetes does to save time (scoring a part of the nodes, or none when a single one fits).
#![allow(dead_code)] // Each test that includes this uses a part of it.

mod allocation;
mod beyond;
pub(crate) mod compare;
pub(crate) mod devices;
mod images;
mod node_affinity;
mod pod_affinity;
mod ports;
mod requests;
mod resources_fit;
pub(crate) mod sample;
mod spread;
mod storage;
mod taints;
pub(crate) mod volumes;

use std::collections::BTreeMap;

use orchestra_core::kinds::{
    Namespace, Node, NodeAffinity, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass,
    WhenUnsatisfiable,
};
use orchestra_core::object::{Map, Str};

pub(crate) use allocation::Strategy;

/// All that is known when a pod is to be placed.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    /// The nodes, in the order in which they are judged.
    pub(crate) nodes: Vec<Node>,
    /// The pods that have a node and have not finished; those that are being deleted still count, unless
    /// a rule says otherwise.
    pub(crate) placed: Vec<Pod>,
    /// The namespaces.
    pub(crate) namespaces: Vec<Namespace>,
    /// The claims of storage,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    /// the volumes,
    pub(crate) volumes: Vec<PersistentVolume>,
    /// and the sorts of storage.
    pub(crate) storage_classes: Vec<StorageClass>,
    /// More pods that are placed, each so many times: what is equal need not be listed again and again.
    pub(crate) crowds: Vec<(Pod, i64)>,
}

/// What can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How much each score counts.
    pub(crate) weights: BTreeMap<&'static str, i64>,
    /// Which of nodes with the same total is taken: the lowest. A node that is not named comes last.
    pub(crate) rank: BTreeMap<String, u64>,
    /// How NodeResourcesFit scores.
    pub(crate) strategy: Strategy,
    /// The resources that NodeResourcesFit scores, and how much each counts.
    pub(crate) resources: Vec<(Str, i64)>,
    /// The resources that NodeResourcesBalancedAllocation balances.
    pub(crate) balanced: Vec<Str>,
    /// What the required affinity of a placed pod adds to the score of the nodes near it.
    pub(crate) hard_pod_affinity_weight: i64,
    /// What is asked of nodes for all pods, beside what these ask.
    pub(crate) added: NodeAffinity,
    /// The resources, or groups of them, that NodeResourcesFit does not look at.
    pub(crate) ignored: Vec<Str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            weights: BTreeMap::from([
                ("TaintToleration", 3),
                ("NodeAffinity", 2),
                ("PodTopologySpread", 2),
                ("InterPodAffinity", 2),
                ("NodeResourcesFit", 1),
                ("NodeResourcesBalancedAllocation", 1),
                ("ImageLocality", 1),
            ]),
            rank: BTreeMap::new(),
            strategy: Strategy::LeastAllocated,
            resources: vec![("cpu".into(), 1), ("memory".into(), 1)],
            balanced: vec!["cpu".into(), "memory".into()],
            hard_pod_affinity_weight: 1,
            added: NodeAffinity::default(),
            ignored: Vec::new(),
        }
    }
}

/// What is said of one node for one pod.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    /// The node.
    pub(crate) node: String,
    /// Why it cannot be that one.
    pub(crate) rejected: Option<Rejected>,
    /// What each score came to, before it was put between 0 and 100. Empty for a node that was rejected.
    pub(crate) raw: BTreeMap<&'static str, i64>,
    /// The same, between 0 and 100.
    pub(crate) scores: BTreeMap<&'static str, i64>,
    /// The sum of the scores, each as often as it counts.
    pub(crate) total: i64,
}

/// Why a node is not fit for a pod.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rejected {
    /// The first rule that says so.
    pub(crate) rule: &'static str,
    /// What it says, in Kubernetes' words.
    pub(crate) reasons: Vec<String>,
    /// Whether it could help to take away pods that are placed.
    pub(crate) resolvable: bool,
}

impl Rejected {
    /// Rejected for this reason, and no pod that is taken away changes that.
    fn for_good(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { rule, reasons: vec![reason.into()], resolvable: false }
    }

    /// Rejected for this reason, because of pods that are placed.
    fn for_now(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { rule, reasons: vec![reason.into()], resolvable: true }
    }
}

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// It is not looked at: gates are to be taken away first.
    Gated,
    /// No node is fit for it.
    Nowhere,
    /// It goes to this node.
    On(String),
}

/// Whoever can judge: this model, and whatever is held against it.
pub(crate) trait Judge {
    /// Says of each node, in the world's order, what it is for this pod.
    fn judge(&self, world: &World, pod: &Pod, settings: &Settings) -> Vec<Judged>;
}

/// The model itself.
pub(crate) struct Slow;

impl Judge for Slow {
    fn judge(&self, world: &World, pod: &Pod, settings: &Settings) -> Vec<Judged> {
        judge(world, pod, settings)
    }
}

/// Pods, and how many there are of each.
type Pods<'a> = Vec<(&'a Pod, i64)>;

/// The pod that is to be placed, and all that is known.
struct Situation<'a> {
    world: &'a World,
    pod: &'a Pod,
    settings: &'a Settings,
    /// The nodes by name, and the pods that are on each, with how many there are of each.
    on: BTreeMap<&'a Str, (&'a Node, Pods<'a>)>,
    company: pod_affinity::Company<'a>,
    hard: Vec<spread::Places<'a>>,
    soft: Vec<spread::Places<'a>>,
}

impl<'a> Situation<'a> {
    fn new(world: &'a World, pod: &'a Pod, settings: &'a Settings) -> Self {
        let mut on: BTreeMap<_, _> =
            world.nodes.iter().map(|node| (node.name(), (node, Vec::new()))).collect();
        let crowds = world.crowds.iter().map(|(pod, times)| (pod, *times));
        for (other, times) in world.placed.iter().map(|other| (other, 1)).chain(crowds) {
            // A pod whose node is not there is not seen.
            if let Some((_, pods)) = on.get_mut(&other.spec.node_name) {
                pods.push((other, times));
            }
        }
        let (company, hard, soft) = Default::default();
        let mut situation = Self { world, pod, settings, on, company, hard, soft };
        situation.company = pod_affinity::Company::of(&situation);
        situation.hard = spread::places(&situation, WhenUnsatisfiable::DoNotSchedule);
        situation.soft = spread::places(&situation, WhenUnsatisfiable::ScheduleAnyway);
        situation
    }

    /// The pods on this node, and how many there are of each.
    fn pods_on(&self, node: &Node) -> impl Iterator<Item = (&'a Pod, i64)> {
        self.on.get(node.name()).into_iter().flat_map(|(_, pods)| pods).copied()
    }

    /// Every placed pod, its node, and how many there are of it.
    fn running(&self) -> impl Iterator<Item = (&'a Node, &'a Pod, i64)> {
        self.on.values().flat_map(|(node, pods)| pods.iter().map(|(pod, times)| (*node, *pod, *times)))
    }
}

type Filter = fn(&Situation<'_>, &Node) -> Option<Rejected>;
type Score = fn(&Situation<'_>, &[&Node]) -> Scored;

/// The filters in the order in which they are asked.
const FILTERS: [Filter; 12] = [
    node_affinity::named,
    volumes::in_order,
    taints::unschedulable,
    node_affinity::node_name,
    taints::tolerated,
    node_affinity::matched,
    ports::free,
    resources_fit::enough,
    volumes::bindable,
    volumes::in_zone,
    spread::even_enough,
    pod_affinity::in_good_company,
];

/// The scores by their names. Those count of which it is said how much.
const SCORES: [(&str, Score); 11] = [
    (taints::TAINT_TOLERATION, taints::score),
    (node_affinity::NODE_AFFINITY, node_affinity::score),
    (spread::POD_TOPOLOGY_SPREAD, spread::score),
    (pod_affinity::INTER_POD_AFFINITY, pod_affinity::score),
    (resources_fit::NODE_RESOURCES_FIT, allocation::score),
    (allocation::BALANCED_ALLOCATION, allocation::balance),
    (images::IMAGE_LOCALITY, images::score),
    (beyond::DATA_LOCALITY, beyond::data),
    (beyond::COST, beyond::cost),
    (beyond::BEST_FIT, beyond::best_fit),
    (beyond::DOT_PRODUCT, beyond::dot_product),
];

/// What a score says of the nodes that are fit, in their order.
struct Scored {
    raw: Vec<i64>,
    scores: Vec<i64>,
}

impl Scored {
    /// Numbers that are between 0 and 100 already.
    fn as_is(scores: Vec<i64>) -> Self {
        Self { raw: scores.clone(), scores }
    }

    /// As parts of the highest, in hundredths.
    fn of_highest(raw: Vec<i64>) -> Self {
        let highest = raw.iter().copied().max().unwrap_or(0);
        let scores = raw.iter().map(|score| if highest == 0 { 0 } else { 100 * score / highest }).collect();
        Self { raw, scores }
    }
}

/// Says of each node, in the world's order, what it is for this pod.
pub(crate) fn judge(world: &World, pod: &Pod, settings: &Settings) -> Vec<Judged> {
    let situation = Situation::new(world, pod, settings);
    let mut judged: Vec<Judged> = world
        .nodes
        .iter()
        .map(|node| Judged {
            node: node.name().to_string(),
            rejected: FILTERS.iter().find_map(|filter| filter(&situation, node)),
            raw: BTreeMap::new(),
            scores: BTreeMap::new(),
            total: 0,
        })
        .collect();
    let fit: Vec<usize> = (0..judged.len()).filter(|at| judged[*at].rejected.is_none()).collect();
    let nodes: Vec<&Node> = fit.iter().map(|at| &world.nodes[*at]).collect();
    for (rule, score) in SCORES.iter().filter(|(rule, _)| settings.weights.contains_key(rule)) {
        let scored = score(&situation, &nodes);
        for ((at, raw), score) in fit.iter().zip(scored.raw).zip(scored.scores) {
            judged[*at].raw.insert(rule, raw);
            judged[*at].scores.insert(rule, score);
            judged[*at].total += score * settings.weights.get(rule).copied().unwrap_or(0);
        }
    }
    judged
}

/// Where the pod goes: the highest total, and the lowest rank among equals.
pub(crate) fn decide(pod: &Pod, judged: &[Judged], settings: &Settings) -> Decision {
    if !pod.spec.scheduling_gates.is_empty() {
        return Decision::Gated;
    }
    let rank = |node: &str| settings.rank.get(node).copied().unwrap_or(u64::MAX);
    judged
        .iter()
        .filter(|judged| judged.rejected.is_none())
        .min_by(|a, b| {
            b.total.cmp(&a.total).then_with(|| (rank(&a.node), &a.node).cmp(&(rank(&b.node), &b.node)))
        })
        .map_or(Decision::Nowhere, |judged| Decision::On(judged.node.clone()))
}

/// Why no node is fit, in Kubernetes' words: how many nodes gave each reason, sorted as texts.
pub(crate) fn summary(pod: &Pod, judged: &[Judged]) -> String {
    if !pod.spec.scheduling_gates.is_empty() {
        return "Scheduling is blocked due to non-empty scheduling gates".to_owned();
    }
    if judged.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in judged.iter().filter_map(|judged| judged.rejected.as_ref()).flat_map(|it| &it.reasons) {
        *counts.entry(reason).or_default() += 1;
    }
    // This is said of the pod, before any node is looked at, so it is not counted.
    if counts.contains_key(node_affinity::CONFLICT) {
        return format!("0/{} nodes are available: {}.", judged.len(), node_affinity::CONFLICT);
    }
    if let Some(reason) = counts.keys().find(|reason| volumes::is_of_pod(reason)) {
        return format!("0/{} nodes are available: {reason}.", judged.len());
    }
    let mut lines: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    lines.sort();
    format!("0/{} nodes are available: {}.", judged.len(), lines.join(", "))
}

impl World {
    /// The labels of a namespace; none when it is not there.
    fn namespace_labels(&self, name: &str) -> Map<Str> {
        let found = self.namespaces.iter().find(|namespace| *namespace.name() == name);
        found.map(|namespace| namespace.metadata.labels.clone()).unwrap_or_default()
    }
}
