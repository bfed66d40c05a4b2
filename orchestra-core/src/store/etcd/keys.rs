//! Where keys stand in etcd, and which are the store's own.

use crate::store::{Key, KeyRange, Scope};

/// Under what each key stands: a prefix and then itself, so that etcd's order is the store's.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    prefix: Vec<u8>,
}

/// How the key of the store's identity ends.
const IDENTITY: &[u8] = b"\0orchestra-identity";

/// How the keys end by which watches learn how far they are.
const PROGRESS: &[u8] = b"\0orchestra-progress";

/// A range of keys as etcd names it: from the first, up to and without the second; a zero byte stands for
/// no end.
pub(super) type Span = (Vec<u8>, Vec<u8>);

/// How etcd names a range that goes on to the last key.
const NO_END: &[u8] = b"\0";

/// Whether a key is the store's own. Users' keys never end so.
pub(super) fn is_reserved(key: &[u8]) -> bool {
    key == IDENTITY || key.ends_with(PROGRESS)
}

impl Layout {
    pub(super) const fn new(prefix: Vec<u8>) -> Self {
        Self { prefix }
    }

    /// Under what a key stands.
    pub(super) fn place(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    /// What stands at a place.
    pub(super) fn key<'p>(&self, place: &'p [u8]) -> Option<&'p [u8]> {
        place.strip_prefix(&*self.prefix)
    }

    /// Where the store's identity stands.
    pub(super) fn identity(&self) -> Vec<u8> {
        self.place(IDENTITY)
    }

    /// Where the keys stand from one on, up to the end of a range.
    pub(super) fn span(&self, start: &[u8], end: Option<&Key>) -> Span {
        // No key is empty, not even a first one without prefix.
        let start = if self.prefix.is_empty() && start.is_empty() { vec![0] } else { self.place(start) };
        (start, end.map_or_else(|| self.end(), |end| self.place(end)))
    }

    /// The marker of a watch's progress, and the one range that has it and the whole scope: etcd orders
    /// events within one range only.
    pub(super) fn watched(&self, scope: &Scope) -> (Vec<u8>, Span) {
        let (first, last) = (scope.ranges().first(), scope.ranges().last());
        let start: &[u8] = first.map_or(&[], |range| range.start());
        let marker = self.place(&[start, PROGRESS].concat());
        let (start, end) = match last.map(KeyRange::end) {
            Some(end) => self.span(start, end),
            None => (marker.clone(), marker.clone()),
        };
        // The key of one key's marker comes after it.
        let after_marker = [&marker, NO_END].concat();
        let end = if end == NO_END { end } else { end.max(after_marker) };
        (marker, (start, end))
    }

    /// Where the prefix ends.
    fn end(&self) -> Vec<u8> {
        KeyRange::prefix(&self.prefix).end().map_or_else(|| NO_END.to_vec(), |end| end.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains((start, end): &Span, place: &[u8]) -> bool {
        **start <= *place && (end == NO_END || *place < **end)
    }

    #[test]
    fn a_watched_range_has_the_scope_and_the_marker() {
        for prefix in [&b"/orchestra/"[..], b"", b"\xff", b"a\xff\xff"] {
            let layout = Layout::new(prefix.to_vec());
            for scope in [
                Scope::all(),
                Scope::nothing(),
                Scope::key("b"),
                Scope::key(b"\0"),
                Scope::prefix("pods/"),
                Scope::prefix(b"\xff"),
                Scope::key("b").and(KeyRange::prefix("c")).and(KeyRange::key(b"\xff\xff")),
            ] {
                let (marker, span) = layout.watched(&scope);
                assert!(contains(&span, &marker), "{scope} under {prefix:?}: {span:?}");
                assert!(is_reserved(layout.key(&marker).unwrap()));
                for key in [&b"b"[..], b"\0", b"pods/default/web", b"\xff", b"\xff\xff", b"c\0"] {
                    assert!(!scope.contains(key) || contains(&span, &layout.place(key)), "{scope}");
                }
            }
        }
    }

    #[test]
    fn a_range_does_not_leave_the_prefix() {
        for (prefix, outside) in [(&b"/a/"[..], &b"/a0"[..]), (b"a\xff", b"b"), (b"a\xff\xff", b"b")] {
            let layout = Layout::new(prefix.to_vec());
            let span = layout.span(b"", None);
            assert!(!contains(&span, outside), "{prefix:?}: {span:?}");
            assert!(contains(&span, &layout.place(b"\xff\xff\xff")), "{prefix:?}: {span:?}");
        }
        assert_eq!(Layout::new(Vec::new()).span(b"", None), (b"\0".to_vec(), b"\0".to_vec()));
    }

    #[test]
    fn few_keys_are_reserved() {
        for key in [&b"\0orchestra-identity"[..], b"\0orchestra-progress", b"pods/\0orchestra-progress"] {
            assert!(is_reserved(key));
        }
        for key in [&b"\0"[..], b"orchestra-progress", b"pods/\0orchestra-identity", b"\0orchestra-progress/"]
        {
            assert!(!is_reserved(key));
        }
    }
}
