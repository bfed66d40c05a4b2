//! [`Costs`]: what it would cost to make room for pods of one class, node by node, kept as long as it holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Cost, cost, on};
use crate::cluster::{Cluster, Cursor};
use crate::profile::Profile;
use crate::rule::Reads;
use crate::set::NodeId;
use crate::view::PodView;

/// What it costs to make room on each node, and up to where in the cluster's log that is so.
#[derive(Clone, Debug, Default)]
pub(super) struct Costs {
    pub(super) used: u64,
    /// By whose filters, and of which cluster's objects, sayings and budgets.
    of: Option<(Profile, [u64; 5])>,
    of_node: Vec<Option<Cost>>,
    /// The cheapest first; of equals the one of the lowest rank.
    order: BTreeSet<(Cost, u64, NodeId)>,
    seen: Cursor,
}

/// Whether what one node says of a pod depends on that node only, also when some of its pods are away.
pub(super) fn can_be_kept(profile: &Profile, cluster: &Cluster, pod: &PodView) -> bool {
    let is_local = |filter: &Arc<dyn crate::Filter>| filter.reads(pod, cluster) == Reads::Node;
    // To a pod that is nominated itself, one node is another than to its like.
    cluster.nominated(pod.namespace(), pod.name()).is_none() && profile.filters().iter().all(is_local)
}

impl Costs {
    /// About how many bytes they take.
    pub(super) fn bytes(places: usize) -> usize {
        places * 2 * size_of::<(Cost, u64, NodeId)>() + 1024
    }

    /// The cheapest node, when it is known of all nodes what they cost now.
    pub(super) fn cheapest(
        &mut self,
        profile: &Profile,
        cluster: &mut Cluster,
        pod: &PodView,
    ) -> Option<NodeId> {
        let generation = cluster.class(pod.class()).map_or(0, |class| u64::from(class.generation));
        let versions = profile.filters().iter().map(|filter| filter.version(pod, cluster));
        let version = versions.fold(0, |all, one| crate::hash::mix(all ^ one));
        let said = [generation, cluster.objects(), cluster.sayings(), cluster.budgets_version(), version];
        let is_same = self.of.as_ref().is_some_and(|(of, old)| *old == said && are_same(of, profile));
        let changed = || cluster.log().since(self.seen).map(Iterator::collect::<Vec<_>>);
        let mut nodes = match is_same.then(changed).flatten() {
            Some(changed) => changed,
            None => {
                self.order.clear();
                self.of_node = vec![None; cluster.places()];
                self.of = Some((profile.clone(), said));
                cluster.nodes().iter().collect()
            }
        };
        self.seen = cluster.log().end();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let new = on(node, profile, cluster, pod).map(|eviction| cost(&eviction));
            let rank = cluster.rank(node);
            let old = std::mem::replace(&mut self.of_node[node.at()], new.clone());
            if old != new {
                if let Some(old) = old {
                    self.order.remove(&(old, rank, node));
                }
                self.order.extend(new.map(|new| (new, rank, node)));
            }
        }
        self.order.first().map(|(_, _, node)| *node)
    }
}

/// Whether two profiles have the same filters.
fn are_same(one: &Profile, other: &Profile) -> bool {
    let (one, other) = (one.filters(), other.filters());
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
}
