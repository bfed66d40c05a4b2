//! Rows of VolumeBinding and VolumeZone: those of the plugins' own tests, and of what the documentation says of
//! classes that wait for their first consumer.

use orchestra_core::kinds::{
    AccessMode, ClaimPhase, Node, NodeSelector, NodeTerm, PersistentVolume, PersistentVolumeClaim, Pod,
    StorageClass, TopologyRequirement, TopologyTerm, Volume, VolumeBindingMode, VolumePhase, VolumeSource,
};
use orchestra_core::object::{Operator, Quantity, Requirement};

use crate::rows::*;

const ZONE: &str = "topology.kubernetes.io/zone";
const OLD_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const NO_ZONE: Why = ("VolumeZone", "node(s) had no available volume zone", false);
const NOT_REACHED: Why = ("VolumeBinding", "node(s) didn't match PersistentVolume's node affinity", false);
const NONE_FREE: Why = ("VolumeBinding", "node(s) didn't find available persistent volumes to bind", false);
const NOT_THERE: Why =
    ("VolumeBinding", "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)", false);

fn at(name: &str, key: &str, value: &str) -> Node {
    node(name, &format!("{key}={value}"))
}

fn claiming(claims: &[&str]) -> Pod {
    let mut pod = pod("");
    for (at, claim) in claims.iter().enumerate() {
        pod.spec.volumes.push(Volume { name: format!("v{at}").into(), source: VolumeSource::claim(*claim) });
    }
    pod
}

fn class(name: &str, provisioner: &str, mode: VolumeBindingMode) -> StorageClass {
    let mut class = StorageClass::default();
    class.metadata.name = name.into();
    class.spec.provisioner = provisioner.into();
    class.spec.volume_binding_mode = mode;
    class
}

fn waits(name: &str) -> StorageClass {
    class(name, "kubernetes.io/no-provisioner", VolumeBindingMode::WaitForFirstConsumer)
}

/// What is made on demand, in some zones.
fn made(name: &str, zones: &[&str]) -> StorageClass {
    let mut class = class(name, "example.com/disk", VolumeBindingMode::WaitForFirstConsumer);
    let values = zones.iter().map(|zone| (*zone).into()).collect();
    let requirement = TopologyRequirement { key: ZONE.into(), values };
    class.spec.allowed_topologies = vec![TopologyTerm { match_label_expressions: vec![requirement] }];
    class
}

fn volume(name: &str, class: &str, gib: i64) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = name.into();
    volume.spec.storage_class_name = class.into();
    volume.spec.capacity.insert("storage", Quantity::bytes(gib << 30));
    volume.spec.access_modes = vec![AccessMode::ReadWriteOnce];
    volume.status.phase = VolumePhase::Available;
    volume
}

fn labelled(mut volume: PersistentVolume, key: &str, value: &str) -> PersistentVolume {
    volume.metadata.labels.insert(key, value.into());
    volume
}

fn only(mut volume: PersistentVolume, key: &str, value: &str) -> PersistentVolume {
    let values = vec![value.into()];
    let expression = Requirement { key: key.into(), operator: Operator::In, values };
    let term = NodeTerm { match_expressions: vec![expression], ..NodeTerm::default() };
    volume.spec.node_affinity.required = Some(NodeSelector { node_selector_terms: vec![term] });
    volume
}

fn claim(name: &str, class: &str, gib: i64) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.name = name.into();
    claim.metadata.namespace = pod("").metadata.namespace;
    claim.spec.storage_class_name = Some(class.into());
    claim.spec.access_modes = vec![AccessMode::ReadWriteOnce];
    claim.spec.resources.requests.insert("storage", Quantity::bytes(gib << 30));
    claim
}

fn bound(name: &str, volume: &str) -> PersistentVolumeClaim {
    let mut claim = claim(name, "", 1);
    claim.spec.volume_name = volume.into();
    claim.status.phase = ClaimPhase::Bound;
    claim
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = zones();
    rows.extend(claims());
    rows.extend(finding());
    rows
}

fn zones() -> Vec<Row> {
    let one = |name, node: Node, volume: PersistentVolume| {
        row(name, [node], [], claiming(&["c"])).volumes([volume]).claims([bound("c", "v")])
    };
    let zoned = |key, value| labelled(volume("v", "", 1), key, value);
    vec![
        row("a pod without volumes", [at("a", ZONE, "us-west1-a")], [], pod("")).fits("a"),
        one("a node without labels", node("a", ""), zoned(ZONE, "us-west1-a")).fits("a"),
        one("the zone matches", at("a", ZONE, "us-west1-a"), zoned(ZONE, "us-west1-a")).fits("a"),
        one("the zone is one of several", at("a", ZONE, "us-west1-a"), zoned(ZONE, "us-west1-b__us-west1-a"))
            .fits("a"),
        one("the region matches", at("a", REGION, "us-west1"), zoned(REGION, "us-west1")).fits("a"),
        one("the region does not", at("a", REGION, "us-west1"), zoned(REGION, "no-us-west1"))
            .rejects("a", NO_ZONE),
        one("the zone does not", at("a", ZONE, "us-west1-a"), zoned(ZONE, "no-us-west1-a"))
            .rejects("a", NO_ZONE),
        one("a node with a region only", at("a", REGION, "us-west1"), zoned(ZONE, "us-west1-a"))
            .rejects("a", NO_ZONE),
        one("old labels on both", at("a", OLD_ZONE, "us-west1-a"), zoned(OLD_ZONE, "us-west1-a")).fits("a"),
        one("an old label on the volume", at("a", ZONE, "us-west1-a"), zoned(OLD_ZONE, "us-west1-a"))
            .fits("a"),
        one("an old label on the node", at("a", OLD_ZONE, "us-west1-a"), zoned(ZONE, "us-west1-a"))
            .rejects("a", NO_ZONE),
        one("other labels", at("a", ZONE, "us-west1-a"), zoned("rack", "r")).fits("a"),
    ]
}

fn claims() -> Vec<Row> {
    let says = |name, claim: Option<PersistentVolumeClaim>, text| {
        let row = row(name, [node("a", ""), node("b", "")], [], claiming(&["c"])).says(text);
        row.claims(claim).classes([waits("local"), class("now", "x.com/y", VolumeBindingMode::Immediate)])
    };
    let lost = {
        let mut claim = bound("c", "v");
        claim.status.phase = ClaimPhase::Lost;
        claim
    };
    let going = {
        let mut claim = claim("c", "local", 1);
        claim.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".parse().unwrap());
        claim
    };
    let prebound = {
        let mut claim = bound("c", "v");
        claim.status.phase = ClaimPhase::Pending;
        claim.spec.storage_class_name = Some("local".into());
        claim
    };
    let unbound = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    vec![
        says("no such claim", None, "0/2 nodes are available: persistentvolumeclaim \"c\" not found."),
        says(
            "a claim that goes",
            Some(going),
            "0/2 nodes are available: persistentvolumeclaim \"c\" is being deleted.",
        ),
        says(
            "a claim that has lost its volume",
            Some(lost),
            "0/2 nodes are available: persistentvolumeclaim \"c\" bound to non-existent persistentvolume \"v\".",
        ),
        says("a claim that is bound at once", Some(claim("c", "now", 1)), unbound),
        says("a claim without a class", Some(claim("c", "", 1)), unbound),
        says("a claim that names its volume", Some(prebound), unbound),
        says(
            "no such class",
            Some(claim("c", "what", 1)),
            "0/2 nodes are available: storageclass.storage.k8s.io \"what\" not found.",
        ),
    ]
}

fn finding() -> Vec<Row> {
    let nodes = || [at("a", ZONE, "one"), at("b", ZONE, "two")];
    let row = |name, pod: Pod| row(name, nodes(), [], pod).classes([waits("local"), made("made", &["two"])]);
    let here = |name, gib| only(volume(name, "local", gib), ZONE, "one");
    vec![
        row("all is bound", claiming(&["c"]))
            .claims([bound("c", "v")])
            .volumes([volume("v", "", 1)])
            .fits("a b"),
        row("a volume that only one reaches", claiming(&["c"]))
            .claims([bound("c", "v")])
            .volumes([here("v", 1)])
            .fits("a")
            .rejects("b", NOT_REACHED),
        row("a volume that is not there", claiming(&["c"]))
            .claims([bound("c", "v")])
            .rejects("a b", NOT_THERE),
        row("a free one on one node", claiming(&["c"]))
            .claims([claim("c", "local", 1)])
            .volumes([here("v", 1)])
            .fits("a")
            .rejects("b", NONE_FREE),
        row("one that is too small", claiming(&["c"]))
            .claims([claim("c", "local", 2)])
            .volumes([here("v", 1)])
            .rejects("a b", NONE_FREE),
        row("one for two", claiming(&["c", "d"]))
            .claims([claim("c", "local", 1), claim("d", "local", 1)])
            .volumes([here("v", 1)])
            .rejects("a b", NONE_FREE),
        row("the smaller for the smaller", claiming(&["c", "d"]))
            .claims([claim("c", "local", 5), claim("d", "local", 1)])
            .volumes([here("v", 5), here("w", 1)])
            .fits("a"),
        row("one that is made in one zone", claiming(&["c"]))
            .claims([claim("c", "made", 1)])
            .fits("b")
            .rejects("a", NONE_FREE),
        row("one bound and one free, elsewhere", claiming(&["c", "d"]))
            .claims([bound("c", "v"), claim("d", "local", 1)])
            .volumes([only(volume("v", "", 1), ZONE, "two"), here("w", 1)])
            .rejects("a", NOT_REACHED)
            .rejects("b", NONE_FREE),
    ]
}
