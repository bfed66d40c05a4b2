//! [`Plan`]: what each rule has to say for a class, and how long its answers hold.

use std::sync::Arc;

use crate::cluster::{Cluster, Key};
use crate::profile::Profile;
use crate::rule::{Filter, Reads, Scale, Score};
use crate::set::{NodeId, NodeSet};
use crate::view::{NodeView, PodView};

/// The rules of a profile, by how long their answers for a class hold.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    /// Until the node changes.
    pub(crate) filters: Vec<Part>,
    pub(crate) scores: Vec<(Arc<dyn Score>, i64)>,
    /// As long, but what they count depends on the other nodes.
    pub(crate) scaled: Vec<(Arc<dyn Score>, i64)>,
    /// The same for all nodes of a group; asked for each decision.
    pub(crate) group_filters: Vec<Part>,
    pub(crate) group_scores: Vec<(Arc<dyn Score>, i64)>,
    /// By what the groups are made.
    pub(crate) keys: Vec<Key>,
    /// For one decision only.
    pub(crate) loose_filters: Vec<Arc<dyn Filter>>,
    pub(crate) loose_scores: Vec<(Arc<dyn Score>, i64)>,
    /// What all nodes have, whatever is said of them.
    pub(crate) constant: i64,
    /// Whether no filter looks beyond the node that it is asked about.
    pub(crate) is_local: bool,
}

/// A filter, or what it says by some keys.
#[derive(Clone)]
pub(crate) struct Part {
    rule: Arc<dyn Filter>,
    keys: Option<Vec<Key>>,
}

impl Part {
    fn whole(rule: &Arc<dyn Filter>) -> Self {
        Self { rule: rule.clone(), keys: None }
    }

    fn by(rule: &Arc<dyn Filter>, keys: Vec<Key>) -> Self {
        Self { rule: rule.clone(), keys: Some(keys) }
    }

    pub(crate) fn fits(&self, pod: &PodView, node: &NodeView<'_>) -> bool {
        match &self.keys {
            None => self.rule.filter(pod, node).fits(),
            Some(keys) => {
                keys.iter().all(|key| self.rule.filter_by(*key, pod, node).is_some_and(|it| it.fits()))
            }
        }
    }

    pub(crate) fn filter_all(&self, pod: &PodView, cluster: &Cluster, fit: &mut NodeSet) {
        match &self.keys {
            None => self.rule.filter_all(pod, cluster, fit),
            Some(_) => fit.retain(|node| self.fits(pod, &cluster.at(node))),
        }
    }
}

/// How long an answer holds.
enum Holds {
    Node,
    Group(Vec<Key>),
    /// What some keys say holds until the node changes, what others say is the same for a group.
    Both {
        own: Vec<Key>,
        group: Vec<Key>,
    },
    Once,
}

impl Plan {
    pub(crate) fn new(profile: &Profile, cluster: &Cluster, pod: &PodView) -> Self {
        let is_local = |filter: &Arc<dyn Filter>| filter.reads(pod, cluster) == Reads::Node;
        let mut plan = Self { is_local: profile.filters().iter().all(is_local), ..Self::default() };
        for filter in profile.filters() {
            match holds(filter.reads(pod, cluster), cluster) {
                Holds::Node => plan.filters.push(Part::whole(filter)),
                Holds::Group(keys) => {
                    plan.keys.extend(keys);
                    plan.group_filters.push(Part::whole(filter));
                }
                Holds::Both { own, group } if can_be_split(&**filter, pod, cluster, &own) => {
                    plan.keys.extend(&group);
                    plan.filters.push(Part::by(filter, own));
                    plan.group_filters.push(Part::by(filter, group));
                }
                Holds::Both { .. } | Holds::Once => plan.loose_filters.push(filter.clone()),
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
                Holds::Both { .. } | Holds::Once => plan.loose_scores.push(weighted),
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

    /// Whether a pod fits on a node, as far as those filters go whose answers hold until the node changes;
    /// also beside those who are nominated there.
    pub(crate) fn fits(&self, cluster: &Cluster, pod: &PodView, node: NodeId) -> bool {
        let fit = |view: &NodeView<'_>| self.filters.iter().all(|filter| filter.fits(pod, view));
        let view = cluster.at(node);
        fit(&view) && cluster.kept(pod, node).is_none_or(|kept| fit(&view.with(&kept)))
    }

    /// What changes when answers that are kept do not hold any more, though no node has changed.
    pub(crate) fn version(&self, pod: &PodView, cluster: &Cluster) -> u64 {
        let filters = self.filters.iter().map(|it| it.rule.version(pod, cluster));
        let scores = self.scores.iter().chain(&self.scaled).map(|(it, _)| it.version(pod, cluster));
        filters.chain(scores).fold(0, |all, one| crate::hash::mix(all ^ one))
    }
}

fn holds(reads: Reads, cluster: &Cluster) -> Holds {
    match reads {
        Reads::Node => Holds::Node,
        Reads::Cluster | Reads::Anything => Holds::Once,
        Reads::Domains(keys) => {
            // Where no two nodes have the same value, each is a domain of its own.
            let (own, group): (Vec<_>, Vec<_>) =
                keys.into_iter().partition(|key| cluster.column(*key).is_unique());
            match (own.is_empty(), group.is_empty()) {
                (true, _) => Holds::Group(group),
                (_, true) => Holds::Node,
                _ => Holds::Both { own, group },
            }
        }
    }
}

/// Whether a filter answers by one key.
fn can_be_split(filter: &dyn Filter, pod: &PodView, cluster: &Cluster, keys: &[Key]) -> bool {
    let node = cluster.nodes().first();
    let answers = |node| keys.iter().all(|key| filter.filter_by(*key, pod, &cluster.at(node)).is_some());
    node.is_some_and(answers)
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = |list: &[(Arc<dyn Score>, i64)]| list.iter().map(|it| it.0.name()).collect::<Vec<_>>();
        let filters = |list: &[Part]| list.iter().map(|it| it.rule.name()).collect::<Vec<_>>();
        let loose: Vec<_> = self.loose_filters.iter().map(|it| it.name()).collect();
        f.debug_struct("Plan")
            .field("filters", &filters(&self.filters))
            .field("scores", &names(&self.scores))
            .field("scaled", &names(&self.scaled))
            .field("group_filters", &filters(&self.group_filters))
            .field("group_scores", &names(&self.group_scores))
            .field("loose_filters", &loose)
            .field("loose_scores", &names(&self.loose_scores))
            .finish_non_exhaustive()
    }
}
