//! [`Queue`]: the pods that wait for a place, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::ClassId;
use crate::contain::contained;
use crate::view::PodView;

/// In which order pods get their turn.
pub trait QueueOrder: Send {
    /// Its name, as it stands in profiles.
    fn name(&self) -> &'static str;

    /// The lower, the earlier; of equals the one that came first. It is asked once, when the pod comes.
    fn rank(&self, pod: &PodView, arrived: Duration) -> [i64; 2];
}

/// The higher the priority, the earlier, as in Kubernetes.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrioritySort;

impl QueueOrder for PrioritySort {
    fn name(&self) -> &'static str {
        "PrioritySort"
    }

    fn rank(&self, pod: &PodView, arrived: Duration) -> [i64; 2] {
        [-i64::from(pod.priority()), i64::try_from(arrived.as_nanos()).unwrap_or(i64::MAX)]
    }
}

/// How long a pod waits after its first failure; twice as long after each further one.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// How long a pod waits at most after a failure. What fails in a row, fails for some reason that lasts; what
/// is mended is tried again soon enough for people.
pub const MOST_BACKOFF: Duration = Duration::from_secs(10);

/// A pod that waits, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// The pods that wait for a place.
///
/// A pod is *ready*, or has failed and is [backing off](Self::fail), or is [blocked](Self::block), since it
/// fits nowhere. Blocked pods wait by class: what fits nowhere for one of them does so for all. A further one
/// that comes is blocked at once. When the class may fit again, [one of them](Self::wake) is tried, and the
/// next one when that one has found its place: a million pods that ask the same cost as much as one.
pub struct Queue {
    order: Box<dyn QueueOrder>,
    waiting: BTreeMap<Ticket, Waiting>,
    ready: BTreeSet<Turn>,
    backing_off: BTreeSet<(Duration, Ticket)>,
    blocked: BTreeMap<ClassId, BTreeSet<Turn>>,
    /// Classes that are blocked, of which one pod is being tried.
    tried: BTreeMap<ClassId, Ticket>,
    /// Who was found to fit nowhere without being asked about, since one of its class was.
    passed_over: BTreeSet<Ticket>,
    next: u64,
}

/// Whose turn comes first.
type Turn = ([i64; 2], Ticket);

#[derive(Debug)]
struct Waiting {
    pod: PodView,
    rank: [i64; 2],
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// It is being decided about.
    Taken,
    BackingOff(Duration),
    Blocked,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(order: impl QueueOrder + 'static) -> Self {
        Self {
            order: Box::new(order),
            waiting: BTreeMap::new(),
            ready: BTreeSet::new(),
            backing_off: BTreeSet::new(),
            blocked: BTreeMap::new(),
            tried: BTreeMap::new(),
            passed_over: BTreeSet::new(),
            next: 0,
        }
    }

    /// A pod that comes to wait.
    pub fn push(&mut self, pod: PodView, now: Duration) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        let rank = self.rank(&pod, now);
        let state = if self.is_closed(pod.class()) {
            self.blocked.entry(pod.class()).or_default().insert((rank, ticket));
            State::Blocked
        } else {
            self.ready.insert((rank, ticket));
            State::Ready
        };
        self.waiting.insert(ticket, Waiting { pod, rank, failures: 0, state });
        ticket
    }

    /// By which it has its turn. Of whom the order panics, is last.
    pub(crate) fn rank(&self, pod: &PodView, arrived: Duration) -> [i64; 2] {
        contained(|| self.order.rank(pod, arrived)).unwrap_or([i64::MAX; 2])
    }

    /// A pod that comes to wait again, after so many failures in a row: its turn comes after a while.
    pub fn push_failed(&mut self, pod: PodView, arrived: Duration, failures: u32, now: Duration) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        let rank = self.rank(&pod, arrived);
        self.waiting.insert(ticket, Waiting { pod, rank, failures, state: State::Taken });
        self.fail(ticket, now);
        ticket
    }

    /// Takes the pod whose turn it is. Whoever takes it says what came of it: it is [done](Self::remove), has
    /// [failed](Self::fail), or is [blocked](Self::block).
    pub fn pop(&mut self, now: Duration) -> Option<(Ticket, &PodView)> {
        let (_, ticket) = self.first(now)?;
        self.ready.pop_first();
        let waiting = self.waiting.get_mut(&ticket)?;
        waiting.state = State::Taken;
        Some((ticket, &waiting.pod))
    }

    /// By what rank the pod has its turn whose turn it is.
    pub(crate) fn peek(&mut self, now: Duration) -> Option<[i64; 2]> {
        self.first(now).map(|(rank, _)| rank)
    }

    /// The pod whose turn it is, left where it is.
    fn first(&mut self, now: Duration) -> Option<Turn> {
        while let Some((_, ticket)) = self.backing_off.first().copied().filter(|(until, _)| *until <= now) {
            self.backing_off.pop_first();
            self.make_ready(ticket);
        }
        loop {
            let turn = *self.ready.first()?;
            let class = self.waiting.get(&turn.1)?.pod.class();
            if !self.is_closed(class) || self.tried.get(&class) == Some(&turn.1) {
                return Some(turn);
            }
            // It was ready already when its class turned out to fit nowhere.
            self.ready.pop_first();
            self.waiting.get_mut(&turn.1)?.state = State::Blocked;
            self.blocked.entry(class).or_default().insert(turn);
            self.passed_over.insert(turn.1);
        }
    }

    /// Takes those that were blocked without having been [popped](Self::pop), since one of their class fits nowhere: so
    /// that somebody tells them.
    pub fn take_passed_over(&mut self) -> BTreeSet<Ticket> {
        std::mem::take(&mut self.passed_over)
    }

    /// Whether pods of a class fit nowhere, as far as is known; one of them may be tried.
    fn is_closed(&self, class: ClassId) -> bool {
        self.blocked.contains_key(&class) || self.tried.contains_key(&class)
    }

    fn make_ready(&mut self, ticket: Ticket) {
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.state = State::Ready;
            self.ready.insert((waiting.rank, ticket));
        }
    }

    /// A pod that waits no longer: it has its place, or is gone.
    pub fn remove(&mut self, ticket: Ticket) -> Option<PodView> {
        let waiting = self.waiting.remove(&ticket)?;
        self.passed_over.remove(&ticket);
        let (turn, class) = ((waiting.rank, ticket), waiting.pod.class());
        match waiting.state {
            State::Ready => drop(self.ready.remove(&turn)),
            State::BackingOff(until) => drop(self.backing_off.remove(&(until, ticket))),
            State::Blocked => self.leave_blocked(class, turn),
            State::Taken => {}
        }
        if self.tried.get(&class) == Some(&ticket) {
            // It found its place, or is gone: the next one may find one.
            self.tried.remove(&class);
            self.wake(class);
        }
        Some(waiting.pod)
    }

    fn leave_blocked(&mut self, class: ClassId, turn: Turn) {
        if let Some(blocked) = self.blocked.get_mut(&class) {
            blocked.remove(&turn);
            if blocked.is_empty() {
                self.blocked.remove(&class);
            }
        }
    }

    /// Something went wrong with a pod that was taken: it is tried again after a while.
    pub fn fail(&mut self, ticket: Ticket, now: Duration) {
        let Some(waiting) = self.waiting.get_mut(&ticket).filter(|it| it.state == State::Taken) else {
            return;
        };
        let wait = FIRST_BACKOFF.saturating_mul(1 << waiting.failures.min(16)).min(MOST_BACKOFF);
        waiting.failures = waiting.failures.saturating_add(1);
        waiting.state = State::BackingOff(now + wait);
        self.backing_off.insert((now + wait, ticket));
    }

    /// A pod that was taken fits nowhere: it and all others of its class wait until the class is woken.
    pub fn block(&mut self, ticket: Ticket) {
        let Some(waiting) = self.waiting.get_mut(&ticket).filter(|it| it.state == State::Taken) else {
            return;
        };
        waiting.state = State::Blocked;
        let (class, turn) = (waiting.pod.class(), (waiting.rank, ticket));
        self.blocked.entry(class).or_default().insert(turn);
        if self.tried.get(&class) == Some(&ticket) {
            self.tried.remove(&class);
        }
    }

    /// A class may fit somewhere again: the first of its pods is tried.
    pub fn wake(&mut self, class: ClassId) {
        if self.tried.contains_key(&class) {
            return;
        }
        let Some((_, ticket)) = self.blocked.get_mut(&class).and_then(BTreeSet::pop_first) else { return };
        self.tried.insert(class, ticket);
        self.make_ready(ticket);
        if self.blocked.get(&class).is_some_and(BTreeSet::is_empty) {
            self.blocked.remove(&class);
        }
    }

    /// The classes that are blocked, and one pod of each.
    pub fn blocked(&self) -> impl Iterator<Item = (ClassId, &PodView)> {
        let first =
            |blocked: &BTreeSet<Turn>| blocked.first().and_then(|(_, ticket)| self.waiting.get(ticket));
        self.blocked.iter().filter_map(move |(class, blocked)| Some((*class, &first(blocked)?.pod)))
    }

    /// Whether a pod waits with its class, since that fits nowhere.
    #[must_use]
    pub fn is_blocked(&self, ticket: Ticket) -> bool {
        self.waiting.get(&ticket).is_some_and(|waiting| waiting.state == State::Blocked)
    }

    /// When somebody's time to wait is over.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.backing_off.first().map(|(until, _)| *until)
    }

    /// How many pods are ready, are backing off, and are blocked.
    #[must_use]
    pub fn depths(&self) -> [usize; 3] {
        let blocked = self.blocked.values().map(BTreeSet::len).sum();
        [self.ready.len(), self.backing_off.len(), blocked]
    }

    /// How many pods wait, whichever way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no pod waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::Pod;

    use super::*;
    use crate::cluster::Cluster;
    use crate::hash::mix;

    const fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn pod(cluster: &mut Cluster, name: &str, app: &str, priority: i32) -> PodView {
        let mut pod = Pod::new(name).namespace("default").label("app", app).build().unwrap();
        pod.spec.priority = Some(priority);
        cluster.view(&pod)
    }

    fn popped(queue: &mut Queue, now: Duration) -> Option<(Ticket, String)> {
        queue.pop(now).map(|(ticket, pod)| (ticket, pod.name().to_string()))
    }

    #[test]
    fn the_more_important_come_first_and_then_the_earlier() {
        let (mut cluster, mut queue) = (Cluster::seeded(1), Queue::new(PrioritySort));
        for (at, (name, priority)) in [("a", 0), ("b", 5), ("c", 5), ("d", -1)].into_iter().enumerate() {
            queue.push(pod(&mut cluster, name, "web", priority), second(at as u64));
        }
        let names: Vec<_> = std::iter::from_fn(|| popped(&mut queue, second(9))).map(|it| it.1).collect();
        assert_eq!(names, ["b", "c", "a", "d"]);
    }

    #[test]
    fn who_fails_waits_the_longer_the_more_often() {
        let (mut cluster, mut queue) = (Cluster::seeded(1), Queue::new(PrioritySort));
        queue.push(pod(&mut cluster, "a", "web", 0), second(0));
        let mut now = second(0);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let (ticket, _) = popped(&mut queue, now).unwrap();
            queue.fail(ticket, now);
            assert_eq!(popped(&mut queue, now), None);
            let due = queue.due().unwrap();
            waits.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
    }

    #[test]
    fn of_a_class_that_fits_nowhere_one_is_tried_at_a_time() {
        let (mut cluster, mut queue) = (Cluster::seeded(1), Queue::new(PrioritySort));
        for number in 0..1000 {
            queue.push(pod(&mut cluster, &format!("big-{number}"), "big", 0), second(0));
        }
        queue.push(pod(&mut cluster, "small", "small", -1), second(1));
        let (first, name) = popped(&mut queue, second(2)).unwrap();
        assert_eq!(name, "big-0");
        queue.block(first);
        // The others are passed over, and what comes is blocked at once.
        assert_eq!(popped(&mut queue, second(2)).unwrap().1, "small");
        assert_eq!(popped(&mut queue, second(2)), None);
        queue.push(pod(&mut cluster, "big-late", "big", 0), second(3));
        assert_eq!((popped(&mut queue, second(3)), queue.depths()), (None, [0, 0, 1001]));

        // There is room for two: the first one, and the next.
        let class = queue.blocked().next().unwrap().0;
        queue.wake(class);
        queue.wake(class);
        for expected in ["big-0", "big-1"] {
            let (ticket, name) = popped(&mut queue, second(4)).unwrap();
            assert_eq!((name.as_str(), popped(&mut queue, second(4))), (expected, None));
            queue.remove(ticket);
        }
        let (third, _) = popped(&mut queue, second(4)).unwrap();
        queue.block(third);
        assert_eq!((popped(&mut queue, second(4)), queue.depths()), (None, [0, 0, 999]));
    }

    /// Whatever happens, each pod is in one place, and all are tried in the end when there is room for all.
    #[test]
    fn nobody_is_lost_or_forgotten() {
        for seed in 0..200 {
            let (mut cluster, mut queue) = (Cluster::seeded(1), Queue::new(PrioritySort));
            let (mut random, mut taken, mut pushed, mut gone) = (seed, Vec::new(), 0, 0);
            for step in 0..300 {
                random = mix(u64::wrapping_add(random, 0x9e37_79b9_7f4a_7c15));
                let now = second(step);
                match random % 6 {
                    0 | 1 => {
                        let app = ["a", "b", "c"][(random >> 8) as usize % 3];
                        let name = format!("pod-{pushed}");
                        queue.push(pod(&mut cluster, &name, app, (random >> 16) as i32 % 3), now);
                        pushed += 1;
                    }
                    2 => taken.extend(popped(&mut queue, now).map(|it| it.0)),
                    3 => taken.pop().into_iter().for_each(|ticket| match random >> 8 & 3 {
                        0 => queue.fail(ticket, now),
                        1 => gone += usize::from(queue.remove(ticket).is_some()),
                        _ => queue.block(ticket),
                    }),
                    4 => {
                        let class = queue.blocked().nth((random >> 8) as usize % 3).map(|it| it.0);
                        class.into_iter().for_each(|class| queue.wake(class));
                    }
                    _ => gone += usize::from(queue.remove(Ticket(random >> 8 & 63)).is_some()),
                }
                taken.retain(|ticket| queue.waiting.contains_key(ticket));
                assert_eq!(queue.len(), queue.depths().iter().sum::<usize>() + taken.len(), "seed {seed}");
            }
            let mut now = second(1000);
            for ticket in taken {
                gone += usize::from(queue.remove(ticket).is_some());
            }
            while !queue.is_empty() {
                now += second(100);
                let blocked: Vec<_> = queue.blocked().map(|it| it.0).collect();
                blocked.into_iter().for_each(|class| queue.wake(class));
                while let Some((ticket, _)) = popped(&mut queue, now) {
                    gone += usize::from(queue.remove(ticket).is_some());
                }
            }
            assert_eq!(gone, pushed, "seed {seed}");
        }
    }
}
