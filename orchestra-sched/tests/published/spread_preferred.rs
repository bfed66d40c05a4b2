//! Rows of PodTopologySpread as a score. `closed` nodes do not fit, but what runs there counts.

use orchestra_core::kinds::{Node, NodePolicy, Pod, TopologySpread};

use crate::rows::*;

const RULE: &str = "PodTopologySpread";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// A node with its hostname, and other labels.
fn host(name: &str, labels: &str) -> Node {
    node(name, &format!("{HOSTNAME}={name},{labels}"))
}

fn hosts<const N: usize>(names: [&str; N]) -> [Node; N] {
    names.map(|name| host(name, ""))
}

fn by_host(max_skew: u32) -> Pod {
    pod("foo").spread(soft(max_skew, HOSTNAME, "foo"))
}

fn by_zone() -> Pod {
    pod("foo").spread(soft(1, "zone", "foo"))
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = by_node();
    rows.extend(by_place());
    rows.extend(which_pods_count());
    rows.extend(which_nodes_count());
    rows
}

fn by_node() -> Vec<Row> {
    let placed = || pods("foo", ["a", "a", "b", "d", "d", "d"]);
    vec![
        row("nobody is there yet", hosts(["a", "b"]), [], by_host(1)).scores(RULE, "a=100 b=100"),
        row(
            "only one node fits",
            [host("a", ""), host("b", "").closed()],
            pods("foo", ["a", "a", "b"]),
            by_host(1),
        )
        .scores(RULE, "a=100"),
        row("one on each", hosts(["a", "b"]), pods("foo", ["a", "b"]), by_host(1))
            .scores(RULE, "a=100 b=100"),
        row("2/1/0/3", hosts(["a", "b", "c", "d"]), placed(), by_host(1)).scores(RULE, "a=20 b=60 c=100 d=0"),
        row("2/1/0/3, two more allowed", hosts(["a", "b", "c", "d"]), placed(), by_host(2))
            .scores(RULE, "a=33 b=66 c=100 d=16"),
        row(
            "4/3/2/1, three more allowed",
            hosts(["a", "b", "c", "d"]),
            pods("foo", ["a", "a", "a", "a", "b", "b", "b", "c", "c", "d"]),
            by_host(3),
        )
        .scores(RULE, "a=44 b=66 c=77 d=100"),
        row(
            "4/2/1, and three on a node that does not fit",
            [host("a", ""), host("b", ""), host("x", ""), host("y", "").closed()],
            pods("foo", ["a", "a", "a", "a", "b", "b", "x", "y", "y", "y"]),
            by_host(1),
        )
        .scores(RULE, "a=33 b=83 x=100"),
        row(
            "4/-/1: a node without the label gets nothing",
            [host("a", ""), node("b", "n=b"), host("x", ""), host("y", "").closed()],
            pods("foo", ["a", "a", "a", "a", "b", "b", "x", "y", "y", "y"]),
            by_host(1),
        )
        .scores(RULE, "a=16 b=0 x=100"),
        row(
            "nodes with one hostname are still several",
            [host("a", ""), node("b", &format!("{HOSTNAME}=a")), host("c", "")],
            pods("foo", ["a", "a", "c"]),
            by_host(1),
        )
        .scores(RULE, "a=0 b=100 c=33"),
        row("no node has the label", [node("a", ""), node("b", "")], pods("foo", ["a"]), by_host(1))
            .scores(RULE, "a=0 b=0"),
    ]
}

fn by_place() -> Vec<Row> {
    let both =
        |zone: &str, host: &str| pod("foo,bar").spread(soft(1, "zone", zone)).spread(soft(1, HOSTNAME, host));
    let four = |last: fn(Node) -> Node| {
        [host("a", "zone=1"), host("b", "zone=1"), host("x", "zone=2"), last(host("y", "zone=2"))]
    };
    vec![
        row(
            "6/4 by zone, one node of which does not fit",
            four(OfNode::closed),
            pods("foo", ["a", "a", "a", "a", "b", "b", "x", "y", "y", "y"]),
            by_zone(),
        )
        .scores(RULE, "a=75 b=75 x=100"),
        row(
            "3/6 by zone, 2/2 by node",
            [
                host("a", "zone=1"),
                host("b", "zone=1").closed(),
                host("x", "zone=2"),
                host("y", "zone=2").closed(),
            ],
            pods("foo", ["a", "a", "b", "x", "x", "y", "y", "y", "y"]),
            pod("foo").spread(soft(1, "zone", "foo")).spread(soft(1, HOSTNAME, "foo")),
        )
        .scores(RULE, "a=100 x=63"),
        row(
            "two constraints by zone",
            [
                node("a", "zone=1"),
                node("b", "zone=1").closed(),
                node("x", "zone=2"),
                node("y", "zone=2").closed(),
            ],
            [
                pod("foo,bar").on("a"),
                pod("foo").on("a"),
                pod("foo,bar").on("b"),
                pod("foo").on("y"),
                pod("foo,bar").on("y"),
                pod("foo").on("y"),
            ],
            pod("foo,bar").spread(soft(1, "zone", "foo")).spread(soft(1, "zone", "bar")),
        )
        .scores(RULE, "a=85 x=100"),
        row(
            "2/1 by zone, 0/1/0/1 by node of others",
            four(|node| node),
            [pod("foo").on("a"), pod("foo,bar").on("b"), pod("foo").on("y"), pod("bar").on("y")],
            both("foo", "bar"),
        )
        .scores(RULE, "a=60 b=20 x=100 y=60"),
        row(
            "0/2 by zone, 0/1/0/1 by node of others",
            four(|node| node),
            [pod("bar").on("b"), pod("foo").on("x"), pod("foo,bar").on("y")],
            both("foo", "bar"),
        )
        .scores(RULE, "a=100 b=60 x=40 y=0"),
        row(
            "2/1 by zone, 0/1/0 by node of others, one node does not fit",
            four(OfNode::closed),
            [pod("foo").on("a"), pod("foo,bar").on("b"), pod("foo").on("y"), pod("bar").on("y")],
            both("foo", "bar"),
        )
        .scores(RULE, "a=50 b=25 x=100"),
        row(
            "pods on a node that lacks one label do not count for the other",
            [host("a", "zone=1"), host("x", "zone=2"), node("c", "zone=1")],
            pods("foo", ["c", "c", "x"]),
            pod("foo").spread(soft(1, "zone", "foo")).spread(soft(1, HOSTNAME, "foo")),
        )
        .scores(RULE, "a=100 x=0 c=0"),
        row(
            "the fewest places make no difference where nothing is required",
            [node("a", "node=a"), node("b", "node=b"), node("c", "node=c")],
            pods("foo", ["a", "a", "b", "b", "c"]),
            pod("foo").spread(TopologySpread { min_domains: Some(10), ..soft(2, "node", "foo") }),
        )
        .scores(RULE, "a=75 b=75 c=100"),
        row(
            "who asks for nothing soft gets nothing",
            hosts(["a", "b"]),
            [],
            pod("foo").spread(hard(1, HOSTNAME, "foo")),
        )
        .scores(RULE, "a=0 b=0"),
    ]
}

/// A zone of two nodes, one of which does not fit, and a zone of one.
fn which_nodes_count() -> Vec<Row> {
    use NodePolicy::{Honor, Ignore};
    let nodes =
        || [node("a", "zone=1,ok"), node("b", "zone=1").tainted("t=1:NoSchedule"), node("x", "zone=2,ok")];
    let placed = || pods("foo", ["a", "b", "b", "x", "x"]);
    let by_zone = |node_affinity_policy, node_taints_policy| {
        pod("foo").spread(TopologySpread {
            node_affinity_policy,
            node_taints_policy,
            ..soft(1, "zone", "foo")
        })
    };
    vec![
        row("tainted nodes count", nodes(), placed(), by_zone(None, None)).scores(RULE, "a=75 x=100"),
        row("tainted nodes do not count", nodes(), placed(), by_zone(None, Some(Honor)))
            .scores(RULE, "a=100 x=33"),
        row(
            "nodes that the pod does not want do not count",
            nodes(),
            placed(),
            by_zone(None, None).must(&["ok"]),
        )
        .scores(RULE, "a=100 x=33"),
        row(
            "nodes that the pod does not want count",
            nodes(),
            placed(),
            by_zone(Some(Ignore), None).selects("ok="),
        )
        .scores(RULE, "a=75 x=100"),
    ]
}

fn which_pods_count() -> Vec<Row> {
    let none = || TopologySpread { label_selector: None, ..soft(1, HOSTNAME, "") };
    let placed = || pods("foo", ["a", "a", "b", "d", "d", "d"]);
    let zoned = || [host("a", "zone=1"), host("b", "zone=1"), host("c", "zone=2"), host("d", "zone=2")];
    let keyed = |key: &str, selector: &str, label: &str| TopologySpread {
        match_label_keys: [label.into()].into_iter().collect(),
        ..soft(1, key, selector)
    };
    vec![
        row("no selector means none", hosts(["a", "b", "c", "d"]), placed(), pod("foo").spread(none()))
            .scores(RULE, "a=100 b=100 c=100 d=100"),
        row(
            "those of other namespaces do not",
            hosts(["a", "b"]),
            [pod("foo").within("ns1").on("a"), pod("foo").on("a"), pod("foo").on("b"), pod("foo").on("b")],
            by_host(1),
        )
        .scores(RULE, "a=100 b=33"),
        row(
            "those that are being deleted do not",
            hosts(["a", "b"]),
            [pod("foo").on("a").going(), pod("foo").on("b")],
            by_host(1),
        )
        .scores(RULE, "a=100 b=0"),
        row(
            "an empty selector with labels to compare",
            zoned(),
            [pod("foo").on("a"), pod("foo,bar").on("b"), pod("foo").on("c"), pod("bar").on("c")],
            pod("foo,bar").spread(keyed("zone", "", "foo")).spread(keyed(HOSTNAME, "", "bar")),
        )
        .scores(RULE, "a=60 b=20 c=60 d=100"),
        row(
            "a selector with labels to compare",
            zoned(),
            [
                pod("foo").on("a"),
                pod("foo,bar,baz").on("b"),
                pod("foo").on("c"),
                pod("bar").on("c"),
                pod("bar,baz").on("c"),
            ],
            pod("foo,bar,baz").spread(soft(1, "zone", "foo")).spread(keyed(HOSTNAME, "bar", "baz")),
        )
        .scores(RULE, "a=60 b=20 c=60 d=100"),
        row(
            "an empty selector without counts none",
            zoned(),
            pods("foo", ["a", "a", "b"]),
            pod("foo").spread(soft(1, "zone", "")),
        )
        .scores(RULE, "a=100 b=100 c=100 d=100"),
    ]
}
