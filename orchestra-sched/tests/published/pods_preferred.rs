//! Rows of InterPodAffinity as a score.

use orchestra_core::kinds::{Node, Pod};

use crate::rows::*;

const RULE: &str = "InterPodAffinity";

/// Near S1, by region.
fn near_s1(pod: Pod) -> Pod {
    pod.rather_near(5, term("security in (S1)", "region"))
}

fn near_s2(pod: Pod) -> Pod {
    pod.rather_near(6, term("security in (S2)", "region"))
}

fn away_from_s1(pod: Pod) -> Pod {
    pod.rather_away(5, term("security in (S1)", "az"))
}

fn away_from_s2(pod: Pod) -> Pod {
    pod.rather_away(5, term("security in (S2)", "az"))
}

/// Near S1 by region, away from S2 by zone.
fn near_s1_away_from_s2(pod: Pod) -> Pod {
    away_from_s2(pod.rather_near(8, term("security in (S1)", "region")))
}

/// It must be near S1, and near anybody with a security label.
fn must_near_s1(pod: Pod) -> Pod {
    pod.near(term("security in (S1,value2)", "region")).near(term("security,!wrong", "region"))
}

fn s1() -> Pod {
    pod("security=S1")
}

fn s2() -> Pod {
    pod("security=S2")
}

/// China, India, and somewhere without a region.
fn three() -> [Node; 3] {
    [node("a", "region=China"), node("b", "region=India"), node("c", "az=az1")]
}

/// China, India, China, China, India.
fn five(first: &str) -> [Node; 5] {
    [
        node("a", first),
        node("b", "region=India"),
        node("c", "region=China"),
        node("d", "region=China"),
        node("e", "region=India"),
    ]
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = preferences();
    rows.extend(symmetry());
    rows.extend(namespaces());
    rows.extend(requirements());
    rows
}

fn preferences() -> Vec<Row> {
    vec![
        row("nobody wants anything", three(), [], s1()).scores(RULE, "a=0 b=0 c=0"),
        row(
            "the place counts, and only where there is one",
            three(),
            [s1().on("a"), s2().on("b"), s1().on("c")],
            near_s1(s1()),
        )
        .scores(RULE, "a=100 b=0 c=0"),
        row(
            "all nodes of the place are as good",
            [node("a", "region=China"), node("b", "region=China,az=az1"), node("c", "region=India")],
            [s1().on("a")],
            near_s1(pod("")),
        )
        .scores(RULE, "a=100 b=100 c=0"),
        row(
            "the more pods the better",
            five("region=China"),
            pods("security=S2", ["a", "a", "b", "c", "d", "e"]),
            near_s2(s1()),
        )
        .scores(RULE, "a=100 b=0 c=100 d=100 e=0"),
        row(
            "several terms with several requirements",
            three(),
            [s1().on("a"), s2().on("b"), s1().on("c")],
            s1().rather_near(8, term("security notin (S1),security in (S2)", "region"))
                .rather_near(2, term("security,!wrong", "region")),
        )
        .scores(RULE, "a=20 b=100 c=0"),
        row(
            "away from what is there",
            [node("a", "az=az1"), node("b", "region=China")],
            [s1().on("a"), s2().on("b")],
            away_from_s1(s1()),
        )
        .scores(RULE, "a=0 b=100"),
        row(
            "where there is no place there is nothing to be away from",
            [node("a", "az=az1"), node("b", "region=China")],
            [s1().on("a"), s1().on("b")],
            away_from_s1(s1()),
        )
        .scores(RULE, "a=0 b=100"),
        row(
            "away from the more",
            [node("a", "az=az1"), node("b", "region=India")],
            [s1().on("a"), s1().on("a"), s2().on("b")],
            away_from_s1(s1()),
        )
        .scores(RULE, "a=0 b=100"),
        row(
            "near by one label, away by another",
            [node("a", "region=China"), node("b", "az=az1")],
            [s1().on("a"), s1().on("b")],
            near_s1_away_from_s2(s1()),
        )
        .scores(RULE, "a=100 b=0"),
        row(
            "near by one label, away by another, among its like",
            five("region=China,az=az1"),
            pods("security=S1", ["a", "a", "b", "c", "c", "d", "e"]),
            near_s1_away_from_s2(s1()),
        )
        .scores(RULE, "a=100 b=0 c=100 d=100 e=0"),
        row(
            "only nodes that fit are put between 0 and 100",
            [node("a", "region=r1"), node("b", "region=r2"), node("c", "region=r3").closed()],
            pods("security=S1", ["a", "a", "b", "c", "c", "c"]),
            near_s1(pod("")),
        )
        .scores(RULE, "a=100 b=0"),
        row(
            "pods that are being deleted count",
            [node("a", "region=r1"), node("b", "region=r2")],
            [s1().on("a").going()],
            near_s1(pod("")),
        )
        .scores(RULE, "a=100 b=0"),
    ]
}

fn symmetry() -> Vec<Row> {
    vec![
        row("others' preferences for the pod", three(), [near_s1(s1()).on("a"), near_s2(s2()).on("b")], s2())
            .scores(RULE, "a=0 b=100 c=0"),
        row(
            "others' requirements that the pod meets, each term once",
            three(),
            [must_near_s1(s1()).on("a"), must_near_s1(s2()).on("b")],
            s1(),
        )
        .scores(RULE, "a=100 b=100 c=0"),
        row(
            "others' wish to be away from the pod",
            [node("a", "az=az1"), node("b", "az=az2")],
            [away_from_s2(s1()).on("a"), away_from_s1(s2()).on("b")],
            s2(),
        )
        .scores(RULE, "a=0 b=100"),
        row(
            "8 for its wish, -5 for its other, 8 and -5 for those of others",
            [node("a", "region=China"), node("b", "az=az1"), node("c", "region=India"), node("d", "az=az2")],
            [
                s1().on("a"),
                s2().on("b"),
                near_s1_away_from_s2(pod("")).on("c"),
                away_from_s1(pod("")).on("d"),
            ],
            near_s1_away_from_s2(s1()),
        )
        .scores(RULE, "a=100 b=0 c=100 d=0"),
        row(
            "everywhere the same",
            [node("a", "region=China"), node("b", "region=China")],
            [s1().on("a"), near_s1_away_from_s2(pod("")).on("b")],
            s1(),
        )
        .scores(RULE, "a=0 b=0"),
    ]
}

fn namespaces() -> Vec<Row> {
    let teams = |row: Row| {
        row.namespace("subteam1.team1", "team=team1")
            .namespace("subteam2.team1", "team=team1")
            .namespace("subteam1.team2", "team=team2")
            .namespace("subteam2.team2", "team=team2")
    };
    let chosen = || term("security in (S1)", "region").of("subteam2.team2").of_those("team in (team1)");
    let incoming = || s1().within("subteam1.team1");
    let two = || [node("a", "region=China"), node("b", "region=India")];
    // Two pods of the pod's namespace and one of another on the first node; one of its team on the second.
    let placed = |other: &str| {
        let namespaces = ["subteam1.team1", "subteam1.team1", other];
        let [one, two, three] = namespaces.map(|namespace| s1().within(namespace).on("a"));
        [one, two, three, s1().within("subteam2.team1").on("b")]
    };
    vec![
        teams(row(
            "another's preference selects the pod's namespace",
            three(),
            [s1().on("a").rather_near(5, chosen()), near_s2(s2()).on("b")],
            incoming(),
        ))
        .scores(RULE, "a=100 b=0 c=0"),
        teams(row(
            "another's wish to be away selects the pod's namespace",
            three(),
            [s1().on("a").rather_away(5, chosen()), near_s2(s2()).on("b")],
            incoming(),
        ))
        .scores(RULE, "a=0 b=100 c=100"),
        teams(row(
            "namespaces by their labels",
            two(),
            placed("subteam1.team2"),
            incoming().rather_near(5, chosen()),
        ))
        .scores(RULE, "a=100 b=0"),
        teams(row(
            "named or by their labels",
            two(),
            placed("subteam2.team2"),
            incoming().rather_near(5, chosen()),
        ))
        .scores(RULE, "a=100 b=0"),
        teams(row(
            "away, by their labels",
            two(),
            placed("subteam1.team2"),
            incoming().rather_away(5, chosen()),
        ))
        .scores(RULE, "a=0 b=100"),
        teams(row(
            "away, named or by their labels",
            two(),
            placed("subteam2.team2"),
            incoming().rather_away(5, chosen()),
        ))
        .scores(RULE, "a=0 b=100"),
    ]
}

/// Others must be near the pod.
fn requirements() -> Vec<Row> {
    let service = || term("service in (S1)", "region");
    let needs = || {
        let mut term = service().of("subteam2.team2").of_those("team in (team1)");
        term.namespaces.push("".into());
        [pod("").on("a").near(term.clone()), pod("").on("b").near(term)]
    };
    let s1 = |namespace| pod("service=S1").within(namespace);
    vec![
        row("of the same namespace", three(), needs(), s1("")).scores(RULE, "a=100 b=100 c=0"),
        row("that does not count", three(), needs(), s1(""))
            .requirements_count(0)
            .scores(RULE, "a=0 b=0 c=0"),
        row("of another namespace", three(), needs(), s1("subteam1.team2"))
            .namespace("subteam1.team2", "team=team2")
            .scores(RULE, "a=0 b=0 c=0"),
        row("of namespaces by their labels", three(), needs(), s1("subteam1.team1"))
            .namespace("subteam1.team1", "team=team1")
            .scores(RULE, "a=100 b=100 c=0"),
        row("of a namespace that is named", three(), needs(), s1("subteam2.team2"))
            .namespace("subteam2.team2", "team=team2")
            .scores(RULE, "a=100 b=100 c=0"),
        row(
            "a requirement counts 1, a preference its weight",
            three(),
            [pod("").on("a").near(service()), pod("").on("b").rather_near(4, service())],
            s1(""),
        )
        .scores(RULE, "a=25 b=100 c=0"),
        row(
            "a requirement can count more",
            three(),
            [pod("").on("a").near(service()), pod("").on("b").rather_near(4, service())],
            s1(""),
        )
        .requirements_count(8)
        .scores(RULE, "a=100 b=50 c=0"),
    ]
}
