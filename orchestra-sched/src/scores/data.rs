use orchestra_core::kinds::PodSpec;
use orchestra_core::object::Str;

use crate::cluster::MOST;
use crate::{BEST, Cluster, NodeView, PodView, Reads, Scale, Score};

/// The more of what the pod reads is on the node already, the better: the share, by size, of the data sets that the
/// pod names in `orchestra.data`, in whole percents.
///
/// A node says what it has by labels: `data.orchestra.dev/<name>`, whatever the value, unless that is `false`.
/// A data set of which no size is said counts as a byte: among several without, each counts the same.
///
/// ```
/// use orchestra_core::kinds::{Node, Pod};
/// use orchestra_sched::{Cluster, Decider, Decision, Profile, scores};
///
/// let mut cluster = Cluster::seeded(1);
/// cluster.set_node(&Node::new("empty").build()?);
/// let there = cluster.set_node(&Node::new("full").label("data.orchestra.dev/genomes", "true").build()?);
/// let mut pod = Pod::new("align").build()?;
/// pod.spec.orchestra.get_or_insert_default().data.push(Default::default());
/// pod.spec.orchestra.get_or_insert_default().data[0].name = "genomes".into();
/// let pod = cluster.view(&pod);
/// let mut decider = Decider::new(Profile::empty("near-data").score(scores::DataLocality, 1));
/// assert_eq!(decider.decide(&cluster, &pod), Decision::Place { node: there, score: 100 });
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DataLocality;

/// What the label begins with by which a node says that it has a data set.
pub const DATA_LABEL: &str = "data.orchestra.dev/";

/// How many data sets of a pod are looked at; what it names beyond that does not count.
pub const MOST_DATA: usize = 64;

/// The data sets that a pod reads: the label that says that a node has it, and its size, in order.
pub(crate) fn data(spec: &PodSpec) -> Vec<(Str, i64)> {
    let all = spec.orchestra.iter().flat_map(|it| &it.data).take(MOST_DATA);
    let of = |size: i64| if size == 0 { 1 } else { size.clamp(0, MOST) };
    all.map(|it| (Str::from(format!("{DATA_LABEL}{}", it.name)), of(it.size.value()))).collect()
}

impl Score for DataLocality {
    fn name(&self) -> &'static str {
        "DataLocality"
    }

    fn score(&self, pod: &PodView, node: &NodeView<'_>) -> i64 {
        let data = &pod.shape().data;
        let is_there = |label: &str| node.label(label).is_some_and(|value| value != "false");
        // So few sizes, each below 2⁵³, do not overflow, not even a hundredfold.
        let sum = |all: &mut dyn Iterator<Item = &(Str, i64)>| all.map(|(_, size)| i128::from(*size)).sum();
        let all: i128 = sum(&mut data.iter());
        let there: i128 = sum(&mut data.iter().filter(|(label, _)| is_there(label)));
        if all == 0 { 0 } else { (there * i128::from(BEST) / all) as i64 }
    }

    fn scale(&self) -> Scale {
        Scale::Is
    }

    fn reads(&self, _: &PodView, _: &Cluster) -> Reads {
        Reads::Node
    }

    fn constant(&self, pod: &PodView, _: &Cluster) -> Option<i64> {
        pod.shape().data.is_empty().then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{DataSet, Node, Pod};
    use orchestra_core::object::Quantity;

    use super::*;

    fn reading(cluster: &mut Cluster, data: &[(&str, i64)]) -> PodView {
        let mut pod = Pod::new("pod").build().unwrap();
        let sets =
            data.iter().map(|(name, size)| DataSet { name: (*name).into(), size: Quantity::bytes(*size) });
        pod.spec.orchestra.get_or_insert_default().data = sets.collect();
        cluster.view(&pod)
    }

    #[test]
    fn what_is_there_counts_by_its_size() {
        let mut cluster = Cluster::seeded(1);
        let node = Node::new("node").label("data.orchestra.dev/a", "true");
        let node =
            node.label("data.orchestra.dev/b", "").label("data.orchestra.dev/c", "false").build().unwrap();
        let node = cluster.set_node(&node);
        for (data, expected) in [
            (&[][..], 0),
            (&[("a", 5)], 100),
            (&[("z", 5)], 0),
            (&[("c", 5)], 0),
            (&[("a", 1), ("b", 1), ("z", 1)], 66),
            (&[("a", 0), ("z", 0)], 50),
            (&[("a", 1), ("b", 2), ("z", 9)], 25),
            (&[("a", i64::MAX), ("z", i64::MAX), ("b", i64::MAX)], 66),
        ] {
            let pod = reading(&mut cluster, data);
            assert_eq!(DataLocality.score(&pod, &cluster.at(node)), expected, "{data:?}");
            assert_eq!(DataLocality.constant(&pod, &cluster).is_some(), data.is_empty());
        }
    }

    #[test]
    fn what_changes_counts_at_once() {
        let mut cluster = Cluster::seeded(1);
        let has = |it| Node::new("node").label("data.orchestra.dev/a", it).build().unwrap();
        let pod = reading(&mut cluster, &[("a", 5)]);
        let mut decider = crate::Decider::new(crate::Profile::empty("p").score(DataLocality, 1));
        for _ in 0..3 {
            for (value, score) in [("true", 100), ("false", 0)] {
                let node = cluster.set_node(&has(value));
                assert_eq!(decider.decide(&cluster, &pod), crate::Decision::Place { node, score });
            }
        }
    }
}
