use crate::{BEST, Cluster, NodeView, PodView, Reads, Scale, Score};

/// The more bytes of the pod's images a node has already, the better. An image counts the more the more
/// nodes have it, so that pods are not drawn to the one node that has theirs.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageLocality;

const MIB: i64 = 1024 * 1024;
/// What is fetched so quickly that it does not matter,
const LEAST: i64 = 23 * MIB;
/// and beyond what, for each container, more does not count.
const MOST: i64 = 1000 * MIB;

impl Score for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let (cluster, images) = (node.cluster(), &pod.shape().images);
        let there = &cluster.facts(node.id()).images;
        let counts = |image: &orchestra_core::object::Str| {
            let image = with_tag(image);
            let found = there.binary_search_by(|(name, _)| name.as_str().cmp(&image)).ok()?;
            let spread = f64::from(cluster.nodes_with_image(&image)) / cluster.len() as f64;
            Some((there[found].1 as f64 * spread) as i64)
        };
        let sum: i64 = images.iter().filter_map(counts).fold(0, i64::saturating_add);
        let most = MOST * images.len().max(1) as i64;
        BEST * (sum.clamp(LEAST, most) - LEAST) / (most - LEAST)
    }

    fn scale(&self) -> Scale {
        Scale::Is
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn version(&self, _: &PodView, cluster: &Cluster) -> u64 {
        cluster.objects() // on how many of the nodes an image is
    }

    fn constant(&self, pod: &PodView, cluster: &Cluster) -> Option<i64> {
        let nowhere = |image: &orchestra_core::object::Str| cluster.nodes_with_image(&with_tag(image)) == 0;
        pod.shape().images.iter().all(nowhere).then_some(0)
    }
}

/// An image's name with the tag that it has when none is said.
fn with_tag(image: &str) -> std::borrow::Cow<'_, str> {
    if image.rfind(':') <= image.rfind('/') { format!("{image}:latest").into() } else { image.into() }
}
