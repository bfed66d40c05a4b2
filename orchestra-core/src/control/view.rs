//! [`View`]: what a reconciler sees.

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::changes::CachedObject;
use super::found::{Candidates, Found, Wanted};
use super::hash::{Place, hash, mix};
use super::index::{AnyIndex, BY_NODE, Index};
use super::place::{Atlas, within};
use super::reads::{Need, Notes, Reads, Selection};
use super::table::Table;
use super::{Cache, Now, Random, Watched};
use crate::client::{DEFAULT_NAMESPACE, ObjectName};
use crate::kinds::Pod;
use crate::object::{MicroTime, Operator, Requirement, Resource, Revision, Selector, Str, Timestamp, Uid};
use crate::store::Key;

/// What a reconciler sees: all objects as they were at one instant.
///
/// It remembers what was looked at, and a change of any of it runs the reconciler again. What the cache
/// does not have yet shows as if there were nothing, and is [needed](Self::needs): the cache gets it, and
/// the reconciler runs again. So nobody declares triggers, and nobody can forget one.
///
/// Objects are borrowed, in the order of their keys, and never copied.
pub struct View<'a> {
    cache: &'a Cache,
    now: Now,
    subject: Subject<'a>,
    seed: u64,
    narrowed: &'a [TypeId],
    /// Whether what is not in the cache is nowhere.
    is_whole: bool,
    notes: RefCell<Notes>,
}

/// Whom a View is for: the controller and the object that it reconciles.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The controller's name.
    pub controller: &'a str,
    /// Who the object is.
    pub uid: &'a Uid,
    /// The object's namespace; empty for an object of the cluster.
    pub namespace: &'a str,
    /// The object's name.
    pub name: &'a str,
    /// The object's key in the store.
    pub key: &'a Key,
}

impl<'a> View<'a> {
    /// How many letters [`name`](Self::name) appends. Names are not drawn again when two slots of an
    /// object get the same one, so there are enough for a thousand slots to clash once in half a million.
    pub const LETTERS: usize = 8;

    /// What is in a cache, for somebody. What is looked up of the kinds in `narrowed` is not remembered.
    #[must_use]
    pub fn new(cache: &'a Cache, now: Now, subject: Subject<'a>, seed: u64, narrowed: &'a [TypeId]) -> Self {
        Self { cache, now, subject, seed, narrowed, is_whole: false, notes: RefCell::default() }
    }

    /// The same, noting what is looked at in memory that was used before.
    pub(super) fn noting(self, notes: Notes) -> Self {
        Self { notes: RefCell::new(notes), ..self }
    }

    /// The same where what is not in the cache is nowhere.
    pub(super) fn whole(self) -> Self {
        Self { is_whole: true, ..self }
    }

    /// An object by its name, in the namespace of the object that is reconciled; one of the cluster if
    /// its kind has no namespaces. For an object of the cluster that is the
    /// [default namespace](crate::client::DEFAULT_NAMESPACE), into which what it makes without one goes, too.
    #[must_use]
    pub fn get<R: Resource>(&self, name: &str) -> Option<&'a R> {
        match self.subject.namespace {
            // In a `World` also objects that are of no namespace yet are there.
            "" => self.get_in(DEFAULT_NAMESPACE, name).or_else(|| self.get_in("", name)),
            namespace => self.get_in(namespace, name),
        }
    }

    /// An object by its namespace and name. For a kind that has no namespaces the namespace is ignored.
    #[must_use]
    pub fn get_in<R: Resource>(&self, namespace: &str, name: &str) -> Option<&'a R> {
        let table = self.table::<R>()?;
        let namespace = if R::KIND.is_namespaced() { namespace } else { "" };
        let place = self.note(table, |atlas| atlas.name(namespace, name));
        table.get_at(place, namespace, name).map(|object| &**object)
    }

    /// All objects of a kind. Any change of any of them runs the reconciler again.
    #[must_use]
    pub fn list<R: Resource>(&self) -> Found<'a, R> {
        let Some(table) = self.table::<R>() else { return Found::nothing() };
        self.note(table, Atlas::everything);
        Found::new(table, Candidates::Slots(table.everything()), Wanted::All)
    }

    /// The objects of a kind in a namespace.
    #[must_use]
    pub fn in_namespace<R: Resource>(&self, namespace: &str) -> Found<'a, R> {
        let Some(table) = self.table::<R>() else { return Found::nothing() };
        self.note(table, |atlas| atlas.namespace(namespace));
        Found::new(table, Candidates::Slots(table.within(namespace)), Wanted::All)
    }

    /// The objects of a kind that an object owns: that name it among their owners, whether as the one
    /// that controls them or not, in whichever namespace they are.
    #[must_use]
    pub fn owned_by<R: Resource>(&self, owner: &impl Resource) -> Found<'a, R> {
        let Some(table) = self.table::<R>() else { return Found::nothing() };
        let uid = owner.uid();
        let place = self.note(table, |atlas| atlas.owner(uid));
        Found::new(table, Candidates::Slots(table.found_at(place)), Wanted::OwnedBy(uid.clone()))
    }

    /// The owner that controls an object, if it is of this kind, is there, and is the same one: not
    /// another of its name.
    #[must_use]
    pub fn owner<O: Resource>(&self, object: &impl Resource) -> Option<&'a O> {
        let controller = object.metadata().controller()?;
        let group = controller.api_version.split_once('/').map_or("", |(group, _)| group);
        if controller.kind != O::KIND.name() || group != O::KIND.group() {
            return None;
        }
        self.get_in::<O>(object.namespace(), &controller.name).filter(|owner| *owner.uid() == controller.uid)
    }

    /// The objects of a kind with such labels, in a namespace; in all of them if it is empty. Takes a
    /// [`Selector`] or a `&LabelSelector`; an empty one selects all.
    #[must_use]
    pub fn select<R: Resource>(&self, namespace: &str, selector: impl Into<Selector>) -> Found<'a, R> {
        let Some(table) = self.table::<R>() else { return Found::nothing() };
        let namespace = if R::KIND.is_namespaced() { namespace } else { "" };
        let selector: Arc<Selector> = Arc::new(selector.into());
        let atlas = table.atlas();
        // Through the index of one label if there is one, or else through the namespace or the kind.
        let places = match anchor(atlas, &selector) {
            Some((index, places)) if table.is_built(&index) => Some(places),
            Some((index, _)) => {
                self.need_index(table, || index);
                None
            }
            None => None,
        };

        let all = |place: Place| if namespace.is_empty() { place } else { within(place, namespace) };
        match &places {
            Some(places) => {
                places
                    .iter()
                    .for_each(|place| self.note_selection::<R>(atlas, all(*place), namespace, &selector));
            }
            None if namespace.is_empty() => {
                self.note_selection::<R>(atlas, atlas.everything(), namespace, &selector);
            }
            None => self.note_selection::<R>(atlas, atlas.namespace(namespace), namespace, &selector),
        }

        let found = |place: &Place| match namespace {
            "" => table.found_at(*place),
            namespace => table.found_within(*place, namespace),
        };
        let candidates = match (places.as_deref(), namespace) {
            (None, "") => Candidates::Slots(table.everything()),
            (None, namespace) => Candidates::Slots(table.within(namespace)),
            (Some([place]), _) => Candidates::Slots(found(place)),
            (Some(places), _) => {
                let mut slots: Vec<u32> = places.iter().flat_map(found).collect();
                table.sort(&mut slots);
                slots.dedup();
                Candidates::Gathered(slots.into_iter())
            }
        };
        Found::new(table, candidates, Wanted::Selected(selector))
    }

    /// The pods on a node.
    #[must_use]
    pub fn on_node(&self, node: &str) -> Found<'a, Pod> {
        self.by(&BY_NODE, node)
    }

    /// The objects that an index finds by a value.
    #[must_use]
    pub fn by<R: Resource>(&self, index: &Index<R>, value: &str) -> Found<'a, R> {
        let Some(table) = self.table::<R>() else { return Found::nothing() };
        let wanted = Wanted::By(*index, value.into());
        if table.has_own(index.name()) {
            let place = self.note(table, |atlas| atlas.own(index.name(), value));
            return Found::new(table, Candidates::Slots(table.found_at(place)), wanted);
        }
        // It is looked through; whoever has so many indexes that there is no room for one more is woken
        // by any change of the kind.
        self.note(table, Atlas::everything);
        self.need_index(table, || AnyIndex::own(index));
        Found::new(table, Candidates::Slots(table.everything()), wanted)
    }

    /// An object of whichever kind.
    pub(super) fn look_up(&self, watched: Watched, object: &ObjectName) -> Option<&'a dyn CachedObject> {
        let Some(table) = self.cache.any_table(watched) else {
            if !self.is_whole {
                self.need(Need::kind(watched));
            }
            return None;
        };
        let (namespace, name) = (object.namespace(), object.name());
        self.note_at(table.any_atlas(), table.any_atlas().name(namespace, name));
        table.object(namespace, name)
    }

    /// The revision at which an object was last written; nothing when it is not there. It is looked for in the
    /// slot `near` first, which becomes the one where it is.
    pub(super) fn stands_near(
        &self,
        watched: Watched,
        object: &ObjectName,
        near: &mut u32,
    ) -> Option<Revision> {
        let Some(table) = self.cache.any_table(watched) else {
            if !self.is_whole {
                self.need(Need::kind(watched));
            }
            return None;
        };
        let (atlas, namespace, name) = (table.any_atlas(), object.namespace(), object.name());
        self.note_at(atlas, atlas.name(namespace, name));
        *near = table.slot_near(*near, namespace, name)?;
        table.in_slot(*near).map(|object| object.metadata().resource_version)
    }

    /// What an object owns, of whichever kinds the cache has.
    pub(super) fn dependents(&self, owner: &Uid) -> Vec<(Watched, &'a dyn CachedObject)> {
        let mut owned = Vec::new();
        for table in self.cache.tables() {
            // Garbage is no reason to keep a kind.
            self.notes.borrow_mut().place(table.any_atlas().owner(owner));
            owned.extend(table.owned_by(owner).into_iter().map(|object| (table.watched(), object)));
        }
        owned
    }

    /// Whether something stands in the store under this name that cannot be read.
    pub(super) fn is_unreadable(&self, watched: Watched, object: &ObjectName) -> bool {
        self.cache.any_table(watched).is_some_and(|table| table.unreadable().contains_key(&object.key()))
    }

    /// The kind of a name and group, if the cache has it.
    pub(super) fn kind(&self, group: &str, name: &str) -> Option<Watched> {
        let is_it = |watched: &Watched| (watched.kind().group(), watched.kind().name()) == (group, name);
        self.cache.kinds().find(is_it)
    }

    /// What time it is, to the second. That time passes wakes nobody: [`Plan::at`](super::Plan::at) and
    /// [`after`](super::Plan::after) do.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.wall.into()
    }

    /// What time it is, to the microsecond.
    #[must_use]
    pub const fn now_micros(&self) -> MicroTime {
        self.now.wall
    }

    /// The revision that is seen.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.cache.revision()
    }

    /// A name for something that the object is to have: the object's own and a few letters, which follow
    /// from the slot and from who the object is.
    ///
    /// The same slot of the same object has the same name whenever it is asked for, so that what is
    /// created under it is created once. Another object that takes the name later has other names for
    /// its slots, so that it does not meet what the first one left behind. Controllers of one kind share their
    /// slots: let their names differ.
    #[must_use]
    pub fn name(&self, slot: impl fmt::Display) -> Str {
        // Kubernetes' letters, which spell no words and are not mistaken for one another.
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        const MOST: usize = 63;
        let Subject { namespace, name, .. } = self.subject;
        let mut rest = hash(self.identity(), &[namespace, name, &slot.to_string()]);
        let mut end = name.len().min(MOST - 1 - Self::LETTERS);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let stem = name[..end].trim_end_matches(['-', '.']);
        let mut text = String::with_capacity(MOST);
        text.extend([stem, "-"]);
        for _ in 0..Self::LETTERS {
            text.push(char::from(LETTERS[usize::try_from(rest % 27).unwrap_or(0)]));
            rest /= 27;
        }
        text.into()
    }

    /// Numbers that look random, one stream for each object and controller.
    ///
    /// Each call begins the stream anew, and so does each reconcile: the same object gets the same
    /// numbers, so that a decision that was made by them is not made otherwise the next time.
    #[must_use]
    pub fn random(&self) -> Random {
        Random::seeded(mix(self.seed) ^ hash(self.identity(), &[self.subject.controller]))
    }

    /// What was looked for and could not be seen.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        self.notes.borrow().needs().to_vec()
    }

    /// What was looked at.
    #[must_use]
    pub fn into_reads(self) -> Reads {
        self.into_notes().take()
    }

    /// The same as it was noted.
    pub(super) fn into_notes(self) -> Notes {
        self.notes.into_inner()
    }

    /// A number for who the object is.
    fn identity(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = super::hash::FastHasher::default();
        self.subject.uid.hash(&mut hasher);
        hasher.finish()
    }

    /// The objects of a kind, if the cache has it.
    fn table<R: Resource>(&self) -> Option<&'a Table<R>> {
        let table = self.cache.table::<R>();
        if table.is_none() && !self.is_whole {
            self.need(Need::kind(Watched::of::<R>()));
        }
        table
    }

    /// An index is missing: it is to be built, if there is room for one more.
    fn need_index<R: Resource>(&self, table: &Table<R>, index: impl FnOnce() -> AnyIndex) {
        if !self.is_whole && table.has_room() {
            self.need(Need::index_of(Watched::of::<R>(), index()));
        }
    }

    /// Remembers that somebody looked at a place, and says which it is.
    fn note<R: Resource>(&self, table: &Table<R>, place: impl FnOnce(Atlas) -> Place) -> Place {
        let place = place(table.atlas());
        if !self.is_narrowed::<R>() {
            self.note_at(table.atlas(), place);
        }
        place
    }

    fn note_at(&self, atlas: Atlas, place: Place) {
        let mut notes = self.notes.borrow_mut();
        notes.presence(atlas.presence());
        notes.place(place);
    }

    fn note_selection<R: Resource>(
        &self,
        atlas: Atlas,
        place: Place,
        namespace: &str,
        selector: &Arc<Selector>,
    ) {
        if !self.is_narrowed::<R>() {
            let (namespace, selector) = (namespace.into(), selector.clone());
            let mut notes = self.notes.borrow_mut();
            notes.presence(atlas.presence());
            notes.selection(Selection { place, namespace, selector });
        }
    }

    fn need(&self, need: Need) {
        self.notes.borrow_mut().need(need);
    }

    fn is_narrowed<R: Resource>(&self) -> bool {
        !self.narrowed.is_empty() && self.narrowed.contains(&TypeId::of::<R>())
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what {} sees of {:?} for {}", self.subject.controller, self.cache, self.subject.key)
    }
}

/// The index by which to look for what is selected, and the places in it. Everything that is selected is
/// at one of them.
fn anchor(atlas: Atlas, selector: &Selector) -> Option<(AnyIndex, Vec<Place>)> {
    // The fewer values, the fewer objects; that there is a label at all says least.
    let rank = |requirement: &&Requirement| match requirement.operator {
        Operator::In => Some(requirement.values.len()),
        Operator::Exists | Operator::Gt | Operator::Lt => Some(usize::MAX),
        Operator::Unset | Operator::NotIn | Operator::DoesNotExist => None,
    };
    let requirements = selector.requirements().iter();
    let best = requirements.filter(|it| rank(it).is_some()).min_by_key(|it| rank(it))?;
    let key = &best.key;
    Some(match best.operator {
        Operator::In => {
            let places = best.values.iter().map(|value| atlas.label(key, value)).collect();
            (AnyIndex::Label(key.clone()), places)
        }
        _ => (AnyIndex::HasLabel(key.clone()), vec![atlas.has_label(key)]),
    })
}
