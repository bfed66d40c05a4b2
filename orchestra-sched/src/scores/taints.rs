use orchestra_core::kinds::TaintEffect;

use crate::{BEST, Cluster, NodeView, PodView, Reads, Scale, Score};

/// The fewer taints `PreferNoSchedule` a node has that the pod does not tolerate, the better.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaintToleration;

impl Score for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let tolerations = &pod.shape().tolerations;
        let taints = node.taints().iter().filter(|taint| {
            taint.effect == TaintEffect::PreferNoSchedule
                && !tolerations.iter().any(|toleration| toleration.tolerates(taint))
        });
        taints.count() as i64
    }

    fn scale(&self) -> Scale {
        Scale::Least
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, _: &PodView, cluster: &Cluster) -> Option<i64> {
        (cluster.columns().disliked == 0).then_some(BEST)
    }
}
