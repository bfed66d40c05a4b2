//! [`Plan`]: what each rule has to say for a class, and how long its answers hold.

use std::sync::Arc;

use crate::cluster::{Cluster, Key};
use crate::profile::Profile;
use crate::rule::{Filter, Reads, Scale, Score};
use crate::view::PodView;

/// The rules of a profile, by how long their answers for a class hold.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    /// Until the node changes.
    pub(crate) filters: Vec<Arc<dyn Filter>>,
    pub(crate) scores: Vec<(Arc<dyn Score>, i64)>,
    /// As long, but what they count depends on the other nodes.
    pub(crate) scaled: Vec<(Arc<dyn Score>, i64)>,
    /// The same for all nodes of a group; asked for each decision.
    pub(crate) group_filters: Vec<Arc<dyn Filter>>,
    pub(crate) group_scores: Vec<(Arc<dyn Score>, i64)>,
    /// By what the groups are made.
    pub(crate) keys: Vec<Key>,
    /// For one decision only.
    pub(crate) loose_filters: Vec<Arc<dyn Filter>>,
    pub(crate) loose_scores: Vec<(Arc<dyn Score>, i64)>,
    /// What all nodes have, whatever is said of them.
    pub(crate) constant: i64,
}

/// How long an answer holds.
enum Holds {
    Node,
    Group(Vec<Key>),
    Once,
}

impl Plan {
    pub(crate) fn new(profile: &Profile, cluster: &Cluster, pod: &PodView) -> Self {
        let mut plan = Self::default();
        for filter in profile.filters() {
            match holds(filter.reads(pod, cluster), cluster) {
                Holds::Node => plan.filters.push(filter.clone()),
                Holds::Once => plan.loose_filters.push(filter.clone()),
                Holds::Group(keys) => {
                    plan.keys.extend(keys);
                    plan.group_filters.push(filter.clone());
                }
            }
        }
        for (score, weight) in profile.scores().filter(|(_, weight)| *weight > 0) {
            if let Some(constant) = score.constant(pod, cluster) {
                plan.constant += constant * weight;
                continue;
            }
            let weighted = (score.clone(), weight);
            match holds(score.reads(pod, cluster), cluster) {
                Holds::Node if score.scale() == Scale::Is => plan.scores.push(weighted),
                Holds::Node => plan.scaled.push(weighted),
                Holds::Once => plan.loose_scores.push(weighted),
                Holds::Group(keys) => {
                    plan.keys.extend(keys);
                    plan.group_scores.push(weighted);
                }
            }
        }
        plan.keys.sort_unstable();
        plan.keys.dedup();
        plan
    }

    /// Whether what is kept, and a look at each group, is all it takes.
    pub(crate) fn is_quick(&self) -> bool {
        self.scaled.is_empty() && self.loose_filters.is_empty() && self.loose_scores.is_empty()
    }

    /// What changes when answers that are kept do not hold any more, though no node has changed.
    pub(crate) fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        let filters = self.filters.iter().map(|it| it.version(pod, cluster));
        let scores = self.scores.iter().chain(&self.scaled).map(|(it, _)| it.version(pod, cluster));
        filters.chain(scores).fold(0, |all, one| crate::hash::mix(all ^ one))
    }
}

fn holds(reads: Reads, cluster: &Cluster) -> Holds {
    match reads {
        Reads::Node => Holds::Node,
        Reads::Cluster | Reads::Anything => Holds::Once,
        Reads::Domains(keys) => {
            let own = keys.iter().filter(|key| cluster.column(**key).is_unique()).count();
            match own {
                0 => Holds::Group(keys),
                // Each node is a domain of its own.
                _ if own == keys.len() => Holds::Node,
                _ => Holds::Once,
            }
        }
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |list: &[(Arc<dyn Score>, i64)]| list.iter().map(|it| it.0.name()).collect::<Vec<_>>();
        let filters = |list: &[Arc<dyn Filter>]| list.iter().map(|it| it.name()).collect::<Vec<_>>();
        f.debug_struct("Plan")
            .field("filters", &filters(&self.filters))
            .field("scores", &names(&self.scores))
            .field("scaled", &names(&self.scaled))
            .field("group_filters", &filters(&self.group_filters))
            .field("group_scores", &names(&self.group_scores))
            .field("loose_filters", &filters(&self.loose_filters))
            .field("loose_scores", &names(&self.loose_scores))
            .finish_non_exhaustive()
    }
}
