//! [`Items`]: the objects that a kernel looks at, once for each controller of their kind.

use super::Watched;
use super::budget::Budget;
use crate::object::{Revision, Uid};
use crate::store::Key;

/// An object, and what its controller did about it.
#[derive(Debug)]
pub(super) struct Item {
    /// Which controller's.
    pub(super) lane: u32,
    pub(super) watched: Watched,
    pub(super) key: Key,
    pub(super) uid: Uid,
    /// What was applied already: the hash of a change, and the revision of its object then. As long as
    /// the object is still at it, there is nothing to do. In order.
    pub(super) memo: Vec<(u64, Option<Revision>)>,
    /// What it has been changing lately; nothing for most.
    pub(super) budget: Option<Box<Budget>>,
    /// How often in a row somebody else was first.
    pub(super) overtaken: u32,
    /// Whether it was looked at with all in the cache that its controller looks for.
    pub(super) was_looked_at: bool,
}

/// Items by number, and by controller and key.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Option<Item>>,
    free: Vec<u32>,
    numbers: Numbers,
}

#[allow(clippy::disallowed_types)] // never iterated: its order is never seen
type Numbers = std::collections::HashMap<(u32, Key), u32>;

impl Items {
    pub(super) fn number(&self, lane: u32, key: &Key) -> Option<u32> {
        self.numbers.get(&(lane, key.clone())).copied()
    }

    pub(super) fn get(&self, item: u32) -> Option<&Item> {
        self.items.get(item as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, item: u32) -> Option<&mut Item> {
        self.items.get_mut(item as usize)?.as_mut()
    }

    pub(super) fn add(&mut self, lane: u32, watched: Watched, key: Key, uid: Uid) -> u32 {
        let item = Item {
            lane,
            watched,
            key: key.clone(),
            uid,
            memo: Vec::new(),
            budget: None,
            overtaken: 0,
            was_looked_at: false,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.items[number as usize] = Some(item);
                number
            }
            None => {
                self.items.push(Some(item));
                (self.items.len() - 1) as u32
            }
        };
        self.numbers.insert((lane, key), number);
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Item> {
        let item = self.items.get_mut(number as usize)?.take()?;
        self.numbers.remove(&(item.lane, item.key.clone()));
        self.free.push(number);
        Some(item)
    }

    pub(super) fn of_lane(&self, lane: u32) -> Vec<u32> {
        let all = self.items.iter().enumerate();
        let of_lane = all.filter(|(_, item)| item.as_ref().is_some_and(|item| item.lane == lane));
        of_lane.map(|(number, _)| number as u32).collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.items.iter_mut().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}
