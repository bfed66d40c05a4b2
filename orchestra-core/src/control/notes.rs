//! [`Notes`]: what is told of objects, gathered, so that what happens often is told rarely.

use std::collections::BTreeMap;
use std::time::Duration;

use super::hash::hash;
use super::{Note, Noted, Now, Plan};
use crate::kinds::{Event, EventSource, EventType};
use crate::object::{Apply, ObjectReference, OwnerReference, Str, Timestamp};

/// What was told of objects, and what of it stands in the store yet.
///
/// What is told of one object for one reason is one event, which counts. It is written at once the first
/// time, and then at most every [`Notes::EVERY`]. It is owned by its object and goes with it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    gathered: BTreeMap<Subject, Gathered>,
    /// What is to be written, and when.
    due: std::collections::BTreeSet<(Duration, Subject)>,
    /// What is being written.
    under_way: Vec<Subject>,
    /// How many were told of when there was no room.
    dropped: u64,
}

/// What was told, of which object and by whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    uid: Str,
    reporter: Str,
    reason: Str,
    is_warning: bool,
}

#[derive(Debug)]
struct Gathered {
    about: ObjectReference,
    message: Str,
    count: u32,
    first: Timestamp,
    last: Timestamp,
    /// When it was written last.
    written: Option<Duration>,
    is_due: bool,
}

impl Notes {
    /// How long an event is not written again, though it counts on. A person who watches a list of events
    /// sees it move; a store does not notice.
    pub(super) const EVERY: Duration = Duration::from_secs(10);
    /// Of how many objects and reasons something is remembered. At a kilobyte for each, a megabyte.
    pub(super) const MOST: usize = 1000;
    /// Of how many of these one reporter tells of one object. A reason is a word of a handful, not a place for
    /// numbers: each is an object in the store for as long as the object is there that it is about.
    pub(super) const MOST_REASONS: usize = 32;
    /// How many are written at once.
    const AT_ONCE: usize = 50;

    pub(super) fn add(&mut self, noted: &Noted, reporter: &Str, now: Now) {
        let Noted { about, note: Note { kind, reason, message }, .. } = noted;
        let subject = Subject {
            uid: about.uid.to_string().into(),
            reporter: reporter.clone(),
            reason: reason.clone(),
            is_warning: *kind == EventType::Warning,
        };
        if !self.gathered.contains_key(&subject) && (self.has_many_like(&subject) || !self.has_room()) {
            self.dropped += 1;
            return;
        }
        let gathered = self.gathered.entry(subject.clone()).or_insert_with(|| Gathered {
            about: about.clone(),
            message: Str::EMPTY,
            count: 0,
            first: now.wall.into(),
            last: now.wall.into(),
            written: None,
            is_due: false,
        });
        gathered.count = gathered.count.saturating_add(1);
        gathered.message = message.clone();
        gathered.last = now.wall.into();
        if !std::mem::replace(&mut gathered.is_due, true) {
            let at = gathered.written.map_or(now.elapsed, |written| (written + Self::EVERY).max(now.elapsed));
            self.due.insert((at, subject));
        }
    }

    /// Whether one reporter has told as much of one object as it may.
    fn has_many_like(&self, subject: &Subject) -> bool {
        let first = Subject { reason: Str::EMPTY, is_warning: false, ..subject.clone() };
        let about_it = self.gathered.range(first..).map(|(other, _)| other);
        let alike =
            about_it.take_while(|other| other.uid == subject.uid && other.reporter == subject.reporter);
        alike.count() >= Self::MOST_REASONS
    }

    /// Makes room by forgetting what was written and has been quiet for the longest time.
    fn has_room(&mut self) -> bool {
        if self.gathered.len() < Self::MOST {
            return true;
        }
        let quiet = self.gathered.iter().filter(|(_, gathered)| !gathered.is_due);
        let oldest = quiet.min_by_key(|(_, gathered)| gathered.written).map(|(subject, _)| subject.clone());
        oldest.is_some_and(|oldest| self.gathered.remove(&oldest).is_some())
    }

    /// When something is to be written. While something is being written, nothing is: whoever asked for a
    /// turn then would ask again and again.
    pub(super) fn due(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at).filter(|_| self.under_way.is_empty())
    }

    /// How many notes were dropped for want of room.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What is to be written now: an event a step.
    pub(super) fn take(&mut self, now: Now) -> Plan {
        let mut plan = Plan::new();
        for _ in 0..Self::AT_ONCE {
            let Some((at, subject)) = self.due.first().cloned().filter(|(at, _)| *at <= now.elapsed) else {
                break;
            };
            self.due.remove(&(at, subject.clone()));
            let Some(gathered) = self.gathered.get_mut(&subject) else { continue };
            gathered.is_due = false;
            gathered.written = Some(now.elapsed);
            plan = plan.ensure(event(&subject, gathered));
            self.under_way.push(subject);
        }
        plan
    }

    /// What was taken was written, or not all of it: then it is written later.
    pub(super) fn were_written(&mut self, all: bool, now: Now) {
        for subject in std::mem::take(&mut self.under_way).into_iter().filter(|_| !all) {
            if let Some(gathered) = self.gathered.get_mut(&subject)
                && !std::mem::replace(&mut gathered.is_due, true)
            {
                self.due.insert((now.elapsed + Self::EVERY, subject));
            }
        }
    }
}

/// The event, for one reason of one object and reporter always the same.
fn event(subject: &Subject, gathered: &Gathered) -> Apply<Event> {
    let Subject { uid, reporter, reason, is_warning } = subject;
    let about = &gathered.about;
    let owner = OwnerReference {
        api_version: about.api_version.clone(),
        kind: about.kind.clone(),
        name: about.name.clone(),
        uid: about.uid.clone(),
        ..OwnerReference::default()
    };
    let code = hash(u64::from(*is_warning), &[uid, reporter, reason]);
    // Names have at most 253 characters.
    let stem: String = about.name.chars().take(200).collect();
    let namespace = if about.namespace.is_empty() { "default" } else { &about.namespace };
    Event::new(format!("{stem}.{code:016x}"))
        .namespace(namespace)
        .set("metadata.ownerReferences", [owner])
        .set("involvedObject", about)
        .set("reason", reason)
        .set("message", &gathered.message)
        .set("source", EventSource { component: reporter.clone(), ..EventSource::default() })
        .set("reportingComponent", reporter)
        .set("type", if *is_warning { EventType::Warning } else { EventType::Normal })
        .set("count", gathered.count)
        .set("firstTimestamp", gathered.first)
        .set("lastTimestamp", gathered.last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ObjectName;
    use crate::kinds::ConfigMap;
    use crate::object::{MicroTime, Resource, Uid};

    #[test]
    fn reasons_are_few() {
        let object = ObjectName::new(ConfigMap::KIND, "default", "a").unwrap();
        let (mut notes, now) = (Notes::default(), Now::new(MicroTime::from_unix_micros(0), Duration::ZERO));
        for number in 0..100 {
            let note = Note::normal(format!("Reason{number}"), "so it is");
            notes.add(&Noted::of(&object, Uid::default(), note), &"test".into(), now);
        }
        assert_eq!((notes.gathered.len(), notes.dropped()), (Notes::MOST_REASONS, 68));
        let note = Note::normal("Other", "so it is");
        notes.add(&Noted::of(&object, Uid::default(), note), &"another".into(), now);
        assert_eq!(notes.gathered.len(), Notes::MOST_REASONS + 1);
    }

    #[test]
    fn nothing_is_due_while_something_is_being_written() {
        let at = Duration::from_secs;
        let now = |seconds| Now::new(MicroTime::from_unix_micros(0), at(seconds));
        let object = ObjectName::new(ConfigMap::KIND, "default", "a").unwrap();
        let note = |reason| Noted::of(&object, Uid::default(), Note::warning(reason, "so it is"));
        let mut notes = Notes::default();
        notes.add(&note("One"), &"test".into(), now(1));
        assert_eq!(notes.due(), Some(at(1)));
        assert_eq!(notes.take(now(1)).changes(), 1);
        notes.add(&note("Two"), &"test".into(), now(2));
        assert_eq!(notes.due(), None);
        notes.were_written(true, now(3));
        assert_eq!(notes.due(), Some(at(2)));
    }
}
