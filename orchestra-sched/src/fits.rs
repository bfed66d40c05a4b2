//! Where a pod fits, by all filters of a profile, for those who move pods that were placed already.

use crate::cluster::{Cluster, PodId};
use crate::contain::{asked, contained};
use crate::profile::Profile;
use crate::rule::Only;
use crate::set::{NodeId, NodeSet};
use crate::view::{NodeView, PodView};

/// All nodes where a pod fits.
pub(crate) fn fitting(profile: &Profile, cluster: &Cluster, pod: &PodView) -> NodeSet {
    // Where a rule panics, each is asked about each node, and those are left out about which it does.
    contained(|| fitting_by_rules(profile, cluster, pod)).unwrap_or_else(|_| {
        cluster.nodes().iter().filter(|node| fits(profile, cluster, pod, *node)).collect()
    })
}

fn fitting_by_rules(profile: &Profile, cluster: &Cluster, pod: &PodView) -> NodeSet {
    let mut fit = cluster.nodes().clone();
    for filter in profile.filters() {
        match filter.only(pod, cluster) {
            Only::Any => {}
            Only::These(nodes) => fit.keep(&nodes),
            Only::Never(_) => return NodeSet::default(),
        }
    }
    profile.filters().iter().for_each(|filter| filter.filter_all(pod, cluster, &mut fit));
    // Room that is kept for others is seen by few nodes, so these are asked again.
    fit.retain(|node| {
        cluster.kept(pod, node).is_none_or(|kept| all(profile, pod, &cluster.at(node).with(&kept)))
    });
    fit
}

/// Whether a pod fits on a node.
pub(crate) fn fits(profile: &Profile, cluster: &Cluster, pod: &PodView, node: NodeId) -> bool {
    let view = cluster.at(node);
    all(profile, pod, &view)
        && cluster.kept(pod, node).is_none_or(|kept| all(profile, pod, &view.with(&kept)))
}

fn all(profile: &Profile, pod: &PodView, node: &NodeView<'_>) -> bool {
    profile.filters().iter().all(|filter| asked(&**filter, pod, node).fits())
}

impl Cluster {
    /// A pod that is placed, as one that asks for a place.
    pub(crate) fn view_of(&self, pod: PodId) -> Option<PodView> {
        let placed = self.placed(pod);
        let shape = self.class(placed.class)?.shape.clone();
        Some(PodView::new(placed.name.clone(), placed.class, shape, None))
    }

    /// The greatest share of a node's resources that is taken, in millionths; pods as such do not count.
    pub(crate) fn dominant_share(&self, node: NodeId) -> i64 {
        let columns = self.columns();
        let dims = (0..columns.resources.len()).map(|at| crate::Dim(at as u16));
        let shares = dims.filter(|dim| *dim != crate::Dim::PODS).map(|dim| {
            let (taken, all) = (columns.taken(node, dim) as i64, columns.allocatable(node, dim) as i64);
            if all <= 0 { 0 } else { i128::from(taken.max(0)) * i128::from(MILLION) / i128::from(all) }
        });
        shares.max().unwrap_or(0).min(i128::from(MOST_SHARE)) as i64
    }
}

const MILLION: i64 = 1_000_000;
/// A node that is a thousand times overcommitted is as bad as one that is more so. The square of it can be counted.
const MOST_SHARE: i64 = 1000 * MILLION;
