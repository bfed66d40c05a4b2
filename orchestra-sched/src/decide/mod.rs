//! [`Decider`]: finds the node for a pod, all nodes considered.

mod column;
mod layout;
mod peaks;
mod plan;
mod sweep;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cluster::{ClassId, Cluster, Cursor, Key};
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
    tree_from: usize,
    most_bytes: usize,
    clock: u64,
}

/// How many bytes a decider keeps about classes: enough for a thousand classes on 100,000 nodes.
pub const MOST_BYTES: usize = 1 << 30;

/// From how many nodes on those are looked up in a tree for which pods that all differ are best: to look at all of
/// fewer costs less.
pub const FEWEST_IN_TREE: usize = 1024;

/// The classes that were asked for lately, by the last bits of their numbers, and where the cluster's log was then.
#[derive(Clone, Debug)]
struct Seen(Vec<(ClassId, u32, Cursor)>);

const SEEN: usize = 1024;

/// To look at so many nodes again that have changed costs as much as to look up a pod in the tree.
const FEW: usize = 128;

impl Seen {
    /// Notes a class, and tells how many changes there were since it was last asked for, if it is known.
    fn note(&mut self, id: ClassId, generation: u32, now: Cursor) -> Option<u64> {
        let (of, at, then) = std::mem::replace(&mut self.0[id.at() % SEEN], (id, generation, now));
        (of == id && at == generation).then(|| now.saturating_sub(then))
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
            seen: Seen(vec![(ClassId::default(), 0, 0); SEEN]),
            sweep: Sweep::with_tree(FEWEST_IN_TREE),
            tree_from: FEWEST_IN_TREE,
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

    /// Keeps a tree of clusters that have so many nodes or more, instead of [`FEWEST_IN_TREE`]. Decisions stay the
    /// same.
    #[must_use]
    pub fn tree_from(mut self, nodes: usize) -> Self {
        (self.tree_from, self.sweep) = (nodes, Sweep::with_tree(nodes));
        self
    }

    /// How many decisions were looked up in the tree, for those who measure.
    #[must_use]
    pub fn looked_up(&self) -> u64 {
        self.sweep.tree.found()
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
        self.sweep = Sweep::with_tree(self.tree_from);
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
        // What is kept for a class pays where few nodes change from one of its pods to the next.
        let since = self.seen.note(pod.class(), generation, cluster.log().end());
        let is_rare = since.is_none_or(|since| since > (cluster.len() / 32).min(FEW) as u64);
        if is_rare && (!is_kept && since.is_none() || self.sweep.is_served(&self.profile, cluster, pod)) {
            return self.sweep.decide(&self.profile, cluster, pod);
        }
        if !is_kept {
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
        contained(|| Sweep::default().decide(&self.profile, cluster, pod))
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
