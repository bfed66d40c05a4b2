//! [`Classes`]: the shapes that pods have, each once, and what each has to do with the tallies.

use std::sync::Arc;

use orchestra_core::kinds::Pod;

use super::pods::PodId;
use super::shape::{Asking, Shape, essence};
use super::tallies::TallyId;
use crate::hash::{Index, hash};

/// A shape, as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub(crate) u32);

impl ClassId {
    pub(crate) const fn at(self) -> usize {
        self.0 as usize
    }
}

/// All pods of one shape.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) shape: Arc<Shape>,
    /// A pod that has nothing but this shape.
    essence: Box<Pod>,
    /// Raised when the number goes to another shape.
    pub(crate) generation: u32,
    /// Those that are placed.
    pub(crate) pods: Vec<PodId>,
    /// The tallies that count such a pod.
    pub(crate) counted_by: Vec<Counts>,
    /// The tallies of those who must not be with such a pod.
    pub(crate) repelled_by: Vec<TallyId>,
    /// The tallies of those who must be with one like it,
    pub(crate) required_by: Vec<TallyId>,
    /// and of those who would rather be, or not.
    pub(crate) drawn_by: Vec<TallyId>,
}

/// How a tally counts a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) tally: TallyId,
    pub(crate) by: i64,
    /// Whether it counts a pod that is being deleted, too.
    pub(crate) also_going: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    classes: Vec<Option<Class>>,
    generations: Vec<u32>,
    free: Vec<ClassId>,
    index: Index,
}

impl Classes {
    pub(crate) fn find(&self, asking: &Asking<'_>) -> Option<ClassId> {
        let is = |at: u32| self.get(ClassId(at)).is_some_and(|class| class.asking() == *asking);
        self.index.find(hash(asking), is).map(ClassId)
    }

    /// The number that the next class gets.
    pub(crate) fn next(&mut self) -> ClassId {
        if self.free.is_empty() {
            self.free.push(ClassId(self.classes.len() as u32));
            self.classes.push(None);
            self.generations.push(0);
        }
        self.free.last().copied().unwrap_or_default()
    }

    pub(crate) fn insert(&mut self, asking: &Asking<'_>, shape: Shape) -> ClassId {
        let id = self.next();
        self.free.pop();
        self.generations[id.at()] += 1;
        self.classes[id.at()] = Some(Class {
            shape: Arc::new(shape),
            essence: Box::new(essence(asking)),
            generation: self.generations[id.at()],
            pods: Vec::new(),
            counted_by: Vec::new(),
            repelled_by: Vec::new(),
            required_by: Vec::new(),
            drawn_by: Vec::new(),
        });
        let classes = &self.classes;
        self.index.insert(hash(asking), id.0, |at| rehash(classes, at));
        id
    }

    pub(crate) fn remove(&mut self, id: ClassId) -> Option<Class> {
        let classes = &self.classes;
        self.index.remove(rehash(classes, id.0), id.0, |at| rehash(classes, at));
        self.free.push(id);
        self.classes[id.at()].take()
    }

    pub(crate) fn len(&self) -> usize {
        self.classes.len() - self.free.len()
    }

    pub(crate) fn get(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(id.at())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: ClassId) -> Option<&mut Class> {
        self.classes.get_mut(id.at())?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ClassId, &Class)> {
        let all = self.classes.iter().enumerate();
        all.filter_map(|(at, class)| Some((ClassId(at as u32), class.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Class> {
        self.classes.iter_mut().flatten()
    }
}

fn rehash(classes: &[Option<Class>], at: u32) -> u64 {
    classes[at as usize].as_ref().map_or(0, |class| hash(&class.asking()))
}

impl Class {
    /// Whether such a pod is itself what it must be with. Namespaces may change that.
    pub(crate) fn meets_itself(&self) -> bool {
        // All its terms together are counted by each.
        let first = self.shape.near.with.first();
        first.is_some_and(|first| self.counted_by.iter().any(|counts| counts.tally == *first))
    }

    pub(crate) fn essence(&self) -> &Pod {
        &self.essence
    }

    fn asking(&self) -> Asking<'_> {
        Asking { pod: &self.essence, node_name: &self.essence.spec.node_name }
    }
}
