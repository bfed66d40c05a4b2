//! The built-in kinds.

mod container;
mod cron_job;
mod deployment;
mod job;
mod node;
mod pod;
mod scheduling;
mod stateful_set;
mod storage;
mod volume;

pub use container::*;
pub use cron_job::*;
pub use deployment::*;
pub use job::*;
pub use node::*;
pub use pod::*;
pub use scheduling::*;
pub use stateful_set::*;
pub use storage::*;
pub use volume::*;
