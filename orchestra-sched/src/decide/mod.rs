//! [`Decider`]: finds the node for a pod, all nodes considered.

mod column;
mod layout;
mod peaks;
mod plan;
mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{ClassId, Cluster, Key};
use crate::contain::contained;
use crate::profile::Profile;
use crate::set::NodeId;
use crate::view::PodView;
use column::Column;
use layout::Layout;
use sweep::Sweep;

/// What becomes of a pod that asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This node is best.
    Place {
        /// The node.
        node: NodeId,
        /// Its score, all rules together.
        score: i64,
    },
    /// It fits nowhere.
    NoFit,
    /// It is not to be placed yet: somebody holds it back (`schedulingGates`).
    Gated,
}

/// Finds nodes for pods by a profile.
///
/// Every node counts, for every pod, as if each rule had been asked about it. What was found out for a
/// class of pods is kept, node by node, and only what has changed since is looked at again.
///
/// So it belongs to one cluster, and so do the views of pods: whoever tries something out on a copy of the cluster copies
/// the decider with it. (A copy costs what the columns are long: milliseconds for thousands of nodes.)
#[derive(Clone, Debug)]
pub struct Decider {
    profile: Profile,
    /// What is known for a class, for those that were asked for most recently.
    columns: BTreeMap<ClassId, Column>,
    layouts: BTreeMap<Vec<Key>, Arc<Layout>>,
    /// Classes that were asked for once. What is asked for twice is kept.
    seen: Seen,
    sweep: Sweep,
    most_bytes: usize,
    clock: u64,
}

/// How many bytes a decider keeps about classes: enough for a thousand classes on 100,000 nodes.
pub const MOST_BYTES: usize = 1 << 30;

/// The classes that were asked for lately, by the last bits of their numbers.
#[derive(Clone, Debug)]
struct Seen(Vec<(ClassId, u32)>);

const SEEN: usize = 1024;

impl Seen {
    /// Notes a class, and tells whether it was there.
    fn note(&mut self, id: ClassId, generation: u32) -> bool {
        std::mem::replace(&mut self.0[id.at() % SEEN], (id, generation)) == (id, generation)
    }
}

impl Decider {
    /// Finds nodes by a profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            columns: BTreeMap::new(),
            layouts: BTreeMap::new(),
            seen: Seen(vec![(ClassId::default(), 0); SEEN]),
            sweep: Sweep::default(),
            most_bytes: MOST_BYTES,
            clock: 0,
        }
    }

    /// Keeps at most so many bytes about classes, instead of [`MOST_BYTES`]. Decisions stay the same.
    #[must_use]
    pub fn most_bytes(mut self, most: usize) -> Self {
        self.most_bytes = most;
        self
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The best node for a pod. Nothing is changed by that: [`Cluster::assume`] places it.
    ///
    /// A node about which one of the rules panics is none where the pod fits; [`explain`](Self::explain) names the rule.
    pub fn decide(&mut self, cluster: &Cluster, pod: &PodView) -> Decision {
        contained(|| self.decide_by_rules(cluster, pod))
            .unwrap_or_else(|_| self.decide_in_spite(cluster, pod))
    }

    /// A rule panicked: what was kept for the class is not to be trusted, and the rules are asked one by one.
    fn decide_in_spite(&mut self, cluster: &Cluster, pod: &PodView) -> Decision {
        self.columns.remove(&pod.class());
        self.sweep = Sweep::default();
        Sweep::default().decide(&self.profile.contained(), cluster, pod)
    }

    fn decide_by_rules(&mut self, cluster: &Cluster, pod: &PodView) -> Decision {
        if !pod.shape().gates.is_empty() {
            return Decision::Gated;
        }
        let Some(class) = cluster.class(pod.class()) else { return Decision::NoFit };
        self.clock += 1;
        let generation = class.generation;
        let is_kept = self.columns.get(&pod.class()).is_some_and(|column| column.is_of(generation));
        if !is_kept {
            if !self.seen.note(pod.class(), generation) {
                return self.sweep.decide(&self.profile, cluster, pod);
            }
            self.make_room(cluster);
            self.columns.insert(pod.class(), Column::new(generation));
        }
        match self.columns.get_mut(&pod.class()) {
            Some(column) => {
                column.used = self.clock;
                column.decide(&self.profile, cluster, pod, &mut self.layouts, &mut self.sweep)
            }
            None => self.sweep.decide(&self.profile, cluster, pod),
        }
    }

    /// The best node for a pod, found by asking each rule about each node and keeping nothing. It is
    /// what [`decide`](Self::decide) finds, slowly.
    pub fn decide_anew(&mut self, cluster: &Cluster, pod: &PodView) -> Decision {
        if !pod.shape().gates.is_empty() {
            return Decision::Gated;
        }
        self.sweep = Sweep::default();
        contained(|| self.sweep.decide(&self.profile, cluster, pod))
            .unwrap_or_else(|_| self.decide_in_spite(cluster, pod))
    }

    /// Forgets the classes that were not asked for longest, while there is no room for one more.
    fn make_room(&mut self, cluster: &Cluster) {
        let most = (self.most_bytes / Column::bytes(cluster.places())).max(1);
        if self.columns.len() < most {
            return;
        }
        // A quarter at a time, so that the oldest are looked for seldom.
        let mut used: Vec<_> = self.columns.values().map(|column| column.used).collect();
        used.sort_unstable();
        let oldest = used[used.len() / 4];
        self.columns.retain(|_, column| column.used > oldest);
    }
}
