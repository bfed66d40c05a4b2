//! [`PlanError`]: why a plan is not begun.

use std::fmt;

use crate::Error;
use crate::object::{FieldPath, Resource};

/// What is wrong with a plan, on which object, and how to mend it. None of it was made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A change cannot be made of what was said.
    #[error("the plan for {object} makes no sense: {reason}")]
    Unusable {
        /// The object.
        object: String,
        /// Why not.
        reason: String,
    },

    /// It wants too much at once.
    #[error(
        "the plan has {changes} changes, the limit is {limit}: return a part of them, and `after` a moment the rest"
    )]
    TooLong {
        /// How many changes it has.
        changes: usize,
        /// How many it may have.
        limit: usize,
    },

    /// A step is too much for one transaction.
    #[error(
        "step {step} has {changes} changes in one transaction, the store's limit is {limit}: \
         make several steps of it, by `and` instead of `atomic`"
    )]
    TooManyAtOnce {
        /// Which step, from 1.
        step: usize,
        /// How many changes it has.
        changes: usize,
        /// How many the store takes.
        limit: usize,
    },

    /// It wants what cannot be both.
    #[error("steps {first} and {second} contradict each other: {object} {what}")]
    Contradiction {
        /// The object.
        object: String,
        /// One step, from 1.
        first: usize,
        /// The other, from 1.
        second: usize,
        /// What cannot be both.
        what: Contradiction,
    },
}

/// What two steps of a plan cannot both want.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contradiction {
    /// The object is ensured twice.
    EnsuredTwice,
    /// The object is ensured, and deleted.
    EnsuredAndDeleted,
    /// The object is deleted twice.
    DeletedTwice,
    /// A finalizer is added, and taken away.
    Finalizer(String),
    /// A field is set to one thing, and to another.
    SetTwice(FieldPath),
    /// The object is changed twice in one transaction.
    TwiceAtOnce,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnsuredTwice => f.write_str(
                "is ensured twice with different fields, and the second takes back what only the first says: \
                 say all of its fields in one `ensure`",
            ),
            Self::EnsuredAndDeleted => {
                f.write_str("is ensured and deleted: delete it now, and ensure it once it is seen to be gone")
            }
            Self::DeletedTwice => f.write_str("is deleted twice: leave out one of them"),
            Self::Finalizer(name) => {
                write!(f, "gets the finalizer `{name}` and loses it: decide which")
            }
            Self::SetTwice(path) => {
                write!(f, "has its field {path} set to one thing and then to another: decide which")
            }
            Self::TwiceAtOnce => f.write_str(
                "is changed twice in one transaction: join the two changes, or move one out of `atomic`",
            ),
        }
    }
}

impl PlanError {
    pub(super) fn unusable<R: Resource>(object: &R, reason: String) -> Self {
        let (namespace, name) = (object.namespace(), object.name());
        let slash = if namespace.is_empty() { "" } else { "/" };
        Self::Unusable { object: format!("{} {namespace}{slash}{name}", R::KIND), reason }
    }

    /// An object's name that is none.
    pub(super) fn name(error: Error) -> Self {
        match error {
            Error::Refused { object, reason } => Self::Unusable { object, reason },
            other => Self::Unusable { object: "an object".into(), reason: other.to_string() },
        }
    }

    /// The object that it is about, if it is about one.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::Unusable { object, .. } | Self::Contradiction { object, .. } => Some(object),
            Self::TooLong { .. } | Self::TooManyAtOnce { .. } => None,
        }
    }
}
