//! From what a store holds to objects.

use crate::object::{AnyObject, Model, Resource};
use crate::store::Entry;
use crate::{Error, Result};

/// The object that an entry holds: defaults filled in, and the entry's revision as its own.
///
/// # Errors
/// [`Error::Stored`], with the key, when the value is no object of the kind.
pub fn read<R: Resource>(entry: &Entry) -> Result<R> {
    let mut object = R::from_json(&entry.value).map_err(|source| at(entry, source))?;
    object.fill_in();
    object.metadata_mut().resource_version = entry.modified;
    Ok(object)
}

/// The same for a kind that is known only when the program runs.
pub(super) fn read_any(model: &Model, entry: &Entry) -> Result<AnyObject> {
    let mut object = match model.read_json(&entry.value) {
        // What the type does not have is noted in the order of a tree.
        Some(object) if object.unknown().is_empty() => object,
        _ => read_tree(model, entry)?,
    };
    object.fill_in();
    object.metadata_mut().resource_version = entry.modified;
    Ok(object)
}

/// The slow way, which knows why something is no object.
fn read_tree(model: &Model, entry: &Entry) -> Result<AnyObject> {
    let kind = model.kind().name();
    let tree = serde_json::from_slice(&entry.value).map_err(|error| {
        // The parser's own words may quote what it found, which may be a secret.
        let reason = format!("no JSON: line {}, column {}", error.line(), error.column());
        at(entry, Error::Decode { kind, reason })
    })?;
    model.read(&tree).map_err(|problems| at(entry, Error::Decode { kind, reason: problems.to_string() }))
}

fn at(entry: &Entry, source: Error) -> Error {
    Error::Stored { key: entry.key.to_string(), source: Box::new(source) }
}
