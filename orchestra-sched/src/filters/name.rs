use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod that names its node is put on that one and no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeName;

impl Filter for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        let wanted = &pod.shape().node_name;
        if !wanted.is_empty() && wanted != node.name() {
            return Verdict::never("node(s) didn't match the requested node name");
        }
        Verdict::Fits
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        let wanted = &pod.shape().node_name;
        if !wanted.is_empty() {
            fit.keep(&cluster.node(wanted).into_iter().collect());
        }
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}
