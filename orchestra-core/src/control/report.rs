//! [`Report`]: what a person or a metric should know of a kernel's work.

use std::fmt;

use crate::client::ObjectName;
use crate::object::Str;

/// Something that happened while an object was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which controller looked.
    pub controller: Str,
    /// At which object.
    pub object: ObjectName,
    /// What happened.
    pub trouble: Trouble,
}

/// What can happen that nobody wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Somebody else changed something first; it is planned again.
    Conflict,
    /// The answer to a commit was lost; what became of it will be seen.
    UnknownFate(String),
    /// The reconciler answered with an error.
    Failed(String),
    /// The reconciler panicked.
    Panicked(String),
    /// The plan makes no sense, or is too large.
    Refused(String),
    /// A step of the plan could not be made.
    NotMade(String),
    /// The same change is made again and again.
    Loops,
    /// The object goes back and forth between some states.
    Flaps,
    /// There is always something else to change.
    Churns,
    /// An effect's handler failed.
    EffectFailed(String),
    /// The store cannot be reached; it is tried again.
    Unavailable(String),
}

impl Trouble {
    /// Its name: the reason of an event, the label of a metric.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Conflict => "Conflict",
            Self::UnknownFate(_) => "UnknownFate",
            Self::Failed(_) => "ReconcileFailed",
            Self::Panicked(_) => "ReconcilePanicked",
            Self::Refused(_) => "PlanRefused",
            Self::NotMade(_) => "StepFailed",
            Self::Loops => "ReconcileLoops",
            Self::Flaps => "ReconcileFlaps",
            Self::Churns => "ReconcileChurns",
            Self::EffectFailed(_) => "EffectFailed",
            Self::Unavailable(_) => "StoreUnavailable",
        }
    }

    /// Whether a person should see it, on the object.
    #[must_use]
    pub const fn is_an_event(&self) -> bool {
        !matches!(self, Self::Conflict | Self::UnknownFate(_) | Self::Unavailable(_))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("somebody else changed something first; it is planned again"),
            Self::UnknownFate(reason) => write!(f, "the answer to a commit was lost: {reason}"),
            Self::Failed(reason) => write!(f, "the reconciler failed: {reason}"),
            Self::Panicked(reason) => write!(f, "the reconciler panicked: {reason}"),
            Self::Refused(reason) => write!(f, "the plan was refused: {reason}"),
            Self::NotMade(reason) => write!(f, "a step could not be made: {reason}"),
            Self::Loops => f.write_str(
                "the same change is made again and again, though each time it takes effect: the reconciler undoes it, or another does; it is slowed down",
            ),
            Self::Flaps => f.write_str(
                "it goes back and forth between some states: the reconciler contradicts itself, or another; it is slowed down",
            ),
            Self::Churns => f.write_str(
                "there is always something else to change: does what is written depend on the time, or on itself? It is slowed down",
            ),
            Self::EffectFailed(reason) => write!(f, "an effect failed: {reason}"),
            Self::Unavailable(reason) => write!(f, "the store cannot be reached: {reason}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.controller, self.object, self.trouble)
    }
}
