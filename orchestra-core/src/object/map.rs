//! [`Map`]: labels, annotations, resources, data.

use std::fmt;
use std::marker::PhantomData;

use serde::de::MapAccess;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Str;
use super::few::{Few, IntoIter};
use super::schema::Schema;
use super::wire::{Block, Given, Wire, collect, read_secret, unquoted};

/// A small map with string keys, kept sorted in one block of memory; 8 bytes without entries.
///
/// Objects hold many maps of a few entries each, or none; a tree would spend half a kilobyte on the
/// first label. Looking up is a binary search, and iteration is in the order of the keys, always.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Map<V>(Few<(Str, V)>);

impl<V> Map<V> {
    /// A map of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Few::new())
    }

    /// How many entries there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&V> {
        self.position(key).ok().map(|at| &self.0[at].1)
    }

    /// The value under a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.position(key).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether there is a value under the key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_ok()
    }

    /// Puts a value under a key and returns the one that it replaces.
    pub fn insert(&mut self, key: impl Into<Str>, value: V) -> Option<V> {
        let key = key.into();
        match self.position(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// The value under a key, to be changed; put there if there was none.
    pub(crate) fn get_or_insert(&mut self, key: &str, value: impl FnOnce() -> V) -> &mut V {
        let at = self.position(key).unwrap_or_else(|at| {
            self.0.insert(at, (key.into(), value()));
            at
        });
        &mut self.0[at].1
    }

    /// Takes the value under a key out of the map.
    pub fn remove(&mut self, key: &str) -> Option<V> {
        self.position(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Str, &V)> + DoubleEndedIterator {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The entries, in the order of their keys, with values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Str, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Str> + DoubleEndedIterator {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator {
        self.0.iter().map(|(_, value)| value)
    }

    /// Keeps the entries for which the condition holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Str, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_str().cmp(key))
    }

    /// Sorts at the end, since inserting one by one would be quadratic. The last of equal keys wins.
    fn from_unsorted(mut entries: Few<(Str, V)>) -> Self {
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        entries.fit();
        Self(entries)
    }
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: fmt::Debug> fmt::Debug for Map<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<Str>, V> FromIterator<(K, V)> for Map<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::from_unsorted(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

impl<K: Into<Str>, V, const N: usize> From<[(K, V); N]> for Map<V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Into<Str>, V> Extend<(K, V)> for Map<V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let mut all = std::mem::take(&mut self.0);
        all.extend(entries.into_iter().map(|(key, value)| (key.into(), value)));
        *self = Self::from_unsorted(all);
    }
}

impl<V> IntoIterator for Map<V> {
    type Item = (Str, V);
    type IntoIter = IntoIter<(Str, V)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, V> IntoIterator for &'a Map<V> {
    type Item = &'a (Str, V);
    type IntoIter = std::slice::Iter<'a, (Str, V)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<V> std::ops::Index<&str> for Map<V> {
    type Output = V;
    /// # Panics
    /// When there is no such key, as std's maps do; `get` is for keys that may be missing.
    fn index(&self, key: &str) -> &V {
        match self.position(key) {
            Ok(at) => &self.0[at].1,
            #[allow(clippy::panic)] // a bug of the caller, as with every other Index
            Err(_) => panic!("no entry under the key {key:?}"),
        }
    }
}

impl<V: Serialize> Serialize for Map<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key.as_str(), value)?;
        }
        map.end()
    }
}

impl<'de, V: Wire + Default> Deserialize<'de> for Map<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<V>(PhantomData<V>);
        impl<'de, V: Wire + Default> serde::de::Visitor<'de> for Visitor<V> {
            type Value = Map<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Map<V>, A::Error> {
                let entries = collect(|| {
                    let Some(key) = map.next_key::<Str>()? else { return Ok(None) };
                    // As in Kubernetes, `key: null` is an entry with an empty value.
                    Ok(Some((key, map.next_value_seed(Given::<V>::new())?.unwrap_or_default())))
                })?;
                Ok(Map::from_unsorted(entries))
            }
            /// Asked only where the values are secret.
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Map<V>, E> {
                Err(unquoted("string", &self))
            }
        }
        if V::SECRET {
            read_secret(deserializer, Visitor(PhantomData))
        } else {
            deserializer.deserialize_map(Visitor(PhantomData))
        }
    }
}

impl<V: Wire + Default> Wire for Map<V> {
    const SCHEMA: &'static Schema = &Schema::Map(V::SCHEMA);
    #[inline]
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        self.iter_mut().for_each(|(_, value)| value.texts(see));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_wins() {
        let map: Map<Str> = serde_json::from_str(r#"{"b":"1","a":"2","b":"3","a":"4","b":"5"}"#).unwrap();
        assert_eq!(map, Map::from([("a", Str::from("4")), ("b", Str::from("5"))]));
    }

    #[test]
    fn behaves_like_a_btree_map() {
        let mut map = Map::new();
        for (key, value) in [("c", 3), ("a", 1), ("b", 2), ("a", 9)] {
            map.insert(key, value);
        }
        assert_eq!(
            map.iter().map(|(k, v)| (k.as_str(), *v)).collect::<Vec<_>>(),
            [("a", 9), ("b", 2), ("c", 3)]
        );
        assert_eq!(map.remove("b"), Some(2));
        assert_eq!(map.get("b"), None);
        assert_eq!(map["c"], 3);
        map.extend([("a", 7), ("z", 0)]);
        assert_eq!(map.keys().map(Str::as_str).collect::<Vec<_>>(), ["a", "c", "z"]);
        assert_eq!(map["a"], 7);
    }
}
