//! What pods ask for: in thousandths for CPU, in whole units for all else.

use orchestra_core::kinds::{Container, Node, Pod, PodSpec};
use orchestra_core::object::{Map, Quantity, Str};

use super::Situation;
use super::devices::device_of;

/// What a container that asks for none is taken to ask for where nodes are scored, so that many such pods
/// are not put on one node.
const DEFAULTS: [(&str, Quantity); 2] =
    [("cpu", Quantity::milli(100)), ("memory", Quantity::bytes(200 * (1 << 20)))];

/// What is counted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Counted {
    /// What was asked for.
    Asked,
    /// The same, with the defaults where nothing was.
    AtLeastDefaults,
}

/// How much of a resource a pod takes: what it asks for. Whole devices count among shares, too.
pub(super) fn requested(pod: &Pod, resource: &str, counted: Counted) -> i128 {
    let requests = requests(&pod.spec, counted);
    let whole = device_of(resource).map_or(0, |device| 1000 * amount(&requests, device));
    amount(&requests, resource) + whole
}

/// How much of a resource a pod asks for by its name.
pub(super) fn asked(pod: &Pod, resource: &str) -> i128 {
    amount(&requests(&pod.spec, Counted::Asked), resource)
}

/// How much of a resource the pods on a node ask for.
pub(super) fn taken(situation: &Situation<'_>, node: &Node, resource: &str, counted: Counted) -> i128 {
    situation.pods_on(node).map(|(pod, times)| requested(pod, resource, counted) * i128::from(times)).sum()
}

/// How much of a resource a node has for pods.
pub(super) fn allocatable(node: &Node, resource: &str) -> i128 {
    match device_of(resource) {
        Some(device) => 1000 * amount(&node.status.allocatable, device),
        None => amount(&node.status.allocatable, resource),
    }
}

/// The names of the resources of which a pod asks for some.
pub(super) fn names(pod: &Pod) -> Vec<Str> {
    requests(&pod.spec, Counted::Asked).keys().cloned().collect()
}

/// Whether it is a device or the like, which matters only to pods that ask for some of it.
pub(super) fn is_device(resource: &str) -> bool {
    resource.contains('/') || resource.starts_with("hugepages-")
}

fn amount(amounts: &Map<Quantity>, resource: &str) -> i128 {
    let quantity = amounts.get(resource).copied().unwrap_or_default();
    // Nobody has more CPU than can be counted in thousandths.
    if resource == "cpu" {
        quantity.milli_value().unwrap_or(i64::MAX).into()
    } else {
        quantity.value().into()
    }
}

/// What a pod asks for: its containers together, with its sidecars; or while it starts, the most that an
/// init container and the sidecars before it take together. What is said of the pod as a whole stands in
/// for that. Its overhead comes on top.
fn requests(spec: &PodSpec, counted: Counted) -> Map<Quantity> {
    let asked_by = |container: &Container| {
        let mut requests = container.resources.requests.clone();
        for (resource, default) in DEFAULTS {
            // Once a pod as a whole asks for something, the default is for what nobody asks for at all.
            let whole = !spec.resources.requests.is_empty() && anybody_asks(spec, resource);
            if counted == Counted::AtLeastDefaults && !whole && !requests.contains_key(resource) {
                requests.insert(resource, default);
            }
        }
        requests
    };
    let mut sidecars = Map::new();
    let mut starting = Map::new();
    for container in &spec.init_containers {
        let now = sum(&sidecars, &asked_by(container));
        starting = greatest(&starting, &now);
        if container.is_sidecar() {
            sidecars = now;
        }
    }
    let mut running = sidecars;
    for container in &spec.containers {
        running = sum(&running, &asked_by(container));
    }
    let mut total = greatest(&running, &starting);
    for (resource, amount) in &spec.resources.requests {
        total.insert(resource.clone(), *amount);
    }
    sum(&total, &spec.overhead)
}

fn anybody_asks(spec: &PodSpec, resource: &str) -> bool {
    let mut containers = spec.init_containers.iter().chain(&spec.containers);
    containers.any(|container| container.resources.requests.contains_key(resource))
        || spec.resources.requests.contains_key(resource)
        || spec.overhead.contains_key(resource)
}

fn sum(a: &Map<Quantity>, b: &Map<Quantity>) -> Map<Quantity> {
    merge(a, b, |a, b| a.checked_add(b).unwrap_or(Quantity::MAX))
}

fn greatest(a: &Map<Quantity>, b: &Map<Quantity>) -> Map<Quantity> {
    merge(a, b, Quantity::max)
}

fn merge(a: &Map<Quantity>, b: &Map<Quantity>, both: fn(Quantity, Quantity) -> Quantity) -> Map<Quantity> {
    let mut merged = a.clone();
    for (resource, amount) in b {
        let amount = a.get(resource).map_or(*amount, |other| both(*other, *amount));
        merged.insert(resource.clone(), amount);
    }
    merged
}
