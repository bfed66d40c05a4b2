use orchestra_core::kinds::NodeSelector;

use crate::cluster::meets;
use crate::{Cluster, Filter, NodeSet, NodeView, Only, PodView, Reads, Verdict};

/// A pod is put on a node that has the labels of its `nodeSelector` and meets one of the terms of its
/// required node affinity; and of what the profile requires for all its pods.
#[derive(Clone, Debug, Default)]
pub struct NodeAffinity {
    added: Option<NodeSelector>,
}

impl NodeAffinity {
    /// With what is required for all pods beside what they require themselves.
    #[must_use]
    pub fn requiring(added: NodeSelector) -> Self {
        Self { added: Some(added) }
    }

    fn is_allowed(&self, node: &NodeView<'_>) -> bool {
        let facts = node.cluster().facts(node.id());
        self.added.as_ref().is_none_or(|it| it.node_selector_terms.iter().any(|term| meets(term, facts)))
    }
}

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        if !self.is_allowed(node) {
            return Verdict::never("node(s) didn't match scheduler-enforced node affinity");
        }
        match pod.shape().chosen {
            Some(mask) if !node.cluster().masks().has(mask, node.id()) => {
                Verdict::never("node(s) didn't match Pod's node affinity/selector")
            }
            _ => Verdict::Fits,
        }
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        let chosen = pod.shape().chosen;
        chosen.into_iter().for_each(|mask| fit.keep(cluster.masks().nodes(mask)));
        if self.added.is_some() {
            fit.retain(|node| self.is_allowed(&cluster.at(node)));
        }
    }

    fn only(&self, pod: &PodView, cluster: &Cluster) -> Only {
        match pod.shape().named.as_deref() {
            None => Only::Any,
            Some([]) => Only::Never("pod affinity terms conflict".into()),
            Some(named) => Only::These(named.iter().filter_map(|name| cluster.node(name)).collect()),
        }
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}
