//! The built-in kinds.

mod container;
mod deployment;
mod node;
mod pod;
mod scheduling;
mod storage;
mod volume;

pub use container::*;
pub use deployment::*;
pub use node::*;
pub use pod::*;
pub use scheduling::*;
pub use storage::*;
pub use volume::*;
