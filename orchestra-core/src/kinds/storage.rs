//! Storage that outlives pods: [`PersistentVolume`], [`PersistentVolumeClaim`], [`StorageClass`].

use orchestra_macros::wire;

use super::scheduling::NodeSelector;
use super::volume::{ClaimSpec, HostPath, Nfs};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    At, Condition, Kind, Map, NoStatus, Object, ObjectReference, Quantity, Spec, Str, Timestamp, names,
};

/// How storage is used.
#[wire]
pub enum AccessMode {
    /// By one node, for reading and writing.
    ReadWriteOnce,
    /// By many nodes, for reading.
    ReadOnlyMany,
    /// By many nodes, for reading and writing.
    ReadWriteMany,
    /// By one pod, for reading and writing.
    ReadWriteOncePod,
}

fn check_access_modes(modes: &[AccessMode], at: &At<'_>) {
    let at = at.field("accessModes");
    at.required(!modes.is_empty());
    at.require(
        modes.len() <= 1 || !modes.contains(&AccessMode::ReadWriteOncePod),
        "may not have ReadWriteOncePod beside others",
    );
}

/// Whether storage has a file system.
#[wire]
pub enum VolumeMode {
    /// It has.
    #[default]
    Filesystem,
    /// It is a raw block device.
    Block,
}

/// What becomes of storage that is no longer claimed.
#[wire]
pub enum ReclaimPolicy {
    /// It is emptied and can be claimed again; deprecated.
    Recycle,
    /// It goes.
    Delete,
    /// It stays as it is until somebody looks after it.
    #[default]
    Retain,
}

/// Some storage.
pub type PersistentVolume = Object<PersistentVolumeSpec>;

impl Spec for PersistentVolumeSpec {
    const KIND: Kind = Kind::cluster("v1", "PersistentVolume");
    type Status = PersistentVolumeStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = PersistentVolumeStatus::SCHEMA;

    fn fill_in(volume: &mut PersistentVolume) {
        if volume.status.phase == VolumePhase::Unset {
            volume.status.phase = VolumePhase::Pending;
        }
    }

    fn check(volume: &PersistentVolume, at: &At<'_>) {
        volume.spec.check(&at.field("spec"));
    }
}

/// Some storage: how much, of what sort, and where it lies.
#[wire(spec, unsupported("volumeAttributesClassName"))]
pub struct PersistentVolumeSpec {
    /// How much there is.
    pub capacity: Map<Quantity>,
    /// Where it lies.
    #[wire(inline)]
    pub source: PersistentVolumeSource,
    /// How it can be used.
    #[wire(atomic)]
    pub access_modes: Vec<AccessMode>,
    /// The claim that it is bound to, or kept for.
    pub claim_ref: Option<Box<ObjectReference>>,
    /// What becomes of it when it is no longer claimed.
    #[wire(default = ReclaimPolicy::Retain)]
    pub persistent_volume_reclaim_policy: ReclaimPolicy,
    /// The sort of storage that it is.
    pub storage_class_name: Str,
    /// Options with which it is mounted.
    #[wire(atomic)]
    pub mount_options: Vec<Str>,
    /// Whether it has a file system.
    #[wire(default = VolumeMode::Filesystem)]
    pub volume_mode: VolumeMode,
    /// The nodes that can reach it; all when it is not given.
    pub node_affinity: VolumeNodeAffinity,
}

impl PersistentVolumeSpec {
    fn check(&self, at: &At<'_>) {
        let capacity = at.field("capacity");
        capacity.field("storage").required(self.capacity.contains_key("storage"));
        for (name, amount) in &self.capacity {
            let at = capacity.field(name);
            at.require(name == "storage", "must be `storage`, the only resource there is");
            at.require(*amount > Quantity::default(), "must be more than 0");
        }
        check_access_modes(&self.access_modes, at);
        self.check_source(at);
        if !self.storage_class_name.is_empty() {
            at.field("storageClassName").check(names::dns_subdomain(&self.storage_class_name));
        }
        let affinity = at.field("nodeAffinity");
        let nodes = affinity.field("required");
        match &self.node_affinity.required {
            Some(required) => required.check(&nodes),
            None => nodes.required(!matches!(self.source, PersistentVolumeSource::Local(_))),
        }
    }

    fn check_source(&self, at: &At<'_>) {
        let source = at.field(self.source.key());
        match &self.source {
            PersistentVolumeSource::Unset => {
                at.problem("must say where it lies: hostPath, local, nfs or csi");
            }
            PersistentVolumeSource::HostPath(it) => {
                source.field("path").name(&it.path, no_way_back);
                let recycled = self.persistent_volume_reclaim_policy == ReclaimPolicy::Recycle;
                at.field("persistentVolumeReclaimPolicy").require(
                    !(recycled && it.path == "/"),
                    "may not be Recycle for a hostPath of `/`: all would be deleted",
                );
            }
            PersistentVolumeSource::Local(it) => source.field("path").name(&it.path, no_way_back),
            PersistentVolumeSource::Nfs(it) => {
                source.field("server").required(!it.server.is_empty());
                source.field("path").name(&it.path, names::absolute_path);
            }
            PersistentVolumeSource::Csi(it) => it.check(&source),
            PersistentVolumeSource::Unsupported => {}
        }
    }
}

pub(super) fn no_way_back(path: &str) -> names::Verdict {
    if path.split('/').any(|part| part == "..") {
        Err(format!("`{path}` may not contain `..`"))
    } else {
        Ok(())
    }
}

/// Where storage lies.
#[wire(one_of)]
pub enum PersistentVolumeSource {
    /// Not said, or of a sort that is not supported.
    #[default]
    Unset,
    /// Something that Orchestra does not support; it is kept among the unknown fields.
    #[wire(unsupported(
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "glusterfs",
        "iscsi",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume"
    ))]
    Unsupported,
    /// In a directory of whatever node the pod is on: for a cluster of one node.
    HostPath(HostPath),
    /// On a disk or in a directory of one node.
    Local(LocalVolume),
    /// In a directory that an NFS server exports.
    Nfs(Nfs),
    /// Wherever a driver of somebody else's puts it.
    Csi(CsiPersistentVolume),
}

/// A disk or directory of one node.
#[wire]
pub struct LocalVolume {
    /// The directory or the block device.
    #[wire(required)]
    pub path: Str,
    /// The file system's type, for a block device.
    pub fs_type: Str,
}

/// Storage from a driver.
#[wire]
pub struct CsiPersistentVolume {
    /// The driver.
    #[wire(required)]
    pub driver: Str,
    /// Which storage it is to the driver.
    #[wire(required)]
    pub volume_handle: Str,
    /// Whether it can only be read.
    pub read_only: bool,
    /// The file system's type.
    pub fs_type: Str,
    /// What the driver is told.
    pub volume_attributes: Map<Str>,
    /// The Secret for attaching it.
    pub controller_publish_secret_ref: Option<Box<SecretReference>>,
    /// The Secret for making it ready on a node.
    pub node_stage_secret_ref: Option<Box<SecretReference>>,
    /// The Secret for mounting it.
    pub node_publish_secret_ref: Option<Box<SecretReference>>,
    /// The Secret for making it larger.
    pub controller_expand_secret_ref: Option<Box<SecretReference>>,
    /// The Secret for making it larger on a node.
    pub node_expand_secret_ref: Option<Box<SecretReference>>,
}

impl CsiPersistentVolume {
    fn check(&self, at: &At<'_>) {
        let driver = at.field("driver");
        driver.name(&self.driver.to_lowercase(), names::dns_subdomain);
        driver.require(self.driver.len() <= 63, "must be no more than 63 characters");
        at.field("volumeHandle").required(!self.volume_handle.is_empty());
        for (name, secret) in [
            ("controllerPublishSecretRef", &self.controller_publish_secret_ref),
            ("nodeStageSecretRef", &self.node_stage_secret_ref),
            ("nodePublishSecretRef", &self.node_publish_secret_ref),
            ("controllerExpandSecretRef", &self.controller_expand_secret_ref),
            ("nodeExpandSecretRef", &self.node_expand_secret_ref),
        ] {
            if let Some(secret) = secret {
                let at = at.field(name);
                at.field("name").required(!secret.name.is_empty());
                at.field("namespace").required(!secret.namespace.is_empty());
            }
        }
    }
}

/// A Secret of some namespace.
#[wire(atomic)]
pub struct SecretReference {
    /// Its name.
    pub name: Str,
    /// Its namespace.
    pub namespace: Str,
}

/// The nodes that can reach some storage.
#[wire]
pub struct VolumeNodeAffinity {
    /// The nodes.
    pub required: Option<NodeSelector>,
}

/// What is observed of some storage.
#[wire]
pub struct PersistentVolumeStatus {
    /// Whether it can be claimed.
    pub phase: VolumePhase,
    /// Why it is as it is, for people.
    pub message: Str,
    /// Why it is as it is, in one word.
    pub reason: Str,
    /// When the phase last changed.
    pub last_phase_transition_time: Option<Timestamp>,
}

/// Whether storage can be claimed.
#[wire]
pub enum VolumePhase {
    /// Not observed yet.
    #[default]
    #[wire(name = "")]
    Unset,
    /// It is not there yet.
    Pending,
    /// It can.
    Available,
    /// A claim has it.
    Bound,
    /// The claim that had it is gone, and it was not reclaimed yet.
    Released,
    /// It could not be reclaimed.
    Failed,
}

/// A wish for storage, and what came of it.
pub type PersistentVolumeClaim = Object<ClaimSpec>;

impl Spec for ClaimSpec {
    const KIND: Kind = Kind::namespaced("v1", "PersistentVolumeClaim");
    type Status = ClaimStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = ClaimStatus::SCHEMA;

    fn fill_in(claim: &mut PersistentVolumeClaim) {
        if claim.status.phase == ClaimPhase::Unset {
            claim.status.phase = ClaimPhase::Pending;
        }
    }

    fn check(claim: &PersistentVolumeClaim, at: &At<'_>) {
        claim.spec.check(&at.field("spec"));
    }
}

impl ClaimSpec {
    /// Checks it as Kubernetes does.
    pub fn check(&self, at: &At<'_>) {
        check_access_modes(&self.access_modes, at);
        if let Some(selector) = &self.selector {
            selector.check(&at.field("selector"));
        }
        self.resources.check(&at.field("resources"));
        let resources = at.field("resources");
        let requests = resources.field("requests");
        let storage = requests.field("storage");
        match self.resources.requests.get("storage") {
            None => storage.required(false),
            Some(amount) => storage.require(*amount > Quantity::default(), "must be more than 0"),
        }
        if let Some(class) = self.storage_class_name.as_ref().filter(|class| !class.is_empty()) {
            at.field("storageClassName").check(names::dns_subdomain(class));
        }
    }
}

/// What came of a wish for storage.
#[wire(unsupported("currentVolumeAttributesClassName", "healthStatus", "modifyVolumeStatus"))]
pub struct ClaimStatus {
    /// Whether it has a volume.
    pub phase: ClaimPhase,
    /// How the volume can be used.
    #[wire(atomic)]
    pub access_modes: Vec<AccessMode>,
    /// How much the volume has.
    pub capacity: Map<Quantity>,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
    /// How much was set aside for it, which may be more than it has yet.
    pub allocated_resources: Map<Quantity>,
    /// How far a change of its size has come.
    pub allocated_resource_statuses: Map<Str>,
}

/// Whether a claim has a volume.
#[wire]
pub enum ClaimPhase {
    /// Not observed yet.
    #[default]
    #[wire(name = "")]
    Unset,
    /// It waits for one.
    Pending,
    /// It has.
    Bound,
    /// It had, and what was in it is lost.
    Lost,
}

/// A sort of storage, and how it is made.
pub type StorageClass = Object<StorageClassSpec>;

impl Spec for StorageClassSpec {
    const KIND: Kind = Kind::cluster("storage.k8s.io/v1", "StorageClass").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(class: &StorageClass, at: &At<'_>) {
        class.spec.check(at);
    }
}

/// How a sort of storage is made.
#[wire(spec)]
pub struct StorageClassSpec {
    /// Who makes it.
    #[wire(required)]
    pub provisioner: Str,
    /// What they are told.
    pub parameters: Map<Str>,
    /// What becomes of it when it is no longer claimed.
    #[wire(default = ReclaimPolicy::Delete)]
    pub reclaim_policy: ReclaimPolicy,
    /// Options with which it is mounted.
    #[wire(atomic)]
    pub mount_options: Vec<Str>,
    /// Whether it can be made larger.
    pub allow_volume_expansion: bool,
    /// When it is made and bound.
    #[wire(default = VolumeBindingMode::Immediate)]
    pub volume_binding_mode: VolumeBindingMode,
    /// Where it may be made; anywhere when nothing is said.
    #[wire(atomic)]
    pub allowed_topologies: Vec<TopologyTerm>,
}

impl StorageClassSpec {
    fn check(&self, at: &At<'_>) {
        at.field("provisioner").name(&self.provisioner.to_lowercase(), names::qualified_name);
        at.field("reclaimPolicy")
            .require(self.reclaim_policy != ReclaimPolicy::Recycle, "must be Delete or Retain");
        let parameters = at.field("parameters");
        parameters.require(self.parameters.len() <= 512, "must be no more than 512");
        parameters.require(!self.parameters.contains_key(""), "may not have an empty name");
        at.each("allowedTopologies", &self.allowed_topologies, |at, term| {
            at.distinct("matchLabelExpressions", &term.match_label_expressions, |it| it.key.clone());
            at.each("matchLabelExpressions", &term.match_label_expressions, |at, requirement| {
                at.field("key").name(&requirement.key, names::qualified_name);
                at.field("values").required(!requirement.values.is_empty());
                at.distinct("values", &requirement.values, |value| value.clone());
            });
        });
    }
}

/// When storage is made and bound to its claim.
#[wire]
pub enum VolumeBindingMode {
    /// As soon as it is claimed.
    #[default]
    Immediate,
    /// When the first pod that uses it is scheduled, so that it lies near.
    WaitForFirstConsumer,
}

/// A place where storage may be made.
#[wire(atomic)]
pub struct TopologyTerm {
    /// Requirements that its nodes meet together.
    #[wire(atomic)]
    pub match_label_expressions: Vec<TopologyRequirement>,
}

/// What is required of one label of a node.
#[wire]
pub struct TopologyRequirement {
    /// The label's key.
    #[wire(required)]
    pub key: Str,
    /// Its value is one of these.
    #[wire(required, atomic)]
    pub values: Vec<Str>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::PodSpec;
    use crate::kinds::test::{check_table, object};

    #[test]
    fn what_is_not_said_is_filled_in() {
        let volume = object::<PersistentVolumeSpec>(json!({}));
        assert_eq!(volume.spec.persistent_volume_reclaim_policy, ReclaimPolicy::Retain);
        assert_eq!(volume.status.phase, VolumePhase::Pending);
        let class = object::<StorageClassSpec>(json!({})).spec;
        let defaults = (ReclaimPolicy::Delete, VolumeBindingMode::Immediate);
        assert_eq!((class.reclaim_policy, class.volume_binding_mode), defaults);
        assert_eq!(object::<ClaimSpec>(json!({})).spec.volume_mode, VolumeMode::Filesystem);
    }

    #[test]
    fn what_is_wrong_with_a_volume_is_said() {
        let with = |more: Value| {
            let mut volume = json!({"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]});
            volume.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            volume
        };
        let here = json!({"required": {"nodeSelectorTerms": [{}]}});
        check_table::<PersistentVolumeSpec>(&[
            (with(json!({"hostPath": {"path": "/data"}})), ""),
            (with(json!({"local": {"path": "/disk"}, "nodeAffinity": here})), ""),
            (with(json!({"csi": {"driver": "csi.Example.com", "volumeHandle": "1"}})), ""),
            // It lies somewhere, only not where we can say whether that is right.
            (with(json!({"fc": {}})), ""),
            (with(json!({})), "spec: must say where it lies"),
            (with(json!({"local": {"path": "/disk"}})), "spec.nodeAffinity.required: required"),
            (
                with(json!({"hostPath": {"path": "/"}, "nodeAffinity": {"required": {}}})),
                "spec.nodeAffinity.required.nodeSelectorTerms: required",
            ),
            (
                with(json!({"hostPath": {"path": "/a/../b"}})),
                "spec.hostPath.path: `/a/../b` may not contain `..`",
            ),
            (
                with(json!({"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"})),
                "spec.persistentVolumeReclaimPolicy: may not be Recycle",
            ),
            (
                with(json!({"nfs": {"server": "s", "path": "p"}})),
                "spec.nfs.path: `p` must be an absolute path",
            ),
            (with(json!({"csi": {"driver": "d"}})), "spec.csi.volumeHandle: required"),
            (
                with(
                    json!({"csi": {"driver": "d", "volumeHandle": "1", "nodeStageSecretRef": {"name": "s"}}}),
                ),
                "spec.csi.nodeStageSecretRef.namespace: required",
            ),
            (with(json!({"capacity": {}, "hostPath": {"path": "/"}})), "spec.capacity.storage: required"),
            (with(json!({"capacity": {"storage": "0"}})), "spec.capacity.storage: must be more than 0"),
            (with(json!({"capacity": {"storage": "1", "cpu": "1"}})), "spec.capacity.cpu: must be `storage`"),
            (with(json!({"accessModes": []})), "spec.accessModes: required"),
            (
                with(json!({"accessModes": ["ReadWriteOncePod", "ReadOnlyMany"]})),
                "spec.accessModes: may not have ReadWriteOncePod beside others",
            ),
            (with(json!({"storageClassName": "A"})), "spec.storageClassName: `A` must be"),
        ]);
    }

    #[test]
    fn what_is_wrong_with_a_claim_is_said() {
        let asks = |amount: &str| json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": amount}}});
        check_table::<ClaimSpec>(&[
            (asks("1Gi"), ""),
            (asks("0"), "spec.resources.requests.storage: must be more than 0"),
            (json!({"accessModes": ["ReadWriteOnce"]}), "spec.resources.requests.storage: required"),
            (json!({}), "spec.accessModes: required"),
            (json!({"selector": {"matchLabels": {"a b": ""}}}), "spec.selector.matchLabels"),
            (json!({"storageClassName": "A"}), "spec.storageClassName: `A` must be"),
        ]);
    }

    #[test]
    fn what_is_wrong_with_a_pods_own_claim_is_said() {
        let pod = |claim: Value| {
            let volumes = json!([{"name": "v", "ephemeral": claim}]);
            json!({"containers": [{"name": "c", "image": "i:1"}], "volumes": volumes})
        };
        check_table::<PodSpec>(&[
            (pod(json!({})), "spec.volumes[0].ephemeral.volumeClaimTemplate: required"),
            (
                pod(json!({"volumeClaimTemplate": {"spec": {}}})),
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: required",
            ),
        ]);
    }

    #[test]
    fn what_is_wrong_with_a_class_is_said() {
        let at = |requirements: Value| json!({"provisioner": "x", "allowedTopologies": [{"matchLabelExpressions": requirements}]});
        check_table::<StorageClassSpec>(&[
            (json!({"provisioner": "example.com/Disk"}), ""),
            (json!({}), "provisioner: required"),
            (json!({"provisioner": "a b"}), "provisioner: `a b` must be"),
            (
                json!({"provisioner": "x", "reclaimPolicy": "Recycle"}),
                "reclaimPolicy: must be Delete or Retain",
            ),
            (json!({"provisioner": "x", "parameters": {"": "1"}}), "parameters: may not have an empty name"),
            (at(json!([{"key": "zone", "values": ["a"]}])), ""),
            (at(json!([{"key": "zone"}])), "allowedTopologies[0].matchLabelExpressions[0].values: required"),
            (
                at(json!([{"key": "zone", "values": ["a", "a"]}])),
                "matchLabelExpressions[0].values[1]: `a` is there already",
            ),
            (
                at(json!([{"key": "zone", "values": ["a"]}, {"key": "zone", "values": ["b"]}])),
                "matchLabelExpressions[1]: `zone` is there already",
            ),
        ]);
    }
}
