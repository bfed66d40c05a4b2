use crate::cluster::meets;
use crate::{Cluster, NodeView, PodView, Reads, Scale, Score};

/// The more weight the terms of the pod's preferred node affinity have that a node meets, the better.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeAffinity;

impl Score for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let facts = node.cluster().facts(node.id());
        let met = pod.shape().preferred.iter().filter(|term| meets(&term.preference, facts));
        met.map(|term| i64::from(term.weight)).sum()
    }

    fn scale(&self) -> Scale {
        Scale::Greatest
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, pod: &PodView, _: &Cluster) -> Option<i64> {
        pod.shape().preferred.is_empty().then_some(0)
    }
}
