//! [`Mirror`]: a cluster as the slow model sees it, made smaller before the model is asked.
//!
//! Asked about thousands of nodes and pods, the model would take hours. So it is asked about a smaller world that
//! must give the same answer. Nodes of one zone with pods of the same sorts differ in their names only: of those
//! that are equal the one of the lowest rank stands for all. Pods on the others matter only to rules that look
//! beyond a node. Where the pod or some other has such a rule, they are put as a crowd on a node of their zone that
//! is full. Where none has, each node is a world of its own, and what the model says of it is remembered as long
//! as somebody is in that state.
//!
//! `tests/scheduling_mirror.rs` holds the small world's answers against those of the whole one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use orchestra_core::kinds::{Node, Pod};
use orchestra_core::object::{Quantity, Str};

use crate::model::{self, Decision, Settings, World, judge};

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

/// Pods that differ in their names only, as a number.
pub(crate) type Sort = u32;
/// A pod's namespace and name.
pub(crate) type Name = (Str, Str);
/// A zone, and the sorts of the pods that are on a node, in order.
type State = (Str, Vec<Sort>);

/// The nodes and sorts of pods that a cluster has, whatever runs where.
#[derive(Default)]
pub(crate) struct Known {
    /// By the node's place, with its rank.
    nodes: BTreeMap<u32, (Node, u64)>,
    sorts: Vec<Pod>,
    /// Whether some sort looks beyond its node. Rules hold both ways.
    looks_around: bool,
    settings: Settings,
}

/// What runs where.
#[derive(Clone, Default)]
pub(crate) struct Mirror {
    groups: BTreeMap<State, Group>,
    /// By the node's place.
    on: BTreeMap<u32, Vec<Sort>>,
    pods: BTreeMap<Name, (u32, Sort)>,
}

/// The nodes in one state.
#[derive(Clone, Default)]
struct Group {
    /// By rank.
    nodes: BTreeSet<(u64, u32)>,
    /// The first of them that was asked about, and its pods.
    alone: Option<World>,
    /// What the model said of it for pods of some sorts.
    said: BTreeMap<Sort, Option<i64>>,
}

/// For so many sorts it is remembered what was said of a state: pods of a workload are of one or a few, or all differ.
const MOST_SAID: usize = 16;

/// Sorts that are compared with a pod that comes: those who differ all do.
const LATEST: usize = 16;

impl Known {
    pub(crate) fn add_node(&mut self, at: u32, node: Node, rank: u64) {
        let bare = |node: &Node| {
            let mut node = node.clone();
            node.metadata.name = Str::default();
            node.metadata.labels.remove(HOST);
            node.metadata.labels.remove(ZONE);
            node
        };
        let first = self.nodes.values().next();
        assert!(
            first.is_none_or(|(first, _)| bare(first) == bare(&node)) && node.status.images.is_empty(),
            "only nodes that differ in their names and zones stand for each other"
        );
        self.settings.rank.insert(node.metadata.name.to_string(), rank);
        self.nodes.insert(at, (node, rank));
    }

    /// The sort of a pod.
    pub(crate) fn sort(&mut self, pod: &Pod) -> Sort {
        let mut bare = pod.clone();
        bare.metadata.name = Str::default();
        let latest = self.sorts.len().saturating_sub(LATEST);
        if let Some(at) = self.sorts[latest..].iter().position(|it| *it == bare) {
            return (latest + at) as Sort;
        }
        let constraints = &bare.spec.topology_spread_constraints;
        assert!(
            constraints.iter().all(|it| it.topology_key == ZONE),
            "a node that stands for others cannot tell how many of them there are"
        );
        self.looks_around |= looks_around(&bare);
        self.sorts.push(bare);
        (self.sorts.len() - 1) as Sort
    }

    pub(crate) fn sorts(&self) -> usize {
        self.sorts.len()
    }

    /// Pods of a sort, on a node.
    fn pod_on(&self, sort: Sort, node: &Node) -> Pod {
        let mut pod = self.sorts[sort as usize].clone();
        pod.spec.node_name = node.metadata.name.clone();
        pod
    }

    /// A node with pods of some sorts.
    fn put_into(&self, world: &mut World, node: &Node, sorts: &[Sort]) {
        world.placed.extend(sorts.iter().map(|sort| self.pod_on(*sort, node)));
        world.nodes.push(node.clone());
    }

    /// The node that the model decides for, and its score.
    fn decided(&self, world: &World, pod: &Pod) -> Option<(Str, i64)> {
        let judged = judge(world, pod, &self.settings);
        let Decision::On(name) = model::decide(pod, &judged, &self.settings) else { return None };
        let total = judged.iter().find(|it| it.node == name)?.total;
        Some((name.into(), total))
    }
}

impl Mirror {
    pub(crate) fn add_node(&mut self, known: &Known, at: u32) {
        self.change(known, at, |_| {});
    }

    pub(crate) fn put(&mut self, known: &Known, name: Name, node: u32, sort: Sort) {
        self.change(known, node, |sorts| sorts.push(sort));
        self.pods.insert(name, (node, sort));
    }

    pub(crate) fn remove(&mut self, known: &Known, name: &Name) {
        let (node, sort) = self.pods.remove(name).expect("who goes was there");
        self.change(known, node, |sorts| {
            let at = sorts.iter().position(|it| *it == sort).unwrap();
            sorts.remove(at);
        });
    }

    fn change(&mut self, known: &Known, at: u32, change: impl FnOnce(&mut Vec<Sort>)) {
        let (node, rank) = &known.nodes[&at];
        let zone = node.metadata.labels.get(ZONE).unwrap().clone();
        let sorts = self.on.entry(at).or_default();
        let old = (zone.clone(), sorts.clone());
        if let Some(group) = self.groups.get_mut(&old) {
            group.nodes.remove(&(*rank, at));
            if group.nodes.is_empty() {
                self.groups.remove(&old);
            }
        }
        change(sorts);
        sorts.sort_unstable();
        self.groups.entry((zone, sorts.clone())).or_default().nodes.insert((*rank, at));
    }

    /// Where the model puts a pod of a sort, and the score, by the small world.
    pub(crate) fn decide(&mut self, known: &Known, sort: Sort) -> Option<(u32, i64)> {
        let pod = &known.sorts[sort as usize];
        if !known.looks_around {
            return self.alone(known, sort, pod);
        }
        let mut world = World::default();
        let mut elsewhere: BTreeMap<(&Str, Sort), i64> = BTreeMap::new();
        for ((zone, sorts), group) in &self.groups {
            let Some((_, at)) = group.nodes.first() else { continue };
            known.put_into(&mut world, &known.nodes[at].0, sorts);
            for sort in sorts {
                *elsewhere.entry((zone, *sort)).or_default() += group.nodes.len() as i64 - 1;
            }
        }
        for ((zone, sort), times) in elsewhere.into_iter().filter(|(_, times)| *times > 0) {
            let name = Str::from(format!("full-{zone}"));
            if world.nodes.last().is_none_or(|node| node.metadata.name != name) {
                let mut full = known.nodes.values().next().unwrap().0.clone();
                full.metadata.labels.insert(ZONE, zone.clone());
                full.metadata.labels.insert(HOST, name.clone());
                full.metadata.name = name;
                full.status.allocatable.insert("pods", Quantity::from(0));
                world.nodes.push(full);
            }
            let full = world.nodes.last().unwrap();
            world.crowds.push((known.pod_on(sort, full), times));
        }
        let (name, total) = known.decided(&world, pod)?;
        let first = self.groups.values().filter_map(|group| group.nodes.first()).map(|(_, at)| *at);
        Some((first.into_iter().find(|at| known.nodes[at].0.metadata.name == name)?, total))
    }

    /// The same, where each node is a world of its own.
    fn alone(&mut self, known: &Known, sort: Sort, pod: &Pod) -> Option<(u32, i64)> {
        let mut best = None;
        for ((_, sorts), group) in &mut self.groups {
            let Some((rank, at)) = group.nodes.first().copied() else { continue };
            let world = group.alone.get_or_insert_with(|| {
                let mut world = World::default();
                known.put_into(&mut world, &known.nodes[&at].0, sorts);
                world
            });
            if group.said.len() > MOST_SAID {
                group.said.clear();
            }
            let total = group.said.entry(sort).or_insert_with(|| {
                let judged = judge(world, pod, &known.settings);
                judged[0].rejected.is_none().then_some(judged[0].total)
            });
            best = best.max(total.map(|total| (total, Reverse((rank, at)))));
        }
        best.map(|(total, Reverse((_, at)))| (at, total))
    }

    /// What the model says of the world as it is, whole.
    #[allow(dead_code)] // the benchmark cannot wait for that
    pub(crate) fn decide_whole(&self, known: &Known, sort: Sort) -> Option<(u32, i64)> {
        let mut world = World::default();
        for (at, sorts) in &self.on {
            known.put_into(&mut world, &known.nodes[at].0, sorts);
        }
        let (name, total) = known.decided(&world, &known.sorts[sort as usize])?;
        let at = known.nodes.iter().find(|(_, (node, _))| node.metadata.name == name)?;
        Some((*at.0, total))
    }
}

/// Whether a pod looks beyond its node.
fn looks_around(pod: &Pod) -> bool {
    let near = pod.spec.affinity.as_ref().is_some_and(|it| {
        [&it.pod_affinity, &it.pod_anti_affinity]
            .iter()
            .any(|it| !it.required.is_empty() || !it.preferred.is_empty())
    });
    near || !pod.spec.topology_spread_constraints.is_empty()
}
