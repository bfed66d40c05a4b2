//! VolumeBinding and VolumeZone: storage that a pod claims must be where the pod is, or be made there.

use std::collections::BTreeSet;

use orchestra_core::kinds::{
    ClaimPhase, Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass, VolumeBindingMode,
    VolumePhase, VolumeSource,
};
use orchestra_core::object::{Quantity, Str};

use super::node_affinity::meets;
use super::{Rejected, Situation, World};

const BINDING: &str = "VolumeBinding";
const SELECTED: &str = "volume.kubernetes.io/selected-node";

/// What is wrong with the pod's claims whichever node it is; this is seen before any filter is asked.
pub(super) fn in_order(situation: &Situation<'_>, _: &Node) -> Option<Rejected> {
    trouble(situation.world, situation.pod).map(|why| Rejected::for_good(BINDING, why))
}

/// Whether a reason is said of the pod, and not of a node.
pub(super) fn is_of_pod(reason: &str) -> bool {
    ["persistentvolumeclaim ", "storageclass.", "pod has unbound", "waiting for ephemeral"]
        .iter()
        .any(|start| reason.starts_with(start))
}

fn trouble(world: &World, pod: &Pod) -> Option<String> {
    for name in names(pod) {
        let Some(claim) = claim(world, pod, &name) else {
            return Some(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        if claim.status.phase == ClaimPhase::Lost {
            let volume = &claim.spec.volume_name;
            return Some(format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
            ));
        }
        if claim.metadata.is_deleting() {
            return Some(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
    }
    let open: Vec<_> = claims(world, pod).into_iter().filter(|claim| !is_bound(claim)).collect();
    for claim in &open {
        let class = class_name(claim);
        if !class.is_empty() && self::class(world, claim).is_none() {
            return Some(format!("storageclass.storage.k8s.io \"{class}\" not found"));
        }
    }
    // A claim that names its volume already does not wait for a consumer.
    let waits = |claim: &PersistentVolumeClaim| {
        let class = class(world, claim);
        claim.spec.volume_name.is_empty()
            && class.is_some_and(|it| it.spec.volume_binding_mode == VolumeBindingMode::WaitForFirstConsumer)
    };
    (!open.iter().all(|claim| waits(claim)))
        .then(|| "pod has unbound immediate PersistentVolumeClaims".to_owned())
}

/// The node must reach the volumes, and have one for each claim that waits, or there must be somebody to make it.
pub(super) fn bindable(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let (world, pod) = (situation.world, situation.pod);
    let mut reasons = Vec::new();
    let mut is_there = true;
    for claim in claims(world, pod).into_iter().filter(|claim| is_bound(claim)) {
        match world.volumes.iter().find(|it| *it.name() == claim.spec.volume_name) {
            Some(volume) if reaches(volume, node) => continue,
            Some(_) => reasons.push("node(s) didn't match PersistentVolume's node affinity".to_owned()),
            None => is_there = false,
        }
        break;
    }
    if found(world, pod, node).is_none() {
        reasons.push("node(s) didn't find available persistent volumes to bind".to_owned());
    }
    if !is_there {
        let reason = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
        reasons.push(reason.to_owned());
    }
    (!reasons.is_empty()).then_some(Rejected { rule: BINDING, reasons, resolvable: false })
}

/// For each claim that waits, the volume that it gets on a node; none, where one is to be made. Nothing, where there is
/// none to be had for some claim.
pub(crate) fn found(world: &World, pod: &Pod, node: &Node) -> Option<Vec<(Str, Option<Str>)>> {
    let mut open: Vec<_> = claims(world, pod).into_iter().filter(|claim| !is_bound(claim)).collect();
    open.sort_by_key(|claim| (size(claim), claim.name().clone()));
    open.dedup_by_key(|claim| claim.name().clone());
    let mut taken = BTreeSet::new();
    let mut found = Vec::new();
    for claim in open {
        // It was said before for which node a volume is to be made.
        let selected = claim.metadata.annotations.get(SELECTED);
        if selected.is_some_and(|selected| selected != node.name()) {
            return None;
        }
        let volume = match selected {
            Some(_) => None,
            None => smallest(world, claim, node, &taken),
        };
        match volume {
            Some(volume) => drop(taken.insert(volume.name().clone())),
            None if can_be_made(world, claim, node) => {}
            None => return None,
        }
        found.push((claim.name().clone(), volume.map(|it| it.name().clone())));
    }
    Some(found)
}

/// The volume that is kept for a claim; or else the smallest that does.
fn smallest<'a>(
    world: &'a World,
    claim: &PersistentVolumeClaim,
    node: &Node,
    taken: &BTreeSet<Str>,
) -> Option<&'a PersistentVolume> {
    let could = |volume: &&PersistentVolume| {
        volume.spec.storage_class_name == class_name(claim)
            && capacity(volume) >= size(claim)
            && volume.spec.volume_mode == claim.spec.volume_mode
            && !volume.metadata.is_deleting()
    };
    let kept = world.volumes.iter().filter(could).filter(|volume| is_for(volume, claim));
    if let Some(kept) = kept.min_by_key(|it| (capacity(it), it.name().clone())) {
        return Some(kept).filter(|volume| reaches(volume, node) && !taken.contains(volume.name()));
    }
    let does = |volume: &&PersistentVolume| {
        volume.spec.claim_ref.is_none()
            && volume.status.phase == VolumePhase::Available
            && !taken.contains(volume.name())
            && reaches(volume, node)
            && claim.spec.access_modes.iter().all(|mode| volume.spec.access_modes.contains(mode))
            && claim.spec.selector.as_ref().is_none_or(|it| it.matches(&volume.metadata.labels))
    };
    world.volumes.iter().filter(could).filter(does).min_by_key(|it| (capacity(it), it.name().clone()))
}

fn can_be_made(world: &World, claim: &PersistentVolumeClaim, node: &Node) -> bool {
    let Some(class) = class(world, claim) else { return false };
    let topologies = &class.spec.allowed_topologies;
    let allowed = topologies.is_empty()
        || topologies.iter().any(|term| {
            let all = &term.match_label_expressions;
            !all.is_empty()
                && all.iter().all(|it| {
                    node.metadata.labels.get(&it.key).is_some_and(|value| it.values.contains(value))
                })
        });
    allowed && !matches!(class.spec.provisioner.as_str(), "" | "kubernetes.io/no-provisioner")
}

/// A node that is in a zone or a region must be in those of the volumes.
pub(super) fn in_zone(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    const ZONES: [&str; 2] = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"];
    const OLD: [&str; 2] =
        ["failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"];
    let (world, pod) = (situation.world, situation.pod);
    let labels = &node.metadata.labels;
    if !ZONES.iter().chain(&OLD).any(|key| labels.contains_key(key)) {
        return None;
    }
    let bound = claims(world, pod).into_iter().filter(|claim| is_bound(claim));
    for claim in bound {
        let volume = world.volumes.iter().find(|it| *it.name() == claim.spec.volume_name);
        for (key, value) in volume.iter().flat_map(|it| &it.metadata.labels) {
            let new = OLD.iter().position(|old| *old == *key).map(|at| ZONES[at]);
            if new.is_none() && !ZONES.contains(&key.as_str()) {
                continue;
            }
            // `a__b` is in both.
            let here = labels.get(key).or_else(|| labels.get(new?));
            if !here.is_some_and(|here| value.split("__").any(|it| it == here)) {
                return Some(Rejected::for_good("VolumeZone", "node(s) had no available volume zone"));
            }
        }
    }
    None
}

/// The names of the claims of a pod.
fn names(pod: &Pod) -> Vec<Str> {
    let name = |volume: &orchestra_core::kinds::Volume| match &volume.source {
        VolumeSource::PersistentVolumeClaim(claim) => Some(claim.claim_name.clone()),
        _ => None,
    };
    pod.spec.volumes.iter().filter_map(name).collect()
}

fn claim<'a>(world: &'a World, pod: &Pod, name: &Str) -> Option<&'a PersistentVolumeClaim> {
    world.claims.iter().find(|claim| claim.namespace() == pod.namespace() && claim.name() == name)
}

fn claims<'a>(world: &'a World, pod: &Pod) -> Vec<&'a PersistentVolumeClaim> {
    names(pod).iter().filter_map(|name| claim(world, pod, name)).collect()
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    !claim.spec.volume_name.is_empty() && claim.status.phase == ClaimPhase::Bound
}

fn class_name(claim: &PersistentVolumeClaim) -> Str {
    claim.spec.storage_class_name.clone().unwrap_or_default()
}

fn class<'a>(world: &'a World, claim: &PersistentVolumeClaim) -> Option<&'a StorageClass> {
    world.storage_classes.iter().find(|class| *class.name() == class_name(claim))
}

fn size(claim: &PersistentVolumeClaim) -> Quantity {
    claim.spec.resources.requests.get("storage").copied().unwrap_or_default()
}

fn capacity(volume: &PersistentVolume) -> Quantity {
    volume.spec.capacity.get("storage").copied().unwrap_or_default()
}

/// Whether a volume is kept for a claim.
fn is_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    volume.spec.claim_ref.as_ref().is_some_and(|it| {
        it.namespace == *claim.namespace()
            && it.name == *claim.name()
            && (it.uid.is_unset() || it.uid == claim.metadata.uid)
    })
}

fn reaches(volume: &PersistentVolume, node: &Node) -> bool {
    let required = volume.spec.node_affinity.required.as_ref();
    required.is_none_or(|it| it.node_selector_terms.iter().any(|term| meets(node, term)))
}
