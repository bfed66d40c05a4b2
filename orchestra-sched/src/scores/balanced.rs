use orchestra_core::object::Str;

use super::whole;
use crate::cluster::{Dim, Nodes};
use crate::{BEST, BLOCK, Bounds, Cluster, NodeSet, NodeView, PodView, Reads, Scale, Score};

/// The more evenly a node's resources would be used, the better: by the standard deviation of the shares
/// that would be taken.
#[derive(Clone, Debug)]
pub struct NodeResourcesBalancedAllocation {
    resources: Vec<Str>,
    /// Whether it is the usual case, for which there is a fast way.
    is_usual: bool,
}

/// How many resources are balanced at most; of more, the first so many count.
pub const MOST_BALANCED: usize = 8;

impl Default for NodeResourcesBalancedAllocation {
    fn default() -> Self {
        Self::by(["cpu", "memory"])
    }
}

impl NodeResourcesBalancedAllocation {
    /// By these resources. A device counts for pods only that ask for it.
    #[must_use]
    pub fn by<N: Into<Str>>(resources: impl IntoIterator<Item = N>) -> Self {
        let resources: Vec<Str> = resources.into_iter().map(Into::into).collect();
        let is_usual = resources == ["cpu", "memory"];
        Self { resources, is_usual }
    }

    fn dims<'a>(&'a self, cluster: &'a Cluster) -> impl Iterator<Item = Dim> + 'a {
        self.resources.iter().filter_map(|name| cluster.dim(name))
    }
}

/// More than what is rounded when some shares from 0 to 1 are added.
const ROUNDING: f64 = 1e-12;

/// The share of a resource that would be taken, at most all of it.
fn share(taken: f64, allocatable: f64) -> f64 {
    let share = taken / allocatable;
    if share > 1.0 { 1.0 } else { share }
}

/// How evenly processor time and memory would be taken.
#[inline]
fn balance(cpu: f64, all_cpu: f64, memory: f64, all_memory: f64) -> f64 {
    let (one, other) = (share(cpu, all_cpu), share(memory, all_memory));
    let balance = (1.0 - ((one - other) / 2.0).abs()) * BEST as f64;
    // Of one share, or none, the deviation is nothing.
    if all_cpu > 0.0 && all_memory > 0.0 { whole(balance) } else { BEST as f64 }
}

/// The standard deviation. That of two is half of their difference, which rounds less.
fn deviation(shares: &[f64]) -> f64 {
    match shares {
        [] | [_] => 0.0,
        [one, other] => ((one - other) / 2.0).abs(),
        shares => {
            let many = shares.len() as f64;
            let mean = shares.iter().sum::<f64>() / many;
            libm::sqrt(shares.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>() / many)
        }
    }
}

impl Score for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let columns = node.cluster().columns();
        if self.is_usual {
            let all = |dim| columns.allocatable(node.id(), dim);
            let then = |dim| columns.taken(node.id(), dim) + pod.request(dim) as f64;
            let (cpu, memory) = (Dim::CPU, Dim::MEMORY);
            return balance(then(cpu), all(cpu), then(memory), all(memory)) as i64;
        }
        let counts = |dim: &Dim| {
            (dim.is_native() || pod.request(*dim) > 0) && columns.allocatable(node.id(), *dim) > 0.0
        };
        let of = |dim| {
            share(
                columns.taken(node.id(), dim) + pod.request(dim) as f64,
                columns.allocatable(node.id(), dim),
            )
        };
        let mut shares = [0.0; MOST_BALANCED];
        let mut many = 0;
        for (slot, dim) in shares.iter_mut().zip(self.dims(node.cluster()).filter(counts)) {
            *slot = of(dim);
            many += 1;
        }
        ((1.0 - deviation(&shares[..many])) * BEST as f64) as i64
    }

    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        if !self.is_usual {
            return fit.iter().for_each(|node| out[node.at()] = self.score(pod, &cluster.at(node)));
        }
        let (cpu, memory) = (pod.request(Dim::CPU) as f64, pod.request(Dim::MEMORY) as f64);
        let cpus = cluster.taken(Dim::CPU).iter().zip(cluster.allocatable(Dim::CPU));
        let memories = cluster.taken(Dim::MEMORY).iter().zip(cluster.allocatable(Dim::MEMORY));
        for (out, ((cpus, all_cpus), (memories, all_memories))) in out.iter_mut().zip(cpus.zip(memories)) {
            *out = balance(cpus + cpu, *all_cpus, memories + memory, *all_memories) as i64;
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
        let (cpu, memory) = (pod.request(Dim::CPU) as f64, pod.request(Dim::MEMORY) as f64);
        let cpus = Nodes::block(cluster.taken(Dim::CPU), block);
        let memories = Nodes::block(cluster.taken(Dim::MEMORY), block);
        let all_cpus = Nodes::block(cluster.allocatable(Dim::CPU), block);
        let all_memories = Nodes::block(cluster.allocatable(Dim::MEMORY), block);
        for at in 0..BLOCK {
            out[at] += times * balance(cpus[at] + cpu, all_cpus[at], memories[at] + memory, all_memories[at]);
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
        // The most even that two shares can be between their bounds, which rounding leaves in their order.
        let asked = [Dim::CPU, Dim::MEMORY].map(|dim| pod.request(dim) as f64);
        let (has_least, has_most) = (nodes.least.allocatable, nodes.most.allocatable);
        let least = |at: usize| share(nodes.least.taken[at] + asked[at], has_most[at]);
        let most = |at: usize| share(nodes.most.taken[at] + asked[at], has_least[at]);
        let mut apart = [least(0) - most(1), least(1) - most(0)].into_iter().fold(0.0, f64::max);
        // Closer bounds, where no share is cut: by how much they are apart already.
        if most(0) < 1.0 && most(1) < 1.0 {
            let more = nodes.least.lean + asked[0] / has_most[0] - asked[1] / has_least[1];
            let less = nodes.most.lean + asked[0] / has_least[0] - asked[1] / has_most[1];
            apart = [more - ROUNDING, -less - ROUNDING].into_iter().fold(apart, f64::max);
        }
        Some(whole((1.0 - (apart / 2.0).abs()) * BEST as f64) as i64)
    }

    fn scale(&self) -> Scale {
        Scale::Is
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        // A pod that asks for none of them balances nothing.
        self.dims(cluster).all(|dim| pod.request(dim) == 0).then_some(0)
    }
}
