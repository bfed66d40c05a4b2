//! The built-in kinds.

mod config;
mod container;
mod endpoint_slice;
mod event;
mod lease;
mod namespace;
mod network;
mod node;
mod pod;
mod rbac;
mod scheduling;
mod service;
mod storage;
#[cfg(test)]
mod test;
mod volume;

pub use config::*;
pub use container::*;
pub use endpoint_slice::*;
pub use event::*;
pub use lease::*;
pub use namespace::*;
pub use network::*;
pub use node::*;
pub use pod::*;
pub use rbac::*;
pub use scheduling::*;
pub use service::*;
pub use storage::*;
pub use volume::*;

use crate::manifest::Registry;

/// Adds every built-in kind.
pub(crate) fn register_all(registry: Registry) -> Registry {
    registry.with::<Pod>().with::<PersistentVolumeClaim>()
}
