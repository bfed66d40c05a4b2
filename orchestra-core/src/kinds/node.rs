//! [`Node`]: a machine that pods run on.

use orchestra_macros::wire;

use super::scheduling::TaintEffect;
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{
    Apply, At, Condition, IntoField, Kind, Map, Object, Quantity, Spec, Str, Timestamp, names,
};

/// A machine that pods run on.
pub type Node = Object<NodeSpec>;

impl Spec for NodeSpec {
    const KIND: Kind = Kind::cluster("v1", "Node");
    type Status = NodeStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NodeStatus::SCHEMA;

    fn fill_in(node: &mut Node) {
        node.spec.fill_in();
        if node.status.allocatable.is_empty() {
            node.status.allocatable = node.status.capacity.clone();
        }
    }

    fn check(node: &Node, at: &At<'_>) {
        node.spec.check(&at.field("spec"));
        let status = at.field("status");
        for (name, amounts) in
            [("capacity", &node.status.capacity), ("allocatable", &node.status.allocatable)]
        {
            let at = status.field(name);
            for (resource, amount) in amounts {
                at.field(resource).require(!amount.is_negative(), "must not be less than 0");
            }
        }
    }
}

/// What is desired of a node.
#[wire(spec, unsupported("configSource", "externalID", "podPreemptionPolicy"))]
pub struct NodeSpec {
    /// The range from which its pods get their addresses.
    #[wire(name = "podCIDR")]
    pub pod_cidr: Str,
    /// The ranges, at most one of each family; the first is `pod_cidr`.
    #[wire(name = "podCIDRs", set)]
    pub pod_cidrs: Vec<Str>,
    /// Who it is to the provider of the machine.
    #[wire(name = "providerID")]
    pub provider_id: Str,
    /// What keeps pods away from it.
    #[wire(atomic)]
    pub taints: Vec<Taint>,
    /// Whether it is closed for new pods.
    pub unschedulable: bool,
}

impl NodeSpec {
    /// The range and the first of the ranges are the same thing.
    fn fill_in(&mut self) {
        if let Some(first) = self.pod_cidrs.first() {
            if self.pod_cidr.is_empty() {
                self.pod_cidr = first.clone();
            }
        } else if !self.pod_cidr.is_empty() {
            self.pod_cidrs = vec![self.pod_cidr.clone()];
        }
    }

    fn check(&self, at: &At<'_>) {
        at.each("taints", &self.taints, |at, taint| taint.check(at));
        at.distinct("taints", &self.taints, |taint| format!("{}:{}", taint.key, taint.effect));
        at.each("podCIDRs", &self.pod_cidrs, |at, range| at.check(names::cidr(range)));
        at.field("podCIDRs")
            .require(self.pod_cidrs.len() <= 2, "must be at most one IPv4 and one IPv6 range");
        if let [first, second] = self.pod_cidrs.as_slice() {
            at.field("podCIDRs")
                .require(first.contains(':') != second.contains(':'), "must not be two of one family");
        }
        at.field("podCIDR").require(
            self.pod_cidrs.first().is_none_or(|first| *first == self.pod_cidr),
            "must be the first of podCIDRs",
        );
    }
}

impl Apply<Node> {
    /// Adds a taint, which keeps pods away unless they tolerate it.
    #[must_use]
    pub fn taint(self, taint: impl IntoField<Taint>) -> Self {
        self.append("spec", "taints", taint.into_field())
    }
}

/// What keeps pods away from a node unless they tolerate it.
#[wire]
pub struct Taint {
    /// Its key.
    #[wire(required)]
    pub key: Str,
    /// Its value.
    pub value: Str,
    /// What it does.
    #[wire(required)]
    pub effect: TaintEffect,
    /// When it was put there.
    pub time_added: Option<Timestamp>,
}

impl Taint {
    /// A taint of this key, without a value.
    #[allow(clippy::new_ret_no_self)] // what is described is not whole yet
    #[must_use]
    pub fn new(key: impl Into<Str>, effect: TaintEffect) -> Apply<Self> {
        Apply::<Self>::nothing().key(key).effect(effect)
    }

    fn check(&self, at: &At<'_>) {
        at.field("effect").required(self.effect != TaintEffect::Unset);
        at.field("key").name(&self.key, names::qualified_name);
        at.field("value").check(names::label_value(&self.value));
    }
}

/// What is observed of a node.
#[wire(unsupported("config", "declaredFeatures", "phase"))]
pub struct NodeStatus {
    /// What it has.
    pub capacity: Map<Quantity>,
    /// What of it pods can have.
    pub allocatable: Map<Quantity>,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
    /// Where it is reached.
    #[wire(keys(type))]
    pub addresses: Vec<NodeAddress>,
    /// Where its agent is reached.
    pub daemon_endpoints: DaemonEndpoints,
    /// What runs on it: kernel, system, runtime.
    pub node_info: NodeInfo,
    /// The images that it has.
    #[wire(atomic)]
    pub images: Vec<NodeImage>,
    /// The volumes that it uses and that may not be detached.
    #[wire(atomic)]
    pub volumes_in_use: Vec<Str>,
    /// The volumes that are attached to it.
    #[wire(atomic)]
    pub volumes_attached: Vec<AttachedVolume>,
    /// The handlers of its runtime.
    #[wire(atomic)]
    pub runtime_handlers: Vec<RuntimeHandler>,
    /// What its runtime can do.
    pub features: NodeFeatures,
}

impl NodeStatus {
    /// The first address of this sort.
    #[must_use]
    pub fn address(&self, kind: NodeAddressType) -> Option<&Str> {
        self.addresses.iter().find(|address| address.kind == kind).map(|address| &address.address)
    }
}

/// Where a node is reached.
#[wire]
pub struct NodeAddress {
    /// What sort of address it is.
    #[wire(required, name = "type")]
    pub kind: NodeAddressType,
    /// The address.
    #[wire(required)]
    pub address: Str,
}

/// The sort of a node's address.
#[wire]
pub enum NodeAddressType {
    /// The host name that the node gives itself.
    #[default]
    Hostname,
    /// An address within the cluster's network.
    #[wire(name = "InternalIP")]
    InternalIp,
    /// An address that is reached from outside.
    #[wire(name = "ExternalIP")]
    ExternalIp,
    /// A name that stands for the internal address.
    #[wire(name = "InternalDNS")]
    InternalDns,
    /// A name that stands for the external address.
    #[wire(name = "ExternalDNS")]
    ExternalDns,
}

/// Where a node's daemons are reached.
#[wire]
pub struct DaemonEndpoints {
    /// The agent.
    pub kubelet_endpoint: DaemonEndpoint,
}

/// Where a daemon is reached.
#[wire]
pub struct DaemonEndpoint {
    /// The port.
    #[wire(name = "Port")]
    pub port: u16,
}

/// What runs on a node.
#[wire(unsupported("runningInUserNamespace"))]
pub struct NodeInfo {
    /// The machine's id, as its system knows it.
    #[wire(required, name = "machineID")]
    pub machine_id: Str,
    /// The machine's id, as its firmware knows it.
    #[wire(required, name = "systemUUID")]
    pub system_uuid: Str,
    /// Another one each time that the machine is started.
    #[wire(required, name = "bootID")]
    pub boot_id: Str,
    /// The kernel's version.
    #[wire(required)]
    pub kernel_version: Str,
    /// The system's name and version.
    #[wire(required)]
    pub os_image: Str,
    /// The runtime's name and version, such as `containerd://1.7.0`.
    #[wire(required)]
    pub container_runtime_version: Str,
    /// The agent's version.
    #[wire(required)]
    pub kubelet_version: Str,
    /// The proxy's version; no longer said.
    #[wire(required)]
    pub kube_proxy_version: Str,
    /// The operating system: `linux`, `darwin`, …
    #[wire(required)]
    pub operating_system: Str,
    /// The processor's architecture: `amd64`, `arm64`, …
    #[wire(required)]
    pub architecture: Str,
    /// Its swap.
    pub swap: NodeSwap,
}

/// A node's swap.
#[wire]
pub struct NodeSwap {
    /// How many bytes it has.
    pub capacity: u64,
}

/// An image that a node has.
#[wire]
pub struct NodeImage {
    /// The names by which it is known.
    #[wire(atomic)]
    pub names: Vec<Str>,
    /// How many bytes it has.
    pub size_bytes: u64,
}

/// A volume that is attached to a node.
#[wire]
pub struct AttachedVolume {
    /// The volume's name.
    #[wire(required)]
    pub name: Str,
    /// The device by which it is there.
    #[wire(required)]
    pub device_path: Str,
}

/// A handler of a node's runtime.
#[wire]
pub struct RuntimeHandler {
    /// Its name; empty for the default.
    pub name: Str,
    /// What it can do.
    pub features: RuntimeHandlerFeatures,
}

/// What a handler of a runtime can do.
#[wire]
pub struct RuntimeHandlerFeatures {
    /// Make all mounts below a mount read-only.
    pub recursive_read_only_mounts: bool,
    /// Give a pod user ids of its own.
    pub user_namespaces: bool,
}

/// What a node's runtime can do.
#[wire]
pub struct NodeFeatures {
    /// Follow a pod's `supplementalGroupsPolicy`.
    pub supplemental_groups_policy: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::{check_table, problems};
    use crate::object::Resource;

    #[test]
    fn what_is_allocatable_is_what_there_is_unless_somebody_says_less() {
        let mut node: Node = serde_json::from_value(json!({"status": {"capacity": {"cpu": "4"}}})).unwrap();
        node.fill_in();
        assert_eq!(node.status.allocatable, node.status.capacity);
        node.status.allocatable.insert("cpu", Quantity::milli(3500));
        let said = node.clone();
        node.fill_in();
        assert_eq!(node, said);
    }

    #[test]
    fn the_range_and_the_first_of_the_ranges_are_the_same() {
        let one = Node::new("a").pod_cidr("10.0.0.0/24").build().unwrap();
        let other = Node::new("a").pod_cidrs(["10.0.0.0/24"]).build().unwrap();
        assert_eq!(one, other);
        assert_eq!(problems(&one), "");
    }

    #[test]
    fn a_taint_is_added() {
        let apply = Node::new("a").taint(Taint::new("gpu", TaintEffect::NoSchedule));
        let spec = json!({"taints": [{"key": "gpu", "effect": "NoSchedule"}]});
        assert_eq!(apply.fields().unwrap()["spec"], spec);
    }

    #[test]
    fn an_address_is_found_by_its_sort() {
        let status: NodeStatus = serde_json::from_value(json!({"addresses": [
            {"type": "Hostname", "address": "a"}, {"type": "InternalIP", "address": "10.0.0.1"},
        ]}))
        .unwrap();
        assert_eq!(status.address(NodeAddressType::InternalIp), Some(&"10.0.0.1".into()));
        assert_eq!(status.address(NodeAddressType::ExternalIp), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        check_table::<NodeSpec>(&[
            (
                json!({"taints": [{"key": "a b", "effect": "NoSchedule"}]}),
                "spec.taints[0].key: `a b` must be",
            ),
            (json!({"taints": [{"effect": "NoSchedule"}]}), "spec.taints[0].key: required"),
            (
                json!({"taints": [{"key": "a", "value": "1", "effect": "NoExecute"}, {"key": "a", "effect": "NoExecute"}]}),
                "spec.taints[1]: `a:NoExecute` is there already",
            ),
            (json!({"podCIDR": "10.0.0.0"}), "spec.podCIDRs[0]: `10.0.0.0` must be a range of addresses"),
            (
                json!({"podCIDR": "10.0.0.0/8", "podCIDRs": ["10.1.0.0/16"]}),
                "spec.podCIDR: must be the first",
            ),
            (
                json!({"podCIDRs": ["10.0.0.0/8", "11.0.0.0/8"]}),
                "spec.podCIDRs: must not be two of one family",
            ),
        ]);
    }
}
