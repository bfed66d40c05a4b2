//! [`Bounds`]: between what the amounts of some nodes lie.

use std::ops::RangeInclusive;

use crate::cluster::{Dim, Nodes};
use crate::set::NodeId;

/// Nodes of which is known only between what their processor time and memory lie: what they have, and what is
/// taken of it.
///
/// [Scores](crate::Score::at_most) and [filters](crate::Filter::rejects_all) that can tell something of all of them
/// at once let nodes be passed over together that cannot be best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub(crate) least: Amounts,
    pub(crate) most: Amounts,
}

/// Amounts of processor time and of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    pub(crate) allocatable: [f64; 2],
    pub(crate) taken: [f64; 2],
    /// What is taken where each pod needs a little at least.
    pub(crate) presumed: [f64; 2],
    /// How much greater the share of processor time is that is taken than that of memory.
    pub(crate) lean: f64,
}

const DIMS: [Dim; 2] = [Dim::CPU, Dim::MEMORY];

impl Bounds {
    /// Of no node.
    pub(crate) const NONE: Self =
        Self { least: Amounts::all(f64::INFINITY), most: Amounts::all(f64::NEG_INFINITY) };

    /// Between what they have of a resource for pods, if that is known.
    #[must_use]
    pub fn allocatable(&self, dim: Dim) -> Option<RangeInclusive<i64>> {
        self.range(dim, |amounts| amounts.allocatable)
    }

    /// Between what is taken of a resource, if that is known.
    #[must_use]
    pub fn taken(&self, dim: Dim) -> Option<RangeInclusive<i64>> {
        self.range(dim, |amounts| amounts.taken)
    }

    fn range(&self, dim: Dim, of: fn(&Amounts) -> [f64; 2]) -> Option<RangeInclusive<i64>> {
        let at = DIMS.iter().position(|it| *it == dim)?;
        Some(of(&self.least)[at] as i64..=of(&self.most)[at] as i64)
    }

    /// Wide enough for some amounts, too.
    pub(crate) fn widen(&mut self, by: &Amounts) {
        self.least = self.least.each(by, |one, other| if other < one { other } else { one });
        self.most = self.most.each(by, |one, other| if other > one { other } else { one });
    }

    /// Wide enough for both.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        self.widen(&other.least);
        self.widen(&other.most);
        self
    }

    /// Whether all have the same for pods, and something of each.
    pub(crate) fn are_of_one_size(&self) -> bool {
        self.least.allocatable == self.most.allocatable
    }

    /// Whether each has something of both for pods.
    pub(crate) fn have_both(&self) -> bool {
        self.least.allocatable.iter().all(|it| *it > 0.0)
    }
}

impl Amounts {
    const fn all(amount: f64) -> Self {
        Self { allocatable: [amount; 2], taken: [amount; 2], presumed: [amount; 2], lean: amount }
    }

    pub(crate) fn of(nodes: &Nodes, node: NodeId) -> Self {
        let allocatable = DIMS.map(|dim| nodes.allocatable(node, dim));
        let taken = DIMS.map(|dim| nodes.taken(node, dim));
        let lean = taken[0] / allocatable[0] - taken[1] / allocatable[1];
        Self {
            allocatable,
            taken,
            presumed: [nodes.presumed_cpu[node.at()], nodes.presumed_memory[node.at()]],
            lean: if lean.is_finite() { lean } else { 0.0 },
        }
    }

    fn each(&self, other: &Self, choose: impl Fn(f64, f64) -> f64) -> Self {
        let both = |one: [f64; 2], other: [f64; 2]| [choose(one[0], other[0]), choose(one[1], other[1])];
        Self {
            allocatable: both(self.allocatable, other.allocatable),
            taken: both(self.taken, other.taken),
            presumed: both(self.presumed, other.presumed),
            lean: choose(self.lean, other.lean),
        }
    }
}
