//! [`Queues`]: what the pods of each queue take in all, wherever they are.

use std::collections::BTreeMap;

use orchestra_core::object::Str;

use super::Cluster;
use super::amounts::{Ask, Dim};

/// What the pods of each queue take in all. A queue whose pods take nothing is not remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues {
    /// Those who name no queue, which is mostly all of them.
    unnamed: Taken,
    named: BTreeMap<Str, Taken>,
}

/// By dimension.
type Taken = Vec<i128>;

impl Queues {
    /// A pod of a queue takes its place, or leaves it.
    pub(crate) fn take(&mut self, queue: &Str, ask: &Ask, times: i64) {
        let taken = match queue.is_empty() {
            true => &mut self.unnamed,
            false => self.named.entry(queue.clone()).or_default(),
        };
        for (dim, amount) in ask.amounts.iter().chain(&[(Dim::PODS, 1)]) {
            if taken.len() <= dim.at() {
                taken.resize(dim.at() + 1, 0);
            }
            taken[dim.at()] += i128::from(*amount) * i128::from(times);
        }
        if times < 0 && !queue.is_empty() && taken.iter().all(|it| *it == 0) {
            self.named.remove(queue);
        }
    }
}

impl Cluster {
    /// What the pods of a queue take in all, by resource, on nodes that are known. What they do not take is left out.
    pub fn taken_by(&self, queue: &str) -> impl Iterator<Item = (Dim, i128)> {
        let taken = match queue.is_empty() {
            true => Some(&self.queues.unnamed),
            false => self.queues.named.get(queue),
        };
        taken
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(_, taken)| **taken != 0)
            .map(|(at, taken)| (Dim(at as u16), *taken))
    }

    /// What all nodes have for pods, by resource.
    pub fn total(&self) -> impl Iterator<Item = (Dim, i128)> {
        let totals = self.nodes.resources.iter().map(|resource| resource.total).enumerate();
        totals.filter(|(_, total)| *total != 0).map(|(at, total)| (Dim(at as u16), total))
    }
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Container, Node, Pod};
    use orchestra_core::object::Quantity;

    use super::*;

    #[test]
    fn what_is_there_and_taken_follows_nodes_and_pods() {
        let mut cluster = Cluster::seeded(1);
        let node = |name: &str, cpu: i64| {
            let mut node = Node::new(name).build().unwrap();
            node.status.allocatable.insert("cpu", Quantity::from(cpu));
            node
        };
        cluster.set_node(&node("a", 4));
        cluster.set_node(&node("b", 8));
        assert_eq!(cluster.total().collect::<Vec<_>>(), [(Dim::CPU, 12_000)]);
        let mut pod = Pod::new("one").namespace("default").container(Container::new("app").request("cpu", 1));
        pod = pod.set("spec.orchestra.queue", "batch").set("spec.nodeName", "a");
        let mut pod = pod.build().unwrap();
        cluster.set_pod(&pod);
        let batch = |cluster: &Cluster| cluster.taken_by("batch").collect::<Vec<_>>();
        assert_eq!(batch(&cluster), [(Dim::CPU, 1000), (Dim::PODS, 1)]);
        assert_eq!(cluster.taken_by("other").count(), 0);
        // The node goes, and with it what was taken there; it comes back smaller.
        cluster.remove_node("a");
        assert_eq!(
            (batch(&cluster).len(), cluster.total().collect::<Vec<_>>()),
            (0, vec![(Dim::CPU, 8_000)])
        );
        cluster.set_node(&node("a", 2));
        assert_eq!(
            (batch(&cluster).len(), cluster.total().collect::<Vec<_>>()),
            (2, vec![(Dim::CPU, 10_000)])
        );
        // It ends.
        pod.status.phase = orchestra_core::kinds::PodPhase::Succeeded;
        cluster.set_pod(&pod);
        assert_eq!(batch(&cluster).len(), 0);
    }
}
