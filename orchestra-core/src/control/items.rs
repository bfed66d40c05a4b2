//! [`Items`]: the objects that a kernel looks at, once for each controller of their kind.

use std::num::NonZeroU64;

use super::Watched;
use super::budget::Budget;
use super::hash::FastMap;
use super::table::NOWHERE;
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
    /// The slot that the cache had for it when it was last looked at.
    pub(super) slot: u32,
    /// What was read last as a number, if that says all: the same need not be noted again.
    pub(super) reads: Option<NonZeroU64>,
    pub(super) memory: Memory,
    /// What it has been changing lately; nothing for most.
    pub(super) budget: Option<Box<Budget>>,
    /// How often in a row somebody else was first.
    pub(super) overtaken: u32,
    /// Whether it was looked at with all in the cache that its controller looks for.
    pub(super) was_looked_at: bool,
}

/// A change that was applied: its hash, and the revision of its object then.
pub(super) type Made = (u64, Option<Revision>);

/// What was applied already.
#[derive(Debug)]
pub(super) struct Memory {
    /// As long as the object is still at it, there is nothing to do. In order.
    pub(super) memo: Vec<Made>,
    /// A whole plan of which all is in the memo, as a number: it need not be looked for there again.
    pub(super) rest: Option<NonZeroU64>,
    /// The slot that the cache had for the first object that the plan is about.
    pub(super) target: u32,
}

impl Memory {
    const NONE: Self = Self { memo: Vec::new(), rest: None, target: NOWHERE };

    /// Nothing is known to be applied.
    pub(super) fn forget(&mut self) {
        *self = Self::NONE;
    }

    /// Something was applied.
    pub(super) fn note(&mut self, made: Made) {
        self.rest = None;
        match self.memo.binary_search_by_key(&made.0, |(known, _)| *known) {
            Ok(at) => self.memo[at] = made,
            Err(at) => self.memo.insert(at, made),
        }
    }
}

/// Items by number, and by controller and key.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Option<Item>>,
    free: Vec<u32>,
    /// By key, for each controller.
    numbers: Vec<FastMap<Key, u32>>,
}

impl Items {
    pub(super) fn number(&self, lane: u32, key: &Key) -> Option<u32> {
        self.numbers.get(lane as usize)?.get(key).copied()
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
            slot: NOWHERE,
            reads: None,
            memory: Memory::NONE,
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
        let lane = lane as usize;
        if self.numbers.len() <= lane {
            self.numbers.resize_with(lane + 1, FastMap::default);
        }
        self.numbers[lane].insert(key, number);
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Item> {
        let item = self.items.get_mut(number as usize)?.take()?;
        self.numbers[item.lane as usize].remove(&item.key);
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
