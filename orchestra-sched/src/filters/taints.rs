use orchestra_core::kinds::TaintEffect;

use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// No pod is put on a node that has a taint `NoSchedule` or `NoExecute` which it does not tolerate.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaintToleration;

impl Filter for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        let tolerations = &pod.shape().tolerations;
        let keeps_away = |effect| matches!(effect, TaintEffect::NoSchedule | TaintEffect::NoExecute);
        let taint = node.taints().iter().find(|taint| {
            keeps_away(taint.effect) && !tolerations.iter().any(|toleration| toleration.tolerates(taint))
        });
        match taint {
            None => Verdict::Fits,
            Some(taint) => {
                Verdict::never(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value))
            }
        }
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        let tolerated = pod.shape().tolerated;
        tolerated.into_iter().for_each(|mask| fit.keep(cluster.masks().nodes(mask)));
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }
}
