//! NodePorts: a port of the node's belongs to one pod at a time.

use orchestra_core::kinds::{ContainerPort, Node, Pod};

use super::{Rejected, Situation};

/// No port that the pod wants may be taken.
pub(super) fn free(situation: &Situation<'_>, node: &Node) -> Option<Rejected> {
    let taken = |wanted: &ContainerPort| {
        situation.pods_on(node).flat_map(|(pod, _)| host_ports(pod)).any(|port| collide(port, wanted))
    };
    host_ports(situation.pod)
        .any(taken)
        .then(|| Rejected::for_now("NodePorts", "node(s) didn't have free ports for the requested pod ports"))
}

/// The ports of the node that a pod has for as long as it runs: those of its containers and sidecars.
fn host_ports(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar());
    sidecars
        .chain(&pod.spec.containers)
        .flat_map(|container| &container.ports)
        .filter(|port| port.host_port > 0)
}

/// Whether two ports are one: the same number and protocol, and an address in common.
fn collide(a: &ContainerPort, b: &ContainerPort) -> bool {
    let any = |port: &ContainerPort| port.host_ip.is_empty() || port.host_ip == "0.0.0.0";
    a.host_port == b.host_port && a.protocol == b.protocol && (any(a) || any(b) || a.host_ip == b.host_ip)
}
