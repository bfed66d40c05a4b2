use std::borrow::Cow;

use crate::cluster::{Dim, Nodes};
use crate::rule::{BLOCK, Missing, Reason, Rejection};
use crate::{Bounds, Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod is put on a node that has enough left of everything that it asks for, and room for one pod more.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeResourcesFit;

impl NodeResourcesFit {
    fn asks(pod: &PodView) -> impl Iterator<Item = (Dim, i64)> + '_ {
        std::iter::once((Dim::PODS, 1)).chain(pod.requests())
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
        let lacks = |(dim, asked): &(Dim, i64)| *asked > node.free(*dim);
        if !Self::asks(pod).any(|ask| lacks(&ask)) {
            return Verdict::Fits;
        }
        let lacking: Vec<_> = Self::asks(pod).filter(lacks).collect();
        let is_final =
            lacking.iter().any(|(dim, asked)| *dim != Dim::PODS && *asked > node.allocatable(*dim));
        let reason = |(dim, asked): (Dim, i64)| {
            let resource = node.cluster().resource(dim).clone();
            let text = match dim {
                Dim::PODS => Cow::Borrowed("Too many pods"),
                Dim::CPU => Cow::Borrowed("Insufficient cpu"),
                Dim::MEMORY => Cow::Borrowed("Insufficient memory"),
                _ => Cow::Owned(format!("Insufficient {resource}")),
            };
            let (taken, allocatable) = (node.taken(dim), node.allocatable(dim));
            Reason { text, missing: Some(Missing { resource, asked, taken, allocatable }) }
        };
        Verdict::Rejects(Rejection { reasons: lacking.into_iter().map(reason).collect(), is_final })
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if pod.shape().ask.is_too_much {
            return fit.retain(|_| false);
        }
        for (at, word) in fit.words_mut().iter_mut().enumerate() {
            if *word != 0 {
                *word &= fitting(pod, cluster, at);
            }
        }
    }

    fn filter_block(&self, pod: &PodView, cluster: &Cluster, block: usize) -> Option<u64> {
        Some(if pod.shape().ask.is_too_much { 0 } else { fitting(pod, cluster, block) })
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
fn fitting(pod: &PodView, cluster: &Cluster, word: usize) -> u64 {
    let mut slack = [f64::INFINITY; BLOCK];
    let lesser = |one: f64, other: f64| if one < other { one } else { other };
    for (dim, asked) in NodeResourcesFit::asks(pod) {
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
