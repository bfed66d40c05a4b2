//! [`Node`]: a document as it was written, each part with its place in the text.

use std::collections::BTreeSet;

use serde_json::{Number, Value};

use crate::object::{FieldPath, Segment};

/// A place in a text, both counted from 1; zero where there is no text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The line.
    pub line: u32,
    /// The character within the line.
    pub column: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    /// Where the key stands.
    pub(crate) mark: Mark,
    pub(crate) value: Node,
}

/// Limits on what is read, so that a few bytes of input cannot take up all memory.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many bytes a text may have. 16 MiB is more than the largest collections of manifests
    /// that people apply at once, and a dozen times what Kubernetes allows for one object.
    pub bytes: usize,
    /// How deep a document may be nested. Schemas within custom resource definitions, the deepest
    /// documents in use, reach 40.
    pub depth: usize,
    /// How many values a text may have, those that aliases repeat included. What people write has
    /// one in 20 to 50 bytes; the worst take some 800 bytes of memory each.
    pub nodes: usize,
    /// How many documents a text may have, the items of lists included.
    pub documents: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 100, nodes: 1 << 18, documents: 10_000 }
    }
}

/// Why a text is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) mark: Mark,
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
    /// Whether it is too much rather than wrong.
    pub(crate) is_limit: bool,
}

impl Syntax {
    pub(crate) fn new(mark: Mark, text: impl Into<String>) -> Self {
        Self { mark, text: text.into(), hint: None, is_limit: false }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn too_deep(mark: Mark, limits: &Limits) -> Self {
        let text = format!("nested deeper than {} levels, the limit", limits.depth);
        Self { is_limit: true, ..Self::new(mark, text) }
    }

    pub(crate) fn too_many(mark: Mark, limits: &Limits) -> Self {
        let text = format!("more than {} values, the limit", limits.nodes);
        Self { is_limit: true, ..Self::new(mark, text).hint("split the file") }
    }
}

impl Node {
    /// The value under a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.data {
            Data::Map(entries) => {
                entries.iter().rev().find(|entry| &*entry.key == key).map(|entry| &entry.value)
            }
            _ => None,
        }
    }

    /// The value that a plain step leads to.
    pub(crate) fn step(&self, step: &Segment) -> Option<&Node> {
        match (step, &self.data) {
            (Segment::Field(name), Data::Map(_)) => self.get(name),
            (Segment::Index(index), Data::List(list)) => list.get(*index),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(crate) fn sort(&self) -> &'static str {
        match self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// Where the place that a path leads to stands: the key, for a field; the nearest place that
    /// exists, for one that does not.
    pub(crate) fn locate(&self, path: &FieldPath) -> Mark {
        let (mut node, mut mark) = (self, self.mark);
        for segment in path.segments() {
            let found = match (segment, &node.data) {
                (Segment::Field(name), Data::Map(entries)) => entries
                    .iter()
                    .rev()
                    .find(|entry| *entry.key == **name)
                    .map(|entry| (entry.mark, &entry.value)),
                (Segment::Index(index), Data::List(list)) => list.get(*index).map(|item| (item.mark, item)),
                (Segment::Item(keys), Data::List(list)) => {
                    // A key that is left out may have the default that the path tells.
                    let fits = |item: &&Node, or_absent: bool| {
                        keys.iter().all(|(key, value)| match item.get(key) {
                            Some(own) => own.to_value() == *value,
                            None => or_absent,
                        })
                    };
                    let item = list.iter().find(|item| fits(item, false));
                    item.or_else(|| list.iter().find(|item| fits(item, true))).map(|item| (item.mark, item))
                }
                _ => None,
            };
            match found {
                Some(place) => (mark, node) = place,
                None => break,
            }
        }
        mark
    }

    /// Keeps the last entry of each key and answers where the others stood.
    pub(crate) fn drop_duplicates(&mut self) -> Vec<(Mark, FieldPath)> {
        let mut dropped = Vec::new();
        self.drop_duplicates_below(&mut Vec::new(), &mut dropped);
        dropped.sort_by_key(|(mark, _)| (mark.line, mark.column));
        dropped
    }

    fn drop_duplicates_below(&mut self, path: &mut Vec<Segment>, dropped: &mut Vec<(Mark, FieldPath)>) {
        match &mut self.data {
            Data::List(list) => {
                for (index, item) in list.iter_mut().enumerate() {
                    path.push(index.into());
                    item.drop_duplicates_below(path, dropped);
                    path.pop();
                }
            }
            Data::Map(entries) => {
                let mut seen = BTreeSet::new();
                let last_of_its_key: Vec<bool> =
                    entries.iter().rev().map(|entry| seen.insert(&*entry.key)).collect();
                if seen.len() < entries.len() {
                    let mut keep = last_of_its_key.into_iter().rev();
                    entries.retain(|entry| {
                        let keep = keep.next().unwrap_or(true);
                        if !keep {
                            let key = Segment::Field((*entry.key).into());
                            dropped.push((entry.mark, path.iter().cloned().chain([key]).collect()));
                        }
                        keep
                    });
                }
                for entry in entries {
                    path.push((*entry.key).into());
                    entry.value.drop_duplicates_below(path, dropped);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// The same without the places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.to_string()),
            Data::List(list) => list.iter().map(Self::to_value).collect(),
            Data::Map(entries) => {
                entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_value())).collect()
            }
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Bool(value),
            Value::Number(number) => Data::Number(number),
            Value::String(text) => Data::Text(text.into()),
            Value::Array(list) => Data::List(list.into_iter().map(Self::from).collect()),
            Value::Object(map) => Data::Map(
                map.into_iter()
                    .map(|(key, value)| Entry { key: key.into(), mark: Mark::default(), value: value.into() })
                    .collect(),
            ),
        };
        Self { mark: Mark::default(), data }
    }
}
