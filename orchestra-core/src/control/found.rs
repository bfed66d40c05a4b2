//! [`Found`]: the objects that a View was asked for, one after the other.

use std::fmt;
use std::sync::Arc;

use super::index::Index;
use super::postings::Slots;
use super::table::Table;
use crate::object::{OwnerReference, Resource, Selector, Str, Uid};

/// The objects that were asked for, in the order of their keys. None is copied.
pub struct Found<'a, R> {
    table: Option<&'a Table<R>>,
    slots: Candidates<'a>,
    wanted: Wanted<R>,
}

/// Where objects may be that were asked for.
pub(super) enum Candidates<'a> {
    Slots(Slots<'a>),
    Gathered(std::vec::IntoIter<u32>),
}

/// Which of them were.
pub(super) enum Wanted<R> {
    All,
    OwnedBy(Uid),
    Selected(Arc<Selector>),
    By(Index<R>, Str),
}

impl<'a, R: Resource> Found<'a, R> {
    pub(super) const fn new(table: &'a Table<R>, slots: Candidates<'a>, wanted: Wanted<R>) -> Self {
        Self { table: Some(table), slots, wanted }
    }

    pub(super) fn nothing() -> Self {
        Self { table: None, slots: Candidates::Slots(Slots::default()), wanted: Wanted::All }
    }
}

impl<R: Resource> Wanted<R> {
    /// Two places may have the same number: what is found there is looked at.
    fn has(&self, object: &R) -> bool {
        match self {
            Self::All => true,
            Self::OwnedBy(uid) => {
                object.metadata().owner_references.iter().any(|OwnerReference { uid: own, .. }| own == uid)
            }
            Self::Selected(selector) => selector.matches(object.labels()),
            Self::By(index, value) => index.has(object, value),
        }
    }
}

impl<'a, R: Resource> Iterator for Found<'a, R> {
    type Item = &'a R;

    fn next(&mut self) -> Option<&'a R> {
        let table = self.table?;
        loop {
            let slot = match &mut self.slots {
                Candidates::Slots(slots) => slots.next()?,
                Candidates::Gathered(slots) => slots.next()?,
            };
            if let Some(object) = table.at(slot)
                && self.wanted.has(object)
            {
                return Some(object);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = match &self.slots {
            Candidates::Slots(slots) => slots.size_hint(),
            Candidates::Gathered(slots) => slots.size_hint(),
        };
        if matches!(self.wanted, Wanted::All) { (least, most) } else { (0, most) }
    }
}

impl<R> fmt::Debug for Found<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects")
    }
}
