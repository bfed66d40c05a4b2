use std::borrow::Cow;

use orchestra_core::object::Str;

use super::devices;
use crate::cluster::{DeviceAsk, Dim, Nodes};
use crate::rule::{BLOCK, Missing, Reason, Rejection};
use crate::{Bounds, Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod is put on a node that has enough left of everything that it asks for, and room for one pod more. Of devices
/// it needs as many as it asks for that nobody uses; of a share, one device that has as much left.
#[derive(Clone, Debug, Default)]
pub struct NodeResourcesFit {
    ignored: Vec<Str>,
}

impl NodeResourcesFit {
    /// Without heed to some resources that others see to: by name, or all of a group (`example.com`). Only such count
    /// as have a group.
    #[must_use]
    pub fn ignoring(ignored: impl IntoIterator<Item = impl Into<Str>>) -> Self {
        Self { ignored: ignored.into_iter().map(Into::into).collect() }
    }

    fn heeds(&self, cluster: &Cluster, dim: Dim) -> bool {
        if self.ignored.is_empty() {
            return true;
        }
        let name = cluster.resource(dim);
        let group = name.split_once('/').map(|(group, _)| group);
        group.is_none_or(|group| !self.ignored.iter().any(|it| it == name || it == group))
    }

    fn asks<'a>(&'a self, pod: &'a PodView, cluster: &'a Cluster) -> impl Iterator<Item = (Dim, i64)> + 'a {
        let all = std::iter::once((Dim::PODS, 1)).chain(pod.requests());
        all.filter(|(dim, _)| self.heeds(cluster, *dim))
    }

    fn devices<'a>(&self, pod: &'a PodView, cluster: &Cluster) -> Cow<'a, [DeviceAsk]> {
        if self.ignored.is_empty() {
            return pod.devices().into();
        }
        let heeded = |ask: &DeviceAsk| {
            let is_heeded = |dim: Option<Dim>| dim.is_some_and(|dim| self.heeds(cluster, dim));
            DeviceAsk {
                dim: ask.dim,
                whole: if is_heeded(Some(ask.dim)) { ask.whole } else { 0 },
                share: if is_heeded(cluster.share_of(ask.dim)) { ask.share } else { 0 },
            }
        };
        pod.devices().iter().map(heeded).collect()
    }
}

impl Filter for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        if pod.shape().ask.is_too_much {
            return Verdict::never("the pod asks for more than can be counted");
        }
        let (asks, wanted) = (|| self.asks(pod, node.cluster()), self.devices(pod, node.cluster()));
        let lacks = |(dim, asked): &(Dim, i64)| *asked > node.free(*dim);
        if !asks().any(|ask| lacks(&ask)) && wanted.iter().all(|ask| node.has_some(*ask)) {
            return Verdict::Fits;
        }
        let devices: Vec<_> = wanted.iter().flat_map(|ask| devices::lacking(*ask, node)).collect();
        let of_devices = |dim: Dim| devices.iter().find(|it| it.dim == dim);
        let lacking = asks().filter(|ask| lacks(ask) || of_devices(ask.0).is_some());
        let lacking: Vec<_> = lacking.collect();
        let is_final =
            lacking.iter().any(|(dim, asked)| *dim != Dim::PODS && *asked > node.allocatable(*dim))
                || devices.iter().any(|it| it.is_final);
        let reason = |(dim, asked): (Dim, i64)| {
            let resource = node.cluster().resource(dim).clone();
            let text = match dim {
                Dim::PODS => Cow::Borrowed("Too many pods"),
                Dim::CPU => Cow::Borrowed("Insufficient cpu"),
                Dim::MEMORY => Cow::Borrowed("Insufficient memory"),
                _ => Cow::Owned(format!("Insufficient {resource}")),
            };
            let (taken, allocatable) = match of_devices(dim) {
                Some(it) if !lacks(&(dim, asked)) || it.is_share => (it.taken, it.all),
                _ => (node.taken(dim), node.allocatable(dim)),
            };
            Reason { text, missing: Some(Missing { resource, asked, taken, allocatable }) }
        };
        Verdict::Rejects(Rejection { reasons: lacking.into_iter().map(reason).collect(), is_final })
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if pod.shape().ask.is_too_much {
            return fit.retain(|_| false);
        }
        let devices = self.devices(pod, cluster);
        for (at, word) in fit.words_mut().iter_mut().enumerate() {
            if *word != 0 {
                *word &= fitting(self.asks(pod, cluster), cluster, at);
                *word = devices::having(*word, &devices, cluster, at);
            }
        }
    }

    fn filter_block(&self, pod: &PodView, cluster: &Cluster, block: usize) -> Option<u64> {
        if pod.shape().ask.is_too_much {
            return Some(0);
        }
        let fitting = fitting(self.asks(pod, cluster), cluster, block);
        Some(devices::having(fitting, &self.devices(pod, cluster), cluster, block))
    }

    fn rejects_all(&self, pod: &PodView, nodes: &Bounds) -> bool {
        let asked = [Dim::CPU, Dim::MEMORY].map(|dim| pod.request(dim) as f64);
        let (most, least) = (&nodes.most.allocatable, &nodes.least.taken);
        // Who asks for nothing fits even where more is taken than there is.
        (0..2).any(|at| asked[at] > 0.0 && most[at] - least[at] - asked[at] < 0.0)
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}

/// Which of 64 nodes have enough left. The columns are compared several nodes at a time.
fn fitting(asks: impl Iterator<Item = (Dim, i64)>, cluster: &Cluster, word: usize) -> u64 {
    let mut slack = [f64::INFINITY; BLOCK];
    let lesser = |one: f64, other: f64| if one < other { one } else { other };
    for (dim, asked) in asks {
        let asked = asked as f64;
        let allocatable = Nodes::block(cluster.allocatable(dim), word);
        let taken = Nodes::block(cluster.taken(dim), word);
        for at in 0..BLOCK {
            slack[at] = lesser(allocatable[at] - taken[at] - asked, slack[at]);
        }
    }
    let mut least = [0.0; 8];
    for lane in slack.as_chunks::<8>().0 {
        for (least, slack) in least.iter_mut().zip(lane) {
            *least = lesser(*slack, *least);
        }
    }
    if least == [0.0; 8] {
        return u64::MAX; // as mostly
    }
    let mut bits = 0;
    for (at, slack) in slack.iter().enumerate() {
        bits |= u64::from(*slack >= 0.0) << at;
    }
    bits
}
