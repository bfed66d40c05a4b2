//! What can go wrong.

use crate::object::Problems;

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
}

/// The answer, or what went wrong.
pub type Result<T, E = Error> = std::result::Result<T, E>;
