use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A port of the node is given to one pod only, by protocol and address.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodePorts;

impl Filter for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        if pod.shape().ports.iter().any(|port| node.taken_ports().any(|taken| taken.conflicts_with(port))) {
            return Verdict::no("node(s) didn't have free ports for the requested pod ports");
        }
        Verdict::Fits
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if !pod.shape().ports.is_empty() {
            fit.retain(|node| self.filter(pod, &cluster.at(node)).fits());
        }
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}
