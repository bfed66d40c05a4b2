//! NodeResourcesFit, as a filter: there must be room for what a pod asks for.

use orchestra_core::kinds::Node;

use super::requests::{Counted, allocatable, is_device, names, requested, taken};
use super::{Rejected, Situation};

pub(super) const NODE_RESOURCES_FIT: &str = "NodeResourcesFit";

/// Of every resource that the pod asks for there must be as much left. All that there is too little of are
/// reasons. It is beyond help when the pod asks for more than the node has, not only than it has left.
pub(super) fn enough(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let pod = situation.pod;
    let mut rejected = Rejected { rule: NODE_RESOURCES_FIT, reasons: Vec::new(), resolvable: true };
    let there: i64 = situation.pods_on(node).map(|(_, times)| times).sum();
    if i128::from(there) + 1 > allocatable(node, "pods") {
        rejected.reasons.push("Too many pods".to_owned());
    }
    let devices = names(pod).into_iter().filter(|resource| is_device(resource)).map(|it| it.to_string());
    let resources = ["cpu", "memory", "ephemeral-storage"].map(str::to_owned).into_iter().chain(devices);
    for resource in resources {
        let wanted = requested(pod, &resource, Counted::Asked);
        let has = allocatable(node, &resource);
        // Who asks for nothing fits even where more is taken than there is.
        if wanted > 0 && wanted > has - taken(situation, node, &resource, Counted::Asked) {
            rejected.reasons.push(format!("Insufficient {resource}"));
            rejected.resolvable &= wanted <= has;
        }
    }
    (!rejected.reasons.is_empty()).then_some(rejected)
}
