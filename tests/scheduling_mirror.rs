//! The small world that the benchmark of scheduling asks the slow model about gives the answers of the whole one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../benches/scheduling/mirror.rs"]
#[allow(dead_code)] // the benchmark uses the rest
mod mirror;
#[path = "../orchestra-sched/tests/model/mod.rs"]
mod model;
#[path = "../benches/scheduling/workload.rs"]
#[allow(dead_code)]
mod workload;

use mirror::{Known, Mirror};
use orchestra_core::kinds::Pod;

const NODES: usize = 60;
const PODS: usize = 150;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Has pods come, each where the whole world says, and now and then go; tells how many came to a place and how
/// many did not.
fn compare(what: &str, seed: u64, mut pod: impl FnMut(&mut Random, usize) -> Pod) -> [usize; 2] {
    let mut random = Random(seed);
    let (mut known, mut mirror) = (Known::default(), Mirror::default());
    for number in 0..NODES {
        let rank = (random.below(1 << 20) << 8 | number) as u64;
        known.add_node(number as u32, workload::node(number), rank);
        mirror.add_node(&known, number as u32);
    }
    let (mut there, mut found) = (Vec::new(), [0, 0]);
    for number in 0..PODS {
        let pod = pod(&mut random, number);
        let sort = known.sort(&pod);
        let small = mirror.decide(&known, sort);
        assert_eq!(small, mirror.decide_whole(&known, sort), "{what}, pod {number}: small, then whole world");
        if let Some((node, _)) = small {
            let name = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
            mirror.put(&known, name.clone(), node, sort);
            there.push(name);
        }
        found[usize::from(small.is_none())] += 1;
        if !there.is_empty() && random.below(6) == 0 {
            mirror.remove(&known, &there.swap_remove(random.below(there.len())));
        }
    }
    found
}

#[test]
fn each_workload_is_told_the_same() {
    for workload in workload::ALL {
        let before = NODES / 3;
        let new = |_: &mut Random, number| {
            if number < before { (workload.old)(number) } else { (workload.new)(number) }
        };
        let [placed, _] = compare(workload.name, 7, new);
        assert!(placed > 0, "{}", workload.name);
    }
}

/// Pods of all workloads beside each other: each rule meets each.
#[test]
fn mixed_workloads_are_told_the_same() {
    let mut found = [0, 0];
    for seed in 0..4 {
        let any = |random: &mut Random, number| {
            let workload = &workload::ALL[random.below(workload::ALL.len())];
            // Some are large, so that nodes fill up.
            let mut pod = if random.below(3) == 0 { (workload.old)(number) } else { (workload.new)(number) };
            if seed % 2 == 1 {
                pod.spec.containers[0]
                    .resources
                    .requests
                    .insert("cpu", orchestra_core::object::Quantity::milli(2500));
            }
            pod
        };
        let [placed, nowhere] = compare(&format!("seed {seed}"), seed, any);
        found = [found[0] + placed, found[1] + nowhere];
    }
    assert!(found[0] > 300 && found[1] > 30, "{found:?} pods were and were not placed");
}
