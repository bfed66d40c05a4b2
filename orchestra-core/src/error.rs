//! What can go wrong.

use crate::client::FieldConflicts;
use crate::object::Problems;
use crate::store::{CommitError, StoreError};

/// What went wrong, while what was being done to which object.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Some bytes are no object of the kind.
    #[error("cannot read a {kind}: {reason}")]
    Decode {
        /// The kind that was expected.
        kind: &'static str,
        /// Where the bytes go wrong and how.
        reason: String,
    },

    /// What is stored under a key is no object of its kind.
    #[error("{key} cannot be read: {source}")]
    Stored {
        /// The key.
        key: String,
        /// Why not.
        source: Box<Error>,
    },

    /// An object could not be written.
    #[error("cannot write a {kind}: {source}")]
    Encode {
        /// The object's kind.
        kind: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A builder was given a value that the field cannot take.
    #[error("cannot set {path}: {reason}")]
    Set {
        /// The field.
        path: String,
        /// Why not.
        reason: String,
    },

    /// A manifest, or a document in it, was refused.
    #[error("{errors}")]
    Manifest {
        /// Everything that is wrong, a line each.
        errors: String,
    },

    /// An object is not as its kind demands.
    #[error("{kind} `{name}` is invalid: {problems}")]
    Invalid {
        /// The object's kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// All that is wrong with it.
        problems: Problems,
    },

    /// There is no such object.
    #[error("{object} does not exist")]
    NotFound {
        /// The object.
        object: String,
    },

    /// There is an object of that name.
    #[error("{object} exists already: replace or apply it, or choose another name")]
    AlreadyExists {
        /// The object.
        object: String,
    },

    /// The object is not as it was expected to be.
    #[error("{object} has changed: {reason} (read it again, and decide again)")]
    Conflict {
        /// The object.
        object: String,
        /// Which expectation failed.
        reason: String,
    },

    /// Others set the fields that were applied, to something else.
    #[error(
        "{object} has fields that others set otherwise: {conflicts} (leave them out, say the same, or force)"
    )]
    Owned {
        /// The object.
        object: String,
        /// Which fields, and whose they are.
        conflicts: FieldConflicts,
    },

    /// The object was changed by others, again and again, while it was being written.
    #[error("{object} changes too often: {attempts} attempts to write it met with a newer one")]
    Contended {
        /// The object.
        object: String,
        /// How often it was tried.
        attempts: usize,
    },

    /// A patch does not fit the object. Nothing was changed.
    #[error("{object} cannot be patched: operation {operation} ({path}): {reason}")]
    Patch {
        /// The object.
        object: String,
        /// The operation's number, from 1.
        operation: usize,
        /// The place it is about.
        path: String,
        /// Why it fails there.
        reason: String,
    },

    /// A rule of this orchestrator forbids the change.
    #[error("{object} is not admitted by {by}: {reason}")]
    Denied {
        /// The object.
        object: String,
        /// The rule.
        by: String,
        /// Why.
        reason: String,
    },

    /// The request makes no sense for this object.
    #[error("{object}: {reason}")]
    Refused {
        /// The object.
        object: String,
        /// Why not.
        reason: String,
    },

    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// The store did not acknowledge a transaction.
    #[error(transparent)]
    Commit(#[from] CommitError),

    /// The operating system has no randomness to give.
    #[error("no random number can be had: {reason}")]
    Random {
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// Whether the object, or a field of it, is not as it was expected to be: read again, decide again.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Owned { .. } | Self::Contended { .. } => true,
            Self::Commit(error) => error.is_conflict(),
            _ => false,
        }
    }

    /// Whether the very same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Contended { .. } => true,
            Self::Store(error) => error.is_retryable(),
            Self::Commit(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether the change may have been made all the same: read to find out.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Commit(error) if error.is_unknown())
    }

    /// Whether there is no such object.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether there is an object of that name.
    #[must_use]
    pub const fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. })
    }
}

/// The answer, or what went wrong.
pub type Result<T, E = Error> = std::result::Result<T, E>;
