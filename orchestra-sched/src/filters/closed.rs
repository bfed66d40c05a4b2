use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// No pod is put on a node that is closed (`spec.unschedulable`), unless it tolerates the taint by which
/// that is said, `node.kubernetes.io/unschedulable:NoSchedule`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeUnschedulable;

impl Filter for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        if node.is_closed() && !pod.shape().tolerates_closed {
            return Verdict::never("node(s) were unschedulable");
        }
        Verdict::Fits
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if !pod.shape().tolerates_closed {
            fit.drop_all(&cluster.columns().closed);
        }
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}
