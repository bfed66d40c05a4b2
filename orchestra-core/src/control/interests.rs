//! [`Interests`]: who has looked at what, to be woken when it changes.

use std::fmt;

use super::Watched;
use super::changes::{Changed, Changes};
use super::hash::{FastMap, Place};
use super::place::differing;
use super::postings::{Directory, Postings};
use super::reads::{Reads, Selection};

/// Who has looked at what: whoever is set here is woken by each change that would let them see
/// something else.
///
/// Items are numbers that their owner gives out.
#[derive(Default)]
pub struct Interests {
    reads: FastMap<u32, Reads>,
    /// Who looked at a place, and is woken by whatever is felt there.
    places: Directory,
    /// Who selected objects by way of a place, and is woken by what the selector means.
    selections: Directory,
    /// Who looked at more than can be told apart.
    anything: Postings,
}

impl Interests {
    /// Nobody's interests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many have looked at something.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reads.len()
    }

    /// Whether nobody has looked at anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// Whether anybody has looked at a kind, if only to find nothing. A kind that nobody looks at is
    /// [not needed](super::feed::Told::Unneeded).
    #[must_use]
    pub fn looks_at(&self, watched: Watched) -> bool {
        self.places.at(watched.atlas().presence()).is_some() || self.anything.slots().next().is_some()
    }

    /// What an item has looked at, in place of what it had looked at before. Cheap if it is the same.
    pub fn set(&mut self, item: u32, reads: Reads) {
        if self.reads.get(&item).map_or(reads.is_empty(), |before| *before == reads) {
            return;
        }
        let before = self.reads.remove(&item).unwrap_or_default();
        let by_number = |a: u32, b: u32| a.cmp(&b);
        let selected = (places_of(&before.selections), places_of(&reads.selections));
        for (directory, old, new) in [
            (&mut self.places, &before.places[..], &reads.places[..]),
            (&mut self.selections, &selected.0, &selected.1),
        ] {
            differing(old, new).for_each(|place| directory.remove(place, item, by_number));
            differing(new, old).for_each(|place| directory.insert(place, item, by_number));
        }
        if reads.is_anything && !before.is_anything {
            self.anything.insert(item, by_number);
        } else if before.is_anything && !reads.is_anything && self.anything.remove(item, by_number) {
            self.anything = Postings::default();
        }
        if !reads.is_empty() {
            self.reads.insert(item, reads);
        }
    }

    /// An item that is not woken any more.
    pub fn remove(&mut self, item: u32) {
        self.set(item, Reads::default());
    }

    /// Everyone whom a change concerns: once each, in the order of their numbers.
    pub fn woken_by(&self, changes: &Changes, wake: impl FnMut(u32)) {
        let mut woken: Vec<u32> = Vec::new();
        if !changes.changed.is_empty() {
            woken.extend(self.anything.slots());
        }
        for changed in &changes.changed {
            for place in &changed.touched {
                if let Some(items) = self.places.at(*place) {
                    woken.extend(items.slots());
                }
                if let Some(items) = self.selections.at(*place) {
                    woken.extend(items.slots().filter(|item| self.is_meant(*item, *place, changed)));
                }
            }
        }
        woken.sort_unstable();
        woken.dedup();
        woken.into_iter().for_each(wake);
    }

    /// Whether an object was or is among those that an item selected by way of a place.
    fn is_meant(&self, item: u32, place: Place, changed: &Changed) -> bool {
        let Some(reads) = self.reads.get(&item) else { return false };
        let at = reads.selections.partition_point(|selection| selection.place < place);
        let here = reads.selections[at..].iter().take_while(|selection| selection.place == place);
        let objects = [&changed.old, &changed.new];
        here.into_iter().any(|selection| {
            objects.iter().any(|object| object.as_ref().is_some_and(|it| selection.means(it.metadata())))
        })
    }
}

impl fmt::Debug for Interests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interested in {} places", self.len(), self.places.len() + self.selections.len())
    }
}

/// The places of selections, each once, in order.
fn places_of(selections: &[Selection]) -> Vec<Place> {
    let mut places: Vec<Place> = selections.iter().map(|selection| selection.place).collect();
    places.dedup();
    places
}
