//! [`Changes`]: what has changed in a cache from one instant to the next.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::Watched;
use super::hash::Place;
use crate::client::Unreadable;
use crate::object::{Metadata, Resource, Revision};
use crate::store::Key;

/// What has changed in a cache, all at one instant.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The revision that the cache has come to.
    pub revision: Revision,
    /// Whether history is another than before, as after a restore: revisions from before mean nothing
    /// now, and may be greater than this one.
    pub reset: bool,
    /// Whether this is what a listing showed, not what a watch told as it happened.
    pub is_listing: bool,
    /// What has changed, in the order of the keys.
    pub changed: Vec<Changed>,
    /// What stands in the store and cannot be read. The object that it was before, if it was one, is
    /// among what has changed, as one that is gone: nobody is shown what is not so any more.
    pub unreadable: Vec<Unreadable>,
}

/// An object that has changed, come or gone.
#[derive(Clone)]
pub struct Changed {
    /// The kind.
    pub watched: Watched,
    /// The object's key in the store.
    pub key: Key,
    /// What it was; nothing when it was not there.
    pub old: Option<Arc<dyn CachedObject>>,
    /// What it is; nothing when it is not there, or cannot be read.
    pub new: Option<Arc<dyn CachedObject>>,
    /// The places of both in the indexes, in order.
    pub(super) touched: Box<[Place]>,
}

/// An object of a cache, of whichever kind.
pub trait CachedObject: Any + Send + Sync + sealed::Sealed {}

mod sealed {
    use std::any::Any;

    use crate::object::{Metadata, Resource};

    pub trait Sealed {
        fn shared_metadata(&self) -> &Metadata;
        fn as_any(&self) -> &dyn Any;
    }

    impl<R: Resource> Sealed for R {
        fn shared_metadata(&self) -> &Metadata {
            self.metadata()
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }
}

impl<R: Resource> CachedObject for R {}

impl dyn CachedObject {
    /// Name, labels, owners and the like.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.shared_metadata()
    }

    /// The object, if it is of this type.
    #[must_use]
    pub fn downcast_ref<R: Resource>(&self) -> Option<&R> {
        self.as_any().downcast_ref()
    }
}

impl fmt::Debug for dyn CachedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Metadata { namespace, name, resource_version, .. } = self.metadata();
        write!(f, "{namespace}/{name} at {resource_version}")
    }
}

impl Changes {
    /// Whether no object has changed: the cache has only come on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.unreadable.is_empty()
    }
}

impl Changed {
    /// What it was, if it was there and is of this type.
    #[must_use]
    pub fn before<R: Resource>(&self) -> Option<&R> {
        self.old.as_ref()?.downcast_ref()
    }

    /// What it is, if it is there and of this type.
    #[must_use]
    pub fn after<R: Resource>(&self) -> Option<&R> {
        self.new.as_ref()?.downcast_ref()
    }

    /// Name, labels and owners: as they are, or as they were if the object is gone.
    #[must_use]
    pub fn metadata(&self) -> Option<&Metadata> {
        self.new.as_deref().or(self.old.as_deref()).map(|object| object.metadata())
    }
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (&self.old, &self.new) {
            (None, Some(_)) => "came",
            (Some(_), None) => "went",
            _ => "changed",
        };
        write!(f, "{:?} {} {how}", self.watched, self.key)
    }
}
