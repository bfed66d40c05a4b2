//! Holding somebody against the model, over sampled clusters.

use super::sample::{sample, settings};
use super::{Decision, Judge, decide, judge};

/// Lets the pods of a sample arrive one after the other, each going where the model says, and tells where
/// somebody first says something else.
pub(crate) fn disagreement(other: &dyn Judge, seed: u64) -> Option<String> {
    let (mut world, arrivals) = sample(seed);
    let settings = settings(seed);
    for mut pod in arrivals {
        let right = judge(&world, &pod, &settings);
        let found = other.judge(&world, &pod, &settings);
        if right != found {
            let differs = right.iter().zip(&found).find(|(right, found)| right != found);
            return Some(format!("seed {seed}, {}: {differs:?}", pod.name()));
        }
        if let Decision::On(node) = decide(&pod, &right, &settings) {
            pod.spec.node_name = node.into();
            world.placed.push(pod);
        }
    }
    None
}
