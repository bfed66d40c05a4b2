//! The whole store: can its transactions have been made in the order that their revisions claim?
//!
//! Revisions leave nothing to search for. Transactions that were made stand in one order; a version of
//! each key follows from it; every answer is true in some stretches of it. What is left is real time:
//! what was called after something was answered comes no earlier. Giving each answer its earliest
//! instant, in the order in which they came, finds a place for all if there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Answer, Call, History, Refuted, Request, shown};
use crate::store::{Entry, Expect, Key, Revision, Scope, Txn, Write};

/// Whether the transactions can have been made so, and everything else have been seen.
///
/// # Errors
/// What cannot have been.
pub fn check_txns(history: &History) -> Result<(), Refuted> {
    let versions = Versions::of(history).map_err(Refuted::Impossible)?;
    versions.told(history).and_then(|()| versions.in_real_time(history)).map_err(Refuted::Impossible)
}

type Checked<T = ()> = Result<T, String>;

/// What stands under a key from a revision on.
type Version = (Revision, Option<Arc<Entry>>);

/// What stood where from which revision on, as the transactions made it.
struct Versions<'a> {
    keys: BTreeMap<&'a Key, Vec<Version>>,
    /// Who made each revision.
    makers: BTreeMap<Revision, &'a Call>,
    /// Keys that somebody may have written at any time, whom nobody saw.
    fog: BTreeSet<&'a Key>,
}

impl<'a> Versions<'a> {
    fn of(history: &'a History) -> Checked<Self> {
        let found = found_out(history)?;
        let mut at: BTreeMap<Revision, Vec<&Call>> = BTreeMap::new();
        let mut fog = BTreeSet::new();
        for (number, call) in history.calls.iter().enumerate() {
            match (call.txn(), &call.answer, found.get(&number)) {
                (Some(_), Answer::Made(revision), _) | (Some(_), Answer::Unknown, Some(revision)) => {
                    at.entry(*revision).or_default().push(call);
                }
                (Some(txn), Answer::Unknown, None) if history.told.is_none() => {
                    fog.extend(txn.writes().iter().map(Write::key));
                }
                _ => {}
            }
        }
        let mut versions = Self { keys: BTreeMap::new(), makers: BTreeMap::new(), fog };
        for (revision, mut calls) in at {
            let before = just_before(revision);
            // Whoever only deletes may have come after another who deleted the same.
            calls.sort_by_key(|call| !puts_something(call));
            for call in calls {
                let Some(txn) = call.txn() else { continue };
                let second = versions.makers.contains_key(&revision) && !puts_something(call);
                if second || !versions.changes_something(txn, before) {
                    continue; // Its answer is the revision that it found.
                }
                if revision == Revision(0) {
                    return Err(format!("zero is no revision, and yet:\n  {}", call.describe()));
                }
                if let Some(other) = versions.makers.insert(revision, call) {
                    let (one, other) = (call.describe(), other.describe());
                    return Err(format!("revision {revision} was made twice:\n  {one}\n  {other}"));
                }
                versions.guards_hold(call, txn, before)?;
            }
            if let Some(txn) = versions.makers.get(&revision).and_then(|call| call.txn()) {
                versions.make(txn, revision);
            }
        }
        Ok(versions)
    }

    fn make(&mut self, txn: &'a Txn, revision: Revision) {
        for write in txn.writes() {
            let before = self.at(write.key(), just_before(revision)).cloned();
            let created = before.map_or(revision, |entry| entry.created);
            let entry = write.value().cloned().map(|value| {
                Arc::new(Entry { key: write.key().clone(), value, created, modified: revision })
            });
            self.keys.entry(write.key()).or_default().push((revision, entry));
        }
    }

    /// What stood under a key at a revision.
    fn at(&self, key: &Key, revision: Revision) -> Option<&Arc<Entry>> {
        let versions = self.keys.get(key)?;
        let after = versions.partition_point(|(from, _)| *from <= revision);
        versions[..after].last()?.1.as_ref()
    }

    fn changes_something(&self, txn: &Txn, before: Revision) -> bool {
        let changes = |write: &Write| write.value().is_some() || self.at(write.key(), before).is_some();
        txn.writes().iter().any(changes)
    }

    fn guards_hold(&self, call: &Call, txn: &Txn, at: Revision) -> Checked {
        for guard in txn.guards().iter().filter(|guard| !self.fog.contains(&guard.key)) {
            let found = self.at(&guard.key, at).map(|entry| entry.modified);
            if !guard.expect.holds(found) {
                let found = found.map_or("absent".into(), |at| format!("at {at}"));
                return Err(format!(
                    "{} was {found} at {at}, and yet this was made:\n  {}",
                    guard.key,
                    call.describe()
                ));
            }
        }
        Ok(())
    }

    /// The stretches of revisions in which something stood so under a key.
    fn stretches(&self, key: &Key, so: impl Fn(Option<&Entry>) -> bool) -> Vec<(Revision, Revision)> {
        let versions = self.keys.get(key).map_or(&[][..], |versions| versions);
        let first = (Revision(0), None);
        let from = std::iter::once(&first).chain(versions);
        let ends = versions.iter().map(|(from, _)| just_before(*from)).chain([Revision(u64::MAX)]);
        from.zip(ends)
            .filter(|((_, entry), _)| so(entry.as_deref()))
            .map(|((from, _), end)| (*from, end))
            .collect()
    }

    /// The stretches of revisions in which a call would be answered so.
    fn true_at(&self, call: &Call) -> Checked<Vec<(Revision, Revision)>> {
        let anywhere = vec![(Revision(0), Revision(u64::MAX))];
        match (&call.request, &call.answer) {
            (Request::Get(key), Answer::Entry(None)) if self.fog.contains(key) => Ok(anywhere),
            // Whoever nobody saw may have deleted it before, so that it was created anew.
            (Request::Get(key), Answer::Entry(Some(entry))) if self.fog.contains(key) => {
                let is_it = |stood: &Entry| (stood.modified, &stood.value) == (entry.modified, &entry.value);
                Ok(self.stretches(key, |stood| stood.is_some_and(is_it)))
            }
            (Request::Get(key), Answer::Entry(entry)) => {
                Ok(self.stretches(key, |stood| stood == entry.as_deref()))
            }
            (Request::List(scope), Answer::Listing(revision, entries)) => {
                self.listed(call, scope, *revision, entries)?;
                Ok(vec![(*revision, *revision)])
            }
            (Request::Commit(txn), Answer::Conflict(key, found)) => {
                let expected: Vec<Expect> =
                    txn.guards().iter().filter(|guard| guard.key == *key).map(|guard| guard.expect).collect();
                if expected.iter().all(|expect| expect.holds(*found)) {
                    return Err(format!("a conflict that is none:\n  {}", call.describe()));
                }
                if self.fog.contains(key) {
                    return Ok(anywhere);
                }
                Ok(self.stretches(key, |stood| stood.map(|entry| entry.modified) == *found))
            }
            (Request::Commit(txn), Answer::Made(revision)) => {
                // Who made the revision stands there already; this one changed nothing at it.
                self.guards_hold(call, txn, *revision)?;
                let deleted = txn.writes().iter().map(Write::key).filter(|key| !self.fog.contains(*key));
                if let Some(there) = deleted.filter_map(|key| self.at(key, *revision)).next() {
                    return Err(format!(
                        "it was deleted, but there was {}:\n  {}",
                        shown(there),
                        call.describe()
                    ));
                }
                Ok(vec![(*revision, *revision)])
            }
            _ => Ok(anywhere),
        }
    }

    fn listed(&self, call: &Call, scope: &Scope, revision: Revision, entries: &[Arc<Entry>]) -> Checked {
        let mut listed = entries.iter().peekable();
        let known = self.keys.keys().filter(|key| scope.contains(key) && !self.fog.contains(*key));
        for stood in known.filter_map(|key| self.at(key, revision)) {
            while listed.next_if(|entry| self.fog.contains(&entry.key)).is_some() {}
            if listed.next() != Some(stood) {
                return Err(format!(
                    "at {revision} there was {}, but not in:\n  {}",
                    shown(stood),
                    call.describe()
                ));
            }
        }
        match listed.find(|entry| !self.fog.contains(&entry.key)) {
            Some(entry) => {
                Err(format!("at {revision} there was no {}, as in:\n  {}", shown(entry), call.describe()))
            }
            None => Ok(()),
        }
    }

    /// Whether a watch told exactly what was made, in order.
    fn told(&self, history: &History) -> Checked {
        let Some(told) = &history.told else { return Ok(()) };
        let mut made = self.makers.range(..=told.upto);
        for batch in &told.batches {
            let Some((revision, call)) = made.next() else {
                return Err(format!(
                    "a watch told at {} what nobody did, or twice: {batch:?}",
                    batch.revision
                ));
            };
            let before = just_before(*revision);
            let keys = call.txn().into_iter().flat_map(|txn| txn.writes()).map(Write::key);
            let keys: BTreeSet<_> = keys.collect();
            let due: Vec<_> = keys
                .into_iter()
                .map(|key| (key, self.at(key, *revision), self.at(key, before)))
                .filter(|(_, now, before)| now.is_some() || before.is_some())
                .collect();
            let is: Vec<_> = batch
                .events
                .iter()
                .zip(due.iter().map(|(_, _, before)| *before).chain(std::iter::repeat(None)))
                // What stood before may be left out.
                .map(|(event, due)| (&event.key, event.entry.as_ref(), event.previous.as_ref().or(due)))
                .collect();
            if *revision != batch.revision || is != due {
                return Err(format!(
                    "a watch told this, {batch:?},\n  where this was next: {}",
                    call.describe()
                ));
            }
        }
        match made.next() {
            Some((_, call)) => {
                Err(format!("a watch up to {} did not tell of: {}", told.upto, call.describe()))
            }
            None => Ok(()),
        }
    }

    /// Whether every answer has an instant between its call and itself.
    fn in_real_time(&self, history: &History) -> Checked {
        let made: BTreeMap<u64, Revision> =
            self.makers.iter().map(|(revision, call)| (call.called, *revision)).collect();
        let mut calls: Vec<&Call> = history.calls.iter().collect();
        calls.sort_by_key(|call| call.deadline());
        // When answers came, and the latest instant of those so far.
        let mut past: Vec<(u64, Revision, &Call)> = Vec::new();
        for call in calls {
            let before = past.partition_point(|(answered, ..)| *answered < call.called);
            let earliest = past[..before].last();
            let least = earliest.map_or(Revision(0), |(_, at, _)| *at);
            let at = match made.get(&call.called) {
                Some(revision) => (*revision > least).then_some(*revision),
                None => {
                    let stretches = self.true_at(call)?;
                    stretches
                        .into_iter()
                        .filter(|(_, end)| *end >= least)
                        .map(|(from, _)| from.max(least))
                        .min()
                }
            };
            let Some(at) = at else {
                let since = earliest.map_or("ever".into(), |(_, at, by)| {
                    format!("since revision {at}, when\n  {}", by.describe())
                });
                return Err(format!("it has not been so {since}\n  and yet, later,\n  {}", call.describe()));
            };
            if call.deadline() < u64::MAX && call.answer != Answer::Failed {
                let latest = past
                    .last()
                    .filter(|(_, latest, _)| *latest >= at)
                    .map_or((at, call), |(_, at, by)| (*at, by));
                past.push((call.answered, latest.0, latest.1));
            }
        }
        Ok(())
    }
}

fn just_before(revision: Revision) -> Revision {
    Revision(revision.0.saturating_sub(1))
}

fn puts_something(call: &Call) -> bool {
    call.txn().is_some_and(|txn| txn.writes().iter().any(|write| write.value().is_some()))
}

/// At which revision each transaction was made whose fate was unknown and of which something was seen.
fn found_out(history: &History) -> Checked<BTreeMap<usize, Revision>> {
    let mut writers = BTreeMap::new();
    for (number, call) in history.calls.iter().enumerate() {
        for write in call.txn().into_iter().flat_map(|txn| txn.writes()) {
            let Some(value) = write.value() else { continue };
            if writers.insert((write.key(), &**value), (number, call)).is_some() {
                return Err(format!(
                    "{} was written twice with the same value: that proves nothing",
                    write.key()
                ));
            }
        }
    }
    let mut found: BTreeMap<usize, Revision> = BTreeMap::new();
    for entry in history.seen() {
        let Some((number, call)) = writers.get(&(&entry.key, &*entry.value)) else {
            return Err(format!("{} was read, which nobody wrote", shown(entry)));
        };
        let at = match call.answer {
            Answer::Made(revision) => revision,
            Answer::Unknown => *found.entry(*number).or_insert(entry.modified),
            _ => return Err(format!("{} was read, but not made:\n  {}", shown(entry), call.describe())),
        };
        if at != entry.modified {
            return Err(format!("{} was read, but was made at {at}:\n  {}", shown(entry), call.describe()));
        }
    }
    Ok(found)
}
