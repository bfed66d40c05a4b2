//! What differs between two trees, as a patch.

use serde_json::{Map, Value};

use crate::client::{Operation, Patch};
use crate::object::schema::{Merge, Schema};
use crate::object::{Condition, FieldPath, Resource, Segment, Spec, Timestamp};

/// An object as a tree.
pub(super) fn tree_of<R: Resource>(object: &R) -> Result<Value, String> {
    serde_json::to_value(object).map_err(|error| error.to_string())
}

/// The patches that make one tree of another: of all but the status, and of the status. What is the
/// store's business is left out.
pub(super) fn difference(
    mut before: Value,
    mut after: Value,
    has_status: bool,
) -> (Option<Patch>, Option<Patch>) {
    let status = if has_status {
        let (old, new) = (wrap(take(&mut before, "status")), wrap(take(&mut after, "status")));
        // A status of defaults may not be there at all, so operations cannot go into it.
        patch(&old, &new, |_, new| vec![Operation::add("/status", new["status"].clone())])
    } else {
        None
    };
    for tree in [&mut before, &mut after] {
        if let Some(Value::Object(metadata)) = tree.get_mut("metadata") {
            for name in ["managedFields", "resourceVersion", "generation", "creationTimestamp"] {
                metadata.remove(name);
            }
        }
    }
    (patch(&before, &after, operations), status)
}

fn take(tree: &mut Value, name: &str) -> Option<Value> {
    // A status of defaults is not written, and one that is written as `null` is none.
    tree.as_object_mut().and_then(|map| map.remove(name)).filter(|value| !value.is_null())
}

fn wrap(status: Option<Value>) -> Value {
    Value::Object(status.into_iter().map(|status| ("status".to_owned(), status)).collect())
}

/// The patch that makes one tree of another; nothing if they are equal. Where a merge patch cannot say
/// it, operations do.
fn patch(
    before: &Value,
    after: &Value,
    operations: impl FnOnce(&Value, &Value) -> Vec<Operation>,
) -> Option<Patch> {
    if before == after {
        return None;
    }
    Some(merge(before, after).map_or_else(|| Patch::Json(operations(before, after)), Patch::Merge))
}

/// The operations that make one tree of another, which is different.
fn operations(before: &Value, after: &Value) -> Vec<Operation> {
    let mut list = Vec::new();
    operate(before, after, &mut String::new(), &mut list);
    list
}

/// The merge patch between two different trees; nothing if there is none, since `null` cannot be set by
/// one.
fn merge(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Some(after.clone()).filter(|value| !has_null(value));
    };
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut map: Map<_, _> = gone.map(|name| (name.clone(), Value::Null)).collect();
    for (name, value) in after {
        match before.get(name) {
            Some(old) if old == value => {}
            // A map over what is none begins with an empty one, as it does in a merge patch.
            Some(old) => drop(map.insert(name.clone(), merge(old, value)?)),
            None if has_null(value) => return None,
            None => drop(map.insert(name.clone(), value.clone())),
        }
    }
    Some(Value::Object(map))
}

/// Whether a merge patch would take something for a removal: an entry of a map, not an element of a list.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

fn operate(before: &Value, after: &Value, path: &mut String, list: &mut Vec<Operation>) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        list.push(Operation::replace(path.as_str(), after.clone()));
        return;
    };
    let down = |path: &mut String, name: &str, act: &mut dyn FnMut(&mut String)| {
        let length = path.len();
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        act(path);
        path.truncate(length);
    };
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        down(path, name, &mut |path| list.push(Operation::remove(path.as_str())));
    }
    for (name, value) in after {
        match before.get(name) {
            Some(old) if old == value => {}
            Some(old) => down(path, name, &mut |path| operate(old, value, path, list)),
            None => down(path, name, &mut |path| list.push(Operation::add(path.as_str(), value.clone()))),
        }
    }
}

/// The ends of a tree, each with its way. A list is an end, unless its elements are told apart by keys
/// where the shape is known.
pub(super) fn leaves<'v>(
    value: &'v Value,
    shape: Option<&'static Schema>,
    path: &FieldPath,
    list: &mut Vec<(FieldPath, &'v Value)>,
) {
    match value {
        Value::Object(map) if !map.is_empty() => entries(map, &[], shape, path, list),
        _ => list.push((path.clone(), value)),
    }
}

/// The ends of a map's entries but for those that are said already.
fn entries<'v>(
    map: &'v Map<String, Value>,
    said: &[&str],
    shape: Option<&'static Schema>,
    path: &FieldPath,
    list: &mut Vec<(FieldPath, &'v Value)>,
) {
    for (name, value) in map.iter().filter(|(name, _)| !said.contains(&name.as_str())) {
        let path = path.join(name.as_str());
        let keys = shape.and_then(|shape| shape.field(name)).and_then(|field| match field.merge {
            Merge::Keyed(keys) => Some(keys),
            _ => None,
        });
        let below = shape.map(|shape| shape.child(name));
        let (Value::Array(items), Some(keys)) = (value, keys) else {
            leaves(value, below, &path, list);
            continue;
        };
        if items.is_empty() {
            list.push((path.clone(), value));
        }
        for item in items {
            let own = keys.iter().filter_map(|key| Some(((*key).into(), item.get(key)?.clone())));
            let path = path.join(Segment::Item(own.collect()));
            match item {
                // The keys are said by the way to the element, unless it has nothing else.
                Value::Object(map) if map.keys().any(|name| !keys.contains(&name.as_str())) => {
                    entries(map, keys, below.map(Schema::item), &path, list);
                }
                _ => leaves(item, below.map(Schema::item), &path, list),
            }
        }
    }
}

/// Sets a condition in a tree with a status, and says whether that changes anything.
pub(super) fn set_condition<S: Spec>(
    tree: &mut Value,
    mut condition: Condition,
    now: Timestamp,
) -> Result<bool, String> {
    const NOT_THERE: &str = "its status has no list `conditions`";
    let Some(Value::Object(status)) = tree.get_mut("status") else { return Err(NOT_THERE.into()) };
    let list = status.entry("conditions").or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(list) = list else { return Err(NOT_THERE.into()) };
    let kind = condition.kind.clone();
    let place = list.iter_mut().find(|item| item.get("type").and_then(Value::as_str) == Some(&kind));
    let old = place.as_ref().and_then(|item| serde_json::from_value::<Condition>((**item).clone()).ok());
    condition.last_transition_time = match &old {
        Some(old) if old.status == condition.status => old.last_transition_time,
        _ => Some(now),
    };
    if old.as_ref() == Some(&condition) {
        return Ok(false);
    }
    let item = serde_json::to_value(&condition).map_err(|error| error.to_string())?;
    match place {
        Some(place) => *place = item,
        None => list.push(item),
    }
    // A type without the field would lose the condition without a word.
    let kept = serde_json::from_value::<S::Status>(tree["status"].clone())
        .and_then(|status| serde_json::to_value(&status))
        .is_ok_and(|status| {
            let list = status.get("conditions").and_then(Value::as_array);
            list.is_some_and(|list| {
                list.iter().any(|item| item.get("type").and_then(Value::as_str) == Some(&kind))
            })
        });
    if kept { Ok(true) } else { Err(NOT_THERE.into()) }
}
