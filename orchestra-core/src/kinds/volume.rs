//! Where a pod's data lies: [`Volume`], what it is made of, and how a container mounts it.

use orchestra_macros::wire;

use super::container::Resources;
use super::env::{FieldReference, ResourceReference};
use super::storage::{AccessMode, VolumeMode, no_way_back};
use crate::object::{Apply, At, LabelSelector, Map, Metadata, NameReference, Quantity, Str, names};

/// A directory that a pod's containers can mount.
#[wire]
pub struct Volume {
    /// Its name, unique within the pod.
    #[wire(required)]
    pub name: Str,
    /// What it is made of.
    #[wire(inline)]
    pub source: VolumeSource,
}

impl Volume {
    /// A volume of this name, made of this.
    #[allow(clippy::new_ret_no_self)] // what is described is not whole yet
    #[must_use]
    pub fn new(name: impl Into<Str>, source: VolumeSource) -> Apply<Self> {
        Apply::<Self>::nothing().name(name).source(source)
    }

    /// A volume that is made of nothing else is an empty directory.
    pub(super) fn fill_in(&mut self) {
        if self.source == VolumeSource::Unset {
            self.source = VolumeSource::empty_dir();
        }
    }

    pub(super) fn check(&self, at: &At<'_>) {
        at.field("name").name(&self.name, names::dns_label);
        let key = self.source.key();
        let source = at.field(key);
        match &self.source {
            VolumeSource::Unset => at.problem(
                "must say what it is made of: emptyDir, configMap, secret, projected, downwardAPI, persistentVolumeClaim, \
                 hostPath, nfs, ephemeral or csi",
            ),
            VolumeSource::HostPath(it) => source.field("path").name(&it.path, no_way_back),
            VolumeSource::ConfigMap(it) => {
                source.field("name").required(!it.name.is_empty());
                check_items(&it.items, it.default_mode, &source);
            }
            VolumeSource::Secret(it) => {
                source.field("secretName").required(!it.secret_name.is_empty());
                check_items(&it.items, it.default_mode, &source);
            }
            VolumeSource::DownwardApi(it) => source.each("items", &it.items, |at, item| item.check(at)),
            VolumeSource::Projected(it) => source.each("sources", &it.sources, |at, source| {
                at.require(*source != Projection::Unset, "must be one of configMap, secret, downwardAPI, serviceAccountToken");
            }),
            VolumeSource::PersistentVolumeClaim(it) => source.field("claimName").required(!it.claim_name.is_empty()),
            VolumeSource::Nfs(it) => {
                source.field("server").required(!it.server.is_empty());
                source.field("path").name(&it.path, names::absolute_path);
            }
            VolumeSource::Csi(it) => source.field("driver").required(!it.driver.is_empty()),
            VolumeSource::Ephemeral(it) => match &it.volume_claim_template {
                Some(claim) => claim.spec.check(&source.field("volumeClaimTemplate").field("spec")),
                None => source.field("volumeClaimTemplate").required(false),
            },
            VolumeSource::EmptyDir(_) | VolumeSource::Unsupported => {}
        }
    }
}

fn check_items(items: &[KeyToPath], mode: u32, at: &At<'_>) {
    at.field("defaultMode").check(check_mode(mode));
    at.each("items", items, |at, item| {
        at.field("key").name(&item.key, names::config_key);
        at.field("path").name(&item.path, names::local_path);
        at.field("mode").check(check_mode(item.mode.unwrap_or(0)));
    });
}

/// Checks the permissions of a file.
fn check_mode(mode: u32) -> Result<(), String> {
    if mode <= 0o777 { Ok(()) } else { Err(format!("must be between 0 and 0777 (511), not {mode:#o}")) }
}

/// What a volume is made of.
#[wire(one_of)]
pub enum VolumeSource {
    /// Not said.
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
        "gitRepo",
        "glusterfs",
        "image",
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
    /// An empty directory that lives as long as the pod.
    EmptyDir(EmptyDir),
    /// A file or directory of the node.
    HostPath(HostPath),
    /// The entries of a ConfigMap, as files.
    ConfigMap(ConfigMapVolume),
    /// The entries of a Secret, as files.
    Secret(SecretVolume),
    /// Several sources in one directory.
    Projected(Projected),
    /// Fields of the pod, as files.
    #[wire(name = "downwardAPI")]
    DownwardApi(DownwardApi),
    /// Storage that was claimed.
    PersistentVolumeClaim(ClaimReference),
    /// Storage that is claimed for this pod and goes with it.
    Ephemeral(Ephemeral),
    /// A directory that an NFS server exports.
    Nfs(Nfs),
    /// Storage from a driver of somebody else's.
    Csi(CsiVolume),
}

impl VolumeSource {
    /// An empty directory.
    #[must_use]
    pub fn empty_dir() -> Self {
        Self::EmptyDir(EmptyDir::default())
    }

    /// The entries of a ConfigMap.
    #[must_use]
    pub fn config_map(name: impl Into<Str>) -> Self {
        Self::ConfigMap(ConfigMapVolume { name: name.into(), ..ConfigMapVolume::default() })
    }

    /// The entries of a Secret.
    #[must_use]
    pub fn secret(name: impl Into<Str>) -> Self {
        Self::Secret(SecretVolume { secret_name: name.into(), ..SecretVolume::default() })
    }

    /// Storage that was claimed under this name.
    #[must_use]
    pub fn claim(name: impl Into<Str>) -> Self {
        Self::PersistentVolumeClaim(ClaimReference { claim_name: name.into(), read_only: false })
    }

    /// A file or directory of the node.
    #[must_use]
    pub fn host_path(path: impl Into<Str>) -> Self {
        Self::HostPath(HostPath { path: path.into(), ..HostPath::default() })
    }
}

/// An empty directory.
#[wire(unsupported("mode"))]
pub struct EmptyDir {
    /// What it lies on: `Memory`, or the node's disk when it is empty.
    pub medium: Str,
    /// How much it may hold.
    pub size_limit: Option<Quantity>,
}

/// A file or directory of the node.
#[wire]
pub struct HostPath {
    /// Where.
    #[wire(required)]
    pub path: Str,
    /// What must be there, or is made.
    #[wire(name = "type")]
    pub kind: Option<HostPathType>,
}

/// What must be at a path of the node.
#[wire]
pub enum HostPathType {
    /// Anything: nothing is checked.
    #[wire(name = "")]
    Any,
    /// A directory, made if it is missing.
    DirectoryOrCreate,
    /// A directory.
    Directory,
    /// A file, made if it is missing.
    FileOrCreate,
    /// A file.
    File,
    /// A Unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// The entries of a ConfigMap, as files.
#[wire(unsupported("defaultUser"))]
pub struct ConfigMapVolume {
    /// The ConfigMap's name.
    pub name: Str,
    /// Which entries, and where; all when none is named.
    #[wire(atomic)]
    pub items: Vec<KeyToPath>,
    /// The files' permissions.
    #[wire(default = 0o644)]
    pub default_mode: u32,
    /// Whether it may be missing.
    pub optional: bool,
}

/// The entries of a Secret, as files.
#[wire(unsupported("defaultUser"))]
pub struct SecretVolume {
    /// The Secret's name.
    pub secret_name: Str,
    /// Which entries, and where; all when none is named.
    #[wire(atomic)]
    pub items: Vec<KeyToPath>,
    /// The files' permissions.
    #[wire(default = 0o644)]
    pub default_mode: u32,
    /// Whether it may be missing.
    pub optional: bool,
}

/// Under which path an entry appears.
#[wire(unsupported("user"))]
pub struct KeyToPath {
    /// The entry's key.
    #[wire(required)]
    pub key: Str,
    /// The file, below the volume's root.
    #[wire(required)]
    pub path: Str,
    /// The file's permissions.
    pub mode: Option<u32>,
}

/// Several sources in one directory.
#[wire(unsupported("defaultUser"))]
pub struct Projected {
    /// The sources.
    #[wire(atomic)]
    pub sources: Vec<Projection>,
    /// The files' permissions.
    #[wire(default = 0o644)]
    pub default_mode: u32,
}

/// A source of a projected volume.
#[wire(one_of)]
pub enum Projection {
    /// None.
    #[default]
    Unset,
    /// One that Orchestra does not support.
    #[wire(unsupported("clusterTrustBundle", "podCertificate"))]
    Unsupported,
    /// The entries of a ConfigMap.
    ConfigMap(ProjectedEntries),
    /// The entries of a Secret.
    Secret(ProjectedEntries),
    /// Fields of the pod.
    #[wire(name = "downwardAPI")]
    DownwardApi(ProjectedFields),
    /// A token by which the pod proves who it is.
    ServiceAccountToken(ProjectedToken),
}

/// Entries of a ConfigMap or Secret within a projected volume.
#[wire]
pub struct ProjectedEntries {
    /// The object's name.
    pub name: Str,
    /// Which entries, and where; all when none is named.
    #[wire(atomic)]
    pub items: Vec<KeyToPath>,
    /// Whether it may be missing.
    pub optional: bool,
}

/// Fields of the pod within a projected volume.
#[wire]
pub struct ProjectedFields {
    /// The files.
    #[wire(atomic)]
    pub items: Vec<DownwardFile>,
}

/// A token by which a pod proves who it is.
#[wire(unsupported("user"))]
pub struct ProjectedToken {
    /// Whom it is for.
    pub audience: Str,
    /// How long it is good for.
    #[wire(default = 3600)]
    pub expiration_seconds: u64,
    /// The file, below the volume's root.
    #[wire(required)]
    pub path: Str,
}

/// Fields of the pod, as files.
#[wire(unsupported("defaultUser"))]
pub struct DownwardApi {
    /// The files.
    #[wire(atomic)]
    pub items: Vec<DownwardFile>,
    /// The files' permissions.
    #[wire(default = 0o644)]
    pub default_mode: u32,
}

/// A field of the pod, as a file.
#[wire(unsupported("user"))]
pub struct DownwardFile {
    /// The file, below the volume's root.
    #[wire(required)]
    pub path: Str,
    /// A field of the pod.
    pub field_ref: Option<FieldReference>,
    /// Or what a container asks for or may take.
    pub resource_field_ref: Option<Box<ResourceReference>>,
    /// The file's permissions.
    pub mode: Option<u32>,
}

impl DownwardFile {
    fn check(&self, at: &At<'_>) {
        at.field("path").name(&self.path, names::local_path);
        at.require(
            self.field_ref.is_some() != self.resource_field_ref.is_some(),
            "must have one of fieldRef and resourceFieldRef",
        );
    }
}

/// Storage that was claimed.
#[wire]
pub struct ClaimReference {
    /// The claim's name.
    #[wire(required)]
    pub claim_name: Str,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Storage that is claimed for one pod and goes with it.
#[wire]
pub struct Ephemeral {
    /// What is claimed.
    pub volume_claim_template: Option<Box<EphemeralClaim>>,
}

/// What is claimed for one pod.
#[wire]
pub struct EphemeralClaim {
    /// Labels and annotations of the claim.
    pub metadata: Metadata,
    /// What is claimed.
    #[wire(required)]
    pub spec: ClaimSpec,
}

/// What is claimed: how much storage, of what sort, for whom.
///
/// It is the spec of a PersistentVolumeClaim, and what a StatefulSet's and a pod's own claims hold.
#[wire(spec, unsupported("dataSource", "dataSourceRef", "volumeAttributesClassName"))]
pub struct ClaimSpec {
    /// How it will be used.
    #[wire(atomic)]
    pub access_modes: Vec<AccessMode>,
    /// Which volumes would do.
    pub selector: Option<LabelSelector>,
    /// How much is asked for.
    pub resources: Resources,
    /// The volume that it is bound to.
    pub volume_name: Str,
    /// The sort of storage. Empty means: no volume is made for it; not given: the default sort.
    pub storage_class_name: Option<Str>,
    /// Whether it has a file system.
    #[wire(default = VolumeMode::Filesystem)]
    pub volume_mode: VolumeMode,
}

/// A directory that an NFS server exports.
#[wire]
pub struct Nfs {
    /// The server.
    #[wire(required)]
    pub server: Str,
    /// The directory.
    #[wire(required)]
    pub path: Str,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// Storage from a driver, for one pod.
#[wire]
pub struct CsiVolume {
    /// The driver.
    #[wire(required)]
    pub driver: Str,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// The file system's type.
    pub fs_type: Str,
    /// What the driver is told.
    pub volume_attributes: Map<Str>,
    /// The Secret that the driver is given.
    pub node_publish_secret_ref: Option<NameReference>,
}

/// Where a volume appears in a container.
#[wire(unsupported("bindMountOptions"))]
pub struct VolumeMount {
    /// The volume's name.
    #[wire(required)]
    pub name: Str,
    /// The directory in the container.
    #[wire(required)]
    pub mount_path: Str,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Whether mounts below it are read-only too.
    pub recursive_read_only: Str,
    /// The part of the volume that is mounted.
    pub sub_path: Str,
    /// The same, with environment variables expanded.
    pub sub_path_expr: Str,
    /// Whether mounts are seen across.
    pub mount_propagation: Option<MountPropagation>,
}

impl VolumeMount {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("name").required(!self.name.is_empty());
        at.field("mountPath").required(!self.mount_path.is_empty());
        at.field("mountPath").require(!self.mount_path.contains(':'), "may not contain `:`");
        at.field("subPath").check(names::local_path(&self.sub_path));
        at.field("subPathExpr").check(names::local_path(&self.sub_path_expr));
        at.field("subPathExpr").require(
            self.sub_path.is_empty() || self.sub_path_expr.is_empty(),
            "may not be given beside `subPath`",
        );
    }
}

/// Whether mounts are seen across a container's border.
#[wire]
pub enum MountPropagation {
    /// Not at all.
    None,
    /// Mounts of the node are seen in the container.
    HostToContainer,
    /// And the other way round.
    Bidirectional,
}

/// Where a raw block device appears in a container.
#[wire]
pub struct VolumeDevice {
    /// The claim's volume.
    #[wire(required)]
    pub name: Str,
    /// The device in the container.
    #[wire(required)]
    pub device_path: Str,
}

/// An entry of a ConfigMap or Secret.
#[wire(atomic)]
pub struct KeyReference {
    /// The object's name.
    pub name: Str,
    /// The entry's key.
    #[wire(required)]
    pub key: Str,
    /// Whether it may be missing.
    pub optional: bool,
}

impl KeyReference {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("name").required(!self.name.is_empty());
        at.field("key").name(&self.key, names::config_key);
    }
}
