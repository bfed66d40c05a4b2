//! Who has to go is whom a slow and obvious reading of Kubernetes' rule picks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fast;
mod model;

use std::cmp::Reverse;

use model::sample::sample;
use model::{Settings, World, judge};
use orchestra_core::kinds::{Pod, PodDisruptionBudget};
use orchestra_core::object::LabelSelector;
use orchestra_sched::{Decider, LeastImportant, Preempt, Profile};

/// What is picked: the node, the names of the victims in order, and how many budgets are violated.
type Picked = Option<(String, Vec<String>, usize)>;

fn priority(pod: &Pod) -> i32 {
    pod.spec.priority.unwrap_or(0)
}

/// The most important first.
fn by_importance(pods: &mut [Pod]) {
    pods.sort_by_key(|pod| {
        let since = pod.status.start_time;
        (
            Reverse(priority(pod)),
            since.is_none(),
            since,
            pod.metadata.namespace.clone(),
            pod.metadata.name.clone(),
        )
    });
}

fn is_under(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    budget.metadata.namespace == pod.metadata.namespace
        && budget.spec.selector.as_ref().is_some_and(|pods| pods.matches(&pod.metadata.labels))
}

/// On each node: all less important pods go; as many as possible come back; the cheapest node wins.
fn slowly(
    world: &World,
    budgets: &[PodDisruptionBudget],
    nominated: &[(String, Pod)],
    pod: &Pod,
    settings: &Settings,
) -> Picked {
    let mut all = Vec::new();
    for (at, node) in world.nodes.iter().enumerate() {
        let kept: Vec<_> = nominated
            .iter()
            .filter(|(on, it)| *on == *node.metadata.name && priority(it) >= priority(pod))
            .map(|(_, it)| it.clone())
            .collect();
        let fits = |there: &[Pod]| {
            let others = world.placed.iter().filter(|it| it.spec.node_name != node.metadata.name);
            let mut world = World { placed: others.chain(there).cloned().collect(), ..world.clone() };
            let alone = judge(&world, pod, settings)[at].rejected.is_none();
            world.placed.extend(kept.iter().cloned());
            alone && (kept.is_empty() || judge(&world, pod, settings)[at].rejected.is_none())
        };
        let here = world.placed.iter().filter(|it| it.spec.node_name == node.metadata.name).cloned();
        let (mut less, mut there): (Vec<_>, Vec<_>) = here.partition(|it| priority(it) < priority(pod));
        by_importance(&mut less);
        if less.is_empty() || !fits(&there) {
            continue;
        }
        let mut left: Vec<_> = budgets.iter().map(|it| i64::from(it.status.disruptions_allowed)).collect();
        let (violating, others): (Vec<_>, Vec<_>) = less.into_iter().partition(|pod| {
            let mut violates = false;
            for (_, left) in budgets.iter().zip(&mut left).filter(|(budget, _)| is_under(budget, pod)) {
                *left -= 1;
                violates |= *left < 0;
            }
            violates
        });
        let (mut victims, mut violations) = (Vec::new(), 0);
        for (pods, violate) in [(violating, true), (others, false)] {
            for candidate in pods {
                there.push(candidate.clone());
                if !fits(&there) {
                    there.pop();
                    victims.push(candidate);
                    violations += usize::from(violate);
                }
            }
        }
        by_importance(&mut victims);
        let highest = victims.iter().map(priority).max();
        let sum: i64 = victims.iter().map(|it| i64::from(priority(it)) + (1 << 31)).sum();
        let first = victims.iter().filter(|it| Some(priority(it)) == highest);
        let since = first.map(|it| (it.status.start_time.is_none(), it.status.start_time)).min();
        let rank = settings.rank[node.metadata.name.as_str()];
        let names = victims.iter().map(|it| it.metadata.name.to_string()).collect();
        let cost = (violations, highest, sum, victims.len(), Reverse(since), rank);
        all.push((cost, (node.metadata.name.to_string(), names, violations)));
    }
    all.into_iter().min_by(|one, other| one.0.cmp(&other.0)).map(|it| it.1)
}

#[test]
fn whoever_the_model_picks_has_to_go() {
    let (mut picked, mut violated, mut nobody) = (0, 0, 0);
    let seeds = std::env::var("ORCHESTRA_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(150);
    for seed in 0..seeds {
        let (mut world, mut arrivals) = sample(seed);
        let mut random = seed;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for pod in &mut world.placed {
            pod.spec.priority = Some(next(4) as i32 - 1);
            let started = format!("2026-01-01T00:00:{:02}Z", next(5));
            pod.status.start_time = (next(4) > 0).then(|| started.parse().unwrap());
        }
        for pod in &mut arrivals {
            pod.spec.priority = Some(next(4) as i32);
            pod.spec.scheduling_gates = [].into();
        }
        let mut budgets = Vec::new();
        for namespace in &world.namespaces {
            for app in ["web", "db", "cache"] {
                let mut budget = PodDisruptionBudget::default();
                budget.metadata.name = app.into();
                budget.metadata.namespace = namespace.metadata.name.clone();
                budget.spec.selector = Some(LabelSelector::from_iter([("app", app)]));
                budget.status.disruptions_allowed = u32::from(next(4) == 0);
                budgets.push(budget);
            }
        }
        let mut settings = Settings::default();
        for node in &world.nodes {
            settings
                .rank
                .insert(node.metadata.name.to_string(), next(1000) * 100 + settings.rank.len() as u64);
        }
        let mut cluster = fast::cluster(&world, &settings);
        budgets.iter().for_each(|budget| cluster.set_budget(budget));
        let mut nominated = Vec::new();
        let (_, others) = sample(seed + 1_000_000);
        for mut pod in others.into_iter().filter(|_| !world.nodes.is_empty()) {
            let node = world.nodes[next(world.nodes.len() as u64) as usize].metadata.name.clone();
            pod.metadata.name = format!("nominated-{}", nominated.len()).into();
            pod.spec.priority = Some(next(4) as i32 - 1);
            pod.spec.node_name = "".into();
            let view = cluster.view(&pod);
            cluster.nominate(&view, cluster.node(&node).unwrap());
            pod.spec.node_name = node.clone();
            nominated.push((node.to_string(), pod));
        }
        let profile = Profile::default();
        let mut preempt = LeastImportant::default();
        // Each asks again after something has changed.
        for pod in arrivals.iter().chain(&arrivals) {
            let view = cluster.view(pod);
            let before = Decider::new(profile.clone()).explain(&cluster, &view);
            let eviction = preempt.preempt(&profile, &mut cluster, &view);
            let found = eviction.map(|it| {
                let names = it.victims.iter().map(|it| it.name.to_string()).collect();
                (cluster.name(it.node).to_string(), names, it.violations)
            });
            let expected = slowly(&world, &budgets, &nominated, pod, &settings);
            assert_eq!(found, expected, "seed {seed}, {}", pod.metadata.name);
            assert_eq!(Decider::new(profile.clone()).explain(&cluster, &view), before, "seed {seed}");
            match expected {
                Some((_, _, violations)) => {
                    picked += 1;
                    violated += usize::from(violations > 0);
                }
                None => nobody += 1,
            }
            match next(5) {
                0 if !world.placed.is_empty() => {
                    let gone = world.placed.swap_remove(next(world.placed.len() as u64) as usize);
                    cluster.remove_pod(&gone.metadata.namespace, &gone.metadata.name);
                }
                1 if !world.placed.is_empty() => {
                    let at = next(world.placed.len() as u64) as usize;
                    let started = format!("2026-01-01T00:01:{:02}Z", next(5));
                    world.placed[at].status.start_time = Some(started.parse().unwrap());
                    cluster.set_pod(&world.placed[at]);
                }
                2 if !budgets.is_empty() => {
                    let at = next(budgets.len() as u64) as usize;
                    let budget = &mut budgets[at];
                    budget.status.disruptions_allowed = next(2) as u32;
                    cluster.set_budget(budget);
                }
                3 if !nominated.is_empty() => {
                    let (_, pod) = nominated.swap_remove(next(nominated.len() as u64) as usize);
                    cluster.denominate(&pod.metadata.namespace, &pod.metadata.name);
                }
                _ => {}
            }
        }
    }
    println!("{picked} picked, {violated} against a budget, {nobody} in vain");
    assert!(picked > 100 && violated >= 10 && nobody > 100, "{picked} {violated} {nobody}");
}

#[test]
fn a_pod_that_drives_nobody_out_waits() {
    let (world, _) = sample(1);
    let mut cluster = fast::cluster(&world, &Settings::default());
    let mut pod = Pod::new("a").namespace("default").build().unwrap();
    pod.spec.priority = Some(100);
    pod.spec.preemption_policy = Some(orchestra_core::kinds::PreemptionPolicy::Never);
    let view = cluster.view(&pod);
    assert_eq!(LeastImportant::default().preempt(&Profile::default(), &mut cluster, &view), None);
}
