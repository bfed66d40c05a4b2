//! [`Condition`]: what is known of an object at a glance.

use std::fmt;

use orchestra_macros::wire;

use super::{Str, Timestamp};

/// A statement about an object that holds, does not hold, or is not known to.
///
/// One type serves all kinds. The last three times are those that Kubernetes has for some kinds
/// only (a Deployment's update, a Pod's and a Job's probe, a Node's heartbeat).
#[wire]
pub struct Condition {
    /// What is stated: `Ready`, `Available`, …
    #[wire(required, name = "type")]
    pub kind: Str,
    /// Whether it holds.
    #[wire(required)]
    pub status: ConditionStatus,
    /// The generation of the object that was looked at.
    pub observed_generation: u64,
    /// When it last began or ceased to hold.
    pub last_transition_time: Option<Timestamp>,
    /// Why, in one word for programs.
    pub reason: Str,
    /// Why, for people.
    pub message: Str,
    /// When it was last updated.
    pub last_update_time: Option<Timestamp>,
    /// When it was last probed.
    pub last_probe_time: Option<Timestamp>,
    /// When there was last a heartbeat.
    pub last_heartbeat_time: Option<Timestamp>,
}

/// Whether a statement holds.
#[wire]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// That is not known.
    #[default]
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl Condition {
    /// The statement `kind`, and whether it holds.
    #[must_use]
    pub fn of(kind: impl Into<Str>, status: impl Into<ConditionStatus>) -> Self {
        Self { kind: kind.into(), status: status.into(), ..Self::default() }
    }

    /// The same with a reason for programs and a message for people.
    #[must_use]
    pub fn because(self, reason: impl Into<Str>, message: impl Into<Str>) -> Self {
        Self { reason: reason.into(), message: message.into(), ..self }
    }

    /// Whether it is known to hold.
    #[must_use]
    pub const fn is_true(&self) -> bool {
        matches!(self.status, ConditionStatus::True)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.status)?;
        match (self.reason.as_str(), self.message.as_str()) {
            ("", "") => Ok(()),
            (reason, "") => write!(f, " ({reason})"),
            ("", message) => write!(f, " ({message})"),
            (reason, message) => write!(f, " ({reason}: {message})"),
        }
    }
}

/// A list of conditions, at most one of each type.
pub trait Conditions {
    /// The condition of this type.
    fn condition(&self, kind: &str) -> Option<&Condition>;
    /// Whether the condition of this type is known to hold.
    fn is_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(Condition::is_true)
    }
    /// Puts a condition in the place of the one of its type. The time of the transition is `now`
    /// when the status differs from before, and stays as it is otherwise.
    fn set_condition(&mut self, condition: Condition, now: Timestamp);
}

impl Conditions for Vec<Condition> {
    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.iter().find(|condition| condition.kind == kind)
    }

    fn set_condition(&mut self, mut condition: Condition, now: Timestamp) {
        match self.iter_mut().find(|old| old.kind == condition.kind) {
            Some(old) => {
                let same = old.status == condition.status;
                condition.last_transition_time = if same { old.last_transition_time } else { Some(now) };
                *old = condition;
            }
            None => {
                condition.last_transition_time = Some(now);
                self.push(condition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_transition_changes_with_the_status_only() {
        let mut conditions = Vec::new();
        let at = Timestamp::from_unix;
        conditions.set_condition(Condition::of("Ready", false), at(1));
        conditions.set_condition(Condition::of("Ready", false).because("Starting", ""), at(2));
        assert_eq!(conditions[0].last_transition_time, Some(at(1)));
        assert_eq!(conditions[0].to_string(), "Ready=False (Starting)");
        conditions.set_condition(Condition::of("Ready", true), at(3));
        assert_eq!(conditions[0].last_transition_time, Some(at(3)));
        assert!(conditions.is_true("Ready") && !conditions.is_true("Available"));
        assert_eq!(conditions.len(), 1);
    }
}
