//! What comes by a watch, and what holds it back.

use std::collections::VecDeque;

use orchestra_core::control::feed::Told;
use orchestra_core::store::{Delivery, Revision, Scope, StoreError};

use super::event::{Arrival, Event, From};
use super::machine::{Held, Sent, Watching};
use super::{Shared, World};
use crate::fault::Fault;
use crate::injector::force;
use crate::story::What;

impl World<'_> {
    /// Opens a watch, in place of whichever the machine had.
    pub(super) fn open_watch(&mut self, from: From, number: u64, scope: Scope, after: Revision) {
        if !self.is_alive(from) {
            return;
        }
        let past: Result<Vec<Shared>, StoreError> =
            self.truth.state.history().after(after).map(|batches| batches.cloned().collect());
        let latency = self.latency(from.machine);
        let opens = self.now + latency;
        let told = match past {
            Ok(past) => {
                let Some(running) = &mut self.machines[from.machine].up else { return };
                let queue = VecDeque::new();
                running.watch = Some(Watching { number, scope, queue, last: opens, held: None });
                // What is told first is that it is open.
                self.agenda.put(opens, Event::Arrive(from, Arrival::Feed(Told::Watching(Ok(())))));
                for batch in past {
                    self.deliver_to(from.machine, &batch);
                }
                return;
            }
            Err(error) => Told::Watching(Err(error)),
        };
        self.agenda.put(opens, Event::Arrive(from, Arrival::Feed(told)));
    }

    /// Sends a batch to all who watch.
    pub(super) fn deliver(&mut self, batch: &Shared) {
        for machine in 0..self.machines.len() {
            self.deliver_to(machine, batch);
        }
    }

    fn deliver_to(&mut self, machine: usize, batch: &Shared) {
        let running = self.machines[machine].up.as_ref();
        let Some(watch) = running.and_then(|running| running.watch.as_ref()) else { return };
        if let Some(batch) = batch.within(&watch.scope) {
            self.put_into_watch(machine, Delivery::Batch(batch));
        }
    }

    pub(super) fn tell_progress(&mut self, from: From, number: u64) {
        let running = self.machines[from.machine].up.as_ref().filter(|_| self.is_alive(from));
        if running.and_then(|running| running.watch.as_ref()).is_some_and(|watch| watch.number == number) {
            let revision = self.truth.state.revision();
            self.put_into_watch(from.machine, Delivery::Progress(revision));
        }
    }

    fn put_into_watch(&mut self, machine: usize, delivery: Delivery) {
        let latency = self.latency(machine);
        let from = self.machines[machine].this();
        let running = self.machines[machine].up.as_mut();
        let Some(watch) = running.and_then(|running| running.watch.as_mut()) else { return };
        let comes = (self.now + latency).max(watch.last);
        watch.last = comes;
        watch.queue.push_back(Sent { comes, delivery, is_met: false });
        self.agenda.put(comes, Event::Arrive(from, Arrival::Delivery { number: watch.number }));
    }

    /// Takes from a watch what has come, as far as nothing holds it back.
    pub(super) fn take_deliveries(&mut self, machine: usize) {
        let mut all_at_once = false;
        while let Some(delivery) = self.take_delivery(machine, &mut all_at_once) {
            self.tell_feed(machine, Told::Delivered(delivery));
            if !all_at_once {
                self.turn(machine);
            }
        }
        self.turn(machine);
    }

    fn take_delivery(&mut self, number: usize, all_at_once: &mut bool) -> Option<Delivery> {
        let machine = &mut self.machines[number];
        let (is_control, this) = (machine.is_control, machine.this());
        if machine.is_cut() {
            if machine.up.as_ref()?.watch.as_ref()?.batches().next().is_some() {
                self.partition_bites(number);
            }
            return None;
        }
        let watch = machine.up.as_mut()?.watch.as_mut()?;
        match watch.held {
            Some(Held::Behind { events, .. }) if watch.queue.len() <= events => return None,
            Some(Held::Gathering(events)) if watch.queue.len() < events => return None,
            Some(Held::Gathering(_)) => {
                if watch.hides_a_state() {
                    self.injector.bites(Fault::Coalesce);
                }
                watch.held = None;
                // They come at this instant, as many as there are.
                watch.queue.iter_mut().for_each(|sent| (sent.comes, sent.is_met) = (self.now, true));
                *all_at_once = true;
            }
            Some(Held::Skipping(events)) if watch.queue.len() < events => return None,
            Some(Held::Skipping(_)) => {
                self.skip(number);
                return None;
            }
            Some(Held::Behind { .. }) | None => {}
        }
        let front = watch.queue.front_mut()?;
        if front.comes > self.now {
            *all_at_once = false;
            return None;
        }
        let is_batch = matches!(front.delivery, Delivery::Batch(_));
        if is_control && is_batch && !std::mem::replace(&mut front.is_met, true) && watch.held.is_none() {
            let kinds = [Fault::Lag, Fault::Coalesce, Fault::Skip];
            let met = kinds.into_iter().find_map(|kind| self.injector.meets(kind).map(|force| (kind, force)));
            if let Some((kind, force)) = met {
                let (events, time) = force::held(force);
                watch.held = Some(match kind {
                    Fault::Lag => Held::Behind { events, has_bitten: false },
                    Fault::Coalesce => Held::Gathering(events),
                    _ => Held::Skipping(events),
                });
                let number = watch.number;
                self.agenda.put(self.now + time, Event::Arrive(this, Arrival::Release { number }));
                self.tell_of_fault(this.machine);
                return self.take_delivery(this.machine, all_at_once);
            }
        }
        watch.queue.pop_front().map(|sent| sent.delivery)
    }

    /// What held a machine's watch back is over.
    pub(super) fn release(&mut self, number: usize) {
        let watch = self.machines[number].up.as_mut().and_then(|running| running.watch.as_mut());
        let Some(watch) = watch else { return };
        match &mut watch.held {
            Some(Held::Behind { .. }) => watch.held = None,
            Some(Held::Gathering(events) | Held::Skipping(events)) => *events = 0,
            None => return,
        }
        self.take_deliveries(number);
    }

    /// A watch ends: whatever was on its way never comes.
    fn skip(&mut self, number: usize) {
        let running = self.machines[number].up.as_mut();
        let Some(watch) = running.and_then(|running| running.watch.take()) else { return };
        if watch.hides_a_state() {
            self.injector.bites(Fault::Skip);
        }
        self.tell(number, What::Resynced);
        let current = self.truth.state.revision();
        let asked =
            watch.batches().next().map_or(current, |batch| Revision(batch.revision.0.saturating_sub(1)));
        self.tell_feed(number, Told::WatchFailed(StoreError::Compacted { asked, oldest: current }));
    }
}
