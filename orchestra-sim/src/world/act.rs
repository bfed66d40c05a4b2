//! What a machine does: it is told what comes to it, and does what its kernel wants.

use std::time::Duration;

use orchestra_core::control::feed::{Ask, Told};
use orchestra_core::control::kernel::{Input, Output};
use orchestra_core::control::perform::{self, End, Job, Next, Performance};
use orchestra_core::control::post::{self, seat_of};
use orchestra_core::control::{Backoff, Trouble, election};
use orchestra_core::object::Revision;
use orchestra_core::store::Txn;

use super::World;
use super::event::{Arrival, By, Commit, Event, Request};
use super::machine::{Held, Reach, Running};
use crate::failure::Found;
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
        let (outputs, wants) = machine.start(self.of, self.seed, self.now);
        self.tell(number, What::Started);
        self.perform(number, outputs);
        for (seat, outputs) in (1..).zip(wants) {
            self.perform_for(number, seat, outputs);
        }
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
            Arrival::Revision(seat, answer) => {
                if matches!(running.reach.get(&seat), Some(Reach::All)) {
                    match answer {
                        Ok(revision) => self.reach(number, seat, revision),
                        Err(_) => {
                            running.reach.remove(&seat);
                            self.reached(number, seat, false);
                        }
                    }
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
            let Some(Running { kernel, posts, feed, .. }) = machine.up.as_mut().filter(|_| !is_halted) else {
                return;
            };
            let is_due = |due: Option<Duration>| due.is_some_and(|due| due <= now.elapsed);
            if is_due(kernel.due(now)) {
                let outputs = kernel.handle(now, Input::Turn(feed.cache()));
                self.perform(number, outputs);
            } else if let Some(at) = posts.iter().position(|post| is_due(post.due(now))) {
                let outputs = posts[at].handle(now, post::Input::Turn(feed.cache(), &self.of.policy));
                self.perform_for(number, at + 1, outputs);
            } else {
                break;
            }
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
                Output::Perform(job) => self.begin(number, job),
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
                Output::Reach(revision) => self.is_to_reach(number, 0, revision),
                Output::Report(report) => {
                    if let Trouble::Panicked(reason) = &report.trouble
                        && !self.of.tolerates_panics
                    {
                        let (controller, object) = (report.controller.to_string(), report.object.to_string());
                        self.find(Found::Panicked { controller, object, reason: reason.clone() });
                    }
                    self.tell(number, What::Reported(Box::new(report)));
                }
            }
        }
    }

    /// Does what a post wants.
    fn perform_for(&mut self, number: usize, seat: usize, outputs: Vec<post::Output>) {
        for output in outputs {
            let this = self.machines[number].this();
            match output {
                post::Output::Need(needs) => self.tell_feed(number, Told::Need(needs)),
                post::Output::Read(id, keys) => {
                    self.note_decision(number);
                    self.send(this, Request::Get { job: id, keys });
                }
                post::Output::Commit(id, txn) => {
                    self.note_decision(number);
                    self.commit_of(number, id, self.term_of(number), txn);
                }
                post::Output::Perform(job) => self.begin(number, job),
                post::Output::Reach(revision) => self.is_to_reach(number, seat, revision),
                post::Output::Deposed => self.deposed(number),
            }
        }
    }

    /// Begins a job.
    fn begin(&mut self, number: usize, job: Job) {
        self.note_decision(number);
        let since = self.term_of(number);
        let Some(running) = &mut self.machines[number].up else { return };
        let id = job.id;
        let mut performance = Performance::new(job, running.term.as_ref().map(|term| term.key.clone()));
        let next = performance.start();
        running.jobs.insert(id, (performance, since));
        self.next(number, id, next);
    }

    fn term_of(&self, number: usize) -> Option<Revision> {
        self.machines[number].up.as_ref()?.term.as_ref().map(|term| term.since)
    }

    fn commit_of(&mut self, number: usize, id: u64, term: Option<Revision>, txn: Txn) {
        let txn = if self.of.strips_guards { without_guards(txn) } else { txn };
        self.send_commit(number, Commit { by: By::Job { id, term }, txn, slow: None });
    }

    /// The cache is to come so far, or as far as the store is, for a kernel or a post.
    fn is_to_reach(&mut self, number: usize, seat: usize, revision: Option<Revision>) {
        match revision {
            Some(revision) => self.reach(number, seat, revision),
            None => {
                let Some(running) = &mut self.machines[number].up else { return };
                running.reach.insert(seat, Reach::All);
                self.send(self.machines[number].this(), Request::Revision(seat));
            }
        }
    }

    fn reach(&mut self, number: usize, seat: usize, revision: Revision) {
        let Some(running) = &mut self.machines[number].up else { return };
        running.reach.insert(seat, Reach::To(revision));
        self.tell_feed(number, Told::Reach(Some(revision)));
    }

    fn reached(&mut self, number: usize, seat: usize, is_so: bool) {
        match seat {
            0 => self.input(number, Input::Reached(is_so)),
            seat => self.input_of(number, seat, post::Input::Reached(is_so)),
        }
    }

    /// Tells a post something, and does what it wants then.
    fn input_of(&mut self, number: usize, seat: usize, input: post::Input<'_>) {
        let machine = &mut self.machines[number];
        let now = machine.now(self.now);
        let Some(post) = machine.up.as_mut().and_then(|running| running.posts.get_mut(seat - 1)) else {
            return;
        };
        let outputs = post.handle(now, input);
        self.perform_for(number, seat, outputs);
    }

    fn deposed(&mut self, number: usize) {
        // Whatever it asked before is of no interest any more.
        if let Some(running) = &mut self.machines[number].up {
            running.asked = None;
        }
        self.tell_election(number, election::Said::Deposed);
    }

    /// Tells the feed something, the kernel what has changed by that, and the store what is asked.
    pub(super) fn tell_feed(&mut self, number: usize, told: Told) {
        let machine = &mut self.machines[number];
        let now = machine.now(self.now);
        let this = machine.this();
        let Some(running) = &mut machine.up else { return };
        let (changes, asks) = running.feed.told(told);
        let (mut outputs, mut of_posts) = (Vec::new(), Vec::new());
        for changes in &changes {
            outputs.extend(running.kernel.handle(now, Input::Changed(changes)));
            for (seat, post) in (1..).zip(&mut running.posts) {
                of_posts.push((seat, post.handle(now, post::Input::Changed(changes))));
            }
        }
        for _ in 0..running.arrived() {
            outputs.extend(running.kernel.handle(now, Input::Arrived));
        }
        for seat in running.have_reached() {
            match seat {
                0 => outputs.extend(running.kernel.handle(now, Input::Reached(true))),
                _ => of_posts.push((seat, running.posts[seat - 1].handle(now, post::Input::Reached(true)))),
            }
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
        for (seat, outputs) in of_posts {
            self.perform_for(number, seat, outputs);
        }
    }

    /// Asks again how far the watch has come, if somebody waits for that.
    pub(super) fn ask_again(&mut self, number: usize) {
        let Some(running) = self.machines[number].up.as_ref() else { return };
        let to = running.reach.values().filter_map(|reach| match reach {
            Reach::To(revision) => Some(*revision),
            Reach::All => None,
        });
        if let Some(revision) = to.max() {
            self.tell_feed(number, Told::Reach(Some(revision)));
        }
    }

    fn told_job(&mut self, number: usize, id: u64, said: perform::Said) {
        let machine = &mut self.machines[number];
        let now = machine.now(self.now);
        let Some(running) = &mut machine.up else { return };
        let Some((performance, _)) = running.jobs.get_mut(&id) else {
            // A post asks by itself; what nobody waits for any more is for nobody.
            if seat_of(id) > 0 {
                self.input_of(number, seat_of(id), post::Input::Said(id, said));
            }
            return;
        };
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
                self.commit_of(number, id, term, txn);
            }
            Next::Done(done) => {
                running.jobs.remove(&id);
                let is_deposed = matches!(done.end, End::Deposed);
                match seat_of(id) {
                    0 => self.input(number, Input::Done(done)),
                    seat => return self.input_of(number, seat, post::Input::Done(done)),
                }
                if is_deposed {
                    self.deposed(number);
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
            for seat in 1..=self.of.parts.len() {
                self.input_of(number, seat, post::Input::Leads(new.clone()));
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
