//! The examples of the pages on assigning pods to nodes, topology spread constraints, taints and
//! tolerations, resource bin packing and scheduling readiness.

use orchestra_core::kinds::{Node, Pod, SchedulingGate};

use crate::model::{Decision, Judge, Settings, Strategy, World, decide};
use crate::rows::*;

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = affinity();
    rows.extend(spread());
    rows.extend(taints());
    rows.extend(packing());
    rows.extend(summaries());
    rows
}

fn in_zone(name: &str, zone: &str) -> Node {
    node(name, &format!("{ZONE}={zone}"))
}

fn affinity() -> Vec<Row> {
    let antarctica = format!("{ZONE} in (antarctica-east1,antarctica-west1)");
    let either =
        || pod("").must(&[&antarctica]).prefers(1, "another-node-label-key in (another-node-label-value)");
    let preferred = format!("{ZONE}=antarctica-west1,another-node-label-key=another-node-label-value");
    let near_s1 =
        || pod("").near(term("security in (S1)", ZONE)).rather_away(100, term("security in (S2)", ZONE));
    vec![
        row(
            "a node in one of the zones, rather one with the other label",
            [in_zone("a", "antarctica-east1"), node("b", &preferred), in_zone("c", "elsewhere")],
            [],
            either(),
        )
        .fits("a b")
        .rejects("c", NOT_ASKED_FOR)
        .scores("NodeAffinity", "a=0 b=100")
        .chooses("b"),
        row(
            "weights 1 and 50",
            [
                node("a", "kubernetes.io/os=linux,label-1=key-1"),
                node("b", "kubernetes.io/os=linux,label-2=key-2"),
                node("c", "label-2=key-2"),
            ],
            [],
            pod("")
                .must(&["kubernetes.io/os=linux"])
                .prefers(1, "label-1=key-1")
                .prefers(50, "label-2=key-2"),
        )
        .rejects("c", NOT_ASKED_FOR)
        .scores("NodeAffinity", "a=2 b=100")
        .chooses("b"),
        row(
            "in a zone with S1, rather in none with S2",
            [in_zone("a", "V"), in_zone("b", "V"), in_zone("c", "R"), in_zone("d", "none")],
            [pod("security=S1").on("a"), pod("security=S1").on("c"), pod("security=S2").on("c")],
            near_s1(),
        )
        .fits("a b c")
        .rejects("d", NOT_NEAR)
        .scores("InterPodAffinity", "a=100 b=100 c=0"),
        row(
            "no zone has S1",
            [in_zone("a", "V"), in_zone("b", "R")],
            [pod("security=S2").on("b")],
            near_s1(),
        )
        .says("0/2 nodes are available: 2 node(s) didn't match pod affinity rules."),
    ]
}

/// Two zones of two nodes each.
fn four() -> [Node; 4] {
    [
        node("node1", "zone=zoneA,node=node1"),
        node("node2", "zone=zoneA,node=node2"),
        node("node3", "zone=zoneB,node=node3"),
        node("node4", "zone=zoneB,node=node4"),
    ]
}

fn spread() -> Vec<Row> {
    let three = || pods("foo=bar", ["node1", "node2", "node3"]);
    let my_pod = || pod("foo=bar");
    let both = || my_pod().spread(hard(1, "zone", "foo=bar")).spread(hard(1, "node", "foo=bar"));
    let conflict = || {
        [
            node("node1", "zone=zoneA,node=node1"),
            node("node2", "zone=zoneA,node=node2"),
            node("node3", "zone=zoneB,node=node3"),
        ]
    };
    let five = || pods("foo=bar", ["node1", "node1", "node2", "node3", "node3"]);
    let [one, two, three_, four_] = four();
    let with_c = [one, two, three_, four_, node("node5", "zone=zoneC,node=node5")];
    vec![
        row("one constraint", four(), three(), my_pod().spread(hard(1, "zone", "foo=bar")))
            .fits("node3 node4")
            .rejects("node1 node2", UNEVEN),
        row("one constraint, more allowed", four(), three(), my_pod().spread(hard(2, "zone", "foo=bar")))
            .fits("node1 node2 node3 node4"),
        row("one constraint, by node", four(), three(), my_pod().spread(hard(1, "node", "foo=bar")))
            .fits("node4")
            .rejects("node1 node2 node3", UNEVEN),
        row("one constraint, if possible", four(), three(), my_pod().spread(soft(1, "zone", "foo=bar")))
            .fits("node1 node2 node3 node4")
            .scores("PodTopologySpread", "node1=33 node2=33 node3=100 node4=100"),
        row("two constraints", four(), three(), both())
            .fits("node4")
            .rejects("node1 node2 node3", UNEVEN)
            .chooses("node4"),
        row("two constraints in conflict", conflict(), five(), both())
            .says("0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints."),
        row(
            "the conflict resolved, if more is allowed",
            conflict(),
            five(),
            my_pod().spread(hard(2, "zone", "foo=bar")).spread(hard(1, "node", "foo=bar")),
        )
        .fits("node2"),
        row(
            "the conflict resolved, if one is only preferred",
            conflict(),
            five(),
            my_pod().spread(hard(1, "zone", "foo=bar")).spread(soft(1, "node", "foo=bar")),
        )
        .fits("node3")
        .rejects("node1 node2", UNEVEN),
        row(
            "a zone that the pod does not want",
            with_c,
            three(),
            my_pod().spread(hard(1, "zone", "foo=bar")).must(&["zone notin (zoneC)"]),
        )
        .fits("node3 node4")
        .rejects("node1 node2", UNEVEN)
        .rejects("node5", NOT_ASKED_FOR),
        row(
            "the pods of a node without a zone are disregarded",
            [
                node("node1", "node=node1"),
                node("node2", "zone=zoneA,node=node2"),
                node("node3", "zone=zoneB,node=node3"),
            ],
            five(),
            both(),
        )
        .fits("node2")
        .rejects("node1", NO_PLACE)
        .rejects("node3", UNEVEN),
        row(
            "a node with a mistyped label is bypassed",
            [node("node4", "zone=zoneB"), node("node5", "zone-typo=zoneC")],
            [],
            my_pod().spread(hard(1, "zone", "foo=bar")),
        )
        .fits("node4")
        .rejects("node5", NO_PLACE),
        row(
            "a pod that is not one of those that it counts",
            four(),
            three(),
            pod("").spread(hard(1, "zone", "foo=bar")),
        )
        .fits("node1 node2 node3 node4"),
    ]
}

fn taints() -> Vec<Row> {
    let tainted = || [node("node1", "").tainted("key1=value1:NoSchedule")];
    let three = || {
        [node("node1", "")
            .tainted("key1=value1:NoSchedule")
            .tainted("key1=value1:NoExecute")
            .tainted("key2=value2:NoSchedule")]
    };
    vec![
        row("a taint", tainted(), [], pod(""))
            .says("0/1 nodes are available: 1 node(s) had untolerated taint {key1: value1}."),
        row("tolerated by its value", tainted(), [], pod("").tolerates("key1=value1:NoSchedule"))
            .fits("node1"),
        row("tolerated whatever its value", tainted(), [], pod("").tolerates("key1:NoSchedule"))
            .fits("node1"),
        row(
            "two of three tolerated",
            three(),
            [],
            pod("").tolerates("key1=value1:NoSchedule").tolerates("key1=value1:NoExecute"),
        )
        .says("0/1 nodes are available: 1 node(s) had untolerated taint {key2: value2}."),
        row(
            "a weak taint is avoided",
            [node("node1", "").tainted("special=true:PreferNoSchedule"), node("node2", "")],
            [],
            pod(""),
        )
        .fits("node1 node2")
        .chooses("node2"),
    ]
}

/// The page reckons from 0 to 10 and rounds each down: 5 and 7. What runs reckons from 0 to 100.
fn packing() -> Vec<Row> {
    let line = Strategy::RequestedToCapacityRatio(vec![(0, 0), (100, 10)]);
    vec![
        row(
            "bin packing",
            [
                node("node1", "").has("intel.com/foo=4 memory=1Gi cpu=8"),
                node("node2", "").has("intel.com/foo=8 memory=1Gi cpu=8"),
            ],
            [
                pod("").on("node1").asks("intel.com/foo=1 memory=256Mi cpu=1"),
                pod("").on("node2").asks("intel.com/foo=2 memory=512Mi cpu=6"),
            ],
            pod("").asks("intel.com/foo=2 memory=256Mi cpu=2"),
        )
        .by(line, "intel.com/foo=5 memory=1 cpu=3")
        .scores("NodeResourcesFit", "node1=60 node2=69"),
    ]
}

fn summaries() -> Vec<Row> {
    let mut gated = pod("");
    gated.spec.scheduling_gates = [
        SchedulingGate { name: "example.com/foo".into() },
        SchedulingGate { name: "example.com/bar".into() },
    ]
    .into_iter()
    .collect();
    vec![
        row(
            "each reason with its count, sorted",
            [
                node("a", "").has("cpu=1"),
                node("b", "").tainted("a=b:NoSchedule"),
                node("c", "").tainted("a=b:NoSchedule"),
            ],
            [],
            pod("").asks("cpu=2"),
        )
        .says("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}."),
        row(
            "a node can have several reasons, and texts are sorted as texts",
            [
                node("a", "").has("cpu=1 memory=1 pods=0"),
                node("b", "").has("cpu=1 memory=5"),
                node("c", "").closed(),
            ],
            [],
            pod("").asks("cpu=2 memory=3"),
        )
        .says(
            "0/3 nodes are available: 1 Insufficient memory, 1 Too many pods, 1 node(s) were unschedulable, \
             2 Insufficient cpu.",
        ),
        row("no nodes", [], [], pod("")).says("no nodes available to schedule pods"),
        row("a gated pod", [node("a", "")], [], gated)
            .says("Scheduling is blocked due to non-empty scheduling gates"),
        row("the first by rank among equals", [node("a", ""), node("b", ""), node("c", "")], [], pod(""))
            .ranked("b c a")
            .chooses("b"),
    ]
}

/// Three caches that keep away from each other, and three servers that keep away from each other and near a
/// cache: in the end each node has one of each.
pub(crate) fn web_application(judge: &dyn Judge) {
    let nodes = ["node-1", "node-2", "node-3"].map(|name| node(name, &format!("{HOSTNAME}={name}")));
    let mut world = World { nodes: nodes.to_vec(), ..World::default() };
    let cache = || pod("app=store").away(term("app in (store)", HOSTNAME));
    let server = || {
        pod("app=web-store").away(term("app in (web-store)", HOSTNAME)).near(term("app in (store)", HOSTNAME))
    };
    let settings = Settings::default();
    let place = |world: &World, pod: &Pod| decide(pod, &judge.judge(world, pod, &settings), &settings);
    assert_eq!(place(&world, &server()), Decision::Nowhere, "there is no cache yet");
    for make in [cache as fn() -> Pod, server as fn() -> Pod] {
        for _ in 0..3 {
            let Decision::On(node) = place(&world, &make()) else { unreachable!("there is room") };
            world.placed.push(make().on(&node));
        }
        assert_eq!(place(&world, &make()), Decision::Nowhere, "each node has one");
    }
    for node in &world.nodes {
        let labels = |app: &str| {
            let here = world.placed.iter().filter(|pod| pod.spec.node_name == *node.name());
            here.filter(|pod| pod.metadata.labels.get("app").is_some_and(|it| it == app)).count()
        };
        assert_eq!((labels("store"), labels("web-store")), (1, 1), "{}", node.name());
    }
}
