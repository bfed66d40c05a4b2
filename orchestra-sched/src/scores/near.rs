use crate::cluster::{Class, NOWHERE, TallyId};
use crate::{Cluster, NodeSet, NodeView, PodView, Reads, Scale, Score};

/// The more pods are near that the pod would rather be with, and that would rather be with it, the
/// better; and the fewer of those with which it would rather not.
#[derive(Clone, Copy, Debug)]
pub struct InterPodAffinity {
    /// What it counts that a pod *must* be with such a pod; 0 to 100.
    pub hard_weight: i64,
}

impl Default for InterPodAffinity {
    fn default() -> Self {
        Self { hard_weight: 1 }
    }
}

impl InterPodAffinity {
    /// The tallies that count, each with its weight.
    fn weights<'a>(
        &self,
        pod: &'a PodView,
        class: Option<&'a Class>,
    ) -> impl Iterator<Item = (TallyId, i64)> + 'a {
        let hard = self.hard_weight;
        let others = class.into_iter().flat_map(move |class| {
            let drawn = class.drawn_by.iter().map(|tally| (*tally, 1));
            drawn.chain(class.required_by.iter().map(move |tally| (*tally, hard)))
        });
        pod.shape().near.rather.iter().copied().chain(others)
    }
}

impl Score for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let cluster = node.cluster();
        let mut sum = 0i64;
        for (tally, weight) in self.weights(pod, cluster.class(pod.class())) {
            let tally = cluster.tally(tally);
            let domain = cluster.column(tally.key).domain(node.id());
            if domain != NOWHERE {
                sum = sum.saturating_add(tally.count(domain).saturating_mul(weight));
            }
        }
        sum
    }

    fn score_all(&self, pod: &PodView, cluster: &Cluster, fit: &NodeSet, out: &mut [i64]) {
        fit.iter().for_each(|node| out[node.at()] = 0);
        for (tally, weight) in self.weights(pod, cluster.class(pod.class())) {
            let tally = cluster.tally(tally);
            let column = cluster.column(tally.key);
            for node in fit.iter() {
                let domain = column.domain(node);
                if domain != NOWHERE {
                    let out = &mut out[node.at()];
                    *out = out.saturating_add(tally.count(domain).saturating_mul(weight));
                }
            }
        }
    }

    fn scale(&self) -> Scale {
        Scale::Span
    }

    fn reads(&self, pod: &PodView, cluster: &Cluster) -> Reads {
        let weights = self.weights(pod, cluster.class(pod.class()));
        Reads::domains(weights.map(|(tally, _)| cluster.tally(tally).key))
    }

    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        self.weights(pod, cluster.class(pod.class())).next().is_none().then_some(0)
    }
}
