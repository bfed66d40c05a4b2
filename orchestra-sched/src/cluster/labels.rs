//! [`Labels`]: the labels of nodes as columns, for the keys that some rule looks at.

use std::collections::BTreeMap;

use orchestra_core::object::Str;

use super::nodes::Facts;
use crate::set::NodeId;

/// A label's key, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(crate) u32);

/// What stands for the key of the label that only the node itself has: its name, whatever it says of
/// itself.
pub(crate) const ITSELF: &str = "";

/// A value of one key, as a number: a *domain*, all nodes that have it. 0 is "no such label".
pub(crate) type Domain = u32;

/// What a node without the label has.
pub(crate) const NOWHERE: Domain = 0;

#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    keys: BTreeMap<Str, Key>,
    columns: Vec<Column>,
}

/// One key: the value that each node has.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) key: Str,
    of_node: Vec<Domain>,
    by_value: BTreeMap<Str, Domain>,
    /// By domain; the first stands for no value.
    values: Vec<Str>,
    nodes: Vec<u32>,
    free: Vec<Domain>,
    /// How many domains have two nodes or more.
    shared: usize,
    /// Raised whenever a domain appears or goes.
    pub(crate) version: u64,
}

impl Labels {
    /// The column of a key, which is filled if it is new.
    pub(crate) fn of<'a>(
        &mut self,
        key: &Str,
        nodes: impl Iterator<Item = (NodeId, &'a Facts)>,
        places: usize,
    ) -> Key {
        if let Some(key) = self.keys.get(key) {
            return *key;
        }
        let number = Key(self.columns.len() as u32);
        let mut column = Column {
            key: key.clone(),
            of_node: vec![NOWHERE; places],
            by_value: BTreeMap::new(),
            values: vec![Str::EMPTY],
            nodes: vec![0],
            free: Vec::new(),
            shared: 0,
            version: 0,
        };
        for (node, facts) in nodes {
            let value = column.of(facts);
            column.set(node, value);
        }
        self.columns.push(column);
        self.keys.insert(key.clone(), number);
        number
    }

    pub(crate) fn column(&self, key: Key) -> &Column {
        &self.columns[key.0 as usize]
    }

    pub(crate) fn find(&self, key: &str) -> Option<Key> {
        self.keys.get(key).copied()
    }

    pub(crate) fn grow(&mut self, places: usize) {
        self.columns.iter_mut().for_each(|column| column.of_node.resize(places, NOWHERE));
    }

    /// Takes over a node's labels; none when it is gone.
    pub(crate) fn set(&mut self, node: NodeId, facts: Option<&Facts>) {
        for column in &mut self.columns {
            let value = facts.and_then(|facts| column.of(facts));
            column.set(node, value);
        }
    }
}

impl Column {
    /// What a node has there.
    fn of<'a>(&self, facts: &'a Facts) -> Option<&'a Str> {
        if self.key == ITSELF { Some(&facts.name) } else { facts.labels.get(&self.key) }
    }

    fn set(&mut self, node: NodeId, value: Option<&Str>) {
        let old = self.of_node[node.at()];
        if (old == NOWHERE && value.is_none())
            || (old != NOWHERE && value == Some(&self.values[old as usize]))
        {
            return;
        }
        if old != NOWHERE {
            let nodes = &mut self.nodes[old as usize];
            *nodes -= 1;
            match *nodes {
                0 => {
                    let value = std::mem::take(&mut self.values[old as usize]);
                    self.by_value.remove(&value);
                    self.free.push(old);
                    self.version += 1;
                }
                1 => self.shared -= 1,
                _ => {}
            }
        }
        self.of_node[node.at()] = value.map_or(NOWHERE, |value| self.enter(value));
    }

    fn enter(&mut self, value: &Str) -> Domain {
        if let Some(domain) = self.by_value.get(value) {
            self.nodes[*domain as usize] += 1;
            self.shared += usize::from(self.nodes[*domain as usize] == 2);
            return *domain;
        }
        self.version += 1;
        let domain = self.free.pop().unwrap_or(self.values.len() as Domain);
        if domain as usize == self.values.len() {
            self.values.push(Str::EMPTY);
            self.nodes.push(0);
        }
        self.values[domain as usize] = value.clone();
        self.nodes[domain as usize] = 1;
        self.by_value.insert(value.clone(), domain);
        domain
    }

    /// Where a node is.
    #[inline]
    pub(crate) fn domain(&self, node: NodeId) -> Domain {
        self.of_node[node.at()]
    }

    /// One more than the greatest domain.
    pub(crate) fn domains(&self) -> usize {
        self.values.len()
    }

    /// Whether no two nodes have the same value, as with the label of the host's name.
    pub(crate) fn is_unique(&self) -> bool {
        self.shared == 0
    }
}
