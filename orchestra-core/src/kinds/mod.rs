//! The built-in kinds.

mod container;
mod node;
mod pod;
mod scheduling;
mod storage;
mod volume;

pub use container::*;
pub use node::*;
pub use pod::*;
pub use scheduling::*;
pub use storage::*;
pub use volume::*;

use crate::manifest::Registry;

/// Adds every built-in kind.
pub(crate) fn register_all(registry: Registry) -> Registry {
    registry.with::<Pod>().with::<PersistentVolumeClaim>()
}
