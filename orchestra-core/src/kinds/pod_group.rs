//! [`PodGroup`]: pods that start together or not at all.

use orchestra_macros::wire;

use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{At, Condition, Duration, Kind, Object, Spec, Str, names};

/// Pods that start together or not at all: those whose field `orchestra.podGroup` names it.
pub type PodGroup = Object<PodGroupSpec>;

impl Spec for PodGroupSpec {
    const KIND: Kind = Kind::namespaced("orchestra.dev/v1", "PodGroup");
    type Status = PodGroupStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = PodGroupStatus::SCHEMA;

    fn check(group: &PodGroup, at: &At<'_>) {
        let (spec, at) = (&group.spec, at.field("spec"));
        at.field("minMember").require(spec.min_member > 0, "must be given, and more than 0");
        if let Some(timeout) = spec.schedule_timeout {
            at.field("scheduleTimeout").require(timeout > Duration::ZERO, "must be more than 0s");
        }
        for (name, text) in [("queue", &spec.queue), ("priorityClassName", &spec.priority_class_name)] {
            if !text.is_empty() {
                at.field(name).check(names::dns_subdomain(text));
            }
        }
    }
}

/// What is desired of a PodGroup.
#[wire(spec)]
pub struct PodGroupSpec {
    /// How many of its pods must find a place for any of them to start.
    #[wire(required)]
    pub min_member: u32,
    /// How long places are held for pods while the others have none; as long as the scheduler
    /// chooses when it is not given.
    pub schedule_timeout: Option<Duration>,
    /// The queue that it waits in, for fair shares between queues.
    pub queue: Str,
    /// The name of its priority.
    pub priority_class_name: Str,
}

/// What is observed of a PodGroup.
#[wire]
pub struct PodGroupStatus {
    /// How far its life has come.
    pub phase: PodGroupPhase,
    /// How many of its pods have a place.
    pub scheduled: u32,
    /// How many of its pods run.
    pub running: u32,
    /// How many of its pods have failed.
    pub failed: u32,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// How far a PodGroup's life has come.
#[wire]
pub enum PodGroupPhase {
    /// Not observed yet.
    #[default]
    #[wire(name = "")]
    Unset,
    /// There are too few pods, or too few of them have a place.
    Pending,
    /// Enough of its pods have a place.
    Scheduled,
    /// Enough of its pods run.
    Running,
    /// All of its pods ended with success.
    Succeeded,
    /// So many of its pods failed that too few are left.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Resource;
    use crate::object::sample::Sampler;

    #[test]
    fn what_is_written_is_read_again() {
        for seed in 0..100 {
            let value = Sampler::seeded(seed).value(PodGroup::schema());
            let group: PodGroup = serde_json::from_value(value).unwrap();
            assert_eq!(PodGroup::from_json(&group.to_json().unwrap()).unwrap(), group);
        }
    }

    #[test]
    fn what_cannot_work_is_named() {
        let group = || PodGroup::new("train").min_member(8);
        for (apply, problem) in [
            (PodGroup::new("train"), "spec.minMember: must be given"),
            (group().schedule_timeout("0s"), "spec.scheduleTimeout: must be more than 0s"),
            (group().queue("A"), "spec.queue: `A` must be"),
            (group().priority_class_name("a b"), "spec.priorityClassName: `a b` must be"),
        ] {
            let problems = apply.build().unwrap().problems().to_string();
            assert!(problems.contains(problem), "{problem}: {problems}");
        }
        let fine = group().schedule_timeout("5m").queue("research").build().unwrap();
        assert!(fine.problems().is_empty(), "{}", fine.problems());
    }
}
