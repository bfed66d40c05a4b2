//! [`Patch`]: a change of an object as data, as RFC 7386 (merge patch) and RFC 6902 (JSON patch) have it.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ObjectName;
use super::prepare::MOST_DEPTH;
use crate::{Error, Result};

/// How many operations a JSON patch may have: as many as Kubernetes takes.
pub const MOST_OPERATIONS: usize = 10_000;

/// How many bytes a JSON patch may copy, all its copies together. Copies of copies grow without end.
pub const MOST_COPIED: usize = 3 * 1024 * 1024;

/// A change of an object. `Debug` does not show the values, which may be secret.
#[derive(Clone, PartialEq)]
pub enum Patch {
    /// Puts a tree over the object: maps entry by entry, `null` removes, all else replaces.
    Merge(Value),
    /// Operations, one after the other, all or none.
    Json(Vec<Operation>),
}

/// An operation of a JSON patch. A place is a JSON pointer, such as `/spec/containers/0/image`.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Puts a value into a map, or before an element of a list; `-` is the list's end.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes away what is there.
    Remove {
        /// Where.
        path: String,
    },
    /// Puts a value in the place of what is there.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes away what is at one place and puts it at another.
    Move {
        /// From where.
        from: String,
        /// Where to.
        path: String,
    },
    /// Puts what is at one place at another as well.
    Copy {
        /// From where.
        from: String,
        /// Where to.
        path: String,
    },
    /// Fails the patch unless this is there.
    Test {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}

impl Patch {
    /// A tree to be put over the object.
    #[must_use]
    pub fn merge(tree: Value) -> Self {
        Self::Merge(tree)
    }

    /// Operations, one after the other, all or none.
    #[must_use]
    pub fn json(operations: impl IntoIterator<Item = Operation>) -> Self {
        Self::Json(operations.into_iter().collect())
    }

    /// What it makes of a tree.
    pub(crate) fn apply(&self, mut tree: Value, to: &ObjectName) -> Result<Value> {
        match self {
            Self::Merge(patch) if depth(patch) > MOST_DEPTH => return Err(to.refused(TOO_DEEP)),
            Self::Merge(patch) => merge(&mut tree, patch),
            Self::Json(operations) => {
                let wrong = |at: usize, path: &str, reason: String| Error::Patch {
                    object: to.to_string(),
                    operation: at + 1,
                    path: path.chars().take(256).collect(),
                    reason,
                };
                if operations.len() > MOST_OPERATIONS {
                    let reason = format!("one too many, the limit is {MOST_OPERATIONS}");
                    return Err(wrong(MOST_OPERATIONS, "", reason));
                }
                let mut copied = 0;
                for (at, operation) in operations.iter().enumerate() {
                    operation.apply(&mut tree, &mut copied).map_err(|reason| {
                        wrong(at, operation.path(), format!("{}: {reason}", operation.name()))
                    })?;
                }
            }
        }
        Ok(tree)
    }
}

const TOO_DEEP: &str = "the patch makes it too deep: more than 100 steps"; // MOST_DEPTH

/// RFC 7386, word by word.
fn merge(tree: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *tree = patch.clone();
        return;
    };
    if !tree.is_object() {
        *tree = Value::Object(Map::new());
    }
    let Value::Object(map) = tree else { return };
    for (name, value) in patch {
        if value.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

impl Operation {
    /// Puts a value into a map, or before an element of a list; `-` is the list's end.
    pub fn add(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Add { path: path.into(), value: value.into() }
    }

    /// Takes away what is there.
    pub fn remove(path: impl Into<String>) -> Self {
        Self::Remove { path: path.into() }
    }

    /// Puts a value in the place of what is there.
    pub fn replace(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Replace { path: path.into(), value: value.into() }
    }

    /// Takes away what is at one place and puts it at another.
    pub fn shift(from: impl Into<String>, path: impl Into<String>) -> Self {
        Self::Move { from: from.into(), path: path.into() }
    }

    /// Puts what is at one place at another as well.
    pub fn copy(from: impl Into<String>, path: impl Into<String>) -> Self {
        Self::Copy { from: from.into(), path: path.into() }
    }

    /// Fails the patch unless this is there.
    pub fn test(path: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Test { path: path.into(), value: value.into() }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }

    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Move { path, .. }
            | Self::Copy { path, .. }
            | Self::Test { path, .. } => path,
        }
    }

    fn apply(&self, tree: &mut Value, copied: &mut usize) -> Result<(), String> {
        match self {
            Self::Add { path, value } => add(tree, path, value.clone()),
            Self::Remove { path } => remove(tree, path).map(drop),
            Self::Replace { path, value } => {
                let steps = steps(path)?.len();
                let place = find_mut(tree, path)?;
                if steps + depth(value) > MOST_DEPTH {
                    return Err(TOO_DEEP.into());
                }
                *place = value.clone();
                Ok(())
            }
            Self::Move { from, path } => {
                if path.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
                    return Err("a value cannot be moved into itself".into());
                }
                let value = remove(tree, from).map_err(|reason| format!("from {from}: {reason}"))?;
                add(tree, path, value)
            }
            Self::Copy { from, path } => {
                let value = find_mut(tree, from).map_err(|reason| format!("from {from}: {reason}"))?.clone();
                *copied = copied.saturating_add(size(&value));
                if *copied > MOST_COPIED {
                    return Err(format!("the patch copies more than {MOST_COPIED} bytes, the limit"));
                }
                add(tree, path, value)
            }
            // What is there may be a secret, so it is not told.
            Self::Test { path, value } if equal(find_mut(tree, path)?, value) => Ok(()),
            Self::Test { .. } => Err("something else is there".into()),
        }
    }
}

/// The steps of a JSON pointer.
fn steps(pointer: &str) -> Result<Vec<String>, String> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = pointer.strip_prefix('/') else {
        return Err("a JSON pointer begins with `/`, as /spec/replicas does".into());
    };
    rest.split('/')
        .map(|step| {
            let mut escapes = step.split('~').skip(1);
            if escapes.any(|after| !after.starts_with(['0', '1'])) {
                return Err("in a JSON pointer `~` is written `~0`, and `/` within a name `~1`".into());
            }
            Ok(step.replace("~1", "/").replace("~0", "~"))
        })
        .collect()
}

fn index(step: &str, most: usize) -> Result<usize, String> {
    let plain = step == "0" || (!step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit()));
    match step.parse() {
        Ok(at) if plain && at <= most => Ok(at),
        Ok(_) if plain => Err(format!("there is no element {step}")),
        _ => Err(format!("`{step}` is no position in a list")),
    }
}

fn child<'t>(tree: &'t mut Value, step: &str) -> Result<&'t mut Value, String> {
    match tree {
        Value::Object(map) => map.get_mut(step).ok_or_else(|| format!("there is no `{step}`")),
        Value::Array(list) => {
            let at = index(step, list.len().saturating_sub(1))?;
            list.get_mut(at).ok_or_else(|| format!("there is no element {step}"))
        }
        _ => Err(format!("there is no `{step}` in what is neither a map nor a list")),
    }
}

fn find_mut<'t>(tree: &'t mut Value, pointer: &str) -> Result<&'t mut Value, String> {
    steps(pointer)?.iter().try_fold(tree, |tree, step| child(tree, step))
}

fn add(tree: &mut Value, pointer: &str, value: Value) -> Result<(), String> {
    let steps = steps(pointer)?;
    if steps.len() + depth(&value) > MOST_DEPTH {
        return Err(TOO_DEEP.into());
    }
    let Some((last, way)) = steps.split_last() else {
        *tree = value;
        return Ok(());
    };
    match way.iter().try_fold(tree, |tree, step| child(tree, step))? {
        Value::Object(map) => drop(map.insert(last.clone(), value)),
        Value::Array(list) => {
            let at = if last == "-" { list.len() } else { index(last, list.len())? };
            list.insert(at, value);
        }
        _ => return Err(format!("there is no `{last}` in what is neither a map nor a list")),
    }
    Ok(())
}

fn remove(tree: &mut Value, pointer: &str) -> Result<Value, String> {
    let steps = steps(pointer)?;
    let Some((last, way)) = steps.split_last() else {
        return Err("the object itself cannot be taken away by a patch: delete it".into());
    };
    match way.iter().try_fold(tree, |tree, step| child(tree, step))? {
        Value::Object(map) => map.remove(last).ok_or_else(|| format!("there is no `{last}`")),
        Value::Array(list) if list.is_empty() => Err("the list is empty".into()),
        Value::Array(list) => Ok(list.remove(index(last, list.len() - 1)?)),
        _ => Err(format!("there is no `{last}` in what is neither a map nor a list")),
    }
}

/// Whether two values are equal as RFC 6902 means it: 1 is 1.0.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// How many steps it is to the deepest place.
pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => 2 + list.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>(),
        _ => 8,
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merge(_) => f.write_str("a merge patch"),
            Self::Json(operations) => f.debug_list().entries(operations).finish(),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.path())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::object::Kind;

    fn apply(patch: &Patch, tree: &Value) -> Result<Value, String> {
        let name = ObjectName::new(Kind::namespaced("v1", "Pod"), "", "web").unwrap();
        patch.apply(tree.clone(), &name).map_err(|error| error.to_string())
    }

    #[test]
    fn merge_patches_do_what_the_rfc_says() {
        // The table of RFC 7386, appendix A.
        for (tree, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            assert_eq!(apply(&Patch::merge(patch.clone()), &tree), Ok(result), "{tree} {patch}");
        }
    }

    #[test]
    fn json_patches_do_what_the_rfc_says() {
        let patch =
            |operations: Value| Patch::json(serde_json::from_value::<Vec<Operation>>(operations).unwrap());
        for (tree, operations, result) in [
            (json!({"a": 1}), json!([{"op": "add", "path": "/b", "value": 2}]), json!({"a": 1, "b": 2})),
            (
                json!({"a": [1, 3]}),
                json!([{"op": "add", "path": "/a/1", "value": 2}]),
                json!({"a": [1, 2, 3]}),
            ),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/1", "value": [2]}]), json!({"a": [1, [2]]})),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), json!({"b": 2})),
            (json!({"a": [1, 2, 3]}), json!([{"op": "remove", "path": "/a/1"}]), json!({"a": [1, 3]})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/a", "value": null}]), json!({"a": null})),
            (
                json!({"a": {"b": 1}, "c": {}}),
                json!([{"op": "move", "from": "/a/b", "path": "/c/d"}]),
                json!({"a": {}, "c": {"d": 1}}),
            ),
            (
                json!({"a": [1, 2, 3]}),
                json!([{"op": "move", "from": "/a/0", "path": "/a/2"}]),
                json!({"a": [2, 3, 1]}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!([{"op": "copy", "from": "/a", "path": "/c"}]),
                json!({"a": {"b": 1}, "c": {"b": 1}}),
            ),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([{"op": "test", "path": "/a~1b", "value": 1.0}, {"op": "remove", "path": "/m~0n"}]),
                json!({"a/b": 1}),
            ),
            (
                json!({"a": {"x": 1, "y": [1]}}),
                json!([{"op": "test", "path": "/a", "value": {"y": [1], "x": 1}}]),
                json!({"a": {"x": 1, "y": [1]}}),
            ),
            (json!({"": 1}), json!([{"op": "replace", "path": "/", "value": 2}]), json!({"": 2})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {"b": 1}}]), json!({"b": 1})),
        ] {
            assert_eq!(apply(&patch(operations.clone()), &tree), Ok(result), "{tree} {operations}");
        }
        for (tree, operations, reason) in [
            (
                json!({"a": 1}),
                json!([{"op": "add", "path": "/a", "value": 2}, {"op": "test", "path": "/a", "value": 1}]),
                "operation 2 (/a): test: something else is there",
            ),
            (json!({}), json!([{"op": "remove", "path": "/a"}]), "there is no `a`"),
            (json!({}), json!([{"op": "replace", "path": "/a", "value": 1}]), "there is no `a`"),
            (json!({}), json!([{"op": "add", "path": "/a/b", "value": 1}]), "there is no `a`"),
            (json!({"a": 1}), json!([{"op": "add", "path": "/a/b", "value": 1}]), "neither a map nor a list"),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/2", "value": 1}]), "there is no element 2"),
            (json!({"a": [1]}), json!([{"op": "remove", "path": "/a/-"}]), "`-` is no position in a list"),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/01"}]), "`01` is no position"),
            (json!({"a": []}), json!([{"op": "remove", "path": "/a/0"}]), "the list is empty"),
            (json!({"a": {}}), json!([{"op": "move", "from": "/a", "path": "/a/b"}]), "into itself"),
            (json!({}), json!([{"op": "copy", "from": "/x", "path": "/a"}]), "from /x: there is no `x`"),
            (json!({}), json!([{"op": "add", "path": "a", "value": 1}]), "begins with `/`"),
            (json!({}), json!([{"op": "add", "path": "/~2", "value": 1}]), "`~0`"),
            (json!({}), json!([{"op": "remove", "path": ""}]), "delete it"),
        ] {
            let error = apply(&patch(operations.clone()), &tree).unwrap_err();
            assert!(error.contains(reason), "{operations}: {error}");
        }
    }

    #[test]
    fn a_patch_cannot_grow_without_end() {
        let double = Operation::copy("", "/list/-");
        let tree = json!({"text": "x".repeat(1000), "list": []});
        let error = apply(&Patch::json(vec![double; 60]), &tree).unwrap_err();
        assert!(error.contains("copies more than"), "{error}");
        let deeper = Patch::json(vec![Operation::copy("", "/a"); 150]);
        assert!(apply(&deeper, &json!({"a": 1})).unwrap_err().contains("too deep"));
        let deep = (0..150).fold(json!(1), |inside, _| json!({ "a": inside }));
        assert!(apply(&Patch::merge(deep.clone()), &json!({})).unwrap_err().contains("too deep"));
        let replace = Patch::json([Operation::replace("/a", deep)]);
        assert!(apply(&replace, &json!({"a": 1})).unwrap_err().contains("too deep"));
        let many = vec![Operation::test("", 1); MOST_OPERATIONS + 1];
        assert!(apply(&Patch::json(many), &tree).unwrap_err().contains("the limit is 10000"));
    }

    #[test]
    fn values_do_not_show() {
        let patch = Patch::json([Operation::add("/data/key", "hunter2"), Operation::test("/x", "hunter2")]);
        let shown = format!("{patch:?} {:?}", apply(&patch, &json!({"data": {}, "x": "hunter3"})));
        assert!(shown.contains("/data/key") && !shown.contains("hunter"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_pointer_makes_it_panic(from in "[/a0-9~-]{0,6}", path in "[/a0-9~-]{0,6}", which in 0..6) {
            let tree = json!({"a": [1, {"a": [2]}], "0": {"a": 3}});
            let operation = match which {
                0 => Operation::add(path, 1),
                1 => Operation::remove(path),
                2 => Operation::replace(path, 1),
                3 => Operation::shift(from, path),
                4 => Operation::copy(from, path),
                _ => Operation::test(path, 1),
            };
            let _ = apply(&Patch::json([operation]), &tree);
        }
    }
}
