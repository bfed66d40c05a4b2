//! [`Op`]: one change of one object, as it was planned.

use std::fmt;

use serde_json::{Map, Value, json};

use super::PlanError;
use super::diff::leaves;
use super::hash::Fold;
use crate::client::{By, Change, Delete, ObjectName, Operation, Part, Patch};
use crate::control::Watched;
use crate::object::fields::Node;
use crate::object::{Few, FieldPath, Fields, Metadata, Resource, Revision, Segment, Str, Uid};
use crate::{Error, Result};

/// One change of one object.
///
/// `Debug` does not show any values, which may be secret.
#[derive(Clone, PartialEq)]
pub struct Op {
    pub(super) target: Target,
    pub(super) act: Act,
}

/// Which object is changed, and how it was seen.
#[derive(Clone, PartialEq)]
pub(super) struct Target {
    watched: Watched,
    object: ObjectName,
    uid: Uid,
    at: Expected,
    /// Whether no namespace was said though the kind has them.
    bare: bool,
}

/// How an object was when its change was planned. If it is another way now, the change was planned on
/// what is no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Expected {
    /// It was not looked at: the change is right whatever is there.
    #[default]
    Unread,
    /// It was not there.
    Absent,
    /// It was last written at this revision.
    At(Revision),
}

/// What is done to an object.
///
/// `Debug` does not show any values, which may be secret.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Act {
    /// These fields are to be so.
    Ensure {
        /// The fields.
        fields: Fields,
        /// Whether they are taken from others who set them otherwise.
        force: bool,
    },
    /// It is changed.
    Patch {
        /// How.
        patch: Patch,
        /// Which part of it.
        part: Part,
    },
    /// It goes.
    Delete {
        /// How.
        how: Delete,
    },
    /// It is waited for by somebody when it goes, or not any more.
    Finalizer {
        /// By whom.
        name: Str,
        /// Whether it is.
        present: bool,
        /// By whom all it is waited for then.
        list: Few<Str>,
    },
}

impl Target {
    /// An object of this name, not looked at.
    pub(super) fn named<R: Resource>(namespace: Str, name: Str) -> Result<Self, PlanError> {
        Self::new::<R>(namespace, name, Uid::default(), Expected::Unread)
    }

    /// An object as it was seen.
    pub(super) fn seen<R: Resource>(object: &R) -> Result<Self, PlanError> {
        let (namespace, name) = (object.namespace().clone(), object.name().clone());
        Self::new::<R>(namespace, name, object.uid().clone(), Expected::seen(object))
    }

    fn new<R: Resource>(namespace: Str, name: Str, uid: Uid, at: Expected) -> Result<Self, PlanError> {
        let bare = namespace.is_empty() && R::KIND.is_namespaced();
        let object = ObjectName::new(R::KIND, namespace, name).map_err(PlanError::name)?;
        Ok(Self { watched: Watched::of::<R>(), object, uid, at, bare })
    }

    pub(super) const fn object(&self) -> &ObjectName {
        &self.object
    }
}

impl Op {
    /// A change of an object of whichever kind, as it was seen.
    pub(in crate::control) fn seen(
        watched: Watched,
        object: ObjectName,
        metadata: &Metadata,
        act: Act,
    ) -> Self {
        let at = Expected::At(metadata.resource_version);
        Self { target: Target { watched, object, uid: metadata.uid.clone(), at, bare: false }, act }
    }

    /// The type of the object.
    #[must_use]
    pub const fn watched(&self) -> Watched {
        self.target.watched
    }

    /// Which object.
    #[must_use]
    pub const fn object(&self) -> &ObjectName {
        &self.target.object
    }

    /// How it was when this was planned.
    #[must_use]
    pub const fn expected(&self) -> Expected {
        self.target.at
    }

    /// The same, planned on another state of the object.
    #[must_use]
    pub const fn expecting(mut self, at: Expected) -> Self {
        self.target.at = at;
        self
    }

    pub(in crate::control) const fn expect(&mut self, at: Expected) {
        self.target.at = at;
    }

    /// What is done to it.
    #[must_use]
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// Whether it is to go.
    #[must_use]
    pub const fn is_deletion(&self) -> bool {
        matches!(self.act, Act::Delete { .. })
    }

    /// Whether it sees to an object that this one owns. What is wanted of the world outside is another
    /// matter: that is how things are put in order at the end.
    pub(in crate::control) fn is_made_for(&self, owner: &Uid) -> bool {
        let Act::Ensure { fields, .. } = &self.act else { return false };
        let owners = fields.at(&["metadata", "ownerReferences"]);
        let is_it = |reference: &Node| {
            reference.get("uid").and_then(Node::as_text).is_some_and(|uid| Uid::from(uid.as_str()) == *owner)
        };
        owners.and_then(Node::as_list).is_some_and(|owners| owners.iter().any(is_it))
            && self.watched() != Watched::of::<crate::control::EffectRequest>()
    }

    /// The change that a client makes.
    ///
    /// It holds for this very object: another of the same name is a conflict. Whether the object is
    /// still as [expected](Self::expected) is for the caller to see, who knows what the steps before
    /// this one made of it.
    ///
    /// # Errors
    /// When no change can be made of it: its fields have another name, say.
    pub fn change(&self, by: By) -> Result<Change> {
        let (model, object) = (self.target.watched.model(), self.target.object.clone());
        let wrong = |reason: &str| Error::Refused { object: object.to_string(), reason: reason.into() };
        Ok(match &self.act {
            Act::Ensure { fields, force } => {
                let change = Change::apply(model, fields.to_json(), *force, by)?;
                if *change.object() != object {
                    return Err(wrong("the plan was not settled in a namespace"));
                }
                change
            }
            Act::Patch { patch, part } => {
                let change = Change::patch(model, object, self.guarded(patch), by);
                if *part == Part::Status { change.of_status() } else { change }
            }
            Act::Delete { how } => Change::delete(model, object, how.clone(), by),
            Act::Finalizer { list, .. } => {
                let list = if list.is_empty() { Value::Null } else { json!(list) };
                let patch = Patch::merge(json!({"metadata": {"finalizers": list}}));
                Change::patch(model, object, self.guarded(&patch), by)
            }
        })
    }

    /// The patch, for this very object only.
    fn guarded(&self, patch: &Patch) -> Patch {
        let mut patch = patch.clone();
        if self.target.uid.is_unset() {
            return patch;
        }
        let uid = Value::from(self.target.uid.to_string());
        match &mut patch {
            Patch::Merge(tree) => {
                if let Value::Object(tree) = tree
                    && let Value::Object(metadata) =
                        tree.entry("metadata").or_insert_with(|| Value::Object(Map::new()))
                {
                    metadata.insert("uid".into(), uid);
                }
            }
            Patch::Json(operations) => operations.push(Operation::add("/metadata/uid", uid)),
        }
        patch
    }

    /// A number that two changes share when they are the same, the values included, on every machine
    /// and in every run; how the object was seen does not count. (Others share it once in 2⁶⁴ times.) With the revision of the object that a
    /// change has led to, it tells that there is nothing to do.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut fold = Fold::new();
        fold.op(&self.target, &self.act);
        fold.end()
    }

    /// Puts the object into a namespace if none was said.
    pub(super) fn settle(&mut self, namespace: &str) -> Result<(), PlanError> {
        if !self.target.bare || namespace.is_empty() {
            return Ok(());
        }
        let (kind, name) = (self.target.object.kind(), self.target.object.name().clone());
        self.target.object = ObjectName::new(kind, namespace, name).map_err(PlanError::name)?;
        self.target.bare = false;
        if let Act::Ensure { fields, .. } = &mut self.act
            && let Some(Node::Map(metadata)) = fields.0.get_mut("metadata")
        {
            metadata.insert("namespace", Node::Text(namespace.into()));
        }
        Ok(())
    }

    /// Every place that it writes, and what: a value, or nothing where something is taken away.
    pub(in crate::control) fn places(&self) -> Vec<(FieldPath, Option<Value>)> {
        match &self.act {
            Act::Ensure { fields, .. } => {
                let shape = self.target.watched.model().schema();
                let (fields, mut list) = (fields.to_json(), Vec::new());
                for (name, value) in &fields {
                    leaves(value, Some(shape.child(name)), &FieldPath::ROOT.join(name.as_str()), &mut list);
                }
                // What only says which object is meant is shown by its name.
                let is_name = |path: &FieldPath| {
                    let mut steps = path.segments().iter().map(|step| match step {
                        Segment::Field(name) => name.as_str(),
                        Segment::Index(_) | Segment::Item(_) => "",
                    });
                    match steps.next() {
                        Some("apiVersion" | "kind") => true,
                        Some("metadata") => matches!(steps.next(), Some("name" | "namespace")),
                        _ => false,
                    }
                };
                list.retain(|(path, _)| !is_name(path));
                list.into_iter().map(|(path, value)| (path, Some(value.clone()))).collect()
            }
            Act::Patch { patch: Patch::Merge(tree), .. } => {
                let mut list = Vec::new();
                leaves(tree, None, &FieldPath::ROOT, &mut list);
                list.into_iter()
                    .map(|(path, value)| (path, Some(value.clone()).filter(|v| !v.is_null())))
                    .collect()
            }
            Act::Patch { patch: Patch::Json(operations), .. } => operations
                .iter()
                // What is only looked at is not written.
                .filter(|operation| !matches!(operation, Operation::Test { .. }))
                .map(|operation| {
                    let value = match operation {
                        Operation::Add { value, .. } | Operation::Replace { value, .. } => {
                            Some(value.clone())
                        }
                        _ => None,
                    };
                    (path_of_pointer(operation.path()), value)
                })
                .collect(),
            Act::Delete { .. } => Vec::new(),
            Act::Finalizer { list, .. } => {
                let path = FieldPath::ROOT.join("metadata").join("finalizers");
                vec![(path, Some(json!(list)).filter(|_| !list.is_empty()))]
            }
        }
    }
}

/// A JSON pointer as a path.
fn path_of_pointer(pointer: &str) -> FieldPath {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps
        .map(|step| match step.parse::<usize>() {
            Ok(index) => index.into(),
            Err(_) => step.as_str().into(),
        })
        .collect()
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Expected::Unread => write!(f, "{}", self.object),
            Expected::Absent => write!(f, "{} (absent)", self.object),
            Expected::At(revision) => write!(f, "{} (at {revision})", self.object),
        }
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ensure { force, .. } => {
                f.debug_struct("Ensure").field("force", force).finish_non_exhaustive()
            }
            Self::Patch { part, patch } => {
                f.debug_struct("Patch").field("part", part).field("patch", patch).finish()
            }
            Self::Delete { how } => f.debug_struct("Delete").field("how", how).finish(),
            Self::Finalizer { name, present, .. } => f
                .debug_struct("Finalizer")
                .field("name", name)
                .field("present", present)
                .finish_non_exhaustive(),
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?} ", self.target, self.act)?;
        let paths = self.places().into_iter().map(|(path, _)| path.to_string());
        f.debug_list().entries(paths).finish()
    }
}

impl Fold {
    fn op(&mut self, target: &Target, act: &Act) {
        let kind = target.object.kind();
        self.text(kind.api_version());
        self.text(kind.name());
        self.text(target.object.namespace());
        self.text(target.object.name());
        self.hash_of(&target.uid);
        match act {
            Act::Ensure { fields, force } => {
                self.number(1 + u64::from(*force));
                self.fields(fields);
            }
            Act::Patch { patch, part } => {
                self.number(if *part == Part::Status { 4 } else { 3 });
                match patch {
                    Patch::Merge(tree) => self.value(tree),
                    Patch::Json(operations) => operations.iter().for_each(|it| self.operation(it)),
                }
            }
            Act::Delete { how } => {
                self.number(5);
                self.hash_of(how);
            }
            Act::Finalizer { name, present, list } => {
                self.number(6 + u64::from(*present));
                self.text(name);
                list.iter().for_each(|name| self.text(name));
            }
        }
    }

    fn operation(&mut self, operation: &Operation) {
        self.text(operation.name());
        self.text(operation.path());
        match operation {
            Operation::Add { value, .. }
            | Operation::Replace { value, .. }
            | Operation::Test { value, .. } => {
                self.value(value);
            }
            Operation::Move { from, .. } | Operation::Copy { from, .. } => self.text(from),
            Operation::Remove { .. } => {}
        }
    }
}
