//! From a pod to its class: what it asks, in terms of columns, masks and tallies.

use std::sync::Arc;

use orchestra_core::kinds::{
    NodePolicy, Pod, PodTerm, PreemptionPolicy, TaintEffect, TopologySpread, WhenUnsatisfiable,
};
use orchestra_core::object::{Map, Operator, Str};

use super::Cluster;
use super::amounts::Ask;
use super::classes::{Class, ClassId, Counts};
use super::labels::{ITSELF, Key};
use super::masks::{Condition, named};
use super::shape::{Asking, Near, Shape, Spread, also, is_hard, ports, selector};
use super::tallies::{Counted, PodSelector, Says, Tally, TallyId, Within};
use crate::filters::cost_limits;
use crate::hash::hash;
use crate::scores::data;

impl Cluster {
    /// The class of a pod that asks for a place.
    pub(crate) fn class_of(&mut self, pod: &Pod) -> ClassId {
        self.class_at(&Asking { pod, node_name: &pod.spec.node_name })
    }

    /// The class of a pod, whichever node it asks for or is on.
    pub(super) fn class_at(&mut self, asking: &Asking<'_>) -> ClassId {
        if let Some(id) = self.classes.find(asking) {
            return id;
        }
        self.forget_unused();
        let shape = self.shape(asking);
        let says: Vec<_> = shape.near.says.clone();
        let id = self.classes.insert(asking, shape);
        let count = |(tally, by): (TallyId, i64)| Counts { tally, by, also_going: true };
        let mut related = Related { counted_by: says.into_iter().map(count).collect(), ..Related::default() };
        if let Some(class) = self.classes.get(id) {
            for (at, tally) in self.tallies.iter().enumerate() {
                if let Some(tally) = tally {
                    related.note(TallyId(at as u32), tally, &class.shape, &self.namespaces);
                }
            }
        }
        if let Some(class) = self.classes.get_mut(id) {
            related.move_into(class);
        }
        id
    }

    fn shape(&mut self, asking: &Asking<'_>) -> Shape {
        let (metadata, spec) = (&asking.pod.metadata, &asking.pod.spec);
        let ask = Ask::of(spec, &mut self.dims);
        self.nodes.widen(self.dims.len());
        let nodes = &self.nodes;
        let chosen = Condition::chosen(spec).map(|condition| self.masks.of(condition, nodes.iter()));
        let tolerated = Some(self.masks.of(Condition::Tolerated(spec.tolerations.clone()), nodes.iter()));
        let affinity = spec.affinity.as_ref();
        let required = affinity.and_then(|it| it.node_affinity.required.as_ref());
        let mut shape = Shape {
            namespace: metadata.namespace.clone(),
            labels: metadata.labels.clone(),
            priority: spec.priority.unwrap_or(0),
            never_preempts: spec.preemption_policy == Some(PreemptionPolicy::Never),
            profile: spec.scheduler_name.clone(),
            ask,
            node_name: asking.node_name.into(),
            chosen,
            named: required.and_then(|it| named(&it.node_selector_terms)),
            tolerated,
            tolerations: spec.tolerations.clone(),
            tolerates_closed: spec.tolerations.iter().any(|it| it.tolerates(&closed())),
            preferred: affinity.map(|it| it.node_affinity.preferred.clone()).unwrap_or_default(),
            ports: ports(spec),
            images: spec.init_containers.iter().chain(&spec.containers).map(|it| it.image.clone()).collect(),
            near: Near::default(),
            hard: Vec::new(),
            soft: Vec::new(),
            gates: spec.scheduling_gates.iter().map(|gate| gate.name.clone()).collect(),
            data: data(spec),
            cost_limits: cost_limits(spec),
            claims: asking.claims(),
            deadline: spec.orchestra.as_ref().and_then(|it| it.deadline.clone()),
            queue: spec.orchestra.as_ref().map(|it| it.queue.clone()).unwrap_or_default(),
        };
        shape.near = self.near(asking.pod, &shape);
        let constraints = &spec.topology_spread_constraints;
        shape.hard = self.spread(constraints, WhenUnsatisfiable::DoNotSchedule, &shape);
        shape.soft = self.spread(constraints, WhenUnsatisfiable::ScheduleAnyway, &shape);
        shape
    }

    fn key_of(&mut self, label: &Str) -> Key {
        let places = self.nodes.places();
        let nodes = &self.nodes;
        self.labels.of(label, nodes.iter(), places)
    }

    fn near(&mut self, pod: &Pod, shape: &Shape) -> Near {
        let Some(affinity) = &pod.spec.affinity else { return Near::default() };
        let (namespace, labels) = (&shape.namespace, &shape.labels);
        let of = |term: &PodTerm| selector(term, namespace, labels);
        let (with, without) = (&affinity.pod_affinity, &affinity.pod_anti_affinity);
        let mut near = Near::default();

        let all: Vec<_> = with.required.iter().map(of).collect();
        for (term, own) in with.required.iter().zip(&all) {
            let key = self.key_of(&term.topology_key);
            near.with.push(self.tally_of(meant(all.clone()), key, Within::default()));
            near.says.push((self.tally_of(saying(Says::Always, own.clone()), key, Within::default()), 1));
        }
        for term in &without.required {
            let key = self.key_of(&term.topology_key);
            near.without.push(self.tally_of(meant(vec![of(term)]), key, Within::default()));
            near.says.push((self.tally_of(saying(Says::Never, of(term)), key, Within::default()), 1));
        }
        let liked = with.preferred.iter().map(|it| (it, i64::from(it.weight)));
        let disliked = without.preferred.iter().map(|it| (it, -i64::from(it.weight)));
        for (preferred, weight) in liked.chain(disliked) {
            let term = &preferred.pod_affinity_term;
            let key = self.key_of(&term.topology_key);
            near.rather.push((self.tally_of(meant(vec![of(term)]), key, Within::default()), weight));
            let saying = saying(Says::Rather, of(term));
            near.says.push((self.tally_of(saying, key, Within::default()), weight));
        }
        near
    }

    fn spread(&mut self, all: &[TopologySpread], when: WhenUnsatisfiable, shape: &Shape) -> Vec<Spread> {
        let ours = || all.iter().filter(|it| is_hard(it.when_unsatisfiable) == is_hard(when));
        let keys: Vec<_> = ours().map(|it| self.key_of(&it.topology_key)).collect();
        let spread = |(constraint, key): (&TopologySpread, &Key)| {
            let mut selector = PodSelector {
                labels: constraint.label_selector.clone(),
                namespaces: vec![shape.namespace.clone()],
                others: None,
            };
            if let Some(labels) = &mut selector.labels {
                also(labels, &constraint.match_label_keys, Operator::In, &shape.labels);
            }
            let is_meant = selector.matches(&shape.namespace, &shape.labels, &Map::new());
            // As in Kubernetes, a selector of everything means the pod itself, and counts no other.
            selector.labels = selector.labels.filter(|labels| !labels.is_empty());
            let honours =
                |policy: Option<NodePolicy>, default| policy.unwrap_or(default) == NodePolicy::Honor;
            let chosen = shape.chosen.filter(|_| honours(constraint.node_affinity_policy, NodePolicy::Honor));
            let tolerated =
                shape.tolerated.filter(|_| honours(constraint.node_taints_policy, NodePolicy::Ignore));
            // As in Kubernetes, a node counts its own pods only, where a host's name counts for little.
            let alone = !is_hard(when) && constraint.topology_key == HOSTNAME;
            let (by, within) = if alone {
                (self.key_of(&Str::from(ITSELF)), Within::default())
            } else {
                let masks = chosen.into_iter().chain(tolerated).collect();
                (*key, Within { masks, keys: keys.clone() })
            };
            let counted = Counted::Meant { by: vec![selector], also_going: false };
            Spread {
                tally: self.tally_of(counted, by, within),
                key: *key,
                by,
                skew: i64::from(constraint.max_skew),
                least_domains: constraint.min_domains.unwrap_or(1) as usize,
                is_meant,
            }
        };
        ours().zip(&keys).map(spread).collect()
    }

    /// The tally of a count, which is taken if it is new. Whoever asks lets it go.
    fn tally_of(&mut self, counted: Counted, key: Key, within: Within) -> TallyId {
        let (hash, tallies) = (hash_of(&counted, key), &self.tallies);
        let is = |at: u32| {
            let tally = tallies[at as usize].as_ref();
            tally.is_some_and(|it| it.key == key && it.within == within && it.counted == counted)
        };
        if let Some(at) = self.tally_index.find(hash, is) {
            self.tallies[at as usize].iter_mut().for_each(|tally| tally.users += 1);
            return TallyId(at);
        }
        within.masks.iter().for_each(|mask| self.masks.keep(*mask));
        let id = self.free_tallies.pop().unwrap_or(TallyId(self.tallies.len() as u32));
        if id.0 as usize == self.tallies.len() {
            self.tallies.push(None);
        }
        self.tallies[id.0 as usize] = Some(Tally::new(counted, key, within));
        let tallies = &self.tallies;
        self.tally_index.insert(hash, id.0, |at| rehash(tallies, at));
        self.count(id);
        id
    }

    /// Fills a tally, and tells the classes of it.
    pub(super) fn count(&mut self, id: TallyId) {
        let Some(mut tally) = self.tallies[id.0 as usize].take() else { return };
        tally.clear();
        let within = tally.within.clone();
        for node in self.nodes.known.iter().filter(|node| self.is_within(&within, *node)) {
            tally.enter(self.labels.column(tally.key).domain(node));
        }
        for class in self.classes.iter_mut() {
            let mut related = Related::default();
            related.note(id, &tally, &class.shape, &self.namespaces);
            self.sayings += u64::from(related.says_something());
            let known = class.counted_by.iter().filter(|counts| counts.tally == id);
            for counts in related.counted_by.iter().chain(known) {
                for pod in class.pods.iter().map(|pod| &self.pods.all[pod.at()]) {
                    if let Some(node) = pod.node.filter(|_| counts.also_going || !pod.is_going)
                        && is_within(&tally.within, node, &self.masks, &self.labels)
                    {
                        tally.add(self.labels.column(tally.key).domain(node), counts.by);
                    }
                }
            }
            related.move_into(class);
        }
        self.tallies[id.0 as usize] = Some(tally);
    }

    /// Counts everything again: which pods are meant has changed.
    pub(super) fn recount_all(&mut self) {
        self.objects += 1;
        for class in self.classes.iter_mut() {
            // What it says of others is counted whoever they are.
            class
                .counted_by
                .retain(|counts| class.shape.near.says.iter().any(|(tally, _)| *tally == counts.tally));
            (class.repelled_by, class.required_by, class.drawn_by) = Default::default();
        }
        (0..self.tallies.len()).for_each(|at| self.count(TallyId(at as u32)));
    }

    /// Forgets the classes that no pod has, when there are many of them.
    fn forget_unused(&mut self) {
        if self.classes.len() < self.classes_kept {
            return;
        }
        let unused = |class: &Class| class.pods.is_empty() && Arc::strong_count(&class.shape) == 1;
        let gone: Vec<_> = self.classes.iter().filter(|(_, class)| unused(class)).map(|(id, _)| id).collect();
        for id in gone {
            if let Some(class) = self.classes.remove(id) {
                self.release(&class.shape);
            }
        }
        self.classes_kept = (self.classes.len() * 2).max(FEWEST_KEPT);
    }

    fn release(&mut self, shape: &Shape) {
        shape.chosen.iter().chain(&shape.tolerated).for_each(|mask| self.masks.release(*mask));
        let near = &shape.near;
        let tallies = near.with.iter().chain(&near.without);
        let weighted = near.rather.iter().chain(&near.says).map(|(tally, _)| tally);
        let spread = shape.hard.iter().chain(&shape.soft).map(|spread| &spread.tally);
        tallies.chain(weighted).chain(spread).for_each(|tally| self.release_tally(*tally));
    }

    fn release_tally(&mut self, id: TallyId) {
        let Some(tally) = &mut self.tallies[id.0 as usize] else { return };
        tally.users -= 1;
        if tally.users > 0 {
            return;
        }
        let hash = hash_of(&tally.counted, tally.key);
        let tallies = &self.tallies;
        self.tally_index.remove(hash, id.0, |at| rehash(tallies, at));
        for class in self.classes.iter_mut() {
            class.counted_by.retain(|counts| counts.tally != id);
            for list in [&mut class.repelled_by, &mut class.required_by, &mut class.drawn_by] {
                let before = list.len();
                list.retain(|it| *it != id);
                self.sayings += u64::from(list.len() != before);
            }
        }
        if let Some(tally) = self.tallies[id.0 as usize].take() {
            tally.within.masks.iter().for_each(|mask| self.masks.release(*mask));
        }
        self.free_tallies.push(id);
    }
}

/// The label by which each node is a domain of its own.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// So many classes are kept before it is worth looking for those that nobody needs.
pub(super) const FEWEST_KEPT: usize = 256;

fn meant(by: Vec<PodSelector>) -> Counted {
    Counted::Meant { by, also_going: true }
}

fn saying(what: Says, of: PodSelector) -> Counted {
    Counted::Saying { what, of }
}

/// What keeps pods from a node that is closed.
fn closed() -> orchestra_core::kinds::Taint {
    let key = Str::from("node.kubernetes.io/unschedulable");
    orchestra_core::kinds::Taint { key, effect: TaintEffect::NoSchedule, ..Default::default() }
}

fn hash_of(counted: &Counted, key: Key) -> u64 {
    let (first, number) = match counted {
        Counted::Meant { by, also_going } => (by.first(), u32::from(*also_going)),
        Counted::Saying { what, of } => (Some(of), 2 + *what as u32),
    };
    let labels = first.and_then(|selector| selector.labels.as_ref()).map(|labels| &labels.match_labels);
    hash(&(number, key, labels, first.map(|selector| &selector.namespaces)))
}

fn rehash(tallies: &[Option<Tally>], at: u32) -> u64 {
    tallies[at as usize].as_ref().map_or(0, |tally| hash_of(&tally.counted, tally.key))
}

/// What a class has to do with tallies.
#[derive(Default)]
struct Related {
    counted_by: Vec<Counts>,
    repelled_by: Vec<TallyId>,
    required_by: Vec<TallyId>,
    drawn_by: Vec<TallyId>,
}

impl Related {
    fn note(
        &mut self,
        id: TallyId,
        tally: &Tally,
        shape: &Shape,
        namespaces: &std::collections::BTreeMap<Str, Map<Str>>,
    ) {
        let nothing = Map::new();
        let about = namespaces.get(&shape.namespace).unwrap_or(&nothing);
        let matches = |selector: &PodSelector| selector.matches(&shape.namespace, &shape.labels, about);
        match &tally.counted {
            Counted::Meant { by, also_going } if by.iter().all(matches) => {
                self.counted_by.push(Counts { tally: id, by: 1, also_going: *also_going });
            }
            Counted::Saying { what, of } if matches(of) => match what {
                Says::Never => self.repelled_by.push(id),
                Says::Always => self.required_by.push(id),
                Says::Rather => self.drawn_by.push(id),
            },
            _ => {}
        }
    }

    fn says_something(&self) -> bool {
        !(self.repelled_by.is_empty() && self.required_by.is_empty() && self.drawn_by.is_empty())
    }

    fn move_into(self, class: &mut Class) {
        class.counted_by.extend(self.counted_by);
        class.repelled_by.extend(self.repelled_by);
        class.required_by.extend(self.required_by);
        class.drawn_by.extend(self.drawn_by);
    }
}

/// Whether a tally looks at a node.
pub(super) fn is_within(
    within: &Within,
    node: crate::set::NodeId,
    masks: &super::Masks,
    labels: &super::Labels,
) -> bool {
    within.masks.iter().all(|mask| masks.has(*mask, node))
        && within.keys.iter().all(|key| labels.column(*key).domain(node) != super::NOWHERE)
}

#[cfg(test)]
mod tests {
    use orchestra_core::kinds::{Affinity, Node, PodAffinity};
    use orchestra_core::object::LabelSelector;

    use super::*;
    use crate::cluster::MOST;

    fn alone(number: usize) -> Pod {
        let app = Str::from(format!("app-{number}"));
        let mut pod =
            Pod::new(format!("pod-{number}")).namespace("default").label("app", app.clone()).build().unwrap();
        let term = PodTerm {
            label_selector: Some(LabelSelector::from_iter([("app", app.clone())])),
            topology_key: HOSTNAME.into(),
            ..PodTerm::default()
        };
        let pod_anti_affinity = PodAffinity { required: vec![term], ..PodAffinity::default() };
        pod.spec.affinity = Some(Box::new(Affinity { pod_anti_affinity, ..Affinity::default() }));
        pod.spec.node_selector.insert("for", app);
        pod
    }

    #[test]
    fn what_nobody_asks_any_more_is_forgotten() {
        let mut cluster = Cluster::seeded(1);
        let node = cluster.set_node(&Node::new("node-0").label(HOSTNAME, "node-0").build().unwrap());
        for number in 0..3_000 {
            let view = cluster.view(&alone(number));
            cluster.assume(&view, node);
            if number >= 10 {
                cluster.remove_pod("default", &format!("pod-{}", number - 10));
            }
            assert!(cluster.classes.len() <= 2 * FEWEST_KEPT, "{}", cluster.classes.len());
        }
        let tallies = cluster.tallies.iter().flatten();
        // Each class takes two: of whom it must not be with, and that it says so.
        assert_eq!(tallies.clone().count(), 2 * cluster.classes.len());
        assert_eq!(tallies.map(Tally::total).sum::<i64>(), 2 * 10, "those that are placed are counted");
        for number in 2_990..3_000 {
            cluster.remove_pod("default", &format!("pod-{number}"));
        }
        assert!(cluster.tallies.iter().flatten().all(|tally| tally.total() == 0));
    }

    #[test]
    fn what_a_node_lacks_beyond_measure_does_not_blur_what_it_has() {
        let mut cluster = Cluster::seeded(1);
        let node = cluster.set_node(&Node::new("node-0").build().unwrap());
        let mut huge = Pod::new("huge").namespace("default").build().unwrap();
        huge.spec.overhead.insert("memory", "8E".parse().unwrap());
        let mut small = Pod::new("small").namespace("default").build().unwrap();
        small.spec.overhead.insert("memory", "3".parse().unwrap());
        for name in ["huge-1", "huge-2", "huge-3"] {
            huge.metadata.name = name.into();
            let view = cluster.view(&huge);
            cluster.assume(&view, node);
        }
        let view = cluster.view(&small);
        cluster.assume(&view, node);
        assert!(cluster.at(node).taken(super::super::Dim::MEMORY) >= MOST);
        for name in ["huge-1", "huge-2", "huge-3"] {
            cluster.remove_pod("default", name);
        }
        assert_eq!(cluster.at(node).taken(super::super::Dim::MEMORY), 3);
    }
}
