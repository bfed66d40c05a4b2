//! [`Post`]: a [`Part`] at work, without I/O: told what happened, it says what is to be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::election::Term;
use super::notes::Notes;
use super::part::{Answer, Ask, Desk, Part};
use super::perform::{self, Done, End, Job};
use super::{Cache, Changes, Need, Now};
use crate::Error;
use crate::client::{Policy, scope_of};
use crate::object::{Kind, Revision, Str};
use crate::store::{CommitError, Expect, Key, Limits, Scope, Txn};

/// What a post is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The cache has moved: this is what has changed in it.
    Changed(&'a Changes),
    /// The cache has come [so far](Output::Reach), or not, since the store does not answer.
    Reached(bool),
    /// What the store said to a [read](Output::Read) or a [commit](Output::Commit).
    Said(u64, perform::Said),
    /// What became of a [job](Output::Perform).
    Done(Done),
    /// It leads from now on, or does not any more.
    Leads(Option<Term>),
    /// The part may act.
    Turn(&'a Cache, &'a Policy),
}

/// What a post wants to be done.
#[derive(Debug)]
pub enum Output {
    /// The cache is to have this, for as long as the post is there.
    Need(Vec<Need>),
    /// What stands under these keys.
    Read(u64, Vec<Key>),
    /// A transaction.
    Commit(u64, Txn),
    /// A job, to be performed step by step.
    Perform(Job),
    /// The cache is to come at least so far, or as far as the store is.
    Reach(Option<Revision>),
    /// A commit met with another term: who stands for election is to know.
    Deposed,
}

/// What a post may do at once, and how it is told from others.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Its number: 1 for the first beside a kernel. What it asks bears numbers that [tell](seat_of) it.
    pub seat: usize,
    /// How many asks are open at once. Enough that a round trip to a durable store does not hold up what is
    /// decided next.
    pub in_flight: usize,
    /// How much the store takes in one transaction.
    pub limits: Limits,
    /// Whether it does nothing before it leads.
    pub elected: bool,
}

impl Settings {
    /// How many asks are open at once, if nothing else is said.
    pub const IN_FLIGHT: usize = 16;
}

/// Which post asked something; 0 for a kernel.
#[must_use]
pub const fn seat_of(id: u64) -> usize {
    (id >> 48) as usize
}

/// A [`Part`] at work.
///
/// It sees to what a part [can rely on](Part#what-it-can-rely-on). Whoever drives it sees to three things: that
/// what it wants is done and told, whatever comes of it; that it is told all that changes in the cache, in order;
/// that it has its turn when it is [due](Self::due).
pub struct Post {
    part: Box<dyn Part>,
    settings: Settings,
    name: Str,
    needs: Vec<Need>,
    /// What is among its kinds is shown to it.
    scope: Scope,
    leads: bool,
    term: Option<Term>,
    /// The revision that the part has been shown; nothing before it has begun.
    shown: Option<Revision>,
    /// Whether something happened since the part was last asked to act.
    has_news: bool,
    /// What it asked, and whether it is shown what comes of it without its asking.
    open: BTreeMap<u64, bool>,
    /// What is answered once the part has been shown all that the answer can have come from.
    held: Vec<(Until, u64, Answer)>,
    /// It was asked that the cache come as far as the store, and is not answered yet.
    reaches: bool,
    notes: Notes,
    notes_job: Option<u64>,
    next: u64,
}

/// How far the part must have been shown before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    To(Revision),
    /// As far as the store is: to be asked,
    Store,
    /// being asked,
    Asked,
    /// and answered: as far as the cache is now.
    Cache,
}

impl Post {
    /// A part that has not begun. And what the cache must have for it.
    #[must_use]
    pub fn new(part: Box<dyn Part>, settings: Settings) -> (Self, Vec<Output>) {
        let (name, needs) = (part.name(), part.needs());
        let ranges = needs.iter().flat_map(|need| scope_of(&need.watched().kind()).ranges().to_vec());
        let post = Self {
            name,
            scope: ranges.collect(),
            leads: !settings.elected,
            term: None,
            shown: None,
            has_news: true,
            open: BTreeMap::new(),
            held: Vec::new(),
            reaches: false,
            notes: Notes::default(),
            notes_job: None,
            next: (settings.seat as u64) << 48,
            part,
            settings,
            needs: needs.clone(),
        };
        (post, vec![Output::Need(needs)])
    }

    /// The kinds that it needs.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.needs.iter().map(|need| need.watched().kind())
    }

    /// Whether it has begun.
    #[must_use]
    pub const fn is_at_work(&self) -> bool {
        self.shown.is_some()
    }

    /// Whether it leads and waits for the cache.
    #[must_use]
    pub const fn awaits(&self) -> bool {
        self.leads && self.shown.is_none()
    }

    /// How much it has asked that is not answered yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.open.len() + self.held.len()
    }

    /// When it wants a turn, if nothing happens before.
    #[must_use]
    pub fn due(&self, now: Now) -> Option<Duration> {
        if !self.leads {
            return None;
        }
        if self.shown.is_none() {
            return self.has_news.then_some(now.elapsed);
        }
        if self.held.iter().any(|(until, ..)| *until == Until::Cache) {
            return Some(now.elapsed);
        }
        let notes = self.notes.due().filter(|_| self.has_room());
        self.part.due().filter(|_| self.has_room()).into_iter().chain(notes).min()
    }

    fn has_room(&self) -> bool {
        self.in_flight() < self.settings.in_flight
    }

    /// Takes note of what happened, and says what is to be done.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Changed(changes) => self.changed(changes, now),
            Input::Reached(is_so) => {
                (self.reaches, self.has_news) = (false, true);
                for (until, ..) in self.held.iter_mut().filter(|(until, ..)| *until == Until::Asked) {
                    *until = if is_so { Until::Cache } else { Until::Store };
                }
                self.reach(&mut outputs);
            }
            Input::Said(id, said) => self.said(id, said, now, &mut outputs),
            Input::Done(done) => self.done(done, now, &mut outputs),
            Input::Leads(term) => {
                self.stop(now);
                self.leads = term.is_some() || !self.settings.elected;
                self.term = term;
            }
            Input::Turn(cache, policy) => self.turn(cache, policy, now, &mut outputs),
        }
        outputs
    }

    /// What it asked is for nobody any more, and the part begins anew.
    fn stop(&mut self, now: Now) {
        self.shown = None;
        self.has_news = true;
        self.open.clear();
        self.held.clear();
        self.notes.were_written(false, now);
        self.notes_job = None;
    }

    fn changed(&mut self, changes: &Changes, now: Now) {
        self.has_news = true;
        if changes.reset {
            return self.stop(now);
        }
        // What it has been shown at its beginning may come once more, and what is older, too.
        let Some(shown) = self.shown.filter(|shown| changes.revision >= *shown) else { return };
        self.shown = Some(changes.revision.max(shown));
        if !changes.is_empty() {
            self.part.changed(now, changes);
        }
        self.release(now);
    }

    /// Answers what has been held back long enough.
    fn release(&mut self, now: Now) {
        let Some(shown) = self.shown else { return };
        let is_due = |until: Until| matches!(until, Until::To(revision) if revision <= shown);
        if !self.held.iter().any(|(until, ..)| is_due(*until)) {
            return;
        }
        let (due, held) = std::mem::take(&mut self.held).into_iter().partition(|(until, ..)| is_due(*until));
        self.held = held;
        let due: Vec<_> = due;
        due.into_iter().for_each(|(_, id, answer)| self.part.answered(now, id, answer));
    }

    /// Answers once the part has been shown enough.
    fn hold(&mut self, until: Until, id: u64, answer: Answer, is_shown: bool, outputs: &mut Vec<Output>) {
        // The cache comes so far by itself, unless what was written is not among what is watched.
        if let Until::To(revision) = until
            && !is_shown
            && self.shown.is_some_and(|shown| shown < revision)
        {
            self.held.push((Until::Store, id, answer));
        } else {
            self.held.push((until, id, answer));
        }
        self.reach(outputs);
    }

    fn reach(&mut self, outputs: &mut Vec<Output>) {
        let is_wanted = self.held.iter().any(|(until, ..)| *until == Until::Store);
        if is_wanted && !std::mem::replace(&mut self.reaches, true) {
            for (until, ..) in self.held.iter_mut().filter(|(until, ..)| *until == Until::Store) {
                *until = Until::Asked;
            }
            outputs.push(Output::Reach(None));
        }
    }

    fn said(&mut self, id: u64, said: perform::Said, now: Now, outputs: &mut Vec<Output>) {
        let Some(is_shown) = self.open.remove(&id) else { return };
        let (until, answer) = match said {
            perform::Said::Entries(Ok(entries)) => (None, Answer::Entries(entries)),
            perform::Said::Entries(Err(error)) => (None, Answer::Failed(Arc::new(error.into()))),
            perform::Said::Commit(Ok(revision)) => (Some(Until::To(revision)), Answer::Committed(revision)),
            perform::Said::Commit(Err(CommitError::Conflict { key, found, .. })) => {
                if self.is_term(&key) {
                    return self.deposed(now, outputs);
                }
                (Some(found.map_or(Until::Store, Until::To)), Answer::Conflict)
            }
            perform::Said::Commit(Err(CommitError::Unknown { .. })) => (Some(Until::Store), Answer::Unknown),
            perform::Said::Commit(Err(error)) => (None, Answer::Failed(Arc::new(Error::from(error)))),
        };
        self.answer(until, id, answer, is_shown, now, outputs);
    }

    fn done(&mut self, done: Done, now: Now, outputs: &mut Vec<Output>) {
        let is_open = self.open.remove(&done.id).is_some();
        if self.notes_job.take_if(|id| *id == done.id).is_some() {
            self.notes.were_written(matches!(done.end, End::Whole), now);
            return;
        }
        if !is_open {
            return;
        }
        let (until, answer) = match done.end {
            End::Whole => (Until::To(done.revision), Answer::Committed(done.revision)),
            End::Overtaken(found) => {
                let found = found.map_or(Until::Store, |found| Until::To(found.max(done.revision)));
                (found, Answer::Conflict)
            }
            End::Deposed => return self.deposed(now, outputs),
            End::Unknown(_) => (Until::Store, Answer::Unknown),
            End::Failed(error) => (Until::To(done.revision), Answer::Failed(error)),
        };
        self.answer(Some(until), done.id, answer, false, now, outputs);
    }

    fn answer(
        &mut self,
        until: Option<Until>,
        id: u64,
        answer: Answer,
        is_shown: bool,
        now: Now,
        outputs: &mut Vec<Output>,
    ) {
        match until {
            None => self.part.answered(now, id, answer),
            Some(until) => {
                self.hold(until, id, answer, is_shown, outputs);
                self.release(now);
            }
        }
    }

    fn is_term(&self, key: &Key) -> bool {
        self.term.as_ref().is_some_and(|term| term.key == *key)
    }

    fn deposed(&mut self, now: Now, outputs: &mut Vec<Output>) {
        self.stop(now);
        self.leads = false;
        self.term = None;
        outputs.push(Output::Deposed);
    }

    fn turn(&mut self, cache: &Cache, policy: &Policy, now: Now, outputs: &mut Vec<Output>) {
        self.has_news = false;
        if !self.leads {
            return;
        }
        if self.shown.is_none() {
            let since = self.term.as_ref().map_or(Revision(0), |term| term.since);
            if cache.revision() < since {
                // Nothing may happen in what is watched.
                if !std::mem::replace(&mut self.reaches, true) {
                    outputs.push(Output::Reach(Some(since)));
                }
                return;
            }
            if !self.needs.iter().all(|need| cache.satisfies(need)) {
                return;
            }
            self.part.begin(now, cache);
            self.shown = Some(cache.revision());
        }
        for (until, ..) in self.held.iter_mut().filter(|(until, ..)| *until == Until::Cache) {
            *until = Until::To(cache.revision());
        }
        self.release(now);
        let room = self.settings.in_flight.saturating_sub(self.in_flight());
        let mut desk = Desk {
            asks: Vec::new(),
            room,
            next: &mut self.next,
            notes: &mut self.notes,
            name: self.name.clone(),
            now,
            cache,
            policy,
            limits: &self.settings.limits,
        };
        self.part.act(now, &mut desk);
        let asks = desk.asks;
        for (id, ask) in asks {
            let (is_shown, output) = match ask {
                Ask::Read(keys) => (true, Output::Read(id, keys)),
                Ask::Commit(txn) => {
                    let is_shown = txn.writes().iter().any(|write| self.scope.contains(write.key()));
                    (is_shown, Output::Commit(id, self.in_term(txn)))
                }
                Ask::Perform(job) => (false, Output::Perform(Job { guards: self.guards(), ..job })),
            };
            self.open.insert(id, is_shown);
            outputs.push(output);
        }
        self.write_notes(now, outputs);
    }

    fn write_notes(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.has_room() && self.notes.due().is_some_and(|due| due <= now.elapsed) {
            self.next += 1;
            let (id, steps) = (self.next, self.notes.take(now).into_steps());
            self.open.insert(id, false);
            self.notes_job = Some(id);
            let manager = self.name.clone();
            outputs.push(Output::Perform(Job { id, manager, guards: self.guards(), steps }));
        }
    }

    fn guards(&self) -> Vec<(Key, Expect)> {
        self.term.iter().map(Term::guard).collect()
    }

    fn in_term(&self, txn: Txn) -> Txn {
        self.guards().into_iter().fold(txn, |txn, (key, expect)| txn.guard(key, expect))
    }
}
