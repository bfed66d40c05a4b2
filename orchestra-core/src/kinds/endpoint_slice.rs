//! [`EndpointSlice`]: where the pods of a Service are.

use std::net::{Ipv4Addr, Ipv6Addr};

use orchestra_macros::wire;

use super::container::Protocol;
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{At, Kind, NoStatus, Object, ObjectReference, Spec, Str, names};

/// Some of the places where a Service's pods are.
pub type EndpointSlice = Object<EndpointSliceSpec>;

impl Spec for EndpointSliceSpec {
    const KIND: Kind = Kind::namespaced("discovery.k8s.io/v1", "EndpointSlice").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(slice: &EndpointSlice, at: &At<'_>) {
        slice.spec.check(at);
    }
}

/// Some of the places where a Service's pods are.
#[wire(spec)]
pub struct EndpointSliceSpec {
    /// What sort of addresses they have.
    #[wire(required)]
    pub address_type: AddressType,
    /// The places.
    #[wire(required, atomic)]
    pub endpoints: Vec<Endpoint>,
    /// The ports that each of them has.
    #[wire(required, atomic)]
    pub ports: Vec<EndpointPort>,
}

impl EndpointSliceSpec {
    /// How many endpoints one slice may hold.
    pub const MOST_ENDPOINTS: usize = 1000;

    fn check(&self, at: &At<'_>) {
        let most = Self::MOST_ENDPOINTS;
        at.field("endpoints")
            .require(self.endpoints.len() <= most, format!("must be no more than {most} in one slice"));
        at.each("endpoints", &self.endpoints, |at, endpoint| endpoint.check(self.address_type, at));
        at.each("ports", &self.ports, |at, port| {
            if !port.name.is_empty() {
                at.field("name").check(names::dns_label(&port.name));
            }
            at.field("port").check(names::port(port.port.unwrap_or(1)));
            if !port.app_protocol.is_empty() {
                at.field("appProtocol").check(names::qualified_name(&port.app_protocol));
            }
        });
        at.distinct("ports", &self.ports, |port| port.name.clone());
    }
}

/// What sort of addresses endpoints have.
#[wire]
pub enum AddressType {
    /// IPv4.
    #[default]
    #[wire(name = "IPv4")]
    V4,
    /// IPv6.
    #[wire(name = "IPv6")]
    V6,
    /// Names.
    #[wire(name = "FQDN")]
    Fqdn,
}

/// A place where a Service is served.
#[wire(unsupported("deprecatedTopology"))]
pub struct Endpoint {
    /// Its addresses, all of the same thing.
    #[wire(required, set)]
    pub addresses: Vec<Str>,
    /// Whether it can be used.
    pub conditions: EndpointConditions,
    /// The host name by which it alone is found.
    pub hostname: Str,
    /// The object that it is, mostly a pod.
    pub target_ref: Option<Box<ObjectReference>>,
    /// The node that it is on.
    pub node_name: Str,
    /// The zone that it is in.
    pub zone: Str,
    /// For whom it is meant.
    pub hints: EndpointHints,
}

impl Endpoint {
    fn check(&self, kind: AddressType, at: &At<'_>) {
        at.field("addresses").required(!self.addresses.is_empty());
        at.field("addresses").require(self.addresses.len() <= 100, "must be no more than 100");
        at.each("addresses", &self.addresses, |at, address| match kind {
            AddressType::Fqdn => at.check(names::dns_subdomain(address)),
            AddressType::V4 => at
                .require(address.parse::<Ipv4Addr>().is_ok(), format!("`{address}` must be an IPv4 address")),
            AddressType::V6 => at
                .require(address.parse::<Ipv6Addr>().is_ok(), format!("`{address}` must be an IPv6 address")),
        });
        if !self.hostname.is_empty() {
            at.field("hostname").check(names::dns_label(&self.hostname));
        }
        let hints = at.field("hints");
        for (name, count) in
            [("forZones", self.hints.for_zones.len()), ("forNodes", self.hints.for_nodes.len())]
        {
            hints.field(name).require(count <= 8, "must be no more than 8");
        }
    }
}

/// Whether an endpoint can be used.
#[wire]
pub struct EndpointConditions {
    /// Whether it serves and is not about to stop; yes when that is not known.
    pub ready: Option<bool>,
    /// Whether it serves; as `ready` when that is not known.
    pub serving: Option<bool>,
    /// Whether it is about to stop.
    pub terminating: bool,
}

impl EndpointConditions {
    /// Whether new requests may be sent there.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether requests are answered there, be it about to stop or not.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }
}

/// For whom an endpoint is meant.
#[wire]
pub struct EndpointHints {
    /// Clients in these zones.
    #[wire(atomic)]
    pub for_zones: Vec<ForPlace>,
    /// Clients on these nodes.
    #[wire(atomic)]
    pub for_nodes: Vec<ForPlace>,
}

/// A zone or node whose clients an endpoint is meant for.
#[wire]
pub struct ForPlace {
    /// Its name.
    #[wire(required)]
    pub name: Str,
}

/// A port that endpoints have.
#[wire(atomic)]
pub struct EndpointPort {
    /// The name of the Service's port.
    #[wire(required)]
    pub name: Str,
    /// What is spoken there.
    #[wire(default = Protocol::Tcp)]
    pub protocol: Protocol,
    /// Its number; when it is not given, all ports are meant.
    pub port: Option<u16>,
    /// What is spoken above that.
    pub app_protocol: Str,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::check_table;

    #[test]
    fn what_is_wrong_with_a_slice_is_said() {
        let slice = |endpoint: serde_json::Value| json!({"addressType": "IPv4", "endpoints": [endpoint]});
        check_table::<EndpointSliceSpec>(&[
            (slice(json!({"addresses": ["10.0.0.1"]})), ""),
            (slice(json!({})), "endpoints[0].addresses: required"),
            (
                slice(json!({"addresses": ["::1"]})),
                "endpoints[0].addresses[0]: `::1` must be an IPv4 address",
            ),
            (
                slice(json!({"addresses": ["10.0.0.1"], "hostname": "A"})),
                "endpoints[0].hostname: `A` must be",
            ),
            (json!({"ports": [{"port": 80}, {"port": 81}]}), "ports[1]: `` is there already"),
            (json!({"ports": [{"port": 0}]}), "ports[0].port: must be between"),
        ]);
    }

    #[test]
    fn an_endpoint_of_which_nothing_is_known_is_ready() {
        let known = |ready, serving| EndpointConditions { ready, serving, terminating: false };
        for (conditions, ready, serving) in [
            (known(None, None), true, true),
            (known(Some(false), None), false, false),
            (known(Some(false), Some(true)), false, true),
        ] {
            assert_eq!((conditions.is_ready(), conditions.is_serving()), (ready, serving));
        }
    }
}
