//! Gangs that no transaction can hold: bound one by one, admitted by one write, and undone when it takes too long.
//!
//! Members of a gang are bound for good once its PodGroup has the phase `Scheduled`; before that nobody may start
//! them. That phase is written when enough of them are seen to have their places. Where too few have them for as long
//! as `scheduleTimeout` says, the condition `Scheduled` gets the reason `TimedOut`: from then on the gang is not
//! admitted and not tried, and what is bound of it is undone, whoever of several schedulers does so. When nothing is
//! left the reason goes, and the gang is tried again after a while, not at the same time as its rivals.

use std::time::Duration;

use orchestra_core::client::ObjectName;
use orchestra_core::control::{Desk, Now, Plan};
use orchestra_core::kinds::{Pod, PodGroup, PodGroupPhase, PodGroupStatus};
use orchestra_core::object::{Condition, Conditions, Map, Resource, Str};

use super::gangs::{Gang, Name};
use super::work::{Asked, Work};
use crate::hash::hash;

/// How long a gang may have too few places, if it does not say.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How many gangs' states are looked at in a turn.
const LOOKED_AT_ONCE: usize = 8;
/// How many members are undone in one plan, two writes each.
const UNDONE_AT_ONCE: usize = 25;
/// How long a gang that was undone waits at least; twice as long each further time, and up to four times that.
const REST: Duration = Duration::from_secs(2);
/// How often the wait is doubled at most.
const MOST_DOUBLED: u32 = 4;

const SCHEDULED: &str = "Scheduled";
const TIMED_OUT: &str = "TimedOut";

pub(super) fn timeout_of(group: &PodGroup) -> Duration {
    group.spec.schedule_timeout.map_or(TIMEOUT, Duration::from)
}

/// Whether enough of it had their places at one time.
pub(super) fn is_admitted(group: &PodGroup) -> bool {
    !matches!(group.status.phase, PodGroupPhase::Unset | PodGroupPhase::Pending)
}

pub(super) fn has_timed_out(group: &PodGroup) -> bool {
    group.status.conditions.condition(SCHEDULED).is_some_and(|it| it.reason == TIMED_OUT)
}

impl Gang {
    /// Whether some of it have places, too few, and it was not admitted.
    fn is_partial(&self) -> bool {
        !self.placed.is_empty() && self.is_held()
    }

    /// What is observed of it.
    fn observe(&self, mut status: PodGroupStatus, now: Now) -> PodGroupStatus {
        status.scheduled = u32::try_from(self.placed.len()).unwrap_or(u32::MAX);
        let is_over = self.since.is_some_and(|since| now.elapsed >= since + self.timeout);
        let condition = Condition::of(SCHEDULED, false);
        let condition = match self.is_held() {
            _ if self.has_timed_out && !self.placed.is_empty() => condition.because(TIMED_OUT, UNDONE),
            true if self.is_partial() && is_over => condition.because(TIMED_OUT, UNDONE),
            true => condition.because("Waiting", self.reason.clone()),
            false => Condition::of(SCHEDULED, true),
        };
        // What it has come to since is others' to say.
        if matches!(status.phase, PodGroupPhase::Unset | PodGroupPhase::Pending | PodGroupPhase::Scheduled) {
            status.phase =
                if condition.is_true() { PodGroupPhase::Scheduled } else { PodGroupPhase::Pending };
        }
        let old = status.conditions.condition(SCHEDULED);
        let is_known = old.is_some_and(|old| {
            (old.status, &old.reason, &old.message)
                == (condition.status, &condition.reason, &condition.message)
        });
        if !is_known {
            status.conditions.set_condition(condition, now.wall.into());
        }
        status
    }
}

const UNDONE: &str = "too few of its pods had a place for too long: what was bound of it is undone";

impl Work {
    /// Looks how gangs stand, and has that written down; and undoes those that have had too few for too long.
    pub(super) fn look_at_gangs(&mut self, now: Now, desk: &mut Desk<'_>) {
        for _ in 0..LOOKED_AT_ONCE {
            if desk.room() == 0 {
                return;
            }
            let first = self.gangs.to_tell.first().filter(|(at, _)| *at <= now.elapsed).cloned();
            let Some((at, name)) = first else { return };
            self.gangs.to_tell.remove(&(at, name.clone()));
            self.look_at_gang(now, desk, name);
        }
    }

    fn look_at_gang(&mut self, now: Now, desk: &mut Desk<'_>, name: Name) {
        let Some(gang) = self.gangs.gangs.get_mut(&name) else { return };
        match gang.is_partial() {
            true => {
                let over = *gang.since.get_or_insert(now.elapsed) + gang.timeout;
                if over > now.elapsed {
                    self.gangs.to_tell.insert((over, name.clone()));
                }
            }
            false => gang.since = None,
        }
        let Some(gang) = self.gangs.gangs.get_mut(&name) else { return };
        let Some(group) = desk.cache().get::<PodGroup>(&name.0, &name.1).filter(|_| !gang.is_over()) else {
            return;
        };
        if gang.has_timed_out && gang.placed.is_empty() {
            // Rivals do not come back at the same time.
            let share = hash(&(name.0.as_str(), name.1.as_str())) % 4 + 1;
            let wait = REST.saturating_mul(1 << gang.undone.min(MOST_DOUBLED)).saturating_mul(share as u32);
            gang.not_before = now.elapsed + wait;
            gang.undone = gang.undone.saturating_add(1);
        }
        let mut plan = Plan::new();
        if gang.has_timed_out && has_timed_out(group) {
            for key in gang.placed.iter().take(UNDONE_AT_ONCE) {
                let pod = ObjectName::of_key(Pod::KIND, key)
                    .and_then(|it| desk.cache().get::<Pod>(it.namespace(), it.name()));
                let Some(pod) = pod.filter(|pod| !pod.spec.node_name.is_empty()) else { continue };
                let condition = Condition::of("PodScheduled", false).because(TIMED_OUT, UNDONE);
                plan = plan.edit(pod, |pod| {
                    pod.spec.node_name = Str::EMPTY;
                    pod.spec.orchestra.iter_mut().for_each(|it| it.devices = Map::new());
                    pod.status.conditions.set_condition(condition, now.wall.into());
                });
            }
        } else {
            plan = plan.status(group, gang.observe(group.status.clone(), now));
        }
        if plan.is_empty() && gang.has_timed_out {
            plan = plan.status(group, gang.observe(group.status.clone(), now));
        }
        if !plan.is_empty()
            && let Some(ask) = desk.perform(plan)
        {
            self.asks.insert(ask, Asked::Group(name));
        }
    }
}
