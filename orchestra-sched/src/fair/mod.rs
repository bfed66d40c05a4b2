//! [`Shares`]: what each queue has, and whose turn it is by dominant resource fairness.

mod queue;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use orchestra_core::object::{Quantity, Str};

pub use queue::{FairQueue, FairTicket};

use crate::cluster::{Cluster, Dim};
use crate::view::PodView;

/// What each queue has of a cluster, by the queue that pods name in `orchestra.queue`.
///
/// Whose turn it is follows dominant resource fairness (Ghodsi and others, 2011): a queue's dominant share is the
/// greatest share of any resource that it has; the queue of the lowest, by its weight, is next. So no queue would
/// rather have what another has, none gains by asking for what it does not need, and, where demands can be
/// divided, the shares of all that still want something are the same.
///
/// ```
/// use orchestra_core::kinds::{Container, Pod};
/// use orchestra_sched::{Cluster, Dim, Shares};
///
/// // The example of the paper: 9 cores and 18 GB; pods of A ask for 1 core and 4 GB, those of B for 3 cores and 1 GB.
/// let mut cluster = Cluster::seeded(1);
/// let mut pod = |queue: &str, cpu: &str, memory: &str| {
///     let app = Container::new("app").request("cpu", cpu).request("memory", memory);
///     let mut pod = Pod::new(queue).container(app).build().unwrap();
///     pod.spec.orchestra.get_or_insert_default().queue = queue.into();
///     cluster.view(&pod)
/// };
/// let pods = [pod("a", "1", "4G"), pod("b", "3", "1G")];
/// let mut shares = Shares::of([(Dim::CPU, 9_000), (Dim::MEMORY, 18_000_000_000)]);
/// let mut placed = [0, 0];
/// while let Some(next) = shares.next(pods.iter().map(|pod| pod.queue().as_str())) {
///     let at = usize::from(next == "b");
///     if shares.is_full(&pods[at]) {
///         break;
///     }
///     shares.charge(&pods[at]);
///     placed[at] += 1;
/// }
/// assert_eq!(placed, [3, 2]);
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// What there is in all.
    total: BTreeMap<Dim, i64>,
    queues: BTreeMap<Str, Share>,
}

/// What one queue has, and may have.
#[derive(Clone, Debug)]
struct Share {
    weight: i64,
    quota: BTreeMap<Dim, i64>,
    taken: BTreeMap<Dim, i128>,
    pods: usize,
}

/// The most that a queue may weigh.
pub const MOST_QUEUE_WEIGHT: i64 = 1_000_000;

impl Default for Share {
    fn default() -> Self {
        Self { weight: 1, quota: BTreeMap::new(), taken: BTreeMap::new(), pods: 0 }
    }
}

impl Shares {
    /// Shares of so much of each resource. Of what is not named there is nothing to share, and it does not count.
    #[must_use]
    pub fn of(total: impl IntoIterator<Item = (Dim, i64)>) -> Self {
        let total = total.into_iter().filter(|(_, amount)| *amount > 0).collect();
        Self { total, queues: BTreeMap::new() }
    }

    /// The same, when there is more or less to share: a node came or went.
    pub fn set_total(&mut self, total: impl IntoIterator<Item = (Dim, i64)>) {
        self.total = total.into_iter().filter(|(_, amount)| *amount > 0).collect();
    }

    /// Says what a queue weighs, at least 1 and at most [`MOST_QUEUE_WEIGHT`], and how much it may have of some
    /// resources. A queue of which nothing was said weighs 1 and may have everything.
    pub fn set_queue(&mut self, queue: &str, weight: i64, quota: impl IntoIterator<Item = (Dim, i64)>) {
        let share = self.queues.entry(queue.into()).or_default();
        share.weight = weight.clamp(1, MOST_QUEUE_WEIGHT);
        share.quota = quota.into_iter().map(|(dim, most)| (dim, most.max(0))).collect();
    }

    /// Forgets what was said of a queue. What it has it keeps until its pods end.
    pub fn unset_queue(&mut self, queue: &str) {
        if let Some(share) = self.queues.get_mut(queue) {
            (share.weight, share.quota) = (1, BTreeMap::new());
        }
        self.forget_if_idle(queue);
    }

    /// Takes over from a cluster what there is in all.
    pub fn measure_total(&mut self, cluster: &Cluster) {
        self.set_total(cluster.total().map(|(dim, total)| (dim, i64::try_from(total).unwrap_or(i64::MAX))));
    }

    /// Takes over from a cluster what a queue's pods take there, instead of what they were [charged](Self::charge).
    pub fn measure(&mut self, cluster: &Cluster, queue: &str) {
        let taken: BTreeMap<_, _> = cluster.taken_by(queue).collect();
        let pods = taken.get(&Dim::PODS).map_or(0, |pods| usize::try_from(*pods).unwrap_or(0));
        if let Some(share) = self.queues.get_mut(queue) {
            (share.taken, share.pods) = (taken, pods);
        } else if pods > 0 {
            self.queues.insert(queue.into(), Share { taken, pods, ..Share::default() });
        }
        self.forget_if_idle(queue);
    }

    /// Whether anything was said of any queue, or something is known of one that has a name.
    pub(crate) fn knows_queues(&self) -> bool {
        self.queues.keys().any(|queue| !queue.is_empty())
    }

    /// Whether anything was said of how much a queue may have.
    #[must_use]
    pub fn has_quota(&self, queue: &str) -> bool {
        self.queues.get(queue).is_some_and(|share| !share.quota.is_empty())
    }

    /// A pod is given its place: its queue has more.
    pub fn charge(&mut self, pod: &PodView) {
        let share = self.queues.entry(pod.queue().clone()).or_default();
        share.pods += 1;
        for (dim, asked) in asks(pod) {
            *share.taken.entry(dim).or_default() += i128::from(asked);
        }
    }

    /// A pod that was [charged](Self::charge) has ended, or did not get its place after all.
    pub fn refund(&mut self, pod: &PodView) {
        let Some(share) = self.queues.get_mut(pod.queue()) else { return };
        share.pods = share.pods.saturating_sub(1);
        for (dim, asked) in asks(pod) {
            let taken = share.taken.entry(dim).or_default();
            *taken = (*taken - i128::from(asked)).max(0);
        }
        share.taken.retain(|_, taken| *taken > 0);
        self.forget_if_idle(pod.queue());
    }

    /// A queue of which nothing was said is remembered only as long as it has something.
    fn forget_if_idle(&mut self, queue: &str) {
        let is_idle = |share: &Share| share.pods == 0 && share.weight == 1 && share.quota.is_empty();
        if self.queues.get(queue).is_some_and(is_idle) {
            self.queues.remove(queue);
        }
    }

    /// Of some queues the one whose turn it is: that of the lowest weighted dominant share, and of equals the first
    /// by name.
    pub fn next<'q>(&self, queues: impl IntoIterator<Item = &'q str>) -> Option<&'q str> {
        queues.into_iter().min_by(|one, other| self.compare(one, other))
    }

    /// Whose turn comes first.
    pub(crate) fn compare(&self, one: &str, other: &str) -> Ordering {
        let ((a, b), (c, d)) = (self.dominant(one), self.dominant(other));
        compare_fractions(a, b, c, d).then_with(|| one.cmp(other))
    }

    /// A queue's dominant share by its weight: what it has, and of how much.
    fn dominant(&self, queue: &str) -> (u128, u128) {
        let Some(share) = self.queues.get(queue) else { return (0, 1) };
        let of = |(dim, taken): (&Dim, &i128)| {
            let total = u128::from(self.total.get(dim)?.unsigned_abs());
            Some((taken.unsigned_abs(), total * u128::from(share.weight.unsigned_abs())))
        };
        let shares = share.taken.iter().filter_map(of);
        shares.max_by(|one, other| compare_fractions(one.0, one.1, other.0, other.1)).unwrap_or((0, 1))
    }

    /// A queue's dominant share, before its weight counts; for people, so it is rounded.
    #[must_use]
    pub fn dominant_share(&self, queue: &str) -> f64 {
        let (taken, of) = self.dominant(queue);
        let weight = self.queues.get(queue).map_or(1, |share| share.weight);
        taken as f64 / of as f64 * weight as f64
    }

    /// Whether its queue may have what a pod asks for, or why not.
    pub fn may_take(&self, pod: &PodView, cluster: &Cluster) -> Result<(), String> {
        let Some(share) = self.queues.get(pod.queue()) else { return Ok(()) };
        for (dim, asked) in asks(pod) {
            let Some(most) = share.quota.get(&dim) else { continue };
            let taken = share.taken.get(&dim).copied().unwrap_or(0);
            if taken + i128::from(asked) > i128::from(*most) {
                let (queue, resource) = (pod.queue(), cluster.resource(dim));
                let [asked, taken, most] =
                    [i128::from(asked), taken, i128::from(*most)].map(|it| said(dim, it));
                return Err(format!(
                    "queue {queue} is over its quota of {resource}: it has {taken} of {most}, and {asked} more is asked for"
                ));
            }
        }
        Ok(())
    }

    /// Whether there is not as much left in all as a pod asks for, of what is shared.
    #[must_use]
    pub fn is_full(&self, pod: &PodView) -> bool {
        let taken = |dim: Dim| -> i128 { self.queues.values().filter_map(|it| it.taken.get(&dim)).sum() };
        let lacks = |dim: Dim, asked: i64| {
            self.total.get(&dim).is_some_and(|total| taken(dim) + i128::from(asked) > i128::from(*total))
        };
        asks(pod).any(|(dim, asked)| lacks(dim, asked))
    }
}

fn asks(pod: &PodView) -> impl Iterator<Item = (Dim, i64)> + '_ {
    pod.requests().chain([(Dim::PODS, 1)])
}

/// An amount as people write it.
fn said(dim: Dim, amount: i128) -> Quantity {
    let amount = i64::try_from(amount).unwrap_or(i64::MAX);
    match dim {
        Dim::CPU => Quantity::milli(amount),
        Dim::MEMORY | Dim::STORAGE => Quantity::bytes(amount),
        _ => Quantity::from(amount),
    }
}

/// Compares a/b with c/d without rounding or overflow: by whole parts, and then by what is left, turned round.
fn compare_fractions(mut a: u128, mut b: u128, mut c: u128, mut d: u128) -> Ordering {
    let mut turned = false;
    loop {
        let (b1, d1) = (b.max(1), d.max(1));
        let (rest, other) = (a % b1, c % d1);
        let order = (a / b1).cmp(&(c / d1)).then_with(|| match (rest, other) {
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Less,
            (_, 0) => Ordering::Greater,
            _ => Ordering::Equal,
        });
        if order != Ordering::Equal || rest == 0 {
            return if turned { order.reverse() } else { order };
        }
        (a, b, c, d, turned) = (b1, rest, d1, other, !turned);
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Pod};

    use super::*;
    use crate::hash::mix;

    pub(super) fn pod(cluster: &mut Cluster, name: &str, queue: &str, cpu: i64, memory: i64) -> PodView {
        let app = Container::new("app").request("cpu", Quantity::milli(cpu));
        let app = app.request("memory", Quantity::from(memory));
        let mut pod = Pod::new(name).namespace("default").container(app).build().unwrap();
        pod.spec.orchestra.get_or_insert_default().queue = queue.into();
        cluster.view(&pod)
    }

    #[test]
    fn fractions_are_compared_exactly() {
        for seed in 0..2_000_u64 {
            let of = |at: u64| u128::from(mix(mix(seed) ^ at) % [7, 1 << 20, 1 << 60][(seed % 3) as usize]);
            let (a, b, c, d) = (of(0), of(1) + 1, of(2), of(3) + 1);
            assert_eq!(compare_fractions(a, b, c, d), (a * d).cmp(&(c * b)), "{a}/{b} {c}/{d}");
        }
        let huge = u128::MAX;
        assert_eq!(compare_fractions(huge - 1, huge, huge - 2, huge - 1), Ordering::Greater);
    }

    /// Against the paper's algorithm, written down with fractions that are multiplied out: as long as anybody's next
    /// pod fits, the one of the least weighted dominant share gets it.
    #[test]
    fn who_is_next_is_as_progressive_filling_has_it() {
        for seed in 0..300 {
            let random = |at: u64, below: u64| (mix(mix(seed) ^ at) % below) as i64;
            let mut cluster = Cluster::seeded(1);
            let names = ["a", "b", "c", "d"];
            let totals = [1 + random(0, 90), 1 + random(1, 90)];
            let mut shares = Shares::of([(Dim::CPU, totals[0]), (Dim::MEMORY, totals[1])]);
            let many = 1 + random(2, 4) as usize;
            let (mut pods, mut asks, mut weights) = (Vec::new(), Vec::new(), Vec::new());
            for (at, name) in names.iter().enumerate().take(many) {
                let ask = [1 + random(10 + at as u64, 9), 1 + random(20 + at as u64, 9)];
                let weight = 1 + random(30 + at as u64, 3);
                pods.push(pod(&mut cluster, name, name, ask[0], ask[1]));
                shares.set_queue(name, weight, []);
                asks.push(ask);
                weights.push(weight);
            }
            let (mut placed, mut open) = (vec![0_i64; many], vec![true; many]);
            loop {
                // Both shares over one denominator, by the least common weight.
                let dominant = |at: usize| {
                    let [cpu, memory] = asks[at];
                    let all = weights.iter().product::<i64>() / weights[at];
                    (cpu * totals[1]).max(memory * totals[0]) * placed[at] * all
                };
                let expected = (0..many).filter(|at| open[*at]).min_by_key(|at| (dominant(*at), *at));
                let next = shares.next(names.iter().copied().zip(&open).filter(|it| *it.1).map(|it| it.0));
                assert_eq!(next, expected.map(|at| names[at]), "seed {seed}");
                let Some(at) = expected else { break };
                let used = |dim: usize| -> i64 { (0..many).map(|it| placed[it] * asks[it][dim]).sum() };
                let fits = (0..2).all(|dim| used(dim) + asks[at][dim] <= totals[dim]);
                assert_eq!(shares.is_full(&pods[at]), !fits, "seed {seed}");
                if fits {
                    shares.charge(&pods[at]);
                    placed[at] += 1;
                } else {
                    open[at] = false;
                }
            }
            // What is given back leaves nothing.
            for at in 0..many {
                for _ in 0..placed[at] {
                    shares.refund(&pods[at]);
                }
                assert_eq!(shares.dominant_share(names[at]), 0.0);
            }
        }
    }

    #[test]
    fn a_quota_is_kept_and_said() {
        let mut cluster = Cluster::seeded(1);
        let mut shares = Shares::of([(Dim::CPU, 100_000)]);
        shares.set_queue("batch", 1, [(Dim::CPU, 2500), (Dim::PODS, 3)]);
        let large = pod(&mut cluster, "large", "batch", 1500, 1);
        let small = pod(&mut cluster, "small", "batch", 100, 1);
        assert_eq!(shares.may_take(&large, &cluster), Ok(()));
        shares.charge(&large);
        assert_eq!(
            shares.may_take(&large, &cluster).unwrap_err(),
            "queue batch is over its quota of cpu: it has 1500m of 2500m, and 1500m more is asked for"
        );
        for _ in 0..2 {
            assert_eq!(shares.may_take(&small, &cluster), Ok(()));
            shares.charge(&small);
        }
        let error = shares.may_take(&small, &cluster).unwrap_err();
        assert_eq!(error, "queue batch is over its quota of pods: it has 3 of 3, and 1 more is asked for");
        shares.refund(&large);
        assert_eq!(shares.may_take(&large, &cluster), Ok(()));
        let other = pod(&mut cluster, "other", "other", 99_999, 1);
        assert_eq!(shares.may_take(&other, &cluster), Ok(()));
    }

    #[test]
    fn queues_of_which_nothing_is_said_leave_no_trace() {
        let mut cluster = Cluster::seeded(1);
        let mut shares = Shares::of([(Dim::CPU, 1000)]);
        for number in 0..100 {
            let pod = pod(&mut cluster, "pod", &format!("queue-{number}"), 10, 1);
            shares.charge(&pod);
            assert_eq!(shares.queues.len(), 1);
            shares.refund(&pod);
            shares.refund(&pod);
        }
        shares.set_queue("said", 3, []);
        shares.unset_queue("said");
        assert!(shares.queues.is_empty());
    }
}
