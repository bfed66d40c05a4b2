//! [`Placer`]: the whole algorithm, for a whole batch of pods.

use std::sync::Arc;

use crate::cluster::{Cluster, Devices};
use crate::contain::contained;
use crate::decide::{Decider, Decision};
use crate::rule::Score;
use crate::set::NodeId;
use crate::view::PodView;

/// Places pods that wait, all that are there at once: in which order, by which rules, one by one or
/// together, is its own business.
///
/// What it decides it also [assumes](Cluster::assume), so that no two pods are given the same room. A
/// decision holds for the cluster as it then is; whoever writes it down sees to it that nothing has
/// changed meanwhile.
///
/// ```
/// use orchestra_sched::{Cluster, Decider, Decision, Dim, Placer, PodView, Profile};
///
/// /// The biggest first: what is small fits into what is left.
/// struct BiggestFirst(Decider);
///
/// impl Placer for BiggestFirst {
///     fn name(&self) -> &'static str { "BiggestFirst" }
///     fn place(&mut self, batch: &[PodView], cluster: &mut Cluster) -> Vec<Decision> {
///         let mut order: Vec<_> = (0..batch.len()).collect();
///         order.sort_by_key(|at| std::cmp::Reverse(batch[*at].request(Dim::CPU)));
///         let mut decisions = vec![Decision::NoFit; batch.len()];
///         for at in order {
///             decisions[at] = self.0.place(cluster, &batch[at]);
///         }
///         decisions
///     }
/// }
/// # let _ = BiggestFirst(Decider::new(Profile::default())).place(&[], &mut Cluster::seeded(1));
/// ```
pub trait Placer: Send {
    /// Its name, as it stands in reports.
    fn name(&self) -> &'static str;

    /// Decides about each pod, and assumes what it decides. One answer for each, in the batch's order.
    fn place(&mut self, batch: &[PodView], cluster: &mut Cluster) -> Vec<Decision>;

    /// From now on it is asked about another cluster: what it keeps about one is to be forgotten.
    fn forget(&mut self) {}
}

/// Gives each pod in turn the best node that is left: what Kubernetes does.
#[derive(Clone, Debug)]
pub struct Greedy(Decider);

impl Greedy {
    /// By the rules of a decider's profile.
    #[must_use]
    pub fn new(decider: Decider) -> Self {
        Self(decider)
    }
}

impl Placer for Greedy {
    fn name(&self) -> &'static str {
        "Greedy"
    }

    fn place(&mut self, batch: &[PodView], cluster: &mut Cluster) -> Vec<Decision> {
        batch.iter().map(|pod| self.0.place(cluster, pod)).collect()
    }

    fn forget(&mut self) {
        self.0 = Decider::new(self.0.profile().clone());
    }
}

impl Decider {
    /// [Decides](Self::decide) about a pod, and assumes it.
    pub fn place(&mut self, cluster: &mut Cluster, pod: &PodView) -> Decision {
        let decision = self.decide(cluster, pod);
        if let Decision::Place { node, .. } = decision {
            self.assume(cluster, pod, node);
        }
        decision
    }

    /// Takes a pod to be placed on a node, with the devices that the profile's rules choose there.
    pub fn assume(&self, cluster: &mut Cluster, pod: &PodView, node: NodeId) {
        let devices = self.choose_devices(cluster, pod, node);
        cluster.assume_with(pod, node, devices);
    }

    /// The devices that a pod would have on a node; nothing, where it asks for none or there are none for it.
    #[must_use]
    pub fn choose_devices(&self, cluster: &Cluster, pod: &PodView, node: NodeId) -> Option<Devices> {
        if pod.devices().is_empty() {
            return None;
        }
        let view = cluster.at(node);
        let chosen = |rule: &Arc<dyn Score>| contained(|| rule.devices(pod, &view)).unwrap_or(None);
        let rules = self.profile().scores().filter(|(_, weight)| *weight > 0);
        let mut chosen = rules.filter_map(|(rule, _)| chosen(rule));
        chosen
            .find(|devices| cluster.can_have(pod, node, devices))
            .or_else(|| cluster.choose_devices(pod, node))
    }
}
