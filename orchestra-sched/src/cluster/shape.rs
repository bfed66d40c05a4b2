//! [`Shape`]: what a pod asks of its place. Pods of the same shape have the same choice.

use std::hash::{Hash, Hasher};

use orchestra_core::kinds::{
    Container, Deadline, Ephemeral, Pod, PodExtension, PodSpec, PodTerm, PreferredNodes, Protocol,
    Toleration, Volume, VolumeSource, WhenUnsatisfiable,
};
use orchestra_core::object::{Few, LabelSelector, Map, Operator, Quantity, Requirement, Str};

use super::amounts::{Ask, Dim};
use super::labels::Key;
use super::masks::MaskId;
use super::tallies::{PodSelector, TallyId};
use super::volumes::{ClaimName, claims};

/// What a pod asks of its place, worked out once for all pods that ask the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) namespace: Str,
    pub(crate) labels: Map<Str>,
    pub(crate) priority: i32,
    /// Whether nobody is driven out for it.
    pub(crate) never_preempts: bool,
    pub(crate) profile: Str,
    pub(crate) ask: Ask,
    /// The one node that it wants, or nothing.
    pub(crate) node_name: Str,
    pub(crate) chosen: Option<MaskId>,
    /// The nodes that its required affinity names, if every term of it does.
    pub(crate) named: Option<Vec<Str>>,
    pub(crate) tolerated: Option<MaskId>,
    pub(crate) tolerations: Few<Toleration>,
    /// Whether it may be put on a node that is closed.
    pub(crate) tolerates_closed: bool,
    pub(crate) preferred: Vec<PreferredNodes>,
    pub(crate) ports: Vec<Port>,
    pub(crate) images: Vec<Str>,
    pub(crate) near: Near,
    pub(crate) hard: Vec<Spread>,
    pub(crate) soft: Vec<Spread>,
    pub(crate) gates: Vec<Str>,
    /// The data sets that it reads: by which label a node says that it has one, and how much of it there is.
    pub(crate) data: Vec<(Str, i64)>,
    /// What its place may cost: by which label a node says it, the measure, the limit.
    pub(crate) cost_limits: Vec<(Str, Str, Quantity)>,
    /// Its claims of storage, in order.
    pub(crate) claims: Vec<ClaimName>,
    /// How long after its creation it must have ended, and how long it runs.
    pub(crate) deadline: Option<Deadline>,
    pub(crate) queue: Str,
}

/// A port of the node that a pod wants for itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) protocol: Protocol,
    /// The address, `0.0.0.0` when none is said.
    pub(crate) address: Str,
}

const ANY_ADDRESS: &str = "0.0.0.0";

impl Port {
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.number == other.number
            && self.protocol == other.protocol
            && (self.address == other.address || self.address == ANY_ADDRESS || other.address == ANY_ADDRESS)
    }
}

/// Which pods it is to be near of, or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Near {
    /// Where it must be: with pods that all its terms mean, by each term's key.
    pub(crate) with: Vec<TallyId>,
    /// Where it must not be.
    pub(crate) without: Vec<TallyId>,
    /// Where it would rather be, or not, and how much.
    pub(crate) rather: Vec<(TallyId, i64)>,
    /// What it says of others: the tallies that count it for that, and with what weight.
    pub(crate) says: Vec<(TallyId, i64)>,
}

/// How it is to be spread.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) tally: TallyId,
    /// The label that a node must have,
    pub(crate) key: Key,
    /// and by which its pods are counted: mostly the same.
    pub(crate) by: Key,
    pub(crate) skew: i64,
    pub(crate) least_domains: usize,
    /// Whether it is itself one of the pods that are counted.
    pub(crate) is_meant: bool,
}

impl Shape {
    pub(crate) fn get(&self, dim: Dim) -> i64 {
        if dim == Dim::PODS { 1 } else { self.ask.get(dim) }
    }
}

/// The ports of the node that a pod wants for itself, in order.
pub(crate) fn ports(spec: &PodSpec) -> Vec<Port> {
    let sidecars = spec.init_containers.iter().filter(|container| container.is_sidecar());
    let all = sidecars.chain(&spec.containers).flat_map(|container| &container.ports);
    let mut ports: Vec<_> = all
        .filter(|port| port.host_port > 0)
        .map(|port| Port {
            number: port.host_port,
            protocol: port.protocol,
            address: if port.host_ip.is_empty() { Str::from(ANY_ADDRESS) } else { port.host_ip.clone() },
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Which pods a term means, said by a pod of a namespace with some labels.
pub(crate) fn selector(term: &PodTerm, namespace: &Str, labels: &Map<Str>) -> PodSelector {
    let mut namespaces = term.namespaces.clone();
    if namespaces.is_empty() && term.namespace_selector.is_none() {
        namespaces.push(namespace.clone());
    }
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut meant = term.label_selector.clone();
    if let Some(selector) = &mut meant {
        also(selector, &term.match_label_keys, Operator::In, labels);
        also(selector, &term.mismatch_label_keys, Operator::NotIn, labels);
    }
    PodSelector { labels: meant, namespaces, others: term.namespace_selector.clone() }
}

/// Adds what is required of the labels that a pod itself has.
pub(crate) fn also(selector: &mut LabelSelector, keys: &[Str], operator: Operator, labels: &Map<Str>) {
    for key in keys {
        if let Some(value) = labels.get(key) {
            let values = vec![value.clone()];
            selector.match_expressions.push(Requirement { key: key.clone(), operator, values });
        }
    }
}

/// What a shape is made from: those parts of a pod, and nothing else, decide where it may be.
pub(crate) struct Asking<'a> {
    pub(crate) pod: &'a Pod,
    /// The node that it asks for. That of a pod that is placed is where it is, and no wish.
    pub(crate) node_name: &'a str,
}

impl Asking<'_> {
    fn containers(&self) -> impl Iterator<Item = &Container> {
        self.pod.spec.init_containers.iter().chain(&self.pod.spec.containers)
    }

    pub(super) fn claims(&self) -> Vec<ClaimName> {
        claims(&self.pod.metadata.name, &self.pod.spec)
    }
}

impl Hash for Asking<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Pod { metadata, spec, .. } = self.pod;
        metadata.namespace.as_str().hash(state);
        for (key, value) in &metadata.labels {
            key.as_str().hash(state);
            value.as_str().hash(state);
        }
        for container in self.containers() {
            state.write_usize(container.ports.len());
            container.image.as_str().hash(state);
            for (name, quantity) in &container.resources.requests {
                name.as_str().hash(state);
                state.write_u64(quantity.value() as u64 ^ (quantity.milli_value().unwrap_or(0) as u64) << 20);
            }
        }
        self.node_name.hash(state);
        for (key, value) in &spec.node_selector {
            key.as_str().hash(state);
            value.as_str().hash(state);
        }
        self.claims().iter().for_each(|claim| claim.name.as_str().hash(state));
        state.write_u32(spec.priority.unwrap_or(0) as u32);
        // The rest differs rarely where these do not; what is equal is found out by comparing.
        state.write_usize(spec.tolerations.len());
        spec.topology_spread_constraints.iter().for_each(|it| it.topology_key.as_str().hash(state));
    }
}

impl PartialEq for Asking<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.pod, other.pod);
        let same_containers = || {
            self.containers().count() == other.containers().count()
                && one.spec.containers.len() == two.spec.containers.len()
                && self.containers().zip(other.containers()).all(|(one, two)| {
                    one.resources.requests == two.resources.requests
                        && one.image == two.image
                        && one.is_sidecar() == two.is_sidecar()
                        && one.ports == two.ports
                })
        };
        let (a, b) = (&one.spec, &two.spec);
        one.metadata.namespace == two.metadata.namespace
            && one.metadata.labels == two.metadata.labels
            && self.node_name == other.node_name
            && a.node_selector == b.node_selector
            && a.affinity == b.affinity
            && a.scheduler_name == b.scheduler_name
            && a.tolerations == b.tolerations
            && a.priority == b.priority
            && a.preemption_policy == b.preemption_policy
            && a.overhead == b.overhead
            && a.topology_spread_constraints == b.topology_spread_constraints
            && a.scheduling_gates == b.scheduling_gates
            && a.resources == b.resources
            && says_same(a.orchestra.as_deref(), b.orchestra.as_deref())
            && self.claims() == other.claims()
            && same_containers()
    }
}

/// A claim as a class has it.
fn volume(ClaimName { name, is_ephemeral }: ClaimName) -> Volume {
    let source = match is_ephemeral {
        true => VolumeSource::Ephemeral(Ephemeral::default()),
        false => VolumeSource::claim(name.clone()),
    };
    Volume { name, source }
}

/// What a pod asks for under `orchestra`. Which devices it has is an answer, and no wish.
fn wish(extension: &PodExtension) -> PodExtension {
    PodExtension { devices: Map::new(), ..extension.clone() }
}

fn says_same(one: Option<&PodExtension>, other: Option<&PodExtension>) -> bool {
    let wish = |it: Option<&PodExtension>| it.map(wish).unwrap_or_default();
    one == other || wish(one) == wish(other)
}

/// The parts of a pod that its shape is made from, and nothing else.
pub(crate) fn essence(asking: &Asking<'_>) -> Pod {
    let pod = asking.pod;
    let mut essence = Pod::default();
    essence.metadata.namespace = pod.metadata.namespace.clone();
    essence.metadata.labels = pod.metadata.labels.clone();
    let bare = |container: &Container| Container {
        image: container.image.clone(),
        ports: container.ports.clone(),
        resources: container.resources.clone(),
        restart_policy: container.restart_policy,
        ..Container::default()
    };
    let spec = &pod.spec;
    essence.spec = PodSpec {
        init_containers: spec.init_containers.iter().map(bare).collect(),
        containers: spec.containers.iter().map(bare).collect(),
        node_name: asking.node_name.into(),
        node_selector: spec.node_selector.clone(),
        affinity: spec.affinity.clone(),
        scheduler_name: spec.scheduler_name.clone(),
        tolerations: spec.tolerations.clone(),
        priority: spec.priority,
        preemption_policy: spec.preemption_policy,
        overhead: spec.overhead.clone(),
        topology_spread_constraints: spec.topology_spread_constraints.clone(),
        scheduling_gates: spec.scheduling_gates.clone(),
        resources: spec.resources.clone(),
        volumes: asking.claims().into_iter().map(volume).collect(),
        orchestra: spec
            .orchestra
            .as_deref()
            .map(wish)
            .filter(|it| *it != PodExtension::default())
            .map(Box::new),
        ..PodSpec::default()
    };
    essence
}

/// Whether a constraint holds a pod back, or only counts against a place.
pub(crate) fn is_hard(when: WhenUnsatisfiable) -> bool {
    when == WhenUnsatisfiable::DoNotSchedule
}
