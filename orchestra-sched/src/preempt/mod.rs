//! [`Preempt`]: who has to go so that a more important pod fits.

mod costs;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use orchestra_core::object::{Str, Timestamp};

use crate::cluster::{ClassId, Cluster, PodId};
use crate::contain::asked;
use crate::fits::fits;
use crate::profile::Profile;
use crate::rule::Verdict;
use crate::set::NodeId;
use crate::view::{NodeView, PodView};
use costs::{Costs, can_be_kept};

/// Finds out who has to go so that a pod fits. It is asked when a pod fits nowhere.
pub trait Preempt: Send {
    /// Its name, as it stands in profiles.
    fn name(&self) -> &'static str;

    /// Where room can be made, and by whose leaving. Nothing, where it would be in vain. The cluster is as it
    /// was afterwards: it is only tried out there.
    fn preempt(&mut self, profile: &Profile, cluster: &mut Cluster, pod: &PodView) -> Option<Eviction>;

    /// From now on it is asked about another cluster: what it keeps about one is to be forgotten.
    fn forget(&mut self) {}
}

/// Who has to go so that a pod fits on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The node.
    pub node: NodeId,
    /// Those who have to go, the most important first.
    pub victims: Vec<Victim>,
    /// How many of them a disruption budget would keep.
    pub violations: usize,
}

impl Eviction {
    /// Whether all of them are there, less important, and enough; or what is wrong.
    pub(crate) fn is_of_use(
        &self,
        profile: &Profile,
        cluster: &mut Cluster,
        pod: &PodView,
    ) -> Result<(), &'static str> {
        if !cluster.nodes().contains(self.node) {
            return Err("there is no such node");
        }
        let mut ids = Vec::new();
        for victim in &self.victims {
            let id = cluster.find_on(self.node, &victim.namespace, &victim.name).ok_or("one is not there")?;
            if cluster.priority(id) >= pod.priority() {
                return Err("one is not less important");
            }
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids.iter().for_each(|id| cluster.lift(*id));
        let is_enough = fits(profile, cluster, pod, self.node);
        ids.iter().for_each(|id| cluster.lower(*id, self.node));
        if is_enough { Ok(()) } else { Err("it would not fit all the same") }
    }
}

/// Somebody who has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Victim {
    /// The pod's namespace,
    pub namespace: Str,
    /// and its name.
    pub name: Str,
    /// How important it is.
    pub priority: i32,
    /// Since when it runs; the later, the less is lost.
    pub since: Option<Timestamp>,
}

/// What Kubernetes does: on each node, all less important pods are taken away and as many as possible put
/// back, those first that a disruption budget keeps, then the most important. Of the nodes the one is taken
/// where the fewest budgets are violated; then, where the most important victim is least important; where the
/// victims' priorities sum up to the least; where there are fewest; where the most important one started
/// latest; and then the one of the lowest rank. Nobody has to go for a pod for which somebody already goes,
/// on the node where it is [nominated](Cluster::nominate).
///
/// What it would cost on each node is kept for the classes that asked last, and only nodes that have changed are
/// tried again; where some filter looks beyond a node (affinity, spreading), all are tried each time. As a
/// [`Decider`](crate::Decider), it belongs to one cluster.
#[derive(Clone, Debug, Default)]
pub struct LeastImportant {
    kept: BTreeMap<ClassId, Costs>,
    clock: u64,
}

/// How many bytes are kept about what it would cost to make room: enough for a dozen classes on 50,000 nodes.
pub const MOST_COSTS: usize = 1 << 27;

impl Preempt for LeastImportant {
    fn name(&self) -> &'static str {
        "LeastImportant"
    }

    fn preempt(&mut self, profile: &Profile, cluster: &mut Cluster, pod: &PodView) -> Option<Eviction> {
        if pod.shape().never_preempts || is_being_made_room_for(cluster, pod) {
            return None;
        }
        if can_be_kept(profile, cluster, pod) {
            let node = self.costs(cluster, pod).cheapest(profile, cluster, pod)?;
            return on(node, profile, cluster, pod);
        }
        let nodes: Vec<_> = cluster.nodes().iter().collect();
        let evictions: Vec<_> =
            nodes.into_iter().filter_map(|node| on(node, profile, cluster, pod)).collect();
        evictions.into_iter().min_by_key(|it| (cost(it), cluster.rank(it.node), it.node))
    }

    fn forget(&mut self) {
        self.kept.clear();
    }
}

impl LeastImportant {
    /// What is kept for the pod's class. Classes that did not ask for longest are forgotten, while there is no
    /// room for one more.
    fn costs(&mut self, cluster: &Cluster, pod: &PodView) -> &mut Costs {
        let most = (MOST_COSTS / Costs::bytes(cluster.places())).max(1);
        while self.kept.len() >= most && !self.kept.contains_key(&pod.class()) {
            let oldest = self.kept.iter().min_by_key(|(_, costs)| costs.used).map(|(class, _)| *class);
            oldest.into_iter().for_each(|class| drop(self.kept.remove(&class)));
        }
        self.clock += 1;
        let costs = self.kept.entry(pod.class()).or_default();
        costs.used = self.clock;
        costs
    }
}

/// Whether somebody who has to go for it is already going.
fn is_being_made_room_for(cluster: &Cluster, pod: &PodView) -> bool {
    let goes = |id: &PodId| cluster.is_going(*id) && cluster.priority(*id) < pod.priority();
    let node = cluster.nominated(pod.namespace(), pod.name());
    node.is_some_and(|node| cluster.pods_on(node).iter().any(goes))
}

/// What an eviction costs; the less, the better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    violations: usize,
    highest: i32,
    sum: i64,
    victims: usize,
    started: Reverse<Option<(bool, Option<Timestamp>)>>,
}

fn cost(eviction: &Eviction) -> Cost {
    let highest = eviction.victims.iter().map(|it| it.priority).max().unwrap_or(i32::MIN);
    // Each victim counts, also one of a negative priority.
    let sum: i64 = eviction.victims.iter().map(|it| i64::from(it.priority) - i64::from(i32::MIN)).sum();
    let most_important = eviction.victims.iter().filter(|it| it.priority == highest);
    // Who has not started yet has nothing to lose.
    let started = Reverse(most_important.map(|it| (it.since.is_none(), it.since)).min());
    Cost { violations: eviction.violations, highest, sum, victims: eviction.victims.len(), started }
}

/// Who has to go on one node.
fn on(node: NodeId, profile: &Profile, cluster: &mut Cluster, pod: &PodView) -> Option<Eviction> {
    let less_important = |id: &PodId| cluster.priority(*id) < pod.priority();
    let mut candidates: Vec<_> = cluster.pods_on(node).iter().copied().filter(less_important).collect();
    if candidates.is_empty() || is_in_vain(node, profile, cluster, pod) {
        return None;
    }
    candidates.sort_unstable_by(|one, other| importance(cluster, *one).cmp(&importance(cluster, *other)));
    candidates.iter().for_each(|id| cluster.lift(*id));
    let fits_now = |cluster: &Cluster| {
        let all = |view: &NodeView<'_>| profile.filters().iter().all(|it| asked(&**it, pod, view).fits());
        let view = cluster.at(node);
        all(&view) && cluster.kept(pod, node).is_none_or(|kept| all(&view.with(&kept)))
    };
    let mut victims = Vec::new();
    if fits_now(cluster) {
        let violating = violating(cluster, &candidates);
        let order = [true, false].into_iter().flat_map(|first| {
            candidates.iter().zip(&violating).filter(move |(_, violates)| **violates == first)
        });
        for (id, violates) in order {
            cluster.lower(*id, node);
            if !fits_now(cluster) {
                cluster.lift(*id);
                victims.push((*id, *violates));
            }
        }
    } else {
        candidates.iter().for_each(|id| cluster.lower(*id, node));
        return None;
    }
    victims.iter().for_each(|(id, _)| cluster.lower(*id, node));
    let violations = victims.iter().filter(|(_, violates)| *violates).count();
    victims.sort_unstable_by(|one, other| importance(cluster, one.0).cmp(&importance(cluster, other.0)));
    let victims = victims.into_iter().map(|(id, _)| cluster.victim(id)).collect();
    Some(Eviction { node, victims, violations })
}

/// Whether the pod would not fit there even if nobody else was there.
fn is_in_vain(node: NodeId, profile: &Profile, cluster: &Cluster, pod: &PodView) -> bool {
    let view = cluster.at(node);
    profile.filters().iter().any(|filter| match asked(&**filter, pod, &view) {
        Verdict::Fits => false,
        Verdict::Rejects(rejection) => rejection.is_final,
    })
}

/// The most important first: by priority, then who has run longest, then by name.
fn importance(cluster: &Cluster, id: PodId) -> impl Ord + use<'_> {
    let pod = cluster.placed(id);
    (Reverse(cluster.priority(id)), pod.since.is_none(), pod.since, &pod.namespace, &pod.name)
}

/// Whose leaving violates a disruption budget, if they leave in this order.
fn violating(cluster: &Cluster, pods: &[PodId]) -> Vec<bool> {
    let mut budgets: Vec<_> = cluster.budgets().map(|budget| (budget, budget.allowed)).collect();
    let violates = |id: &PodId| {
        let mut violates = false;
        for (_, left) in budgets.iter_mut().filter(|(budget, _)| cluster.is_under(budget, *id)) {
            *left -= 1;
            violates |= *left < 0;
        }
        violates
    };
    pods.iter().map(violates).collect()
}
