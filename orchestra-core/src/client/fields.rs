//! [`FieldSet`]: some of an object's fields, in the form in which Kubernetes notes who owns them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::object::{FieldPath, Segment};

/// Some of the fields of an object: those that a manager owns, say.
///
/// It is written as Kubernetes' `FieldsV1`: `f:replicas` is a field, `k:{"name":"app"}` the element of
/// a list that has this key, `v:"x"` the element of a set, and `.` the place itself beside what is
/// below it. That an element is owned does not mean that all of its fields are.
///
/// ```
/// use orchestra_core::client::FieldSet;
/// let fields = FieldSet::from_value(&serde_json::json!({
///     "f:spec": { "f:containers": { "k:{\"name\":\"app\"}": { ".": {}, "f:image": {} } } },
/// }));
/// let paths: Vec<_> = fields.paths().iter().map(ToString::to_string).collect();
/// assert_eq!(paths, ["spec.containers[name=app]", "spec.containers[name=app].image"]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldSet(BTreeMap<String, Node>);

/// What is owned at a step and below it. Never nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Whether the place itself is in the set.
    pub(super) member: bool,
    pub(super) below: FieldSet,
}

/// The step into a field of a struct or an entry of a map.
pub(super) fn field_step(name: &str) -> String {
    ["f:", name].concat()
}

/// The step to an element of a list by its keys. JSON's maps are sorted, so that it has one form.
pub(super) fn key_step(names: &[&str], item: &Value) -> String {
    let keys = names.iter().map(|name| ((*name).into(), item.get(name).cloned().unwrap_or(Value::Null)));
    format!("k:{}", Value::Object(keys.collect()))
}

/// The step to an element of a set.
pub(super) fn value_step(item: &Value) -> String {
    format!("v:{item}")
}

impl FieldSet {
    /// Reads the form in which it is stored. What is none of it is passed over.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let Value::Object(entries) = value else { return Self::default() };
        let nodes = entries.iter().filter(|(step, _)| step.as_str() != ".").map(|(step, inside)| {
            let below = Self::from_value(inside);
            let member = below.is_empty() || inside.get(".").is_some();
            (step.clone(), Node { member, below })
        });
        Self(nodes.collect())
    }

    /// Writes it as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.clone().into_value()
    }

    /// The same, when the set itself is not needed any more.
    pub(super) fn into_value(self) -> Value {
        let entries = self.0.into_iter().map(|(step, node)| {
            let is_both = node.member && !node.below.is_empty();
            let mut inside = node.below.into_value();
            if let (Value::Object(map), true) = (&mut inside, is_both) {
                map.insert(".".into(), Value::Object(Map::new()));
            }
            (step, inside)
        });
        Value::Object(entries.collect())
    }

    /// Whether there is no field in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields, each with its path, those above before those below.
    #[must_use]
    pub fn paths(&self) -> Vec<FieldPath> {
        fn collect(set: &FieldSet, at: &FieldPath, paths: &mut Vec<FieldPath>) {
            for (step, node) in &set.0 {
                let path = at.join(segment(step));
                if node.member {
                    paths.push(path.clone());
                }
                collect(&node.below, &path, paths);
            }
        }
        let mut paths = Vec::new();
        collect(self, &FieldPath::ROOT, &mut paths);
        paths
    }

    pub(super) fn get(&self, step: &str) -> Option<&Node> {
        self.0.get(step)
    }

    pub(super) fn insert(&mut self, path: &[String]) {
        if let [step, rest @ ..] = path {
            let node = self.0.entry(step.clone()).or_default();
            match rest {
                [] => node.member = true,
                rest => node.below.insert(rest),
            }
        }
    }

    /// Takes a step out with everything below it.
    pub(super) fn remove(&mut self, step: &str) {
        self.0.remove(step);
    }

    /// Takes one field out. What is below it stays.
    pub(super) fn take(&mut self, path: &[&str]) {
        let [step, rest @ ..] = path else { return };
        let Some(node) = self.0.get_mut(*step) else { return };
        match rest {
            [] => node.member = false,
            rest => node.below.take(rest),
        }
        if !node.member && node.below.is_empty() {
            self.0.remove(*step);
        }
    }

    /// Takes out what the other has. A field stays when only what is below it is taken.
    pub(super) fn subtract(&mut self, other: &Self) {
        for (step, theirs) in &other.0 {
            let Some(own) = self.0.get_mut(step) else { continue };
            own.member &= !theirs.member;
            own.below.subtract(&theirs.below);
            if !own.member && own.below.is_empty() {
                self.0.remove(step);
            }
        }
    }

    pub(super) fn union(mut self, other: &Self) -> Self {
        for (step, theirs) in &other.0 {
            let own = self.0.entry(step.clone()).or_default();
            own.member |= theirs.member;
            own.below = std::mem::take(&mut own.below).union(&theirs.below);
        }
        self
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let nodes = self.0.iter().filter_map(|(step, own)| {
            let theirs = other.0.get(step)?;
            let node =
                Node { member: own.member && theirs.member, below: own.below.intersection(&theirs.below) };
            (node.member || !node.below.is_empty()).then(|| (step.clone(), node))
        });
        Self(nodes.collect())
    }

    /// The fields that the other does not have.
    pub(super) fn difference(&self, other: &Self) -> Self {
        let mut left = self.clone();
        left.subtract(other);
        left
    }
}

/// A step as it stands in a path.
fn segment(step: &str) -> Segment {
    let (sort, text) = step.split_at_checked(2).unwrap_or(("f:", step));
    match (sort, text.parse::<Value>()) {
        ("k:", Ok(Value::Object(keys))) => {
            Segment::Item(keys.into_iter().map(|(name, value)| (name.into(), value)).collect())
        }
        ("v:", Ok(value)) => Segment::Item(vec![("".into(), value)]),
        ("i:", Ok(index)) => Segment::Index(index.as_u64().and_then(|at| at.try_into().ok()).unwrap_or(0)),
        _ => Segment::Field(text.into()),
    }
}

/// Shows the paths. They may hold elements of sets and keys of maps, but no value of a field.
impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.paths().iter().map(ToString::to_string)).finish()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", if self.member { "." } else { "" }, self.below)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: Value) -> FieldSet {
        FieldSet::from_value(&value)
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for form in [
            json!({}),
            json!({"f:a": {}}),
            json!({"f:a": {".": {}, "f:b": {}, "v:\"x\"": {}}, "k:{\"n\":1}": {".": {}, "f:n": {}}}),
        ] {
            assert_eq!(set(form.clone()).to_value(), form);
        }
    }

    #[test]
    fn sets_are_sets() {
        let a = set(json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}, "f:x": {}}));
        let b = set(json!({"f:a": {"f:b": {}, "f:d": {}}, "f:y": {}}));
        assert_eq!(a.difference(&b), set(json!({"f:a": {".": {}, "f:c": {}}, "f:x": {}})));
        assert_eq!(a.intersection(&b), set(json!({"f:a": {"f:b": {}}})));
        assert_eq!(b.difference(&a), set(json!({"f:a": {"f:d": {}}, "f:y": {}})));
        let all = json!({"f:a": {".": {}, "f:b": {}, "f:c": {}, "f:d": {}}, "f:x": {}, "f:y": {}});
        assert_eq!(a.clone().union(&b), set(all));
        assert!(a.difference(&a).is_empty());
    }

    #[test]
    fn any_text_is_some_path() {
        for step in ["", "f", "ä", "k:", "k:[]", "v:", "i:-1", "i:2", "x:y"] {
            let _ = set(json!({ step: {} })).paths();
        }
        assert_eq!(set(json!({"v:\"a\"": {}})).paths()[0].to_string(), "[=a]");
    }
}
