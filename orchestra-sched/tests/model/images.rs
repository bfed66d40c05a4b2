//! ImageLocality: better where the images are already, the more so the larger they are.

use orchestra_core::kinds::Node;

use super::{Scored, Situation};

pub(super) const IMAGE_LOCALITY: &str = "ImageLocality";

const MIB: i64 = 1 << 20;
/// Below this the images are not worth it.
const LEAST: i64 = 23 * MIB;
/// Above this, for each container, more makes no difference.
const MOST: i64 = 1000 * MIB;

/// The sizes of the pod's images that the node has, each scaled by how many nodes have it, so that a node
/// does not draw all pods of a sort just because it had the first.
pub(super) fn score(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let spec = &situation.pod.spec;
    let wanted: Vec<String> =
        spec.init_containers.iter().chain(&spec.containers).map(|it| with_tag(&it.image)).collect();
    let most = MOST * i64::try_from(wanted.len()).unwrap_or(i64::MAX / MOST);
    let nodes = &situation.world.nodes;
    let score = |node: &&Node| {
        let mut sum = 0;
        for name in &wanted {
            let Some(size) = size(node, name) else { continue };
            let spread = nodes.iter().filter(|node| has(node, name)).count() as f64 / nodes.len() as f64;
            sum += (size as f64 * spread) as i64;
        }
        // The least comes first: a pod without containers has a most of nothing.
        let sum = if sum < LEAST { LEAST } else { sum.min(most) };
        100 * (sum - LEAST) / (most - LEAST)
    };
    Scored::as_is(fit.iter().map(score).collect())
}

fn has(node: &Node, name: &str) -> bool {
    size(node, name).is_some()
}

fn size(node: &Node, name: &str) -> Option<u64> {
    node.status
        .images
        .iter()
        .find(|image| image.names.iter().any(|it| it == name))
        .map(|image| image.size_bytes)
}

/// An image that says no version is the latest. A colon before the last slash is that of a port.
fn with_tag(image: &str) -> String {
    let versioned = image.rfind(':') > image.rfind('/');
    if versioned { image.to_owned() } else { format!("{image}:latest") }
}
