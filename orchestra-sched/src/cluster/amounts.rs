//! What nodes have and pods ask for: amounts of resources, by dimension.

use std::collections::BTreeMap;

use orchestra_core::kinds::PodSpec;
use orchestra_core::object::{Map, Quantity, Str};

use super::devices::{DeviceAsk, WHOLE};

/// A resource, as a number: which column its amounts are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dim(pub(crate) u16);

impl Dim {
    /// Processor time, in thousandths of a core.
    pub const CPU: Self = Self(0);
    /// Memory, in bytes.
    pub const MEMORY: Self = Self(1);
    /// Room on the node's own disk, in bytes.
    pub const STORAGE: Self = Self(2);
    /// Pods, each of which takes one.
    pub const PODS: Self = Self(3);

    /// Its place among the columns.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }

    /// Whether it is one that every node is taken to have, and that pods need not name.
    #[must_use]
    pub const fn is_native(self) -> bool {
        self.0 < 4
    }
}

/// What is added to a device's name for shares of it.
const SHARE: &str = "-milli";

/// Whether a resource is a device, of which there are a few on a node, each for itself.
fn is_device(name: &str) -> bool {
    name.contains('/') && !name.ends_with(SHARE) && !name.starts_with("hugepages-")
}

/// The dimensions that are known, by name. There are as many as names of resources were seen.
#[derive(Clone, Debug)]
pub(crate) struct Dims {
    names: Vec<Str>,
    by_name: BTreeMap<Str, Dim>,
    /// The sorts of devices, and what counts shares of them.
    shared: Vec<(Dim, Dim)>,
}

/// How many dimensions there may be. What is named beyond that is taken to be on no node.
///
/// A cluster of machines with every sort of device has some dozens.
pub const MOST_DIMS: usize = 1024;

impl Default for Dims {
    fn default() -> Self {
        let mut dims = Self { names: Vec::new(), by_name: BTreeMap::new(), shared: Vec::new() };
        for name in ["cpu", "memory", "ephemeral-storage", "pods"] {
            dims.enter(&Str::from(name));
        }
        dims
    }
}

impl Dims {
    /// The dimension of a resource, a new one if need be. That of a device comes with the one that counts its shares.
    pub(crate) fn of(&mut self, name: &Str) -> Dim {
        if let Some(dim) = self.by_name.get(name) {
            return *dim;
        }
        let device = name.strip_suffix(SHARE).unwrap_or(name);
        if !is_device(device) {
            return self.enter(name);
        }
        let device = Str::from(device);
        let (whole, share) = (self.enter(&device), self.enter(&Str::from(format!("{device}{SHARE}"))));
        if share.at() < MOST_DIMS {
            self.shared.push((whole, share));
        }
        if *name == device { whole } else { share }
    }

    fn enter(&mut self, name: &Str) -> Dim {
        let dim = Dim(self.names.len().min(MOST_DIMS) as u16);
        if self.names.len() <= MOST_DIMS {
            self.names.push(if dim.at() == MOST_DIMS {
                Str::from("(too many resources)")
            } else {
                name.clone()
            });
        }
        if dim.at() < MOST_DIMS {
            self.by_name.insert(name.clone(), dim);
        }
        dim
    }

    pub(crate) fn get(&self, name: &str) -> Option<Dim> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name(&self, dim: Dim) -> &Str {
        &self.names[dim.at()]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The sorts of devices, and what counts shares of each.
    pub(crate) fn shared(&self) -> impl Iterator<Item = (Dim, Dim)> + use<> {
        // Few sorts are known, and whoever asks changes something by the answer.
        self.shared.clone().into_iter()
    }
}

/// The most that an amount may be. What is more is cut to it: 8 PiB, in bytes. Whole numbers up to here
/// are exact as floating-point numbers, which is what the columns hold.
pub const MOST: i64 = (1 << 53) - 1;

/// A quantity in the unit of its dimension.
pub(crate) fn amount(dim: Dim, quantity: Quantity) -> i64 {
    let value = match dim {
        Dim::CPU => quantity.milli_value().unwrap_or(if quantity.is_negative() { -MOST } else { MOST }),
        _ => quantity.value(),
    };
    value.clamp(-MOST, MOST)
}

/// What a pod asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// By dimension, in order, what is more than nothing. Pods are not among them: each takes one.
    pub(crate) amounts: Vec<(Dim, i64)>,
    /// What whole devices come to where shares of them are counted.
    pub(crate) also: Vec<(Dim, i64)>,
    /// The devices among them.
    pub(crate) devices: Vec<DeviceAsk>,
    /// Processor time and memory as spreading counts them: a container that asks for none is taken to
    /// need a little.
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    /// Whether the sum is more than can be counted, so that it fits nowhere.
    pub(crate) is_too_much: bool,
}

/// What a container is taken to need when it asks for nothing, as Kubernetes has it.
const CPU_UNSAID: Quantity = Quantity::milli(100);
const MEMORY_UNSAID: Quantity = Quantity::bytes(200 * 1024 * 1024);

impl Ask {
    pub(crate) fn of(spec: &PodSpec, dims: &mut Dims) -> Self {
        let Some(total) = spec.total_requests() else {
            return Self { is_too_much: true, ..Self::default() };
        };
        let mut amounts: Vec<_> = total
            .iter()
            .map(|(name, quantity)| {
                let dim = dims.of(name);
                (dim, amount(dim, *quantity))
            })
            .filter(|(dim, amount)| *amount > 0 && *dim != Dim::PODS)
            .collect();
        amounts.sort_unstable();
        let get = |dim: Dim| amounts.iter().find(|(it, _)| *it == dim).map_or(0, |(_, amount)| *amount);
        let sorts = dims.shared().map(|(whole, share)| (whole, get(whole), get(share)));
        let also = dims.shared().filter(|(whole, _)| get(*whole) > 0);
        let also = also.map(|(whole, share)| (share, get(whole).saturating_mul(WHOLE.into()).min(MOST)));
        Self {
            devices: Self::devices(sorts),
            also: also.collect(),
            cpu: presumed(spec, "cpu", Dim::CPU, CPU_UNSAID),
            memory: presumed(spec, "memory", Dim::MEMORY, MEMORY_UNSAID),
            amounts,
            is_too_much: false,
        }
    }

    pub(crate) fn get(&self, dim: Dim) -> i64 {
        self.taken().filter(|(it, _)| *it == dim).map(|(_, amount)| amount).sum()
    }

    /// What is taken where it is.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (Dim, i64)> {
        self.amounts.iter().chain(&self.also).copied()
    }
}

/// What a pod asks for of a resource, where each container that does not name it needs something, too.
/// Where something is said of the pod as a whole, that holds only for what nobody names at all.
fn presumed(spec: &PodSpec, name: &str, dim: Dim, unsaid: Quantity) -> i64 {
    let mut containers = spec.init_containers.iter().chain(&spec.containers);
    let mut is_named = || {
        containers.any(|container| container.resources.requests.contains_key(name))
            || spec.resources.requests.contains_key(name)
            || spec.overhead.contains_key(name)
    };
    let unsaid = if !spec.resources.requests.is_empty() && is_named() { Quantity::ZERO } else { unsaid };
    let of = |requests: &Map<Quantity>| requests.get(name).copied().unwrap_or(unsaid);
    let add = |one: Quantity, other| one.checked_add(other).unwrap_or(Quantity::MAX);
    let (mut sidecars, mut starting) = (Quantity::ZERO, Quantity::ZERO);
    for container in &spec.init_containers {
        let now = add(sidecars, of(&container.resources.requests));
        starting = starting.max(now);
        if container.is_sidecar() {
            sidecars = now;
        }
    }
    let main = spec.containers.iter().map(|container| of(&container.resources.requests));
    let total = main.fold(sidecars, add).max(starting);
    let total = spec.resources.requests.get(name).copied().unwrap_or(total);
    amount(dim, add(total, spec.overhead.get(name).copied().unwrap_or_default())).max(0)
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Pod};

    use super::*;

    #[test]
    fn what_is_not_said_is_presumed_for_spreading_only() {
        let mut dims = Dims::default();
        let pod = Pod::new("a")
            .container(Container::new("a").request("cpu", "250m"))
            .container(Container::new("b").request("memory", "1Gi").request("example.com/gpu", "2"))
            .build()
            .unwrap();
        let ask = Ask::of(&pod.spec, &mut dims);
        let gpu = dims.get("example.com/gpu").unwrap();
        assert_eq!(ask.amounts, [(Dim::CPU, 250), (Dim::MEMORY, 1 << 30), (gpu, 2)]);
        assert_eq!((ask.cpu, ask.memory), (350, (1 << 30) + MEMORY_UNSAID.value()));
    }

    #[test]
    fn a_device_is_known_with_its_shares_whichever_is_named_first() {
        let mut dims = Dims::default();
        let share = dims.of(&"a.dev/x-milli".into());
        let whole = dims.of(&"b.dev/y".into());
        assert_eq!((dims.name(share).as_str(), dims.name(whole).as_str()), ("a.dev/x-milli", "b.dev/y"));
        for plain in ["hugepages-2Mi", "some-milli", "a.dev/x-milli-milli"] {
            dims.of(&plain.into());
        }
        let name = |(whole, share)| (dims.name(whole).to_string(), dims.name(share).to_string());
        let pairs: Vec<_> = dims.shared().map(name).collect();
        let pair = |name: &str| (name.to_owned(), format!("{name}-milli"));
        assert_eq!(pairs, [pair("a.dev/x"), pair("b.dev/y")]);
        assert_eq!(dims.of(&"a.dev/x".into()).at() + 1, share.at());
    }

    #[test]
    fn resources_without_end_share_the_last_column() {
        let mut dims = Dims::default();
        for number in 0..2 * MOST_DIMS {
            dims.of(&Str::from(format!("example.com/{number}")));
        }
        assert_eq!(dims.len(), MOST_DIMS + 1);
        assert_eq!(dims.of(&Str::from("example.com/other")).at(), MOST_DIMS);
    }
}
