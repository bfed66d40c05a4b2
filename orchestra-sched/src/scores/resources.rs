use orchestra_core::object::Str;

use super::whole;
use crate::cluster::{Dim, Nodes};
use crate::{BEST, BLOCK, Bounds, Cluster, NodeSet, NodeView, PodView, Reads, Scale, Score};

/// How full a node would be decides: the emptiest is best, or the fullest, or as a curve says.
///
/// Several resources count by weight. A container that asks for no processor time or memory is taken to
/// need a little, so that pods which ask for nothing are spread, too.
#[derive(Clone, Debug)]
pub struct NodeResourcesFit {
    strategy: Strategy,
    resources: Vec<(Str, i64)>,
    /// Whether it is the usual case, for which there is a fast way.
    is_usual: bool,
}

/// Which nodes are best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The emptiest: pods are spread.
    LeastAllocated,
    /// The fullest: pods are packed.
    MostAllocated,
    /// As a curve says: points of (percent that would be taken, score from 0 to 10), in order.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

impl Default for NodeResourcesFit {
    fn default() -> Self {
        Self::new(Strategy::LeastAllocated)
    }
}

impl NodeResourcesFit {
    /// By processor time and memory, which count the same.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        let is_usual = strategy == Strategy::LeastAllocated;
        Self { strategy, resources: vec![(Str::from("cpu"), 1), (Str::from("memory"), 1)], is_usual }
    }

    /// By other resources: names and weights.
    #[must_use]
    pub fn by<N: Into<Str>>(mut self, resources: impl IntoIterator<Item = (N, i64)>) -> Self {
        self.resources = resources.into_iter().map(|(name, weight)| (name.into(), weight.max(0))).collect();
        let by: Vec<_> = self.resources.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
        self.is_usual = self.strategy == Strategy::LeastAllocated && by == [("cpu", 1), ("memory", 1)];
        self
    }

    /// The score for one resource, of which so much would be taken.
    fn part(&self, taken: i64, allocatable: i64) -> i64 {
        match &self.strategy {
            Strategy::LeastAllocated if taken > allocatable => 0,
            Strategy::LeastAllocated => percent(allocatable - taken, allocatable),
            Strategy::MostAllocated => percent(taken.min(allocatable), allocatable),
            Strategy::RequestedToCapacityRatio(curve) => {
                let full = if taken > allocatable { BEST } else { percent(taken, allocatable) };
                on_curve(curve, full)
            }
        }
    }
}

fn percent(part: i64, whole: i64) -> i64 {
    (i128::from(part) * i128::from(BEST) / i128::from(whole)) as i64
}

/// The height of a curve, straight between its points; what it says in tenths is brought to hundredths.
fn on_curve(curve: &[(i64, i64)], at: i64) -> i64 {
    let tenfold = |score: i64| score * (BEST / 10);
    let Some(next) = curve.iter().position(|(x, _)| at <= *x) else {
        return curve.last().map_or(0, |(_, score)| tenfold(*score));
    };
    let (x, y) = (curve[next].0, tenfold(curve[next].1));
    match next.checked_sub(1).map(|before| curve[before]) {
        None => y,
        Some((before, score)) => {
            let low = tenfold(score);
            low + (y - low) * (at - before) / (x - before)
        }
    }
}

/// What would be taken of a resource, and what there is.
fn amounts(pod: &PodView, node: &NodeView<'_>, dim: Dim) -> (i64, i64) {
    let (columns, ask) = (node.cluster().columns(), &pod.shape().ask);
    let taken = match dim {
        Dim::CPU => columns.presumed_cpu[node.id().at()] as i64 + ask.cpu,
        Dim::MEMORY => columns.presumed_memory[node.id().at()] as i64 + ask.memory,
        _ => node.taken(dim) + pod.request(dim),
    };
    (taken, node.allocatable(dim))
}

impl Score for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        if self.is_usual {
            let ([cpu, memory], of) = ([Dim::CPU, Dim::MEMORY], |dim| amounts(pod, node, dim));
            let ((cpu, all_cpu), (memory, all_memory)) = (of(cpu), of(memory));
            return left(cpu as f64, all_cpu as f64, memory as f64, all_memory as f64) as i64;
        }
        let (mut sum, mut weights) = (0, 0);
        for (name, weight) in &self.resources {
            let Some(dim) = node.cluster().dim(name) else { continue };
            // A device counts for pods only that ask for it.
            if !dim.is_native() && pod.request(dim) == 0 {
                continue;
            }
            let (taken, allocatable) = amounts(pod, node, dim);
            if allocatable > 0 {
                let part = self.part(taken, allocatable);
                // A curve may give nothing: such a resource does not count.
                if part > 0 || !matches!(self.strategy, Strategy::RequestedToCapacityRatio(_)) {
                    sum += part * weight;
                    weights += weight;
                }
            }
        }
        match (&self.strategy, weights) {
            (_, 0) => 0,
            (Strategy::RequestedToCapacityRatio(_), _) => libm::round(sum as f64 / weights as f64) as i64,
            _ => sum / weights,
        }
    }

    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        let (cpus, memories) = (cluster.allocatable(Dim::CPU), cluster.allocatable(Dim::MEMORY));
        if !self.is_usual {
            return fit.iter().for_each(|node| out[node.at()] = self.score(pod, &cluster.at(node)));
        }
        let (columns, ask) = (cluster.columns(), &pod.shape().ask);
        let (cpu, memory) = (ask.cpu as f64, ask.memory as f64);
        let cpus = columns.presumed_cpu.iter().zip(cpus);
        let memories = columns.presumed_memory.iter().zip(memories);
        for (out, ((cpus, all_cpus), (memories, all_memories))) in out.iter_mut().zip(cpus.zip(memories)) {
            *out = left(cpus + cpu, *all_cpus, memories + memory, *all_memories) as i64;
        }
    }

    fn add_block(
        &self,
        pod: &PodView,
        cluster: &Cluster,
        block: usize,
        times: f64,
        out: &mut [f64; BLOCK],
    ) -> bool {
        if !self.is_usual {
            return false;
        }
        let (columns, ask) = (cluster.columns(), &pod.shape().ask);
        let (cpu, memory) = (ask.cpu as f64, ask.memory as f64);
        let cpus = Nodes::block(&columns.presumed_cpu, block);
        let memories = Nodes::block(&columns.presumed_memory, block);
        let all_cpus = Nodes::block(cluster.allocatable(Dim::CPU), block);
        let all_memories = Nodes::block(cluster.allocatable(Dim::MEMORY), block);
        for at in 0..BLOCK {
            out[at] += times * left(cpus[at] + cpu, all_cpus[at], memories[at] + memory, all_memories[at]);
        }
        true
    }

    fn at_most(&self, pod: &PodView, nodes: &Bounds) -> Option<i64> {
        if !self.is_usual {
            return None;
        }
        if !nodes.have_both() {
            return Some(BEST);
        }
        let (ask, taken, all) = (&pod.shape().ask, nodes.least.presumed, nodes.most.allocatable);
        let most = left(taken[0] + ask.cpu as f64, all[0], taken[1] + ask.memory as f64, all[1]) as i64;
        // Less is taken, more is left, also after rounding; how quotients of different sizes are rounded is another
        // question.
        Some(if nodes.are_of_one_size() { most } else { most + 1 })
    }

    fn scale(&self) -> Scale {
        Scale::Is
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}

/// The mean of what is left of processor time and of memory, in whole percents, as whole numbers would
/// give it: a quotient of two whole numbers below 2⁵³ is rounded to a whole number only if it is one, as
/// long as the divisor is below 2⁴⁶.
#[inline]
fn left(cpu: f64, all_cpu: f64, memory: f64, all_memory: f64) -> f64 {
    let greater = |one: f64, other: f64| if one > other { one } else { other };
    let part = |taken: f64, all: f64| whole(greater(all - taken, 0.0) * BEST as f64 / greater(all, 1.0));
    let share = if all_cpu > 0.0 && all_memory > 0.0 { 0.5 } else { 1.0 };
    whole((part(cpu, all_cpu) + part(memory, all_memory)) * share)
}
