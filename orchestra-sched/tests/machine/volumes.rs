//! Volumes: no two claims get one, whoever schedules, and a pod is where its volumes are or are to be made.

use std::time::Duration;

use orchestra_core::client::Delete;
use orchestra_core::control::{Controller, Plan, Random, View};
use orchestra_core::kinds::{
    AccessMode, ClaimPhase, NodeSelector, NodeTerm, PersistentVolume, PersistentVolumeClaim, Pod,
    StorageClass, Volume, VolumePhase, VolumeSource,
};
use orchestra_core::object::{Apply, Conditions, Operator, Quantity, Requirement};
use orchestra_sim::{Faults, Simulation, Truth, User};
use serde_json::json;

use crate::scene::{SECOND, has_ended, pod, scene, scheduler, with_nodes};
use crate::{passes, seeds};

const SELECTED: &str = "volume.kubernetes.io/selected-node";
const CLAIMS: usize = 8;

fn class(user: &mut User<'_>, name: &str, provisioner: &str) -> orchestra_core::Result<()> {
    let class = StorageClass::new(name.to_owned()).set("provisioner", provisioner.to_owned());
    user.apply(class.set("volumeBindingMode", "WaitForFirstConsumer"))
}

/// A volume on one node only, or on all.
fn volume(user: &mut User<'_>, name: &str, node: Option<&str>) -> orchestra_core::Result<()> {
    let mut volume = PersistentVolume::default();
    volume.spec.capacity.insert("storage", Quantity::bytes(1 << 30));
    volume.spec.access_modes.push(AccessMode::ReadWriteOnce);
    volume.spec.storage_class_name = "local".into();
    volume.spec.node_affinity.required = node.map(|node| {
        let values = vec![node.into()];
        let here = Requirement { key: "metadata.name".into(), operator: Operator::In, values };
        let term = NodeTerm { match_fields: vec![here], ..NodeTerm::default() };
        NodeSelector { node_selector_terms: vec![term] }
    });
    let spec = serde_json::to_value(&volume.spec).expect("it can be written");
    let mut apply = PersistentVolume::new(name.to_owned()).set("spec.hostPath", json!({"path": "/data"}));
    for field in ["capacity", "accessModes", "storageClassName", "nodeAffinity"] {
        if !spec[field].is_null() {
            apply = apply.set(&format!("spec.{field}"), spec[field].clone());
        }
    }
    user.apply(apply)?;
    user.edit::<PersistentVolume>("", name, |volume| volume.status.phase = VolumePhase::Available)
}

fn claim(user: &mut User<'_>, number: usize) -> orchestra_core::Result<()> {
    let class = if number % 4 == 3 { "made" } else { "local" };
    let claim = PersistentVolumeClaim::new(format!("claim-{number}"))
        .set("spec.accessModes", json!(["ReadWriteOnce"]))
        .set("spec.resources", json!({"requests": {"storage": "1Gi"}}))
        .set("spec.storageClassName", class);
    user.apply(claim)
}

/// Binds a claim for which a volume is kept, as a controller of volumes does.
fn binder(claim: &PersistentVolumeClaim, world: &View<'_>) -> Plan {
    let is_its = |volume: &PersistentVolume| {
        volume.spec.claim_ref.as_ref().is_some_and(|it| it.uid == claim.metadata.uid)
    };
    let volumes = world.list::<PersistentVolume>();
    let Some(volume) = volumes.into_iter().find(|it| is_its(it)) else { return Plan::new() };
    if claim.status.phase == ClaimPhase::Bound {
        return Plan::new();
    }
    let name = volume.metadata.name.clone();
    Plan::new().edit(claim, |claim| {
        claim.spec.volume_name = name;
        claim.status.phase = ClaimPhase::Bound;
    })
}

/// A volume is kept for one claim, ever; and no claim has two.
fn one_claim_each(truth: &Truth) -> Result<(), String> {
    let mut claims = std::collections::BTreeSet::new();
    for volume in truth.list::<PersistentVolume>().iter() {
        let Some(now) = &volume.spec.claim_ref else { continue };
        let before = truth.previous::<PersistentVolume>("", &volume.metadata.name);
        let before = before.and_then(|before| before.spec.claim_ref.clone());
        if before.is_some_and(|before| before.uid != now.uid) {
            return Err(format!("{} was kept for another claim", volume.metadata.name));
        }
        if !claims.insert(now.uid.clone()) {
            return Err(format!("{} has two volumes", now.name));
        }
    }
    Ok(())
}

/// Who is bound has its volumes where it is.
fn is_with_its_volumes(truth: &Truth) -> Result<(), String> {
    for pod in truth.list::<Pod>().iter().filter(|pod| !pod.spec.node_name.is_empty() && !has_ended(pod)) {
        for volume in &pod.spec.volumes {
            let VolumeSource::PersistentVolumeClaim(wanted) = &volume.source else { continue };
            let Some(claim) = truth.get::<PersistentVolumeClaim>("", &wanted.claim_name) else { continue };
            let node = &pod.spec.node_name;
            let is_made = claim.metadata.annotations.get(SELECTED) == Some(node);
            let is_here = truth.list::<PersistentVolume>().iter().any(|volume| {
                let is_its = volume.spec.claim_ref.as_ref().is_some_and(|it| it.uid == claim.metadata.uid);
                let name = &volume.metadata.name;
                is_its && (name.starts_with("any-") || name.starts_with(&format!("{node}-")))
            });
            if !is_made && !is_here {
                return Err(format!("{} is on {node}, its volume is not", pod.metadata.name));
            }
        }
    }
    Ok(())
}

/// Whoever waits has a claim for which there is no volume.
fn all_who_can_be_are_bound(truth: &Truth) -> Result<(), String> {
    let volumes = truth.list::<PersistentVolume>();
    let is_free = volumes.iter().any(|volume| volume.spec.claim_ref.is_none());
    for pod in truth.list::<Pod>().iter().filter(|pod| pod.spec.node_name.is_empty()) {
        let condition = pod.status.conditions.condition("PodScheduled");
        if is_free {
            return Err(format!("{} waits: {condition:?}", pod.metadata.name));
        }
        if condition.is_none_or(|it| !it.message.contains("persistent")) {
            return Err(format!("{} is not told why it waits: {condition:?}", pod.metadata.name));
        }
    }
    Ok(())
}

fn claiming(name: &str, number: usize) -> Apply<Pod> {
    pod(name, 100).volume(Volume::new("data", VolumeSource::claim(format!("claim-{number}"))))
}

fn busy(user: &mut User<'_>, random: &mut Random) {
    let number = random.below(CLAIMS as u64) as usize;
    let name = format!("pod-{number}-{}", random.below(2));
    // What cannot be done any more was to be done too late.
    let _ = match random.below(3) {
        0 => user.delete::<Pod>("", &name, Delete::default()),
        _ => match user.truth().get::<Pod>("", &name) {
            Some(_) => Ok(()),
            None => user.apply(claiming(&name, number)),
        },
    };
}

/// Three nodes with a volume each, and as many that all reach; and more claims than that.
pub(crate) fn crowd(seed: u64) -> Simulation {
    with_nodes(scene(seed).within(SECOND * 600).chaos_for(SECOND * 40), 3, 4)
        .environment(Controller::of::<PersistentVolumeClaim>("binder", binder))
        .at(Duration::ZERO, |user| {
            class(user, "local", "kubernetes.io/no-provisioner")?;
            class(user, "made", "example.com/disk")?;
            for node in 0..3 {
                volume(user, &format!("node-{node}-0"), Some(&format!("node-{node}")))?;
                volume(user, &format!("any-{node}"), None)?;
            }
            (0..CLAIMS).try_for_each(|number| claim(user, number))?;
            (0..CLAIMS).try_for_each(|number| user.apply(claiming(&format!("pod-{number}-0"), number)))
        })
        .invariant("a volume is one claim's", one_claim_each)
        .invariant("a pod is with its volumes", is_with_its_volumes)
        .users(2.0, busy)
        .goal(all_who_can_be_are_bound)
}

#[test]
fn three_on_one_store_give_no_volume_away_twice() {
    let simulation = crowd(0).without_election().machines(3).part_with(scheduler);
    passes(simulation.faults(Faults::everything().rewinds(16)).search(0..seeds(15)));
}

/// Who waits for a claim, a class or a volume is bound once it is there.
#[test]
fn who_waits_for_storage_is_woken_by_it() {
    let data = || Volume::new("data", VolumeSource::claim("claim-0"));
    let simulation = with_nodes(scene(0).within(SECOND * 200), 1, 4)
        .apply(pod("early", 100).volume(data()))
        .at(SECOND * 10, |user| claim(user, 0))
        .at(SECOND * 20, |user| class(user, "local", "kubernetes.io/no-provisioner"))
        .at(SECOND * 30, |user| volume(user, "node-0-0", Some("node-0")))
        .invariant("it is bound soon after that", |truth: &Truth| {
            let pod = truth.get::<Pod>("", "early");
            let is_bound = pod.is_some_and(|pod| !pod.spec.node_name.is_empty());
            // By and by it would be tried anyway.
            let is_early = truth.now() < SECOND * 40;
            if is_bound || is_early { Ok(()) } else { Err("it is not") }
        })
        .goal(|truth: &Truth| {
            let pod = truth.get::<Pod>("", "early");
            pod.is_some_and(|pod| !pod.spec.node_name.is_empty())
        });
    passes(simulation.part_with(scheduler).search(0..3));
}
