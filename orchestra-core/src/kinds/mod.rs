//! The built-in kinds.

mod autoscaling;
mod container;
mod cron_job;
mod deployment;
mod job;
mod node;
mod pod;
mod pod_group;
mod policy;
mod scheduling;
mod stateful_set;
mod storage;
mod volume;

pub use autoscaling::*;
pub use container::*;
pub use cron_job::*;
pub use deployment::*;
pub use job::*;
pub use node::*;
pub use pod::*;
pub use pod_group::*;
pub use policy::*;
pub use scheduling::*;
pub use stateful_set::*;
pub use storage::*;
pub use volume::*;
