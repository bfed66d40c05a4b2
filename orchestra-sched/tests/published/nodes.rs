//! Rows of the rules that look at one node: taints, selectors, ports and images.

use orchestra_core::kinds::{Node, Pod};

use crate::rows::*;

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = taints();
    rows.extend(taints_preferred());
    rows.extend(selectors());
    rows.extend(named());
    rows.extend(nodes_preferred());
    rows.extend(ports());
    rows.extend(images());
    rows
}

fn taints() -> Vec<Row> {
    let dedicated = || [node("a", "").tainted("dedicated=user1:NoSchedule")];
    let tainted = || [node("a", "").tainted("foo=bar:NoSchedule")];
    let level = |value: &str| [node("a", "").tainted(&format!("level={value}:NoSchedule"))];
    let not = |reason| ("TaintToleration", reason, false);
    let user1 = not("node(s) had untolerated taint {dedicated: user1}");
    let bar = not("node(s) had untolerated taint {foo: bar}");
    vec![
        row("nothing is tolerated", dedicated(), [], pod("")).rejects("a", user1),
        row("the very taint", dedicated(), [], pod("").tolerates("dedicated=user1:NoSchedule")).fits("a"),
        row("another value", dedicated(), [], pod("").tolerates("dedicated=user2:NoSchedule"))
            .rejects("a", user1),
        row("any value", tainted(), [], pod("").tolerates("foo:NoSchedule")).fits("a"),
        row(
            "each taint by a toleration of its own",
            [node("a", "").tainted("dedicated=user2:NoSchedule").tainted("foo=bar:NoSchedule")],
            [],
            pod("").tolerates("dedicated=user2:NoSchedule").tolerates("foo:NoSchedule"),
        )
        .fits("a"),
        row(
            "the first that is not tolerated is named",
            [node("a", "").tainted("x=:NoSchedule").tainted("foo=bar:NoExecute").tainted("z=:NoSchedule")],
            [],
            pod("").tolerates("x:"),
        )
        .rejects("a", bar),
        row("another effect", tainted(), [], pod("").tolerates("foo=bar:PreferNoSchedule")).rejects("a", bar),
        row("any effect", tainted(), [], pod("").tolerates("foo=bar:")).fits("a"),
        row("everything", tainted(), [], pod("").tolerates(":")).fits("a"),
        row("a weak taint", [node("a", "").tainted("dedicated=user1:PreferNoSchedule")], [], pod(""))
            .fits("a"),
        row("a taint that drives out", [node("a", "").tainted("foo=bar:NoExecute")], [], pod(""))
            .rejects("a", bar),
        row("a number that is too low", level("800"), [], pod("").tolerates("level>950:NoSchedule"))
            .rejects("a", not("node(s) had untolerated taint {level: 800}")),
        row("a number that is high enough", level("950"), [], pod("").tolerates("level>750:NoSchedule"))
            .fits("a"),
        row("a number that is too high", level("950"), [], pod("").tolerates("level<800:NoSchedule"))
            .rejects("a", not("node(s) had untolerated taint {level: 950}")),
        row("no number", level("high"), [], pod("").tolerates("level>750:NoSchedule"))
            .rejects("a", not("node(s) had untolerated taint {level: high}")),
        row("a node that is closed", [node("a", "").closed()], [], pod("")).rejects("a", CLOSED),
        row(
            "who tolerates the taint of closed nodes may go there",
            [node("a", "").closed()],
            [],
            pod("").tolerates("node.kubernetes.io/unschedulable:NoSchedule"),
        )
        .fits("a"),
        row(
            "that it is closed is said first",
            [node("a", "").closed().tainted("foo=bar:NoSchedule")],
            [],
            pod(""),
        )
        .rejects("a", CLOSED),
    ]
}

fn taints_preferred() -> Vec<Row> {
    const RULE: &str = "TaintToleration";
    let weak = |node: Node, taints: &[&str]| {
        taints.iter().fold(node, |node, taint| node.tainted(&format!("{taint}:PreferNoSchedule")))
    };
    let three = || {
        let (arm, ssd) = ("cpu-type=arm64", "disk-type=ssd");
        [node("a", ""), weak(node("b", ""), &[arm]), weak(node("c", ""), &[arm, ssd])]
    };
    let level = |name| move |value: &str| weak(node(name, ""), &[&format!("level={value}")]);
    vec![
        row(
            "tolerated or not",
            [weak(node("a", ""), &["foo=bar"]), weak(node("b", ""), &["foo=blah"])],
            [],
            pod("").tolerates("foo=bar:PreferNoSchedule"),
        )
        .scores(RULE, "a=100 b=0"),
        row(
            "how many are tolerated does not matter",
            three(),
            [],
            pod("").tolerates("cpu-type=arm64:PreferNoSchedule").tolerates("disk-type=ssd:PreferNoSchedule"),
        )
        .scores(RULE, "a=100 b=100 c=100"),
        row("how many are not does", three(), [], pod("").tolerates("foo=bar:PreferNoSchedule"))
            .scores(RULE, "a=100 b=50 c=0"),
        row(
            "tolerations of another effect do not help",
            [
                node("a", ""),
                node("b", "").tainted("cpu-type=arm64:NoSchedule"),
                weak(node("c", ""), &["cpu-type=arm64", "disk-type=ssd"]),
            ],
            [],
            pod("").tolerates("cpu-type=arm64:NoSchedule").tolerates("disk-type=ssd:NoSchedule"),
        )
        .scores(RULE, "a=100 b=100 c=0"),
        row(
            "neither taints nor tolerations",
            [node("a", ""), weak(node("b", ""), &["cpu-type=arm64"])],
            [],
            pod(""),
        )
        .scores(RULE, "a=100 b=0"),
        row(
            "numbers",
            [level("a")("800"), level("b")("999")],
            [],
            pod("").tolerates("level>950:PreferNoSchedule"),
        )
        .scores(RULE, "a=0 b=100"),
        row(
            "numbers, the other way",
            [level("a")("950"), level("b")("700")],
            [],
            pod("").tolerates("level<800:PreferNoSchedule"),
        )
        .scores(RULE, "a=0 b=100"),
        row(
            "no numbers",
            [node("a", ""), level("b")("high")],
            [],
            pod("").tolerates("level>950:PreferNoSchedule"),
        )
        .scores(RULE, "a=100 b=0"),
    ]
}

fn selectors() -> Vec<Row> {
    let on = |labels: &str| [node("a", labels)];
    let gpu = || on("GPU=NVIDIA-GRID-K1");
    let empty: &[&str] = &[""];
    vec![
        row("no label", on(""), [], pod("").selects("foo=bar")).rejects("a", NOT_ASKED_FOR),
        row("the label", on("foo=bar"), [], pod("").selects("foo=bar")).fits("a"),
        row("the label and others", on("foo=bar,baz=blah"), [], pod("").selects("foo=bar")).fits("a"),
        row("one label of two", on("foo=bar"), [], pod("").selects("foo=bar,baz=blah"))
            .rejects("a", NOT_ASKED_FOR),
        row("In", on("foo=bar"), [], pod("").must(&["foo in (bar,value2)"])).fits("a"),
        row("Gt", on("kernel-version=0206"), [], pod("").must(&["kernel-version>0204"])).fits("a"),
        row("Lt", on("kernel-version=0206"), [], pod("").must(&["kernel-version<0204"]))
            .rejects("a", NOT_ASKED_FOR),
        row("NotIn", on("mem-type=DDR3"), [], pod("").must(&["mem-type notin (DDR,DDR2)"])).fits("a"),
        row("Exists", gpu(), [], pod("").must(&["GPU"])).fits("a"),
        row("DoesNotExist", gpu(), [], pod("").must(&["!GPU"])).rejects("a", NOT_ASKED_FOR),
        row("other values", on("foo=bar"), [], pod("").must(&["foo in (value1,value2)"]))
            .rejects("a", NOT_ASKED_FOR),
        row("no term", on("foo=bar"), [], pod("").must(&[])).rejects("a", NOT_ASKED_FOR),
        row("a term that says nothing", on("foo=bar"), [], pod("").must(empty)).rejects("a", NOT_ASKED_FOR),
        row(
            "a term that says nothing, beside one that does",
            on("foo=bar"),
            [],
            pod("").must(&["", "foo=bar"]),
        )
        .fits("a"),
        row("no affinity", on("foo=bar"), [], pod("")).fits("a"),
        row("all requirements of a term", gpu(), [], pod("").must(&["GPU,GPU notin (AMD,INTEL)"])).fits("a"),
        row("not all of them", gpu(), [], pod("").must(&["GPU,GPU in (AMD,INTEL)"]))
            .rejects("a", NOT_ASKED_FOR),
        row(
            "one of the terms",
            on("foo=bar"),
            [],
            pod("").must(&["foo in (bar,value2)", "other in (wrong)"]),
        )
        .fits("a"),
        row("affinity and selector", on("foo=bar"), [], pod("").selects("foo=bar").must(&["foo"])).fits("a"),
        row("affinity, but not the selector", on("foo=baz"), [], pod("").selects("foo=bar").must(&["foo"]))
            .rejects("a", NOT_ASKED_FOR),
        row("the selector, but not affinity", on("foo=bar"), [], pod("").selects("foo=bar").must(&["!foo"]))
            .rejects("a", NOT_ASKED_FOR),
    ]
}

/// Nodes by their names. `a` is the node in most rows.
fn named() -> Vec<Row> {
    let nodes = || [node("a", "foo=bar"), node("b", "")];
    let in_a = "metadata.name=a";
    vec![
        row("its name", nodes(), [], pod("").must_be(&[in_a])).fits("a").rejects("b", NOT_NAMED),
        row("one name or other labels", nodes(), [], pod("").must_be(&["metadata.name=b", "/foo=bar"]))
            .fits("a b"),
        row("its name, but other labels", nodes(), [], pod("").must_be(&["metadata.name=b/foo=bar"]))
            .rejects("a", NOT_NAMED)
            .rejects("b", NOT_ASKED_FOR),
        row("its name and its labels", nodes(), [], pod("").must_be(&["metadata.name=a/foo=bar"]))
            .fits("a")
            .rejects("b", NOT_NAMED),
        row("not its name", nodes(), [], pod("").must_be(&["metadata.name!=a"]))
            .fits("b")
            .rejects("a", NOT_ASKED_FOR),
        row("either name", nodes(), [], pod("").must_be(&[in_a, "metadata.name=b"])).fits("a b"),
        row(
            "names that contradict each other",
            nodes(),
            [],
            pod("").must_be(&["metadata.name=a,metadata.name=b"]),
        )
        .says("0/2 nodes are available: pod affinity terms conflict."),
        row(
            "names that contradict each other, beside labels",
            nodes(),
            [],
            pod("").must_be(&["metadata.name=a,metadata.name=b", "/foo=bar"]),
        )
        .fits("a")
        .rejects("b", NOT_ASKED_FOR),
        row("the name of no node", nodes(), [], pod("").must_be(&["metadata.name=c"]))
            .says("0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."),
        row(
            "other nodes than those that are named are not even looked at",
            [node("a", ""), node("b", "").closed()],
            [],
            pod("").must_be(&[in_a]),
        )
        .fits("a")
        .rejects("b", NOT_NAMED),
        row("the node that the pod has", nodes(), [], pod("").on("a"))
            .fits("a")
            .rejects("b", ("NodeName", "node(s) didn't match the requested node name", false)),
    ]
}

fn nodes_preferred() -> Vec<Row> {
    const RULE: &str = "NodeAffinity";
    let two = |pod: Pod| pod.prefers(2, "foo in (bar)");
    let five = |pod: Pod| {
        two(pod).prefers(4, "key in (value)").prefers(5, "foo in (bar),key in (value),az in (az1)")
    };
    vec![
        row(
            "nothing is preferred",
            [node("a", "foo=bar"), node("b", "key=value"), node("c", "az=az1")],
            [],
            pod(""),
        )
        .scores(RULE, "a=0 b=0 c=0"),
        row(
            "no node is preferred",
            [node("a", "foo=x"), node("b", "key=value"), node("c", "az=az1")],
            [],
            two(pod("")),
        )
        .scores(RULE, "a=0 b=0 c=0"),
        row(
            "one node is preferred",
            [node("a", "foo=bar"), node("b", "key=value"), node("c", "az=az1")],
            [],
            two(pod("")),
        )
        .scores(RULE, "a=100 b=0 c=0"),
        row(
            "weights add up",
            [node("a", "foo=bar"), node("b", "foo=bar,key=value,az=az1"), node("c", "key=value")],
            [],
            five(pod("")),
        )
        .scores(RULE, "a=18 b=100 c=36"),
        row(
            "a term that says nothing is met by no node",
            [node("a", ""), node("b", "x")],
            [],
            pod("").prefers(9, "").prefers(1, "x"),
        )
        .scores(RULE, "a=0 b=100"),
    ]
}

fn ports() -> Vec<Row> {
    let on = |ports: &[&str]| [ports.iter().fold(pod("").on("a"), |pod, port| pod.port(port))];
    let with = |ports: &[&str]| ports.iter().fold(pod(""), |pod, port| pod.port(port));
    let here = || [node("a", "")];
    let free = |name, taken: &[&str], wanted: &[&str]| row(name, here(), on(taken), with(wanted)).fits("a");
    let not = |name, taken: &[&str], wanted: &[&str]| {
        row(name, here(), on(taken), with(wanted)).rejects("a", PORT_TAKEN)
    };
    let starting = |sidecar: bool| {
        use orchestra_core::kinds::ContainerRestartPolicy::Always;
        let mut pod = with(&["TCP//8001"]);
        let mut container = pod.spec.containers.remove(0);
        container.restart_policy = sidecar.then_some(Always);
        pod.spec.init_containers.push(container);
        pod
    };
    vec![
        free("none is wanted", &["TCP//80"], &[]),
        free("another number", &["UDP/127.0.0.1/9090"], &["UDP/127.0.0.1/8080"]),
        not("the same, UDP", &["UDP/127.0.0.1/8080"], &["UDP/127.0.0.1/8080"]),
        not("the same, TCP", &["TCP/127.0.0.1/8080"], &["TCP/127.0.0.1/8080"]),
        free("another address", &["TCP/127.0.0.2/8080"], &["TCP/127.0.0.1/8080"]),
        free("another protocol", &["TCP/127.0.0.1/8080"], &["UDP/127.0.0.1/8080"]),
        not("the second", &["UDP/127.0.0.1/8080"], &["UDP/127.0.0.1/8000", "UDP/127.0.0.1/8080"]),
        not(
            "the first",
            &["TCP/127.0.0.1/8001", "UDP/127.0.0.1/8081"],
            &["TCP/127.0.0.1/8001", "UDP/127.0.0.1/8080"],
        ),
        not("all addresses are wanted", &["TCP/127.0.0.1/8001"], &["TCP/0.0.0.0/8001"]),
        not("one address, and all", &["TCP/127.0.0.1/8001"], &["TCP/10.0.10.10/8001", "TCP/0.0.0.0/8001"]),
        not("all addresses are taken", &["TCP/0.0.0.0/8001"], &["TCP/127.0.0.1/8001"]),
        not("no address means all", &["TCP//8001"], &["TCP/127.0.0.1/8001"]),
        free("all addresses of another protocol", &["TCP/0.0.0.0/8001"], &["UDP/127.0.0.1/8001"]),
        not("all addresses of either", &["TCP/0.0.0.0/8001", "UDP/0.0.0.0/8001"], &["UDP/127.0.0.1/8001"]),
        free("a port that is not the node's", &["TCP//0"], &["TCP//0"]),
        row("an init container has none", here(), on(&["TCP//8001"]), starting(false)).fits("a"),
        row("a sidecar has", here(), on(&["TCP//8001"]), starting(true)).rejects("a", PORT_TAKEN),
        row("that of a sidecar is taken", here(), [starting(true).on("a")], with(&["TCP//8001"]))
            .rejects("a", PORT_TAKEN),
    ]
}

fn images() -> Vec<Row> {
    const RULE: &str = "ImageLocality";
    let large = |name| {
        node(name, "")
            .image("gcr.io/40:latest gcr.io/40:v1", 40)
            .image("gcr.io/300:latest gcr.io/300:v1", 300)
            .image("gcr.io/2000:latest", 2000)
    };
    let small =
        |name| node(name, "").image("gcr.io/250:latest", 250).image("gcr.io/10:latest gcr.io/10:v1", 10);
    let mut starting = pod("").image("gcr.io/300").image("gcr.io/40");
    let init = starting.spec.containers.remove(0);
    starting.spec.init_containers.push(init);
    vec![
        // Of two containers: from 23 MiB up to 2000 MiB, and half of each size since one of two nodes has it.
        row("the larger", [large("a"), small("b")], [], pod("").image("gcr.io/40").image("gcr.io/250"))
            .scores(RULE, "a=0 b=5"),
        row("both", [large("a"), small("b")], [], pod("").image("gcr.io/40").image("gcr.io/300"))
            .scores(RULE, "a=7 b=0"),
        row(
            "the largest and the smallest",
            [large("a"), small("b")],
            [],
            pod("").image("gcr.io/10").image("gcr.io/2000"),
        )
        .scores(RULE, "a=49 b=0"),
        row(
            "the same, and a node without images",
            [large("a"), small("b"), node("c", "")],
            [],
            pod("").image("gcr.io/10").image("gcr.io/2000"),
        )
        .scores(RULE, "a=32 b=0 c=0"),
        row("init containers have images too", [large("a"), small("b")], [], starting)
            .scores(RULE, "a=7 b=0"),
        row("no more than the most", [large("a")], [], pod("").image("gcr.io/2000")).scores(RULE, "a=100"),
        row("every node has it", [large("a"), large("b")], [], pod("").image("gcr.io/300:v1"))
            .scores(RULE, "a=28 b=28"),
        row(
            "just above the least",
            [node("a", "").image("x:1", 33), node("b", "").image("y:1", 33)],
            [],
            pod("").image("x:1"),
        )
        .scores(RULE, "a=0 b=0"),
        row("just above the least, everywhere", [node("a", "").image("x:1", 33)], [], pod("").image("x:1"))
            .scores(RULE, "a=1"),
        row("another version", [large("a")], [], pod("").image("gcr.io/300:v2")).scores(RULE, "a=0"),
        row(
            "a port is no version",
            [node("a", "").image("host:5000/x:latest", 500)],
            [],
            pod("").image("host:5000/x"),
        )
        .scores(RULE, "a=48"),
        row("a pod without containers", [large("a")], [], pod("")).scores(RULE, "a=0"),
    ]
}
