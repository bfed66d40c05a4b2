//! [`Truth`]: how things stand in the store, whatever anybody believes.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use orchestra_core::client::{ObjectName, read, scope_of};
use orchestra_core::object::{Resource, Revision};
use orchestra_core::store::state::State;
use orchestra_core::store::{Cursor, Entry, Key, Page, Scope};

use super::outside::Outside;

/// How things stand in the store, whatever anybody believes: what invariants and conditions are about.
///
/// Each object is decoded once, however often it is looked at.
#[derive(Default)]
pub struct Truth {
    pub(crate) state: State,
    pub(crate) outside: Outside,
    pub(crate) now: Duration,
    decoded: RefCell<Vec<Box<dyn Any>>>,
}

/// All objects of a kind, in the order of their keys.
pub type Objects<R> = Rc<[Rc<R>]>;

impl Truth {
    /// An object. Without a namespace the default one is meant, if the kind has namespaces.
    #[must_use]
    pub fn get<R: Resource>(&self, namespace: &str, name: &str) -> Option<Rc<R>> {
        let key = ObjectName::new(R::KIND, namespace, name).ok()?.key();
        self.decoded(|decoded: &mut Decoded<R>| decoded.objects.get(&key).cloned())
    }

    /// All objects of a kind, in the order of their keys.
    #[must_use]
    pub fn list<R: Resource>(&self) -> Objects<R> {
        self.decoded(Decoded::list)
    }

    /// The objects of a kind that an object owns.
    #[must_use]
    pub fn owned_by<R: Resource>(&self, owner: &impl Resource) -> Vec<Rc<R>> {
        let uid = owner.uid();
        let owns = |object: &R| object.metadata().owner_references.iter().any(|owner| owner.uid == *uid);
        self.list::<R>().iter().filter(|object| owns(object)).cloned().collect()
    }

    /// An object as it stood before the last commit.
    #[must_use]
    pub fn previous<R: Resource>(&self, namespace: &str, name: &str) -> Option<Rc<R>> {
        let key = ObjectName::new(R::KIND, namespace, name).ok()?.key();
        let last = self.state.history().get(self.state.revision())?;
        match last.events.iter().find(|event| event.key == key) {
            Some(event) => event.previous.as_ref().and_then(|entry| read(entry).ok()).map(Rc::new),
            None => self.get(namespace, name),
        }
    }

    /// The store's revision.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.state.revision()
    }

    /// Since the beginning of the simulation.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// What handlers keep of some type in the world outside, if anything.
    #[must_use]
    pub fn outside<T: 'static>(&self) -> Option<&T> {
        self.outside.get()
    }

    fn decoded<R: Resource, T>(&self, look: impl FnOnce(&mut Decoded<R>) -> T) -> T {
        let mut all = self.decoded.borrow_mut();
        let at = match all.iter().position(|decoded| decoded.is::<Decoded<R>>()) {
            Some(at) => at,
            None => {
                all.push(Box::new(Decoded::<R>::new()));
                all.len() - 1
            }
        };
        let Some(decoded) = all[at].downcast_mut::<Decoded<R>>() else {
            unreachable!("it was looked for by its type")
        };
        decoded.come_to(&self.state);
        look(decoded)
    }
}

impl fmt::Debug for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys at {}, after {:?}", self.state.len(), self.state.revision(), self.now)
    }
}

/// The objects of a kind at a revision.
struct Decoded<R> {
    at: Option<Revision>,
    scope: Scope,
    objects: BTreeMap<Key, Rc<R>>,
    list: Option<Objects<R>>,
}

impl<R: Resource> Decoded<R> {
    fn new() -> Self {
        Self { at: None, scope: scope_of(&R::KIND), objects: BTreeMap::new(), list: None }
    }

    fn come_to(&mut self, state: &State) {
        if self.at == Some(state.revision()) {
            return;
        }
        match self.at.map(|at| state.history().after(at)) {
            Some(Ok(batches)) => {
                for event in batches.flat_map(|batch| &batch.events) {
                    if self.scope.contains(&event.key) {
                        self.put(&event.key, event.entry.as_deref());
                    }
                }
            }
            _ => self.start_over(state),
        }
        self.at = Some(state.revision());
    }

    fn start_over(&mut self, state: &State) {
        self.objects.clear();
        self.list = None;
        let mut after = Some(Cursor { revision: state.revision(), after: None });
        while let Some(cursor) = after {
            let Ok(listing) = state.list(&self.scope, &Page::after(cursor)) else { return };
            for entry in &listing.entries {
                self.put(&entry.key, Some(entry));
            }
            after = listing.next;
        }
    }

    /// What cannot be read is no object: who looks for it misses it.
    fn put(&mut self, key: &Key, entry: Option<&Entry>) {
        self.list = None;
        match entry.and_then(|entry| read(entry).ok()) {
            Some(object) => drop(self.objects.insert(key.clone(), Rc::new(object))),
            None => drop(self.objects.remove(key)),
        }
    }

    fn list(&mut self) -> Objects<R> {
        self.list.get_or_insert_with(|| self.objects.values().cloned().collect()).clone()
    }
}
