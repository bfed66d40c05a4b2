//! The engine, put through what the model is put through.
#![allow(dead_code)] // Each test that includes this uses a part of it.

use std::collections::BTreeMap;

use orchestra_core::kinds::Pod;
use orchestra_sched::{Cluster, Decider, Explanation, Judgement, Profile, Rejection, filters, scores};

use crate::model::{Judge, Judged, Rejected, Settings, Strategy, World};

pub(crate) struct Fast;

impl Judge for Fast {
    fn judge(&self, world: &World, pod: &Pod, settings: &Settings) -> Vec<Judged> {
        let mut cluster = cluster(world, settings);
        let view = cluster.view(pod);
        let explanation = Decider::new(profile(settings)).explain(&cluster, &view);
        judged_all(world, &explanation)
    }
}

/// What is explained, in the world's order.
pub(crate) fn judged_all(world: &World, explanation: &Explanation) -> Vec<Judged> {
    let of = |name: &str| explanation.node(name).expect("every node is explained");
    world.nodes.iter().map(|node| judged(of(&node.metadata.name))).collect()
}

/// The model's world as the engine holds it.
pub(crate) fn cluster(world: &World, settings: &Settings) -> Cluster {
    let mut cluster = Cluster::seeded(0);
    world.namespaces.iter().for_each(|namespace| cluster.set_namespace(namespace));
    for class in &world.storage_classes {
        cluster.set_storage_class(class);
    }
    for volume in &world.volumes {
        cluster.set_volume(volume);
    }
    for claim in &world.claims {
        cluster.set_claim(claim);
    }
    for node in &world.nodes {
        let id = cluster.set_node(node);
        if let Some(rank) = settings.rank.get(node.metadata.name.as_str()) {
            cluster.set_rank(id, *rank);
        }
    }
    for (at, pod) in world.placed.iter().enumerate() {
        // Rows do not name their pods; in a store no two have one name.
        let mut pod = pod.clone();
        if pod.metadata.name.is_empty() {
            pod.metadata.name = format!("placed-{at}").into();
        }
        cluster.set_pod(&pod);
    }
    cluster
}

/// The model's settings as a profile.
pub(crate) fn profile(settings: &Settings) -> Profile {
    let strategy = match &settings.strategy {
        Strategy::LeastAllocated => scores::Strategy::LeastAllocated,
        Strategy::MostAllocated => scores::Strategy::MostAllocated,
        Strategy::RequestedToCapacityRatio(line) => scores::Strategy::RequestedToCapacityRatio(line.clone()),
    };
    let fit = scores::NodeResourcesFit::new(strategy).by(settings.resources.clone());
    let near = scores::InterPodAffinity { hard_weight: settings.hard_pod_affinity_weight };
    let balanced = scores::NodeResourcesBalancedAllocation::by(settings.balanced.clone());
    let profile = Profile::default().score(fit, 1).score(near, 2).score(balanced, 1);
    let profile = profile
        .filter(filters::NodeResourcesFit::ignoring(settings.ignored.clone()))
        .score(scores::NodeAffinity::preferring(settings.added.preferred.clone()), 2);
    let mut profile = profile;
    for (rule, weight) in &settings.weights {
        profile = match *rule {
            "DataLocality" => profile.score(scores::DataLocality, *weight),
            "Cost" => profile.score(scores::Cost::default(), *weight),
            "BestFit" => profile.score(scores::BestFit::default(), *weight),
            "DotProduct" => profile.score(scores::DotProduct::default(), *weight),
            _ => profile,
        };
    }
    let profile = match &settings.added.required {
        Some(required) => profile.filter(filters::NodeAffinity::requiring(required.clone())),
        None => profile,
    };
    settings.weights.iter().fold(profile, |profile, (rule, weight)| profile.weigh(rule, *weight))
}

fn judged(it: &Judgement) -> Judged {
    let rejected = |(rule, rejection): &(&'static str, Rejection)| Rejected {
        rule,
        reasons: rejection.reasons.iter().map(ToString::to_string).collect(),
        resolvable: !rejection.is_final,
    };
    let parts = |value: fn(&orchestra_sched::Part) -> i64| -> BTreeMap<_, _> {
        it.parts.iter().map(|part| (part.rule, value(part))).collect()
    };
    Judged {
        node: it.name.to_string(),
        rejected: it.rejections.first().map(rejected),
        raw: parts(|part| part.raw),
        scores: parts(|part| part.scaled),
        total: it.total,
    }
}
