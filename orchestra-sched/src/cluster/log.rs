//! [`Log`]: which nodes have changed lately, for whoever keeps something about each node.

use crate::set::NodeId;

/// A place in a log.
pub(crate) type Cursor = u64;

/// The latest changes, each the node that changed. What is older is forgotten: who has not seen it
/// looks at all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    ring: Vec<NodeId>,
    end: Cursor,
}

/// The log is that long at least, so that small clusters do not rescan for a few changes.
const SHORTEST: usize = 1024;

impl Log {
    /// Makes room for a share of so many nodes: to look at more nodes one by one than a twentieth of all
    /// of them costs more than to look at all.
    pub(crate) fn fit(&mut self, nodes: usize) {
        let size = (nodes / 20).max(SHORTEST).next_power_of_two();
        if size > self.ring.len() {
            self.ring = vec![NodeId::default(); size];
            self.end += size as u64 + 1; // what was there cannot be read any more
        }
    }

    pub(crate) fn note(&mut self, node: NodeId) {
        if let Some(last) = self.ring.len().checked_sub(1) {
            self.ring[self.end as usize & last] = node;
            self.end += 1;
        }
    }

    /// Where the log ends.
    pub(crate) fn end(&self) -> Cursor {
        self.end
    }

    /// The nodes that have changed since; `None` when that is not known any more, or is more than a
    /// share of the nodes.
    pub(crate) fn since(&self, cursor: Cursor) -> Option<impl Iterator<Item = NodeId> + '_> {
        let many = self.end.checked_sub(cursor).filter(|many| *many <= self.ring.len() as u64)?;
        let mask = self.ring.len().saturating_sub(1);
        Some((0..many).map(move |at| self.ring[(cursor + at) as usize & mask]))
    }
}
