//! [`Queue`]: what is to be looked at, and when.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::backoff::{Backoff, Rate, Tokens};

/// What is to be looked at: one entry an item, however often it is asked for.
///
/// Items belong to lanes, which take turns, so that one of them with much to do does not keep the others
/// waiting. In a lane, what has just changed goes before what is looked at for good measure, yet one in
/// [`Queue::PATIENCE`] goes to the latter, so that it is not put off for ever.
#[derive(Debug, Default)]
pub struct Queue {
    lanes: Vec<Lane>,
    items: Vec<Item>,
    /// When what waits is due, and what then becomes of it.
    timers: BTreeSet<(Duration, u32)>,
    /// Which lane's turn it is.
    turn: usize,
    ready: usize,
}

/// How soon something is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// For good measure: nothing is known to have changed.
    Routine,
    /// Something has changed.
    Fresh,
}

/// How a look at an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Well. It is looked at again after so long a time, if that is said.
    Well(Option<Duration>),
    /// Somebody else was first: again, as soon as that is seen.
    Overtaken,
    /// Not well: again after the backoff.
    Badly,
    /// It is not looked at again before so long a time has passed, whatever happens.
    Held(Duration),
}

/// A lane's limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneLimits {
    /// How many of its items are being looked at at once.
    pub in_flight: usize,
    /// How often items are looked at.
    pub rate: Rate,
    /// How long an item waits after it went badly.
    pub backoff: Backoff,
}

#[derive(Debug)]
struct Lane {
    limits: LaneLimits,
    tokens: Tokens,
    fresh: VecDeque<u32>,
    routine: VecDeque<u32>,
    in_flight: usize,
    /// How many fresh ones went before a routine one.
    passed_over: usize,
    closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    lane: u32,
    state: State,
    /// How often in a row it went badly.
    failures: u32,
    /// When it is looked at though nothing happens.
    again: Option<Duration>,
    /// Tells this item's stream of random numbers from those of others.
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is to be done.
    Idle,
    Ready(Urgency),
    /// It is being looked at; it is wanted again afterwards, or not.
    Running(Option<Urgency>),
    /// Until then nothing makes it ready; afterwards it is.
    Held(Duration),
    /// The place is free.
    Gone,
}

impl Queue {
    /// One in so many goes to what is only looked at for good measure.
    pub const PATIENCE: usize = 8;

    /// A new lane, and its number.
    pub fn lane(&mut self, limits: LaneLimits) -> u32 {
        self.lanes.push(Lane {
            limits,
            tokens: Tokens::full(limits.rate),
            fresh: VecDeque::new(),
            routine: VecDeque::new(),
            in_flight: 0,
            passed_over: 0,
            closed: false,
        });
        (self.lanes.len() - 1) as u32
    }

    /// Ends a lane: none of its items is looked at any more.
    pub fn close(&mut self, lane: u32) {
        if let Some(lane) = self.lanes.get_mut(lane as usize) {
            self.ready -= lane.fresh.len() + lane.routine.len();
            lane.fresh = VecDeque::new();
            lane.routine = VecDeque::new();
            lane.closed = true;
        }
    }

    /// Makes a place for an item of a lane, which is idle at first. The numbers are the caller's: small,
    /// and used again after [`remove`](Self::remove).
    pub fn add(&mut self, item: u32, lane: u32, seed: u64) {
        const NONE: Item = Item { lane: 0, state: State::Gone, failures: 0, again: None, seed: 0 };
        let at = item as usize;
        if self.items.len() <= at {
            self.items.resize(at + 1, NONE);
        }
        self.items[at] = Item { lane, state: State::Idle, failures: 0, again: None, seed };
    }

    /// Forgets an item.
    pub fn remove(&mut self, item: u32) {
        self.disarm(item);
        let Some(entry) = self.items.get_mut(item as usize) else { return };
        // If it stands in a line, it is passed over when its turn comes.
        if let State::Running(_) = entry.state {
            self.lanes[entry.lane as usize].in_flight -= 1;
        }
        entry.state = State::Gone;
        entry.again = None;
    }

    /// Wants an item to be looked at.
    pub fn want(&mut self, item: u32, urgency: Urgency) {
        let Some(entry) = self.items.get_mut(item as usize) else { return };
        match entry.state {
            State::Idle => {
                entry.state = State::Ready(urgency);
                self.line_up(item, urgency);
            }
            State::Ready(before) if before < urgency => {
                entry.state = State::Ready(urgency);
                // It stays in the other line, too, and is passed over there.
                let lane = &mut self.lanes[entry.lane as usize];
                lane.fresh.push_back(item);
                self.ready += 1;
            }
            State::Running(wanted) => entry.state = State::Running(wanted.max(Some(urgency))),
            State::Ready(_) | State::Held(_) | State::Gone => {}
        }
    }

    fn line_up(&mut self, item: u32, urgency: Urgency) {
        let lane = &mut self.lanes[self.items[item as usize].lane as usize];
        if lane.closed {
            return;
        }
        match urgency {
            Urgency::Fresh => lane.fresh.push_back(item),
            Urgency::Routine => lane.routine.push_back(item),
        }
        self.ready += 1;
    }

    /// The next item to be looked at, if one may be now.
    pub fn next(&mut self, now: Duration) -> Option<u32> {
        self.wake_due(now);
        if self.ready == 0 {
            return None;
        }
        for step in 0..self.lanes.len() {
            let at = (self.turn + step) % self.lanes.len();
            if let Some(item) = self.next_of(at, now) {
                self.turn = at + 1;
                return Some(item);
            }
        }
        None
    }

    fn next_of(&mut self, at: usize, now: Duration) -> Option<u32> {
        let lane = &mut self.lanes[at];
        if lane.in_flight >= lane.limits.in_flight || !lane.tokens.has_one(lane.limits.rate, now) {
            return None;
        }
        loop {
            let routine_is_due = lane.passed_over >= Self::PATIENCE && !lane.routine.is_empty();
            let fresh = if routine_is_due { None } else { lane.fresh.pop_front() };
            let (item, urgency) = match fresh {
                Some(item) => (item, Urgency::Fresh),
                None => (lane.routine.pop_front()?, Urgency::Routine),
            };
            self.ready -= 1;
            let entry = &mut self.items[item as usize];
            // One that stood in both lines was looked at when its turn came in the other; one that is gone
            // may have left its number to one of another lane.
            if entry.state != State::Ready(urgency) || entry.lane as usize != at {
                continue;
            }
            lane.passed_over = match urgency {
                Urgency::Fresh => lane.passed_over + usize::from(!lane.routine.is_empty()),
                Urgency::Routine => 0,
            };
            entry.state = State::Running(None);
            lane.in_flight += 1;
            lane.tokens.take();
            return Some(item);
        }
    }

    /// Says how a look at an item ended.
    pub fn ended(&mut self, item: u32, how: Ended, now: Duration) {
        let Some(entry) = self.items.get_mut(item as usize) else { return };
        let State::Running(wanted) = entry.state else { return };
        let lane = &mut self.lanes[entry.lane as usize];
        lane.in_flight -= 1;
        let held = match how {
            Ended::Well(_) => {
                entry.failures = 0;
                None
            }
            Ended::Overtaken => None,
            Ended::Badly => {
                entry.failures = entry.failures.saturating_add(1);
                Some(lane.limits.backoff.after(entry.failures, entry.seed))
            }
            Ended::Held(time) => Some(time),
        };
        let again = match how {
            Ended::Well(again) => again.map(|again| now.saturating_add(again)),
            _ => None,
        };
        let wanted = if how == Ended::Overtaken { Some(Urgency::Fresh) } else { wanted };
        entry.state = match held {
            Some(time) => State::Held(now.saturating_add(time)),
            None => wanted.map_or(State::Idle, State::Ready),
        };
        self.disarm(item);
        let entry = &mut self.items[item as usize];
        entry.again = again;
        match entry.state {
            State::Held(until) => drop(self.timers.insert((until, item))),
            State::Ready(urgency) => self.line_up(item, urgency),
            _ => {}
        }
        if let Some(again) = again {
            self.timers.insert((again, item));
        }
    }

    fn disarm(&mut self, item: u32) {
        let Some(entry) = self.items.get(item as usize) else { return };
        if let Some(again) = entry.again {
            self.timers.remove(&(again, item));
        }
        if let State::Held(until) = entry.state {
            self.timers.remove(&(until, item));
        }
    }

    /// Makes ready what is due.
    fn wake_due(&mut self, now: Duration) {
        while let Some((at, item)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, item));
            let Some(entry) = self.items.get_mut(item as usize) else { continue };
            if entry.again == Some(at) {
                entry.again = None;
            }
            match entry.state {
                State::Held(until) if until <= at => {
                    entry.state = State::Ready(Urgency::Fresh);
                    self.line_up(item, Urgency::Fresh);
                }
                State::Held(_) => {}
                _ => self.want(item, Urgency::Routine),
            }
        }
    }

    /// Makes ready what waits for a time to look again; not what is held back.
    pub fn wake_waiting(&mut self) {
        for item in 0..self.items.len() {
            if let Some(again) = self.items[item].again.take() {
                self.timers.remove(&(again, item as u32));
                self.want(item as u32, Urgency::Fresh);
            }
        }
    }

    /// When something can be looked at at the earliest: now, later, or not before something happens.
    #[must_use]
    pub fn due(&self, now: Duration) -> Option<Duration> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let lanes = self.lanes.iter().filter(|lane| {
            lane.in_flight < lane.limits.in_flight && !(lane.fresh.is_empty() && lane.routine.is_empty())
        });
        let ready = lanes.map(|lane| lane.tokens.ready_at(lane.limits.rate, now)).min();
        timer.into_iter().chain(ready).min()
    }

    /// How many items wait for their turn.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.ready
    }

    /// How many items are being looked at.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lanes.iter().map(|lane| lane.in_flight).sum()
    }

    /// How often in a row an item went badly.
    #[must_use]
    pub fn failures(&self, item: u32) -> u32 {
        self.items.get(item as usize).map_or(0, |item| item.failures)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: LaneLimits = LaneLimits { in_flight: 2, rate: Rate::UNLIMITED, backoff: Backoff::DEFAULT };

    fn queue(lanes: &[LaneLimits], items: u32) -> Queue {
        let mut queue = Queue::default();
        let lanes: Vec<u32> = lanes.iter().map(|limits| queue.lane(*limits)).collect();
        (0..items).for_each(|item| queue.add(item, lanes[item as usize % lanes.len()], item.into()));
        queue
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_item_is_there_once_however_often_it_is_wanted() {
        let mut queue = queue(&[LIMITS], 1);
        for urgency in [Urgency::Routine, Urgency::Fresh, Urgency::Routine, Urgency::Fresh] {
            queue.want(0, urgency);
        }
        assert_eq!((queue.next(at(0)), queue.next(at(0))), (Some(0), None));
        queue.want(0, Urgency::Fresh);
        assert_eq!(queue.next(at(0)), None, "it is being looked at");
        queue.ended(0, Ended::Well(None), at(0));
        assert_eq!((queue.next(at(0)), queue.next(at(0))), (Some(0), None), "it was wanted meanwhile");
        queue.ended(0, Ended::Well(None), at(0));
        assert_eq!((queue.next(at(0)), queue.due(at(0)), queue.depth()), (None, None, 0));
    }

    #[test]
    fn lanes_take_turns_and_keep_their_limits() {
        let mut queue = queue(&[LIMITS, LaneLimits { in_flight: 100, ..LIMITS }], 20);
        (0..20).for_each(|item| queue.want(item, Urgency::Fresh));
        let order: Vec<u32> = std::iter::from_fn(|| queue.next(at(0))).collect();
        assert_eq!(order, [0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        assert_eq!((queue.in_flight(), queue.due(at(0))), (12, None));
        queue.ended(0, Ended::Well(None), at(1));
        assert_eq!((queue.due(at(1)), queue.next(at(1)), queue.next(at(1))), (Some(at(1)), Some(4), None));
    }

    #[test]
    fn what_changed_goes_first_and_the_rest_is_not_put_off_for_ever() {
        let mut queue = queue(&[LaneLimits { in_flight: 1, ..LIMITS }], 100);
        (0..50).for_each(|item| queue.want(item, Urgency::Routine));
        (50..100).for_each(|item| queue.want(item, Urgency::Fresh));
        let mut order = Vec::new();
        while let Some(item) = queue.next(at(0)) {
            order.push(item);
            queue.ended(item, Ended::Well(None), at(0));
        }
        assert!(order[..8].iter().all(|item| *item >= 50), "{order:?}");
        let routine = |part: &[u32]| part.iter().filter(|item| **item < 50).count();
        assert_eq!((routine(&order[..54]), order.len()), (6, 100));
    }

    #[test]
    fn what_fails_waits_longer_and_longer_until_it_succeeds() {
        let mut queue = queue(&[LIMITS], 1);
        let mut now = at(0);
        let mut waits = Vec::new();
        queue.want(0, Urgency::Fresh);
        for _ in 0..8 {
            assert_eq!(queue.next(now), Some(0));
            queue.ended(0, Ended::Badly, now);
            queue.want(0, Urgency::Fresh);
            assert_eq!(queue.next(now), None, "a change does not end a backoff");
            let due = queue.due(now).unwrap();
            waits.push((due - now).as_secs_f64());
            now = due;
        }
        assert!(waits.windows(2).all(|pair| pair[1] > pair[0] * 1.15), "{waits:?}");
        assert_eq!((queue.next(now), queue.failures(0)), (Some(0), 8));
        queue.ended(0, Ended::Well(None), now);
        assert_eq!(queue.failures(0), 0);
    }

    #[test]
    fn it_looks_again_when_told_and_sooner_when_something_happens() {
        let mut queue = queue(&[LIMITS], 1);
        queue.want(0, Urgency::Fresh);
        queue.next(at(0));
        queue.ended(0, Ended::Well(Some(at(10))), at(0));
        assert_eq!((queue.due(at(0)), queue.next(at(9))), (Some(at(10)), None));
        queue.want(0, Urgency::Fresh);
        assert_eq!(queue.next(at(9)), Some(0));
        queue.ended(0, Ended::Well(None), at(9));
        assert_eq!(queue.next(at(10)), None, "the look in between was the later word");
    }

    #[test]
    fn a_rate_is_kept_by_its_lane_alone() {
        let slow = LaneLimits { in_flight: 100, rate: Rate::new(1.0, 2), ..LIMITS };
        let mut queue = queue(&[slow, LaneLimits { in_flight: 100, ..LIMITS }], 20);
        (0..20).for_each(|item| queue.want(item, Urgency::Fresh));
        assert_eq!(std::iter::from_fn(|| queue.next(at(0))).count(), 2 + 10);
        assert_eq!(queue.due(at(0)), Some(at(1)));
        assert_eq!(std::iter::from_fn(|| queue.next(at(3))).count(), 2);
    }

    #[test]
    fn what_is_gone_is_not_looked_at_nor_whoever_has_its_number_then() {
        let mut queue = queue(&[LIMITS, LIMITS], 4);
        (0..4).for_each(|item| queue.want(item, Urgency::Fresh));
        queue.remove(0);
        queue.add(0, 1, 7);
        queue.close(1);
        assert_eq!((queue.next(at(0)), queue.next(at(0))), (Some(2), None));
        queue.want(0, Urgency::Fresh);
        queue.remove(2);
        assert_eq!((queue.next(at(0)), queue.in_flight(), queue.due(at(0))), (None, 0, None));
    }

    proptest! {
        /// Whatever is wanted is looked at in the end, and never twice at once.
        #[test]
        fn nothing_is_lost(acts in proptest::collection::vec((0..4u8, 0..6u32), 1..200)) {
            let mut queue = queue(&[LIMITS, LaneLimits { in_flight: 1, ..LIMITS }], 6);
            let mut now = at(0);
            let mut running = BTreeSet::new();
            let mut wanted = BTreeSet::new();
            for (act, item) in acts {
                match act {
                    0 => { queue.want(item, Urgency::Fresh); wanted.insert(item); }
                    1 => { queue.want(item, Urgency::Routine); wanted.insert(item); }
                    2 => if let Some(item) = queue.next(now) {
                        prop_assert!(running.insert(item), "{} twice at once", item);
                        wanted.remove(&item);
                    },
                    _ => if running.remove(&item) {
                        let how = match item % 3 { 0 => Ended::Well(None), 1 => Ended::Badly, _ => Ended::Overtaken };
                        if how != Ended::Well(None) { wanted.insert(item); }
                        queue.ended(item, how, now);
                        now += Duration::from_millis(20);
                    },
                }
            }
            for _ in 0..10_000 {
                for item in std::mem::take(&mut running) {
                    queue.ended(item, Ended::Well(None), now);
                }
                while let Some(item) = queue.next(now) {
                    prop_assert!(running.insert(item));
                    wanted.remove(&item);
                }
                match queue.due(now) {
                    Some(due) => now = now.max(due),
                    None if running.is_empty() => break,
                    None => {}
                }
            }
            prop_assert!(wanted.is_empty() && running.is_empty(), "{:?} {:?}", wanted, running);
            prop_assert_eq!(queue.depth(), 0);
        }
    }
}
