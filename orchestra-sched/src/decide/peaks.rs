//! [`Peaks`]: a value for each position, and where the greatest ones are.

use super::layout::{Group, Layout};
use crate::set::WORD;

/// What stands where a pod does not fit.
pub(crate) const NO: i32 = i32::MIN;

/// A value for each position, the greatest of each block, and the greatest of each group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peaks {
    values: Vec<i32>,
    blocks: Vec<i32>,
    groups: Vec<i32>,
}

impl Peaks {
    /// Nothing fits anywhere.
    pub(crate) fn clear(&mut self, layout: &Layout) {
        for (list, len) in [
            (&mut self.values, layout.order.len()),
            (&mut self.blocks, layout.group_of.len()),
            (&mut self.groups, layout.groups.len()),
        ] {
            list.clear();
            list.resize(len, NO);
        }
    }

    /// Puts in all values.
    pub(crate) fn fill(&mut self, layout: &Layout, value: impl Fn(usize) -> i32) {
        for (at, slot) in self.values.iter_mut().enumerate() {
            *slot = value(at);
        }
        for (block, values) in self.blocks.iter_mut().zip(self.values.chunks_exact(WORD)) {
            *block = greatest(values);
        }
        for (top, group) in self.groups.iter_mut().zip(&layout.groups) {
            *top = greatest(&self.blocks[group.from..group.to]);
        }
    }

    /// Puts in one value.
    pub(crate) fn set(&mut self, layout: &Layout, at: usize, value: i32) {
        let old = std::mem::replace(&mut self.values[at], value);
        let block = at / WORD;
        let peak = self.blocks[block];
        let new = match peak {
            _ if value >= peak => value,
            _ if old == peak => greatest(&self.values[block * WORD..(block + 1) * WORD]),
            _ => return,
        };
        if new == peak {
            return;
        }
        self.blocks[block] = new;
        let number = layout.group_of[block] as usize;
        let top = self.groups[number];
        if new >= top {
            self.groups[number] = new;
        } else if peak == top {
            let Group { from, to } = layout.groups[number];
            self.groups[number] = greatest(&self.blocks[from..to]);
        }
    }

    pub(crate) fn value(&self, at: usize) -> i32 {
        self.values[at]
    }

    /// The greatest value of a group.
    pub(crate) fn top(&self, group: usize) -> i32 {
        self.groups[group]
    }

    /// The first position in a group that has its greatest value.
    pub(crate) fn first(&self, group: usize, Group { from, to }: Group) -> Option<usize> {
        let top = self.groups[group];
        let block = from + self.blocks[from..to].iter().position(|peak| *peak == top)?;
        let values = &self.values[block * WORD..(block + 1) * WORD];
        Some(block * WORD + values.iter().position(|value| *value == top)?)
    }
}

fn greatest(values: &[i32]) -> i32 {
    values.iter().fold(NO, |greatest, value| greatest.max(*value))
}
