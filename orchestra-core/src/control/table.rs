//! [`Table`]: the objects of one kind, and where they are found.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::Arc;

use super::Watched;
use super::changes::{CachedObject, Changed};
use super::hash::Place;
use super::index::{AnyIndex, Index};
use super::place::{Atlas, Built, Places, differing};
use super::postings::{Directory, Postings, Slots};
use super::strings::Strings;
use crate::Error;
use crate::client::{self, Unreadable};
use crate::object::{FieldManagers, Kind, Metadata, Resource, Uid};
use crate::store::{Entry, Key};

/// How many indexes a kind has at most, beyond those by name and owner. What looks for objects by more
/// labels than that looks through a namespace or the kind; nobody's selectors have so many keys.
pub const MOST_INDEXES: usize = 64;

/// How many values that cannot be read a kind remembers at most, for people to look at. Those beyond
/// are reported when they come, as all are.
pub const MOST_UNREADABLE: usize = 1000;

/// No slot.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The objects of one kind.
///
/// Each has a slot, and its places in the indexes are lists of slots, in the order of the objects' keys.
pub(super) struct Table<R> {
    watched: Watched,
    prefix: String,
    atlas: Atlas,
    slots: Vec<Option<Arc<R>>>,
    free: Vec<u32>,
    all: Postings,
    places: Directory,
    built: Vec<Built<R>>,
    unreadable: BTreeMap<Key, String>,
    comparison: Option<Comparison<R>>,
    /// What is used again from one change to the next.
    scratch: (Places, Places),
}

/// What a listing shows to be otherwise than it is here.
struct Comparison<R> {
    /// A bit a slot.
    seen: Vec<u64>,
    differing: Vec<(Key, Arc<R>)>,
    unreadable: Vec<Unreadable>,
}

/// A table of whichever kind.
pub(super) trait AnyTable: Send + Sync {
    fn watched(&self) -> Watched;
    /// How the keys of the kind begin.
    fn prefix(&self) -> &str;
    fn len(&self) -> usize;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn unreadable(&self) -> &BTreeMap<Key, String>;

    /// Puts in place what stands under a key now.
    fn put(&mut self, key: &Key, entry: Option<&Entry>, strings: &mut Strings, news: &mut News);
    /// Every object, as new. Nobody can have looked for one before.
    fn all_as_new(&self, news: &mut News);

    /// The object of a name.
    fn object(&self, namespace: &str, name: &str) -> Option<&dyn CachedObject>;
    /// The slot of the object of a name. It is looked for in the slot `near` first, where it mostly still is.
    fn slot_near(&self, near: u32, namespace: &str, name: &str) -> Option<u32>;
    /// The object in a slot.
    fn in_slot(&self, slot: u32) -> Option<&dyn CachedObject>;
    /// Every object.
    fn each(&self, see: &mut dyn FnMut(&dyn CachedObject));
    /// The objects that name this owner.
    fn owned_by(&self, owner: &Uid) -> Vec<&dyn CachedObject>;
    fn any_atlas(&self) -> Atlas;

    fn has_index(&self, index: &AnyIndex) -> bool;
    fn build(&mut self, index: &AnyIndex);

    /// Compares what is here with what stands under a key. Nothing changes until [`settle`](Self::settle).
    fn compare(&mut self, entry: &Entry, by_value: bool, strings: &mut Strings);
    /// Makes it as the listing showed it: what was not compared is gone.
    fn settle(&mut self, news: &mut News);
    /// Forgets what was compared.
    fn abandon(&mut self);
    /// How many objects are held until it is settled.
    fn held(&self) -> usize;
}

/// What has happened, as it is collected.
#[derive(Default)]
pub(super) struct News {
    pub(super) changed: Vec<Changed>,
    pub(super) unreadable: Vec<Unreadable>,
}

impl<R: Resource> Table<R> {
    pub(super) fn new() -> Self {
        Self {
            watched: Watched::of::<R>(),
            prefix: prefix_of(&R::KIND),
            atlas: Atlas::of::<R>(),
            slots: Vec::new(),
            free: Vec::new(),
            all: Postings::default(),
            places: Directory::default(),
            built: Vec::new(),
            unreadable: BTreeMap::new(),
            comparison: None,
            scratch: Default::default(),
        }
    }

    pub(super) const fn atlas(&self) -> Atlas {
        self.atlas
    }

    /// The object in a slot.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> Option<&Arc<R>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<R>> {
        self.get_at(self.atlas.name(namespace, name), namespace, name)
    }

    /// The same where the place of the name is known.
    pub(super) fn get_at(&self, place: Place, namespace: &str, name: &str) -> Option<&Arc<R>> {
        self.find(place, namespace, name).and_then(|slot| self.at(slot))
    }

    fn find(&self, place: Place, namespace: &str, name: &str) -> Option<u32> {
        self.found_at(place).find(|slot| self.is_at(*slot, namespace, name))
    }

    fn is_at(&self, slot: u32, namespace: &str, name: &str) -> bool {
        self.at(slot).is_some_and(|object| object.name() == name && object.namespace() == namespace)
    }

    /// The slots at a place, among which may be some of another place of the same number.
    pub(super) fn found_at(&self, place: Place) -> Slots<'_> {
        self.places.at(place).map(Postings::slots).unwrap_or_default()
    }

    /// Those of a namespace.
    pub(super) fn found_within(&self, place: Place, namespace: &str) -> Slots<'_> {
        self.places.at(place).map(|postings| self.part(postings, namespace)).unwrap_or_default()
    }

    pub(super) fn everything(&self) -> Slots<'_> {
        self.all.slots()
    }

    pub(super) fn within(&self, namespace: &str) -> Slots<'_> {
        self.part(&self.all, namespace)
    }

    /// Objects are in the order of their keys, so those of a namespace stand together.
    fn part<'p>(&self, postings: &'p Postings, namespace: &str) -> Slots<'p> {
        let order =
            |slot| self.at(slot).map_or(Ordering::Less, |object| by_namespace(object.namespace(), namespace));
        postings.range(|slot| order(slot).is_lt(), |slot| order(slot).is_le())
    }

    /// Whether objects are found by an index.
    pub(super) fn is_built(&self, index: &AnyIndex) -> bool {
        self.built.iter().any(|built| built.is(index.name()))
    }

    pub(super) fn has_own(&self, index: &str) -> bool {
        self.built.iter().any(|built| built.is((b'o', index)))
    }

    /// Whether one more index may be built.
    pub(super) fn has_room(&self) -> bool {
        self.built.len() < MOST_INDEXES
    }

    /// Puts slots in the order of their objects' keys.
    pub(super) fn sort(&self, slots: &mut [u32]) {
        slots.sort_unstable_by(|a, b| by_key(&self.slots, *a, *b));
    }

    /// Puts an object in the place of the one that has its name. Says what was there.
    pub(super) fn put_object(&mut self, new: Arc<R>) -> Option<Arc<R>> {
        let slot = self.slot_of(new.namespace(), new.name());
        self.exchange(slot, Some(new)).0
    }

    fn slot_of(&self, namespace: &str, name: &str) -> Option<u32> {
        self.find(self.atlas.name(namespace, name), namespace, name)
    }

    /// Puts an object in a slot, or nothing. Says what was there, and leaves the places of both in the
    /// scratch.
    fn exchange(&mut self, slot: Option<u32>, new: Option<Arc<R>>) -> (Option<Arc<R>>, Option<Arc<R>>) {
        let Self { slots, free, all, places, built, atlas, scratch: (before, after), .. } = self;
        before.clear();
        after.clear();
        let old = slot.and_then(|slot| slots.get(slot as usize)?.clone());
        if let Some(old) = &old {
            atlas.places(&**old, built, before);
        }
        if let Some(new) = &new {
            atlas.places(&**new, built, after);
        }
        let free_slot = || new.as_ref().and_then(|_| next(slots, free));
        let Some(slot) = slot.or_else(free_slot) else { return (old, new) };
        let at = slot as usize;

        // While it is taken out, the old one stands there to be compared with, then the new one.
        for place in differing(&before.indexed, &after.indexed) {
            places.remove(place, slot, |a, b| by_key(slots, a, b));
        }
        if new.is_none() {
            if all.remove(slot, |a, b| by_key(slots, a, b)) {
                *all = Postings::default();
            }
            free.push(slot);
        }
        slots[at].clone_from(&new);
        if old.is_none() {
            all.insert(slot, |a, b| by_key(slots, a, b));
        }
        for place in differing(&after.indexed, &before.indexed) {
            places.insert(place, slot, |a, b| by_key(slots, a, b));
        }
        (old, new)
    }

    /// Puts an object in place, and says so.
    fn change(&mut self, key: &Key, slot: Option<u32>, new: Option<Arc<R>>, news: &mut News) {
        let (old, new) = self.exchange(slot, new);
        if old.is_none() && new.is_none() {
            return;
        }
        let touched = Places::touched(&self.scratch.0, &self.scratch.1);
        news.changed.push(changed(self.watched, key.clone(), old, new, touched));
    }

    /// What a value says, without what nobody asks a cache for.
    fn read(&self, entry: &Entry, strings: &mut Strings) -> Result<Arc<R>, Unreadable> {
        let unreadable = |reason: String| Unreadable { key: entry.key.clone(), reason };
        // A type of somebody's own may panic when it is read: that makes one object unreadable.
        let mut object = catch_unwind(|| client::read::<R>(entry))
            .map_err(|_| unreadable("its type panicked".into()))?
            .map_err(|error| match error {
                Error::Stored { source, .. } => unreadable(source.to_string()),
                other => unreadable(other.to_string()),
            })?;
        let Some((namespace, name)) = self.name_in(&entry.key) else {
            return Err(unreadable("the key is not that of an object".into()));
        };
        let metadata = object.metadata_mut();
        // Who set which fields is most of an object's size, and only those who write look at it.
        metadata.managed_fields = FieldManagers::default();
        for (own, right) in [(&mut metadata.namespace, namespace), (&mut metadata.name, name)] {
            if own.is_empty() {
                *own = right.into();
            } else if own != right {
                return Err(unreadable("its name or namespace is not that of its key".into()));
            }
        }
        strings.share_in(metadata);
        object.texts(&mut |text| strings.share(text));
        Ok(Arc::new(object))
    }

    /// The namespace and name in a key.
    fn name_in<'k>(&self, key: &'k [u8]) -> Option<(&'k str, &'k str)> {
        std::str::from_utf8(key).ok()?.strip_prefix(&self.prefix)?.split_once('/')
    }

    fn key_of(&self, metadata: &Metadata) -> Key {
        Key::from(format!("{}{}/{}", self.prefix, metadata.namespace, metadata.name))
    }

    fn note(&mut self, unreadable: &Unreadable) {
        if self.unreadable.len() < MOST_UNREADABLE {
            self.unreadable.insert(unreadable.key.clone(), unreadable.reason.clone());
        }
    }
}

impl<R: Resource> AnyTable for Table<R> {
    fn watched(&self) -> Watched {
        self.watched
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn unreadable(&self) -> &BTreeMap<Key, String> {
        &self.unreadable
    }

    fn put(&mut self, key: &Key, entry: Option<&Entry>, strings: &mut Strings, news: &mut News) {
        if !self.unreadable.is_empty() {
            self.unreadable.remove(key);
        }
        let new = match entry.map(|entry| self.read(entry, strings)).transpose() {
            Ok(new) => new,
            Err(unreadable) => {
                self.note(&unreadable);
                news.unreadable.push(unreadable);
                None
            }
        };
        let slot = self.name_in(key).and_then(|(namespace, name)| self.slot_of(namespace, name));
        self.change(key, slot, new, news);
    }

    fn all_as_new(&self, news: &mut News) {
        for object in self.all.slots().filter_map(|slot| self.at(slot)) {
            let key = self.key_of(object.metadata());
            news.changed.push(changed(self.watched, key, None, Some(object.clone()), Box::default()));
        }
        let unreadable = self.unreadable.iter();
        let unreadable =
            unreadable.map(|(key, reason)| Unreadable { key: key.clone(), reason: reason.clone() });
        news.unreadable.extend(unreadable);
    }

    fn object(&self, namespace: &str, name: &str) -> Option<&dyn CachedObject> {
        self.get(namespace, name).map(|object| &**object as &dyn CachedObject)
    }

    fn slot_near(&self, near: u32, namespace: &str, name: &str) -> Option<u32> {
        if self.is_at(near, namespace, name) { Some(near) } else { self.slot_of(namespace, name) }
    }

    fn in_slot(&self, slot: u32) -> Option<&dyn CachedObject> {
        self.at(slot).map(|object| &**object as &dyn CachedObject)
    }

    fn each(&self, see: &mut dyn FnMut(&dyn CachedObject)) {
        self.everything().filter_map(|slot| self.at(slot)).for_each(|object| see(&**object));
    }

    fn owned_by(&self, owner: &Uid) -> Vec<&dyn CachedObject> {
        let candidates = self.found_at(self.atlas.owner(owner)).filter_map(|slot| self.at(slot));
        let owned = candidates.filter(|object| {
            object.metadata().owner_references.iter().any(|reference| reference.uid == *owner)
        });
        owned.map(|object| &**object as &dyn CachedObject).collect()
    }

    fn any_atlas(&self) -> Atlas {
        self.atlas
    }

    fn has_index(&self, index: &AnyIndex) -> bool {
        !self.has_room() || self.is_built(index)
    }

    fn build(&mut self, index: &AnyIndex) {
        if self.has_index(index) {
            return;
        }
        let built = match index {
            AnyIndex::Label(key) => Built::Label(key.clone()),
            AnyIndex::HasLabel(key) => Built::HasLabel(key.clone()),
            AnyIndex::Own(_, index) => match index.downcast_ref::<Index<R>>() {
                Some(index) => Built::Own(*index),
                None => return,
            },
        };
        let Self { slots, all, places, atlas, .. } = self;
        let (mut found, mut known) = (Places::default(), Places::default());
        for slot in all.slots() {
            let Some(object) = slots[slot as usize].as_ref() else { continue };
            found.clear();
            atlas.places(&**object, std::slice::from_ref(&built), &mut found);
            // By name and owner it is found already: those of this index are what is new.
            known.clear();
            atlas.places(&**object, &[], &mut known);
            for place in differing(&found.indexed, &known.indexed) {
                places.insert(place, slot, |a, b| by_key(slots, a, b));
            }
        }
        self.built.push(built);
    }

    fn compare(&mut self, entry: &Entry, by_value: bool, strings: &mut Strings) {
        let slot = self.name_in(&entry.key).and_then(|(namespace, name)| self.slot_of(namespace, name));
        let old = slot.and_then(|slot| self.at(slot)).cloned();
        let is_same = old.as_ref().is_some_and(|old| old.metadata().resource_version == entry.modified);
        let new = if is_same && !by_value { None } else { Some(self.read(entry, strings)) };
        let size = self.slots.len().div_ceil(64);
        let comparison = self.comparison.get_or_insert_with(|| Comparison {
            seen: vec![0; size],
            differing: Vec::new(),
            unreadable: Vec::new(),
        });
        match new {
            Some(Err(unreadable)) => return comparison.unreadable.push(unreadable),
            Some(Ok(new)) if old.is_none_or(|old| old != new) => {
                comparison.differing.push((entry.key.clone(), new));
            }
            _ => {}
        }
        if let Some(slot) = slot {
            comparison.seen[slot as usize / 64] |= 1 << (slot % 64);
        }
    }

    fn settle(&mut self, news: &mut News) {
        let comparison = self.comparison.take();
        let (seen, differing, unreadable) =
            comparison.map_or_else(Default::default, |it| (it.seen, it.differing, it.unreadable));
        let is_seen =
            |slot: u32| seen.get(slot as usize / 64).is_some_and(|bits| bits >> (slot % 64) & 1 == 1);
        let gone: Vec<u32> = self.all.slots().filter(|slot| !is_seen(*slot)).collect();
        for slot in gone {
            let Some(key) = self.at(slot).map(|object| self.key_of(object.metadata())) else { continue };
            self.change(&key, Some(slot), None, news);
        }
        for (key, new) in differing {
            let slot = self.slot_of(new.namespace(), new.name());
            self.change(&key, slot, Some(new), news);
        }
        let before = std::mem::take(&mut self.unreadable);
        for it in unreadable {
            self.note(&it);
            if before.get(&it.key) != Some(&it.reason) {
                news.unreadable.push(it);
            }
        }
    }

    fn abandon(&mut self) {
        self.comparison = None;
    }

    fn held(&self) -> usize {
        self.comparison.as_ref().map_or(0, |comparison| comparison.differing.len())
    }
}

impl<R> Built<R> {
    fn is(&self, name: (u8, &str)) -> bool {
        name == match self {
            Self::Label(key) => (b'l', key.as_str()),
            Self::HasLabel(key) => (b'h', key.as_str()),
            Self::Own(index) => (b'o', index.name()),
        }
    }
}

/// How the keys of a kind begin.
fn prefix_of(kind: &Kind) -> String {
    let scope = client::scope_of(kind);
    let start = scope.ranges().first().map(|range| &**range.start());
    String::from_utf8_lossy(start.unwrap_or_default()).into_owned()
}

fn changed<R: Resource>(
    watched: Watched,
    key: Key,
    old: Option<Arc<R>>,
    new: Option<Arc<R>>,
    touched: Box<[Place]>,
) -> Changed {
    let old = old.map(|old| old as Arc<dyn CachedObject>);
    let new = new.map(|new| new as Arc<dyn CachedObject>);
    Changed { watched, key, old, new, touched }
}

/// A slot that is free.
fn next<R>(slots: &mut Vec<Option<Arc<R>>>, free: &mut Vec<u32>) -> Option<u32> {
    free.pop().or_else(|| {
        // Four thousand million objects of a kind would take more memory than there is.
        let slot = u32::try_from(slots.len()).ok()?;
        slots.push(None);
        Some(slot)
    })
}

/// The order of two objects' keys.
fn by_key<R: Resource>(slots: &[Option<Arc<R>>], a: u32, b: u32) -> Ordering {
    let metadata = |slot: u32| slots.get(slot as usize)?.as_ref().map(|object| object.metadata());
    match (metadata(a), metadata(b)) {
        (Some(a), Some(b)) => by_namespace(&a.namespace, &b.namespace).then_with(|| a.name.cmp(&b.name)),
        _ => a.cmp(&b),
    }
}

/// The order of two namespaces in keys, where a `/` follows them: `a-b` comes before `a`.
fn by_namespace(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    a.bytes().chain([b'/']).cmp(b.bytes().chain([b'/']))
}
