use crate::{Cluster, Filter, NodeSet, NodeView, Only, PodView, Reads, Verdict};

/// A pod is put on a node that has the labels of its `nodeSelector` and meets one of the terms of its
/// required node affinity.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeAffinity;

impl Filter for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
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
