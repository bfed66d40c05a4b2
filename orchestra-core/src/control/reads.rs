//! [`Reads`] and [`Need`]: what a reconciler has looked at, and what it could not see.

use std::fmt;
use std::hash::Hasher;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::Watched;
use super::hash::{FastHasher, Place};
use super::index::AnyIndex;
use crate::object::{Metadata, Selector, Str};

/// About how many places one reconcile is known to have looked at; beyond, any change wakes it. A
/// thousand times as many as an ordinary one looks at, and half a megabyte.
pub const MOST_READS: usize = 65_536;

/// What a reconciler has looked at: places in indexes, not objects.
///
/// Given to [`Interests`](super::Interests), it says which changes concern the reconciler: all that would
/// let it see something else, and hardly any other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reads {
    /// In order, each once.
    pub(super) places: Box<[Place]>,
    pub(super) selections: Box<[Selection]>,
    /// There were too many to be told apart.
    pub(super) is_anything: bool,
    needs: Box<[Need]>,
}

/// Objects that were selected by their labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selection {
    /// Where a change of one of them is felt, and that of others that are not meant.
    pub(super) place: Place,
    /// Only those of this namespace, if one is given.
    pub(super) namespace: Str,
    pub(super) selector: Arc<Selector>,
}

/// What a reconciler looked for and could not see: a kind that the cache does not have, or an index.
///
/// What was planned then is worth nothing: it is planned again once the cache has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Need {
    watched: Watched,
    index: Option<AnyIndex>,
}

impl Need {
    /// A kind.
    #[must_use]
    pub const fn kind(watched: Watched) -> Self {
        Self { watched, index: None }
    }

    /// An index of a kind.
    #[must_use]
    pub const fn index_of(watched: Watched, index: AnyIndex) -> Self {
        Self { watched, index: Some(index) }
    }

    /// The kind.
    #[must_use]
    pub const fn watched(&self) -> Watched {
        self.watched
    }

    /// The index, if it is one that is needed.
    #[must_use]
    pub const fn index(&self) -> Option<&AnyIndex> {
        self.index.as_ref()
    }
}

impl fmt::Debug for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.index {
            None => write!(f, "{:?}", self.watched),
            Some(index) => write!(f, "{:?} {index:?}", self.watched),
        }
    }
}

impl Reads {
    /// What was looked for and could not be seen. If there is anything, what was seen is not all that
    /// there is to see.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// How many places were looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() + self.selections.len()
    }

    /// Whether nothing was looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_anything && self.len() == 0
    }

    /// Whether more was looked at than [can be told apart](MOST_READS), so that any change concerns it.
    #[must_use]
    pub const fn is_anything(&self) -> bool {
        self.is_anything
    }
}

impl Selection {
    /// Whether an object is among those that are meant.
    pub(super) fn means(&self, metadata: &Metadata) -> bool {
        (self.namespace.is_empty() || self.namespace == metadata.namespace)
            && self.selector.matches(&metadata.labels)
    }
}

/// Reads, as they are noted.
#[derive(Default)]
pub(super) struct Notes {
    places: Vec<Place>,
    /// The kinds, each once.
    presences: Vec<Place>,
    selections: Vec<Selection>,
    needs: Vec<Need>,
    is_anything: bool,
}

impl Notes {
    #[inline]
    pub(super) fn place(&mut self, place: Place) {
        if self.places.len() >= MOST_READS {
            self.make_room();
        }
        self.places.push(place);
    }

    /// A kind was looked at.
    #[inline]
    pub(super) fn presence(&mut self, presence: Place) {
        if !self.presences.contains(&presence) {
            self.presences.push(presence);
        }
    }

    pub(super) fn selection(&mut self, selection: Selection) {
        if self.selections.len() >= MOST_READS {
            self.is_anything = true;
            return;
        }
        self.selections.push(selection);
    }

    pub(super) fn need(&mut self, need: Need) {
        if !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }

    pub(super) fn needs(&self) -> &[Need] {
        &self.needs
    }

    pub(super) fn presences(&self) -> &[Place] {
        &self.presences
    }

    /// Forgets what was noted twice, or everything if that does not help.
    fn make_room(&mut self) {
        self.places.sort_unstable();
        self.places.dedup();
        if self.places.len() > MOST_READS / 2 {
            // Nothing that is noted matters any more.
            self.is_anything = true;
            self.places.clear();
        }
    }

    /// What was looked at as a number, in the order in which it was; nothing where it takes more than places
    /// to say it.
    pub(super) fn digest(&self) -> Option<NonZeroU64> {
        if self.is_anything || !self.selections.is_empty() || !self.needs.is_empty() {
            return None;
        }
        let mut hasher = FastHasher::default();
        let counts = [self.presences.len() as u64, self.places.len() as u64];
        counts.iter().chain(&self.presences).chain(&self.places).for_each(|number| hasher.write_u64(*number));
        NonZeroU64::new(hasher.finish())
    }

    /// Forgets all, to be used again.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.presences.clear();
        self.selections.clear();
        self.needs.clear();
        self.is_anything = false;
    }

    /// What was looked at. Nothing of use is left.
    pub(super) fn take(&mut self) -> Reads {
        let needs = std::mem::take(&mut self.needs).into();
        if self.is_anything {
            return Reads { is_anything: true, needs, ..Reads::default() };
        }
        self.places.extend_from_slice(&self.presences);
        self.places.sort_unstable();
        self.places.dedup();
        self.selections.sort_by_key(|selection| selection.place);
        self.selections.dedup();
        Reads {
            places: self.places.as_slice().into(),
            selections: std::mem::take(&mut self.selections).into(),
            is_anything: false,
            needs,
        }
    }
}
