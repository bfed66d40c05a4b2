//! [`rebalance`]: which pods to move so that the cluster is better used.

use orchestra_core::object::{Map, Str};

use crate::cluster::{Cluster, PodId};
use crate::fits::fitting;
use crate::profile::Profile;
use crate::set::NodeId;
use crate::view::{NodeView, PodView};

/// What is to become less, summed up over all nodes.
pub trait Objective: Send + Sync {
    /// Its name, as it stands in reports.
    fn name(&self) -> &'static str;

    /// How much of it a node adds, as it is now: at most 2⁶², so that sums can be counted.
    fn of(&self, node: &NodeView<'_>) -> i64;

    /// From which nodes pods are taken first: the greater, the earlier.
    fn urgency(&self, node: &NodeView<'_>) -> i64;
}

/// All nodes equally full: the sum of the squares of their dominant shares (the greatest share of any resource that
/// is taken), which is least when these are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evenness;

impl Objective for Evenness {
    fn name(&self) -> &'static str {
        "Evenness"
    }

    fn of(&self, node: &NodeView<'_>) -> i64 {
        let share = node.cluster().dominant_share(node.id());
        share * share
    }

    fn urgency(&self, node: &NodeView<'_>) -> i64 {
        node.cluster().dominant_share(node.id())
    }
}

/// As many nodes empty as possible: what is taken is gathered on nodes that are full already. It is [`Evenness`]
/// turned round, and the emptiest nodes are the first to be emptied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Emptying;

impl Objective for Emptying {
    fn name(&self) -> &'static str {
        "Emptying"
    }

    fn of(&self, node: &NodeView<'_>) -> i64 {
        -Evenness.of(node)
    }

    fn urgency(&self, node: &NodeView<'_>) -> i64 {
        -Evenness.urgency(node)
    }
}

/// A pod that may be moved, if whoever decides that agrees.
#[derive(Clone, Copy, Debug)]
pub struct Movable<'a> {
    /// Its namespace,
    pub namespace: &'a Str,
    /// its name,
    pub name: &'a Str,
    /// its labels,
    pub labels: &'a Map<Str>,
    /// how important it is,
    pub priority: i32,
    /// and where it is.
    pub node: NodeId,
}

/// A pod that is to leave a node for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The pod's namespace,
    pub namespace: Str,
    /// and its name.
    pub name: Str,
    /// Where it is,
    pub from: NodeId,
    /// and where it is to be.
    pub to: NodeId,
    /// How much less of what is to become less there then is.
    pub gain: i64,
}

/// How many nodes are looked at in all for one list of moves, a node once for each pod that is tried: some
/// seconds of work.
pub const MOST_LOOKS: usize = 1 << 22;

/// Finds up to `most` moves, in the order in which they are to be made, of which each makes an objective better.
///
/// The cluster stays as it is; it is for the caller to make the moves, and to ask again when something else has
/// happened meanwhile. When its turn comes, a pod fits where it goes by all filters of the profile, itself
/// taken away from where it was. Filters say where a pod may come, not who may leave: whom others must have near them
/// is for `may_move` to keep.
///
/// Nobody is moved that is being deleted, or for whom `may_move` does not hold; nobody is moved twice; and no disruption
/// budget is asked for more than it allows.
///
/// ```
/// use orchestra_core::kinds::{Container, Node, Pod};
/// use orchestra_core::object::Quantity;
/// use orchestra_sched::{Cluster, Evenness, Profile, rebalance};
///
/// let mut cluster = Cluster::seeded(1);
/// let mut join = |cluster: &mut Cluster, name: &str| {
///     let mut node = Node::new(name).build().unwrap();
///     node.status.allocatable.insert("cpu", Quantity::from(4));
///     node.status.allocatable.insert("pods", Quantity::from(110));
///     cluster.set_node(&node)
/// };
/// let old = join(&mut cluster, "old");
/// for name in ["a", "b", "c", "d"] {
///     let app = Container::new("app").request("cpu", "1");
///     let pod = cluster.view(&Pod::new(name).namespace("default").container(app).build()?);
///     cluster.assume(&pod, old);
/// }
/// assert!(rebalance(&cluster, &Profile::default(), &Evenness, |_| true, 10).is_empty());
/// let new = join(&mut cluster, "new");
/// let moves = rebalance(&cluster, &Profile::default(), &Evenness, |pod| pod.name != "a", 10);
/// assert_eq!(moves.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(), [(old, new), (old, new)]);
/// # Ok::<_, orchestra_core::Error>(())
/// ```
pub fn rebalance(
    cluster: &Cluster,
    profile: &Profile,
    objective: &dyn Objective,
    may_move: impl Fn(Movable<'_>) -> bool,
    most: usize,
) -> Vec<Move> {
    let mut trial = Trial {
        budgets: cluster.budgets().map(|budget| budget.allowed).collect(),
        cluster: cluster.clone(),
        profile,
        objective,
        moves: Vec::new(),
        looks: MOST_LOOKS,
    };
    while trial.moves.len() < most && trial.improve(&may_move) {}
    trial.moves
}

/// A cluster in which moves are tried.
struct Trial<'a> {
    cluster: Cluster,
    profile: &'a Profile,
    objective: &'a dyn Objective,
    moves: Vec<Move>,
    /// How many more each budget lets go.
    budgets: Vec<i64>,
    looks: usize,
}

impl Trial<'_> {
    /// Makes the best move of a pod on the most urgent node from where any helps; tells whether there is one.
    fn improve(&mut self, may_move: &impl Fn(Movable<'_>) -> bool) -> bool {
        let mut nodes: Vec<_> = self.cluster.nodes().iter().collect();
        nodes.retain(|node| !self.cluster.pods_on(*node).is_empty());
        nodes.sort_by_key(|node| {
            let urgency = self.objective.urgency(&self.cluster.at(*node));
            (std::cmp::Reverse(urgency), self.cluster.rank(*node), *node)
        });
        for from in nodes {
            let mut pods = self.cluster.pods_on(from).to_vec();
            // By name: in which order they came is nobody's business.
            pods.sort_by(|one, other| self.name(*one).cmp(&self.name(*other)));
            let mut best: Option<(Move, PodView)> = None;
            for pod in pods {
                if !self.is_free(pod, from, may_move) {
                    continue;
                }
                let found = self.best_place(pod, from);
                best = match (best, found) {
                    (Some(old), Some(new)) if new.0.gain > old.0.gain => Some(new),
                    (old, new) => old.or(new),
                };
                if self.looks == 0 {
                    break;
                }
            }
            if let Some((found, view)) = best {
                self.make(found, &view);
                return true;
            }
            if self.looks == 0 {
                return false;
            }
        }
        false
    }

    fn name(&self, pod: PodId) -> (&Str, &Str) {
        let placed = self.cluster.placed(pod);
        (&placed.namespace, &placed.name)
    }

    /// Whether a pod may be moved at all.
    fn is_free(&self, pod: PodId, node: NodeId, may_move: &impl Fn(Movable<'_>) -> bool) -> bool {
        let (namespace, name) = self.name(pod);
        let was_moved = self.moves.iter().any(|it| it.name == *name && it.namespace == *namespace);
        let mut budgets = self.cluster.budgets().zip(&self.budgets);
        if self.cluster.is_going(pod)
            || was_moved
            || budgets.any(|(it, left)| *left <= 0 && self.cluster.is_under(it, pod))
        {
            return false;
        }
        let Some(class) = self.cluster.class(self.cluster.placed(pod).class) else { return false };
        let labels = &class.shape.labels;
        may_move(Movable { namespace, name, labels, priority: class.shape.priority, node })
    }

    /// Where a pod does the objective most good, if anywhere.
    fn best_place(&mut self, pod: PodId, from: NodeId) -> Option<(Move, PodView)> {
        let view = self.cluster.view_of(pod)?;
        let (objective, profile) = (self.objective, self.profile);
        let of = |cluster: &Cluster, node| i128::from(objective.of(&cluster.at(node)));
        let before = of(&self.cluster, from);
        self.cluster.lift(pod);
        self.looks = self.looks.saturating_sub(self.cluster.len());
        let mut fit = fitting(profile, &self.cluster, &view);
        fit.remove(from);
        let spared = before - of(&self.cluster, from);
        let mut best: Option<(i128, std::cmp::Reverse<(u64, NodeId)>)> = None;
        for to in fit.iter() {
            let before = of(&self.cluster, to);
            self.cluster.lower(pod, to);
            let gain = spared - (of(&self.cluster, to) - before);
            self.cluster.lift(pod);
            best = best.max(Some((gain, std::cmp::Reverse((self.cluster.rank(to), to)))));
        }
        self.cluster.lower(pod, from);
        let (gain, std::cmp::Reverse((_, to))) = best.filter(|(gain, _)| *gain > 0)?;
        let gain = i64::try_from(gain).unwrap_or(i64::MAX);
        let (namespace, name) = self.name(pod);
        Some((Move { namespace: namespace.clone(), name: name.clone(), from, to, gain }, view))
    }

    fn make(&mut self, found: Move, view: &PodView) {
        let moved = self.cluster.pods_on(found.from).iter().copied().find(|pod| {
            let (namespace, name) = self.name(*pod);
            *name == found.name && *namespace == found.namespace
        });
        if let Some(pod) = moved {
            let under: Vec<_> = self.cluster.budgets().map(|it| self.cluster.is_under(it, pod)).collect();
            self.budgets.iter_mut().zip(under).for_each(|(left, is_under)| *left -= i64::from(is_under));
        }
        self.cluster.assume(view, found.to);
        self.moves.push(found);
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod, PodDisruptionBudget, Taint, TaintEffect};
    use orchestra_core::object::{LabelSelector, Quantity};

    use super::*;
    use crate::fits::fits;
    use crate::hash::mix;

    struct World {
        cluster: Cluster,
        seed: u64,
        drawn: u64,
    }

    impl World {
        fn random(&mut self, below: u64) -> u64 {
            self.drawn += 1;
            mix(mix(self.seed) ^ self.drawn) % below
        }

        fn new(seed: u64) -> Self {
            let mut world = Self { cluster: Cluster::seeded(seed), seed, drawn: 0 };
            for number in 0..2 + world.random(6) {
                let mut node = Node::new(format!("node-{number}")).build().unwrap();
                node.metadata.labels.insert("kubernetes.io/hostname", format!("node-{number}").into());
                node.spec.unschedulable = world.random(8) == 0;
                if world.random(6) == 0 {
                    let effect = TaintEffect::NoSchedule;
                    node.spec.taints.push(Taint { key: "x".into(), effect, ..Taint::default() });
                }
                for (name, amount) in
                    [("cpu", 4 + world.random(8)), ("memory", 1 + world.random(9)), ("pods", 9)]
                {
                    node.status.allocatable.insert(name, Quantity::from(amount as i64));
                }
                world.cluster.set_node(&node);
            }
            for number in 0..world.random(25) {
                let app =
                    Container::new("app").request("cpu", Quantity::milli(1 + world.random(2000) as i64));
                let app = app.request("memory", Quantity::from(world.random(3) as i64));
                let label = ["web", "db"][world.random(2) as usize];
                let pod = Pod::new(format!("pod-{number}")).namespace("default").label("app", label);
                let view = world.cluster.view(&pod.container(app).build().unwrap());
                let node = world.random(world.cluster.len() as u64) as usize;
                let node = world.cluster.nodes().iter().nth(node).unwrap();
                if fits(&Profile::default(), &world.cluster, &view, node) {
                    world.cluster.assume(&view, node);
                }
            }
            let mut budget = PodDisruptionBudget::new("db").namespace("default").build().unwrap();
            budget.spec.selector = Some(LabelSelector::from_iter([("app", "db")]));
            budget.status.disruptions_allowed = world.random(3) as u32 as _;
            world.cluster.set_budget(&budget);
            world
        }
    }

    fn sum(cluster: &Cluster, objective: &dyn Objective) -> i128 {
        cluster.nodes().iter().map(|node| i128::from(objective.of(&cluster.at(node)))).sum()
    }

    fn find(cluster: &Cluster, it: &Move) -> PodId {
        let is = |pod: &PodId| cluster.placed(*pod).name == it.name;
        cluster.pods_on(it.from).iter().copied().find(is).unwrap()
    }

    #[test]
    fn each_move_helps_and_is_allowed_when_its_turn_comes() {
        let mut made = [0, 0];
        for seed in 0..400 {
            for (which, objective) in [&Evenness as &dyn Objective, &Emptying].into_iter().enumerate() {
                let world = World::new(seed);
                let (mut cluster, profile) = (world.cluster, Profile::default());
                let fixed = |pod: Movable<'_>| pod.name.ends_with('7');
                let most = 1 + (seed % 9) as usize;
                let moves = rebalance(&cluster, &profile, objective, |pod| !fixed(pod), most);
                assert!(moves.len() <= most);
                let mut left = cluster.budgets().next().unwrap().allowed;
                for (at, it) in moves.iter().enumerate() {
                    let before = sum(&cluster, objective);
                    let pod = find(&cluster, it);
                    let view = cluster.view_of(pod).unwrap();
                    assert!(!it.name.ends_with('7') && moves[..at].iter().all(|old| old.name != it.name));
                    left -= i64::from(view.label("app").unwrap() == "db");
                    cluster.remove_pod("default", &it.name);
                    assert!(fits(&profile, &cluster, &view, it.to), "seed {seed}: {it:?}");
                    cluster.assume(&view, it.to);
                    assert_eq!(before - sum(&cluster, objective), i128::from(it.gain), "seed {seed}");
                    assert!(it.gain > 0 && left >= 0, "seed {seed}");
                }
                made[which] += moves.len();
                if moves.len() < most {
                    // Nothing is left: no single move of anybody who may still be moved would help.
                    let again = rebalance(
                        &cluster,
                        &profile,
                        objective,
                        |pod| {
                            !fixed(pod)
                                && moves.iter().all(|old| old.name != *pod.name)
                                && (left > 0 || pod.labels.get("app").unwrap() != "db")
                        },
                        1,
                    );
                    assert!(again.is_empty(), "seed {seed}: {again:?}");
                }
            }
        }
        assert!(made.iter().all(|made| *made > 300), "{made:?}");
    }

    #[test]
    fn what_fits_on_fewer_nodes_is_gathered_there() {
        let mut cluster = Cluster::seeded(3);
        for number in 0..4 {
            let mut node = Node::new(format!("node-{number}")).build().unwrap();
            node.status.allocatable.insert("cpu", Quantity::from(4));
            node.status.allocatable.insert("pods", Quantity::from(110));
            let node = cluster.set_node(&node);
            let app = Container::new("app").request("cpu", "2");
            let pod = Pod::new(format!("pod-{number}")).namespace("default").container(app).build().unwrap();
            let view = cluster.view(&pod);
            cluster.assume(&view, node);
        }
        let moves = rebalance(&cluster, &Profile::default(), &Emptying, |_| true, 10);
        assert_eq!(moves.len(), 2);
        for it in moves {
            let view = cluster.view_of(find(&cluster, &it)).unwrap();
            cluster.assume(&view, it.to);
        }
        assert_eq!(cluster.nodes().iter().filter(|node| cluster.pods_on(*node).is_empty()).count(), 2);
    }
}
