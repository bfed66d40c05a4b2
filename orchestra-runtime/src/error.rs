//! What can go wrong.

use std::time::Duration;

use orchestra_core::object::Str;

use crate::Capability;

/// What a runtime answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, while what was being done to which container or sandbox.
///
/// That a container ended, and how, is no error: it is its [state](crate::State).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing (any more).
    #[error("{what} {name} is not there")]
    NotFound {
        /// A sandbox, a container, an image.
        what: &'static str,
        /// Its id or name.
        name: Str,
    },

    /// What was asked for is not as it can be.
    #[error("{what}: {reason}")]
    Invalid {
        /// What of the request.
        what: Str,
        /// What is wrong with it, and how to mend it.
        reason: Str,
    },

    /// It is not in a state for that: a container that runs cannot be removed.
    #[error("cannot {what} {name}: it {state}")]
    WrongState {
        /// What was to be done.
        what: &'static str,
        /// The container or sandbox.
        name: Str,
        /// How it is instead.
        state: Str,
    },

    /// This runtime cannot do that, and says so in its [capabilities](crate::Capabilities).
    #[error("the runtime {runtime} cannot {capability}")]
    Unsupported {
        /// The runtime's name.
        runtime: Str,
        /// What it cannot do.
        capability: Capability,
    },

    /// A program could not be started.
    #[error("cannot start {name}: {reason}")]
    Start {
        /// The container.
        name: Str,
        /// Why not: there is no such file, it is not executable.
        reason: Str,
    },

    /// An image could not be had.
    #[error("cannot pull {image}: {reason}")]
    Pull {
        /// The image.
        image: Str,
        /// Why not.
        reason: Str,
        /// Whether it may succeed if it is tried again.
        is_transient: bool,
    },

    /// It took longer than it was [given](crate::RuntimeExt::within). It may still happen.
    #[error("{what} took longer than {limit:?}")]
    TooSlow {
        /// What was being done.
        what: &'static str,
        /// How long it may have taken.
        limit: Duration,
    },

    /// The runtime does not answer.
    #[error("the runtime {runtime} does not answer: {reason}")]
    Unreachable {
        /// The runtime's name.
        runtime: Str,
        /// What it says, or what the operating system does.
        reason: Str,
    },

    /// Something else went wrong, in the runtime or below it.
    #[error("cannot {what}: {reason}")]
    Failed {
        /// What was being done, and to what.
        what: Str,
        /// What went wrong.
        reason: Str,
    },
}

impl Error {
    /// Whether the same call may succeed if it is made again, nothing else being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::TooSlow { .. } | Self::Unreachable { .. } | Self::Failed { .. } => true,
            Self::Pull { is_transient, .. } => *is_transient,
            _ => false,
        }
    }

    /// Whether what was named is not there.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
