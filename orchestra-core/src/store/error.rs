//! [`StoreError`] and [`CommitError`]: what can go wrong with a store.

use super::{Expect, Key, Revision};

/// Why a store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The history does not reach back so far, or not any more. List, and go on from there.
    #[error("the history since revision {asked} is not held any more, only that since {oldest}: list again")]
    Compacted {
        /// The revision that was asked for.
        asked: Revision,
        /// The oldest that can be.
        oldest: Revision,
    },

    /// The revision has not been reached: it is of another history, as after a restore.
    #[error("revision {asked} has not been reached, the store is at {current}: was it restored?")]
    Ahead {
        /// The revision that was asked for.
        asked: Revision,
        /// The present one.
        current: Revision,
    },

    /// The store could not be reached, or not in time. It may be later.
    #[error("{doing}: the store cannot be reached: {reason}")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// Why it failed.
        reason: String,
    },

    /// The store cannot be written to any more, and says why. What it acknowledged can be read.
    #[error("the store is read-only: {reason}")]
    ReadOnly {
        /// What happened.
        reason: String,
    },

    /// What is stored is not what was written. Nothing was changed.
    #[error("{place} is damaged: {reason}")]
    Corrupt {
        /// The file or key.
        place: String,
        /// What is wrong there.
        reason: String,
    },

    /// Somebody else has the store open.
    #[error("{place} is in use, by this process or another one: one store at a time can have it open")]
    Locked {
        /// Where the store is.
        place: String,
    },

    /// The store was closed.
    #[error("the store is closed")]
    Closed,

    /// The request made no sense.
    #[error("{reason}")]
    Invalid {
        /// Why not.
        reason: String,
    },

    /// Something else failed.
    #[error("{doing}: {reason}")]
    Failed {
        /// What was being done.
        doing: String,
        /// Why it failed.
        reason: String,
    },
}

/// Why a transaction was not acknowledged.
///
/// All but [`Unknown`](Self::Unknown) mean that it took no effect, and will take none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A guard did not hold: somebody else was first. Read again and plan again.
    #[error("{key} was expected {expected}, but {}", found.map_or("does not exist".into(), |at| format!("is at {at}")))]
    Conflict {
        /// The guard's key.
        key: Key,
        /// How it was expected to stand.
        expected: Expect,
        /// When what was found there was written; nothing when there was nothing.
        found: Option<Revision>,
    },

    /// The answer was lost: the transaction took effect, or did not, or will. Read to find out.
    #[error("the fate of the transaction is unknown: {reason}")]
    Unknown {
        /// How the answer was lost.
        reason: String,
    },

    /// The transaction is too large for the store.
    #[error("the transaction has {size} {what}, the limit is {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        size: usize,
        /// How much there may be.
        limit: usize,
    },

    /// The transaction makes no sense.
    #[error("the transaction makes no sense: {reason}")]
    Invalid {
        /// Why not.
        reason: String,
    },

    /// The store failed before the transaction could take effect.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl StoreError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether one must list again to go on.
    #[must_use]
    pub const fn must_resync(&self) -> bool {
        matches!(self, Self::Compacted { .. } | Self::Ahead { .. })
    }
}

impl CommitError {
    /// Whether somebody else was first: read again, plan again.
    #[must_use]
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the transaction may have taken effect all the same.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Whether the very same transaction may succeed later. One whose fate is unknown is planned
    /// again, never sent again.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_retryable())
    }
}
