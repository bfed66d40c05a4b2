//! What a change is committed as, once it is known what the object will be.

use super::change::Change;
use super::delete;
use super::owners::{Owners, Writer};
use super::prepare::{Before, Outcome, Prepared};
use crate::Result;
use crate::object::{AnyObject, Revision};
use crate::store::{Expect, Txn, Write};

/// Notes who owns what, and makes the transaction of an object and what its type makes of it.
pub(super) fn seal(
    change: &Change,
    writer: &Writer<'_>,
    before: Option<&Before>,
    mut owners: Owners,
    mut object: AnyObject,
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
    let json = json(&mut object)?;
    Ok(stored(change, at, object, json, also))
}

/// No transaction to speak of: only that it is so.
pub(super) fn unchanged(change: &Change, before: &Before) -> Prepared {
    let txn = Txn::new().guard(change.key(), Expect::At(before.at));
    Prepared { key: change.key(), txn, object: before.whole(), outcome: Outcome::Unchanged }
}

/// The object as it is stored: its revision is no part of it.
pub(super) fn json(object: &mut AnyObject) -> Result<Vec<u8>> {
    let at = std::mem::take(&mut object.metadata_mut().resource_version);
    let json = object.to_json();
    object.metadata_mut().resource_version = at;
    json
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
