//! [`Strings`]: one copy of what many objects say.

use super::hash::hash;
use crate::object::{Map, Metadata, Str};

/// Long strings that were seen lately, so that objects which say the same share one copy.
///
/// Labels, namespaces and owners repeat from object to object. Each string has one place here, by its
/// hash, and the next one of that place takes it over: no more than [`Strings::MOST`] are held, and a
/// string that nobody says any more goes by itself.
pub(super) struct Strings {
    seen: Box<[Str]>,
}

impl Strings {
    /// How many are held: 128 KiB, more than a cluster has different labels in use at a time.
    const MOST: usize = 8192;

    pub(super) fn new() -> Self {
        Self { seen: Box::default() }
    }

    /// Shares what is known to repeat.
    pub(super) fn share_in(&mut self, metadata: &mut Metadata) {
        self.share(&mut metadata.namespace);
        self.share(&mut metadata.generate_name);
        self.share_map(&mut metadata.labels);
        self.share_keys(&mut metadata.annotations);
        for owner in &mut metadata.owner_references {
            self.share(&mut owner.api_version);
            self.share(&mut owner.kind);
            self.share(&mut owner.name);
        }
        metadata.finalizers.iter_mut().for_each(|finalizer| self.share(finalizer));
    }

    fn share_map(&mut self, map: &mut Map<Str>) {
        self.share_keys(map);
        map.iter_mut().for_each(|(_, value)| self.share(value));
    }

    fn share_keys(&mut self, map: &mut Map<Str>) {
        // Keys in place cannot be exchanged; a map of them is made anew where one is worth it.
        if map.keys().any(Self::is_worth_it) {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(mut key, value)| {
                    self.share(&mut key);
                    (key, value)
                })
                .collect();
        }
    }

    /// The copy that is held, in place of this one.
    pub(super) fn share(&mut self, text: &mut Str) {
        if !Self::is_worth_it(text) {
            return;
        }
        if self.seen.is_empty() {
            self.seen = vec![Str::EMPTY; Self::MOST].into();
        }
        let at = usize::try_from(hash(0, &[text]) % Self::MOST as u64).unwrap_or(0);
        let seen = &mut self.seen[at];
        if seen == text {
            text.clone_from(seen);
        } else {
            seen.clone_from(text);
        }
    }

    /// Shorter ones live in the string itself, and much longer ones are rarely the same: they would only
    /// be held here.
    fn is_worth_it(text: &Str) -> bool {
        (16..=256).contains(&text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_held_once() {
        let mut strings = Strings::new();
        let mut metadata = || {
            let mut metadata = Metadata {
                labels: Map::from([("app.kubernetes.io/name", "a-quite-long-application".into())]),
                ..Metadata::default()
            };
            strings.share_in(&mut metadata);
            metadata
        };
        let (one, other) = (metadata(), metadata());
        assert_eq!(one, other);
        for (a, b) in one.labels.iter().zip(other.labels.iter()) {
            assert!(std::ptr::eq(a.0.as_ptr(), b.0.as_ptr()) && std::ptr::eq(a.1.as_ptr(), b.1.as_ptr()));
        }
        for at in 0..100_000 {
            let text = format!("a string that is long: {at}");
            let mut shared = Str::from(&text);
            strings.share(&mut shared);
            assert_eq!(shared, text);
        }
        assert_eq!(strings.seen.len(), Strings::MOST);
    }
}
