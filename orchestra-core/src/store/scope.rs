//! [`Scope`], [`Page`] and [`Listing`]: which keys are meant, and how they are read.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use super::{Entry, Key, Revision};

/// Some of the keys: a set of ranges.
///
/// ```
/// # use orchestra_core::store::{KeyRange, Scope};
/// let scope = Scope::prefix("pods/").and(KeyRange::key("nodes//n1"));
/// assert!(scope.contains(b"pods/default/web") && scope.contains(b"nodes//n1"));
/// assert!(!scope.contains(b"nodes//n10"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// In order, disjoint, none of them empty.
    ranges: Vec<KeyRange>,
}

/// The keys from one, up to and without another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRange {
    start: Key,
    /// Nothing: to the last key.
    end: Option<Key>,
}

impl Scope {
    /// All keys.
    #[must_use]
    pub fn all() -> Self {
        Self::from(KeyRange::from(Key::from("")))
    }

    /// The keys that begin so.
    #[must_use]
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        Self::from(KeyRange::prefix(prefix))
    }

    /// One key.
    #[must_use]
    pub fn key(key: impl AsRef<[u8]>) -> Self {
        Self::from(KeyRange::key(key))
    }

    /// No key at all.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The same and the keys of one more range.
    #[must_use]
    pub fn and(self, range: KeyRange) -> Self {
        self.ranges.into_iter().chain([range]).collect()
    }

    /// The ranges: in order, disjoint, none of them empty.
    #[must_use]
    pub fn ranges(&self) -> &[KeyRange] {
        &self.ranges
    }

    /// Whether a key is meant.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        // The last range that begins at the key or before it is the only one that can have it.
        let after = self.ranges.partition_point(|range| *range.start <= *key);
        after.checked_sub(1).is_some_and(|at| self.ranges[at].contains(key))
    }
}

impl KeyRange {
    /// The keys from `start`, up to and without `end`.
    #[must_use]
    pub fn new(start: impl Into<Key>, end: impl Into<Key>) -> Self {
        Self { start: start.into(), end: Some(end.into()) }
    }

    /// The keys from this one to the last.
    #[must_use]
    pub const fn from(start: Key) -> Self {
        Self { start, end: None }
    }

    /// The keys that begin so.
    #[must_use]
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let prefix = prefix.as_ref();
        // The first key that does not begin so: the last byte that can be, made one greater.
        let end = prefix.iter().rposition(|byte| *byte < u8::MAX).map(|at| {
            let mut end = prefix[..=at].to_vec();
            end[at] += 1;
            Key::from(end)
        });
        Self { start: prefix.into(), end }
    }

    /// One key.
    #[must_use]
    pub fn key(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        Self { start: key.into(), end: Some([key, &[0]].concat().into()) }
    }

    /// The first key.
    #[must_use]
    pub const fn start(&self) -> &Key {
        &self.start
    }

    /// The first key that is not meant any more; nothing when all are.
    #[must_use]
    pub const fn end(&self) -> Option<&Key> {
        self.end.as_ref()
    }

    /// The prefix that all its keys have and no other key has, if that is what it is.
    #[must_use]
    pub fn as_prefix(&self) -> Option<&Key> {
        (*self == Self::prefix(&*self.start)).then_some(&self.start)
    }

    /// The key that it consists of, if that is what it is.
    #[must_use]
    pub fn as_key(&self) -> Option<&Key> {
        let end = self.end.as_ref()?;
        (end.strip_suffix(&[0]) == Some(&*self.start)).then_some(&self.start)
    }

    /// Whether it has a key.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        *self.start <= *key && self.end.as_ref().is_none_or(|end| *key < **end)
    }

    /// Whether no key is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// The two ends, as an ordered map takes them.
    #[must_use]
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (Bound::Included(&*self.start), self.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded))
    }
}

impl From<KeyRange> for Scope {
    fn from(range: KeyRange) -> Self {
        [range].into_iter().collect()
    }
}

impl FromIterator<KeyRange> for Scope {
    fn from_iter<I: IntoIterator<Item = KeyRange>>(ranges: I) -> Self {
        let mut sorted: Vec<KeyRange> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        sorted.sort();
        let mut ranges: Vec<KeyRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match ranges.last_mut() {
                Some(last) if last.end.as_ref().is_none_or(|end| range.start <= *end) => {
                    // No end is the greatest end, though `None` orders first.
                    last.end = match (last.end.take(), range.end) {
                        (Some(a), Some(b)) => Some(a.max(b)),
                        _ => None,
                    };
                }
                _ => ranges.push(range),
            }
        }
        Self { ranges }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ranges.is_empty() {
            return f.write_str("no key");
        }
        for (at, range) in self.ranges.iter().enumerate() {
            write!(f, "{}{range}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_prefix(), self.as_key(), &self.end) {
            (Some(prefix), ..) => write!(f, "{prefix}*"),
            (_, Some(key), _) => write!(f, "{key}"),
            (_, _, Some(end)) => write!(f, "{} to {end}", self.start),
            (_, _, None) => write!(f, "{} and after", self.start),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How much to read, and from where on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many entries; `None` leaves it to the store.
    pub limit: Option<usize>,
    /// Where the page before ended; `None` begins at the first key and at the current revision.
    pub from: Option<Cursor>,
}

/// A place in a listing: pages that continue at it show the revision at which the listing began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The revision that the listing shows.
    pub revision: Revision,
    /// The last key that was listed; `None` before the first.
    pub after: Option<Key>,
}

/// A page of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The revision that it shows: watch after it, and nothing is missed.
    pub revision: Revision,
    /// The entries, in the order of their keys.
    pub entries: Vec<Arc<Entry>>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl Page {
    /// As much as the store gives at once, from the first key on.
    #[must_use]
    pub const fn first() -> Self {
        Self { limit: None, from: None }
    }

    /// The same with at most so many entries.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The page after another.
    #[must_use]
    pub fn after(cursor: Cursor) -> Self {
        Self { limit: None, from: Some(cursor) }
    }

    /// From the first key on, as it was at a revision.
    #[must_use]
    pub fn at(revision: Revision) -> Self {
        Self::after(Cursor { revision, after: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range() {
        for (prefix, inside, outside) in [
            (&b"a/"[..], &[&b"a/"[..], b"a/b", b"a/\xff\xff"][..], &[&b"a"[..], b"a0", b"b", b""][..]),
            (b"", &[b"", b"a", b"\xff\xff"], &[]),
            (b"a\xff", &[b"a\xff", b"a\xff\0"], &[b"a", b"b", b"a\xfe"]),
            (b"\xff\xff", &[b"\xff\xff", b"\xff\xff\x01"], &[b"\xff", b"\xfe"]),
        ] {
            let range = KeyRange::prefix(prefix);
            assert!(inside.iter().all(|key| range.contains(key)), "{range}");
            assert!(!outside.iter().any(|key| range.contains(key)), "{range}");
            assert_eq!(range.as_prefix().map(|key| &**key), Some(prefix));
        }
    }

    #[test]
    fn ranges_that_touch_are_one() {
        let scope: Scope = [
            KeyRange::new("m", "p"),
            KeyRange::new("a", "c"),
            KeyRange::new("c", "d"),
            KeyRange::new("z", "b"),
            KeyRange::from(Key::from("x")),
            KeyRange::prefix("y"),
            KeyRange::key("b"),
        ]
        .into_iter()
        .collect();
        assert_eq!(scope.to_string(), "a to d, m to p, x and after");
        for (key, inside) in
            [("a", true), ("d", false), ("cz", true), ("l", false), ("m", true), ("p", false), ("zz", true)]
        {
            assert_eq!(scope.contains(key.as_bytes()), inside, "{key}");
        }
        assert_eq!(Scope::nothing().to_string(), "no key");
        assert_eq!(Scope::all().and(KeyRange::key("b")), Scope::all());
        assert_eq!(Scope::key("b").to_string(), "b");
    }
}
