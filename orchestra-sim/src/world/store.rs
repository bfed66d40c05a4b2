//! What the store does with the requests that come to it, and what goes wrong on the way.

use std::time::Duration;

use orchestra_core::control::election;
use orchestra_core::control::feed::Told;
use orchestra_core::control::perform;
use orchestra_core::store::state::State;
use orchestra_core::store::{
    CommitError, Cursor, Expect, Key, Limits, Listing, Page, Revision, Scope, StoreError, StoreId, Txn,
};

use super::World;
use super::event::{Arrival, By, Commit, Event, From, Request, unknown};
use super::machine::Machine;
use crate::failure::Found;
use crate::fault::Fault;
use crate::injector::force;
use crate::random::time;
use crate::story::What;

/// How long requests and answers travel: within a data centre, with some queues on the way.
const LATENCY: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));
/// How long whoever gets no answer waits for one.
pub(crate) const PATIENCE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

impl World<'_> {
    pub(super) fn latency(&mut self, machine: usize) -> Duration {
        time(&mut self.machines[machine].latency, LATENCY.0, LATENCY.1)
    }

    /// Sends a request on its way.
    pub(super) fn send(&mut self, from: From, request: Request) {
        let latency = self.latency(from.machine);
        self.agenda.put(self.now + latency, Event::Request(from, request));
    }

    /// Sends an answer on its way.
    pub(super) fn answer(&mut self, to: From, answer: Arrival) {
        let latency = self.latency(to.machine);
        self.agenda.put(self.now + latency, Event::Arrive(to, answer));
    }

    /// Something does not get through: whoever waits for an answer gives up after a while.
    pub(super) fn lose(&mut self, to: From, answer: Arrival) {
        let patience = time(&mut self.machines[to.machine].latency, PATIENCE.0, PATIENCE.1);
        self.agenda.put(self.now + patience, Event::Arrive(to, answer));
    }

    pub(super) fn request_comes(&mut self, from: From, request: Request) {
        if self.machines[from.machine].is_cut() && self.is_alive(from) {
            self.partition_bites(from.machine);
            if let Some(answer) = request.lost() {
                self.lose(from, answer);
            }
            return;
        }
        match request {
            Request::Get { job, keys } => {
                let found = keys.iter().map(|key| self.truth.state.get(key).cloned()).collect();
                self.answer(from, Arrival::Job { id: job, said: perform::Said::Entries(Ok(found)) });
            }
            Request::Commit(commit) => self.commit_comes(from, commit),
            Request::Look { ask, term, beat } => {
                let found = [&term, &beat].map(|key| self.truth.state.get(key).cloned());
                self.answer(from, Arrival::Election { ask, said: election::Said::Seen(Ok(found)) });
            }
            Request::Revision(seat) => {
                let revision = self.truth.state.revision();
                self.answer(from, Arrival::Revision(seat, Ok(revision)));
            }
            Request::Identity => self.answer(from, Arrival::Feed(Told::Identity(Ok(StoreId(1))))),
            Request::List { scope, page } => {
                let listing = self.list(from, &scope, &page);
                self.answer(from, Arrival::Feed(Told::Listed(listing)));
            }
            Request::Watch { number, scope, after } => self.open_watch(from, number, scope, after),
            Request::Progress { number } => self.tell_progress(from, number),
        }
    }

    /// Lists, as of some time ago if that fault is met.
    fn list(&mut self, from: From, scope: &Scope, page: &Page) -> Result<Listing, StoreError> {
        let state = &self.truth.state;
        let is_first = page.from.is_none() && self.is_alive(from);
        let running = self.machines[from.machine].up.as_mut().filter(|_| is_first);
        let is_new = running.is_some_and(|running| std::mem::take(&mut running.is_new));
        // In the first life there is nothing old to be shown.
        let may_rewind = is_new && from.life > 0 && self.of.may_rewind();
        if may_rewind
            && self.machines[from.machine].is_control
            && let Some(force) = self.injector.meets(Fault::Rewind)
        {
            let then = Revision(state.revision().0.saturating_sub(force)).max(state.history().oldest());
            let then = then.max(Revision(1));
            if has_changed_since(state, scope, then) {
                self.injector.bites(Fault::Rewind);
            }
            let from = Some(Cursor { revision: then, after: None });
            return state.list(scope, &Page { from, ..page.clone() });
        }
        state.list(scope, page)
    }

    /// A commit has come to the store.
    fn commit_comes(&mut self, from: From, commit: Commit) {
        let Commit { by, txn, slow } = commit;
        let is_met = self.is_alive(from) && self.machines[from.machine].is_control && !by.is_beat();
        if slow.is_some_and(|before| self.commits > before) {
            self.injector.bites(Fault::SlowCommit);
        }
        let mut delay = None;
        if is_met
            && slow.is_none()
            && let Some(force) = self.injector.meets(Fault::SlowCommit)
        {
            self.tell_of_fault(from.machine);
            let (time, is_late) = force::time(force);
            if is_late {
                // It comes later. A job does not wait for it that long: then nobody knows.
                if time > PATIENCE.1 && matches!(by, By::Job { .. }) {
                    self.agenda.put(self.now + PATIENCE.1, Event::Arrive(from, by.answer(Err(unknown()))));
                }
                let commit = Commit { by, txn, slow: Some(self.commits) };
                self.agenda.put(self.now + time, Event::Request(from, Request::Commit(commit)));
                return;
            }
            delay = Some(time);
        }
        if is_met
            && self.injector.meets(Fault::CrashBefore).is_some_and(|force| self.dies(from.machine, force))
        {
            self.injector.bites(Fault::CrashBefore);
            return;
        }
        let is_meddled = is_met && self.meddles(from.machine, &txn);
        if is_met && self.injector.meets(Fault::LostBefore).is_some() {
            self.tell_of_fault(from.machine);
            self.injector.bites(Fault::LostBefore);
            return self.lose(from, by.answer(Err(unknown())));
        }
        let before = self.truth.state.revision();
        let term = self.truth.state.get(&self.term_key).map(|entry| entry.modified);
        let answer = match txn.check(&Limits::DEFAULT) {
            Ok(()) => self.commit(Some(from.machine), txn),
            Err(error) => Err(error),
        };
        if let Err(CommitError::Conflict { key, .. }) = &answer {
            if is_meddled {
                self.injector.bites(Fault::Conflict);
            }
            self.tell(from.machine, What::Refused { key: key.clone() });
        }
        let took_effect = self.truth.state.revision() > before;
        if took_effect {
            self.check_term(from.machine, by, term);
        }
        if is_met && took_effect {
            if self.injector.meets(Fault::CrashAfter).is_some_and(|force| self.dies(from.machine, force)) {
                self.injector.bites(Fault::CrashAfter);
                return;
            }
            if self.injector.meets(Fault::LostAfter).is_some() {
                self.tell_of_fault(from.machine);
                self.injector.bites(Fault::LostAfter);
                return self.lose(from, by.answer(Err(unknown())));
            }
        }
        match delay {
            None => self.answer(from, by.answer(answer)),
            Some(time) => {
                self.injector.bites(Fault::SlowCommit);
                self.agenda.put(self.now + time, Event::Arrive(from, by.answer(answer)));
            }
        }
    }

    /// Once a term has begun, nothing of an earlier one takes effect. Looked at when a job's commit did.
    fn check_term(&mut self, machine: usize, by: By, current: Option<Revision>) {
        let By::Job { term, .. } = by else { return };
        let Machine { name, is_control: true, .. } = &self.machines[machine] else { return };
        if self.of.times.is_none() || term == current {
            return;
        }
        let since =
            |term: Option<Revision>| term.map_or("none".into(), |term| format!("the one since {term}"));
        let reason = format!("its term is {}, and the one that counts is {}", since(term), since(current));
        let machine = name.to_string();
        self.find(Found::TwoLeaders { machine, reason });
    }

    /// Has somebody else write to an object that is about to be changed.
    fn meddles(&mut self, machine: usize, txn: &Txn) -> bool {
        let is_there = |key: &&Key| {
            let entry = self.truth.state.get(key);
            entry.is_some_and(|entry| {
                entry.value.starts_with(b"{") && !key.starts_with(super::ELECTIONS.as_bytes())
            })
        };
        let Some(key) = txn.writes().iter().map(|write| write.key()).find(is_there).cloned() else {
            return false;
        };
        let Some(force) = self.injector.meets(Fault::Conflict) else { return false };
        self.tell_of_fault(machine);
        let Some(entry) = self.truth.state.get(&key).cloned() else { return false };
        let Ok(mut tree) = serde_json::from_slice::<serde_json::Value>(&entry.value) else { return false };
        if !tree.get("metadata").is_some_and(serde_json::Value::is_object) {
            return false;
        }
        tree["metadata"]["annotations"]["simulation.orchestra.dev/meddled"] = force.to_string().into();
        let value = tree.to_string();
        let txn = Txn::new().guard(key.clone(), Expect::At(entry.modified)).put(key, value);
        self.commit(None, txn).is_ok()
    }
}

fn has_changed_since(state: &State, scope: &Scope, then: Revision) -> bool {
    let batches = state.history().after(then);
    batches.is_ok_and(|mut batches| {
        batches.any(|batch| batch.events.iter().any(|event| scope.contains(&event.key)))
    })
}
