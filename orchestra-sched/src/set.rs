//! [`NodeId`] and [`NodeSet`]: which nodes.

use std::ops::Range;

/// A node of a cluster: its place in the columns. It stays the node's as long as the node is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) const fn of(at: usize) -> Self {
        Self(at as u32)
    }

    /// Its place in a column.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Some of a cluster's nodes, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet {
    words: Vec<u64>,
}

pub(crate) const WORD: usize = 64;

impl NodeSet {
    pub(crate) const fn empty() -> Self {
        Self { words: Vec::new() }
    }

    /// No nodes, with room for so many places.
    #[must_use]
    pub fn none(places: usize) -> Self {
        Self { words: vec![0; places.div_ceil(WORD)] }
    }

    /// Whether a node is among them.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        self.words.get(node.at() / WORD).is_some_and(|word| word >> (node.at() % WORD) & 1 == 1)
    }

    /// Adds a node.
    pub fn insert(&mut self, node: NodeId) {
        let word = node.at() / WORD;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (node.at() % WORD);
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeId) {
        if let Some(word) = self.words.get_mut(node.at() / WORD) {
            *word &= !(1 << (node.at() % WORD));
        }
    }

    /// Adds a node, or takes it out.
    pub fn set(&mut self, node: NodeId, is_in: bool) {
        if is_in { self.insert(node) } else { self.remove(node) }
    }

    /// Takes out those that are not in the other one.
    pub fn keep(&mut self, other: &Self) {
        for (at, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(at).copied().unwrap_or(0);
        }
    }

    /// Takes out those that are in the other one.
    pub fn drop_all(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// Takes out those for which something does not hold.
    pub fn retain(&mut self, mut keep: impl FnMut(NodeId) -> bool) {
        for (at, word) in self.words.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                if !keep(NodeId::of(at * WORD + bit)) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> Option<NodeId> {
        let (at, word) = self.words.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(NodeId::of(at * WORD + word.trailing_zeros() as usize))
    }

    /// The nodes, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        // Mostly few are in, or many: words without any are passed over at once.
        self.words().flat_map(|(at, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(NodeId::of(at * WORD + bit))
            })
        })
    }

    /// Shows the places, 64 at a time, among which some are in, and which: one bit each.
    pub(crate) fn in_words(&self, mut show: impl FnMut(Range<usize>, u64)) {
        for (at, word) in self.words.iter().enumerate().filter(|(_, word)| **word != 0) {
            show(at * WORD..(at + 1) * WORD, *word);
        }
    }

    /// The blocks of places among which some are in, and which: one bit each.
    pub(crate) fn words(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.words.iter().copied().enumerate().filter(|(_, word)| *word != 0)
    }

    /// Takes all out, and makes room for so many places.
    pub(crate) fn clear(&mut self, places: usize) {
        self.words.clear();
        self.words.resize(places.div_ceil(WORD), 0);
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.words.clone_from(&other.words);
    }

    /// The bits, 64 nodes a word.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        let mut set = Self::default();
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_what_was_put_in() {
        let mut set: NodeSet = [3, 64, 200].map(NodeId::of).into_iter().collect();
        assert_eq!(set.iter().map(NodeId::at).collect::<Vec<_>>(), [3, 64, 200]);
        assert!(
            set.contains(NodeId::of(64)) && !set.contains(NodeId::of(65)) && !set.contains(NodeId::of(9999))
        );
        set.retain(|node| node.at() != 64);
        set.remove(NodeId::of(9999));
        assert_eq!((set.len(), set.first()), (2, Some(NodeId::of(3))));
        let mut other = NodeSet::none(10);
        other.insert(NodeId::of(3));
        let mut rest = set.clone();
        rest.drop_all(&other);
        set.keep(&other);
        assert_eq!((set.len(), rest.first()), (1, Some(NodeId::of(200))));
    }
}
