//! [`Change`]: what is to be done to one object, as data; [`Policy`]: what is allowed.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{ObjectName, Patch};
use crate::object::{AnyObject, Model, Problem, Problems, Revision, Str, Timestamp, Uid};
use crate::store::{Key, Txn};
use crate::{Error, Result};

/// A change of one object: what, by whom, when. [`prepare`](super::prepare) makes a transaction of it.
///
/// `Debug` does not show any values, which may be secret.
#[derive(Clone)]
pub struct Change {
    pub(super) model: Model,
    pub(super) name: ObjectName,
    pub(super) part: Part,
    pub(super) action: Action,
    pub(super) by: By,
}

/// Who makes a change, when, and what is drawn for it.
#[derive(Clone, Debug, PartialEq)]
pub struct By {
    /// Who: the name under which the fields are noted that are set.
    pub manager: Str,
    /// When.
    pub now: Timestamp,
    /// Who the object will be, if it is new.
    pub uid: Uid,
}

/// Which part of an object is written. The other stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// What is desired, and the metadata.
    #[default]
    Main,
    /// What is observed.
    Status,
}

/// What is done to the object.
#[derive(Clone)]
pub(super) enum Action {
    Create(Value),
    Replace(Value),
    Patch(Patch),
    Delete(Delete),
    Apply { fields: Map<String, Value>, force: bool },
}

/// How an object is to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Delete {
    pub(super) uid: Uid,
    pub(super) revision: Revision,
    pub(super) grace: Option<u32>,
    pub(super) dependents: Option<Dependents>,
}

/// What becomes of the objects that an object owns when it is deleted. The garbage collector sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dependents {
    /// They go after it.
    Background,
    /// They go before it: it waits for them.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

impl Delete {
    /// Only if it is this very object, not another of the same name.
    #[must_use]
    pub fn uid(self, uid: impl Into<Uid>) -> Self {
        Self { uid: uid.into(), ..self }
    }

    /// Only if it was last written at this revision.
    #[must_use]
    pub fn revision(self, revision: impl Into<Revision>) -> Self {
        Self { revision: revision.into(), ..self }
    }

    /// How many seconds it is given to go.
    #[must_use]
    pub fn grace(self, seconds: u32) -> Self {
        Self { grace: Some(seconds), ..self }
    }

    /// What becomes of the objects that it owns.
    #[must_use]
    pub fn dependents(self, dependents: Dependents) -> Self {
        Self { dependents: Some(dependents), ..self }
    }
}

impl Change {
    /// Makes an object that is not there yet. When it has no name but a `generateName`, the suffix
    /// makes one of that.
    ///
    /// # Errors
    /// When it has no name that can be one.
    pub fn create(model: Model, mut object: Value, suffix: &str, by: By) -> Result<Self> {
        const LONGEST_STEM: usize = 58; // with five characters after it, the 63 of a label
        let prefix = text_at(&object, "generateName");
        if text_at(&object, "name").is_empty() && !prefix.is_empty() {
            let stem: String = prefix.chars().take(LONGEST_STEM).collect();
            if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
                metadata.insert("name".into(), format!("{stem}{suffix}").into());
            }
        }
        Self::of_object(model, object, by, Action::Create)
    }

    /// Puts an object in the place of the one that is there. With a `resourceVersion`, only if it is
    /// still the one that was read.
    ///
    /// # Errors
    /// When it has no name that can be one.
    pub fn replace(model: Model, object: Value, by: By) -> Result<Self> {
        Self::of_object(model, object, by, Action::Replace)
    }

    /// Changes the object that is there.
    #[must_use]
    pub const fn patch(model: Model, name: ObjectName, patch: Patch, by: By) -> Self {
        Self { model, name, part: Part::Main, action: Action::Patch(patch), by }
    }

    /// Deletes the object that is there.
    #[must_use]
    pub const fn delete(model: Model, name: ObjectName, delete: Delete, by: By) -> Self {
        Self { model, name, part: Part::Main, action: Action::Delete(delete), by }
    }

    /// Sees to it that these fields are so, and that those are gone which the manager applied before
    /// and does not name any more. With `force`, also against others who set them.
    ///
    /// # Errors
    /// When the fields have no name that can be one.
    pub fn apply(model: Model, fields: Map<String, Value>, force: bool, by: By) -> Result<Self> {
        let object = Value::Object(fields);
        let (namespace, name) = (text_at(&object, "namespace"), text_at(&object, "name"));
        let name = ObjectName::new(model.kind(), namespace, name)?;
        let Value::Object(fields) = object else { return Err(name.refused("what is applied are no fields")) };
        Ok(Self { model, name, part: Part::Main, action: Action::Apply { fields, force }, by })
    }

    /// The same change of the status, and of nothing else.
    #[must_use]
    pub fn of_status(self) -> Self {
        Self { part: Part::Status, ..self }
    }

    fn of_object(model: Model, object: Value, by: By, action: fn(Value) -> Action) -> Result<Self> {
        let name = ObjectName::new(model.kind(), text_at(&object, "namespace"), text_at(&object, "name"))?;
        Ok(Self { model, name, part: Part::Main, action: action(object), by })
    }

    /// Which object is changed.
    #[must_use]
    pub const fn object(&self) -> &ObjectName {
        &self.name
    }

    /// Under which key it stands: what must be read before the change can be prepared.
    #[must_use]
    pub fn key(&self) -> Key {
        self.name.key()
    }

    pub(super) fn invalid(&self, problems: impl Into<Problems>) -> Error {
        Error::Invalid { kind: self.model.kind().name(), name: self.name.short(), problems: problems.into() }
    }

    pub(super) fn problem(&self, path: &[&str], text: impl Into<String>) -> Error {
        let path = path.iter().map(|step| (*step).into()).collect();
        self.invalid(Problem { path, text: text.into() })
    }
}

/// A text of the metadata; empty when there is none.
fn text_at<'v>(object: &'v Value, name: &str) -> &'v str {
    object.get("metadata").and_then(|metadata| metadata.get(name)).and_then(Value::as_str).unwrap_or_default()
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.action {
            Action::Create(_) => "create",
            Action::Replace(_) => "replace",
            Action::Patch(_) => "patch",
            Action::Delete(_) => "delete",
            Action::Apply { force: false, .. } => "apply",
            Action::Apply { force: true, .. } => "apply by force",
        };
        write!(f, "{what} {} ({:?}) by {}", self.name, self.part, self.by.manager)
    }
}

/// What is allowed, and what is filled in beyond what the kinds say: rules that each look at every
/// change. Without any, all that is valid is allowed.
#[derive(Clone, Default)]
pub struct Policy {
    pub(super) rules: Vec<Arc<dyn Admit>>,
}

/// A rule that looks at a change before it is made.
pub trait Admit: Send + Sync + 'static {
    /// Its name, for those to whom it says no.
    fn name(&self) -> &str;

    /// Lets a change pass, perhaps altered, or says why not. What a rule answers follows from what it
    /// is shown and from nothing else.
    ///
    /// # Errors
    /// Why the change is not admitted.
    fn admit(&self, review: &mut Review<'_>) -> Result<(), String>;
}

/// A change that a rule looks at. Defaults are filled in; the rules come before the checks of the kind.
pub struct Review<'a> {
    /// The object as it is; nothing when it is created.
    pub old: Option<&'a AnyObject>,
    /// The object as it is to be, to be altered; nothing when it is deleted.
    pub new: Option<AnyObject>,
    /// Which part is written.
    pub part: Part,
    /// Who makes the change.
    pub manager: &'a Str,
    /// What else must hold, and is written in the same transaction: what is used up of a quota, say.
    pub also: Txn,
}

impl Policy {
    /// No rules.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// The same and one more rule, after the others.
    #[must_use]
    pub fn with(mut self, rule: impl Admit) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| rule.name())).finish()
    }
}
