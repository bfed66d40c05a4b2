//! The built-in filters, one file each: those of Kubernetes, with the meaning that it documents, and what a place
//! may cost.

mod affinity;
mod closed;
mod cost;
mod devices;
mod name;
mod near;
mod ports;
mod resources;
mod spread;
mod taints;
mod volumes;
mod zones;

pub use affinity::NodeAffinity;
pub use closed::NodeUnschedulable;
pub use cost::CostLimits;
pub(crate) use cost::limits as cost_limits;
pub use name::NodeName;
pub use near::InterPodAffinity;
pub use ports::NodePorts;
pub use resources::NodeResourcesFit;
pub use spread::PodTopologySpread;
pub use taints::TaintToleration;
pub use volumes::VolumeBinding;
pub use zones::VolumeZone;
