//! Server-side apply: these fields are to be so, and what the manager said before and does not say any
//! more is to go, as far as nobody else wants it.

use serde_json::{Map, Value};

use super::change::{Change, Part};
use super::compare::compare;
use super::merge::{fields_of, merge, prune, settle, twice};
use super::owners::{APPLY, Owners, without_system};
use super::prepare::{Before, Draft, Next, SYSTEM_FIELDS, expect, of_part, set_status};
use crate::object::Problem;
use crate::{Error, Result};

/// The object as it is to be once the fields are applied, and whose its fields are then.
pub(super) fn draft(
    change: &Change,
    fields: &Map<String, Value>,
    force: bool,
    before: Option<&Before>,
) -> Result<Draft> {
    check_identity(change, fields, before)?;
    let place = change.place();
    let mut said = said(change, fields);

    // What is said is written as the type writes it. A partial object need not be readable as a whole:
    // then it is taken as it stands, and what is made of it is read in any case.
    let keys_filled_in =
        match change.model.read(&said).and_then(|typed| typed.to_value().map_err(|_| Default::default())) {
            Ok(typed) => settle(&mut said, &typed, place),
            Err(_) => Default::default(),
        };
    if let Some(element) = twice(&said, place) {
        let path = element.paths().into_iter().next().unwrap_or_default();
        return Err(change.invalid(Problem { path, text: "is there twice in one list".into() }));
    }
    let set = of_part(change, without_system(fields_of(&said, place)).difference(&keys_filled_in));

    let writer = change.writer(APPLY);
    let Some(before) = before else {
        if change.part == Part::Status {
            return Err(change.name.not_found());
        }
        let mut owners = Owners::default();
        owners.set(&writer, set);
        return Ok(Draft { tree: said, owners: Next::Applied(owners) });
    };

    let (old, mut owners) = (before.tree()?, before.owners.clone());
    if owners.is_empty() {
        owners = Owners::of_old(of_part(change, fields_of(old, place)), change.model.kind().api_version());
    }
    let merged = merge(old, &said, place);
    let kept = owners.others(&writer).union(&set);
    let mut tree = prune(&merged, place, &owners.own(&writer), &kept);
    if change.part == Part::Status {
        let status = tree.get("status").cloned();
        tree = old.clone();
        set_status(&mut tree, status);
    }
    // Controllers say what is so already, again and again: then there is nothing to be at odds about.
    if tree == *old {
        owners.set(&writer, set);
        return Ok(Draft { tree, owners: Next::Applied(owners) });
    }

    // Compared is what the type makes of it: what goes back to its default has changed, too.
    let typed = change.model.read(&tree).map_err(|problems| change.invalid(problems))?.to_value()?;
    let difference = compare(Some(old), Some(&typed), place);
    // What is said to be empty is not written, and yet said; what cannot stand beside what is said goes.
    let displaced = compare(Some(old), Some(&merged), place).removed;
    let unsaid = difference.removed.intersection(&set).union(&displaced);
    let conflicts = owners.conflicts(&writer, &difference.set.clone().union(&unsaid));
    if !conflicts.0.is_empty() && !force {
        return Err(Error::Owned { object: change.name.to_string(), conflicts });
    }
    owners.take_from_others(&writer, &difference);
    owners.set(&writer, set);
    Ok(Draft { tree, owners: Next::Applied(owners) })
}

/// Checks that the fields are about this object and this state of it.
fn check_identity(change: &Change, fields: &Map<String, Value>, before: Option<&Before>) -> Result<()> {
    let kind = change.model.kind();
    for (name, right) in [("apiVersion", kind.api_version()), ("kind", kind.name())] {
        if fields.get(name).is_some_and(|said| said != right) {
            return Err(change.problem(&[name], format!("must be `{right}`")));
        }
    }
    let metadata = fields.get("metadata");
    let given =
        |name: &str| metadata.and_then(|metadata| metadata.get(name)).filter(|value| !value.is_null());
    if given("managedFields").is_some() {
        let text = "cannot be applied: who owns which fields follows from what they apply";
        return Err(change.problem(&["metadata", "managedFields"], text));
    }
    let text = |name| given(name).and_then(Value::as_str).unwrap_or_default();
    match before {
        Some(before) => expect(change, before, text("uid"), text("resourceVersion")),
        None if text("uid").is_empty() && matches!(text("resourceVersion"), "" | "0") => Ok(()),
        None => Err(change.name.conflict("it does not exist, though its uid or revision is given")),
    }
}

/// What is said of the part that is applied, without what is the store's business.
fn said(change: &Change, fields: &Map<String, Value>) -> Value {
    let mut said = fields.clone();
    match change.part {
        Part::Main if change.model.has_status() => drop(said.remove("status")),
        Part::Main => {}
        Part::Status => said.retain(|name, _| name == "status"),
    }
    said.remove("apiVersion");
    said.remove("kind");
    if let Some(Value::Object(metadata)) = said.get_mut("metadata") {
        for name in ["name", "namespace"].into_iter().chain(SYSTEM_FIELDS) {
            metadata.remove(name);
        }
        if metadata.is_empty() {
            said.remove("metadata");
        }
    }
    Value::Object(said)
}
