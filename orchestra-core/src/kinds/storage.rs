//! storage
use super::volume::ClaimSpec;
use crate::object::{Kind, NoStatus, Object, Spec};
use orchestra_macros::wire;

/// pvc
pub type PersistentVolumeClaim = Object<ClaimSpec>;
impl Spec for ClaimSpec {
    const KIND: Kind = Kind::namespaced("v1", "PersistentVolumeClaim");
    type Status = NoStatus;
}

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

/// Whether storage has a file system.
#[wire]
pub enum VolumeMode {
    /// It has.
    #[default]
    Filesystem,
    /// It is a raw block device.
    Block,
}
