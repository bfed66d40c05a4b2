//! The random clusters are worth looking at: every rule rejects, every score makes a difference, often, and
//! whoever overlooks something is found out.
#![allow(clippy::unwrap_used)]

mod model;

use std::collections::BTreeMap;

use model::compare::disagreement;
use model::sample::sample;
use model::{Decision, Judge, Judged, Settings, Slow, World, decide, judge, summary};
use orchestra_core::kinds::{Pod, PodAffinity};
use orchestra_core::object::{Map, Quantity};

/// How often something happens in this many clusters.
const SEEDS: u64 = 2000;
/// How often it must.
const LEAST: usize = 50;

#[test]
fn every_rule_and_every_score_has_its_say() {
    let mut settings = Settings::default();
    settings.weights.extend([("DataLocality", 0), ("Cost", 0), ("BestFit", 0), ("DotProduct", 0)]);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut see = |what: String| *seen.entry(what).or_default() += 1;
    for seed in 0..SEEDS {
        let (world, arrivals) = sample(seed);
        for pod in arrivals {
            let judged = judge(&world, &pod, &settings);
            for rejected in judged.iter().filter_map(|judged| judged.rejected.as_ref()) {
                see(format!("rejected by {}", rejected.rule));
                see(format!("rejected {}", if rejected.resolvable { "for now" } else { "for good" }));
                rejected.reasons.iter().for_each(|reason| {
                    let reason = reason.split_once(" taint {").map_or(reason.as_str(), |(start, _)| start);
                    see(format!("reason: {reason}"));
                });
            }
            let fit: Vec<_> = judged.iter().filter(|judged| judged.rejected.is_none()).collect();
            for rule in settings.weights.keys() {
                if fit.iter().any(|judged| judged.scores[rule] != fit[0].scores[rule]) {
                    see(format!("different {rule}"));
                }
            }
            match decide(&pod, &judged, &settings) {
                Decision::Gated => see("gated".to_owned()),
                Decision::Nowhere => see("nowhere".to_owned()),
                Decision::On(node) => {
                    let chosen = fit.iter().find(|judged| judged.node == node).unwrap();
                    let equals = fit.iter().filter(|judged| judged.total == chosen.total).count();
                    see(if equals > 1 { "a tie" } else { "a clear choice" }.to_owned());
                }
            }
        }
    }
    for (what, count) in &seen {
        println!("{count:7} {what}");
    }
    let expected = [
        "gated",
        "nowhere",
        "a tie",
        "a clear choice",
        "rejected for now",
        "rejected for good",
        "rejected by NodeUnschedulable",
        "rejected by NodeName",
        "rejected by TaintToleration",
        "rejected by NodeAffinity",
        "rejected by NodePorts",
        "rejected by NodeResourcesFit",
        "rejected by VolumeBinding",
        "rejected by VolumeZone",
        "rejected by PodTopologySpread",
        "rejected by InterPodAffinity",
        "reason: node(s) didn't satisfy plugin(s) [NodeAffinity]",
        "reason: persistentvolumeclaim \"claim-9\" not found",
        "reason: persistentvolumeclaim \"claim-0\" is being deleted",
        "reason: storageclass.storage.k8s.io \"none\" not found",
        "reason: pod has unbound immediate PersistentVolumeClaims",
        "reason: node(s) didn't match PersistentVolume's node affinity",
        "reason: node(s) didn't find available persistent volumes to bind",
        "reason: node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
        "reason: node(s) had no available volume zone",
        "reason: node(s) didn't match Pod's node affinity/selector",
        "reason: node(s) didn't match pod affinity rules",
        "reason: node(s) didn't match pod anti-affinity rules",
        "reason: node(s) didn't satisfy existing pods anti-affinity rules",
        "reason: node(s) didn't match pod topology spread constraints",
        "reason: node(s) didn't match pod topology spread constraints (missing required label)",
        "reason: Too many pods",
        "reason: Insufficient cpu",
        "reason: Insufficient memory",
        "reason: Insufficient ephemeral-storage",
        "reason: Insufficient example.com/gpu",
        "reason: Insufficient example.com/gpu-milli",
    ];
    let differences = settings.weights.keys().map(|rule| format!("different {rule}"));
    let rare: Vec<String> = expected
        .into_iter()
        .map(str::to_owned)
        .chain(differences)
        .filter(|what| seen.get(what).copied().unwrap_or(0) < LEAST)
        .collect();
    assert!(rare.is_empty(), "too rare: {rare:?}");
}

#[test]
fn scores_are_between_0_and_100_and_add_up() {
    let settings = Settings::default();
    for seed in 0..300 {
        let (world, arrivals) = sample(seed);
        for judged in arrivals.iter().flat_map(|pod| judge(&world, pod, &settings)) {
            assert!(judged.scores.values().all(|score| (0..=100).contains(score)), "seed {seed}: {judged:?}");
            let total: i64 = judged.scores.iter().map(|(rule, score)| score * settings.weights[rule]).sum();
            assert_eq!(judged.total, total, "seed {seed}");
            assert_eq!(judged.scores.is_empty(), judged.rejected.is_some(), "seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same() {
    let settings = Settings::default();
    for seed in 0..50 {
        let said = || {
            let (world, arrivals) = sample(seed);
            let judge = |pod| judge(&world, pod, &settings);
            arrivals.iter().map(|pod| (judge(pod), summary(pod, &judge(pod)))).collect::<Vec<_>>()
        };
        assert_eq!(said(), said(), "seed {seed}");
    }
}

#[test]
fn what_is_sampled_is_what_could_be_stored() {
    use orchestra_core::object::Resource;
    for seed in 0..300 {
        let (world, arrivals) = sample(seed);
        for node in &world.nodes {
            assert_eq!(node.problems().to_string(), "", "seed {seed}");
        }
        for pod in world.placed.iter().chain(&arrivals) {
            assert_eq!(pod.problems().to_string(), "", "seed {seed}");
        }
    }
}

/// The model, told something else.
struct Told(Change);

type Change = fn(&mut World, &mut Pod, &mut Settings);

impl Judge for Told {
    fn judge(&self, world: &World, pod: &Pod, settings: &Settings) -> Vec<Judged> {
        let (mut world, mut pod, mut settings) = (world.clone(), pod.clone(), settings.clone());
        self.0(&mut world, &mut pod, &mut settings);
        Slow.judge(&world, &pod, &settings)
    }
}

#[test]
fn the_order_of_pods_and_namespaces_does_not_matter() {
    let reversed = Told(|world, _, _| {
        world.placed.reverse();
        world.namespaces.reverse();
    });
    for seed in 0..200 {
        assert_eq!(disagreement(&reversed, seed), None);
    }
}

/// What an engine could overlook, each of which the samples must show.
const OVERSIGHTS: [(&str, Change); 33] = [
    ("which resources are ignored", |_, _, settings| settings.ignored.clear()),
    ("what is required for all pods", |_, _, settings| settings.added.required = None),
    ("what is preferred for all pods", |_, _, settings| settings.added.preferred.clear()),
    ("for whom volumes are kept", |world, _, _| {
        world.volumes.iter_mut().for_each(|volume| volume.spec.claim_ref = None);
    }),
    ("how large volumes are", |world, _, _| {
        for volume in &mut world.volumes {
            volume.spec.capacity.insert("storage", Quantity::MAX);
        }
    }),
    ("how volumes may be used", |world, _, _| {
        world.claims.iter_mut().for_each(|claim| claim.spec.access_modes.clear());
    }),
    ("which volumes are wanted", |world, _, _| {
        world.claims.iter_mut().for_each(|claim| claim.spec.selector = None);
    }),
    ("for which node one is to be made", |world, _, _| {
        world.claims.iter_mut().for_each(|claim| claim.metadata.annotations = Map::new());
    }),
    ("where volumes may be made", |world, _, _| {
        world.storage_classes.iter_mut().for_each(|class| class.spec.allowed_topologies.clear());
    }),
    ("which devices placed pods have", |world, _, _| each(world, |pod| pod.spec.orchestra = None)),
    ("shares of devices", |world, _, _| {
        each(world, |pod| {
            let containers = pod.spec.containers.iter_mut();
            containers.for_each(|it| it.resources.requests.retain(|name, _| name != "example.com/gpu-milli"));
        });
    }),
    ("the last placed pod", |world, _, _| drop(world.placed.pop())),
    ("which pods are being deleted", |world, _, _| each(world, |pod| pod.metadata.deletion_timestamp = None)),
    ("placed pods' init containers", |world, _, _| each(world, |pod| pod.spec.init_containers.clear())),
    ("placed pods' overhead", |world, _, _| each(world, |pod| pod.spec.overhead = Map::new())),
    ("what is asked for placed pods as a whole", |world, _, _| {
        each(world, |pod| pod.spec.resources.requests = Map::new());
    }),
    ("what placed pods prefer", |world, _, _| {
        terms(world, |near, away| {
            near.preferred.clear();
            away.preferred.clear();
        })
    }),
    ("what placed pods keep away from", |world, _, _| terms(world, |_, away| away.required.clear())),
    ("what placed pods must be near", |world, _, _| terms(world, |near, _| near.required.clear())),
    ("placed pods' ports", |world, _, _| {
        each(world, |pod| pod.spec.containers.iter_mut().for_each(|it| it.ports.clear()));
    }),
    ("the labels of namespaces", |world, _, _| {
        world.namespaces.iter_mut().for_each(|namespace| namespace.metadata.labels = Map::new());
    }),
    ("the order of taints", |world, _, _| world.nodes.iter_mut().for_each(|node| node.spec.taints.reverse())),
    ("how large images are", |world, _, _| {
        let images = world.nodes.iter_mut().flat_map(|node| &mut node.status.images);
        images.for_each(|image| image.size_bytes *= 2);
    }),
    ("a node without pods", |world, _, _| {
        let taken = |name: &str| world.placed.iter().any(|pod| pod.spec.node_name == name);
        if let Some(free) = world.nodes.iter().position(|node| !taken(node.name())) {
            world.nodes[free].spec.unschedulable = true;
        }
    }),
    ("the effects of tolerations", |_, pod, _| {
        pod.spec.tolerations.iter_mut().for_each(|it| it.effect = None)
    }),
    ("the fewest places", |_, pod, _| {
        pod.spec.topology_spread_constraints.iter_mut().for_each(|it| it.min_domains = None);
    }),
    ("whether affinity matters to spread", |_, pod, _| {
        pod.spec.topology_spread_constraints.iter_mut().for_each(|it| it.node_affinity_policy = None);
    }),
    ("whether taints matter to spread", |_, pod, _| {
        pod.spec.topology_spread_constraints.iter_mut().for_each(|it| it.node_taints_policy = None);
    }),
    ("labels that are compared in spread", |_, pod, _| {
        pod.spec.topology_spread_constraints.iter_mut().for_each(|it| it.match_label_keys.clear());
    }),
    ("labels that are compared in affinity", |_, pod, _| {
        let affinity = pod.spec.affinity.iter_mut();
        let terms = affinity
            .flat_map(|it| it.pod_affinity.required.iter_mut().chain(&mut it.pod_anti_affinity.required));
        terms.for_each(|term| {
            term.match_label_keys.clear();
            term.mismatch_label_keys.clear();
        });
    }),
    ("the addresses of ports", |_, pod, _| {
        let ports = pod.spec.containers.iter_mut().flat_map(|it| &mut it.ports);
        ports.for_each(|port| port.host_ip = "".into());
    }),
    ("what requirements of others count", |_, _, settings| settings.hard_pod_affinity_weight += 1),
    ("what a score counts", |_, _, settings| *settings.weights.entry("ImageLocality").or_default() += 1),
];

fn each(world: &mut World, change: impl Fn(&mut Pod)) {
    world.placed.iter_mut().for_each(change);
}

fn terms(world: &mut World, change: impl Fn(&mut PodAffinity, &mut PodAffinity)) {
    let affinities = world.placed.iter_mut().filter_map(|pod| pod.spec.affinity.as_mut());
    affinities.for_each(|affinity| change(&mut affinity.pod_affinity, &mut affinity.pod_anti_affinity));
}

#[test]
fn what_could_be_overlooked_makes_a_difference() {
    for (what, change) in OVERSIGHTS {
        let found = (0..1000).find(|seed| disagreement(&Told(change), *seed).is_some());
        println!("{:>4} {what}", found.map_or_else(|| "-".to_owned(), |seed| seed.to_string()));
        assert!(found.is_some(), "{what} makes no difference in any sample");
    }
}
