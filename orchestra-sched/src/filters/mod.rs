//! The built-in filters, one file each, with the meaning that Kubernetes documents.

mod affinity;
mod closed;
mod name;
mod near;
mod ports;
mod resources;
mod spread;
mod taints;

pub use affinity::NodeAffinity;
pub use closed::NodeUnschedulable;
pub use name::NodeName;
pub use near::InterPodAffinity;
pub use ports::NodePorts;
pub use resources::NodeResourcesFit;
pub use spread::PodTopologySpread;
pub use taints::TaintToleration;
