//! [`Cache`]: the objects of some kinds, all as they were at one revision.

use std::any::TypeId;
use std::fmt;

use super::Watched;
use super::changes::{CachedObject, Changes};
use super::hash::FastMap;
use super::reads::Need;
use super::strings::Strings;
use super::table::{AnyTable, News, Table};
use crate::client::scope_of;
use crate::object::{Resource, Revision};
use crate::store::{Batch, Entry, Key, Scope};

/// The objects of some kinds, all as they were at one revision, and where they are found.
///
/// There is one copy of an object, however many controllers look at it, and it is decoded once. It has
/// its defaults filled in and the revision at which it was written, and all fields but one:
/// `metadata.managedFields`, which is most of an object's size and matters only to those who write.
///
/// Objects are found by name, by namespace and by owner, and by whatever else is asked for: labels,
/// nodes, an [`Index`](super::Index) of one's own. Nothing is searched through.
///
/// It is kept current by a [`Feed`](super::Feed), and looked at by a [`View`](super::View).
pub struct Cache {
    revision: Revision,
    tables: Vec<Box<dyn AnyTable>>,
    by_type: FastMap<TypeId, usize>,
    by_prefix: FastMap<Box<[u8]>, Vec<usize>>,
    strings: Strings,
}

impl Cache {
    /// A cache of no kinds.
    #[must_use]
    pub fn new() -> Self {
        Self {
            revision: Revision(0),
            tables: Vec::new(),
            by_type: FastMap::default(),
            by_prefix: FastMap::default(),
            strings: Strings::new(),
        }
    }

    /// The revision that it shows.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.len()).sum()
    }

    /// Whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kinds, in the order in which they came.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = Watched> + '_ {
        self.tables.iter().map(|table| table.watched())
    }

    /// Whether it has a kind.
    #[must_use]
    pub fn has(&self, watched: Watched) -> bool {
        self.by_type.contains_key(&watched.type_id())
    }

    /// Whether it has what is needed.
    #[must_use]
    pub fn satisfies(&self, need: &Need) -> bool {
        let table = self.by_type.get(&need.watched().type_id()).map(|at| &self.tables[*at]);
        table.is_some_and(|table| need.index().is_none_or(|index| table.has_index(index)))
    }

    /// What is to be watched for it: all objects of its kinds.
    #[must_use]
    pub fn scope(&self) -> Scope {
        scope_of_kinds(self.kinds())
    }

    /// What stands in the store and cannot be read, and why: of each kind, as much as is remembered.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Key, &str)> + '_ {
        self.tables.iter().flat_map(|table| table.unreadable()).map(|(key, reason)| (key, reason.as_str()))
    }

    /// An object. Whoever reconciles looks by way of a [`View`](super::View), which remembers it.
    #[must_use]
    pub fn get<R: Resource>(&self, namespace: &str, name: &str) -> Option<&R> {
        self.table::<R>()?.get(namespace, name).map(|object| &**object)
    }

    /// The objects of a kind, in the order of their keys.
    pub fn list<R: Resource>(&self) -> impl Iterator<Item = &R> + '_ {
        let table = self.table::<R>();
        let slots = table.map(Table::everything).unwrap_or_default();
        slots.filter_map(move |slot| table?.at(slot)).map(|object| &**object)
    }

    /// An object of whichever kind.
    #[must_use]
    pub fn object(&self, watched: Watched, namespace: &str, name: &str) -> Option<&dyn CachedObject> {
        self.any_table(watched)?.object(namespace, name)
    }

    /// The object of a kind that stands under a key, and in which slot. It is looked for in the slot `near`
    /// first.
    pub(super) fn object_near(
        &self,
        watched: Watched,
        key: &Key,
        near: u32,
    ) -> Option<(u32, &dyn CachedObject)> {
        let table = self.any_table(watched)?;
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(table.prefix())?;
        let (namespace, name) = rest.split_once('/')?;
        let slot = table.slot_near(near, namespace, name)?;
        Some((slot, table.in_slot(slot)?))
    }

    /// Every object of a kind.
    pub fn each(&self, watched: Watched, mut see: impl FnMut(&dyn CachedObject)) {
        if let Some(table) = self.any_table(watched) {
            table.each(&mut see);
        }
    }

    pub(super) fn any_table(&self, watched: Watched) -> Option<&dyn AnyTable> {
        let at = self.by_type.get(&watched.type_id())?;
        Some(&*self.tables[*at])
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &dyn AnyTable> {
        self.tables.iter().map(|table| &**table)
    }

    /// Takes in a kind of which there is no object. Whether it was not there yet.
    ///
    /// A [`Feed`](super::Feed) takes kinds in with their objects.
    pub fn subscribe(&mut self, watched: Watched) -> bool {
        let is_new = !self.has(watched);
        if is_new {
            self.add(watched.table());
        }
        is_new
    }

    /// Builds an index, if its kind is there. Whether that is so.
    pub fn build(&mut self, need: &Need) -> bool {
        let Some(at) = self.by_type.get(&need.watched().type_id()) else { return false };
        if let Some(index) = need.index() {
            self.tables[*at].build(index);
        }
        true
    }

    /// Gives up a kind and all its objects. Whether it was there. Nobody must
    /// [look at it](super::Interests::looks_at) any more: nobody is woken.
    pub fn unsubscribe(&mut self, watched: Watched) -> bool {
        let Some(at) = self.by_type.get(&watched.type_id()).copied() else { return false };
        self.tables.remove(at);
        self.number_tables();
        true
    }

    /// Takes in all that happened at one revision. What is not newer than the cache is known already,
    /// and changes nothing.
    pub fn apply(&mut self, batch: &Batch) -> Changes {
        if batch.revision <= self.revision {
            return self.changes(News::default());
        }
        self.revision = batch.revision;
        let mut news = News::default();
        for event in &batch.events {
            let Some(tables) = prefix(&event.key).and_then(|prefix| self.by_prefix.get(prefix)) else {
                continue;
            };
            for at in tables {
                self.tables[*at].put(&event.key, event.entry.as_deref(), &mut self.strings, &mut news);
            }
        }
        self.changes(news)
    }

    /// Nothing has happened up to this revision beyond what was applied.
    pub fn advance(&mut self, revision: Revision) -> Changes {
        self.revision = self.revision.max(revision);
        self.changes(News::default())
    }

    /// Compares objects with what a listing shows.
    pub(super) fn compare(&mut self, entry: &Entry, by_value: bool) {
        let tables = prefix(&entry.key).and_then(|prefix| self.by_prefix.get(prefix));
        for at in tables.into_iter().flatten() {
            self.tables[*at].compare(entry, by_value, &mut self.strings);
        }
    }

    /// Makes all objects as they were compared with, at the revision of the listing, and takes in tables
    /// that were filled from it.
    pub(super) fn settle(
        &mut self,
        revision: Revision,
        reset: bool,
        coming: Vec<Box<dyn AnyTable>>,
    ) -> Changes {
        let mut news = News::default();
        self.tables.iter_mut().for_each(|table| table.settle(&mut news));
        self.revision = revision;
        self.adopt_into(coming, &mut news);
        Changes { reset, is_listing: true, ..self.changes(news) }
    }

    /// Forgets what was compared.
    pub(super) fn abandon(&mut self) {
        self.tables.iter_mut().for_each(|table| table.abandon());
    }

    /// How many objects are held until it is settled.
    pub(super) fn held(&self) -> usize {
        self.tables.iter().map(|table| table.held()).sum()
    }

    /// Takes in tables that were filled from a listing at the cache's revision.
    pub(super) fn adopt(&mut self, coming: Vec<Box<dyn AnyTable>>) -> Changes {
        let mut news = News::default();
        self.adopt_into(coming, &mut news);
        Changes { is_listing: true, ..self.changes(news) }
    }

    fn adopt_into(&mut self, coming: Vec<Box<dyn AnyTable>>, news: &mut News) {
        for table in coming {
            table.all_as_new(news);
            self.add(table);
        }
    }

    /// Puts an entry into a table that is not here yet.
    pub(super) fn fill(&mut self, table: &mut dyn AnyTable, entry: &Entry) {
        table.put(&entry.key, Some(entry), &mut self.strings, &mut News::default());
    }

    pub(super) fn table<R: Resource>(&self) -> Option<&Table<R>> {
        let at = self.by_type.get(&TypeId::of::<R>())?;
        self.tables[*at].as_any().downcast_ref()
    }

    pub(super) fn table_mut<R: Resource>(&mut self) -> Option<&mut Table<R>> {
        let at = self.by_type.get(&TypeId::of::<R>())?;
        self.tables[*at].as_any_mut().downcast_mut()
    }

    fn add(&mut self, table: Box<dyn AnyTable>) {
        self.tables.push(table);
        self.number_tables();
    }

    fn number_tables(&mut self) {
        self.by_type.clear();
        self.by_prefix.clear();
        for (at, table) in self.tables.iter().enumerate() {
            self.by_type.insert(table.watched().type_id(), at);
            self.by_prefix.entry(table.prefix().as_bytes().into()).or_default().push(at);
        }
    }

    fn changes(&self, news: News) -> Changes {
        let News { mut changed, unreadable } = news;
        if !changed.is_sorted_by(|a, b| a.key <= b.key) {
            changed.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Changes { revision: self.revision, reset: false, is_listing: false, changed, unreadable }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} objects of {:?} at {}", self.len(), self.kinds().collect::<Vec<_>>(), self.revision)
    }
}

/// All objects of some kinds.
pub(super) fn scope_of_kinds(kinds: impl IntoIterator<Item = Watched>) -> Scope {
    kinds.into_iter().flat_map(|watched| scope_of(&watched.kind()).ranges().to_vec()).collect()
}

/// The part of a key that says the kind: up to the second `/`, and with it.
pub(super) fn prefix(key: &[u8]) -> Option<&[u8]> {
    let mut ends = key.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    ends.nth(1).map(|end| &key[..end])
}
