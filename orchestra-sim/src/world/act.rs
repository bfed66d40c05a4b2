//! What a machine does: it is told what comes to it, and does what its kernel wants.

use std::time::Duration;

use orchestra_core::control::feed::{Ask, Told};
use orchestra_core::control::kernel::{Input, Output};
use orchestra_core::control::perform::{self, End, Next, Performance};
use orchestra_core::control::{Backoff, election};
use orchestra_core::object::Revision;
use orchestra_core::store::Txn;

use super::World;
use super::event::{Arrival, By, Commit, Event, Request};
use super::machine::{Held, Reach, Running};
use crate::fault::Fault;
use crate::run::TermWon;
use crate::story::What;

/// How long to wait before the store is asked again that could not be reached: as the real driver does.
const RETRY: Backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(10) };

impl World<'_> {
    pub(super) fn start(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        if machine.up.is_some() || machine.is_gone {
            return;
        }
        let outputs = machine.start(self.of, self.seed, self.now);
        self.tell(number, What::Started);
        self.perform(number, outputs);
        self.turn(number);
    }

    /// Something comes to a machine, while it is alive.
    pub(super) fn receive(&mut self, number: usize, arrival: Arrival) {
        let Some(running) = &mut self.machines[number].up else { return };
        match arrival {
            Arrival::Job { id, said } => self.told_job(number, id, said),
            Arrival::Election { ask, said } => {
                // What was given up is not waited for any more.
                if running.asked == Some(ask) {
                    running.asked = None;
                    self.tell_election(number, said);
                }
            }
            Arrival::Revision(Ok(revision)) => {
                if matches!(running.reach, Some(Reach::All)) {
                    self.reach(number, revision);
                }
            }
            Arrival::Revision(Err(_)) => {
                if running.reach.take_if(|reach| matches!(reach, Reach::All)).is_some() {
                    self.input(number, Input::Reached(false));
                }
            }
            Arrival::Feed(told) => self.tell_feed(number, told),
            Arrival::Delivery { number: watch } => {
                if running.watch.as_ref().is_some_and(|watching| watching.number == watch) {
                    return self.take_deliveries(number);
                }
            }
            Arrival::Release { number: watch } => {
                if running.watch.as_ref().is_some_and(|watching| watching.number == watch) {
                    return self.release(number);
                }
            }
            Arrival::Answered { call, answer } => self.input(number, Input::Answered(call, answer)),
            Arrival::AnsweredLate { call, answer, before } => {
                if self.commits > before {
                    self.injector.bites(Fault::SlowEffect);
                }
                self.input(number, Input::Answered(call, answer));
            }
            Arrival::Wake => {
                running.wakes_at = None;
                let elapsed = self.now - running.since;
                let election = running.election.as_ref().filter(|_| running.asked.is_none());
                if election.and_then(|election| election.due()).is_some_and(|due| due <= elapsed) {
                    self.tell_election(number, election::Said::Tick);
                }
            }
            Arrival::Send(request) => self.send(self.machines[number].this(), request),
        }
        self.turn(number);
    }

    /// Lets the kernel look at what there is to look at, and sees to it that it is woken again.
    pub(super) fn turn(&mut self, number: usize) {
        /// After so many turns at one instant, time passes.
        const AT_ONCE: usize = 64;
        let is_halted = self.machines[number].halted.is_some();
        for _ in 0..AT_ONCE {
            let machine = &mut self.machines[number];
            let now = machine.now(self.now);
            let Some(running) = machine.up.as_mut().filter(|_| !is_halted) else { return };
            if running.kernel.due(now).is_none_or(|due| due > now.elapsed) {
                break;
            }
            let Running { kernel, feed, .. } = running;
            let outputs = kernel.handle(now, Input::Turn(feed.cache()));
            self.perform(number, outputs);
        }
        let machine = &mut self.machines[number];
        let (this, now) = (machine.this(), machine.now(self.now));
        let Some(running) = &mut machine.up else { return };
        let Some(due) = running.due(now) else { return };
        let at = (running.since + due).max(self.now + Duration::from_micros(u64::from(due <= now.elapsed)));
        if running.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            running.wakes_at = Some(at);
            self.agenda.put(at, Event::Arrive(this, Arrival::Wake));
        }
    }

    /// Tells the kernel something, and does what it wants then.
    fn input(&mut self, number: usize, input: Input<'_>) {
        let machine = &mut self.machines[number];
        let now = machine.now(self.now);
        let Some(running) = &mut machine.up else { return };
        let outputs = running.kernel.handle(now, input);
        self.perform(number, outputs);
    }

    /// Does what a kernel wants.
    fn perform(&mut self, number: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Perform(job) => {
                    self.note_decision(number);
                    let Some(running) = &mut self.machines[number].up else { return };
                    let term = running.term.as_ref();
                    let since = term.map(|term| term.since);
                    let id = job.id;
                    let mut performance = Performance::new(job, term.map(|term| term.key.clone()));
                    let next = performance.start();
                    running.jobs.insert(id, (performance, since));
                    self.next(number, id, next);
                }
                Output::Call(call) => {
                    let from = self.machines[number].this();
                    self.tell(number, What::Called { handler: call.handler.clone(), key: call.key.clone() });
                    let latency = self.latency(number);
                    self.agenda.put(self.now + latency, Event::Call(from, call, None));
                }
                Output::Need(needs) => {
                    let Some(running) = &mut self.machines[number].up else { return };
                    running.needs.push(needs.clone());
                    self.tell_feed(number, Told::Need(needs));
                }
                Output::Reach(Some(revision)) => self.reach(number, revision),
                Output::Reach(None) => {
                    let Some(running) = &mut self.machines[number].up else { return };
                    running.reach = Some(Reach::All);
                    self.send(self.machines[number].this(), Request::Revision);
                }
                Output::Report(report) => self.tell(number, What::Reported(Box::new(report))),
            }
        }
    }

    fn reach(&mut self, number: usize, revision: Revision) {
        let Some(running) = &mut self.machines[number].up else { return };
        running.reach = Some(Reach::To(revision));
        self.tell_feed(number, Told::Reach(Some(revision)));
    }

    /// Tells the feed something, the kernel what has changed by that, and the store what is asked.
    pub(super) fn tell_feed(&mut self, number: usize, told: Told) {
        let machine = &mut self.machines[number];
        let now = machine.now(self.now);
        let this = machine.this();
        let Some(running) = &mut machine.up else { return };
        let (changes, asks) = running.feed.told(told);
        let mut outputs = Vec::new();
        for changes in &changes {
            outputs.extend(running.kernel.handle(now, Input::Changed(changes)));
        }
        for _ in 0..running.arrived() {
            outputs.extend(running.kernel.handle(now, Input::Arrived));
        }
        if running.has_reached() {
            outputs.extend(running.kernel.handle(now, Input::Reached(true)));
        }
        for ask in asks {
            let Some(running) = &mut self.machines[number].up else { return };
            let request = match ask {
                Ask::Identity => Request::Identity,
                Ask::List { scope, page } => Request::List { scope, page },
                Ask::Watch { scope, after } => {
                    running.watch = None;
                    running.watches += 1;
                    Request::Watch { number: running.watches, scope, after }
                }
                Ask::Unwatch => {
                    running.watch = None;
                    continue;
                }
                Ask::Progress => Request::Progress { number: running.watches },
                Ask::Retry { attempt, .. } => {
                    let wait = RETRY.after(attempt, this.life);
                    self.agenda.put(self.now + wait, Event::Arrive(this, Arrival::Feed(Told::Retry)));
                    continue;
                }
            };
            self.send(this, request);
        }
        self.perform(number, outputs);
    }

    /// Asks again how far the watch has come, if somebody waits for that.
    pub(super) fn ask_again(&mut self, number: usize) {
        let running = self.machines[number].up.as_ref();
        if let Some(Reach::To(revision)) = running.and_then(|running| running.reach) {
            self.tell_feed(number, Told::Reach(Some(revision)));
        }
    }

    fn told_job(&mut self, number: usize, id: u64, said: perform::Said) {
        let machine = &mut self.machines[number];
        let now = machine.now(self.now);
        let Some(running) = &mut machine.up else { return };
        // What nobody waits for any more is for nobody.
        let Some((performance, _)) = running.jobs.get_mut(&id) else { return };
        let next = performance.told(said, now, &running.ids, &self.of.policy);
        self.next(number, id, next);
    }

    fn next(&mut self, number: usize, id: u64, next: Next) {
        let this = self.machines[number].this();
        let Some(running) = &mut self.machines[number].up else { return };
        match next {
            Next::Ask(perform::Ask::Get(keys)) => self.send(this, Request::Get { job: id, keys }),
            Next::Ask(perform::Ask::Commit(txn)) => {
                let term = running.jobs.get(&id).and_then(|(_, term)| *term);
                let txn = if self.of.strips_guards { without_guards(txn) } else { txn };
                let by = By::Job { id, term };
                self.send_commit(number, Commit { by, txn, slow: None });
            }
            Next::Done(done) => {
                running.jobs.remove(&id);
                let is_deposed = matches!(done.end, End::Deposed);
                self.input(number, Input::Done(done));
                if is_deposed {
                    // Whatever it asked before is of no interest any more.
                    if let Some(running) = &mut self.machines[number].up {
                        running.asked = None;
                    }
                    self.tell_election(number, election::Said::Deposed);
                }
            }
        }
    }

    fn tell_election(&mut self, number: usize, said: election::Said) {
        let machine = &mut self.machines[number];
        let (this, elapsed) = (machine.this(), machine.now(self.now).elapsed);
        let Some(Running { election: Some(election), asked, asks, term, .. }) = &mut machine.up else {
            return;
        };
        let ask = election.told(elapsed, said);
        let patience = election.patience();
        let is_news = (term.as_ref() != election.term()).then(|| election.term().cloned());
        if ask.is_some() {
            *asks += 1;
            *asked = Some(*asks);
        }
        let number_of_ask = *asks;
        if let Some(new) = is_news {
            term.clone_from(&new);
            self.tell(number, new.as_ref().map_or(What::LeadsNoMore, |term| What::Leads(term.number)));
            if let Some(term) = &new {
                let machine = self.machines[number].name.to_string();
                self.terms.push(TermWon { at: self.now, machine, number: term.number });
            }
            self.input(number, Input::Leads(new));
        }
        match ask {
            None => {}
            Some(election::Ask::Look(term, beat)) => {
                let given_up =
                    Request::Look { ask: number_of_ask, term: term.clone(), beat: beat.clone() }.lost();
                self.send(this, Request::Look { ask: number_of_ask, term, beat });
                self.give_up_after(number, patience, given_up);
            }
            Some(election::Ask::Commit(txn)) => {
                let is_beat = txn.writes().iter().all(|write| *write.key() != self.term_key);
                let by = By::Election { ask: number_of_ask, is_beat };
                self.give_up_after(number, patience, Some(by.answer(Err(super::event::unknown()))));
                self.send_commit(number, Commit { by, txn, slow: None });
            }
        }
    }

    /// A candidate does not wait for ever.
    fn give_up_after(&mut self, number: usize, patience: Duration, answer: Option<Arrival>) {
        if let Some(answer) = answer {
            let this = self.machines[number].this();
            self.agenda.put(self.now + patience, Event::Arrive(this, answer));
        }
    }

    /// Notes what a decision was made on.
    fn note_decision(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        if machine.is_control && machine.clock != 0 && !std::mem::replace(&mut machine.clock_has_bitten, true)
        {
            self.injector.bites(Fault::ClockJump);
        }
        let watch = machine.up.as_mut().and_then(|running| running.watch.as_mut());
        let Some(watch) = watch else { return };
        let is_behind = watch.batches().next().is_some();
        if let Some(Held::Behind { has_bitten, .. }) = &mut watch.held
            && is_behind
            && !std::mem::replace(has_bitten, true)
        {
            self.injector.bites(Fault::Lag);
        }
    }
}

/// The same writes, whatever stands there.
fn without_guards(txn: Txn) -> Txn {
    use orchestra_core::store::Write;
    txn.into_writes().into_iter().fold(Txn::new(), |txn, write| match write {
        Write::Put(key, value) => txn.put(key, value),
        Write::Delete(key) => txn.delete(key),
    })
}
