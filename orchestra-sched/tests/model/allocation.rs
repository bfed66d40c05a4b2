//! NodeResourcesFit and NodeResourcesBalancedAllocation, as scores: how full a node is, and how evenly.

use orchestra_core::kinds::Node;
use orchestra_core::object::Str;

use super::requests::{Counted, allocatable, is_device, requested, taken};
use super::{Scored, Situation};

pub(super) const BALANCED_ALLOCATION: &str = "NodeResourcesBalancedAllocation";

/// Which nodes are preferred.
#[derive(Clone, Debug)]
pub(crate) enum Strategy {
    /// Those that have the most left.
    LeastAllocated,
    /// Those that have the least left.
    MostAllocated,
    /// As a line says: a score from 0 to 10 for each of some percentages that are taken, and what lies
    /// between in between.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

/// The mean over the resources, each as often as it counts.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let score = |node: &&Node| {
        let (mut sum, mut weights) = (0, 0);
        for (resource, weight) in &situation.settings.resources {
            let Some((used, has)) = used(situation, node, resource, Counted::AtLeastDefaults) else {
                continue;
            };
            let score = match &situation.settings.strategy {
                Strategy::LeastAllocated if used > has => 0,
                Strategy::LeastAllocated => (has - used) * 100 / has,
                Strategy::MostAllocated => used.min(has) * 100 / has,
                Strategy::RequestedToCapacityRatio(shape) => on_line(shape, used.min(has) * 100 / has),
            };
            // By a line, what scores nothing does not count at all.
            if score > 0 || !matches!(situation.settings.strategy, Strategy::RequestedToCapacityRatio(_)) {
                sum += score * i128::from(*weight);
                weights += i128::from(*weight);
            }
        }
        let mean = match situation.settings.strategy {
            _ if weights == 0 => 0,
            Strategy::RequestedToCapacityRatio(_) => (sum as f64 / weights as f64).round() as i128,
            _ => sum / weights,
        };
        mean as i64
    };
    Scored::as_is(fit.iter().map(score).collect())
}

/// What would be taken of a resource with the pod, and what there is. Nothing is said of a resource of
/// which the node has none, nor of a device that the pod does not ask for.
fn used(situation: &Situation<'_>, node: &Node, resource: &str, counted: Counted) -> Option<(i128, i128)> {
    let wanted = requested(situation.pod, resource, counted);
    let has = allocatable(node, resource);
    if has == 0 || (wanted == 0 && is_device(resource)) {
        return None;
    }
    Some((taken(situation, node, resource, counted) + wanted, has))
}

/// Where the line is at this percentage, from 0 to 100.
fn on_line(shape: &[(i64, i64)], at: i128) -> i128 {
    let points: Vec<(i128, i128)> =
        shape.iter().map(|(x, y)| (i128::from(*x), i128::from(*y) * 10)).collect();
    let Some(next) = points.iter().position(|(x, _)| at <= *x) else {
        return points.last().map_or(0, |(_, y)| *y);
    };
    let (x, y) = points[next];
    let Some((from_x, from_y)) = next.checked_sub(1).map(|before| points[before]) else { return y };
    from_y + (y - from_y) * (at - from_x) / (x - from_x)
}

/// The less the parts that are taken of each resource deviate from each other, the better. For pods that ask
/// for nothing nothing is said, or they would all go to the node that happens to be even.
pub(super) fn balance(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let resources = &situation.settings.balanced;
    let asks = |resource: &Str| requested(situation.pod, resource, Counted::Asked) != 0;
    if !resources.iter().any(asks) {
        return Scored::as_is(vec![0; fit.len()]);
    }
    let score = |node: &&Node| {
        let parts: Vec<f64> = resources
            .iter()
            .filter_map(|resource| used(situation, node, resource, Counted::Asked))
            .map(|(used, has)| (used as f64 / has as f64).min(1.0))
            .collect();
        ((1.0 - deviation(&parts)) * 100.0) as i64
    };
    Scored::as_is(fit.iter().map(score).collect())
}

/// The standard deviation. That of two is half their difference, which is less prone to rounding.
fn deviation(parts: &[f64]) -> f64 {
    match parts {
        [] | [_] => 0.0,
        [a, b] => ((a - b) / 2.0).abs(),
        parts => {
            let mean = parts.iter().sum::<f64>() / parts.len() as f64;
            let squares: f64 = parts.iter().map(|part| (part - mean) * (part - mean)).sum();
            (squares / parts.len() as f64).sqrt()
        }
    }
}
