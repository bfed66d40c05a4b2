//! The built-in scores, one file each, with the meaning that Kubernetes documents.

mod affinity;
mod balanced;
mod images;
mod near;
mod resources;
mod spread;
mod taints;

pub use affinity::NodeAffinity;
pub use balanced::NodeResourcesBalancedAllocation;
pub use images::ImageLocality;
pub use near::InterPodAffinity;
pub use resources::{NodeResourcesFit, Strategy};
pub use spread::PodTopologySpread;
pub use taints::TaintToleration;
