//! The built-in kinds.

mod container;
mod event;
mod lease;
mod namespace;
mod node;
mod pod;
mod rbac;
mod scheduling;
mod storage;
#[cfg(test)]
mod test;
mod volume;

pub use container::*;
pub use event::*;
pub use lease::*;
pub use namespace::*;
pub use node::*;
pub use pod::*;
pub use rbac::*;
pub use scheduling::*;
pub use storage::*;
pub use volume::*;
