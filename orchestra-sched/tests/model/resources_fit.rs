//! NodeResourcesFit, as a filter: there must be room for what a pod asks for.

use orchestra_core::kinds::Node;

use super::devices::{Missing, device_of, missing, share_of};
use super::requests::{Counted, allocatable, asked, is_device, names, taken};
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
    // What the scheduler is told to ignore, by name or by group, is no matter of its.
    let ignored = |name: &str| {
        let group = name.split_once('/').map(|(group, _)| group);
        group.is_some_and(|group| situation.settings.ignored.iter().any(|it| it == name || it == group))
    };
    let devices = names(pod).into_iter().filter(|resource| is_device(resource)).map(|it| it.to_string());
    let devices = devices.filter(|name| !ignored(name));
    let resources = ["cpu", "memory", "ephemeral-storage"].map(str::to_owned).into_iter().chain(devices);
    for resource in resources {
        let wanted = asked(pod, &resource);
        let has = allocatable(node, &resource);
        // Who asks for nothing fits even where more is taken than there is.
        let too_little = wanted > 0 && wanted > has - taken(situation, node, &resource, Counted::Asked);
        let device = device_of(&resource).unwrap_or(&resource);
        let looked_at = |name: &str| if ignored(name) { 0 } else { asked(pod, name) };
        let missing = match is_device(device) {
            true => missing(situation.world, node, device, looked_at(device), looked_at(&share_of(device))),
            false => Missing::default(),
        };
        let no_device = if device == resource { missing.whole } else { missing.share };
        if too_little || no_device {
            rejected.reasons.push(format!("Insufficient {resource}"));
            rejected.resolvable &= wanted <= has && !missing.for_good;
        }
    }
    (!rejected.reasons.is_empty()).then_some(rejected)
}
