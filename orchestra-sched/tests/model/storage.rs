//! Random storage, and pods that claim it.

use orchestra_core::kinds::{
    AccessMode, ClaimPhase, NodeSelector, NodeTerm, PersistentVolume, PersistentVolumeClaim, Pod,
    StorageClass, TopologyRequirement, TopologyTerm, Volume, VolumeBindingMode, VolumeMode, VolumePhase,
    VolumeSource,
};
use orchestra_core::object::{
    LabelSelector, ObjectReference, Operator, Quantity, Requirement, Str, Timestamp,
};

use super::World;
use super::sample::Draw;

const ZONE: &str = "topology.kubernetes.io/zone";
const CLASSES: [&str; 4] = ["local", "made", "near", "now"];

/// Adds storage to a world, and claims to some of the pods.
pub(super) fn add(draw: &mut Draw, world: &mut World, arrivals: &mut [Pod]) {
    world.storage_classes = CLASSES.iter().map(|name| class(draw, name)).collect();
    world.volumes = (0..draw.below(9)).map(|at| volume(draw, world, at)).collect();
    let namespaces: Vec<Str> = world.namespaces.iter().map(|it| it.name().clone()).collect();
    for namespace in namespaces {
        for at in 0..4 {
            let claim = claim(draw, world, &namespace, at);
            world.claims.push(claim);
        }
    }
    // Some volumes are kept for a claim, whether it knows of that or not.
    let keep = |draw: &mut Draw, claims: &[PersistentVolumeClaim]| {
        let claim = &claims[draw.below(claims.len())];
        let uid = if draw.percent(80) { claim.metadata.uid.clone() } else { "another".into() };
        Box::new(ObjectReference {
            namespace: claim.namespace().clone(),
            name: claim.name().clone(),
            uid: if draw.percent(30) { Default::default() } else { uid },
            ..ObjectReference::default()
        })
    };
    for volume in &mut world.volumes {
        volume.spec.claim_ref = draw.maybe(25, |draw| keep(draw, &world.claims));
    }
    for pod in world.placed.iter_mut().chain(arrivals) {
        let many = if draw.percent(25) { 1 + draw.below(2) } else { 0 };
        for at in 0..many {
            let name = format!("claim-{}", if draw.percent(3) { 9 } else { draw.below(4) });
            pod.spec
                .volumes
                .push(Volume { name: format!("data-{at}").into(), source: VolumeSource::claim(name) });
        }
    }
}

fn class(draw: &mut Draw, name: &str) -> StorageClass {
    let mut class = StorageClass::default();
    class.metadata.name = name.into();
    class.spec.provisioner =
        if name == "local" { "kubernetes.io/no-provisioner".into() } else { "example.com/disk".into() };
    class.spec.volume_binding_mode = match name {
        "now" => VolumeBindingMode::Immediate,
        _ => VolumeBindingMode::WaitForFirstConsumer,
    };
    if name == "near" {
        let values = vec!["zone-0".into(), draw.one_of(&["zone-1", "zone-2"]).into()];
        let requirement = TopologyRequirement { key: ZONE.into(), values };
        class.spec.allowed_topologies =
            vec![TopologyTerm::default(), TopologyTerm { match_label_expressions: vec![requirement] }];
    }
    class
}

fn size(draw: &mut Draw) -> Quantity {
    Quantity::bytes(draw.one_of(&[1, 2, 2, 5]) << 30)
}

fn modes(draw: &mut Draw) -> Vec<AccessMode> {
    let one = vec![AccessMode::ReadWriteOnce];
    if draw.percent(70) { one } else { [one, vec![AccessMode::ReadOnlyMany]].concat() }
}

fn volume(draw: &mut Draw, world: &World, at: usize) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = format!("volume-{at}").into();
    let spec = &mut volume.spec;
    spec.storage_class_name = draw.one_of(&["local", "local", "made", "near"]).into();
    spec.capacity.insert("storage", size(draw));
    spec.access_modes = modes(draw);
    spec.volume_mode = if draw.percent(95) { VolumeMode::Filesystem } else { VolumeMode::Block };
    spec.node_affinity.required = draw.maybe(70, |draw| {
        let (key, values): (_, Vec<Str>) = match draw.percent(50) {
            true => ("kubernetes.io/hostname", vec![draw.name_of(&world.nodes), draw.name_of(&world.nodes)]),
            false => (ZONE, vec![format!("zone-{}", draw.below(3)).into()]),
        };
        let expression = Requirement { key: key.into(), operator: Operator::In, values };
        let term = NodeTerm { match_expressions: vec![expression], ..NodeTerm::default() };
        NodeSelector { node_selector_terms: vec![term] }
    });
    if draw.percent(30) {
        let zone = draw.one_of(&["zone-0", "zone-1", "zone-0__zone-2"]);
        let key = draw.one_of(&[ZONE, ZONE, "failure-domain.beta.kubernetes.io/zone"]);
        volume.metadata.labels.insert(key, zone.into());
    }
    if draw.percent(30) {
        volume.metadata.labels.insert("sort", "fast".into());
    }
    volume.status.phase = if draw.percent(85) { VolumePhase::Available } else { VolumePhase::Released };
    if draw.percent(4) {
        volume.metadata.deletion_timestamp = Some(Timestamp::default());
    }
    volume
}

fn claim(draw: &mut Draw, world: &World, namespace: &Str, at: usize) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.name = format!("claim-{at}").into();
    claim.metadata.namespace = namespace.clone();
    claim.metadata.uid = format!("{namespace}-{at}").as_str().into();
    let class =
        if draw.percent(4) { "none" } else { draw.one_of(&["local", "local", "made", "near", "near"]) };
    let spec = &mut claim.spec;
    spec.storage_class_name = Some(if draw.percent(4) { "now".into() } else { class.into() });
    spec.access_modes = modes(draw);
    spec.resources.requests.insert("storage", size(draw));
    spec.selector = draw.maybe(15, |_| [("sort", "fast")].into_iter().collect::<LabelSelector>());
    claim.status.phase = ClaimPhase::Pending;
    if draw.percent(35) {
        spec.volume_name = if draw.percent(4) || world.volumes.is_empty() {
            "volume-99".into()
        } else {
            draw.name_of(&world.volumes)
        };
        claim.status.phase = if draw.percent(95) { ClaimPhase::Bound } else { ClaimPhase::Lost };
    } else if draw.percent(15) {
        let node = draw.name_of(&world.nodes);
        claim.metadata.annotations.insert("volume.kubernetes.io/selected-node", node);
    }
    if draw.percent(3) {
        claim.metadata.deletion_timestamp = Some(Timestamp::default());
    }
    claim
}
