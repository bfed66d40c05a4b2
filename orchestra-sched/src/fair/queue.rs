//! [`FairQueue`]: pods that wait, queue by queue, and whose turn it is by what each queue has.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestra_core::object::Str;

use super::Shares;
use crate::cluster::ClassId;
use crate::queue::{Queue, QueueOrder, Ticket};
use crate::view::PodView;

/// A [`Queue`] for each queue that pods name: which of them is next, [`Shares`] say; which of its pods, the order. A
/// look at whose turn it is costs as much as there are queues where somebody waits.
///
/// What has a place is charged by whoever gives it; here the shares are read only. A queue that may take no more of
/// what its next pod asks for does not hold up the others: the caller [blocks](Self::block) the pod for the reason
/// that [`Shares::may_take`] gives, and wakes its class when something was refunded.
pub struct FairQueue {
    order: Box<dyn Fn() -> Box<dyn QueueOrder> + Send>,
    /// The queues where somebody waits, and which time each is there for.
    queues: BTreeMap<Str, (u64, Queue)>,
    times: u64,
}

/// A pod that waits in one of the queues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FairTicket {
    queue: Str,
    /// A queue that was forgotten and comes again numbers its pods anew.
    time: u64,
    ticket: Ticket,
}

struct Boxed(Box<dyn QueueOrder>);

impl QueueOrder for Boxed {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn rank(&self, pod: &PodView, arrived: Duration) -> [i64; 2] {
        self.0.rank(pod, arrived)
    }
}

impl FairQueue {
    /// No queues yet; within each, pods come in this order.
    #[must_use]
    pub fn new(order: impl QueueOrder + Clone + 'static) -> Self {
        Self { order: Box::new(move || Box::new(order.clone())), queues: BTreeMap::new(), times: 0 }
    }

    /// A pod that comes to wait, in the queue that it names.
    pub fn push(&mut self, pod: PodView, now: Duration) -> FairTicket {
        self.enter(pod, |queue, pod| queue.push(pod, now))
    }

    /// As [`Queue::push_failed`].
    pub fn push_failed(
        &mut self,
        pod: PodView,
        arrived: Duration,
        failures: u32,
        now: Duration,
    ) -> FairTicket {
        self.enter(pod, |queue, pod| queue.push_failed(pod, arrived, failures, now))
    }

    fn enter(&mut self, pod: PodView, push: impl FnOnce(&mut Queue, PodView) -> Ticket) -> FairTicket {
        let queue = pod.queue().clone();
        let Self { order, queues, times } = self;
        let (time, waiting) = queues.entry(queue.clone()).or_insert_with(|| {
            *times += 1;
            (*times, Queue::new(Boxed(order())))
        });
        FairTicket { time: *time, ticket: push(waiting, pod), queue }
    }

    /// The queue that a pod waits in.
    fn of(&mut self, ticket: &FairTicket) -> Option<&mut Queue> {
        self.queues.get_mut(&ticket.queue).filter(|(time, _)| *time == ticket.time).map(|(_, queue)| queue)
    }

    /// Takes the pod whose turn it is: of the queue of the lowest weighted dominant share that has one ready.
    pub fn pop(&mut self, shares: &Shares, now: Duration) -> Option<(FairTicket, PodView)> {
        self.in_turn(shares).into_iter().find_map(|queue| {
            let (time, waiting) = self.queues.get_mut(&queue)?;
            let (ticket, pod) = waiting.pop(now)?;
            Some((FairTicket { time: *time, queue, ticket }, pod.clone()))
        })
    }

    /// Whose turn it is: its queue, and by what rank it is first there.
    pub(crate) fn peek(&mut self, shares: &Shares, now: Duration) -> Option<(Str, [i64; 2])> {
        self.in_turn(shares).into_iter().find_map(|queue| {
            let rank = self.queues.get_mut(&queue)?.1.peek(now)?;
            Some((queue, rank))
        })
    }

    /// By what rank a pod has its turn in its queue.
    pub(crate) fn rank(&self, pod: &PodView, arrived: Duration) -> [i64; 2] {
        Queue::new(Boxed((self.order)())).rank(pod, arrived)
    }

    fn in_turn(&self, shares: &Shares) -> Vec<Str> {
        let mut names: Vec<_> = self.queues.keys().cloned().collect();
        if names.len() > 1 {
            names.sort_by(|one, other| shares.compare(one, other));
        }
        names
    }

    /// As [`Queue::take_passed_over`].
    pub fn take_passed_over(&mut self) -> Vec<FairTicket> {
        let mut all = Vec::new();
        for (queue, (time, waiting)) in &mut self.queues {
            let tickets = waiting.take_passed_over().into_iter();
            all.extend(tickets.map(|ticket| FairTicket { queue: queue.clone(), time: *time, ticket }));
        }
        all
    }

    /// A pod that waits no longer. A queue without pods is forgotten.
    pub fn remove(&mut self, ticket: &FairTicket) -> Option<PodView> {
        let queue = self.of(ticket)?;
        let pod = queue.remove(ticket.ticket);
        if queue.is_empty() {
            self.queues.remove(&ticket.queue);
        }
        pod
    }

    /// As [`Queue::fail`].
    pub fn fail(&mut self, ticket: &FairTicket, now: Duration) {
        self.of(ticket).into_iter().for_each(|queue| queue.fail(ticket.ticket, now));
    }

    /// As [`Queue::block`].
    pub fn block(&mut self, ticket: &FairTicket) {
        self.of(ticket).into_iter().for_each(|queue| queue.block(ticket.ticket));
    }

    /// As [`Queue::wake`]; all pods of a class name the same queue.
    pub fn wake(&mut self, class: ClassId) {
        self.queues.values_mut().for_each(|(_, queue)| queue.wake(class));
    }

    /// As [`Queue::blocked`].
    pub fn blocked(&self) -> impl Iterator<Item = (ClassId, &PodView)> {
        self.queues.values().flat_map(|(_, queue)| queue.blocked())
    }

    /// The queues where somebody waits.
    pub fn queues(&self) -> impl ExactSizeIterator<Item = &Str> {
        self.queues.keys()
    }

    /// As [`Queue::is_blocked`].
    #[must_use]
    pub fn is_blocked(&self, ticket: &FairTicket) -> bool {
        let queue = self.queues.get(&ticket.queue).filter(|(time, _)| *time == ticket.time);
        queue.is_some_and(|(_, queue)| queue.is_blocked(ticket.ticket))
    }

    /// When somebody's time to wait is over.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.queues.values().filter_map(|(_, queue)| queue.due()).min()
    }

    /// How many pods wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queues.values().map(|(_, queue)| queue.len()).sum()
    }

    /// Whether no pod waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::pod;
    use super::*;
    use crate::cluster::{Cluster, Dim};
    use crate::queue::PrioritySort;

    const NOW: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_has_least_is_next_and_who_is_blocked_holds_up_nobody() {
        let mut cluster = Cluster::seeded(1);
        let mut shares = Shares::of([(Dim::CPU, 100)]);
        shares.set_queue("heavy", 3, []);
        let mut queue = FairQueue::new(PrioritySort);
        for number in 0..8 {
            for name in ["heavy", "light"] {
                let pod = pod(&mut cluster, &format!("{name}-{number}"), name, 5, 0);
                queue.push(pod, NOW);
            }
        }
        let mut taken = Vec::new();
        for _ in 0..8 {
            let (ticket, pod) = queue.pop(&shares, NOW).unwrap();
            shares.charge(&pod);
            taken.push(pod.queue().to_string());
            queue.remove(&ticket);
        }
        assert_eq!(taken.iter().filter(|it| *it == "heavy").count(), 6, "three to one: {taken:?}");

        let (ticket, pod) = queue.pop(&shares, NOW).unwrap();
        let (first, class) = (pod.queue().clone(), pod.class());
        queue.block(&ticket);
        let (other, pod) = queue.pop(&shares, NOW).unwrap();
        assert_ne!(*pod.queue(), first);
        queue.remove(&other);
        queue.wake(class);
        assert_eq!(queue.pop(&shares, NOW).map(|it| it.1.queue().clone()), Some(first));
    }

    #[test]
    fn nobody_is_lost() {
        let (mut cluster, mut queue) = (Cluster::seeded(1), FairQueue::new(PrioritySort));
        let shares = Shares::default();
        for number in 0..30 {
            let pod = pod(&mut cluster, &format!("pod-{number}"), ["a", "b", ""][number % 3], 1, 1);
            queue.push(pod, NOW);
        }
        let (failed, _) = queue.pop(&shares, NOW).unwrap();
        queue.fail(&failed, NOW);
        let later = queue.due().unwrap();
        assert!(later > NOW);
        let mut seen = 0;
        while let Some((ticket, _)) = queue.pop(&shares, later) {
            assert!(queue.remove(&ticket).is_some());
            assert!(queue.remove(&ticket).is_none());
            seen += 1;
        }
        assert_eq!((seen, queue.len(), queue.is_empty()), (30, 0, true));
        // Its number is given again, but not to the same ticket.
        let pod = pod(&mut cluster, "new", &failed.queue.clone(), 1, 1);
        queue.push(pod, NOW);
        assert_eq!((queue.remove(&failed).is_none(), queue.len()), (true, 1));
    }
}
