//! [`Service`]: pods under one name and address.

use orchestra_macros::wire;

use super::container::Protocol;
use crate::object::names::{self, Verdict};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{Apply, At, Condition, IntoField, Kind, Map, Object, PortRef, Spec, Str, check_labels};

/// Pods under one name and address.
pub type Service = Object<ServiceSpec>;

/// How long a client is kept with its pod unless something else is said: three hours.
const AFFINITY_SECONDS: u32 = 10800;

impl Spec for ServiceSpec {
    const KIND: Kind = Kind::namespaced("v1", "Service");
    type Status = ServiceStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = ServiceStatus::SCHEMA;

    fn fill_in(service: &mut Service) {
        service.spec.fill_in();
        if service.spec.kind == ServiceType::LoadBalancer {
            for ingress in &mut service.status.load_balancer.ingress {
                if !ingress.ip.is_empty() && ingress.ip_mode.is_none() {
                    ingress.ip_mode = Some(IpMode::Vip);
                }
            }
        }
    }

    fn check(service: &Service, at: &At<'_>) {
        service.spec.check(&at.field("spec"));
    }

    fn check_name(name: &str) -> Verdict {
        names::dns_1035_label(name)
    }
}

/// Which pods a Service stands for, and how they are reached.
#[wire(spec)]
pub struct ServiceSpec {
    /// The ports on which it is reached.
    #[wire(keys(port, protocol))]
    pub ports: Vec<ServicePort>,
    /// Labels of its pods. Without any, somebody else says where it leads to.
    #[wire(atomic)]
    pub selector: Map<Str>,
    /// Its address within the cluster; `None` when there is to be none, but only its pods' own.
    #[wire(name = "clusterIP")]
    pub cluster_ip: Str,
    /// Its addresses, at most one of each family; the first is `cluster_ip`.
    #[wire(name = "clusterIPs", atomic)]
    pub cluster_ips: Vec<Str>,
    /// From where it is reached.
    #[wire(name = "type", default = ServiceType::ClusterIp)]
    pub kind: ServiceType,
    /// Further addresses whose traffic reaches it, for which somebody else provides.
    #[wire(name = "externalIPs", atomic)]
    pub external_ips: Vec<Str>,
    /// Whether a client is kept with its pod.
    #[wire(default = SessionAffinity::None)]
    pub session_affinity: SessionAffinity,
    /// How it is kept.
    pub session_affinity_config: SessionAffinityConfig,
    /// The address that its load balancer should have; deprecated.
    #[wire(name = "loadBalancerIP")]
    pub load_balancer_ip: Str,
    /// The ranges from which its load balancer takes clients; all when there is none.
    #[wire(atomic)]
    pub load_balancer_source_ranges: Vec<Str>,
    /// The load balancer that serves it.
    pub load_balancer_class: Str,
    /// Whether a load balancer's ports are opened on each node.
    pub allocate_load_balancer_node_ports: Option<bool>,
    /// The name that it stands for, when it is an `ExternalName`.
    pub external_name: Str,
    /// Where traffic from outside is led to.
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// Where traffic from within is led to.
    pub internal_traffic_policy: Option<TrafficPolicy>,
    /// Which of its pods are preferred.
    pub traffic_distribution: Option<TrafficDistribution>,
    /// The node's port where a load balancer asks whether one of the pods is there.
    pub health_check_node_port: u16,
    /// Whether pods that are not ready are found too.
    pub publish_not_ready_addresses: bool,
    /// The families of its addresses.
    #[wire(atomic)]
    pub ip_families: Vec<IpFamily>,
    /// Whether it has addresses of one family or of both.
    pub ip_family_policy: Option<IpFamilyPolicy>,
}

impl ServiceSpec {
    /// Whether it has no address of its own, only its pods'.
    #[must_use]
    pub fn is_headless(&self) -> bool {
        self.cluster_ip == "None" || self.cluster_ips.first().is_some_and(|first| *first == "None")
    }

    /// Whether a port of each node leads to it.
    const fn has_node_ports(&self) -> bool {
        matches!(self.kind, ServiceType::NodePort | ServiceType::LoadBalancer)
    }

    /// Whether it is reached from outside the cluster.
    fn is_external(&self) -> bool {
        self.has_node_ports() || (self.kind == ServiceType::ClusterIp && !self.external_ips.is_empty())
    }

    fn fill_in(&mut self) {
        for port in &mut self.ports {
            if port.target_port == PortRef::Number(0) || port.target_port == "".into() {
                port.target_port = port.port.into();
            }
        }
        match self.session_affinity {
            SessionAffinity::None => self.session_affinity_config = SessionAffinityConfig::default(),
            SessionAffinity::ClientIp => {
                self.session_affinity_config.client_ip.timeout_seconds.get_or_insert(AFFINITY_SECONDS);
            }
        }
        if self.has_node_ports() {
            self.external_traffic_policy.get_or_insert(TrafficPolicy::Cluster);
        }
        if self.kind != ServiceType::ExternalName {
            self.internal_traffic_policy.get_or_insert(TrafficPolicy::Cluster);
        }
        if self.kind == ServiceType::LoadBalancer {
            self.allocate_load_balancer_node_ports.get_or_insert(true);
        }
    }

    fn check(&self, at: &At<'_>) {
        let needs_ports = !self.is_headless() && self.kind != ServiceType::ExternalName;
        at.field("ports").required(!self.ports.is_empty() || !needs_ports);
        self.check_ports(at);
        check_labels(&self.selector, &at.field("selector"));
        self.check_type(at);
        self.check_addresses(at);
        if self.session_affinity == SessionAffinity::ClientIp {
            let config = at.field("sessionAffinityConfig");
            let seconds = self.session_affinity_config.client_ip.timeout_seconds;
            config
                .field("clientIP")
                .field("timeoutSeconds")
                .require((1..=86400).contains(&seconds.unwrap_or(0)), "must be between 1 and 86400");
        }
        at.field("externalTrafficPolicy").require(
            self.external_traffic_policy.is_none() || self.is_external(),
            "may be given only for a Service that is reached from outside",
        );
        at.field("healthCheckNodePort").require(
            self.health_check_node_port == 0
                || (self.kind == ServiceType::LoadBalancer
                    && self.external_traffic_policy == Some(TrafficPolicy::Local)),
            "may be given only for a LoadBalancer whose externalTrafficPolicy is Local",
        );
    }

    fn check_ports(&self, at: &At<'_>) {
        at.each("ports", &self.ports, |at, port| {
            port.check(at);
            at.field("name").require(
                self.ports.len() == 1 || !port.name.is_empty(),
                "required when there are several ports",
            );
            at.field("nodePort").require(
                port.node_port == 0 || self.has_node_ports(),
                format!("may not be given when the type is {}", self.kind),
            );
        });
        at.distinct("ports", &self.ports, |port| format!("{}/{}", port.port, port.protocol));
        for (index, port) in self.ports.iter().enumerate() {
            let earlier = &self.ports[..index];
            let list = at.field("ports");
            let at = list.index(index);
            at.field("name").require(
                port.name.is_empty() || earlier.iter().all(|other| other.name != port.name),
                format!("`{}` is there already", port.name),
            );
            let same =
                |other: &ServicePort| (other.node_port, other.protocol) == (port.node_port, port.protocol);
            at.field("nodePort").require(
                port.node_port == 0 || !earlier.iter().any(same),
                format!("{} is there already", port.node_port),
            );
        }
    }

    /// What may be said of one type of Service only.
    fn check_type(&self, at: &At<'_>) {
        match self.kind {
            ServiceType::ClusterIp => {}
            ServiceType::NodePort | ServiceType::LoadBalancer => at
                .field("clusterIP")
                .require(!self.is_headless(), format!("may not be None when the type is {}", self.kind)),
            ServiceType::ExternalName => {
                at.field("clusterIP").require(
                    self.cluster_ip.is_empty() && self.cluster_ips.is_empty(),
                    "may not be given when the type is ExternalName",
                );
                let name = self.external_name.strip_suffix('.').unwrap_or(&self.external_name);
                at.field("externalName").name(name, names::dns_subdomain);
            }
        }
        for (name, given) in [
            ("loadBalancerSourceRanges", !self.load_balancer_source_ranges.is_empty()),
            ("loadBalancerClass", !self.load_balancer_class.is_empty()),
            ("allocateLoadBalancerNodePorts", self.allocate_load_balancer_node_ports.is_some()),
        ] {
            at.field(name).require(
                !given || self.kind == ServiceType::LoadBalancer,
                "may be given only when the type is LoadBalancer",
            );
        }
    }

    fn check_addresses(&self, at: &At<'_>) {
        let address = |at: &At<'_>, text: &Str| {
            if !matches!(text.as_str(), "" | "None") {
                at.check(names::ip(text));
            }
        };
        address(&at.field("clusterIP"), &self.cluster_ip);
        at.each("clusterIPs", &self.cluster_ips, address);
        at.field("clusterIPs").require(self.cluster_ips.len() <= 2, "must be at most one IPv4 and one IPv6");
        at.field("clusterIPs").require(
            self.cluster_ips.first().is_none_or(|first| *first == self.cluster_ip),
            "must begin with clusterIP",
        );
        at.each("externalIPs", &self.external_ips, |at, ip| at.check(names::ip(ip)));
        at.each("loadBalancerSourceRanges", &self.load_balancer_source_ranges, |at, range| {
            at.check(names::cidr(range.trim()))
        });
        if !self.load_balancer_class.is_empty() {
            at.field("loadBalancerClass").check(names::qualified_name(&self.load_balancer_class));
        }
        at.distinct("ipFamilies", &self.ip_families, |family| *family);
    }
}

impl Apply<Service> {
    /// Adds a TCP port on which it is reached, and the pods' port that it leads to.
    #[must_use]
    pub fn port(self, number: u16, target: impl IntoField<PortRef>) -> Self {
        self.append("spec", "ports", ServicePort::tcp(number, target).into_field())
    }

    /// Adds a named TCP port. When there are several, each has a name.
    #[must_use]
    pub fn named_port(self, name: impl Into<Str>, number: u16, target: impl IntoField<PortRef>) -> Self {
        self.append("spec", "ports", ServicePort::tcp(number, target).name(name).into_field())
    }

    /// Its pods are those that have these labels.
    #[must_use]
    pub fn select(self, labels: impl IntoField<Map<Str>>) -> Self {
        self.selector(labels)
    }

    /// It has no address of its own: its name stands for its pods' addresses.
    #[must_use]
    pub fn headless(self) -> Self {
        self.cluster_ip("None")
    }
}

/// From where a Service is reached.
#[wire]
pub enum ServiceType {
    /// From within the cluster.
    #[default]
    #[wire(name = "ClusterIP")]
    ClusterIp,
    /// And through a port of each node.
    NodePort,
    /// And through a load balancer.
    LoadBalancer,
    /// It is but another name of something outside.
    ExternalName,
}

/// A port on which a Service is reached.
#[wire]
pub struct ServicePort {
    /// Its name, required when there are several.
    pub name: Str,
    /// What is spoken there.
    #[wire(default = Protocol::Tcp)]
    pub protocol: Protocol,
    /// What is spoken above that, such as `kubernetes.io/h2c`.
    pub app_protocol: Str,
    /// Its number.
    #[wire(required)]
    pub port: u16,
    /// The pods' port that it leads to, by number or name; the same number when it is not given.
    pub target_port: PortRef,
    /// The port of each node that leads to it.
    pub node_port: u16,
}

impl ServicePort {
    /// A TCP port, and the pods' port that it leads to.
    #[must_use]
    pub fn tcp(number: u16, target: impl IntoField<PortRef>) -> Apply<Self> {
        Apply::<Self>::nothing().port(number).target_port(target)
    }

    fn check(&self, at: &At<'_>) {
        if !self.name.is_empty() {
            at.field("name").check(names::dns_label(&self.name));
        }
        if !self.app_protocol.is_empty() {
            at.field("appProtocol").check(names::qualified_name(&self.app_protocol));
        }
        at.field("port").check(names::port(self.port));
        // Where nothing was filled in yet, it will be the port's own number.
        if self.target_port != PortRef::Number(0) {
            self.target_port.check(&at.field("targetPort"));
        }
    }
}

/// Whether a client is kept with its pod.
#[wire]
pub enum SessionAffinity {
    /// It is not.
    #[default]
    None,
    /// It is, by its address.
    #[wire(name = "ClientIP")]
    ClientIp,
}

/// How a client is kept with its pod.
#[wire]
pub struct SessionAffinityConfig {
    /// By its address.
    #[wire(name = "clientIP")]
    pub client_ip: ClientIp,
}

/// How a client is kept with its pod by its address.
#[wire]
pub struct ClientIp {
    /// How long after its last connection.
    pub timeout_seconds: Option<u32>,
}

/// Where traffic is led to.
#[wire]
pub enum TrafficPolicy {
    /// To all pods.
    #[default]
    Cluster,
    /// To those of the node where it arrives.
    Local,
}

/// Which pods of a Service are preferred.
#[wire]
pub enum TrafficDistribution {
    /// Those in the client's zone; the old name of `PreferSameZone`.
    PreferClose,
    /// Those in the client's zone.
    PreferSameZone,
    /// Those on the client's node, then those in its zone.
    PreferSameNode,
}

/// A family of addresses.
#[wire]
pub enum IpFamily {
    /// IPv4.
    #[default]
    #[wire(name = "IPv4")]
    V4,
    /// IPv6.
    #[wire(name = "IPv6")]
    V6,
}

/// Whether a Service has addresses of one family or of both.
#[wire]
pub enum IpFamilyPolicy {
    /// Of one.
    #[default]
    SingleStack,
    /// Of both where the cluster has both.
    PreferDualStack,
    /// Of both, or it is refused.
    RequireDualStack,
}

/// What is observed of a Service.
#[wire]
pub struct ServiceStatus {
    /// Where its load balancer is reached.
    pub load_balancer: LoadBalancerStatus,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// Where a load balancer is reached.
#[wire]
pub struct LoadBalancerStatus {
    /// The addresses.
    #[wire(atomic)]
    pub ingress: Vec<LoadBalancerIngress>,
}

/// An address of a load balancer.
#[wire]
pub struct LoadBalancerIngress {
    /// The address.
    pub ip: Str,
    /// Or the name.
    pub hostname: Str,
    /// How traffic to the address arrives.
    pub ip_mode: Option<IpMode>,
    /// The ports.
    #[wire(atomic)]
    pub ports: Vec<PortStatus>,
}

/// How traffic of a load balancer arrives.
#[wire]
pub enum IpMode {
    /// It is still meant for the load balancer's address.
    #[default]
    #[wire(name = "VIP")]
    Vip,
    /// It is meant for the node or pod.
    Proxy,
}

/// A port of a load balancer.
#[wire]
pub struct PortStatus {
    /// Its number.
    #[wire(required)]
    pub port: u16,
    /// What is spoken there.
    #[wire(required)]
    pub protocol: Protocol,
    /// What is wrong with it, in one word.
    pub error: Str,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::{check_table, object, problems};

    #[test]
    fn each_shorthand_sets_exactly_what_it_says() {
        let service = || Apply::<Service>::nothing();
        for (apply, spec) in [
            (service().port(80, 8080), json!({"ports": [{"port": 80, "targetPort": 8080}]})),
            (
                service().named_port("http", 80, "web"),
                json!({"ports": [{"name": "http", "port": 80, "targetPort": "web"}]}),
            ),
            (service().select([("app", "web")]), json!({"selector": {"app": "web"}})),
            (service().headless(), json!({"clusterIP": "None"})),
        ] {
            let fields = serde_json::Value::Object(apply.fields().unwrap());
            assert_eq!(fields, json!({ "spec": spec }));
        }
        let web = Service::new("web").port(80, 8080).select([("app", "web")]).build().unwrap();
        assert_eq!(problems(&web), "");
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let spec = |json| object::<ServiceSpec>(json).spec;
        let plain = spec(json!({"ports": [{"port": 80}]}));
        assert_eq!(plain.ports[0].target_port, PortRef::Number(80));
        assert_eq!(plain.internal_traffic_policy, Some(TrafficPolicy::Cluster));
        assert_eq!((plain.external_traffic_policy, plain.allocate_load_balancer_node_ports), (None, None));
        let balanced = spec(json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP"}));
        assert_eq!(balanced.external_traffic_policy, Some(TrafficPolicy::Cluster));
        assert_eq!(balanced.allocate_load_balancer_node_ports, Some(true));
        assert_eq!(balanced.session_affinity_config.client_ip.timeout_seconds, Some(AFFINITY_SECONDS));
        let forgotten = spec(json!({"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}));
        assert_eq!(forgotten.session_affinity_config, SessionAffinityConfig::default());
        assert_eq!(spec(json!({"type": "ExternalName"})).internal_traffic_policy, None);
    }

    #[test]
    fn what_is_wrong_with_a_service_is_said() {
        check_table::<ServiceSpec>(&[
            (json!({}), "spec.ports: required"),
            (json!({"clusterIP": "None"}), ""),
            (json!({"type": "ExternalName", "externalName": "db.example.com."}), ""),
            (json!({"type": "ExternalName"}), "spec.externalName: required"),
            (
                json!({"type": "ExternalName", "externalName": "a", "clusterIP": "10.0.0.1"}),
                "spec.clusterIP: may not be given when the type is ExternalName",
            ),
            (
                json!({"type": "NodePort", "clusterIP": "None", "ports": [{"port": 80}]}),
                "spec.clusterIP: may not be None when the type is NodePort",
            ),
            (json!({"ports": [{"port": 0}]}), "spec.ports[0].port: must be between 1 and 65535"),
            (
                json!({"ports": [{"port": 80, "targetPort": "Web"}]}),
                "spec.ports[0].targetPort: `Web` must be",
            ),
            (json!({"ports": [{"port": 80, "nodePort": 30000}]}), "spec.ports[0].nodePort: may not be given"),
            (
                json!({"ports": [{"name": "a", "port": 80}, {"port": 81}]}),
                "spec.ports[1].name: required when there are several ports",
            ),
            (
                json!({"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]}),
                "spec.ports[1].name: `a` is there already",
            ),
            (
                json!({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80}]}),
                "spec.ports[1]: `80/TCP` is there already",
            ),
            (json!({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80, "protocol": "UDP"}]}), ""),
            (
                json!({"type": "NodePort", "ports": [
                    {"name": "a", "port": 80, "nodePort": 30000}, {"name": "b", "port": 81, "nodePort": 30000},
                ]}),
                "spec.ports[1].nodePort: 30000 is there already",
            ),
            (json!({"clusterIP": "x", "ports": [{"port": 80}]}), "spec.clusterIP: `x` must be an address"),
            (
                json!({"clusterIPs": ["10.0.0.1"], "ports": [{"port": 80}]}),
                "spec.clusterIPs: must begin with clusterIP",
            ),
            (
                json!({"loadBalancerClass": "a", "ports": [{"port": 80}]}),
                "spec.loadBalancerClass: may be given only when the type is LoadBalancer",
            ),
            (
                json!({"externalTrafficPolicy": "Local", "ports": [{"port": 80}]}),
                "spec.externalTrafficPolicy: may be given only for",
            ),
            (
                json!({"type": "LoadBalancer", "healthCheckNodePort": 30000, "ports": [{"port": 80}]}),
                "spec.healthCheckNodePort: may be given only for",
            ),
            (
                json!({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}},
                       "ports": [{"port": 80}]}),
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds: must be between 1 and 86400",
            ),
            (
                json!({"ipFamilies": ["IPv4", "IPv4"], "ports": [{"port": 80}]}),
                "spec.ipFamilies[1]: `IPv4` is there already",
            ),
            (
                json!({"selector": {"a b": "c"}, "ports": [{"port": 80}]}),
                "spec.selector[\"a b\"]: `a b` must be",
            ),
        ]);
        let name = problems(&Service::new("1web").port(80, 80).build().unwrap());
        assert!(name.contains("metadata.name: `1web` must be"), "{name}");
    }
}
