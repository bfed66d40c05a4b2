use std::borrow::Cow;

use crate::cluster::Dim;
use crate::rule::{Missing, Reason, Rejection};
use crate::set::WORD;
use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

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

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}

/// Which of 64 nodes have enough left. The columns are compared several nodes at a time.
fn fitting(pod: &PodView, cluster: &Cluster, word: usize) -> u64 {
    let mut slack = [f64::INFINITY; WORD];
    for (dim, asked) in NodeResourcesFit::asks(pod) {
        let (asked, nodes) = (asked as f64, word * WORD..(word + 1) * WORD);
        let columns = (cluster.allocatable(dim).get(nodes.clone()), cluster.taken(dim).get(nodes));
        let (Some(allocatable), Some(taken)) = columns else { return 0 };
        for ((slack, allocatable), taken) in slack.iter_mut().zip(allocatable).zip(taken) {
            let left = allocatable - taken - asked;
            *slack = if left < *slack { left } else { *slack };
        }
    }
    if slack.iter().fold(0.0, |least, slack| if *slack < least { *slack } else { least }) >= 0.0 {
        return u64::MAX;
    }
    let mut bits = 0;
    for (at, slack) in slack.iter().enumerate() {
        bits |= u64::from(*slack >= 0.0) << at;
    }
    bits
}
