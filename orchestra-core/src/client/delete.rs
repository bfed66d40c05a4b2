//! Deleting: at once, or once everybody has agreed who must.

use super::change::{Change, Delete, Dependents, Part, Policy, Review};
use super::prepare::{Before, Prepared, ask, expect};
use super::transaction::{gone, json, stored, unchanged};
use crate::Result;
use crate::kinds::{Pod, PodPhase};
use crate::object::{AnyObject, Metadata, Revision, Timestamp};
use crate::store::Txn;

/// The finalizer of an object that waits until those are gone which it owns.
const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object that waits until those which it owns have no owner any more.
const ORPHAN: &str = "orphan";

/// Deletes an object, or marks it as being deleted when somebody must agree first or it takes time.
pub(super) fn delete(change: &Change, before: Before, how: &Delete, policy: &Policy) -> Result<Prepared> {
    if change.part == Part::Status {
        return Err(change.name.refused("a status cannot be deleted"));
    }
    expect(change, &before, &how.uid.to_string(), &revision_text(how.revision))?;
    let old = before.whole();
    let mut review = Review {
        old: Some(&old),
        new: None,
        part: change.part,
        manager: &change.by.manager,
        also: Txn::new(),
    };
    ask(change, policy, &mut review)?;
    let also = review.also;

    let mut object = old.clone();
    object.metadata_mut().resource_version = before.at;
    let grace = grace(&object, how.grace);
    let metadata = object.metadata_mut();
    if let Some(dependents) = how.dependents {
        metadata.finalizers.retain(|name| name != FOREGROUND && name != ORPHAN);
        match dependents {
            Dependents::Background => {}
            Dependents::Foreground => metadata.finalizers.push(FOREGROUND.into()),
            Dependents::Orphan => metadata.finalizers.push(ORPHAN.into()),
        }
    }
    let now = change.by.now;
    let until = Timestamp::from_unix(now.unix().saturating_add(grace.unwrap_or(0).into()));
    match metadata.deletion_timestamp {
        // Whoever asks again can only make it sooner.
        Some(before) if before <= until => {}
        _ => {
            metadata.deletion_timestamp = Some(until);
            metadata.deletion_grace_period_seconds = grace;
        }
    }
    // It is to go at once after all, though another was given time before.
    if grace == Some(0) {
        metadata.deletion_grace_period_seconds = grace;
    }
    if is_gone(object.metadata(), &object) {
        return Ok(gone(change, Some(&before), old, also));
    }
    if object.metadata() == old.metadata() {
        return Ok(unchanged(change, &before));
    }
    let json = json(&mut object)?;
    Ok(stored(change, Some(before.at), object, json, also))
}

fn revision_text(revision: Revision) -> String {
    if revision == Revision::default() { String::new() } else { revision.to_string() }
}

/// Whether an object that is being deleted is waited for by nobody any more.
pub(super) fn is_gone(metadata: &Metadata, object: &AnyObject) -> bool {
    let waits =
        takes_time(object) && metadata.deletion_grace_period_seconds.is_some_and(|seconds| seconds > 0);
    metadata.is_deleting() && metadata.finalizers.is_empty() && !waits
}

/// Whether somebody must first do something about it: the containers of a pod on a node are stopped.
fn takes_time(object: &AnyObject) -> bool {
    object.downcast_ref::<Pod>().is_some_and(|pod| {
        let ended = matches!(pod.status.phase, PodPhase::Succeeded | PodPhase::Failed);
        !pod.spec.node_name.is_empty() && !ended
    })
}

/// How many seconds it is given to go: as asked, or as it says itself.
fn grace(object: &AnyObject, asked: Option<u32>) -> Option<u32> {
    match object.downcast_ref::<Pod>() {
        Some(_) if !takes_time(object) => Some(0),
        Some(pod) => Some(asked.unwrap_or(pod.spec.termination_grace_period_seconds)),
        None => asked,
    }
}
