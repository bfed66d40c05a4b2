//! [`Devices`]: which devices a pod has; [`Shelves`]: what is left of each device on each node.

use orchestra_core::kinds::Pod;
use orchestra_core::object::{Map, Str};

use super::amounts::{Ask, Dim};
use super::pods::PodId;
use super::{Cluster, Kept};
use crate::set::NodeId;
use crate::view::PodView;

/// What is whole of a device, in the unit in which shares are counted.
pub const WHOLE: u16 = 1000;

/// How many devices of a sort a node may have so that each is known. Of more there are on no machine; what a node has
/// more of is only counted, and nobody can have a share of it.
pub const MOST_DEVICES: usize = 64;

/// What a pod asks for of one sort of devices.
///
/// Whole ones, by the resource's name, are devices of which nobody else has a share. A share, by the same name with
/// `-milli` after it, is one of a single device. Containers that ask for shares have them on one device together, as
/// they have one node together: what counts is what the pod asks for in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAsk {
    /// The sort of devices.
    pub dim: Dim,
    /// How many of them it wants whole.
    pub whole: usize,
    /// How much of one more, in thousandths; nothing, mostly. What is more than [`WHOLE`] is nowhere.
    pub share: u16,
}

/// Which devices a pod has, of each sort that it asks for: first those that it has whole, in order, then the one of
/// which it has a share. They are counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices(Vec<(Dim, Vec<u16>)>);

impl Devices {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// And these of a sort.
    #[must_use]
    pub fn with(mut self, dim: Dim, devices: impl IntoIterator<Item = u16>) -> Self {
        self.0.retain(|(it, _)| *it != dim);
        self.0.push((dim, devices.into_iter().collect()));
        self.0.sort_unstable_by_key(|(dim, _)| *dim);
        self
    }

    /// Those of a sort.
    #[must_use]
    pub fn of(&self, dim: Dim) -> &[u16] {
        self.0.iter().find(|(it, _)| *it == dim).map_or(&[], |(_, devices)| devices)
    }

    /// All of them, by sort.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Dim, &[u16])> {
        self.0.iter().map(|(dim, devices)| (*dim, devices.as_slice()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they are as many as are asked for, each another one.
    fn answer(&self, asks: &[DeviceAsk]) -> bool {
        asks.len() == self.0.len()
            && asks.iter().zip(&self.0).all(|(ask, (dim, devices))| {
                let is_new = |(at, it): (usize, &u16)| !devices[..at].contains(it);
                ask.dim == *dim
                    && devices.len() == ask.whole + usize::from(ask.share > 0)
                    && devices.iter().all(|it| usize::from(*it) < MOST_DEVICES)
                    && devices.iter().enumerate().all(is_new)
            })
    }
}

impl DeviceAsk {
    /// What each of the pod's devices gives it.
    fn parts(self) -> impl Iterator<Item = u16> {
        std::iter::repeat_n(WHOLE, self.whole).chain((self.share > 0).then_some(self.share))
    }

    /// The devices that are taken when nobody says which: of those on which the share fits the fullest, the first of
    /// equals; and the first ones that nobody uses.
    pub(crate) fn choose(self, free: &[u16]) -> Option<Vec<u16>> {
        let fitting = |(_, free): &(usize, &u16)| **free >= self.share;
        let fullest = free.iter().enumerate().filter(fitting).min_by_key(|(_, free)| **free);
        let shared = match self.share {
            0 => None,
            _ => Some(fullest?.0),
        };
        let unused = free.iter().enumerate().filter(|(at, free)| **free == WHOLE && Some(*at) != shared);
        let mut devices: Vec<_> = unused.map(|(at, _)| at as u16).take(self.whole).collect();
        let is_enough = devices.len() == self.whole;
        devices.extend(shared.map(|at| at as u16));
        is_enough.then_some(devices)
    }

    /// The same where there is too little: those that have most left.
    fn overdraw(self, free: &[u16]) -> Vec<u16> {
        let mut order: Vec<_> = (0..free.len() as u16).collect();
        order.sort_by_key(|at| std::cmp::Reverse(free[usize::from(*at)]));
        order.truncate(self.whole + usize::from(self.share > 0));
        order
    }

    /// Takes what it would be given.
    pub(crate) fn take(self, free: &mut [u16]) {
        let devices = self.choose(free).unwrap_or_else(|| self.overdraw(free));
        for (device, part) in devices.into_iter().zip(self.parts()) {
            free[usize::from(device)] = free[usize::from(device)].saturating_sub(part);
        }
    }

    /// Whether there is room for it.
    #[inline]
    pub(crate) fn fits(self, free: &[u16]) -> bool {
        let unused = free.iter().filter(|free| **free == WHOLE).count();
        let in_part = || free.iter().any(|free| *free < WHOLE && *free >= self.share);
        match self.share {
            0 => unused >= self.whole,
            _ => self.share <= WHOLE && (unused > self.whole || unused == self.whole && in_part()),
        }
    }
}

/// What is left of each device on each node: for each sort a column with so many places for each node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelves {
    /// By dimension.
    sorts: Vec<Option<Sort>>,
    /// How many pods there are on a node of which nobody says which devices they have.
    silent: std::collections::BTreeMap<NodeId, usize>,
}

#[derive(Clone, Debug, Default)]
struct Sort {
    stride: usize,
    many: Vec<u8>,
    taken: Vec<u64>,
    free: Vec<u16>,
}

impl Shelves {
    /// What is left of each device of a sort on a node, in thousandths.
    #[inline]
    pub(crate) fn free(&self, node: NodeId, dim: Dim) -> &[u16] {
        let Some(Some(sort)) = self.sorts.get(dim.at()) else { return &[] };
        let Some(many) = sort.many.get(node.at()) else { return &[] };
        &sort.free[node.at() * sort.stride..][..usize::from(*many)]
    }

    /// Takes over how many devices of a sort there are on a node; tells whether that is news. All of them are free then.
    pub(super) fn offer(&mut self, node: NodeId, dim: Dim, many: usize) -> bool {
        if self.free(node, dim).len() == many {
            return false;
        }
        if self.sorts.len() <= dim.at() {
            self.sorts.resize(dim.at() + 1, None);
        }
        self.sorts[dim.at()].get_or_insert_default().offer(node, many);
        true
    }

    fn add(&mut self, node: NodeId, dim: Dim, device: u16, amount: u16, is_more: bool) {
        let Some(Some(sort)) = self.sorts.get_mut(dim.at()) else { return };
        // What a node does not have any more is not counted.
        if sort.many.get(node.at()).is_some_and(|many| device < u16::from(*many)) {
            let at = node.at() * sort.stride + usize::from(device);
            let (taken, amount) = (&mut sort.taken[at], u64::from(amount));
            *taken = if is_more { *taken + amount } else { taken.saturating_sub(amount) };
            sort.free[at] = WHOLE.saturating_sub(u16::try_from(*taken).unwrap_or(WHOLE));
        }
    }

    /// Takes what pods have of the devices that they name, or gives it back.
    fn move_all(&mut self, node: NodeId, asks: &[DeviceAsk], devices: &Devices, is_more: bool) {
        for (ask, (dim, devices)) in asks.iter().zip(devices.iter()) {
            for (device, amount) in devices.iter().zip(ask.parts()) {
                self.add(node, dim, *device, amount, is_more);
            }
        }
    }

    fn clear(&mut self, node: NodeId) {
        for sort in self.sorts.iter_mut().flatten() {
            if let Some(many) = sort.many.get(node.at()) {
                let range = node.at() * sort.stride..node.at() * sort.stride + usize::from(*many);
                sort.taken[range.clone()].fill(0);
                sort.free[range].fill(WHOLE);
            }
        }
    }

    /// What would be chosen for all that a pod asks for.
    fn choose(&self, node: NodeId, asks: &[DeviceAsk]) -> Option<Devices> {
        let chosen = |ask: &DeviceAsk| Some((ask.dim, ask.choose(self.free(node, ask.dim))?));
        asks.iter().map(chosen).collect::<Option<_>>().map(Devices)
    }

    fn overdraw(&self, node: NodeId, asks: &[DeviceAsk]) -> Devices {
        let chosen = |ask: &DeviceAsk| {
            let free = self.free(node, ask.dim);
            (ask.dim, ask.choose(free).unwrap_or_else(|| ask.overdraw(free)))
        };
        Devices(asks.iter().map(chosen).collect())
    }
}

impl Sort {
    fn offer(&mut self, node: NodeId, many: usize) {
        let places = self.many.len().max((node.at() + 1).next_multiple_of(crate::set::WORD));
        let stride = self.stride.max(many.next_power_of_two());
        if stride > self.stride || places > self.many.len() {
            let mut new = Self {
                stride,
                many: std::mem::take(&mut self.many),
                taken: vec![0; places * stride],
                free: vec![WHOLE; places * stride],
            };
            for (at, many) in new.many.iter().enumerate() {
                let (old, many) = (at * self.stride, usize::from(*many));
                new.taken[at * stride..][..many].copy_from_slice(&self.taken[old..][..many]);
                new.free[at * stride..][..many].copy_from_slice(&self.free[old..][..many]);
            }
            new.many.resize(places, 0);
            *self = new;
        }
        self.many[node.at()] = many as u8;
    }
}

/// The devices that a pod has, or is taken to have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    devices: Devices,
    /// Whether somebody said so. If not, they are found anew whenever something changes on the node.
    is_said: bool,
    /// The node from which it is lifted for a moment,
    lifted: Option<NodeId>,
    /// and what it has on another one where it is tried.
    tried: Option<Devices>,
}

/// What rules read, and what is decided.
impl Cluster {
    /// What is left of each device of a sort on a node, in thousandths: [`WHOLE`] of one that nobody uses. Nothing,
    /// where there are none, or more than [`MOST_DEVICES`].
    #[must_use]
    #[inline]
    pub fn devices(&self, node: NodeId, dim: Dim) -> &[u16] {
        self.shelves.free(node, dim)
    }

    /// What counts shares of a sort of devices.
    #[must_use]
    pub fn share_of(&self, dim: Dim) -> Option<Dim> {
        self.dims.shared().find(|(whole, _)| *whole == dim).map(|(_, share)| share)
    }

    /// What counts shares of devices, of each sort.
    pub(crate) fn shares(&self) -> impl Iterator<Item = Dim> {
        self.dims.shared().map(|(_, share)| share)
    }

    /// The devices that a pod has which is placed; nothing, where it asks for none or nobody said which.
    #[must_use]
    pub fn devices_of(&self, namespace: &str, name: &str) -> Option<Devices> {
        let held = self.pods.all[self.pods.find(namespace, name)?.at()].held.as_ref()?;
        held.is_said.then(|| held.devices.clone())
    }

    /// The devices that a pod would be given on a node if no rule says which: those that are fullest and still fit.
    #[must_use]
    pub fn choose_devices(&self, pod: &PodView, node: NodeId) -> Option<Devices> {
        self.shelves.choose(node, pod.devices())
    }

    /// Whether a pod can be given these devices on a node: as many as it asks for, with enough left.
    #[must_use]
    pub fn can_have(&self, pod: &PodView, node: NodeId, devices: &Devices) -> bool {
        let enough = |(ask, (dim, devices)): (&DeviceAsk, (Dim, &[u16]))| {
            let free = self.devices(node, dim);
            let of = |device: u16| free.get(usize::from(device)).copied().unwrap_or(0);
            devices.iter().zip(ask.parts()).all(|(device, amount)| of(*device) >= amount)
        };
        devices.answer(pod.devices()) && pod.devices().iter().zip(devices.iter()).all(enough)
    }

    /// Whether a node has what is asked for of a sort of devices, beside those who are nominated there.
    pub(crate) fn has_some(&self, ask: DeviceAsk, node: NodeId, kept: Option<&Kept>) -> bool {
        // What is only counted is a matter of counting.
        let is_counted = ask.share == 0 && self.nodes.allocatable(node, ask.dim) > MOST_DEVICES as f64;
        is_counted
            || match kept {
                None => ask.fits(self.devices(node, ask.dim)),
                Some(kept) => ask.fits(&kept.devices_left(ask.dim, self.devices(node, ask.dim))),
            }
    }

    /// The devices that a pod in a store names, if they are what it asks for.
    pub(super) fn named_devices(&self, pod: &Pod, asks: &[DeviceAsk]) -> Option<Devices> {
        let named = &pod.spec.orchestra.as_ref()?.devices;
        let of = |ask: &DeviceAsk| {
            let devices = named.get(self.dims.name(ask.dim))?.iter();
            Some((ask.dim, devices.map(|it| u16::try_from(*it).unwrap_or(u16::MAX)).collect()))
        };
        let devices = Devices(asks.iter().map(of).collect::<Option<_>>()?);
        devices.answer(asks).then_some(devices)
    }

    /// Devices as a pod names them.
    pub(crate) fn name_devices(&self, devices: &Devices) -> Map<Vec<u32>> {
        let list = |devices: &[u16]| devices.iter().copied().map(u32::from).collect();
        devices.iter().map(|(dim, devices)| (Str::clone(self.dims.name(dim)), list(devices))).collect()
    }
}

impl Held {
    /// Of a pod that asks for devices.
    pub(super) fn new(devices: Option<Devices>) -> Box<Self> {
        let is_said = devices.is_some();
        Box::new(Self { devices: devices.unwrap_or_default(), is_said, ..Self::default() })
    }

    /// What was said that it has.
    pub(super) fn said(&self) -> Option<&Devices> {
        self.is_said.then_some(&self.devices)
    }
}

/// What happens to nodes and pods.
impl Cluster {
    /// Takes over how many devices a node has; tells whether that is news.
    pub(super) fn offer_devices(&mut self, node: NodeId) -> bool {
        let mut is_news = false;
        for (dim, _) in self.dims.shared() {
            let many = self.nodes.allocatable(node, dim) as usize;
            is_news |= self.shelves.offer(node, dim, if many > MOST_DEVICES { 0 } else { many });
        }
        if is_news {
            self.recount_devices(node);
        }
        is_news
    }

    fn recount_devices(&mut self, node: NodeId) {
        self.shelves.clear(node);
        for pod in &self.pods.on[node.at()] {
            let placed = &self.pods.all[pod.at()];
            let Some(held) = placed.held.as_ref().filter(|held| held.is_said) else { continue };
            let Some(class) = self.classes.get(placed.class) else { continue };
            let devices = held.tried.as_ref().unwrap_or(&held.devices);
            self.shelves.move_all(node, &class.shape.ask.devices, devices, true);
        }
        self.settle(node, false);
    }

    /// Gives a pod its devices, or takes them: it has just been put on the node or taken off.
    pub(super) fn move_devices(&mut self, pod: PodId, node: NodeId, is_more: bool) {
        let placed = &mut self.pods.all[pod.at()];
        let Some(held) = &mut placed.held else { return };
        let Some(class) = self.classes.get(placed.class) else { return };
        let asks = &class.shape.ask.devices;
        if held.is_said {
            let is_elsewhere = is_more && held.lifted.is_some_and(|home| home != node);
            if is_elsewhere {
                held.tried = Some(self.shelves.overdraw(node, asks));
            }
            let devices = held.tried.as_ref().unwrap_or(&held.devices);
            self.shelves.move_all(node, asks, devices, is_more);
            match is_more {
                false => held.tried = None,
                true if !is_elsewhere => held.lifted = None,
                true => {}
            }
        } else {
            let silent = self.shelves.silent.entry(node).or_default();
            *silent = if is_more { *silent + 1 } else { silent.saturating_sub(1) };
            if !is_more {
                let devices = std::mem::take(&mut held.devices);
                self.shelves.move_all(node, asks, &devices, false);
            }
        }
        self.settle(node, true);
    }

    /// A pod is taken off its node for a moment.
    pub(super) fn lift_devices(&mut self, pod: PodId, node: NodeId) {
        if let Some(held) = &mut self.pods.all[pod.at()].held {
            held.lifted.get_or_insert(node);
        }
    }

    /// Finds devices for those on a node of which nobody says which they have: one after the other, by their names,
    /// beside those of which it is known. So it does not depend on who came first.
    fn settle(&mut self, node: NodeId, is_counted: bool) {
        match self.shelves.silent.get(&node) {
            None => return,
            Some(0) => {
                self.shelves.silent.remove(&node);
                return;
            }
            Some(_) => {}
        }
        let is_silent = |pod: &PodId| self.pods.all[pod.at()].held.as_ref().is_some_and(|held| !held.is_said);
        let mut pods: Vec<_> = self.pods.on[node.at()].iter().copied().filter(is_silent).collect();
        pods.sort_unstable_by_key(|pod| {
            let placed = &self.pods.all[pod.at()];
            (&placed.namespace, &placed.name)
        });
        for is_found in [false, true] {
            for pod in &pods {
                let placed = &mut self.pods.all[pod.at()];
                let (Some(held), Some(class)) = (&mut placed.held, self.classes.get(placed.class)) else {
                    continue;
                };
                let asks = &class.shape.ask.devices;
                if is_found {
                    held.devices = self.shelves.overdraw(node, asks);
                    self.shelves.move_all(node, asks, &held.devices, true);
                } else if is_counted {
                    self.shelves.move_all(node, asks, &held.devices, false);
                }
            }
        }
    }
}

impl Ask {
    /// The devices that are asked for, from the amounts of their sorts.
    pub(super) fn devices(sorts: impl Iterator<Item = (Dim, i64, i64)>) -> Vec<DeviceAsk> {
        let ask = |(dim, whole, share): (Dim, i64, i64)| DeviceAsk {
            dim,
            whole: usize::try_from(whole).unwrap_or(0),
            share: u16::try_from(share).unwrap_or(u16::MAX),
        };
        sorts.map(ask).filter(|ask| ask.whole > 0 || ask.share > 0).collect()
    }
}
