//! [`prepare`]: from a change and what is there to a transaction, as the API server of Kubernetes
//! would decide it. A pure function: it reads no clock, draws no number and asks nobody.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::change::{Action, Change, Part, Policy, Review};
use super::compare::compare;
use super::fields::{FieldSet, field_step};
use super::key::ObjectName;
use super::merge::Place;
use super::owners::{Owners, UPDATE, Writer};
use super::patch::{Patch, depth};
use super::transaction::{seal, unchanged};
use super::{apply, delete, observe};
use crate::object::{AnyObject, FieldManagers, Metadata, Revision};
use crate::store::{Entry, Key, Txn};
use crate::{Error, Result};

/// How deep an object may be: so many steps to its deepest place. What is much deeper could be stored,
/// but not be read again. The deepest of the built-in kinds need a third of it.
pub const MOST_DEPTH: usize = 100;

/// The fields of an object's metadata that are the store's business.
pub(crate) const SYSTEM_FIELDS: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

/// A change that is ready to be committed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The object's key.
    pub key: Key,
    /// What is to be committed. It takes effect on exactly what it was prepared against, or not at
    /// all. It has no writes when the [outcome](Self::outcome) is that nothing changes.
    pub txn: Txn,
    /// The object as it will be; as it was, when it goes. Its `resourceVersion` is that of what it was
    /// prepared against.
    pub object: AnyObject,
    /// What the change comes to.
    pub outcome: Outcome,
}

/// What a change comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is an object that was not there.
    Created,
    /// The object is another than it was.
    Updated,
    /// Everything is so already: there is nothing to write.
    Unchanged,
    /// The object is gone.
    Deleted,
}

/// Decides what a change comes to, given what is there.
///
/// `current` is what stands under the change's [key](Change::key). The answer holds for exactly that:
/// the transaction has a guard on it. What is done, for every verb as Kubernetes does it: the object is
/// read, defaults are filled in, the rules of the policy and the checks of the kind are asked, who set
/// which fields is noted, and what is the store's business (`uid`, `creationTimestamp`, `generation`)
/// is put in. `resourceVersion` is no part of what is stored: it is the revision of the entry.
///
/// # Errors
/// What forbids the change: that the object exists already, or does not; that it is not as expected;
/// that it would be invalid; that others own the fields; that a rule says no.
pub fn prepare(change: &Change, current: Option<&Entry>, policy: &Policy) -> Result<Prepared> {
    check_manager(change)?;
    check_depth(change)?;
    let before = current.map(|entry| Before::read(change, entry)).transpose()?;
    match (&change.action, before) {
        (Action::Create(_), Some(_)) => Err(Error::AlreadyExists { object: change.name.to_string() }),
        (Action::Create(tree), None) if change.part == Part::Main => {
            let draft = Draft { tree: tree.clone(), owners: Next::Update { reset: false } };
            finish(change, None, draft, policy)
        }
        (Action::Apply { fields, force }, before) => {
            let draft = apply::draft(change, fields, *force, before.as_ref())?;
            finish(change, before, draft, policy)
        }
        (_, None) => Err(change.name.not_found()),
        (Action::Replace(tree), Some(before)) => replace(change, before, tree.clone(), policy),
        (Action::Patch(patch), Some(before)) => {
            let tree = patch.apply(before.shown_to(patch, &change.name, change.part)?, &change.name)?;
            replace(change, before, tree, policy)
        }
        (Action::Delete(how), Some(before)) => delete::delete(change, before, how, policy),
    }
}

/// As strict as Kubernetes: whoever sets fields has a name that can be printed.
fn check_manager(change: &Change) -> Result<()> {
    const LONGEST: usize = 128;
    let name = &change.by.manager;
    if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(change
            .name
            .refused(format!("who changes it must have a name of 1 to {LONGEST} printable characters")));
    }
    if change.part == Part::Status && !change.model.has_status() {
        return Err(change.name.refused(format!("a {} has no status", change.model.kind())));
    }
    Ok(())
}

fn check_depth(change: &Change) -> Result<()> {
    let steps = match &change.action {
        Action::Create(tree) | Action::Replace(tree) => depth(tree),
        Action::Apply { fields, .. } => 1 + fields.values().map(depth).max().unwrap_or(0),
        Action::Patch(_) | Action::Delete(_) => 0, // a patch looks for itself
    };
    if steps > MOST_DEPTH {
        return Err(change.name.refused(format!("it is too deep: {steps} steps, the limit is {MOST_DEPTH}")));
    }
    Ok(())
}

/// The object as it is.
pub(super) struct Before {
    /// Without what is noted about its fields' owners.
    pub(super) object: AnyObject,
    managers: FieldManagers,
    pub(super) owners: Owners,
    pub(super) at: Revision,
    tree: OnceCell<Value>,
    status: OnceCell<Option<Value>>,
}

impl Before {
    pub(super) fn read(change: &Change, entry: &Entry) -> Result<Self> {
        let mut object = super::stored::read_any(&change.model, entry)?;
        let managers = std::mem::take(&mut object.metadata_mut().managed_fields);
        let owners = Owners::read(&managers);
        Ok(Self {
            object,
            managers,
            owners,
            at: entry.modified,
            tree: OnceCell::new(),
            status: OnceCell::new(),
        })
    }

    /// The object as its type writes it, without its revision.
    pub(super) fn tree(&self) -> Result<&Value> {
        match self.tree.get() {
            Some(tree) => Ok(tree),
            None => {
                let tree = bare(&self.object)?;
                Ok(self.tree.get_or_init(|| tree))
            }
        }
    }

    /// Of that, the status.
    pub(super) fn status(&self) -> Result<Option<&Value>> {
        match self.status.get() {
            Some(status) => Ok(status.as_ref()),
            None => {
                let status = self.object.status_to_value()?;
                Ok(self.status.get_or_init(|| status).as_ref())
            }
        }
    }

    /// The object with all that is noted about it.
    pub(super) fn whole(&self) -> AnyObject {
        let mut object = self.object.clone();
        object.metadata_mut().managed_fields = self.managers.clone();
        object
    }

    /// The object as whoever patches it sees it; of that, what the patch can have to do with.
    fn shown_to(&self, patch: &Patch, name: &ObjectName, part: Part) -> Result<Value> {
        // Entries that own nothing can be the way to say that all owners are to be forgotten.
        let says_owners = !self.managers.is_empty() && self.owners.is_empty();
        let Patch::Merge(said) = patch else { return self.whole().to_value() };
        if says_owners || said.get("metadata").is_some_and(|said| said.get("managedFields").is_some()) {
            return self.whole().to_value();
        }
        if part == Part::Status && self.is_named(name) {
            // Of the rest it matters only what the patch itself says.
            let status = self.status()?.map(|status| ("status".to_owned(), status.clone()));
            return Ok(status.into_iter().collect());
        }
        let mut tree = self.tree()?.clone();
        if let Some(Value::Object(metadata)) = tree.get_mut("metadata") {
            metadata.insert("resourceVersion".into(), self.at.to_string().into());
        }
        Ok(tree)
    }

    /// Whether it says of itself that it is what its key says.
    pub(super) fn is_named(&self, name: &ObjectName) -> bool {
        let metadata = self.metadata();
        metadata.name == *name.name() && metadata.namespace == *name.namespace()
    }

    pub(super) fn metadata(&self) -> &Metadata {
        self.object.metadata()
    }
}

/// The object as its type writes it, without what changes with every write.
fn bare(object: &AnyObject) -> Result<Value> {
    let mut tree = object.to_value()?;
    if let Some(Value::Object(metadata)) = tree.get_mut("metadata") {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    Ok(tree)
}

/// The object as it is to be, before defaults, rules and checks.
pub(super) struct Draft {
    pub(super) tree: Value,
    pub(super) owners: Next,
}

/// Who will own which fields.
pub(super) enum Next {
    /// Whoever makes the change owns what it changes. `reset`: all owners are forgotten.
    Update { reset: bool },
    /// It is known already.
    Applied(Owners),
}

impl Next {
    /// Whether nothing is owned by others than before, provided that the object does not change.
    fn same_as(&self, before: &Owners) -> bool {
        match self {
            Self::Update { reset } => !reset,
            Self::Applied(owners) => owners.same_as(before),
        }
    }
}

/// Puts a tree in the place of the object, as far as it may.
fn replace(change: &Change, before: Before, tree: Value, policy: &Policy) -> Result<Prepared> {
    let given = tree.get("metadata");
    let text =
        |name: &str| given.and_then(|given| given.get(name)).and_then(Value::as_str).unwrap_or_default();
    expect(change, &before, text("uid"), text("resourceVersion"))?;
    for (name, own) in [("name", change.name.name()), ("namespace", change.name.namespace())] {
        if !text(name).is_empty() && text(name) != own.as_str() {
            return Err(change.problem(&["metadata", name], "cannot be changed"));
        }
    }
    for name in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let said = given.and_then(|given| given.get(name)).filter(|said| !said.is_null());
        let Some(said) = said else { continue };
        if before.tree()?["metadata"].get(name) != Some(said) {
            return Err(change.problem(&["metadata", name], "cannot be changed: it is the store's"));
        }
    }
    let reset = given.and_then(|given| given.get("managedFields")).is_some_and(is_one_empty);
    if change.part == Part::Main {
        return finish(change, Some(before), Draft { tree, owners: Next::Update { reset } }, policy);
    }
    let status = match tree {
        Value::Object(mut map) => map.remove("status"),
        _ => None,
    };
    if !reset && let Some(prepared) = observe::observe(change, &before, status.as_ref(), policy)? {
        return Ok(prepared);
    }
    let mut tree = before.tree()?.clone();
    set_status(&mut tree, status);
    finish(change, Some(before), Draft { tree, owners: Next::Update { reset } }, policy)
}

/// Kubernetes' way to say that all owners are to be forgotten: a list of one entry that says nothing.
fn is_one_empty(list: &Value) -> bool {
    matches!(list.as_array().map(Vec::as_slice), Some([Value::Object(only)]) if only.is_empty())
}

/// Gives a tree another status.
pub(super) fn set_status(tree: &mut Value, status: Option<Value>) {
    if let Value::Object(map) = tree {
        match status {
            Some(status) => drop(map.insert("status".into(), status)),
            None => drop(map.remove("status")),
        }
    }
}

/// Checks that the object is the one that is meant, as far as that was said.
pub(super) fn expect(change: &Change, before: &Before, uid: &str, revision: &str) -> Result<()> {
    let own = before.metadata().uid.to_string();
    if !uid.is_empty() && uid != own {
        return Err(change.name.conflict(format!("its uid is `{own}`, not `{uid}`: it is another object")));
    }
    match revision.parse::<Revision>() {
        Ok(Revision(0)) => Ok(()),
        Ok(revision) if revision == before.at => Ok(()),
        Ok(revision) => Err(change.name.conflict(format!("it is at revision {}, not {revision}", before.at))),
        Err(_) => Err(change.problem(&["metadata", "resourceVersion"], "must be a revision")),
    }
}

/// Makes an object of a draft, and a transaction of that.
pub(super) fn finish(
    change: &Change,
    before: Option<Before>,
    draft: Draft,
    policy: &Policy,
) -> Result<Prepared> {
    let mut tree = draft.tree;
    let old = before.as_ref().map(Before::tree).transpose()?;
    put_system_fields(change, old, &mut tree)?;
    if change.part == Part::Main && change.model.has_status() {
        set_status(&mut tree, old.and_then(|old| old.get("status")).cloned());
    }
    if let (Some(before), Some(old)) = (&before, old)
        && policy.rules.is_empty()
        && tree == *old
        && draft.owners.same_as(&before.owners)
    {
        return Ok(unchanged(change, before));
    }
    let mut object = change.model.read(&tree).map_err(|problems| change.invalid(problems))?;
    object.fill_in();
    let (mut object, also) = admit(change, before.as_ref(), object, policy)?;
    check(change, before.as_ref(), &object)?;

    let mut after = bare(&object)?;
    let generation = match (&before, old) {
        (Some(before), Some(old)) if desired(old).eq(desired(&after)) => before.metadata().generation,
        (Some(before), _) => before.metadata().generation.saturating_add(1),
        (None, _) => 1,
    };
    object.metadata_mut().generation = generation;
    if let Some(Value::Object(metadata)) = after.get_mut("metadata").filter(|_| generation > 0) {
        metadata.insert("generation".into(), generation.into());
    }

    let writer = change.writer(match draft.owners {
        Next::Update { .. } => UPDATE,
        Next::Applied(_) => super::owners::APPLY,
    });
    if let Some(before) = &before
        && old == Some(&after)
        && match &draft.owners {
            Next::Update { reset: true } => before.owners.same_as(&Owners::default()),
            next => next.same_as(&before.owners),
        }
    {
        return Ok(unchanged(change, before));
    }
    let owners = match draft.owners {
        Next::Applied(owners) => owners,
        Next::Update { reset: true } => Owners::default(),
        Next::Update { reset: false } => updated(
            change,
            &writer,
            before.as_ref().zip(old).map(|(it, old)| (it.owners.clone(), old)),
            &after,
        ),
    };
    seal(change, &writer, before.as_ref(), owners, object, also)
}

impl Change {
    pub(super) fn writer(&self, operation: &'static str) -> Writer<'_> {
        Writer {
            manager: &self.by.manager,
            operation,
            api_version: self.model.kind().api_version(),
            subresource: match self.part {
                Part::Main => "",
                Part::Status => "status",
            },
            now: self.by.now,
        }
    }

    pub(super) fn place(&self) -> Place {
        Place::root(self.model.schema())
    }
}

/// The owners after an update, made of those before it, if the object was there.
pub(super) fn updated(
    change: &Change,
    writer: &Writer<'_>,
    before: Option<(Owners, &Value)>,
    after: &Value,
) -> Owners {
    let Some((mut owners, before)) = before else {
        let mut owners = Owners::default();
        let mut difference = compare(None, Some(after), change.place());
        difference.set = of_part(change, difference.set);
        owners.give(writer, difference);
        return owners;
    };
    // Of an object that nobody ever said anything about, nothing is noted until somebody applies it.
    if !owners.is_empty() {
        let mut difference = compare(Some(before), Some(after), change.place());
        owners.take_from_others(writer, &difference);
        difference.set = of_part(change, difference.set);
        owners.give(writer, difference);
    }
    owners
}

/// The fields of the part that is written: what is observed is not owned by who says what is desired.
pub(super) fn of_part(change: &Change, mut fields: FieldSet) -> FieldSet {
    if change.part == Part::Main && change.model.has_status() {
        fields.remove(&field_step("status"));
    }
    fields
}

/// What an object says that is neither about itself nor observed.
fn desired(tree: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let own = |name: &str| !matches!(name, "apiVersion" | "kind" | "metadata" | "status");
    tree.as_object().into_iter().flatten().filter(move |(name, _)| own(name))
}

/// Puts in what is the store's business, whatever was said.
fn put_system_fields(change: &Change, before: Option<&Value>, tree: &mut Value) -> Result<()> {
    let kind = change.model.kind();
    let Value::Object(map) = tree else { return Err(change.problem(&[], "must be a map")) };
    for (name, right) in [("apiVersion", kind.api_version()), ("kind", kind.name())] {
        match map.get(name) {
            None | Some(Value::Null) => drop(map.insert(name.into(), right.into())),
            Some(said) if said == right => {}
            Some(_) => return Err(change.problem(&[name], format!("must be `{right}`"))),
        }
    }
    let metadata = map.entry("metadata").or_insert(Value::Null);
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Value::Object(metadata) = metadata else {
        return Err(change.problem(&["metadata"], "must be a map"));
    };
    for name in SYSTEM_FIELDS {
        metadata.remove(name);
        if let Some(value) = before.and_then(|before| before["metadata"].get(name)) {
            metadata.insert(name.into(), value.clone());
        }
    }
    metadata.insert("name".into(), change.name.name().as_str().into());
    match change.name.namespace().as_str() {
        "" => drop(metadata.remove("namespace")),
        namespace => drop(metadata.insert("namespace".into(), namespace.into())),
    }
    if before.is_none() {
        metadata.insert("uid".into(), change.by.uid.to_string().into());
        metadata.insert("creationTimestamp".into(), change.by.now.to_string().into());
    }
    Ok(())
}

/// Asks the rules, one after the other.
fn admit(
    change: &Change,
    before: Option<&Before>,
    object: AnyObject,
    policy: &Policy,
) -> Result<(AnyObject, Txn)> {
    if policy.rules.is_empty() {
        return Ok((object, Txn::new()));
    }
    let system = object.metadata().clone();
    let old = before.map(Before::whole);
    let mut review = Review {
        old: old.as_ref(),
        new: Some(object),
        part: change.part,
        manager: &change.by.manager,
        also: Txn::new(),
    };
    ask(change, policy, &mut review)?;
    let Review { new: Some(mut object), also, .. } = review else {
        return Err(change.name.refused("a rule took the object away"));
    };
    // A rule alters what an object says, not which one it is.
    let metadata = object.metadata_mut();
    (metadata.name, metadata.namespace) = (system.name, system.namespace);
    (metadata.uid, metadata.creation_timestamp) = (system.uid, system.creation_timestamp);
    Ok((object, also))
}

pub(super) fn ask(change: &Change, policy: &Policy, review: &mut Review<'_>) -> Result<()> {
    for rule in &policy.rules {
        rule.admit(review).map_err(|reason| Error::Denied {
            object: change.name.to_string(),
            by: rule.name().into(),
            reason,
        })?;
    }
    Ok(())
}

pub(super) fn check(change: &Change, before: Option<&Before>, object: &AnyObject) -> Result<()> {
    let problems = object.problems();
    if !problems.is_empty() {
        return Err(change.invalid(problems));
    }
    if let Some(before) = before.map(Before::metadata).filter(|before| before.is_deleting()) {
        let new = object.metadata().finalizers.iter().find(|name| !before.finalizers.contains(name));
        if let Some(name) = new {
            let text = format!("`{name}` cannot be added: the object is being deleted");
            return Err(change.problem(&["metadata", "finalizers"], text));
        }
    }
    Ok(())
}
