//! Room that is kept for a nominated pod is left alone by whoever is not more important, as filters go: a pod
//! goes where it fits with those who are nominated there, and without them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fast;
mod model;

use model::sample::sample;
use model::{Settings, World, judge};
use orchestra_core::kinds::Pod;
use orchestra_sched::{Decider, Decision, Profile};

fn priority(pod: &Pod) -> i32 {
    pod.spec.priority.unwrap_or(0)
}

/// Where a pod goes: nodes where it does not fit beside those who are nominated there are closed to it.
fn slowly(world: &World, nominated: &[Pod], pod: &Pod, settings: &Settings) -> model::Decision {
    let mut left = world.clone();
    for (at, node) in world.nodes.iter().enumerate() {
        let kept = nominated.iter().filter(|it| {
            it.spec.node_name == node.metadata.name
                && priority(it) >= priority(pod)
                && (&it.metadata.name, &it.metadata.namespace)
                    != (&pod.metadata.name, &pod.metadata.namespace)
        });
        let placed = world.placed.iter().chain(kept).cloned().collect();
        let beside = World { placed, ..world.clone() };
        left.nodes[at].spec.unschedulable |= judge(&beside, pod, settings)[at].rejected.is_some();
    }
    model::decide(pod, &judge(&left, pod, settings), settings)
}

#[test]
fn room_that_is_kept_is_left_alone() {
    let (mut made_way, mut decided) = (0, 0);
    let seeds = std::env::var("ORCHESTRA_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(30);
    for seed in 0..seeds {
        let (world, mut arrivals) = sample(seed);
        let mut random = seed;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below.max(1)
        };
        for (at, pod) in arrivals.iter_mut().enumerate() {
            pod.metadata.name = format!("pod-{at}").into();
            pod.spec.priority = Some(next(3) as i32);
            pod.spec.scheduling_gates = [].into();
            // Who may go to closed nodes is not kept from them by closing them.
            pod.spec.tolerations = [].into();
        }
        let mut settings = Settings::default();
        for (at, node) in world.nodes.iter().enumerate() {
            settings.rank.insert(node.metadata.name.to_string(), (next(1000) * 100 + at) as u64);
        }
        let mut cluster = fast::cluster(&world, &settings);
        let mut decider = Decider::new(Profile::default());
        let mut nominated: Vec<Pod> = Vec::new();
        for _ in 0..20 {
            let pod = arrivals[next(arrivals.len())].clone();
            let known = nominated.iter().position(|it| it.metadata.name == pod.metadata.name);
            match known {
                Some(at) if next(3) == 0 => {
                    cluster.denominate(&pod.metadata.namespace, &pod.metadata.name);
                    nominated.remove(at);
                }
                None if !world.nodes.is_empty() && next(2) == 0 => {
                    // Mostly where others of its sort would go.
                    let view = cluster.view(&pod);
                    let node = match decider.decide(&cluster, &view) {
                        Decision::Place { node, .. } if next(4) > 0 => cluster.name(node).clone(),
                        _ => world.nodes[next(world.nodes.len())].metadata.name.clone(),
                    };
                    cluster.nominate(&view, cluster.node(&node).unwrap());
                    let mut pod = pod.clone();
                    pod.spec.node_name = node;
                    nominated.push(pod);
                }
                _ => {}
            }
            let view = cluster.view(&pod);
            let found = decider.decide(&cluster, &view);
            assert_eq!(found, decider.decide_anew(&cluster, &view), "seed {seed}");
            let explained = decider.explain(&cluster, &view);
            let expected = slowly(&world, &nominated, &pod, &settings);
            let as_model = match found {
                Decision::Gated => model::Decision::Gated,
                Decision::NoFit => model::Decision::Nowhere,
                Decision::Place { node, .. } => model::Decision::On(cluster.name(node).to_string()),
            };
            assert_eq!(as_model, expected, "seed {seed}: {}", serde_json::to_string(&pod).unwrap());
            let best = explained.nodes.first().filter(|it| it.fits()).map(|it| it.name.to_string());
            assert_eq!(best.map_or(model::Decision::Nowhere, model::Decision::On), expected, "seed {seed}");
            let unhindered = model::decide(&pod, &judge(&world, &pod, &settings), &settings);
            made_way += usize::from(unhindered != expected);
            decided += 1;
        }
    }
    println!("{made_way} of {decided} decisions made way");
    assert!(made_way * 100 > decided, "{made_way} of {decided}");
}
