use crate::cluster::{Class, Domain, Key, NOWHERE, TallyId};
use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod is put where the pods are that it must be with, and where none are that it must not be with;
/// nor where one is that must not be with it.
///
/// The first pod of a group that must be together is let in anywhere: one that is itself what it looks
/// for, while there is no such pod yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterPodAffinity;

impl InterPodAffinity {
    fn says_nothing(pod: &PodView, cluster: &Cluster) -> bool {
        let near = &pod.shape().near;
        let repelled = cluster.class(pod.class()).is_some_and(|class| !class.repelled_by.is_empty());
        near.with.is_empty() && near.without.is_empty() && !repelled
    }

    /// Whether it can be there, by all keys or by one.
    fn judge(pod: &PodView, node: &NodeView<'_>, key: Option<Key>) -> Verdict {
        let (near, cluster) = (&pod.shape().near, node.cluster());
        let at = |tally: &TallyId| {
            let counts = key.is_none_or(|key| key == cluster.tally(*tally).key);
            counts.then(|| node.count(*tally))
        };
        let mut alone = false;
        for (domain, count) in near.with.iter().filter_map(at) {
            if domain == NOWHERE {
                return Verdict::never("node(s) didn't match pod affinity rules");
            }
            alone |= count <= 0;
        }
        let meets_itself = || cluster.class(pod.class()).is_some_and(Class::meets_itself);
        let is_first = || meets_itself() && near.with.iter().all(|tally| node.total(*tally) <= 0);
        if alone && !is_first() {
            return Verdict::never("node(s) didn't match pod affinity rules");
        }
        let is_with = |(domain, count): (Domain, i64)| domain != NOWHERE && count > 0;
        if near.without.iter().filter_map(at).any(is_with) {
            return Verdict::no("node(s) didn't match pod anti-affinity rules");
        }
        let repelled = cluster.class(pod.class()).map(|class| &class.repelled_by[..]).unwrap_or_default();
        if repelled.iter().filter_map(at).any(is_with) {
            return Verdict::no("node(s) didn't satisfy existing pods anti-affinity rules");
        }
        Verdict::Fits
    }
}

impl Filter for InterPodAffinity {
    fn name(&self) -> &'static str {
        "InterPodAffinity"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        Self::judge(pod, node, None)
    }

    fn filter_by(&self, key: Key, pod: &PodView, node: &NodeView<'_>) -> Option<Verdict> {
        Some(Self::judge(pod, node, Some(key)))
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if !Self::says_nothing(pod, cluster) {
            fit.retain(|node| self.filter(pod, &cluster.at(node)).fits());
        }
    }

    fn reads(&self, pod: &PodView, cluster: &Cluster) -> Reads {
        let near = &pod.shape().near;
        let repelled = cluster.class(pod.class()).map(|class| &class.repelled_by[..]).unwrap_or_default();
        let tallies = near.with.iter().chain(&near.without).chain(repelled);
        Reads::domains(tallies.map(|tally| cluster.tally(*tally).key))
    }

    fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        // Whether there is nobody yet whom it must be with.
        let with = &pod.shape().near.with;
        u64::from(with.iter().all(|tally| cluster.tally(*tally).total() <= 0))
    }
}
