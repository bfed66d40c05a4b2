//! [`Layout`]: an order of the nodes in which those of one domain stand together.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, Key};
use crate::set::{NodeId, WORD};

/// The nodes in groups by some keys, each group by rank and in blocks of its own.
///
/// So the first of a group's best nodes is the one to take, and no block of 64 has nodes of two groups.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// By position; blocks are filled up with nobody.
    pub(crate) order: Vec<Option<NodeId>>,
    /// By the node's place.
    pub(crate) position: Vec<u32>,
    pub(crate) groups: Vec<Group>,
    /// By block.
    pub(crate) group_of: Vec<u32>,
    /// What the cluster's objects were when it was made.
    pub(crate) objects: u64,
}

/// Nodes that are in the same domains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Its first block, and the one after its last.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Layout {
    pub(crate) fn new(cluster: &Cluster, keys: &[Key]) -> Self {
        let mut groups: BTreeMap<Vec<u32>, Vec<NodeId>> = BTreeMap::new();
        for node in cluster.nodes().iter() {
            let domains = keys.iter().map(|key| cluster.column(*key).domain(node)).collect();
            groups.entry(domains).or_default().push(node);
        }
        let mut layout = Self {
            order: Vec::new(),
            position: vec![u32::MAX; cluster.places()],
            groups: Vec::new(),
            group_of: Vec::new(),
            objects: cluster.objects(),
        };
        for (number, mut nodes) in groups.into_values().enumerate() {
            nodes.sort_unstable_by_key(|node| (cluster.rank(*node), *node));
            let from = layout.group_of.len();
            let to = from + nodes.len().div_ceil(WORD);
            for (at, node) in nodes.iter().enumerate() {
                layout.position[node.at()] = (from * WORD + at) as u32;
            }
            layout.order.extend(nodes.into_iter().map(Some));
            layout.order.resize(to * WORD, None);
            layout.group_of.resize(to, number as u32);
            layout.groups.push(Group { from, to });
        }
        layout
    }
}
