//! [`Index`]: by what else than their names objects are found.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::kinds::Pod;
use crate::object::{Resource, Str};

/// An index of one's own: which values an object is found by.
///
/// Two indexes of a kind that have the same name are one index, so a name stands for one way to find
/// objects. It is built when a View is first asked [by](super::View::by) it.
///
/// ```
/// use orchestra_core::{control::Index, kinds::Pod};
/// const BY_IMAGE: Index<Pod> = Index::new("image", |pod, values| {
///     pod.spec.containers.iter().for_each(|container| values.add(&container.image));
/// });
/// ```
pub struct Index<R> {
    name: &'static str,
    values: fn(&R, &mut Values<'_>),
}

/// Takes the values that an object is found by.
pub struct Values<'v> {
    take: &'v mut dyn FnMut(&str),
}

/// Pods by the node they run on.
pub(super) const BY_NODE: Index<Pod> = Index::new("spec.nodeName", |pod, values| {
    if !pod.spec.node_name.is_empty() {
        values.add(&pod.spec.node_name);
    }
});

impl<R> Index<R> {
    /// An index of this name; the function must always give the same values for the same object.
    #[must_use]
    pub const fn new(name: &'static str, values: fn(&R, &mut Values<'_>)) -> Self {
        Self { name, values }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Every value that the object is found by.
    pub(super) fn each(&self, object: &R, mut take: impl FnMut(&str)) {
        // One that panics finds nothing: what is everybody's must not end because of it.
        let values = AssertUnwindSafe(|| (self.values)(object, &mut Values { take: &mut take }));
        let _ = catch_unwind(values);
    }

    /// Whether the object is found by this value.
    pub(super) fn has(&self, object: &R, value: &str) -> bool {
        let mut found = false;
        self.each(object, |other| found |= other == value);
        found
    }
}

impl Values<'_> {
    /// The object is found by this value, too.
    pub fn add(&mut self, value: impl AsRef<str>) {
        (self.take)(value.as_ref());
    }
}

impl<R> Clone for Index<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Index<R> {}

impl<R> fmt::Debug for Index<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}", self.name)
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values")
    }
}

/// An index that is built only when it is asked for, of whichever kind.
#[derive(Clone)]
pub enum AnyIndex {
    /// By the values of a label.
    Label(Str),
    /// By whether there is a label.
    HasLabel(Str),
    /// One of somebody's own: its name, and the [`Index`] itself.
    Own(&'static str, Arc<dyn Any + Send + Sync>),
}

impl AnyIndex {
    pub(super) fn own<R: Resource>(index: &Index<R>) -> Self {
        Self::Own(index.name, Arc::new(*index))
    }

    /// What it goes by, which no two of a kind do.
    pub(super) fn name(&self) -> (u8, &str) {
        match self {
            Self::Label(key) => (b'l', key),
            Self::HasLabel(key) => (b'h', key),
            Self::Own(name, _) => (b'o', name),
        }
    }
}

impl PartialEq for AnyIndex {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for AnyIndex {}

impl fmt::Debug for AnyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key) => write!(f, "by label {key}"),
            Self::HasLabel(key) => write!(f, "by having label {key}"),
            Self::Own(name, _) => write!(f, "by {name}"),
        }
    }
}
