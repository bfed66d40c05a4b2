//! Pods that all differ are looked up in a tree: what is found there is what looking at all nodes finds.
#![allow(clippy::unwrap_used)]

use orchestra_core::kinds::{Container, Node, Pod};
use orchestra_core::object::Quantity;
use orchestra_sched::{Cluster, Decider, Decision, Profile, scores};

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64).rem_euclid(limit)
    }
}

/// A node of one of some sizes, of any, or without a resource; closed, disliked or full now and then.
fn node(random: &mut Random, number: usize, sizes: i64) -> Node {
    let mut node = Node::new(format!("node-{number}")).build().unwrap();
    let size = match sizes {
        0 => 1 + random.below(64_000),
        sizes => 4_000 * (1 + random.below(sizes)),
    };
    for (name, amount) in
        [("cpu", Quantity::milli(size)), ("memory", Quantity::bytes(size << 23)), ("pods", 30.into())]
    {
        if random.below(40) > 0 {
            node.status.allocatable.insert(name, amount);
        }
    }
    node.spec.unschedulable = random.below(15) == 0;
    node
}

fn pod(random: &mut Random, number: usize) -> Pod {
    let mut app = Container::new("app");
    if random.below(8) > 0 {
        app = app.request("cpu", Quantity::milli(random.below(900)));
    }
    if random.below(8) > 0 {
        app = app.request("memory", Quantity::bytes(random.below(4 << 30)));
    }
    if random.below(50) == 0 {
        app = app.request("cpu", Quantity::from(1000)); // more than any node has
    }
    Pod::new(format!("pod-{number}")).namespace("default").container(app).build().unwrap()
}

#[test]
fn the_tree_finds_what_all_nodes_have_to_offer() {
    let profiles = || {
        let profile = Profile::default();
        [
            profile.clone(),
            profile.clone().without("NodeResourcesBalancedAllocation"),
            profile.clone().without("NodeResourcesFit"),
            // So that either of the two decides alone, too.
            profile.clone().weigh("NodeResourcesBalancedAllocation", 7),
            profile.score(scores::NodeResourcesFit::default(), 9),
        ]
    };
    let (mut found, mut nowhere, mut decided) = (0, 0, 0);
    for seed in 0..8 {
        for profile in profiles() {
            let mut random = Random(seed);
            let (mut cluster, nodes) = (Cluster::seeded(seed), 20 + 60 * seed as usize);
            for number in 0..nodes {
                cluster.set_node(&node(&mut random, number, seed as i64 % 4));
            }
            let mut decider = Decider::new(profile).tree_from(0);
            let mut placed = Vec::new();
            for number in 0..400 {
                let pod = pod(&mut random, number);
                let view = cluster.view(&pod);
                let anew = decider.decide_anew(&cluster, &view);
                assert_eq!(decider.decide(&cluster, &view), anew, "seed {seed}, pod {number}");
                decided += 1;
                match anew {
                    Decision::Place { node, .. } => {
                        cluster.assume(&view, node);
                        placed.push(view);
                    }
                    _ => nowhere += 1,
                }
                match random.below(100) {
                    0..20 if !placed.is_empty() => {
                        let gone = placed.swap_remove(random.below(placed.len() as i64) as usize);
                        cluster.remove_pod(gone.namespace(), gone.name());
                    }
                    20 => {
                        let number = random.below(nodes as i64) as usize;
                        cluster.set_node(&node(&mut random, number, seed as i64 % 4));
                    }
                    21 => cluster.remove_node(&format!("node-{}", random.below(nodes as i64))),
                    _ => {}
                }
            }
            found += decider.looked_up();
        }
    }
    println!("{decided} decisions, {found} looked up, {nowhere} without a place");
    assert!(found * 2 > decided, "only {found} of {decided} were looked up");
    assert!(nowhere > 60, "only {nowhere} had no place");
}
