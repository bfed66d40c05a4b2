//! Who set which fields of an object: `metadata.managedFields`, and how a change moves them.

use std::borrow::Cow;
use std::fmt;

use super::compare::Difference;
use super::fields::FieldSet;
use crate::object::{FieldManagers, FieldPath, FieldsV1, ManagedFields, Str, Timestamp};

/// How many entries of managers that update rather than apply an object keeps. What is older is put
/// together under one name, as Kubernetes does.
pub const MOST_UPDATERS: usize = 10;

/// The name under which the oldest updaters' fields are put together.
const ANCIENT: &str = "ancient-changes";
/// The name under which stand the fields of an object that was stored without owners.
const BEFORE: &str = "before-first-apply";
pub(super) const APPLY: &str = "Apply";
pub(super) const UPDATE: &str = "Update";

/// Fields that are nobody's: by them an object is known, or the store writes them.
const SYSTEM: [&[&str]; 13] = [
    &["f:apiVersion"],
    &["f:kind"],
    &["f:metadata"],
    &["f:metadata", "f:name"],
    &["f:metadata", "f:namespace"],
    &["f:metadata", "f:uid"],
    &["f:metadata", "f:resourceVersion"],
    &["f:metadata", "f:generation"],
    &["f:metadata", "f:creationTimestamp"],
    &["f:metadata", "f:deletionTimestamp"],
    &["f:metadata", "f:deletionGracePeriodSeconds"],
    &["f:metadata", "f:managedFields"],
    &["f:metadata", "f:selfLink"],
];

/// The same set without the fields that are nobody's.
pub(super) fn without_system(mut fields: FieldSet) -> FieldSet {
    for path in SYSTEM {
        fields.take(path);
    }
    fields
}

/// A field that somebody else set, to something else.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldConflict {
    /// Who set it.
    pub manager: Str,
    /// How: `Apply` or `Update`.
    pub operation: Str,
    /// The field.
    pub path: FieldPath,
}

/// The fields over which an apply and others are at odds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldConflicts(pub Vec<FieldConflict>);

impl fmt::Display for FieldConflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        for (at, conflict) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{} is set by `{}`", conflict.path, conflict.manager)?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Who writes now, and how.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) manager: &'a Str,
    pub(super) operation: &'static str,
    pub(super) api_version: &'static str,
    pub(super) subresource: &'static str,
    pub(super) now: Timestamp,
}

/// An object's managers, each with its fields.
#[derive(Clone, Default)]
pub(super) struct Owners(Vec<Owner>);

#[derive(Clone)]
struct Owner {
    manager: Str,
    operation: Str,
    api_version: Str,
    subresource: Str,
    time: Option<Timestamp>,
    fields: Owned,
}

/// The fields of a manager: as they are stored, until something is done with them.
#[derive(Clone)]
enum Owned {
    Stored(FieldsV1),
    Read(FieldSet),
}

impl Owned {
    fn read(&self) -> Cow<'_, FieldSet> {
        match self {
            Self::Stored(stored) => Cow::Owned(FieldSet::parse(stored)),
            Self::Read(fields) => Cow::Borrowed(fields),
        }
    }

    fn into_stored(self) -> FieldsV1 {
        match self {
            Self::Stored(stored) => stored,
            Self::Read(fields) => fields.to_stored(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            // A set of that form has something in it; of what has another one nobody knows.
            Self::Stored(stored) => {
                !stored.as_str().starts_with("{\"f:") && FieldSet::parse(stored).is_empty()
            }
            Self::Read(fields) => fields.is_empty(),
        }
    }

    /// Whether it can have some of these fields in it. It is told at a glance that it has not, mostly.
    fn may_have(&self, fields: &FieldSet) -> bool {
        match self {
            Self::Stored(stored) => {
                fields.steps().any(|step| {
                    // What would be written with an escape is not looked for as it stands.
                    let plain =
                        step.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
                    !plain || stored.as_str().contains(step)
                }) || ["\\u", "\\/"].iter().any(|escape| stored.as_str().contains(escape))
            }
            Self::Read(_) => true,
        }
    }

    fn subtract(&mut self, fields: &FieldSet) {
        if self.may_have(fields) {
            let mut left = self.read().into_owned();
            if !left.is_apart_from(fields) {
                left.subtract(fields);
                *self = Self::Read(left);
            }
        }
    }
}

impl Owner {
    fn identity(&self) -> [&Str; 4] {
        [&self.operation, &self.manager, &self.subresource, &self.api_version]
    }

    fn is(&self, writer: &Writer<'_>) -> bool {
        self.manager == *writer.manager
            && self.operation == writer.operation
            && self.subresource == writer.subresource
            // What somebody applies is one thing, in whichever version they say it.
            && (writer.operation == APPLY || self.api_version == writer.api_version)
    }
}

impl Owners {
    pub(super) fn read(managers: &FieldManagers) -> Self {
        let entries = managers.entries();
        let owners = entries.iter().map(|entry| Owner {
            manager: entry.manager.clone(),
            operation: entry.operation.clone(),
            api_version: entry.api_version.clone(),
            subresource: entry.subresource.clone(),
            time: entry.time,
            fields: Owned::Stored(entry.fields_v1.clone()),
        });
        Self(owners.filter(|owner| !owner.fields.is_empty()).collect())
    }

    pub(super) fn into_entries(self) -> FieldManagers {
        let entry = |owner: Owner| ManagedFields {
            manager: owner.manager,
            operation: owner.operation,
            api_version: owner.api_version,
            time: owner.time,
            fields_type: "FieldsV1".into(),
            fields_v1: owner.fields.into_stored(),
            subresource: owner.subresource,
        };
        self.0.into_iter().map(entry).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One owner of everything, for an object that was stored without saying whose it is.
    pub(super) fn of_old(fields: FieldSet, api_version: &'static str) -> Self {
        let fields = without_system(fields);
        let (manager, operation) = (BEFORE.into(), UPDATE.into());
        let owner = Owner {
            manager,
            operation,
            api_version: api_version.into(),
            subresource: Str::EMPTY,
            time: None,
            fields: Owned::Read(fields),
        };
        Self(if owner.fields.is_empty() { Vec::new() } else { vec![owner] })
    }

    /// The fields of whoever writes now.
    pub(super) fn own(&self, writer: &Writer<'_>) -> FieldSet {
        let own = self.0.iter().find(|owner| owner.is(writer));
        own.map(|owner| owner.fields.read().into_owned()).unwrap_or_default()
    }

    /// The fields of all others.
    pub(super) fn others(&self, writer: &Writer<'_>) -> FieldSet {
        let others = self.0.iter().filter(|owner| !owner.is(writer));
        others.fold(FieldSet::default(), |all, owner| all.union(&owner.fields.read()))
    }

    /// Which fields of others a change sets to something else.
    pub(super) fn conflicts(&self, writer: &Writer<'_>, changed: &FieldSet) -> FieldConflicts {
        let others = self.0.iter().filter(|owner| !owner.is(writer));
        let conflicts = others.flat_map(|owner| {
            let paths = owner.fields.read().intersection(changed).paths();
            paths.into_iter().map(|path| FieldConflict {
                manager: owner.manager.clone(),
                operation: owner.operation.clone(),
                path,
            })
        });
        FieldConflicts(conflicts.collect())
    }

    /// After a change, a field that differs is not theirs any more who set it before.
    pub(super) fn take_from_others(&mut self, writer: &Writer<'_>, difference: &Difference) {
        for owner in self.0.iter_mut().filter(|owner| !owner.is(writer)) {
            owner.fields.subtract(&difference.set);
            owner.fields.subtract(&difference.removed);
        }
    }

    /// After an update, what was changed is the writer's.
    pub(super) fn give(&mut self, writer: &Writer<'_>, difference: Difference) {
        let (own, set) = (self.own(writer), without_system(difference.set));
        if own.covers(&set) && own.is_apart_from(&difference.removed) {
            return; // what changed was the writer's already
        }
        let mut fields = own.union(&set);
        fields.subtract(&difference.removed);
        self.set(writer, fields);
    }

    /// After an apply, what was said is the writer's, and nothing else.
    pub(super) fn set(&mut self, writer: &Writer<'_>, fields: FieldSet) {
        match self.0.iter_mut().find(|owner| owner.is(writer)) {
            Some(owner) => {
                owner.fields = Owned::Read(fields);
                owner.api_version = writer.api_version.into();
            }
            None => self.0.push(Owner {
                manager: writer.manager.clone(),
                operation: writer.operation.into(),
                api_version: writer.api_version.into(),
                subresource: writer.subresource.into(),
                time: None,
                fields: Owned::Read(fields),
            }),
        }
    }

    /// Whether the same managers own the same fields, whenever they came to.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        fn list(owners: &Owners) -> Vec<&Owner> {
            let mut list: Vec<_> = owners.0.iter().filter(|owner| !owner.fields.is_empty()).collect();
            list.sort_by_key(|owner| owner.identity());
            list
        }
        let (own, others) = (list(self), list(other));
        let alike = |a: &Owner, b: &Owner| {
            a.identity() == b.identity()
                && match (&a.fields, &b.fields) {
                    (Owned::Stored(a), Owned::Stored(b)) if a == b => true,
                    (a, b) => a.read() == b.read(),
                }
        };
        own.len() == others.len() && own.iter().zip(others).all(|(a, b)| alike(a, b))
    }

    /// Notes when the writer wrote, forgets those who own nothing any more, and bounds the rest.
    pub(super) fn settle(&mut self, writer: &Writer<'_>) {
        if let Some(owner) = self.0.iter_mut().find(|owner| owner.is(writer)) {
            owner.time = Some(writer.now);
        }
        self.0.retain(|owner| !owner.fields.is_empty());
        self.sort();
        self.bound();
    }

    /// Those who apply first, then by time, as Kubernetes lists them.
    fn sort(&mut self) {
        self.0.sort_by(|a, b| {
            let [a, b] = [a, b].map(|it| (&it.operation, it.time, &it.manager, &it.subresource));
            a.cmp(&b)
        });
    }

    fn bound(&mut self) {
        let is_update = |owner: &&Owner| owner.operation == UPDATE;
        let count = self.0.iter().filter(is_update).count();
        if count <= MOST_UPDATERS {
            return;
        }
        let (mut kept, mut ancient) = (Vec::with_capacity(self.0.len()), Vec::new());
        // The one that holds the ancient changes takes a place itself, unless it is there already.
        let has_ancient = self.0.iter().any(|owner| owner.manager == ANCIENT && owner.operation == UPDATE);
        let mut surplus = count - MOST_UPDATERS + usize::from(!has_ancient);
        for owner in self.0.drain(..) {
            if owner.operation != UPDATE {
                kept.push(owner);
            } else if owner.manager == ANCIENT {
                ancient.push(owner);
            } else if surplus > 0 {
                surplus -= 1;
                ancient.push(owner);
            } else {
                kept.push(owner);
            }
        }
        let time = ancient.iter().filter_map(|owner| owner.time).max();
        let fields = ancient.iter().fold(FieldSet::default(), |all, owner| all.union(&owner.fields.read()));
        if let Some(last) = ancient.pop() {
            let fields = Owned::Read(fields);
            kept.push(Owner { manager: ANCIENT.into(), subresource: Str::EMPTY, time, fields, ..last });
        }
        self.0 = kept;
        self.sort();
    }
}
