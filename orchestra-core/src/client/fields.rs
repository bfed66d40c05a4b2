//! [`FieldSet`]: some of an object's fields, in the form in which Kubernetes notes who owns them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::object::{FieldPath, FieldsV1, Segment};

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

/// The step to the place itself.
const ITSELF: &str = ".";

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
        let nodes = entries.iter().filter(|(step, _)| *step != ITSELF).map(|(step, inside)| {
            let below = Self::from_value(inside);
            let member = below.is_empty() || inside.get(ITSELF).is_some();
            (step.clone(), Node { member, below })
        });
        Self(nodes.collect())
    }

    /// Reads what is stored with an object.
    #[must_use]
    pub fn parse(stored: &FieldsV1) -> Self {
        // Sets of another form than this one are read as trees, and what is none of it is passed over.
        serde_json::from_str(stored.as_str()).unwrap_or_else(|_| Self::from_value(&stored.to_value()))
    }

    /// Writes it as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.to_stored().to_value()
    }

    /// Writes it as it is stored with an object.
    #[must_use]
    pub fn to_stored(&self) -> FieldsV1 {
        FieldsV1::of(self)
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

    /// Whether all fields of the other are in it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(step, theirs)| {
            let own = self.0.get(step);
            own.is_some_and(|own| (own.member || !theirs.member) && own.below.covers(&theirs.below))
        })
    }

    /// Whether no field of the other is in it.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        other.0.iter().all(|(step, theirs)| {
            let own = self.0.get(step);
            own.is_none_or(|own| !(own.member && theirs.member) && own.below.is_apart_from(&theirs.below))
        })
    }

    /// Its first steps.
    pub(super) fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
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

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write(false, serializer)
    }
}

impl FieldSet {
    /// Writes it, and the place itself, if that is in it beside what is below.
    fn write<S: Serializer>(&self, is_member: bool, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        let mut own = (is_member && !self.is_empty()).then_some(ITSELF);
        for (step, node) in &self.0 {
            // The steps are sorted, and the place itself stands among them.
            if let Some(own) = own.take_if(|own| step.as_str() > *own) {
                out.serialize_entry(own, &Self::default())?;
            }
            out.serialize_entry(step, node)?;
        }
        if let Some(own) = own {
            out.serialize_entry(own, &Self::default())?;
        }
        out.end()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.below.write(self.member, serializer)
    }
}

impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(deserializer.deserialize_map(NodeVisitor)?.below)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NodeVisitor)
    }
}

/// Reads a place and what is below it.
struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let (mut below, mut is_said) = (BTreeMap::new(), false);
        while let Some(step) = map.next_key::<String>()? {
            let node = map.next_value::<Node>()?;
            if step == ITSELF {
                is_said = true;
            } else {
                below.insert(step, node);
            }
        }
        Ok(Node { member: is_said || below.is_empty(), below: FieldSet(below) })
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
            let stored = FieldsV1::from(&form);
            assert_eq!(FieldSet::parse(&stored).to_stored(), stored);
            assert_eq!(FieldSet::parse(&stored), set(form));
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
        assert!(
            !a.covers(&b)
                && a.covers(&a.intersection(&b))
                && !a.covers(&set(json!({"f:a": {"f:b": {"f:c": {}}}})))
        );
        assert!(!a.is_apart_from(&b) && a.difference(&b).is_apart_from(&b));
    }

    #[test]
    fn what_is_no_set_is_passed_over() {
        for (form, read) in [
            (json!(null), json!({})),
            (json!([1]), json!({})),
            (json!({"f:a": 1, "f:b": {"f:c": []}}), json!({"f:a": {}, "f:b": {"f:c": {}}})),
        ] {
            assert_eq!(FieldSet::parse(&FieldsV1::from(&form)), set(read), "{form}");
        }
    }

    #[test]
    fn any_text_is_some_path() {
        for step in ["", "f", "ä", "k:", "k:[]", "v:", "i:-1", "i:2", "x:y"] {
            let _ = set(json!({ step: {} })).paths();
        }
        assert_eq!(set(json!({"v:\"a\"": {}})).paths()[0].to_string(), "[=a]");
    }
}
