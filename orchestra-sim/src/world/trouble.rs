//! What befalls machines, and the world outside.

use std::time::Duration;

use orchestra_core::control::EffectError;
use orchestra_core::control::feed::Told;
use orchestra_core::control::kernel::Call;
use serde_json::Value;

use super::World;
use super::event::{Arrival, Commit, Event, From, Request, unavailable};
use super::machine::{Cut, Machine};
use crate::fault::Fault;
use crate::injector::force;
use crate::outside::EffectCall;
use crate::story::What;

impl World<'_> {
    /// Something comes to a machine, if it is still the one that it is meant for.
    pub(super) fn comes(&mut self, to: From, arrival: Arrival) {
        if !self.is_alive(to) {
            return;
        }
        let machine = &mut self.machines[to.machine];
        if machine.is_cut() && arrival.is_an_answer() && !arrival.is_lost() {
            self.partition_bites(to.machine);
            return self.lose(to, arrival.lost());
        }
        if let Some((waiting, _)) = &mut machine.halted {
            return waiting.push(arrival);
        }
        self.receive(to.machine, arrival);
    }

    /// Sends a commit, unless the machine comes to a halt just before.
    pub(super) fn send_commit(&mut self, number: usize, commit: Commit) {
        let this = self.machines[number].this();
        let machine = &self.machines[number];
        let is_met = machine.is_control && !commit.by.is_beat() && machine.halted.is_none();
        let request = Request::Commit(commit);
        if is_met && let Some(force) = self.injector.meets(Fault::Pause) {
            self.tell_of_fault(number);
            let time = Duration::from_millis(force);
            self.machines[number].halted = Some((vec![Arrival::Send(request)], self.commits));
            self.agenda.put(self.now + time, Event::Resume(this));
            return;
        }
        self.send(this, request);
    }

    /// A machine that stood still goes on with what it believed.
    pub(super) fn resume(&mut self, from: From) {
        if !self.is_alive(from) {
            return;
        }
        let Some((waiting, before)) = self.machines[from.machine].halted.take() else { return };
        if self.commits > before {
            self.injector.bites(Fault::Pause);
        }
        self.tell(from.machine, What::Resumed);
        for arrival in waiting {
            self.comes(from, arrival);
        }
    }

    /// A machine dies, and starts again after a while. Always true: it can always die.
    pub(super) fn dies(&mut self, number: usize, force: u64) -> bool {
        self.tell_of_fault(number);
        self.tell(number, What::Crashed);
        let machine = &mut self.machines[number];
        machine.life += 1;
        machine.up = None;
        machine.halted = None;
        self.agenda.put(self.now + Duration::from_millis(force), Event::Start(number));
        true
    }

    /// The machine that leads dies for good; if none leads, a moment later.
    pub(super) fn leader_dies(&mut self) {
        let leads = |machine: &Machine| machine.up.as_ref().is_some_and(|running| running.term.is_some());
        match self.machines.iter().position(leads) {
            Some(number) => {
                self.tell(number, What::Crashed);
                let machine = &mut self.machines[number];
                machine.life += 1;
                (machine.up, machine.halted, machine.is_gone) = (None, None, true);
                self.leader_died = Some(self.now);
            }
            None => self.agenda.put(self.now + Duration::from_millis(100), Event::LeaderDies),
        }
    }

    /// What may go wrong at any moment is looked at once a second.
    pub(super) fn second(&mut self) {
        if self.injector.is_over() {
            return;
        }
        self.agenda.put(self.now + Duration::from_secs(1), Event::Second);
        for number in 0..self.of.machines {
            let machine = &self.machines[number];
            let Some(running) = machine.up.as_ref().filter(|_| machine.halted.is_none()) else { continue };
            let is_at_work = running.term.is_some() || running.in_flight() > 0;
            if let Some(force) = self.injector.meets(Fault::Crash) {
                if is_at_work {
                    self.injector.bites(Fault::Crash);
                }
                self.dies(number, force);
                continue;
            }
            if let Some(force) = self.injector.meets(Fault::ClockJump) {
                self.tell_of_fault(number);
                let (time, is_back) = force::time(force);
                let micros = time.as_micros() as i64;
                self.machines[number].clock = if is_back { -micros } else { micros };
                self.machines[number].clock_has_bitten = false;
            }
            if !self.machines[number].is_cut()
                && let Some(force) = self.injector.meets(Fault::Partition)
            {
                self.tell_of_fault(number);
                let (time, breaks) = force::time(force);
                let until = self.now + time;
                self.machines[number].cut = Some(Cut { until, breaks, has_bitten: false });
                self.agenda.put(until, Event::Reconnect(number));
            }
        }
    }

    /// Something does not get through: of each partition, that counts once.
    pub(super) fn partition_bites(&mut self, number: usize) {
        if let Some(cut) = &mut self.machines[number].cut
            && !std::mem::replace(&mut cut.has_bitten, true)
        {
            self.injector.bites(Fault::Partition);
        }
    }

    /// A machine can reach the store again.
    pub(super) fn reconnect(&mut self, number: usize) {
        let Some(Cut { until, breaks, .. }) = self.machines[number].cut else { return };
        // When all is mended, it is earlier than it was to be.
        if until > self.now && !self.injector.is_over() {
            return;
        }
        self.machines[number].cut = None;
        let running = self.machines[number].up.as_mut();
        if breaks && running.and_then(|running| running.watch.take()).is_some() {
            self.tell_feed(number, Told::WatchFailed(unavailable("watching")));
        }
        self.ask_again(number);
        if self.machines[number].halted.is_none() {
            self.take_deliveries(number);
        }
    }

    /// A handler is called in the world outside. Whoever called may be dead by now: the call is not.
    pub(super) fn call_comes(&mut self, from: From, call: Call, slow: Option<u64>) {
        let is_met = self.machines[from.machine].is_control && self.is_alive(from);
        let mut delay = None;
        match slow {
            Some(before) if self.commits > before => self.injector.bites(Fault::SlowEffect),
            Some(_) => {}
            None if is_met => {
                if self.injector.meets(Fault::LostCall).is_some() {
                    self.tell_of_fault(from.machine);
                    self.injector.bites(Fault::LostCall);
                    return self.lose(from, Arrival::Answered { call: call.id, answer: Err(no_answer()) });
                }
                if let Some(force) = self.injector.meets(Fault::SlowEffect) {
                    self.tell_of_fault(from.machine);
                    let (time, is_late) = force::time(force);
                    if is_late {
                        let slow = Some(self.commits);
                        return self.agenda.put(self.now + time, Event::Call(from, call, slow));
                    }
                    delay = Some(time);
                }
            }
            None => {}
        }
        let answer = self.ask_outside(&call);
        let id = call.id;
        if is_met && self.injector.meets(Fault::LostEffect).is_some() {
            self.tell_of_fault(from.machine);
            self.lost_calls.push(call.key.to_string());
            return self.lose(from, Arrival::Answered { call: id, answer: Err(no_answer()) });
        }
        match delay {
            None => self.answer(from, Arrival::Answered { call: id, answer }),
            Some(time) => {
                let late = Arrival::AnsweredLate { call: id, answer, before: self.commits };
                self.agenda.put(self.now + time, Event::Arrive(from, late));
            }
        }
    }

    /// Has a handler do what it is called for.
    fn ask_outside(&mut self, call: &Call) -> Result<Value, EffectError> {
        let of = self.of;
        let handler = of.handlers.iter().find(|(name, _)| *name == call.handler);
        let asked = EffectCall { key: call.key.to_string(), input: call.input.clone() };
        if let Some(at) = self.lost_calls.iter().position(|key| *key == asked.key) {
            self.lost_calls.remove(at);
            self.injector.bites(Fault::LostEffect);
        }
        let answer = match handler {
            Some((_, handle)) => handle(&mut self.truth.outside, &asked),
            None => Err(EffectError::Never(format!("no handler is called `{}`", call.handler))),
        };
        self.has_changed = true;
        self.check();
        answer
    }

    pub(super) fn tell_of_fault(&mut self, number: usize) {
        if let Some(firing) = self.injector.fired().last().copied() {
            self.tell(number, What::Fault(firing));
        }
    }
}

/// What whoever called is told when no answer comes.
fn no_answer() -> EffectError {
    EffectError::Again("no answer came in time".into())
}
