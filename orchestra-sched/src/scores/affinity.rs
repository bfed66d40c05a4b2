use orchestra_core::kinds::PreferredNodes;

use crate::cluster::meets;
use crate::{Cluster, NodeView, PodView, Reads, Scale, Score};

/// The more weight the terms of the pod's preferred node affinity have that a node meets, the better; and those of what
/// the profile prefers for all its pods.
#[derive(Clone, Debug, Default)]
pub struct NodeAffinity {
    added: Vec<PreferredNodes>,
}

impl NodeAffinity {
    /// With what is preferred for all pods beside what they prefer themselves.
    #[must_use]
    pub fn preferring(added: Vec<PreferredNodes>) -> Self {
        Self { added }
    }
}

impl Score for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let facts = node.cluster().facts(node.id());
        let all = pod.shape().preferred.iter().chain(&self.added);
        let met = all.filter(|term| meets(&term.preference, facts));
        met.map(|term| i64::from(term.weight)).sum()
    }

    fn scale(&self) -> Scale {
        Scale::Greatest
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, pod: &PodView, _: &Cluster) -> Option<i64> {
        (pod.shape().preferred.is_empty() && self.added.is_empty()).then_some(0)
    }
}
