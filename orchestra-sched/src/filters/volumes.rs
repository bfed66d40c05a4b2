use std::borrow::Cow;

use crate::rule::{Reason, Rejection};
use crate::{Cluster, Filter, NodeSet, NodeView, Only, PodView, Reads, Verdict};

/// A pod is put where the volumes of its claims can be reached, and where there are some for those claims that wait
/// for their first consumer (`volumeBindingMode: WaitForFirstConsumer`): an available volume of the class, large enough,
/// with the access modes, and with the labels that are asked for, the smallest of them; or else one that can be made,
/// by the class's provisioner and its `allowedTopologies`.
///
/// Which volume it is, is decided with the place: it is kept from others, and whoever binds the pod writes it down (the
/// volume's `claimRef` and the claim's `volumeName`, or the claim's annotation `volume.kubernetes.io/selected-node`).
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumeBinding;

const UNREACHED: &str = "node(s) didn't match PersistentVolume's node affinity";
const NONE_FREE: &str = "node(s) didn't find available persistent volumes to bind";
const NOT_THERE: &str = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";

impl Filter for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn filter(&self, pod: &PodView, node: &NodeView<'_>) -> Verdict {
        if pod.shape().claims.is_empty() {
            return Verdict::Fits;
        }
        let cluster = node.cluster();
        let wanted = match cluster.wanted(pod) {
            Ok(wanted) => wanted,
            Err(why) => return Verdict::never(why),
        };
        let Err(lacks) = cluster.find_volumes(&wanted, pod.namespace(), node.id()) else {
            return Verdict::Fits;
        };
        let reasons = [(lacks.reach, UNREACHED), (lacks.free, NONE_FREE), (lacks.there, NOT_THERE)];
        let reason = |text| Reason { text: Cow::Borrowed(text), missing: None };
        let reasons = reasons.into_iter().filter(|(lacks, _)| *lacks).map(|(_, text)| reason(text)).collect();
        Verdict::Rejects(Rejection { reasons, is_final: true })
    }

    fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        if pod.shape().claims.is_empty() {
            return;
        }
        match cluster.wanted(pod) {
            Err(_) => fit.retain(|_| false),
            Ok(wanted) => {
                fit.retain(|node| cluster.find_volumes(&wanted, pod.namespace(), node).is_ok());
            }
        }
    }

    fn only(&self, pod: &PodView, cluster: &Cluster) -> Only {
        if pod.shape().claims.is_empty() {
            return Only::Any;
        }
        cluster.wanted(pod).map_or_else(|why| Only::Never(why.into()), |_| Only::Any)
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        if pod.shape().claims.is_empty() { 0 } else { cluster.volumes_version() }
    }
}
