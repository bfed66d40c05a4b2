use orchestra_core::object::{Map, Str};

use crate::{Cluster, Filter, NodeSet, NodeView, PodView, Reads, Verdict};

/// A pod is put in a zone and region of its volumes, as their labels say it. A node that says nothing of zones and
/// regions is in all of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumeZone;

/// The labels that count, each with its old name.
const LABELS: [(&str, &str); 2] = [
    ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
];

/// What stands between several values.
const BETWEEN: &str = "__";

/// Whether a node with some labels is where a volume with others is.
fn is_near(node: &Map<Str>, volume: &Map<Str>) -> bool {
    let mut names = LABELS.iter().flat_map(|(new, old)| [(*new, *new), (*old, *new)]);
    if !names.clone().any(|(name, _)| node.contains_key(name)) {
        return true;
    }
    names.all(|(name, new)| {
        let Some(values) = volume.get(name) else { return true };
        let value = node.get(name).or_else(|| node.get(new));
        value.is_some_and(|value| values.split(BETWEEN).any(|it| it.trim() == value))
    })
}

impl Filter for VolumeZone {
    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        if pod.shape().claims.is_empty() {
            return Verdict::Fits;
        }
        let Ok(wanted) = node.cluster().wanted(pod) else { return Verdict::Fits };
        let mut volumes = wanted.bound.iter().flatten();
        match volumes.all(|volume| is_near(node.labels(), &volume.labels)) {
            true => Verdict::Fits,
            false => Verdict::never("node(s) had no available volume zone"),
        }
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if !pod.shape().claims.is_empty() {
            fit.retain(|node| self.filter(pod, &cluster.at(node)).fits());
        }
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        if pod.shape().claims.is_empty() { 0 } else { cluster.volumes_version() }
    }
}
