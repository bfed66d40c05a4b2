//! [`Pods`]: the pods that are placed, and where.

use orchestra_core::object::{Str, Timestamp};

use super::classes::ClassId;
use super::devices::Held;
use crate::hash::{Index, hash};
use crate::set::NodeId;

/// A pod that is placed, as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub(crate) u32);

impl PodId {
    pub(crate) const fn at(self) -> usize {
        self.0 as usize
    }
}

/// A pod that is placed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placed {
    pub(crate) namespace: Str,
    pub(crate) name: Str,
    pub(crate) class: ClassId,
    /// Where; nowhere while its node is not known.
    pub(crate) node: Option<NodeId>,
    /// The name of a node that is not known.
    pub(crate) waits_for: Str,
    /// Whether it is being deleted.
    pub(crate) is_going: bool,
    pub(crate) since: Option<Timestamp>,
    /// The devices that it has, if it asks for any.
    pub(crate) held: Option<Box<Held>>,
    /// Its places in its node's list and in its class's.
    pub(super) on_node: u32,
    pub(super) in_class: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Pods {
    pub(crate) all: Vec<Placed>,
    free: Vec<PodId>,
    index: Index,
    /// By node.
    pub(crate) on: Vec<Vec<PodId>>,
    pub(crate) many: usize,
}

fn key(namespace: &str, name: &str) -> u64 {
    hash(&(namespace, name))
}

impl Pods {
    pub(crate) fn find(&self, namespace: &str, name: &str) -> Option<PodId> {
        let is = |at: u32| {
            let pod = &self.all[at as usize];
            pod.name == name && pod.namespace == namespace
        };
        self.index.find(key(namespace, name), is).map(PodId)
    }

    pub(crate) fn insert(&mut self, pod: Placed) -> PodId {
        let id = self.free.pop().unwrap_or(PodId(self.all.len() as u32));
        if id.at() == self.all.len() {
            self.all.push(Placed::default());
        }
        let hash = key(&pod.namespace, &pod.name);
        self.all[id.at()] = pod;
        let all = &self.all;
        self.index.insert(hash, id.0, |at| rehash(all, at));
        self.many += 1;
        id
    }

    /// Forgets a pod, which must have been taken off its node and out of its class before.
    pub(crate) fn remove(&mut self, id: PodId) -> Placed {
        let all = &self.all;
        self.index.remove(rehash(all, id.0), id.0, |at| rehash(all, at));
        self.free.push(id);
        self.many -= 1;
        std::mem::take(&mut self.all[id.at()])
    }

    pub(crate) fn put_on(&mut self, id: PodId, node: NodeId) {
        let list = &mut self.on[node.at()];
        self.all[id.at()].node = Some(node);
        self.all[id.at()].on_node = list.len() as u32;
        list.push(id);
    }

    pub(crate) fn take_off(&mut self, id: PodId) -> Option<NodeId> {
        let node = self.all[id.at()].node.take()?;
        let at = self.all[id.at()].on_node as usize;
        let list = &mut self.on[node.at()];
        list.swap_remove(at);
        if let Some(moved) = list.get(at) {
            self.all[moved.at()].on_node = at as u32;
        }
        Some(node)
    }

    pub(crate) fn join(&mut self, id: PodId, class: &mut Vec<PodId>) {
        self.all[id.at()].in_class = class.len() as u32;
        class.push(id);
    }

    pub(crate) fn quit(&mut self, id: PodId, class: &mut Vec<PodId>) {
        let at = self.all[id.at()].in_class as usize;
        class.swap_remove(at);
        if let Some(moved) = class.get(at) {
            self.all[moved.at()].in_class = at as u32;
        }
    }
}

fn rehash(all: &[Placed], at: u32) -> u64 {
    let pod = &all[at as usize];
    key(&pod.namespace, &pod.name)
}
