//! The workloads of Kubernetes' scheduler_perf, by name: nodes, pods that are there, pods that arrive.

use orchestra_core::kinds::{
    Affinity, Container, Node, NodeAffinity, NodeSelector, NodeTerm, Pod, PodAffinity, PodTerm,
    TopologySpread, WhenUnsatisfiable,
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
    /// Whether arriving pods find a place.
    pub(crate) fits: bool,
}

pub(crate) const ALL: &[Workload] = &[
    Workload { name: "SchedulingBasic", before: fifth, old: default, new: default, fits: true },
    Workload { name: "SchedulingDistinct", before: fifth, old: default, new: distinct, fits: true },
    Workload { name: "PodAntiAffinity", before: fifth, old: apart, new: apart, fits: true },
    Workload { name: "PodAffinity", before: all, old: together, new: together, fits: true },
    Workload { name: "NodeAffinity", before: all, old: chosen, new: chosen, fits: true },
    Workload {
        name: "PreferredTopologySpreading",
        before: all,
        old: default,
        new: softly_spread,
        fits: true,
    },
    Workload { name: "TopologySpreading", before: all, old: default, new: spread, fits: true },
    Workload { name: "Unschedulable", before: fifth, old: default, new: large, fits: false },
];

fn fifth(nodes: usize) -> usize {
    nodes / 5
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

fn default(number: usize) -> Pod {
    pod(number, 100, &[])
}

fn distinct(number: usize) -> Pod {
    let mut pod = pod(number, 100 + (number % 400) as i64, &[]);
    let memory = Quantity::bytes((200 << 20) + number as i64 * 4096);
    pod.spec.containers[0].resources.requests.insert("memory", memory);
    pod
}

fn large(number: usize) -> Pod {
    pod(number, 9000, &[])
}

fn term(key: &str, color: &str) -> PodTerm {
    PodTerm {
        label_selector: Some(LabelSelector::from_iter([("color", Str::from(color))])),
        topology_key: key.into(),
        ..Default::default()
    }
}

fn apart(number: usize) -> Pod {
    let mut pod = pod(number, 100, &[("color", "green"), ("name", "test")]);
    let pod_anti_affinity = PodAffinity { required: vec![term(HOST, "green")], ..Default::default() };
    pod.spec.affinity = Some(Box::new(Affinity { pod_anti_affinity, ..Default::default() }));
    pod
}

fn together(number: usize) -> Pod {
    let mut pod = pod(number, 100, &[("color", "blue")]);
    let pod_affinity = PodAffinity { required: vec![term(ZONE, "blue")], ..Default::default() };
    pod.spec.affinity = Some(Box::new(Affinity { pod_affinity, ..Default::default() }));
    pod
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
