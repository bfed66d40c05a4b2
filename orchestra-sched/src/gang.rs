//! [`all_or_none`]: places pods together or not at all.

use crate::cluster::Cluster;
use crate::decide::Decision;
use crate::view::PodView;

/// What became of pods that are to be placed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Together {
    /// At least as many as must have a place have one. One answer for each, in the order in which they
    /// were given; each that is placed is [assumed](Cluster::assume).
    Placed(Vec<Decision>),
    /// Too few fit: none is placed, and the cluster is as it was.
    TooFew {
        /// How many of them had found a place when it was clear that the others would not do.
        placed: usize,
    },
}

/// Places pods one after the other, at least so many of them or none.
///
/// `place` decides about one pod and assumes what it decides: mostly [`Decider::place`](crate::Decider::place), by
/// the profile that the pod names. It stops as soon as too few can be left, so that a large gang that does not
/// fit costs little more than what does.
///
/// Those of a gang that have their places already are not given again: the caller asks for so many fewer.
/// Nobody is moved for those who come later. So where the first member's place leaves no room near it for the
/// others that must be near, the gang waits, though another place for the first might have served all.
///
/// ```
/// use orchestra_core::kinds::{Container, Node, Pod};
/// use orchestra_core::object::Quantity;
/// use orchestra_sched::{Cluster, Decider, Profile, Together, all_or_none};
///
/// let mut cluster = Cluster::seeded(7);
/// let mut node = Node::new("node").build()?;
/// for (name, amount) in [("cpu", 4), ("pods", 110)] {
///     node.status.allocatable.insert(name, Quantity::from(amount));
/// }
/// cluster.set_node(&node);
/// let mut decider = Decider::new(Profile::default());
/// let mut gang = |name: &str, members: usize, least: usize| {
///     let member = |number: usize| {
///         let app = Container::new("app").request("cpu", "1");
///         Pod::new(format!("{name}-{number}")).namespace("default").container(app).build().unwrap()
///     };
///     let members: Vec<_> = (0..members).map(|number| cluster.view(&member(number))).collect();
///     all_or_none(&mut cluster, &members, least, |cluster, pod| decider.place(cluster, pod))
/// };
/// assert_eq!(gang("large", 6, 5), Together::TooFew { placed: 4 });
/// assert!(matches!(gang("small", 6, 4), Together::Placed(_)));
/// # Ok::<_, orchestra_core::Error>(())
/// ```
pub fn all_or_none(
    cluster: &mut Cluster,
    members: &[PodView],
    least: usize,
    mut place: impl FnMut(&mut Cluster, &PodView) -> Decision,
) -> Together {
    let Some(mut to_spare) = members.len().checked_sub(least) else {
        return Together::TooFew { placed: 0 };
    };
    let mut decisions = Vec::with_capacity(members.len());
    for pod in members {
        let decision = place(cluster, pod);
        decisions.push(decision);
        if matches!(decision, Decision::Place { .. }) {
            continue;
        }
        if to_spare == 0 {
            return Together::TooFew { placed: undo(cluster, members, &decisions) };
        }
        to_spare -= 1;
    }
    Together::Placed(decisions)
}

/// Takes off again those who were placed, the last one first, and counts them.
fn undo(cluster: &mut Cluster, members: &[PodView], decisions: &[Decision]) -> usize {
    let placed = members.iter().zip(decisions).filter(|(_, it)| matches!(it, Decision::Place { .. }));
    placed.rev().map(|(pod, _)| cluster.remove_pod(pod.namespace(), pod.name())).count()
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod};
    use orchestra_core::object::Quantity;

    use super::*;
    use crate::decide::Decider;
    use crate::hash::mix;
    use crate::profile::Profile;

    fn cluster(cpus: &[i64]) -> Cluster {
        let mut cluster = Cluster::seeded(3);
        for (number, cpu) in cpus.iter().enumerate() {
            let mut node = Node::new(format!("node-{number}")).build().unwrap();
            for (name, amount) in [("cpu", *cpu), ("pods", 110)] {
                node.status.allocatable.insert(name, Quantity::from(amount));
            }
            cluster.set_node(&node);
        }
        cluster
    }

    fn member(cluster: &mut Cluster, name: &str, cpu: i64) -> PodView {
        let app = Container::new("app").request("cpu", Quantity::from(cpu));
        cluster.view(&Pod::new(name).namespace("default").container(app).build().unwrap())
    }

    /// Some are placed by hand as often as there is room; what comes together then is all there or not at all,
    /// and what is not there leaves no trace.
    #[test]
    fn all_are_placed_or_nothing_has_happened() {
        let (mut placed, mut refused) = (0, 0);
        for seed in 0..300 {
            let random = |at: u64, below: u64| mix(mix(seed) ^ at) % below;
            let mut cluster = cluster(&[random(0, 6) as i64, random(1, 6) as i64, random(2, 6) as i64]);
            let mut decider = Decider::new(Profile::default());
            for number in 0..random(3, 4) {
                let pod = member(&mut cluster, &format!("before-{number}"), 1);
                decider.place(&mut cluster, &pod);
            }
            let many = 1 + random(4, 6);
            let members: Vec<_> = (0..many)
                .map(|at| member(&mut cluster, &format!("member-{at}"), 1 + random(8 + at, 3) as i64))
                .collect();
            let least = random(5, many + 2) as usize;
            let probe = member(&mut cluster, "probe", 1);
            let before = (decider.explain(&cluster, &probe), cluster.pods());
            let outcome =
                all_or_none(&mut cluster, &members, least, |cluster, pod| decider.place(cluster, pod));
            match outcome {
                Together::Placed(decisions) => {
                    let there = decisions.iter().filter(|it| matches!(it, Decision::Place { .. })).count();
                    assert!(there >= least && cluster.pods() == before.1 + there, "seed {seed}");
                    assert_eq!(decisions.len(), members.len());
                    placed += 1;
                }
                Together::TooFew { placed } => {
                    assert!(placed < least, "seed {seed}");
                    assert_eq!((decider.explain(&cluster, &probe), cluster.pods()), before, "seed {seed}");
                    assert_eq!(decider.decide(&cluster, &probe), decider.decide_anew(&cluster, &probe));
                    refused += 1;
                }
            }
        }
        assert!(placed > 50 && refused > 50, "{placed} {refused}");
    }

    #[test]
    fn who_comes_with_too_few_is_not_even_tried() {
        let mut cluster = cluster(&[4]);
        let members = [member(&mut cluster, "one", 1)];
        let outcome = all_or_none(&mut cluster, &members, 2, |_, _| unreachable!("there are too few"));
        assert_eq!(outcome, Together::TooFew { placed: 0 });
    }
}
