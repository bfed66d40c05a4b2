//! Each key for itself: is there an order in which a register would have answered so?
//!
//! The search of Wing and Gong with Lowe's memory of where it has been. A history of several keys is
//! linearizable when that of each key is, as far as its calls are about one key; of a transaction over
//! several, each key sees its own part, which must be possible all the same.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Call, History, Refuted, Request};
use crate::store::{Entry, Expect, Key, Revision, Value};

/// What a call means for one key.
struct Step<'a> {
    call: &'a Call,
    looks: Vec<Look<'a>>,
    /// What it writes there: a value, or nothing.
    writes: Option<Option<&'a Value>>,
    /// At which revision, as far as anybody knows.
    revision: Option<Revision>,
}

/// What must stand there for the call to be answered so.
enum Look<'a> {
    Entry(Option<&'a Entry>),
    Expect(Expect),
}

/// Keys and values, and when they were written.
type Seen<'a> = BTreeMap<(&'a [u8], &'a [u8]), Revision>;

/// What stands there: which step wrote it, at which revision.
type State = Option<(usize, Revision)>;

/// Whether each key can have been a register.
///
/// # Errors
/// The key that cannot, and the calls that do not fit; or that more steps than these would be needed.
pub fn check_registers(history: &History, limit: usize) -> Result<(), Refuted> {
    let seen = revisions_seen(history);
    let mut keys: BTreeMap<&Key, Vec<Step<'_>>> = BTreeMap::new();
    for call in &history.calls {
        for key in keys_of(call) {
            keys.entry(key).or_default();
        }
    }
    for (key, steps) in &mut keys {
        steps.extend(history.calls.iter().filter_map(|call| step(call, key, &seen)));
        steps.sort_by_key(|step| step.call.called);
        let strays = strays(steps);
        leave_out_what_explains_nothing(steps, &strays);
        search(key, steps, &strays, limit)?;
    }
    Ok(())
}

/// Revisions that somebody stumbled over, and of which nobody saw what was written then.
fn strays(steps: &[Step<'_>]) -> BTreeSet<Revision> {
    // Who wrote nothing here was answered with the revision that it found, be it whose it may.
    let puts = steps.iter().filter(|step| step.puts());
    let known: BTreeSet<Revision> = puts.filter_map(|step| step.revision).collect();
    let made = steps.iter().filter(|step| step.must_be() || step.revision.is_some());
    let looks = made.flat_map(|step| &step.looks);
    let at = looks.filter_map(|look| match look {
        Look::Expect(Expect::At(at)) => Some(*at),
        _ => None,
    });
    at.filter(|at| !known.contains(at)).collect()
}

/// A value that nobody ever saw explains nothing but a stray revision: leaving out those whose fate is
/// unknown keeps the search short.
fn leave_out_what_explains_nothing(steps: &mut Vec<Step<'_>>, strays: &BTreeSet<Revision>) {
    if strays.is_empty() {
        steps.retain(|step| step.must_be() || step.revision.is_some() || step.writes == Some(None));
    }
}

/// The keys that a call is about. A listing is about those that others are about.
fn keys_of(call: &Call) -> Vec<&Key> {
    match &call.request {
        Request::Get(key) => vec![key],
        Request::List(_) => Vec::new(),
        Request::Commit(txn) => {
            let guards = txn.guards().iter().map(|guard| &guard.key);
            guards.chain(txn.writes().iter().map(|write| write.key())).collect()
        }
    }
}

/// When each value was written, as those saw who read it or were told of it.
fn revisions_seen(history: &History) -> Seen<'_> {
    history.seen().map(|entry| ((&*entry.key, &*entry.value), entry.modified)).collect()
}

/// At which revision a transaction was made of whose writes somebody saw one.
fn revision_seen(call: &Call, seen: &Seen<'_>) -> Option<Revision> {
    let writes = call.txn()?.writes().iter();
    writes.filter_map(|write| seen.get(&(&**write.key(), &**write.value()?)).copied()).next()
}

fn step<'a>(call: &'a Call, key: &Key, seen: &Seen<'_>) -> Option<Step<'a>> {
    let mut step = Step { call, looks: Vec::new(), writes: None, revision: None };
    match (&call.request, &call.answer) {
        (Request::Get(of), Answer::Entry(entry)) if of == key => {
            step.looks.push(Look::Entry(entry.as_deref()))
        }
        (Request::List(scope), Answer::Listing(_, entries)) if scope.contains(key) => {
            let entry = entries.iter().find(|entry| entry.key == *key);
            step.looks.push(Look::Entry(entry.map(|entry| &**entry)));
        }
        (Request::Commit(_), Answer::Conflict(of, found)) if of == key => {
            step.looks.push(Look::Expect(found.map_or(Expect::Absent, Expect::At)));
        }
        (Request::Commit(txn), Answer::Made(_) | Answer::Unknown) => {
            let guards = txn.guards().iter().filter(|guard| guard.key == *key);
            step.looks.extend(guards.map(|guard| Look::Expect(guard.expect)));
            let write = txn.writes().iter().find(|write| write.key() == key);
            step.writes = write.map(|write| write.value());
            step.revision = match call.answer {
                Answer::Made(revision) => Some(revision),
                _ => revision_seen(call, seen),
            };
            if call.answer == Answer::Unknown && step.writes.is_none() {
                return None;
            }
        }
        _ => return None,
    }
    (step.writes.is_some() || !step.looks.is_empty()).then_some(step)
}

impl Step<'_> {
    /// Whether it must have happened.
    fn must_be(&self) -> bool {
        self.call.answer != Answer::Unknown
    }

    /// Whether something stands there afterwards because of it.
    fn puts(&self) -> bool {
        matches!(self.writes, Some(Some(_)))
    }

    /// Whether it would be answered so where this stands.
    fn fits(&self, state: State, steps: &[Step<'_>]) -> bool {
        let stands = state.and_then(|(by, at)| Some((steps[by].writes??, at)));
        let at = |asked: Revision| stands.is_some_and(|(_, at)| at == asked);
        self.looks.iter().all(|look| match look {
            Look::Expect(Expect::Absent) | Look::Entry(None) => stands.is_none(),
            Look::Expect(Expect::At(revision)) => at(*revision),
            Look::Entry(Some(entry)) => {
                at(entry.modified) && stands.is_some_and(|(value, _)| *value == entry.value)
            }
        })
    }
}

/// The stray revisions that can come next: after all that is known to have been written before them,
/// and before all that was written after them.
fn strays_next(steps: &[Step<'_>], taken: &Taken, strays: &BTreeSet<Revision>) -> Vec<Revision> {
    let is_next = |stray: &&Revision| {
        let written = steps.iter().enumerate().filter(|(_, step)| step.writes.is_some());
        let mut known = written.filter_map(|(at, step)| Some((at, step.revision?)));
        known.all(|(at, revision)| (revision < **stray) == taken.has(at))
    };
    strays.iter().filter(is_next).copied().collect()
}

/// Which steps have been taken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Taken(Vec<u64>);

impl Taken {
    fn has(&self, step: usize) -> bool {
        self.0[step / 64] >> (step % 64) & 1 == 1
    }
    fn add(&mut self, step: usize) {
        self.0[step / 64] |= 1 << (step % 64);
    }
    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

fn search(key: &Key, steps: &[Step<'_>], strays: &BTreeSet<Revision>, limit: usize) -> Result<(), Refuted> {
    let mut been = BTreeSet::new();
    let mut open = vec![(Taken(vec![0; steps.len().div_ceil(64)]), None)];
    let mut furthest = (0, Vec::new());
    let mut tried = 0;
    while let Some((mut taken, state)) = open.pop() {
        // What changes nothing and fits can be taken at once: waiting would not make it fit better.
        let mut next = possible(steps, &taken);
        while let Some(read) =
            next.iter().copied().find(|at| steps[*at].writes.is_none() && steps[*at].fits(state, steps))
        {
            taken.add(read);
            next = possible(steps, &taken);
        }
        if steps.iter().enumerate().all(|(at, step)| !step.must_be() || taken.has(at)) {
            return Ok(());
        }
        tried += 1;
        if tried > limit {
            return Err(Refuted::Undecided { key: key.clone(), steps: limit });
        }
        if !been.insert((taken.clone(), state)) {
            continue;
        }
        if taken.count() >= furthest.0 {
            furthest = (taken.count(), next.clone());
        }
        // What claims to have been first is tried first, and so pushed last; most often it is so.
        next.retain(|at| steps[*at].writes.is_some() && steps[*at].fits(state, steps));
        // What nobody saw comes at a stray revision: anywhere else it would explain nothing, and to try
        // it everywhere is what makes a search endless.
        let strays = strays_next(steps, &taken, strays);
        let mut ways = Vec::new();
        for at in next {
            match steps[at].revision {
                Some(revision) => ways.push((revision, at)),
                None if steps[at].puts() => ways.extend(strays.iter().map(|stray| (*stray, at))),
                // Nothing will stand there: it does not matter since when.
                None => ways.push((Revision(u64::MAX), at)),
            }
        }
        ways.sort_by_key(|(then, at)| Reverse((*then, steps[*at].call.deadline())));
        for (revision, at) in ways {
            let mut then = taken.clone();
            then.add(at);
            open.push((then, steps[at].writes.flatten().map(|_| (at, revision))));
        }
    }
    let stuck: Vec<_> = furthest.1.iter().map(|at| steps[*at].call.describe()).collect();
    Err(Refuted::Impossible(format!(
        "no order explains what was seen of {key}; none of these fits:\n  {}",
        stuck.join("\n  ")
    )))
}

/// The steps that can come next: those that were called before any that is missing was answered.
fn possible(steps: &[Step<'_>], taken: &Taken) -> Vec<usize> {
    let mut horizon = u64::MAX;
    let mut possible = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        if step.call.called > horizon {
            break;
        }
        if !taken.has(at) {
            possible.push(at);
            horizon = horizon.min(step.call.deadline());
        }
    }
    possible
}
