//! Who may reach what: [`Ingress`] from outside, [`NetworkPolicy`] among pods.

use std::net::IpAddr;

use orchestra_macros::wire;

use super::container::Protocol;
use super::service::PortStatus;
use crate::object::names::{self, Verdict};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{Apply, At, IntoField, Kind, LabelSelector, NoStatus, Object, PortRef, Spec, Str};

/// How Services are reached from outside by HTTP.
pub type Ingress = Object<IngressSpec>;

impl Spec for IngressSpec {
    const KIND: Kind = Kind::namespaced("networking.k8s.io/v1", "Ingress");
    type Status = IngressStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = IngressStatus::SCHEMA;

    fn check(ingress: &Ingress, at: &At<'_>) {
        ingress.spec.check(&at.field("spec"));
    }
}

/// Which requests from outside go to which Service.
#[wire(spec)]
pub struct IngressSpec {
    /// The class that says who serves it.
    pub ingress_class_name: Str,
    /// Where requests go that no rule fits.
    pub default_backend: IngressBackend,
    /// The hosts that are served by TLS, and with which certificates.
    #[wire(atomic)]
    pub tls: Vec<IngressTls>,
    /// Where requests go.
    #[wire(atomic)]
    pub rules: Vec<IngressRule>,
}

impl IngressSpec {
    fn check(&self, at: &At<'_>) {
        let default = self.default_backend != IngressBackend::Unset;
        at.require(default || !self.rules.is_empty(), "must have `rules` or a `defaultBackend`");
        if default {
            self.default_backend.check(&at.field("defaultBackend"));
        }
        if !self.ingress_class_name.is_empty() {
            at.field("ingressClassName").check(names::dns_subdomain(&self.ingress_class_name));
        }
        at.each("rules", &self.rules, |at, rule| rule.check(at));
        at.each("tls", &self.tls, |at, tls| {
            at.each("hosts", &tls.hosts, |at, host| at.check(check_name(host)));
            if !tls.secret_name.is_empty() {
                at.field("secretName").check(names::dns_subdomain(&tls.secret_name));
            }
        });
    }
}

impl Apply<Ingress> {
    /// Sends requests for this host and for paths below this one to a port of a Service. An empty
    /// host stands for any.
    #[must_use]
    pub fn route(
        self,
        host: impl Into<Str>,
        path: impl Into<Str>,
        service: impl Into<Str>,
        port: impl Into<PortRef>,
    ) -> Self {
        let path = Apply::<IngressPath>::nothing()
            .path(path)
            .path_type(PathType::Prefix)
            .backend(IngressBackend::service(service, port));
        let rule = Apply::<IngressRule>::nothing().http(Apply::<IngressHttp>::nothing().paths([path]));
        let host = host.into();
        let rule = if host.is_empty() { rule } else { rule.host(host) };
        self.append("spec", "rules", rule.into_field())
    }
}

/// Where requests for a host go.
#[wire]
pub struct IngressRule {
    /// The host, or `*.` and the end of one; any when it is empty.
    pub host: Str,
    /// Where they go by their path; all to the default backend when it is not given.
    pub http: Option<IngressHttp>,
}

impl IngressRule {
    fn check(&self, at: &At<'_>) {
        if !self.host.is_empty() {
            at.field("host").check(check_host(&self.host));
        }
        if let Some(http) = &self.http {
            let at = at.field("http");
            at.field("paths").required(!http.paths.is_empty());
            at.each("paths", &http.paths, |at, path| path.check(at));
        }
    }
}

fn check_host(host: &str) -> Verdict {
    if host.parse::<IpAddr>().is_ok() {
        return Err(format!("`{host}` must be a name, not an address"));
    }
    check_name(host)
}

/// Checks a host's name, whose first part may stand for any.
fn check_name(host: &str) -> Verdict {
    names::dns_subdomain(host.strip_prefix("*.").unwrap_or(host))
}

/// Where requests go by their path.
#[wire]
pub struct IngressHttp {
    /// The paths.
    #[wire(required, atomic)]
    pub paths: Vec<IngressPath>,
}

/// Where requests for a path go.
#[wire]
pub struct IngressPath {
    /// The path; all when it is empty.
    pub path: Str,
    /// Which requests it fits.
    #[wire(required)]
    pub path_type: PathType,
    /// Where they go.
    #[wire(required)]
    pub backend: IngressBackend,
}

impl IngressPath {
    fn check(&self, at: &At<'_>) {
        let path = at.field("path");
        match self.path_type {
            PathType::Unset => at.field("pathType").required(false),
            PathType::ImplementationSpecific => {
                path.require(self.path.is_empty() || self.path.starts_with('/'), "must be an absolute path");
            }
            PathType::Exact | PathType::Prefix => {
                path.name(&self.path, names::absolute_path);
                for part in ["//", "/./", "/../", "%2f", "%2F"] {
                    path.require(!self.path.contains(part), format!("may not contain `{part}`"));
                }
                for end in ["/..", "/."] {
                    path.require(!self.path.ends_with(end), format!("may not end with `{end}`"));
                }
            }
        }
        self.backend.check(&at.field("backend"));
    }
}

/// Which requests a path fits.
#[wire]
pub enum PathType {
    /// Not said, which is an error.
    #[default]
    #[wire(name = "")]
    Unset,
    /// Those for just this path.
    Exact,
    /// Those for this path and for what is below it.
    Prefix,
    /// Whoever serves it decides.
    ImplementationSpecific,
}

/// Where requests go.
#[wire(one_of)]
pub enum IngressBackend {
    /// Not said.
    #[default]
    Unset,
    /// To a Service.
    Service(IngressService),
    /// To some other object.
    Resource(TypedReference),
}

impl IngressBackend {
    /// A port of a Service, by its number or its name.
    #[must_use]
    pub fn service(name: impl Into<Str>, port: impl Into<PortRef>) -> Self {
        let port = match port.into() {
            PortRef::Number(number) => ServiceBackendPort::Number(number),
            PortRef::Name(name) => ServiceBackendPort::Name(name),
        };
        Self::Service(IngressService { name: name.into(), port })
    }

    fn check(&self, at: &At<'_>) {
        match self {
            Self::Unset => at.problem("must be a service or a resource"),
            Self::Service(service) => {
                let at = at.field("service");
                at.field("name").name(&service.name, names::dns_1035_label);
                let port = at.field("port");
                match &service.port {
                    ServiceBackendPort::Unset => port.problem("must have a name or a number"),
                    ServiceBackendPort::Name(name) => port.field("name").name(name, names::port_name),
                    ServiceBackendPort::Number(number) => port.field("number").check(names::port(*number)),
                }
            }
            Self::Resource(resource) => {
                let at = at.field("resource");
                at.field("kind").required(!resource.kind.is_empty());
                at.field("name").required(!resource.name.is_empty());
            }
        }
    }
}

/// A port of a Service to which requests go.
#[wire]
pub struct IngressService {
    /// The Service's name.
    #[wire(required)]
    pub name: Str,
    /// The Service's port.
    #[wire(atomic)]
    pub port: ServiceBackendPort,
}

/// A Service's port.
#[wire(one_of)]
pub enum ServiceBackendPort {
    /// Not said.
    #[default]
    Unset,
    /// By its name.
    Name(Str),
    /// By its number.
    Number(u16),
}

/// An object of the same namespace.
#[wire(atomic)]
pub struct TypedReference {
    /// Its group; empty for the core group.
    pub api_group: Str,
    /// Its kind.
    #[wire(required)]
    pub kind: Str,
    /// Its name.
    #[wire(required)]
    pub name: Str,
}

/// Hosts that are served by TLS with one certificate.
#[wire]
pub struct IngressTls {
    /// The hosts.
    #[wire(atomic)]
    pub hosts: Vec<Str>,
    /// The Secret that holds the certificate.
    pub secret_name: Str,
}

/// What is observed of an Ingress.
#[wire]
pub struct IngressStatus {
    /// Where it is reached.
    pub load_balancer: IngressLoadBalancer,
}

/// Where an Ingress is reached.
#[wire]
pub struct IngressLoadBalancer {
    /// The addresses.
    #[wire(atomic)]
    pub ingress: Vec<IngressAddress>,
}

/// An address at which an Ingress is reached.
#[wire]
pub struct IngressAddress {
    /// The address.
    pub ip: Str,
    /// Or the name.
    pub hostname: Str,
    /// The ports.
    #[wire(atomic)]
    pub ports: Vec<PortStatus>,
}

/// Which pods may talk to which.
pub type NetworkPolicy = Object<NetworkPolicySpec>;

impl Spec for NetworkPolicySpec {
    const KIND: Kind = Kind::namespaced("networking.k8s.io/v1", "NetworkPolicy");
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn fill_in(policy: &mut NetworkPolicy) {
        let spec = &mut policy.spec;
        if spec.policy_types.is_empty() {
            spec.policy_types.push(PolicyType::Ingress);
            if !spec.egress.is_empty() {
                spec.policy_types.push(PolicyType::Egress);
            }
        }
    }

    fn check(policy: &NetworkPolicy, at: &At<'_>) {
        policy.spec.check(&at.field("spec"));
    }
}

/// What some pods may take part in. Whatever no rule of any policy allows is forbidden to them.
#[wire(spec)]
pub struct NetworkPolicySpec {
    /// The pods that it is about; an empty selector means all of the namespace.
    #[wire(required)]
    pub pod_selector: LabelSelector,
    /// What they may be sent.
    #[wire(atomic)]
    pub ingress: Vec<IngressAllowance>,
    /// What they may send.
    #[wire(atomic)]
    pub egress: Vec<EgressAllowance>,
    /// Which directions it is about. Unless it is said: the first, and the second if it has rules.
    #[wire(atomic)]
    pub policy_types: Vec<PolicyType>,
}

impl NetworkPolicySpec {
    /// Whether it is about this direction: without it, nothing is forbidden there.
    #[must_use]
    pub fn is_about(&self, direction: PolicyType) -> bool {
        self.policy_types.contains(&direction)
    }

    fn check(&self, at: &At<'_>) {
        self.pod_selector.check(&at.field("podSelector"));
        at.each("ingress", &self.ingress, |at, rule| check_rule(&rule.ports, "from", &rule.from, at));
        at.each("egress", &self.egress, |at, rule| check_rule(&rule.ports, "to", &rule.to, at));
        at.distinct("policyTypes", &self.policy_types, |direction| *direction);
    }
}

fn check_rule(ports: &[PolicyPort], peers_name: &str, peers: &[PolicyPeer], at: &At<'_>) {
    at.each("ports", ports, |at, port| port.check(at));
    at.each(peers_name, peers, |at, peer| peer.check(at));
}

/// A direction of traffic, seen from the pods that a policy is about.
#[wire]
pub enum PolicyType {
    /// What they are sent.
    #[default]
    Ingress,
    /// What they send.
    Egress,
}

/// Something that pods may be sent: on any of these ports, from any of these peers.
#[wire]
pub struct IngressAllowance {
    /// The pods' ports; all when none is named.
    #[wire(atomic)]
    pub ports: Vec<PolicyPort>,
    /// Who sends it; anybody when nobody is named.
    #[wire(atomic)]
    pub from: Vec<PolicyPeer>,
}

/// Something that pods may send: to any of these ports, of any of these peers.
#[wire]
pub struct EgressAllowance {
    /// The peers' ports; all when none is named.
    #[wire(atomic)]
    pub ports: Vec<PolicyPort>,
    /// To whom it is sent; anybody when nobody is named.
    #[wire(atomic)]
    pub to: Vec<PolicyPeer>,
}

/// Some ports.
#[wire]
pub struct PolicyPort {
    /// What is spoken there.
    #[wire(default = Protocol::Tcp)]
    pub protocol: Protocol,
    /// The port, by number or name; all when it is not given.
    pub port: Option<PortRef>,
    /// The last of a range of ports that begins with `port`.
    pub end_port: Option<u16>,
}

impl PolicyPort {
    fn check(&self, at: &At<'_>) {
        if let Some(port) = &self.port {
            port.check(&at.field("port"));
        }
        let end = at.field("endPort");
        match (self.end_port, &self.port) {
            (None, _) => {}
            (Some(last), Some(PortRef::Number(first))) => {
                end.require(last >= *first, format!("must not be less than `port`, {first}"));
            }
            (Some(_), _) => end.problem("may be given only beside the number of a `port`"),
        }
    }
}

/// Some pods, or some addresses.
#[wire]
pub struct PolicyPeer {
    /// Pods; an empty selector means all. Without a namespace selector, those of the policy's namespace.
    pub pod_selector: Option<LabelSelector>,
    /// Namespaces; an empty selector means all. Without a pod selector, all of their pods.
    pub namespace_selector: Option<LabelSelector>,
    /// Addresses, instead.
    pub ip_block: Option<IpBlock>,
}

impl PolicyPeer {
    fn check(&self, at: &At<'_>) {
        let selected = self.pod_selector.is_some() || self.namespace_selector.is_some();
        at.require(
            selected || self.ip_block.is_some(),
            "must say who: podSelector, namespaceSelector or ipBlock",
        );
        for (name, selector) in
            [("podSelector", &self.pod_selector), ("namespaceSelector", &self.namespace_selector)]
        {
            if let Some(selector) = selector {
                selector.check(&at.field(name));
            }
        }
        if let Some(block) = &self.ip_block {
            let at = at.field("ipBlock");
            at.require(!selected, "may not be given beside a selector");
            block.check(&at);
        }
    }
}

/// A range of addresses.
#[wire]
pub struct IpBlock {
    /// The range.
    #[wire(required)]
    pub cidr: Str,
    /// Ranges within it that are not meant.
    #[wire(atomic)]
    pub except: Vec<Str>,
}

impl IpBlock {
    fn check(&self, at: &At<'_>) {
        at.field("cidr").name(&self.cidr, names::cidr);
        at.each("except", &self.except, |at, except| {
            at.check(names::cidr(except));
            if let (Some(whole), Some(part)) = (names::parse_cidr(&self.cidr), names::parse_cidr(except)) {
                at.require(is_part(part, whole), format!("`{except}` must be a part of `{}`", self.cidr));
            }
        });
    }
}

/// Whether a range is within another one and smaller.
fn is_part((part, part_bits): (IpAddr, u8), (whole, whole_bits): (IpAddr, u8)) -> bool {
    fn number(address: IpAddr) -> (u128, u8) {
        match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        }
    }
    let ((part, part_width), (whole, width)) = (number(part), number(whole));
    let differ = (part ^ whole).checked_shr(u32::from(width.saturating_sub(whole_bits))).unwrap_or(0);
    part_width == width && part_bits > whole_bits && differ == 0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::test::{check_table, object, problems};

    #[test]
    fn a_route_is_a_rule() {
        let apply =
            Ingress::new("web").route("web.example.com", "/", "web", 80).route("", "/api", "api", "http");
        let path = |path, service, port| json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": port}}});
        let rules = json!([
            {"host": "web.example.com", "http": {"paths": [path("/", "web", json!({"number": 80}))]}},
            {"http": {"paths": [path("/api", "api", json!({"name": "http"}))]}},
        ]);
        assert_eq!(apply.fields().unwrap()["spec"], json!({ "rules": rules }));
        assert_eq!(problems(&apply.build().unwrap()), "");
    }

    #[test]
    fn what_is_wrong_with_an_ingress_is_said() {
        let to = |service: Value| json!({"defaultBackend": {"service": service}});
        let path = |path: &str, kind: &str| {
            let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
            json!({"rules": [{"http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}]})
        };
        let host = |host: &str| json!({"rules": [{"host": host}]});
        check_table::<IngressSpec>(&[
            (json!({}), "spec: must have `rules` or a `defaultBackend`"),
            (to(json!({"name": "web", "port": {"name": "http"}})), ""),
            (to(json!({"name": "web"})), "spec.defaultBackend.service.port: must have a name or a number"),
            (to(json!({"port": {"number": 80}})), "spec.defaultBackend.service.name: required"),
            (
                to(json!({"name": "web", "port": {"number": 0}})),
                "spec.defaultBackend.service.port.number: must be",
            ),
            (
                json!({"defaultBackend": {"resource": {"name": "a"}}}),
                "spec.defaultBackend.resource.kind: required",
            ),
            (path("/", "Prefix"), ""),
            (path("", "ImplementationSpecific"), ""),
            (path("", "Exact"), "spec.rules[0].http.paths[0].path: required"),
            (path("a", "Exact"), "paths[0].path: `a` must be an absolute path"),
            (path("/a/../b", "Prefix"), "paths[0].path: may not contain `/../`"),
            (path("/a/..", "Prefix"), "paths[0].path: may not end with `/..`"),
            (path("/a", ""), "paths[0].pathType: required"),
            (json!({"rules": [{"http": {"paths": []}}]}), "spec.rules[0].http.paths: required"),
            (
                json!({"rules": [{"http": {"paths": [{"pathType": "Exact"}]}}]}),
                "paths[0].backend: must be a service",
            ),
            (host("*.example.com"), ""),
            (host("10.0.0.1"), "spec.rules[0].host: `10.0.0.1` must be a name, not an address"),
            (host("a.*.com"), "spec.rules[0].host: `a.*.com` must be"),
            (json!({"rules": [{}], "tls": [{"hosts": ["A"]}]}), "spec.tls[0].hosts[0]: `A` must be"),
        ]);
    }

    #[test]
    fn a_policy_is_about_what_it_has_rules_for() {
        let types = |json| object::<NetworkPolicySpec>(json).spec.policy_types;
        assert_eq!(types(json!({})), [PolicyType::Ingress]);
        assert_eq!(types(json!({"egress": [{}]})), [PolicyType::Ingress, PolicyType::Egress]);
        assert_eq!(types(json!({"egress": [{}], "policyTypes": ["Egress"]})), [PolicyType::Egress]);
        let policy = object::<NetworkPolicySpec>(json!({})).spec;
        assert!(policy.is_about(PolicyType::Ingress) && !policy.is_about(PolicyType::Egress));
    }

    /// Everybody and nobody in particular are written differently, and stay so.
    #[test]
    fn an_empty_selector_is_not_an_absent_one() {
        let given = json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}, {}], "policyTypes": ["Ingress"]});
        let policy = object::<NetworkPolicySpec>(given.clone());
        assert_eq!(serde_json::to_value(&policy.spec).unwrap(), given);
        assert!(policy.spec.ingress[0].from[0].pod_selector.as_ref().is_some_and(LabelSelector::is_empty));
        assert_eq!(policy.spec.ingress[0].from[0].namespace_selector, None);
        assert_eq!(problems(&policy), "");
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_said() {
        let from = |peer: Value| json!({"ingress": [{"from": [peer]}]});
        let port = |port: Value| json!({"egress": [{"ports": [port]}]});
        let block = |cidr: &str, except: &str| from(json!({"ipBlock": {"cidr": cidr, "except": [except]}}));
        check_table::<NetworkPolicySpec>(&[
            (from(json!({})), "spec.ingress[0].from[0]: must say who"),
            (
                from(json!({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}})),
                "spec.ingress[0].from[0].ipBlock: may not be given beside a selector",
            ),
            (from(json!({"ipBlock": {}})), "ipBlock.cidr: required"),
            (block("10.0.0.0/8", "10.1.0.0/16"), ""),
            (block("0.0.0.0/0", "10.0.0.0/8"), ""),
            (block("::/0", "2001:db8::/32"), ""),
            (block("10.0.0.0/8", "11.0.0.0/16"), "ipBlock.except[0]: `11.0.0.0/16` must be a part of"),
            (block("10.0.0.0/8", "10.0.0.0/8"), "ipBlock.except[0]: `10.0.0.0/8` must be a part of"),
            (block("10.0.0.0/8", "a00::/16"), "ipBlock.except[0]: `a00::/16` must be a part of"),
            (block("10.0.0.0/8", "x"), "ipBlock.except[0]: `x` must be a range"),
            (port(json!({"port": 80, "endPort": 90})), ""),
            (port(json!({"port": 80, "endPort": 79})), "spec.egress[0].ports[0].endPort: must not be less"),
            (port(json!({"port": "http", "endPort": 90})), "ports[0].endPort: may be given only beside"),
            (port(json!({"endPort": 90})), "ports[0].endPort: may be given only beside"),
            (port(json!({"port": "HTTP"})), "ports[0].port: `HTTP` must be"),
            (json!({"policyTypes": ["Egress", "Egress"]}), "spec.policyTypes[1]: `Egress` is there already"),
        ]);
    }
}
