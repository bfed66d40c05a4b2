//! Rows of PodTopologySpread as a filter.

use orchestra_core::kinds::{Node, NodePolicy, TopologySpread};

use crate::rows::*;

/// Two zones of two nodes each.
fn four() -> [Node; 4] {
    [
        node("a", "zone=zone1,node=a"),
        node("b", "zone=zone1,node=b"),
        node("x", "zone=zone2,node=x"),
        node("y", "zone=zone2,node=y"),
    ]
}

fn least(min_domains: u32, spread: TopologySpread) -> TopologySpread {
    TopologySpread { min_domains: Some(min_domains), ..spread }
}

fn policies(affinity: NodePolicy, taints: NodePolicy, spread: TopologySpread) -> TopologySpread {
    TopologySpread { node_affinity_policy: Some(affinity), node_taints_policy: Some(taints), ..spread }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = one_constraint();
    rows.extend(several_constraints());
    rows.extend(fewest_places());
    rows.extend(which_nodes_count());
    rows.extend(which_pods_count());
    rows
}

fn one_constraint() -> Vec<Row> {
    let by_zone = || pod("foo").spread(hard(1, "zone", "foo"));
    let by_node = |skew| pod("foo").spread(hard(skew, "node", "foo"));
    let placed = || pods("foo", ["a", "a", "b", "y", "y", "y"]);
    vec![
        row("nobody is there yet", four(), [], by_zone()).fits("a b x y"),
        row(
            "nobody is there, nor is the pod one of them",
            four(),
            [],
            pod("foo").spread(hard(1, "zone", "bar")),
        )
        .fits("a b x y"),
        row("three in each zone", four(), placed(), by_zone()).fits("a b x y"),
        row(
            "a node without a zone takes no part",
            [
                node("a", "zone=zone1"),
                node("b", "zon=zone1"),
                node("x", "zone=zone2"),
                node("y", "zone=zone2"),
            ],
            pods("foo", ["a", "b", "x", "y"]),
            by_zone(),
        )
        .fits("a")
        .rejects("b", NO_PLACE)
        .rejects("x y", UNEVEN),
        row("no node has the label", four(), [], pod("foo").spread(hard(1, "rack", "foo")))
            .rejects("a b x y", NO_PLACE),
        row("2/1/0/3 by node", four(), placed(), by_node(1)).fits("x").rejects("a b y", UNEVEN),
        row("2/1/0/3 by node, two more allowed", four(), placed(), by_node(2))
            .fits("b x")
            .rejects("a y", UNEVEN),
        row(
            "2/1/0/3 by node, and the pod does not count itself",
            four(),
            placed(),
            pod("bar").spread(hard(1, "node", "foo")),
        )
        .fits("b x")
        .rejects("a y", UNEVEN),
        row(
            "nodes that the pod does not want do not count: 2/-/-/3",
            four(),
            placed(),
            by_node(1).must(&["node in (a,y)"]),
        )
        .fits("a")
        .rejects("b x", NOT_ASKED_FOR)
        .rejects("y", UNEVEN),
    ]
}

fn several_constraints() -> Vec<Row> {
    let both = |zone: &str, node: &str| [hard(1, "zone", zone), hard(1, "node", node)];
    let same = || both("foo", "foo").into_iter().fold(pod("foo"), OfPod::spread);
    let each = |labels: &str| both("foo", "bar").into_iter().fold(pod(labels), OfPod::spread);
    vec![
        row("3/3 by zone, 2/1/0/3 by node", four(), pods("foo", ["a", "a", "b", "y", "y", "y"]), same())
            .fits("x")
            .rejects("a b y", UNEVEN),
        row("3/4 by zone, 2/1/0/4 by node", four(), pods("foo", ["a", "a", "b", "y", "y", "y", "y"]), same())
            .says("0/4 nodes are available: 4 node(s) didn't match pod topology spread constraints."),
        row("1/0 by zone, 1/0/0/1 by node", four(), [pod("foo").on("a"), pod("bar").on("y")], each("foo,bar"))
            .fits("x")
            .rejects("a b y", UNEVEN),
        row(
            "1/0 by zone, 0/0/1/1 by node",
            four(),
            [pod("foo").on("a"), pod("bar").on("x"), pod("bar").on("y")],
            each("foo,bar"),
        )
        .rejects("a b x y", UNEVEN),
        row(
            "2/3 by zone, 1/0/0/1 by node",
            four(),
            [
                pod("foo").on("a"),
                pod("foo,bar").on("a"),
                pod("foo").on("y"),
                pod("foo,bar").on("y"),
                pod("foo").on("y"),
            ],
            each("foo,bar"),
        )
        .fits("b")
        .rejects("a x y", UNEVEN),
        row(
            "the pod is not one of those that are spread by zone",
            four(),
            [pod("foo").on("a"), pod("bar").on("x"), pod("bar").on("y")],
            each("bar"),
        )
        .fits("a b")
        .rejects("x y", UNEVEN),
        row(
            "1/1 by zone, and a node without the other label",
            [
                node("a", "zone=zone1,node=a"),
                node("b", "zone=zone1,node=b"),
                node("x", "zone=zone2"),
                node("y", "zone=zone2,node=y"),
            ],
            pods("foo", ["a", "y"]),
            same(),
        )
        .fits("b")
        .rejects("x", NO_PLACE)
        .rejects("a y", UNEVEN),
        row(
            "pods on a node that lacks one label do not count for the other",
            [node("a", "zone=zone1,node=a"), node("b", "zone=zone2,node=b"), node("c", "zone=zone1")],
            pods("foo", ["c", "c"]),
            pod("foo").spread(hard(1, "node", "foo")).spread(hard(1, "zone", "foo")),
        )
        .fits("a b")
        .rejects("c", NO_PLACE),
        row(
            "constraints are asked in their order: a place that is too full comes before a label that is missing",
            [node("a", "zone=zone1,node=a"), node("b", "zone=zone2,node=b"), node("c", "zone=zone1")],
            pods("foo", ["a", "a"]),
            same(),
        )
        .fits("b")
        .rejects("a c", UNEVEN),
    ]
}

fn fewest_places() -> Vec<Row> {
    let by_zone = |skew, places| pod("foo").spread(least(places, hard(skew, "zone", "foo")));
    let placed = || pods("foo", ["a", "b", "x", "y"]);
    vec![
        row("fewer places than asked for: the emptiest might be empty", four(), placed(), by_zone(2, 3))
            .rejects("a b x y", UNEVEN),
        row("as many places as asked for", four(), placed(), by_zone(2, 2)).fits("a b x y"),
        row("fewer places, and room in each", four(), pods("foo", ["a", "x"]), by_zone(2, 3)).fits("a b x y"),
        row("fewer places, and nobody yet", four(), [], by_zone(1, 5)).fits("a b x y"),
    ]
}

fn which_nodes_count() -> Vec<Row> {
    use NodePolicy::{Honor, Ignore};
    let by_node = |affinity, taints| pod("foo").spread(policies(affinity, taints, hard(1, "node", "foo")));
    let nodes = || [node("a", "node=a"), node("b", "node=b"), node("c", "node=c").tainted("t=1:NoSchedule")];
    let placed = || pods("foo", ["a"]);
    let tainted = ("TaintToleration", "node(s) had untolerated taint {t: 1}", false);
    vec![
        row(
            "a node that the pod does not want counts",
            nodes(),
            placed(),
            by_node(Ignore, Honor).must(&["node=a"]),
        )
        .rejects("a", UNEVEN),
        row("it does not", nodes(), placed(), by_node(Honor, Honor).must(&["node=a"])).fits("a"),
        row("nor by a selector of labels", nodes(), placed(), by_node(Honor, Honor).selects("node=a"))
            .fits("a"),
        row("a tainted node counts", nodes(), pods("foo", ["a", "b"]), by_node(Honor, Ignore))
            .rejects("a b", UNEVEN)
            .rejects("c", tainted),
        row("it does not", nodes(), pods("foo", ["a", "b"]), by_node(Honor, Honor))
            .fits("a b")
            .rejects("c", tainted),
        row(
            "it does for who tolerates the taint",
            nodes(),
            pods("foo", ["a", "b"]),
            by_node(Honor, Honor).tolerates("t:NoSchedule"),
        )
        .rejects("a b", UNEVEN)
        .fits("c"),
        row(
            "by default affinity matters, taints do not",
            nodes(),
            pods("foo", ["a", "b"]),
            pod("foo").spread(hard(1, "node", "foo")),
        )
        .rejects("a b", UNEVEN),
        row(
            "a closed node counts, since it is not tainted",
            [node("a", "node=a"), node("b", "node=b").closed()],
            pods("foo", ["a"]),
            by_node(Honor, Honor),
        )
        .rejects("a", UNEVEN)
        .rejects("b", CLOSED),
    ]
}

fn which_pods_count() -> Vec<Row> {
    let nodes = || [node("a", "node=a"), node("b", "node=b")];
    let by_node = || pod("foo").spread(hard(1, "node", "foo"));
    let keyed = || {
        let spread = hard(1, "node", "app=web");
        TopologySpread { match_label_keys: ["version".into()].into_iter().collect(), ..spread }
    };
    let none = || TopologySpread { label_selector: None, ..hard(1, "node", "") };
    vec![
        row(
            "those of other namespaces do not",
            four(),
            [
                pod("foo").within("ns1").on("a"),
                pod("foo").within("ns2").on("a"),
                pod("foo").on("x"),
                pod("foo").on("y"),
            ],
            pod("foo").spread(hard(1, "zone", "foo")),
        )
        .fits("a b")
        .rejects("x y", UNEVEN),
        row(
            "those that are being deleted do not",
            nodes(),
            [pod("foo").on("a").going(), pod("foo").on("b")],
            by_node(),
        )
        .fits("a")
        .rejects("b", UNEVEN),
        row(
            "those of another version do not",
            nodes(),
            [pod("app=web,version=1").on("a"), pod("app=web,version=2").on("b")],
            pod("app=web,version=2").spread(keyed()),
        )
        .fits("a")
        .rejects("b", UNEVEN),
        row(
            "a version that the pod does not have is not compared",
            nodes(),
            [pod("app=web,version=1").on("a"), pod("app=web,version=2").on("a")],
            pod("app=web").spread(keyed()),
        )
        .fits("b")
        .rejects("a", UNEVEN),
        row("no selector means none", nodes(), pods("foo", ["a", "a"]), pod("foo").spread(none()))
            .fits("a b"),
        row(
            "an empty selector counts none either",
            nodes(),
            pods("foo", ["a", "a"]),
            pod("foo").spread(hard(1, "node", "")),
        )
        .fits("a b"),
    ]
}
