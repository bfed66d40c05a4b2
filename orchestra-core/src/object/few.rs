//! [`Few`]: a list that is mostly empty.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thin_vec::ThinVec;

use super::Str;
use super::schema::Schema;
use super::wire::{Block, Wire, read_list};

/// A list of 8 bytes, a third of a `Vec`: for what most objects have none of.
///
/// Objects have dozens of lists, nearly all of them empty. It reads like a slice (it derefs to one), and
/// is made by `.into()` from an array or a `Vec`, or by `collect`.
///
/// ```
/// use orchestra_core::object::Few;
/// let mut names = Few::from(["a", "b"]);
/// names.push("c");
/// assert_eq!(names, ["a", "b", "c"]);
/// assert_eq!(names.iter().map(|name| name.len()).sum::<usize>(), 3);
/// ```
#[derive(Clone, PartialOrd, Ord, Eq, Hash)]
pub struct Few<T>(ThinVec<T>);

impl<T> Few<T> {
    /// A list of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(ThinVec::new())
    }

    /// Adds something at the end.
    pub fn push(&mut self, item: T) {
        self.0.push(item);
    }

    /// Takes the last one out.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Puts something in a place; what was there comes after it.
    ///
    /// # Panics
    /// When the place is beyond the end, as a `Vec` does.
    pub fn insert(&mut self, at: usize, item: T) {
        self.0.insert(at, item);
    }

    /// Takes out what is in a place.
    ///
    /// # Panics
    /// When there is no such place, as a `Vec` does.
    pub fn remove(&mut self, at: usize) -> T {
        self.0.remove(at)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps the items for which the condition holds.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
    }

    /// Keeps the items for which the condition holds, which may change them.
    pub fn retain_mut(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.0.retain_mut(keep);
    }

    /// The items as a slice.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Drops each item that is the same as the one before it. `same` is given the later one first.
    pub(super) fn dedup_by(&mut self, same: impl FnMut(&mut T, &mut T) -> bool) {
        self.0.dedup_by(same);
    }
}

impl<T> Block<T> for Few<T> {
    fn of_size(size: usize) -> Self {
        // No block at all for none.
        Self(if size == 0 { ThinVec::new() } else { ThinVec::with_capacity(size) })
    }
    fn fit(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let items = items.into_iter();
        let mut list = Self::of_size(items.size_hint().0);
        list.0.extend(items);
        list
    }
}

impl<T, const N: usize> From<[T; N]> for Few<T> {
    fn from(items: [T; N]) -> Self {
        items.into_iter().collect()
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T> From<Few<T>> for Vec<T> {
    fn from(items: Few<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.0.extend(items);
    }
}

/// The items of a [`Few`], or the entries of a [`Map`](super::Map), taken out of it.
pub struct IntoIter<T>(thin_vec::IntoIter<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.0.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> DoubleEndedIterator for IntoIter<T> {
    fn next_back(&mut self) -> Option<T> {
        self.0.next_back()
    }
}

impl<T> ExactSizeIterator for IntoIter<T> {}

impl<T: fmt::Debug> fmt::Debug for IntoIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_slice().fmt(f)
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self.0.into_iter())
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Few<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

macro_rules! compares_with {
    ($([$($parameters:tt)*] $other:ty;)*) => {$(
        impl<T: PartialEq<U>, U, $($parameters)*> PartialEq<$other> for Few<T> {
            fn eq(&self, other: &$other) -> bool {
                self.as_slice() == &other[..]
            }
        }
    )*};
}
compares_with! {
    [] Few<U>;
    [] Vec<U>;
    [] [U];
    [] &[U];
    [const N: usize] [U; N];
}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de, T: Wire> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_list(deserializer)
    }
}

impl<T: Wire> Wire for Few<T> {
    const SCHEMA: &'static Schema = &Schema::List(T::SCHEMA);
    #[inline]
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        self.iter_mut().for_each(|item| item.texts(see));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_no_more_than_a_pointer_and_what_is_in_it() {
        assert_eq!(size_of::<Few<u32>>(), 8);
        for count in [0, 1, 3, 4, 5, 9] {
            let numbers: Vec<u32> = (0..count).collect();
            let read: Few<u32> = serde_json::from_str(&serde_json::to_string(&numbers).unwrap()).unwrap();
            assert_eq!(read, numbers);
            assert_eq!(read.0.capacity(), numbers.len());
            assert_eq!(Few::from(numbers.clone()).0.capacity(), numbers.len());
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&numbers).unwrap());
            assert_eq!(Vec::from(read), numbers);
        }
    }

    #[test]
    fn behaves_like_a_vec() {
        let mut list = Few::new();
        list.extend([3, 1, 2]);
        list.sort_unstable();
        list.insert(0, 0);
        assert_eq!((list.remove(1), list.pop(), list.len()), (1, Some(3), 2));
        list.retain(|number| *number > 0);
        list.iter_mut().for_each(|number| *number += 1);
        assert_eq!(list, [3]);
        assert_eq!(list.clone().into_iter().rev().len(), 1);
        list.clear();
        assert_eq!((list, format!("{:?}", Few::from([1, 2]))), (Few::<i32>::new(), "[1, 2]".into()));
    }
}
