//! The workloads of Kubernetes' scheduler_perf, by name: nodes, pods that are there, pods that arrive.

use orchestra_core::kinds::{
    Affinity, Container, Node, NodeAffinity, NodeSelector, NodeTerm, Pod, PodAffinity, PodTerm,
    PreferredPods, TopologySpread, WhenUnsatisfiable,
};
use orchestra_core::object::{LabelSelector, Operator, Quantity, Requirement, Str};

/// One of scheduler_perf's workloads, or one of ours.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// How many pods are there beforehand, for so many nodes.
    pub(crate) before: fn(usize) -> usize,
    /// Such a pod.
    pub(crate) old: fn(usize) -> Pod,
    /// A pod that arrives.
    pub(crate) new: fn(usize) -> Pod,
    /// For how many pods there is room on so many nodes, before the cluster is cleared.
    pub(crate) room: fn(usize) -> usize,
    /// How pods are placed.
    pub(crate) how: How,
}

/// How pods are placed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// One by one.
    Alone,
    /// One by one, and those who are less important have to go.
    Preempting,
    /// So many together or not at all.
    Together(usize),
}

const BASE: Workload = Workload {
    name: "SchedulingBasic",
    before: fifth,
    old: default,
    new: default,
    room: |nodes| nodes * 20,
    how: How::Alone,
};

/// How many are there beforehand follows scheduler_perf's 500 and 5,000 nodes; 50,000 have ten times as many.
pub(crate) const ALL: &[Workload] = &[
    BASE,
    Workload { name: "SchedulingDistinct", new: distinct, room: |nodes| nodes * 8, ..BASE },
    Workload {
        name: "PodAntiAffinity",
        before: |nodes| nodes / 5,
        old: |number| apart(number, "sched-0"),
        new: |number| apart(number, "sched-1"),
        room: |nodes| nodes * 7 / 10,
        ..BASE
    },
    Workload {
        name: "PodAffinity",
        before: all,
        old: |number| together(number, "sched-0"),
        new: |number| together(number, "sched-1"),
        room: |nodes| nodes * 6, // all go to the zone that the first one went to
        ..BASE
    },
    Workload { name: "NodeAffinity", before: all, old: chosen, new: chosen, ..BASE },
    Workload { name: "PreferredTopologySpreading", before: all, new: softly_spread, ..BASE },
    Workload { name: "TopologySpreading", before: all, new: spread, ..BASE },
    Workload {
        name: "Preemption",
        before: |nodes| nodes * 4,
        old: lowly,
        new: important,
        room: |nodes| nodes * 8 / 10,
        how: How::Preempting,
    },
    // Every second pod that arrives is too large for any node. Of those one is asked about for all, as in the
    // queue; the others are to find their places meanwhile.
    Workload {
        name: "Unschedulable",
        new: |number| if number % 2 == 0 { large(number) } else { default(number) },
        ..BASE
    },
    Workload { name: "MixedPods", before: all, old: mixed, new: mixed, room: |nodes| nodes * 3, ..BASE },
    // Every eighth gang has a member that fits nowhere.
    Workload {
        name: "Gang",
        new: |number| if number % 64 == 63 { large(number) } else { default(number) },
        how: How::Together(8),
        ..BASE
    },
];

fn fifth(nodes: usize) -> usize {
    if nodes == 500 { 500 } else { nodes / 5 }
}

fn all(nodes: usize) -> usize {
    nodes
}

const ZONES: [&str; 3] = ["moon-1", "moon-2", "moon-3"];
const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

pub(crate) fn node(number: usize) -> Node {
    let mut node = Node::default();
    node.metadata.name = format!("node-{number}").into();
    node.metadata.labels.insert(HOST, node.metadata.name.clone());
    node.metadata.labels.insert(ZONE, ZONES[number % ZONES.len()].into());
    for (name, amount) in
        [("cpu", Quantity::from(4)), ("memory", Quantity::bytes(32 << 30)), ("pods", Quantity::from(110))]
    {
        node.status.allocatable.insert(name, amount);
    }
    node
}

fn pod(number: usize, cpu: i64, labels: &[(&str, &str)]) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = format!("pod-{number}").into();
    pod.metadata.namespace = "default".into();
    for (key, value) in labels {
        pod.metadata.labels.insert(*key, Str::from(*value));
    }
    let mut container =
        Container { name: "pause".into(), image: "registry.k8s.io/pause:3.10".into(), ..Default::default() };
    container.resources.requests.insert("cpu", Quantity::milli(cpu));
    container.resources.requests.insert("memory", Quantity::bytes(500 << 20));
    pod.spec.containers.push(container);
    pod
}

pub(crate) fn default(number: usize) -> Pod {
    pod(number, 100, &[])
}

/// No two of the first million are the same.
pub(crate) fn distinct(number: usize) -> Pod {
    let mut pod = pod(number, 100 + (number % 400) as i64, &[]);
    let memory = Quantity::bytes((200 << 20) + (number % 65_536) as i64 * 4096);
    pod.spec.containers[0].resources.requests.insert("memory", memory);
    pod
}

fn large(number: usize) -> Pod {
    pod(number, 9000, &[])
}

fn lowly(number: usize) -> Pod {
    pod(number, 900, &[])
}

fn important(number: usize) -> Pod {
    let mut pod = pod(number, 3000, &[]);
    pod.spec.priority = Some(10);
    pod
}

fn term(key: &str, color: &str) -> PodTerm {
    PodTerm {
        label_selector: Some(LabelSelector::from_iter([("color", Str::from(color))])),
        topology_key: key.into(),
        namespaces: vec!["sched-1".into(), "sched-0".into()],
        ..Default::default()
    }
}

fn apart(number: usize, namespace: &str) -> Pod {
    let mut pod = pod(number, 100, &[("color", "green"), ("name", "test")]);
    pod.metadata.namespace = namespace.into();
    let pod_anti_affinity = PodAffinity { required: vec![term(HOST, "green")], ..Default::default() };
    pod.spec.affinity = Some(Box::new(Affinity { pod_anti_affinity, ..Default::default() }));
    pod
}

fn together(number: usize, namespace: &str) -> Pod {
    let mut pod = pod(number, 100, &[("color", "blue")]);
    pod.metadata.namespace = namespace.into();
    let pod_affinity = PodAffinity { required: vec![term(ZONE, "blue")], ..Default::default() };
    pod.spec.affinity = Some(Box::new(Affinity { pod_affinity, ..Default::default() }));
    pod
}

fn rather(number: usize, color: &str, is_with: bool) -> Pod {
    let mut pod = pod(number, 100, &[("color", color)]);
    pod.metadata.namespace = "sched-0".into();
    let preferred = vec![PreferredPods { weight: 1, pod_affinity_term: term(HOST, color) }];
    let near = PodAffinity { preferred, ..Default::default() };
    let affinity = if is_with {
        Affinity { pod_affinity: near, ..Default::default() }
    } else {
        Affinity { pod_anti_affinity: near, ..Default::default() }
    };
    pod.spec.affinity = Some(Box::new(affinity));
    pod
}

/// One of five sorts in turn.
fn mixed(number: usize) -> Pod {
    match number % 5 {
        0 => default(number),
        1 => together(number, "sched-0"),
        2 => apart(number, "sched-0"),
        3 => rather(number, "red", true),
        _ => rather(number, "yellow", false),
    }
}

fn chosen(number: usize) -> Pod {
    let mut pod = pod(number, 100, &[]);
    let values = vec![ZONES[0].into(), ZONES[1].into()];
    let requirement = Requirement { key: ZONE.into(), operator: Operator::In, values };
    let term = NodeTerm { match_expressions: vec![requirement], ..Default::default() };
    let required = Some(NodeSelector { node_selector_terms: vec![term] });
    let node_affinity = NodeAffinity { required, ..Default::default() };
    pod.spec.affinity = Some(Box::new(Affinity { node_affinity, ..Default::default() }));
    pod
}

fn spread_by(number: usize, when: WhenUnsatisfiable) -> Pod {
    let mut pod = pod(number, 100, &[("color", "blue")]);
    pod.spec.topology_spread_constraints.push(TopologySpread {
        max_skew: 5,
        topology_key: ZONE.into(),
        when_unsatisfiable: when,
        label_selector: Some(LabelSelector::from_iter([("color", Str::from("blue"))])),
        ..Default::default()
    });
    pod
}

fn spread(number: usize) -> Pod {
    spread_by(number, WhenUnsatisfiable::DoNotSchedule)
}

fn softly_spread(number: usize) -> Pod {
    spread_by(number, WhenUnsatisfiable::ScheduleAnyway)
}
