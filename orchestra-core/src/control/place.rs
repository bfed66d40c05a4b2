//! The places of objects in the indexes of their kind, and where a change of one is felt.

use std::hash::{Hash, Hasher};

use super::hash::{FastHasher, Place, hash, mix};
use super::index::Index;
use crate::object::{Metadata, Resource, Str, Uid};

/// The places of a kind's objects: the same kind, the same places, in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Atlas(u64);

/// An index that was built.
pub(super) enum Built<R> {
    Label(Str),
    HasLabel(Str),
    Own(Index<R>),
}

/// The places of one object.
#[derive(Default)]
pub(super) struct Places {
    /// Where it is found.
    pub(super) indexed: Vec<Place>,
    /// Where else those who look at many objects wait for its changes.
    pub(super) tracked: Vec<Place>,
}

impl Atlas {
    /// That of a kind.
    pub(super) fn of<R: Resource>() -> Self {
        Self(hash(0, &[R::KIND.api_version(), R::KIND.name(), std::any::type_name::<R>()]))
    }

    /// Where nothing ever happens: whoever has looked at the kind at all is noted there.
    pub(super) const fn presence(self) -> Place {
        mix(!self.0)
    }

    /// All objects.
    pub(super) const fn everything(self) -> Place {
        mix(self.0)
    }

    /// Those of a namespace.
    pub(super) fn namespace(self, namespace: &str) -> Place {
        hash(self.0 ^ 1, &[namespace])
    }

    /// The one of a name.
    pub(super) fn name(self, namespace: &str, name: &str) -> Place {
        hash(self.0 ^ 2, &[namespace, name])
    }

    /// Those that an object owns.
    pub(super) fn owner(self, owner: &Uid) -> Place {
        let mut hasher = FastHasher::from(self.0 ^ 3);
        owner.hash(&mut hasher);
        hasher.finish()
    }

    /// Those of a label.
    pub(super) fn label(self, key: &str, value: &str) -> Place {
        hash(self.0 ^ 4, &[key, value])
    }

    /// Those that have a label, of whichever value.
    pub(super) fn has_label(self, key: &str) -> Place {
        hash(self.0 ^ 5, &[key])
    }

    /// Those of a value in somebody's own index.
    pub(super) fn own(self, index: &str, value: &str) -> Place {
        hash(self.0 ^ 6, &[index, value])
    }

    /// The places of an object, each once.
    pub(super) fn places<R: Resource>(self, object: &R, built: &[Built<R>], places: &mut Places) {
        let metadata = object.metadata();
        let Metadata { namespace, name, labels, owner_references, .. } = metadata;
        places.indexed.push(self.name(namespace, name));
        places.indexed.extend(owner_references.iter().map(|owner| self.owner(&owner.uid)));
        places.tracked.extend([self.everything(), self.namespace(namespace)]);
        for index in built {
            let found = match index {
                Built::Label(key) => labels.get(key).map(|value| self.label(key, value)),
                Built::HasLabel(key) => labels.contains_key(key).then(|| self.has_label(key)),
                Built::Own(index) => {
                    index.each(object, |value| places.indexed.push(self.own(index.name(), value)));
                    continue;
                }
            };
            if let Some(found) = found {
                places.indexed.push(found);
                places.tracked.push(within(found, namespace));
            }
        }
        // An owner may be named twice, and an index may give a value twice.
        places.indexed.sort_unstable();
        places.indexed.dedup();
    }
}

/// The part of a place that is in a namespace.
pub(super) fn within(place: Place, namespace: &str) -> Place {
    hash(place, &[namespace])
}

/// What is in one ordered list of places and not in another.
pub(super) fn differing<'p>(these: &'p [Place], others: &'p [Place]) -> impl Iterator<Item = Place> + 'p {
    these.iter().copied().filter(|place| others.binary_search(place).is_err())
}

impl Places {
    pub(super) fn clear(&mut self) {
        self.indexed.clear();
        self.tracked.clear();
    }

    /// All places where the change from one object to another is felt, in order.
    pub(super) fn touched(old: &Self, new: &Self) -> Box<[Place]> {
        let all = [&old.indexed, &old.tracked, &new.indexed, &new.tracked];
        let mut touched = Vec::with_capacity(all.iter().map(|places| places.len()).sum());
        all.iter().for_each(|places| touched.extend_from_slice(places));
        touched.sort_unstable();
        touched.dedup();
        touched.into()
    }
}
