//! What a change is committed as, once it is known what the object will be.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::change::Change;
use super::delete;
use super::owners::{Owners, Writer};
use super::prepare::{Before, Outcome, Prepared};
use crate::object::{AnyObject, ManagedFields, Revision, Str};
use crate::store::{Expect, Txn, Write};
use crate::{Error, Result};

/// Notes who owns what, and makes the transaction of an object and what its type makes of it.
pub(super) fn seal(
    change: &Change,
    writer: &Writer<'_>,
    before: Option<&Before>,
    mut owners: Owners,
    (mut object, tree): (AnyObject, Value),
    also: Txn,
) -> Result<Prepared> {
    owners.settle(writer);
    let at = before.map(|before| before.at);
    let metadata = object.metadata_mut();
    metadata.managed_fields = owners.into_entries();
    metadata.resource_version = at.unwrap_or_default();
    if delete::is_gone(object.metadata(), &object) {
        return Ok(gone(change, before, object, also));
    }
    let json = json(change, &object, Some(tree))?;
    Ok(stored(change, at, object, json, also))
}

/// No transaction to speak of: only that it is so.
pub(super) fn unchanged(change: &Change, before: &Before) -> Prepared {
    let txn = Txn::new().guard(change.key(), Expect::At(before.at));
    Prepared { key: change.key(), txn, object: before.object.clone(), outcome: Outcome::Unchanged }
}

/// The object as it is stored, made of what its type makes of it where that is known. `resourceVersion`
/// is no part of it.
pub(super) fn json(change: &Change, object: &AnyObject, tree: Option<Value>) -> Result<Vec<u8>> {
    // What the type does not have may stand within who owns what: only the object knows.
    let tree = tree.filter(|_| object.unknown().is_empty());
    let metadata = object.metadata();
    let (mut tree, owners) = match tree {
        Some(tree) => (tree, &*metadata.managed_fields),
        None => (object.to_value()?, &[][..]),
    };
    if let Some(Value::Object(map)) = tree.get_mut("metadata") {
        map.remove("resourceVersion");
        if metadata.generation == 0 {
            map.remove("generation");
        }
    }
    crate::object::to_json(&Owned { tree: &tree, owners })
        .map_err(|source| Error::Encode { kind: change.model.kind().name(), source: source.into() })
}

/// A tree, and who owns what of it, which is written into it without being a tree before.
struct Owned<'a> {
    tree: &'a Value,
    owners: &'a [ManagedFields],
}

impl Serialize for Owned<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Value::Object(tree) = self.tree else { return self.tree.serialize(serializer) };
        let mut out = serializer.serialize_map(None)?;
        for (name, value) in tree {
            match value {
                Value::Object(metadata) if name == "metadata" && !self.owners.is_empty() => {
                    out.serialize_entry(name, &OwnedMetadata { metadata, owners: self.owners })?;
                }
                value => out.serialize_entry(name, value)?,
            }
        }
        out.end()
    }
}

/// The metadata of that tree.
struct OwnedMetadata<'a> {
    metadata: &'a Map<String, Value>,
    owners: &'a [ManagedFields],
}

impl Serialize for OwnedMetadata<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const NAME: &str = "managedFields";
        let owners: Vec<_> = self.owners.iter().map(Sorted).collect();
        let mut out = serializer.serialize_map(None)?;
        // Trees are sorted by name.
        for (name, value) in self.metadata.iter().filter(|(name, _)| name.as_str() < NAME) {
            out.serialize_entry(name, value)?;
        }
        out.serialize_entry(NAME, &owners)?;
        for (name, value) in self.metadata.iter().filter(|(name, _)| name.as_str() > NAME) {
            out.serialize_entry(name, value)?;
        }
        out.end()
    }
}

/// What an owner owns, its fields sorted by name as they are in a tree.
struct Sorted<'a>(&'a ManagedFields);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ManagedFields { manager, operation, api_version, time, fields_type, fields_v1, subresource } =
            self.0;
        let mut out = serializer.serialize_map(None)?;
        let text = |out: &mut S::SerializeMap, name, text: &Str| match text.is_empty() {
            true => Ok(()),
            false => out.serialize_entry(name, text),
        };
        text(&mut out, "apiVersion", api_version)?;
        text(&mut out, "fieldsType", fields_type)?;
        out.serialize_entry("fieldsV1", fields_v1)?;
        text(&mut out, "manager", manager)?;
        text(&mut out, "operation", operation)?;
        text(&mut out, "subresource", subresource)?;
        if let Some(time) = time {
            out.serialize_entry("time", time)?;
        }
        out.end()
    }
}

/// The transaction that stores an object.
pub(super) fn stored(
    change: &Change,
    at: Option<Revision>,
    object: AnyObject,
    json: Vec<u8>,
    also: Txn,
) -> Prepared {
    let key = change.key();
    let (txn, outcome) = match at {
        None => (Txn::new().put_new(key.clone(), json), Outcome::Created),
        Some(at) => (Txn::new().put_at(key.clone(), at, json), Outcome::Updated),
    };
    Prepared { key, txn: and(txn, &also), object, outcome }
}

/// The transaction that takes an object away.
pub(super) fn gone(change: &Change, before: Option<&Before>, object: AnyObject, also: Txn) -> Prepared {
    let key = change.key();
    let txn = match before {
        Some(before) => Txn::new().delete_at(key.clone(), before.at),
        None => Txn::new().guard(key.clone(), Expect::Absent),
    };
    Prepared { key, txn: and(txn, &also), object, outcome: Outcome::Deleted }
}

fn and(txn: Txn, also: &Txn) -> Txn {
    let txn = also.guards().iter().fold(txn, |txn, guard| txn.guard(guard.key.clone(), guard.expect));
    also.writes().iter().fold(txn, |txn, write| match write {
        Write::Put(key, value) => txn.put(key.clone(), value.clone()),
        Write::Delete(key) => txn.delete(key.clone()),
    })
}
