//! [`Telling`]: what keeps a pod waiting is written to it, seldom enough not to be in the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use orchestra_core::client::ObjectName;
use orchestra_core::control::{Answer, Desk, Note, Now, Plan};
use orchestra_core::kinds::Pod;
use orchestra_core::object::{Condition, Conditions, Resource, Str};
use orchestra_core::store::Key;

use super::pods::At;
use super::work::{Asked, Work};
use crate::cluster::ClassId;

/// Who is to be told why it waits, and who was.
#[derive(Debug, Default)]
pub(super) struct Telling {
    due: BTreeSet<(Duration, Key)>,
    /// When each of those is due.
    at: BTreeMap<Key, Duration>,
    /// When who still waits was told last.
    last: BTreeMap<Key, Duration>,
    is_under_way: bool,
    /// Who was bound, and is to be told that.
    bound: VecDeque<Key>,
}

/// How many are to be told at most: what comes beyond is told when it is tried again.
const MOST: usize = 10_000;
/// How many are told in one plan, a write each.
const AT_ONCE: usize = 50;
/// How many reasons are found out in a turn: each is a look at all nodes.
const REASONS_AT_ONCE: usize = 4;
/// When what could not be written is written again.
const SOON: Duration = Duration::from_secs(1);

impl Telling {
    pub(super) fn due(&self) -> Option<Duration> {
        if !self.bound.is_empty() {
            return Some(Duration::ZERO);
        }
        self.due.first().map(|(at, _)| *at).filter(|_| !self.is_under_way)
    }

    /// Who does not wait any more is told nothing.
    pub(super) fn forget(&mut self, key: &Key) {
        self.last.remove(key);
        if let Some(at) = self.at.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    fn put(&mut self, key: &Key, at: Duration) {
        if self.at.len() < MOST && !self.at.contains_key(key) {
            self.at.insert(key.clone(), at);
            self.due.insert((at, key.clone()));
        }
    }
}

impl Work {
    /// A pod is to be told why it waits.
    pub(super) fn tell_later(&mut self, key: &Key) {
        let last = self.telling.last.get(key);
        let at = last.map_or(Duration::ZERO, |last| last.saturating_add(self.settings.tell_every));
        self.telling.put(key, at);
    }

    /// Those of a batch are to be told where they were put.
    pub(super) fn tell_scheduled(&mut self, batch: u64) {
        if let Some(batch) = self.batches.get(&batch) {
            let room = MOST.saturating_sub(self.telling.bound.len());
            self.telling.bound.extend(batch.pods.iter().take(room).cloned());
        }
    }

    /// Tells some of them.
    pub(super) fn tell_some(&mut self, now: Now, desk: &mut Desk<'_>) {
        for key in self.telling.bound.split_off(0) {
            let name = ObjectName::of_key(Pod::KIND, &key);
            if let Some(pod) = name.and_then(|it| desk.cache().get::<Pod>(it.namespace(), it.name())) {
                let message = format!(
                    "Successfully assigned {}/{} to {}",
                    pod.namespace(),
                    pod.name(),
                    pod.spec.node_name
                );
                let told = Plan::new().event(pod, Note::normal("Scheduled", message));
                told.notes().iter().for_each(|noted| desk.tell(noted));
            }
        }
        if self.telling.is_under_way || desk.room() == 0 {
            return;
        }
        let (mut plan, mut told) = (Plan::new(), Vec::new());
        let mut reasons: BTreeMap<ClassId, Str> = BTreeMap::new();
        while told.len() < AT_ONCE {
            let first = self.telling.due.first().filter(|(at, _)| *at <= now.elapsed);
            let Some(key) = first.map(|(_, key)| key.clone()) else { break };
            let class = self.pods.get(&key).map(|waiting| waiting.view.class());
            if class.is_some_and(|class| !reasons.contains_key(&class)) && reasons.len() == REASONS_AT_ONCE {
                break;
            }
            if let Some(at) = self.telling.at.remove(&key) {
                self.telling.due.remove(&(at, key.clone()));
            }
            let Some(condition) = self.condition_of(&key, &mut reasons) else { continue };
            let Some(waiting) = self.pods.get(&key) else { continue };
            let pod = desk.cache().get::<Pod>(waiting.view.namespace(), waiting.view.name());
            let Some(pod) = pod.filter(|pod| pod.spec.node_name.is_empty()) else { continue };
            let old = pod.status.conditions.condition(SCHEDULED);
            let is_known = old.is_some_and(|old| {
                (old.status, &old.reason, &old.message)
                    == (condition.status, &condition.reason, &condition.message)
            });
            if is_known && pod.status.nominated_node_name.is_empty() {
                continue;
            }
            let note = Note::warning("FailedScheduling", &condition.message);
            let mut status = pod.status.clone();
            status.nominated_node_name = Str::EMPTY;
            status.conditions.set_condition(condition, now.wall.into());
            plan = plan.status(pod, status).event(pod, note);
            self.telling.last.insert(key.clone(), now.elapsed);
            told.push(key);
        }
        if !told.is_empty()
            && let Some(ask) = desk.perform(plan)
        {
            self.telling.is_under_way = true;
            self.asks.insert(ask, Asked::Tell(told));
        }
    }

    /// What is said of a pod that waits; nothing of one whose turn comes, or for which room is being made.
    fn condition_of(&mut self, key: &Key, reasons: &mut BTreeMap<ClassId, Str>) -> Option<Condition> {
        let waiting = self.pods.get(key)?;
        let condition = Condition::of(SCHEDULED, false);
        if let Some(trouble) = &waiting.trouble {
            return Some(condition.because("SchedulerError", trouble.as_str()));
        }
        let view = waiting.view.clone();
        let message = match waiting.at.clone() {
            At::Held(held) if held.why.is_empty() => return None,
            At::Held(held) => return Some(held.condition(condition)),
            At::Queue(ticket) if self.queue.is_blocked(&ticket) => match reasons.get(&view.class()) {
                Some(reason) => reason.clone(),
                None => {
                    let reason = self.reason(&view);
                    reasons.insert(view.class(), reason.clone());
                    reason
                }
            },
            At::Gang => self.gangs.reason(view.namespace(), &waiting.group)?,
            _ => return None,
        };
        Some(condition.because("Unschedulable", message))
    }

    pub(super) fn were_told(&mut self, now: Now, pods: Vec<Key>, answer: &Answer) {
        self.telling.is_under_way = false;
        if !matches!(answer, Answer::Committed(_)) {
            for key in pods.iter().filter(|key| self.pods.contains_key(*key)) {
                self.telling.put(key, now.elapsed + SOON);
            }
        }
    }
}

const SCHEDULED: &str = "PodScheduled";
