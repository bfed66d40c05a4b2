//! [`Packer`]: places a whole batch so that as many pods as possible have a place.

mod attempt;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use attempt::{Attempt, Order};

use crate::cluster::Cluster;
use crate::decide::{Decider, Decision};
use crate::placer::{Greedy, Placer};
use crate::profile::Profile;
use crate::scores::{BestFit, DotProduct};
use crate::view::PodView;

/// Places a batch so that as many pods as possible have a place, the more important ones first.
///
/// It does what people do with boxes: the large ones first, each where it fits best; and where one does not fit, others
/// of the batch are moved to make room (an *ejection chain*). Several orders and ways to choose are tried, [`Greedy`]'s
/// among them, and the one that places most is taken: of pods of any priority no fewer than Greedy places, provided
/// that it places as many of each that is higher. Where there is not room for all of one priority, large ones may
/// have to stand back for more small ones.
///
/// All filters of the profile hold for each pod when it is placed. Moved are only pods of the batch that concern nobody
/// but the node where they are: no affinity, no spreading, and nobody who counts them. So what held for others
/// still holds. What runs already is never moved (see [`rebalance`](crate::rebalance)).
///
/// Of the profile's scores none counts: where Greedy's choice places as many, it is taken as it is, scores and all;
/// otherwise the score in a decision is that of the way that was taken.
///
/// On batches that just fit on a dozen nodes it places all, where Greedy leaves out three of a hundred; where there is
/// not room for all, eight of a hundred more than Greedy (the tests' instances).
///
/// ```
/// use orchestra_sched::{Cluster, Packer, Placer, Profile};
///
/// let mut placer: Box<dyn Placer> = Box::new(Packer::new(Profile::default()));
/// assert!(placer.place(&[], &mut Cluster::seeded(1)).is_empty());
/// ```
///
/// The work is bounded: seven times Greedy's, and [`MOST_EJECTIONS`] steps for each of six ways.
#[derive(Clone, Debug)]
pub struct Packer {
    profile: Profile,
}

/// How many steps are taken to make room for pods that do not fit, in one way to place a batch: mostly how often a pod
/// is taken out for another.
pub const MOST_EJECTIONS: usize = 20_000;

impl Packer {
    /// By the filters of a profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile }
    }

    fn choosing(&self, dot: bool) -> Profile {
        let empty = Profile::empty(self.profile.name());
        let profile = self.profile.filters().iter().fold(empty, |it, filter| it.with_filter(filter.clone()));
        if dot { profile.score(DotProduct::default(), 1) } else { profile.score(BestFit::default(), 1) }
    }
}

impl Placer for Packer {
    fn name(&self) -> &'static str {
        "Packer"
    }

    fn place(&mut self, batch: &[PodView], cluster: &mut Cluster) -> Vec<Decision> {
        let mut greedy = cluster.clone();
        let decisions = Greedy::new(Decider::new(self.profile.clone())).place(batch, &mut greedy);
        let mut best = (placed(batch, &decisions), decisions, greedy);
        let everything = |it: &[Decision]| !it.contains(&Decision::NoFit);
        for (dot, order) in WAYS {
            if everything(&best.1) {
                break;
            }
            let mut attempt = Attempt::new(self.choosing(dot), batch, cluster.clone());
            let decisions = attempt.run(order);
            let found = placed(batch, &decisions);
            if is_better(&found, &best.0) {
                best = (found, decisions, attempt.into_cluster());
            }
        }
        let (_, mut decisions, tried) = best;
        for (pod, decision) in batch.iter().zip(&mut decisions) {
            if let Decision::Place { node, .. } = *decision {
                let devices = tried.devices_of(pod.namespace(), pod.name());
                let is_whole = pod.devices().is_empty()
                    || devices.as_ref().is_some_and(|devices| cluster.can_have(pod, node, devices))
                    || pod.devices().iter().all(|ask| ask.share == 0);
                match is_whole {
                    true => cluster.assume_with(pod, node, devices),
                    // Moving others about has left too little of each device for it.
                    false => *decision = Decision::NoFit,
                }
            }
        }
        decisions
    }
}

/// What is tried: whether nodes are chosen by dot product instead of best fit, and in which order.
const WAYS: [(bool, Order); 6] = [
    (false, Order::Largest),
    (false, Order::LargestSum),
    (true, Order::Largest),
    (true, Order::LargestSum),
    (false, Order::Smallest),
    (false, Order::SmallestSum),
];

/// How many pods of each priority are placed.
fn placed(batch: &[PodView], decisions: &[Decision]) -> BTreeMap<Reverse<i32>, usize> {
    let mut placed = BTreeMap::new();
    for (pod, decision) in batch.iter().zip(decisions) {
        *placed.entry(Reverse(pod.priority())).or_default() +=
            usize::from(matches!(decision, Decision::Place { .. }));
    }
    placed
}

/// Whether more are placed, the more important first.
fn is_better(one: &BTreeMap<Reverse<i32>, usize>, other: &BTreeMap<Reverse<i32>, usize>) -> bool {
    one.values().gt(other.values())
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod};
    use orchestra_core::object::Quantity;

    use super::*;
    use crate::cluster::Dim;
    use crate::hash::mix;

    struct Random(u64, u64);

    impl Random {
        fn below(&mut self, below: i64) -> i64 {
            self.1 += 1;
            (mix(mix(self.0) ^ self.1) % below as u64) as i64
        }
    }

    /// A dozen nodes, and pods that ask for a little more than there is.
    fn too_much(seed: u64) -> (Cluster, Vec<PodView>) {
        let (mut random, mut cluster, mut left, mut batch) =
            (Random(seed, 0), Cluster::seeded(seed), 0, Vec::new());
        for number in 0..12 {
            let cores = 4 + 4 * random.below(3);
            left += cores * 1000;
            node(&mut cluster, number, cores * 1000, cores * (2 + random.below(3)));
        }
        while left > 0 {
            let milli = 300 + 100 * random.below(38);
            let memory = 1 + milli * (1 + random.below(4)) / 1000;
            let name = format!("pod-{}", batch.len());
            batch.push(pod(&mut cluster, &name, milli, memory));
            left -= milli;
        }
        (cluster, batch)
    }

    /// A dozen nodes, each cut into pods: all fit, if each is put where it was cut out.
    fn cut(seed: u64) -> (Cluster, Vec<PodView>) {
        let (mut random, mut cluster, mut pieces) = (Random(seed, 1), Cluster::seeded(seed), Vec::new());
        for number in 0..12 {
            let (mut milli, mut memory) = (8000 + 4000 * random.below(3), 32);
            node(&mut cluster, number, milli, memory);
            while milli > 1000 && memory > 3 {
                let piece = (500 + 100 * random.below(milli / 200), 1 + random.below(memory / 2));
                (milli, memory) = (milli - piece.0, memory - piece.1);
                pieces.push(piece);
            }
        }
        for at in (1..pieces.len()).rev() {
            pieces.swap(at, random.below(at as i64 + 1) as usize);
        }
        let pod = |(at, (milli, memory))| pod(&mut cluster, &format!("pod-{at}"), milli, memory);
        let batch = pieces.into_iter().enumerate().map(pod).collect();
        (cluster, batch)
    }

    fn node(cluster: &mut Cluster, number: usize, milli: i64, memory: i64) {
        let mut node = Node::new(format!("node-{number}")).build().unwrap();
        node.status.allocatable.insert("cpu", Quantity::milli(milli));
        node.status.allocatable.insert("memory", Quantity::from(memory));
        node.status.allocatable.insert("pods", Quantity::from(110));
        cluster.set_node(&node);
    }

    fn pod(cluster: &mut Cluster, name: &str, milli: i64, memory: i64) -> PodView {
        let app = Container::new("app").request("cpu", Quantity::milli(milli));
        let app = app.request("memory", Quantity::from(memory));
        cluster.view(&Pod::new(name).namespace("default").container(app).build().unwrap())
    }

    fn many(decisions: &[Decision]) -> usize {
        decisions.iter().filter(|it| matches!(it, Decision::Place { .. })).count()
    }

    /// Each pod is where it was decided, once, and no node has more than it can have.
    fn check(cluster: &Cluster, batch: &[PodView], decisions: &[Decision], what: &str) {
        assert_eq!((batch.len(), cluster.pods()), (decisions.len(), many(decisions)), "{what}");
        for (pod, decision) in batch.iter().zip(decisions) {
            let Decision::Place { node, .. } = decision else { continue };
            let is = |it: &&crate::PodId| cluster.placed(**it).name == *pod.name();
            assert_eq!(cluster.pods_on(*node).iter().filter(is).count(), 1, "{what}");
        }
        for node in cluster.nodes().iter() {
            for dim in [Dim::CPU, Dim::MEMORY, Dim::PODS] {
                assert!(cluster.at(node).free(dim) >= 0, "{what}");
            }
        }
    }

    #[test]
    fn never_fewer_than_greedy_and_mostly_more() {
        for (what, instance) in [("too much", too_much as fn(u64) -> _), ("cut", cut)] {
            let (mut more, mut sums, mut all) = (0, [0, 0], 0);
            for seed in 0..12 {
                let (cluster, batch) = instance(seed);
                let profile = Profile::default();
                let (mut one, mut other) = (cluster.clone(), cluster.clone());
                let greedy = Greedy::new(Decider::new(profile.clone())).place(&batch, &mut one);
                let packed = Packer::new(profile.clone()).place(&batch, &mut other);
                check(&other, &batch, &packed, &format!("{what}, seed {seed}"));
                assert!(many(&packed) >= many(&greedy), "{what}, seed {seed}");
                more += usize::from(many(&packed) > many(&greedy));
                sums = [sums[0] + many(&greedy), sums[1] + many(&packed)];
                all += batch.len();
                let mut again = cluster.clone();
                assert_eq!(Packer::new(profile).place(&batch, &mut again), packed, "the same each time");
            }
            println!("{what}: more on {more} of 12; greedy {}, packed {}, of {all}", sums[0], sums[1]);
            assert!(more > 9, "{what}: {more} of 12");
        }
    }

    #[test]
    fn one_makes_room_for_another() {
        // Three of two cores have room only on the second node, which best fit gives to those of three.
        let mut cluster = Cluster::seeded(1);
        node(&mut cluster, 0, 6000, 2);
        node(&mut cluster, 1, 6000, 9);
        let asks = [("x", 3000, 1), ("y", 3000, 1), ("p", 2000, 3), ("q", 2000, 3), ("r", 2000, 3)];
        let batch = asks.map(|(name, milli, memory)| pod(&mut cluster, name, milli, memory));
        let decisions = Packer::new(Profile::default()).place(&batch, &mut cluster);
        assert_eq!(many(&decisions), 5);
        check(&cluster, &batch, &decisions, "five");
    }

    #[test]
    fn the_more_important_are_not_left_out_for_many_small_ones() {
        let mut cluster = Cluster::seeded(1);
        let mut node = Node::new("node").build().unwrap();
        node.status.allocatable.insert("cpu", Quantity::from(4));
        node.status.allocatable.insert("pods", Quantity::from(110));
        cluster.set_node(&node);
        let mut batch = Vec::new();
        for number in 0..5 {
            let cpu = if number == 4 { 4 } else { 1 };
            let app = Container::new("app").request("cpu", Quantity::from(cpu));
            let mut pod =
                Pod::new(format!("pod-{number}")).namespace("default").container(app).build().unwrap();
            pod.spec.priority = Some(i32::from(number == 4));
            batch.push(cluster.view(&pod));
        }
        let decisions = Packer::new(Profile::default()).place(&batch, &mut cluster);
        assert_eq!((many(&decisions), matches!(decisions[4], Decision::Place { .. })), (1, true));
        assert!(Packer::new(Profile::default()).place(&[], &mut cluster).is_empty());
    }
}
