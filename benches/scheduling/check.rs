//! Holds decisions against the slow model of the tests.
//!
//! Asked about thousands of nodes and pods, it would take hours. So it is asked about a smaller world that
//! must give the same answer. Nodes of one zone with pods of the same sorts differ in their names only: of
//! those that are equal the one of the lowest rank stands for all. Pods elsewhere matter only to rules that look
//! beyond a node. Where the pod or some other has such a rule, those whose labels or rules may count are put
//! on a node of their zone that is full. Where none has, each node is a world of its own, and what the
//! model says of it is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use orchestra_core::kinds::{Node, Pod};
use orchestra_core::object::{Quantity, Str};
use orchestra_sched::{Decision, NodeId};

use crate::algo::Step;
use crate::model::{self, Settings, World, judge};

const ZONE: &str = "topology.kubernetes.io/zone";
/// So many decisions of a case are checked, if there is time.
const MOST: usize = 1_000;

/// So much is remembered to choose from, and no more, since it takes memory.
const MOST_EVENTS: usize = 1_000_000;
const MOST_SORTS: usize = 50_000;

/// Pods that differ in their names only, as a number.
type Sort = u32;
/// A zone, and the sorts of the pods that are on a node, in order.
type State = (Str, Vec<Sort>);

/// The cluster as the model sees it.
#[derive(Clone, Default)]
struct Mirror {
    /// The nodes in each state, by rank.
    groups: BTreeMap<State, BTreeSet<(u64, u32)>>,
    /// By the node's place.
    on: BTreeMap<u32, Vec<Sort>>,
    pods: BTreeMap<(Str, Str), (u32, Sort)>,
}

#[derive(Default)]
pub(crate) struct Checker {
    nodes: BTreeMap<u32, (Node, u64)>,
    sorts: Vec<Pod>,
    /// Whether some sort looks beyond its node. Rules hold both ways.
    looks_around: bool,
    start: Mirror,
    mirror: Mirror,
    /// What was decided in which world; each is told apart by what happened since the one before.
    history: Vec<Event>,
}

enum Event {
    Cleared,
    Decided { sort: Sort, name: (Str, Str), decision: Decision },
    Gone((Str, Str)),
}

impl Mirror {
    fn change(&mut self, nodes: &BTreeMap<u32, (Node, u64)>, at: u32, change: impl FnOnce(&mut Vec<Sort>)) {
        let (node, rank) = &nodes[&at];
        let zone = node.metadata.labels.get(ZONE).unwrap().clone();
        let sorts = self.on.entry(at).or_default();
        let old = (zone.clone(), sorts.clone());
        if let Some(group) = self.groups.get_mut(&old) {
            group.remove(&(*rank, at));
            if group.is_empty() {
                self.groups.remove(&old);
            }
        }
        change(sorts);
        sorts.sort_unstable();
        self.groups.entry((zone, sorts.clone())).or_default().insert((*rank, at));
    }

    fn put(&mut self, nodes: &BTreeMap<u32, (Node, u64)>, name: (Str, Str), node: u32, sort: Sort) {
        self.change(nodes, node, |sorts| sorts.push(sort));
        self.pods.insert(name, (node, sort));
    }

    fn remove(&mut self, nodes: &BTreeMap<u32, (Node, u64)>, name: &(Str, Str)) {
        let (node, sort) = self.pods.remove(name).expect("who goes was there");
        self.change(nodes, node, |sorts| {
            let at = sorts.iter().position(|it| *it == sort).unwrap();
            sorts.remove(at);
        });
    }
}

fn name_of(pod: &Pod) -> (Str, Str) {
    (pod.metadata.namespace.clone(), pod.metadata.name.clone())
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

impl Checker {
    pub(crate) fn add(&mut self, id: NodeId, node: Node, rank: u64) {
        let at = id.at() as u32;
        self.nodes.insert(at, (node, rank));
        self.mirror.change(&self.nodes, at, |_| {});
    }

    /// The sort of a pod. Those who come are compared with the latest, since those who differ all do.
    fn sort(&mut self, pod: &Pod) -> Sort {
        let mut bare = pod.clone();
        bare.metadata.name = Str::default();
        let latest = self.sorts.len().saturating_sub(16);
        if let Some(at) = self.sorts[latest..].iter().position(|it| *it == bare) {
            return (latest + at) as Sort;
        }
        self.looks_around |= looks_around(&bare);
        self.sorts.push(bare);
        (self.sorts.len() - 1) as Sort
    }

    /// A pod that is there beforehand.
    pub(crate) fn place(&mut self, pod: &Pod, decision: Decision) {
        let Decision::Place { node, .. } = decision else { return };
        let sort = self.sort(pod);
        self.mirror.put(&self.nodes, name_of(pod), node.at() as u32, sort);
    }

    /// What is there now is there beforehand.
    pub(crate) fn keep(&mut self) {
        self.start = self.mirror.clone();
    }

    /// Everything is as it was beforehand.
    pub(crate) fn clear(&mut self) {
        self.history.push(Event::Cleared);
    }

    /// Notes what was done with pods, for later.
    pub(crate) fn follow(&mut self, pods: &[Pod], steps: Vec<Step>) {
        if self.history.len() > MOST_EVENTS || self.sorts.len() > MOST_SORTS {
            return;
        }
        let by_name: BTreeMap<_, _> = pods.iter().map(|pod| (&pod.metadata.name, pod)).collect();
        for step in steps {
            match step {
                Step::Decided(name, decision) => {
                    let pod = by_name[&name];
                    let sort = self.sort(pod);
                    self.history.push(Event::Decided { sort, name: name_of(pod), decision });
                }
                Step::Gone(victims) => {
                    let names = victims.into_iter().map(|it| Event::Gone((it.namespace, it.name)));
                    self.history.extend(names);
                }
                Step::Undone(views) => {
                    let names =
                        views.iter().map(|it| Event::Gone((it.namespace().clone(), it.name().clone())));
                    self.history.extend(names);
                }
            }
        }
    }

    /// Has the model decide again about some pods, spread over all, as many as there is time for; tells how many.
    pub(crate) fn check(&mut self, case: &str, limit: Duration) -> usize {
        let history = std::mem::take(&mut self.history);
        let decided = history.iter().filter(|it| matches!(it, Event::Decided { .. })).count();
        let every = (decided / MOST).max(1);
        let (mut asked, mut checked, mut memo) = (0, 0, BTreeMap::new());
        self.mirror = self.start.clone();
        // What takes long is asked seldom from the beginning, so that the last pods have their share, too.
        let begun = Instant::now();
        for event in history {
            match event {
                Event::Cleared => self.mirror = self.start.clone(),
                Event::Gone(name) => self.mirror.remove(&self.nodes, &name),
                Event::Decided { sort, name, decision } => {
                    let share = limit.mul_f64((asked + every) as f64 / decided as f64);
                    // Pods that all differ are not remembered for each other.
                    if memo.len() > MOST_EVENTS {
                        memo.clear();
                    }
                    if asked % every == 0 && checked < MOST && begun.elapsed() <= share {
                        let expected = self.decide(sort, &mut memo);
                        let found = match decision {
                            Decision::Place { node, score } => Some((node.at() as u32, score)),
                            Decision::NoFit | Decision::Gated => None,
                        };
                        assert_eq!(
                            found, expected,
                            "{case}, decision {asked}: {}: engine, then model",
                            name.1
                        );
                        checked += 1;
                    }
                    asked += 1;
                    if let Decision::Place { node, .. } = decision {
                        self.mirror.put(&self.nodes, name, node.at() as u32, sort);
                    }
                }
            }
        }
        checked
    }

    /// Where the model puts a pod of a sort, and the score.
    fn decide(&self, sort: Sort, memo: &mut BTreeMap<(State, Sort), Option<i64>>) -> Option<(u32, i64)> {
        let pod = &self.sorts[sort as usize];
        let groups = self.mirror.groups.iter().filter_map(|(state, nodes)| Some((state, nodes.first()?)));
        if !self.looks_around {
            let best = groups.filter_map(|(state, (rank, at))| {
                let alone = || {
                    let node = self.nodes[at].0.clone();
                    let placed = self.there(&node, &state.1);
                    let judged = judge(
                        &World { nodes: vec![node], placed, ..World::default() },
                        pod,
                        &Settings::default(),
                    );
                    judged[0].rejected.is_none().then_some(judged[0].total)
                };
                let total = *memo.entry((state.clone(), sort)).or_insert_with(alone);
                Some((std::cmp::Reverse(total?), *rank, *at))
            });
            return best.min().map(|(total, _, at)| (at, total.0));
        }
        let (mut world, mut settings) = (World::default(), Settings::default());
        let mut elsewhere: BTreeMap<&Str, Vec<Pod>> = BTreeMap::new();
        for (state, nodes) in &self.mirror.groups {
            let Some((rank, at)) = nodes.first() else { continue };
            let node = self.nodes[at].0.clone();
            settings.rank.insert(node.metadata.name.to_string(), *rank);
            world.placed.extend(self.there(&node, &state.1));
            world.nodes.push(node);
            for sort in &state.1 {
                let other = &self.sorts[*sort as usize];
                if looks_around(other) || !other.metadata.labels.is_empty() {
                    let rest = elsewhere.entry(&state.0).or_default();
                    rest.extend(std::iter::repeat_n(other, nodes.len() - 1).cloned());
                }
            }
        }
        for (zone, mut pods) in elsewhere {
            let mut full = crate::workload::node(usize::MAX);
            full.metadata.labels.insert(ZONE, zone.clone());
            full.metadata.name = format!("full-{zone}").into();
            full.metadata.labels.insert("kubernetes.io/hostname", full.metadata.name.clone());
            full.status.allocatable.insert("pods", Quantity::from(0));
            pods.iter_mut().for_each(|pod| pod.spec.node_name = full.metadata.name.clone());
            world.placed.extend(pods);
            world.nodes.push(full);
        }
        let judged = judge(&world, pod, &settings);
        let model::Decision::On(name) = model::decide(pod, &judged, &settings) else { return None };
        let total = judged.iter().find(|it| it.node == name)?.total;
        let at = self.mirror.groups.values().filter_map(BTreeSet::first);
        let at = at.map(|(_, at)| *at).find(|at| *self.nodes[at].0.metadata.name == *name)?;
        Some((at, total))
    }

    /// Pods of some sorts on a node.
    fn there(&self, node: &Node, sorts: &[Sort]) -> Vec<Pod> {
        let on = |sort: &Sort| {
            let mut pod = self.sorts[*sort as usize].clone();
            pod.spec.node_name = node.metadata.name.clone();
            pod
        };
        sorts.iter().map(on).collect()
    }
}
