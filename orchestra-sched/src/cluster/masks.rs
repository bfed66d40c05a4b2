//! [`Masks`]: which nodes meet a condition that only a node's own object decides, one bit a node.

use std::collections::BTreeSet;

use orchestra_core::kinds::{NodeTerm, PodSpec, TaintEffect, Toleration};
use orchestra_core::object::{Few, Map, Operator, Str};

use super::nodes::Facts;
use crate::hash::{Index, hash};
use crate::set::{NodeId, NodeSet};

/// A condition on nodes, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MaskId(u32);

/// What a node's object must say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// That it has these labels and meets one of the terms, if there are any.
    Chosen { labels: Map<Str>, terms: Option<Vec<NodeTerm>> },
    /// That these put up with whatever keeps pods away from it.
    Tolerated(Few<Toleration>),
}

impl Condition {
    /// What a pod demands of a node's labels and name; `None` when it demands nothing.
    pub(crate) fn chosen(spec: &PodSpec) -> Option<Self> {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.required.as_ref());
        let terms = affinity.map(|selector| selector.node_selector_terms.clone());
        let is_any = spec.node_selector.is_empty() && terms.is_none();
        (!is_any).then(|| Self::Chosen { labels: spec.node_selector.clone(), terms })
    }

    pub(crate) fn holds(&self, node: &Facts) -> bool {
        match self {
            Self::Chosen { labels, terms } => {
                labels.iter().all(|(key, value)| node.labels.get(key) == Some(value))
                    && terms.as_ref().is_none_or(|terms| terms.iter().any(|term| meets(term, node)))
            }
            Self::Tolerated(tolerations) => !node.taints.iter().any(|taint| {
                matches!(taint.effect, TaintEffect::NoSchedule | TaintEffect::NoExecute)
                    && !tolerations.iter().any(|toleration| toleration.tolerates(taint))
            }),
        }
    }

    fn hash(&self) -> u64 {
        let of_list = |list: &[NodeTerm]| {
            let keys = list.iter().flat_map(|term| &term.match_expressions);
            hash(&keys.map(|it| (&it.key, it.values.first())).collect::<Vec<_>>())
        };
        match self {
            Self::Chosen { labels, terms } => hash(&(labels, terms.as_deref().map(of_list))),
            Self::Tolerated(list) => hash(&list.iter().map(|it| (&it.key, &it.value)).collect::<Vec<_>>()),
        }
    }
}

/// The nodes that the terms name, in order; nothing when one of them names none.
pub(crate) fn named(terms: &[NodeTerm]) -> Option<Vec<Str>> {
    let mut all = BTreeSet::new();
    for term in terms {
        let lists = term.match_fields.iter();
        let lists = lists.filter(|it| it.key == "metadata.name" && it.operator == Operator::In);
        let sets = lists.map(|it| it.values.iter().cloned().collect::<BTreeSet<_>>());
        all.extend(sets.reduce(|one, other| one.intersection(&other).cloned().collect())?);
    }
    (!terms.is_empty()).then(|| all.into_iter().collect())
}

/// Whether a node meets a term. A term that says nothing is met by no node.
pub(crate) fn meets(term: &NodeTerm, node: &Facts) -> bool {
    let says_something = !term.match_expressions.is_empty() || !term.match_fields.is_empty();
    says_something
        && term.match_expressions.iter().all(|requirement| requirement.matches(&node.labels))
        && term.match_fields.iter().all(|it| match (it.key.as_str(), it.operator) {
            ("metadata.name", Operator::In) => it.values.contains(&node.name),
            ("metadata.name", Operator::NotIn) => !it.values.contains(&node.name),
            _ => false, // there is no other field, and nothing else that can be asked of it
        })
}

#[derive(Clone, Debug)]
struct Mask {
    condition: Condition,
    nodes: NodeSet,
    users: u32,
}

/// All conditions that somebody asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masks {
    masks: Vec<Option<Mask>>,
    free: Vec<u32>,
    index: Index,
}

impl Masks {
    /// The mask of a condition, which is filled if it is new. Whoever asks [lets it go](Self::release).
    pub(crate) fn of<'a>(
        &mut self,
        condition: Condition,
        nodes: impl Iterator<Item = (NodeId, &'a Facts)>,
    ) -> MaskId {
        let hash = condition.hash();
        let is = |at: u32| self.masks[at as usize].as_ref().is_some_and(|mask| mask.condition == condition);
        if let Some(at) = self.index.find(hash, is) {
            self.masks[at as usize].iter_mut().for_each(|mask| mask.users += 1);
            return MaskId(at);
        }
        let meeting = nodes.filter(|(_, facts)| condition.holds(facts)).map(|(node, _)| node).collect();
        let mask = Mask { condition, nodes: meeting, users: 1 };
        let at = self.free.pop().unwrap_or(self.masks.len() as u32);
        if at as usize == self.masks.len() {
            self.masks.push(None);
        }
        self.masks[at as usize] = Some(mask);
        let masks = &self.masks;
        self.index.insert(hash, at, |at| masks[at as usize].as_ref().map_or(0, |mask| mask.condition.hash()));
        MaskId(at)
    }

    /// One user more.
    pub(crate) fn keep(&mut self, id: MaskId) {
        self.masks[id.0 as usize].iter_mut().for_each(|mask| mask.users += 1);
    }

    /// One user less; without any, the mask is forgotten.
    pub(crate) fn release(&mut self, id: MaskId) {
        let Some(mask) = &mut self.masks[id.0 as usize] else { return };
        mask.users -= 1;
        if mask.users > 0 {
            return;
        }
        let hash = mask.condition.hash();
        let masks = &self.masks;
        self.index
            .remove(hash, id.0, |at| masks[at as usize].as_ref().map_or(0, |mask| mask.condition.hash()));
        self.masks[id.0 as usize] = None;
        self.free.push(id.0);
    }

    /// Takes over what a node's object says; `None` when it is gone.
    pub(crate) fn set(&mut self, node: NodeId, facts: Option<&Facts>) {
        for mask in self.masks.iter_mut().flatten() {
            mask.nodes.set(node, facts.is_some_and(|facts| mask.condition.holds(facts)));
        }
    }

    /// The nodes that meet a condition.
    pub(crate) fn nodes(&self, id: MaskId) -> &NodeSet {
        static NONE: NodeSet = NodeSet::empty();
        self.masks[id.0 as usize].as_ref().map_or(&NONE, |mask| &mask.nodes)
    }

    #[inline]
    pub(crate) fn has(&self, id: MaskId, node: NodeId) -> bool {
        self.nodes(id).contains(node)
    }
}
