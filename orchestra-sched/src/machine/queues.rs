//! [`QueueShare`]: what the queues that pods name may have of a cluster.

use orchestra_core::control::Now;
use orchestra_core::object::{At, Kind, Map, NoStatus, Object, Quantity, Spec, Str};
use serde::{Deserialize, Serialize};

use super::work::Work;
use crate::cluster::amount;
use crate::fair::{FairTicket, MOST_QUEUE_WEIGHT};
use crate::view::PodView;

/// What a queue may have: one of the name that pods say in `orchestra.queue`.
///
/// Whose turn it is follows [dominant resource fairness](crate::Shares): of all queues where somebody is ready, the one
/// that has least by its weight. Within a queue the order is the scheduler's. A queue of which nothing is said
/// weighs 1 and may have everything; pods that name no queue are in one together.
///
/// ```yaml
/// apiVersion: orchestra.dev/v1
/// kind: Queue
/// metadata: {name: research}
/// spec:
///   weight: 2
///   quota: {cpu: "64", nvidia.com/gpu: 8, pods: 200}
/// ```
///
/// What a quota keeps waiting says so, is tried again when something of the queue has ended, and drives out nobody.
/// A quota is exact among the pods of one scheduler: another one may give the same queue something meanwhile.
pub type QueueShare = Object<QueueShareSpec>;

/// What is said of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueShareSpec {
    /// How much it counts against others: a queue of weight 2 gets twice as much as one of weight 1.
    pub weight: i64,
    /// How much its pods may ask for in all, by resource. What is not named is not limited.
    pub quota: Map<Quantity>,
}

impl Default for QueueShareSpec {
    fn default() -> Self {
        Self { weight: 1, quota: Map::new() }
    }
}

impl Spec for QueueShareSpec {
    const KIND: Kind = Kind::cluster("orchestra.dev/v1", "Queue");
    type Status = NoStatus;

    fn check(object: &Object<Self>, at: &At<'_>) {
        let (at, spec) = (at.field("spec"), &object.spec);
        at.field("weight").require(
            (1..=MOST_QUEUE_WEIGHT).contains(&spec.weight),
            format!("must be from 1 to {MOST_QUEUE_WEIGHT}"),
        );
        for (resource, quantity) in &spec.quota {
            at.field("quota").field(resource).require(!quantity.is_negative(), "must not be less than 0");
        }
    }
}

impl Work {
    pub(super) fn see_queue(&mut self, share: &QueueShare) {
        let cluster = &mut self.cluster;
        let quota: Vec<_> =
            share.spec.quota.iter().map(|(name, most)| (cluster.dim_of(name), *most)).collect();
        let quota = quota.into_iter().map(|(dim, most)| (dim, amount(dim, most)));
        self.shares.set_queue(share.name(), share.spec.weight, quota);
        self.stir();
    }

    pub(super) fn lose_queue(&mut self, share: &QueueShare) {
        self.shares.unset_queue(share.name());
        self.stir();
    }

    /// Shares are what is taken now.
    fn measure_queues(&mut self) {
        if self.queue.queues().len() > 1 || self.shares.knows_queues() {
            self.shares.measure_total(&self.cluster);
            for queue in self.queue.queues() {
                self.shares.measure(&self.cluster, queue);
            }
        }
    }

    /// Whether a queue has its turn before another.
    pub(super) fn has_less(&mut self, queue: &Str, other: &Str) -> bool {
        self.shares.measure_total(&self.cluster);
        self.shares.measure(&self.cluster, queue);
        self.shares.measure(&self.cluster, other);
        self.shares.compare(queue, other).is_lt()
    }

    /// Whose turn it is: its queue, and its rank there.
    pub(super) fn peek(&mut self, now: Now) -> Option<(Str, [i64; 2])> {
        self.measure_queues();
        self.queue.peek(&self.shares, now.elapsed)
    }

    /// Takes the pod whose turn it is.
    pub(super) fn next(&mut self, now: Now) -> Option<(FairTicket, PodView)> {
        self.measure_queues();
        let next = self.queue.pop(&self.shares, now.elapsed);
        for ticket in self.queue.take_passed_over() {
            if let Some(key) = self.tickets.get(&ticket).cloned() {
                self.tell_later(&key);
            }
        }
        next
    }

    /// Why a pod's queue may not have what it asks for, if it may not.
    pub(super) fn over_quota(&mut self, view: &PodView) -> Option<String> {
        if !self.shares.has_quota(view.queue()) {
            return None;
        }
        self.shares.measure(&self.cluster, view.queue());
        self.shares.may_take(view, &self.cluster).err()
    }
}
