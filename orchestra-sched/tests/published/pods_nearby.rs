//! Rows of InterPodAffinity as a filter: one node first, several after.

use orchestra_core::kinds::{Node, Pod};

use crate::rows::*;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = one_node();
    rows.extend(symmetry());
    rows.extend(several_nodes());
    rows.extend(namespaces_and_keys());
    rows
}

fn here() -> [Node; 1] {
    [node("here", "region=r1,zone=z11")]
}

/// What runs on the one node in most rows.
fn scanner() -> Pod {
    pod("service=scan").on("here")
}

const SCAN: &str = "service in (scan,other)";
const VIRUS: &str = "service in (virus,other)";

fn one_node() -> Vec<Row> {
    let s1 = || pod("security=S1");
    vec![
        row("nothing is required", here(), [], pod("")).fits("here"),
        row("In selects the one that is there", here(), [scanner()], s1().near(term(SCAN, "region")))
            .fits("here"),
        row(
            "NotIn selects the one that is there",
            here(),
            [scanner()],
            s1().near(term("service notin (a,b)", "region")),
        )
        .fits("here"),
        row(
            "one in another namespace is not meant",
            here(),
            [scanner().within("ns")],
            s1().near(term(SCAN, "region").of("other")),
        )
        .rejects("here", NOT_NEAR),
        row(
            "one that is not selected is not meant",
            here(),
            [scanner()],
            pod("service=scan").near(term(VIRUS, "region")),
        )
        .rejects("here", NOT_NEAR),
        row(
            "several requirements of several terms",
            here(),
            [scanner()],
            s1().near(term("service,!wrong", "region")).near(term("service=scan,service!=wrong", "region")),
        )
        .fits("here"),
        row(
            "all terms must be met",
            here(),
            [scanner()],
            s1().near(term("service,!wrong", "region")).near(term("service=scan2,service!=wrong", "region")),
        )
        .rejects("here", NOT_NEAR),
        row(
            "near one, away from others",
            here(),
            [scanner()],
            s1().near(term(SCAN, "region")).away(term(VIRUS, "node")),
        )
        .fits("here"),
        row(
            "near and away from the same",
            here(),
            [scanner()],
            s1().near(term(SCAN, "region")).away(term(SCAN, "zone")),
        )
        .rejects("here", NOT_AWAY),
        row(
            "one that is nowhere is not near, and the pod does not select itself",
            here(),
            [pod("service=scan").on("gone")],
            pod("service=scan").near(term("service notin (scan,other)", "region")),
        )
        .rejects("here", NOT_NEAR),
        row(
            "one that is nowhere does not count, so the first of a group may go anywhere",
            here(),
            [pod("service=scan").on("gone")],
            pod("service=scan").near(term(SCAN, "region")),
        )
        .fits("here"),
    ]
}

fn symmetry() -> Vec<Row> {
    let s1 = || pod("security=S1");
    vec![
        row(
            "wishes of both that do not concern the other",
            here(),
            [scanner().away(term(VIRUS, "node"))],
            s1().near(term(SCAN, "region")).away(term(VIRUS, "node")),
        )
        .fits("here"),
        row(
            "the other does not want the pod",
            here(),
            [scanner().away(term(SCAN, "zone"))],
            pod("service=scan").near(term(SCAN, "region")).away(term(VIRUS, "node")),
        )
        .rejects("here", UNWANTED),
        row(
            "the other does not want the pod, which wants nothing",
            here(),
            [scanner().away(term(SCAN, "zone"))],
            pod("service=scan"),
        )
        .rejects("here", UNWANTED),
        row(
            "the other wants to be away from others than the pod",
            here(),
            [scanner().away(term("service notin (scan,other)", "zone"))],
            pod("service=scan"),
        )
        .fits("here"),
        row(
            "the pod does not want the other, which does not mind",
            here(),
            [s1().on("here").away(term("security", "zone"))],
            pod("service=scan").away(term("service", "region")).away(term("security", "region")),
        )
        .rejects("here", NOT_AWAY),
        row(
            "one of the pod's two terms means the other",
            here(),
            [s1().on("here").away(term("security", "zone"))],
            pod("service=scan").away(term("service", "zone")).away(term("security", "zone")),
        )
        .rejects("here", NOT_AWAY),
        row(
            "one of the other's two terms means the pod",
            here(),
            [scanner().away(term("service", "zone")).away(term("security", "zone"))],
            s1().away(term("security", "zone")),
        )
        .rejects("here", UNWANTED),
        row(
            "both mean each other: the pod's own wish is named",
            here(),
            [pod("def,xyz").on("here").away(term("abc", "zone")).away(term("def", "zone"))],
            pod("abc,xyz").away(term("abc", "zone")).away(term("def", "zone")),
        )
        .rejects("here", NOT_AWAY),
        row(
            "both mean each other, the other way round",
            here(),
            [pod("abc,xyz").on("here").away(term("abc", "zone")).away(term("def", "zone"))],
            pod("def,xyz").away(term("abc", "zone")).away(term("def", "zone")),
        )
        .rejects("here", NOT_AWAY),
    ]
}

/// Two in a region, one of them with a zone; one in another region.
fn regions() -> [Node; 3] {
    [node("a", "region=China"), node("b", "region=China,az=az1"), node("c", "region=India")]
}

/// Two in a region, each in a zone of its own.
fn zones() -> [Node; 2] {
    [node("a", "region=r1,zone=z1,hostname=a"), node("b", "region=r1,zone=z2,hostname=b")]
}

fn several_nodes() -> Vec<Row> {
    let same_zone = || [node("a", "region=r1,zone=z1,hostname=a"), node("b", "region=r1,zone=z1,hostname=b")];
    vec![
        row(
            "all nodes of the place are near",
            regions(),
            pods("foo=bar", ["a"]),
            pod("").near(term("foo=bar", "region")),
        )
        .fits("a b")
        .rejects("c", NOT_NEAR),
        row(
            "whom only one of two terms selects is no friend, so this is the first of its group",
            [node("a", "zone=az1,hostname=h1"), node("b", "zone=az2,hostname=h2")],
            pods("foo=bar", ["a"]),
            pod("foo=bar,service=scan").near(term("foo=bar", "zone")).near(term("service=scan", "zone")),
        )
        .fits("a b"),
        row(
            "all nodes of the place are to be kept away from",
            [node("a", "region=r1,hostname=a"), node("b", "region=r1,hostname=b")],
            pods("foo=abc", ["a"]),
            pod("").away(term("foo=abc", "region")),
        )
        .rejects("a b", NOT_AWAY),
        row(
            "one of the terms is enough to be kept away",
            zones(),
            pods("foo=abc,service=scan", ["a"]),
            pod("").away(term("foo=abc", "region")).away(term("service=scan", "zone")),
        )
        .rejects("a b", NOT_AWAY),
        row(
            "another place is right",
            regions(),
            pods("foo=abc", ["a"]),
            pod("").away(term("foo=abc", "region")),
        )
        .rejects("a b", NOT_AWAY)
        .fits("c"),
        row(
            "another's wishes are about its own namespace",
            regions(),
            [
                pod("foo=bar").within("NS1").on("a"),
                pod("").within("NS2").on("c").away(term("foo=123", "region")),
            ],
            pod("foo=123").within("NS1").away(term("foo=bar", "region")),
        )
        .rejects("a b", NOT_AWAY)
        .fits("c"),
        row(
            "a place that no node knows keeps nobody away from another",
            same_zone(),
            [pod("").on("a").away(term("foo", "no-such-label"))],
            pod("foo="),
        )
        .fits("a b"),
        row(
            "a place that no node knows keeps the pod away from nobody",
            same_zone(),
            pods("foo", ["a"]),
            pod("").away(term("foo", "no-such-label")),
        )
        .fits("a b"),
        row(
            "two others, each in its own way, leave no node",
            zones(),
            [pod("").on("a").away(term("foo", "zone")), pod("").on("a").away(term("bar", "region"))],
            pod("foo,bar"),
        )
        .rejects("a b", UNWANTED),
        row(
            "two wishes, each about another, leave no node",
            zones(),
            [pod("foo").on("a"), pod("bar").on("b")],
            pod("").away(term("foo", "zone")).away(term("bar", "region")),
        )
        .rejects("a b", NOT_AWAY),
        row(
            "of another's wishes, that with a known place counts",
            zones(),
            [pod("").on("a").away(term("foo", "no-such-label")).away(term("bar", "zone"))],
            pod("foo,bar"),
        )
        .rejects("a", UNWANTED)
        .fits("b"),
        row(
            "of the pod's wishes, that with a known place counts",
            zones(),
            pods("foo,bar", ["a"]),
            pod("").away(term("foo", "no-such-label")).away(term("bar", "zone")),
        )
        .rejects("a", NOT_AWAY)
        .fits("b"),
        row(
            "another's two wishes are met at different nodes",
            zones(),
            [pod("").on("a").away(term("foo", "region")).away(term("bar", "zone"))],
            pod("foo,bar"),
        )
        .rejects("a b", UNWANTED),
        row(
            "whom only one of two terms selects is no friend, where there are friends elsewhere",
            zones(),
            [pod("foo=bar").on("a"), pod("service=scan").on("a"), pod("foo=bar,service=scan").on("b")],
            pod("").near(term("foo=bar", "zone")).near(term("service=scan", "zone")),
        )
        .rejects("a", NOT_NEAR)
        .fits("b"),
        row(
            "two terms by different labels can be met by different friends",
            [node("a", "region=r1,zone=z1"), node("b", "region=r1,zone=z2"), node("c", "region=r2,zone=z1")],
            pods("foo", ["b", "c"]),
            pod("").near(term("foo", "region")).near(term("foo", "zone")),
        )
        .fits("a b c"),
        row(
            "a friend on a node without the label is nowhere, so the first of a group may go anywhere else",
            [node("a", "zone=z1"), node("b", "")],
            pods("foo", ["b"]),
            pod("foo").near(term("foo", "zone")),
        )
        .fits("a")
        .rejects("b", NOT_NEAR),
        row(
            "a node without one of the labels is near nothing, not even for the first of a group",
            [node("a", "region=r1,zone=z1"), node("b", "region=r2"), node("c", "")],
            [],
            pod("foo=bar").near(term("foo=bar", "region")).near(term("foo", "zone")),
        )
        .fits("a")
        .rejects("b c", NOT_NEAR),
    ]
}

fn namespaces_and_keys() -> Vec<Row> {
    let teams = |row: Row| {
        row.namespace("one", "team=red").namespace("two", "team=red").namespace("three", "team=blue")
    };
    let near = |term| pod("foo=bar").within("one").near(term);
    let placed = || [pod("foo=bar").within("two").on("a")];
    let keyed = |key: &str, mismatch: bool| {
        let mut term = term("app=web", "zone");
        let keys = if mismatch { &mut term.mismatch_label_keys } else { &mut term.match_label_keys };
        keys.push(key.into());
        term
    };
    vec![
        teams(row(
            "a namespace that is named",
            zones(),
            placed(),
            near(term("foo=bar", "zone").of("two three")),
        ))
        .fits("a")
        .rejects("b", NOT_NEAR),
        teams(row(
            "namespaces by their labels",
            zones(),
            placed(),
            near(term("foo=bar", "zone").of_those("team=red")),
        ))
        .fits("a")
        .rejects("b", NOT_NEAR),
        teams(row(
            "namespaces by other labels, of which the pod's is none",
            zones(),
            placed(),
            near(term("foo=bar", "zone").of_those("team=blue")),
        ))
        .rejects("a b", NOT_NEAR),
        teams(row("all namespaces", zones(), placed(), near(term("foo=bar", "zone").of_those(""))))
            .fits("a")
            .rejects("b", NOT_NEAR),
        teams(row(
            "named or selected",
            zones(),
            placed(),
            near(term("foo=bar", "zone").of("two").of_those("team=blue")),
        ))
        .fits("a")
        .rejects("b", NOT_NEAR),
        teams(row(
            "neither: its own only",
            zones(),
            placed(),
            pod("").within("one").away(term("foo=bar", "zone")),
        ))
        .fits("a b"),
        teams(row(
            "another's wish selects the pod's namespace",
            zones(),
            [pod("").within("three").on("a").away(term("foo=bar", "zone").of_those("team=red"))],
            pod("foo=bar").within("one"),
        ))
        .rejects("a", UNWANTED)
        .fits("b"),
        row(
            "the same value of a label as the pod's own",
            zones(),
            [pod("app=web,version=1").on("a"), pod("app=web,version=2").on("b")],
            pod("app=web,version=2").near(keyed("version", false)),
        )
        .rejects("a", NOT_NEAR)
        .fits("b"),
        row(
            "another value of a label than the pod's own",
            zones(),
            [pod("app=web,version=1").on("a"), pod("app=web,version=2").on("b")],
            pod("app=web,version=2").away(keyed("version", true)),
        )
        .rejects("a", NOT_AWAY)
        .fits("b"),
        row(
            "a label that the pod does not have is not compared",
            zones(),
            [pod("app=web,version=1").on("a")],
            pod("app=web").near(keyed("version", false)),
        )
        .fits("a")
        .rejects("b", NOT_NEAR),
        row(
            "a pod that is being deleted still keeps others away",
            zones(),
            [pod("").on("a").away(term("foo", "zone")).going()],
            pod("foo"),
        )
        .rejects("a", UNWANTED)
        .fits("b"),
    ]
}
