use orchestra_core::object::Str;

use crate::cluster::Dim;
use crate::{BEST, Cluster, NodeSet, NodeView, PodView, Reads, Scale, Score};

/// The less a node would have left of what the pod asks for, the better: the pod goes where it fits best.
///
/// What is left counts as a share of what the node has, and what is measured is the length of the vector of these
/// shares (the root of the mean of their squares, by weight), so that much left of one resource counts more
/// than a little of each: the norm-based greedy of Panigrahy, Talwar, Uyeda and Wieder, *Heuristics for Vector Bin
/// Packing* (2011), where a pod chooses its bin. [`NodeResourcesFit`](crate::scores::NodeResourcesFit) with
/// `MostAllocated` takes the mean of the shares instead, and counts resources that the pod does not ask for.
///
/// ```
/// use orchestra_sched::{Profile, scores};
///
/// let packing = Profile::default().without("NodeResourcesFit").without("NodeResourcesBalancedAllocation");
/// // Whoever knows what is scarce says so: the paper weighs a resource by how much of it is asked for in all.
/// let packing = packing.score(scores::BestFit::weighing([("nvidia.com/gpu", 10), ("cpu", 1)]), 10);
/// # let _ = packing;
/// ```
#[derive(Clone, Debug, Default)]
pub struct BestFit(Weights);

/// The better a pod fits the shape of what a node has left, the better: where it asks for much, there is much.
///
/// The score is the dot product of two vectors, what the pod asks for and what is left, each as a share of
/// what the node has: Panigrahy and others as for [`BestFit`], and Grandl and others, *Multi-Resource Packing for
/// Cluster Schedulers* (2014), who call it alignment. It leaves balanced rests, and takes emptier nodes
/// first; where nodes should stay empty, let [`BestFit`] count, too.
#[derive(Clone, Debug, Default)]
pub struct DotProduct(Weights);

/// How much each resource counts. What is not named does not count; where nothing is, all count the same.
#[derive(Clone, Debug, Default)]
struct Weights(Vec<(Str, i64)>);

/// The most that a resource may count in packing.
pub const MOST_PACKING_WEIGHT: i64 = 100;

/// How many resources of a pod count in packing: the first ones. So many products of shares and weights stay below 2⁵³.
pub const MOST_PACKED: usize = 64;

/// Shares are counted in millionths.
const WHOLE: i64 = 1_000_000;

impl Weights {
    fn of<N: Into<Str>>(resources: impl IntoIterator<Item = (N, i64)>) -> Self {
        let of = |(name, weight): (N, i64)| (name.into(), weight.clamp(0, MOST_PACKING_WEIGHT));
        Self(resources.into_iter().map(of).collect())
    }

    /// What the pod asks for, and how much that counts.
    fn asks(&self, pod: &PodView, cluster: &Cluster) -> Vec<(Dim, i64, i64)> {
        let weight = |dim: Dim| match self.0.as_slice() {
            [] => 1,
            named => named.iter().find(|(name, _)| name == cluster.resource(dim)).map_or(0, |it| it.1),
        };
        let asks = pod.requests().map(|(dim, asked)| (dim, asked, weight(dim)));
        asks.filter(|(.., weight)| *weight > 0).take(MOST_PACKED).collect()
    }
}

/// A share of what a node has, in millionths.
fn share(part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        0
    } else {
        (i128::from(part.clamp(0, whole)) * i128::from(WHOLE) / i128::from(whole)) as i64
    }
}

/// Scores some nodes by what the pod asks for there: resource by resource, over the columns. `add` says what a
/// resource adds, from what is asked, free and there in all.
fn sums(
    asks: &[(Dim, i64, i64)],
    cluster: &Cluster,
    fit: &NodeSet,
    out: &mut [i64],
    add: fn(i64, i64, i64) -> i64,
) {
    fit.iter().for_each(|node| out[node.at()] = 0);
    for (dim, asked, weight) in asks {
        let (all, taken) = (cluster.allocatable(*dim), cluster.taken(*dim));
        for at in fit.iter().map(crate::NodeId::at) {
            let (all, taken) = (all[at] as i64, taken[at] as i64);
            out[at] += weight * add(*asked, all.saturating_sub(taken), all);
        }
    }
}

/// The square of what would be left, in millionths of a whole squared.
fn left(asked: i64, free: i64, all: i64) -> i64 {
    let left = share(free.saturating_sub(asked), all);
    left * left / WHOLE
}

/// How much of the pod lies along what is free, likewise.
fn along(asked: i64, free: i64, all: i64) -> i64 {
    share(asked, all) * share(free, all) / WHOLE
}

impl BestFit {
    /// By these resources: names and weights, up to [`MOST_PACKING_WEIGHT`].
    #[must_use]
    pub fn weighing<N: Into<Str>>(resources: impl IntoIterator<Item = (N, i64)>) -> Self {
        Self(Weights::of(resources))
    }
}

impl DotProduct {
    /// By these resources: names and weights, up to [`MOST_PACKING_WEIGHT`].
    #[must_use]
    pub fn weighing<N: Into<Str>>(resources: impl IntoIterator<Item = (N, i64)>) -> Self {
        Self(Weights::of(resources))
    }
}

impl Score for BestFit {
    fn name(&self) -> &'static str {
        "BestFit"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let mut out = vec![0; node.id().at() + 1];
        self.score_all(pod, node.cluster(), &[node.id()].into_iter().collect(), &mut out);
        out[node.id().at()]
    }

    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        let asks = self.0.asks(pod, cluster);
        let weights: i64 = asks.iter().map(|(.., weight)| weight).sum();
        sums(&asks, cluster, fit, out, left);
        for node in fit.iter() {
            let mean = out[node.at()] / weights.max(1);
            // The root of millionths of a whole squared is in thousandths of a whole.
            out[node.at()] = BEST - mean.isqrt() / (1000 / BEST);
        }
    }

    fn scale(&self) -> Scale {
        Scale::Is
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        self.0.asks(pod, cluster).is_empty().then_some(BEST)
    }
}

impl Score for DotProduct {
    fn name(&self) -> &'static str {
        "DotProduct"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let mut out = vec![0; node.id().at() + 1];
        self.score_all(pod, node.cluster(), &[node.id()].into_iter().collect(), &mut out);
        out[node.id().at()]
    }

    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        sums(&self.0.asks(pod, cluster), cluster, fit, out, along);
    }

    fn scale(&self) -> Scale {
        Scale::Span
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        self.0.asks(pod, cluster).is_empty().then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod};
    use orchestra_core::object::Quantity;

    use super::*;
    use crate::hash::mix;
    use crate::{Decider, Decision, NodeId, Profile};

    fn node(cluster: &mut Cluster, name: &str, cpu: i64, gib: i64) -> NodeId {
        let mut node = Node::new(name).build().unwrap();
        node.status.allocatable.insert("cpu", Quantity::milli(cpu));
        node.status.allocatable.insert("memory", Quantity::bytes(gib << 30));
        cluster.set_node(&node)
    }

    fn pod(cluster: &mut Cluster, name: &str, cpu: i64, gib: i64) -> PodView {
        let app = Container::new("app").request("cpu", Quantity::milli(cpu));
        let app = app.request("memory", Quantity::bytes(gib << 30));
        cluster.view(&Pod::new(name).container(app).build().unwrap())
    }

    #[test]
    fn the_fullest_is_the_best_fit_and_the_aligned_has_the_greatest_product() {
        let mut cluster = Cluster::seeded(1);
        let nodes = [("a", 8000, 16), ("b", 2000, 4), ("c", 8000, 2)];
        let [a, b, c] = nodes.map(|(name, cpu, gib)| node(&mut cluster, name, cpu, gib));
        let pod = pod(&mut cluster, "pod", 1000, 2);
        let fits = |node| BestFit::default().score(&pod, &cluster.at(node));
        // 7/8 and 7/8 are left of the first, half of the second, 7/8 and nothing of the third.
        assert_eq!([a, b, c].map(fits), [100 - 87, 50, 100 - 61]);
        let by_memory = BestFit::weighing([("memory", 3)]);
        assert_eq!(by_memory.score(&pod, &cluster.at(c)), 100);
        let along = |node| DotProduct::default().score(&pod, &cluster.at(node));
        assert_eq!([a, b, c].map(along), [250_000, 1_000_000, 1_125_000]);
    }

    /// Against the formulas, in floating point, over random nodes that are partly taken.
    #[test]
    fn scores_are_what_the_formulas_say() {
        for seed in 0..300 {
            let random = |at: u64, below: u64| (mix(mix(seed) ^ at) % below) as i64;
            let mut cluster = Cluster::seeded(seed);
            let (cpus, gibs) = (1 + random(0, 64_000), 1 + random(1, 512));
            let id = node(&mut cluster, "node", cpus, gibs);
            let (used, used_gib) = (random(2, cpus as u64), random(3, gibs as u64));
            let there = pod(&mut cluster, "there", used, used_gib);
            cluster.assume(&there, id);
            let (cpu, gib) = (1 + random(4, cpus as u64), 1 + random(5, gibs as u64));
            let asking = pod(&mut cluster, "asking", cpu, gib);
            let weights = [1 + random(6, 100), 1 + random(7, 100)];
            let by = [("cpu", weights[0]), ("memory", weights[1])];
            let (mut square, mut product) = (0.0, 0.0);
            for (weight, all, used, ask) in [(weights[0], cpus, used, cpu), (weights[1], gibs, used_gib, gib)]
            {
                let (weight, all, free) = (weight as f64, all as f64, (all - used) as f64);
                let left = ((free - ask as f64) / all).max(0.0);
                square += weight * left * left;
                product += weight * ask as f64 / all * free / all;
            }
            let root = (square / (weights[0] + weights[1]) as f64).sqrt();
            let best = BestFit::weighing(by).score(&asking, &cluster.at(id));
            assert!((best as f64 - (100.0 - 100.0 * root)).abs() <= 1.1, "seed {seed}: {best} {root}");
            let dot = DotProduct::weighing(by).score(&asking, &cluster.at(id));
            let exact = product * WHOLE as f64;
            assert!((dot as f64 - exact).abs() <= 600.0, "seed {seed}: {dot} {exact}");
        }
    }

    #[test]
    fn what_is_kept_of_them_holds() {
        let mut cluster = Cluster::seeded(1);
        for number in 0..90 {
            node(&mut cluster, &format!("node-{number}"), 4000 + number % 7 * 500, 8 + number % 5);
        }
        let profile = Profile::default().score(BestFit::default(), 3).score(DotProduct::default(), 2);
        let mut decider = Decider::new(profile);
        for number in 0..200 {
            let pod = pod(&mut cluster, &format!("pod-{number}"), 300 + number % 3 * 700, 1 + number % 2);
            let decision = decider.decide(&cluster, &pod);
            assert_eq!(decision, decider.decide_anew(&cluster, &pod));
            if let Decision::Place { node, .. } = decision {
                cluster.assume(&pod, node);
            }
        }
    }
}
