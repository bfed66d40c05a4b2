//! [`Postings`] and [`Directory`]: some numbers, at each place, in an order that is given from outside.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;

use super::hash::{FastMap, Place};

/// Some numbers in order. Which of two comes first, whoever holds them says, always the same.
///
/// Most places in an index have one number, some a few, some very many. One takes no memory of its own;
/// the others take about five bytes each.
pub(super) enum Postings {
    /// One.
    One(u32),
    /// None, or a few.
    #[allow(clippy::box_collection)] // a thin pointer: there is one of this in every entry of an index
    Few(Box<Vec<u32>>),
    /// Many, in runs, none of them empty.
    #[allow(clippy::box_collection)]
    Many(Box<Vec<Vec<u32>>>),
}

/// Numbers of [`Postings`], in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots<'p> {
    first: std::slice::Iter<'p, u32>,
    middle: std::slice::Iter<'p, Vec<u32>>,
    last: std::slice::Iter<'p, u32>,
}

/// Some numbers at each place.
#[derive(Default)]
pub(super) struct Directory(FastMap<Place, Postings>);

impl Directory {
    /// How many places have a number.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The numbers at a place.
    #[inline]
    pub(super) fn at(&self, place: Place) -> Option<&Postings> {
        self.0.get(&place)
    }

    /// Adds a number that is not there yet.
    pub(super) fn insert(&mut self, place: Place, number: u32, order: impl Fn(u32, u32) -> Ordering) {
        match self.0.entry(place) {
            Entry::Occupied(mut entry) => entry.get_mut().insert(number, order),
            Entry::Vacant(entry) => {
                entry.insert(Postings::One(number));
            }
        }
    }

    /// Takes a number out.
    pub(super) fn remove(&mut self, place: Place, number: u32, order: impl Fn(u32, u32) -> Ordering) {
        if self.0.get_mut(&place).is_some_and(|postings| postings.remove(number, order)) {
            self.0.remove(&place);
        }
    }
}

impl Postings {
    /// How many there are in one run at most: to insert one moves a few hundred bytes.
    const RUN: usize = 128;
    /// Beyond so many, they are kept in runs.
    const FEW: usize = 64;

    /// Adds a number that is not there yet.
    pub(super) fn insert(&mut self, number: u32, order: impl Fn(u32, u32) -> Ordering) {
        let is_before = |other: &u32| order(*other, number).is_lt();
        match self {
            Self::One(one) => {
                let mut few = Vec::with_capacity(2);
                few.extend(if is_before(one) { [*one, number] } else { [number, *one] });
                *self = Self::Few(few.into());
            }
            Self::Few(few) if few.len() < Self::FEW => {
                // They mostly come in order.
                let at = match few.last() {
                    Some(last) if !is_before(last) => few.partition_point(is_before),
                    _ => few.len(),
                };
                if few.is_empty() {
                    *self = Self::One(number);
                } else {
                    few.insert(at, number);
                }
            }
            Self::Few(few) => {
                *self = Self::Many(Box::new(vec![std::mem::take(few)]));
                self.insert(number, order);
            }
            Self::Many(runs) => Self::insert_into(runs, number, is_before),
        }
    }

    fn insert_into(runs: &mut Vec<Vec<u32>>, number: u32, is_before: impl Fn(&u32) -> bool) {
        let is_last = runs.last().and_then(|run| run.last()).is_none_or(&is_before);
        if is_last {
            match runs.last_mut() {
                Some(run) if run.len() < Self::RUN => run.push(number),
                // What comes in order fills one run after the other.
                _ => runs.push(vec![number]),
            }
            return;
        }
        let at = runs.partition_point(|run| run.last().is_some_and(&is_before));
        let run = &mut runs[at];
        run.insert(run.partition_point(is_before), number);
        if run.len() > Self::RUN {
            let rest = run.split_off(run.len() / 2);
            run.shrink_to_fit();
            runs.insert(at + 1, rest);
        }
    }

    /// Takes a number out; `true` if none is left.
    pub(super) fn remove(&mut self, number: u32, order: impl Fn(u32, u32) -> Ordering) -> bool {
        match self {
            Self::One(one) => *one == number,
            Self::Few(few) => {
                if let Ok(at) = few.binary_search_by(|other| order(*other, number)) {
                    few.remove(at);
                }
                if let [one] = few[..] {
                    *self = Self::One(one);
                    return false;
                }
                few.is_empty()
            }
            Self::Many(runs) => {
                let at =
                    runs.partition_point(|run| run.last().is_some_and(|last| order(*last, number).is_lt()));
                if let Some(run) = runs.get_mut(at)
                    && let Ok(within) = run.binary_search_by(|other| order(*other, number))
                {
                    run.remove(within);
                    if run.is_empty() {
                        runs.remove(at);
                    }
                }
                if let [run] = &mut runs[..]
                    && run.len() <= Self::FEW / 2
                {
                    *self = Self::Few(std::mem::take(run).into());
                    return matches!(self, Self::Few(few) if few.is_empty());
                }
                runs.is_empty()
            }
        }
    }

    /// All of them.
    pub(super) fn slots(&self) -> Slots<'_> {
        match self {
            Self::One(one) => Slots::of(std::slice::from_ref(one)),
            Self::Few(few) => Slots::of(few),
            Self::Many(runs) => Slots { middle: runs.iter(), ..Slots::default() },
        }
    }

    /// Those of a range: all that are not before it, of which all that are before its end.
    pub(super) fn range(
        &self,
        is_before: impl Fn(u32) -> bool,
        is_within_or_before: impl Fn(u32) -> bool,
    ) -> Slots<'_> {
        let part = |run: &[u32]| {
            let start = run.partition_point(|number| is_before(*number));
            start..start + run[start..].partition_point(|number| is_within_or_before(*number))
        };
        match self {
            Self::One(one) => {
                let one = std::slice::from_ref(one);
                Slots::of(&one[part(one)])
            }
            Self::Few(few) => Slots::of(&few[part(few)]),
            Self::Many(runs) => {
                let start = runs.partition_point(|run| run.last().is_some_and(|last| is_before(*last)));
                let rest = &runs[start..];
                // The runs that are within as a whole, but for the first one's beginning.
                let whole =
                    rest.partition_point(|run| run.last().is_some_and(|last| is_within_or_before(*last)));
                let last = rest.get(whole).map_or(&[][..], |run| &run[part(run)]);
                let (first, middle) = match &rest[..whole] {
                    [] => (&[][..], &[][..]),
                    [first, middle @ ..] => (&first[part(first)], middle),
                };
                Slots { first: first.iter(), middle: middle.iter(), last: last.iter() }
            }
        }
    }
}

impl Default for Postings {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

impl<'p> Slots<'p> {
    /// These.
    pub(super) fn of(numbers: &'p [u32]) -> Self {
        Self { first: numbers.iter(), ..Self::default() }
    }
}

impl Iterator for Slots<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        loop {
            if let Some(number) = self.first.next() {
                return Some(*number);
            }
            match self.middle.next() {
                Some(run) => self.first = run.iter(),
                None => return self.last.next().copied(),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ends = self.first.len() + self.last.len();
        let middle = self.middle.len();
        // Every run has one at least.
        (ends + middle, Some(ends + middle * (Postings::RUN + 1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<Postings>(), 16);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Held against a tree. The order is backwards, to be one from outside.
        #[test]
        fn they_are_a_set_in_order(
            steps in proptest::collection::vec((0..600_u32, 0..4_u8), 0..1500),
            low in 0..600_u32,
            high in 0..600_u32,
        ) {
            let order = |a: u32, b: u32| b.cmp(&a);
            let (mut postings, mut model) = (Postings::default(), BTreeSet::new());
            for (number, what) in steps {
                if what > 0 {
                    if model.insert(number) { postings.insert(number, order); }
                } else if model.remove(&number) {
                    prop_assert_eq!(postings.remove(number, order), model.is_empty());
                    if model.is_empty() { postings = Postings::default(); }
                }
            }
            let all: Vec<u32> = model.iter().rev().copied().collect();
            prop_assert_eq!(postings.slots().collect::<Vec<_>>(), all.clone());
            let (least, most) = postings.slots().size_hint();
            prop_assert!(least <= all.len() && most.is_some_and(|most| all.len() <= most));
            let within: Vec<u32> = all.into_iter().filter(|at| (low..=high).contains(at)).collect();
            let found: Vec<u32> = postings.range(|at| at > high, |at| at >= low).collect();
            prop_assert_eq!(found, within);
        }
    }

    #[test]
    fn what_comes_in_order_is_dense() {
        let mut postings = Postings::default();
        for number in 0..100_000 {
            postings.insert(number, |a, b| a.cmp(&b));
        }
        let Postings::Many(runs) = &postings else { panic!() };
        assert!(runs.len() < 800, "{}", runs.len());
        for number in 0..100_000 {
            assert_eq!(postings.remove(number, |a, b| a.cmp(&b)), number == 99_999);
        }
    }
}
