//! [`AnyObject`]: an object of whichever kind.

use std::any::Any;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::schema::Schema;
use super::{Kind, Metadata, Model, Problems, Resource, Unknown};

/// An object of a kind that is known only when the program runs, such as one read from a file.
///
/// ```
/// use orchestra_core::kinds::Pod;
/// use orchestra_core::object::AnyObject;
/// let any = AnyObject::from(Pod::new("web").build()?);
/// assert_eq!(any.kind().name(), "Pod");
/// assert!(any.downcast_ref::<Pod>().is_some());
/// # Ok::<_, orchestra_core::Error>(())
/// ```
#[derive(Clone)]
pub struct AnyObject(Box<dyn Erased>);

/// What can be done with a resource without knowing its type.
trait Erased: Any + Send + Sync {
    fn model(&self) -> Model;
    fn kind(&self) -> Kind;
    fn schema(&self) -> &'static Schema;
    fn metadata(&self) -> &Metadata;
    fn metadata_mut(&mut self) -> &mut Metadata;
    fn unknown(&self) -> &Unknown;
    fn fill_in(&mut self);
    fn problems(&self) -> Problems;
    fn to_value(&self) -> serde_json::Result<Value>;
    fn to_json(&self) -> crate::Result<Vec<u8>>;
    fn status_to_value(&self) -> serde_json::Result<Option<Value>>;
    fn observed(&self, status: &Value) -> Option<(Box<dyn Erased>, Option<Value>)>;
    fn to_box(&self) -> Box<dyn Erased>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl<R: Resource> Erased for R {
    fn model(&self) -> Model {
        Model::of::<R>()
    }
    fn kind(&self) -> Kind {
        R::KIND
    }
    fn schema(&self) -> &'static Schema {
        R::schema()
    }
    fn metadata(&self) -> &Metadata {
        Resource::metadata(self)
    }
    fn metadata_mut(&mut self) -> &mut Metadata {
        Resource::metadata_mut(self)
    }
    fn unknown(&self) -> &Unknown {
        Resource::unknown(self)
    }
    fn fill_in(&mut self) {
        Resource::fill_in(self);
    }
    fn problems(&self) -> Problems {
        Resource::problems(self)
    }
    fn to_value(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
    fn to_json(&self) -> crate::Result<Vec<u8>> {
        Resource::to_json(self)
    }
    fn status_to_value(&self) -> serde_json::Result<Option<Value>> {
        Resource::status_to_value(self)
    }
    fn observed(&self, status: &Value) -> Option<(Box<dyn Erased>, Option<Value>)> {
        let (object, written) = Resource::observed(self, status)?;
        Some((Box::new(object), written))
    }
    fn to_box(&self) -> Box<dyn Erased> {
        Box::new(self.clone())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn debug(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl AnyObject {
    /// What there is to know of its kind.
    #[must_use]
    pub fn model(&self) -> Model {
        self.0.model()
    }

    /// The object's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The shape of the whole object.
    #[must_use]
    pub fn schema(&self) -> &'static Schema {
        self.0.schema()
    }

    /// Name, labels, owners and the like.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.0.metadata()
    }

    /// The same, to be changed.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        self.0.metadata_mut()
    }

    /// The fields that the type does not have.
    #[must_use]
    pub fn unknown(&self) -> &Unknown {
        self.0.unknown()
    }

    /// Fills in what follows from other fields.
    pub fn fill_in(&mut self) {
        self.0.fill_in();
    }

    /// Everything that is wrong with the object.
    #[must_use]
    pub fn problems(&self) -> Problems {
        self.0.problems()
    }

    /// The object, if it is of this kind.
    #[must_use]
    pub fn downcast_ref<R: Resource>(&self) -> Option<&R> {
        self.0.as_any().downcast_ref()
    }

    /// The object, if it is of this kind, to be changed.
    #[must_use]
    pub fn downcast_mut<R: Resource>(&mut self) -> Option<&mut R> {
        self.0.as_any_mut().downcast_mut()
    }

    /// The object, if it is of this kind; otherwise itself again.
    ///
    /// # Errors
    /// Itself, when it is of another kind.
    pub fn downcast<R: Resource>(self) -> Result<R, Self> {
        if !self.0.as_any().is::<R>() {
            return Err(self);
        }
        let kind = self.kind();
        match self.0.into_any().downcast() {
            Ok(object) => Ok(*object),
            Err(_) => unreachable!("a {kind} was just seen to be one"),
        }
    }

    /// The same object with another status; see [`Resource::observed`].
    pub(crate) fn observed(&self, status: &Value) -> Option<(Self, Option<Value>)> {
        self.0.observed(status).map(|(object, written)| (Self(object), written))
    }

    /// The status as JSON, unless it is absent.
    pub(crate) fn status_to_value(&self) -> crate::Result<Option<Value>> {
        let kind = self.kind().name();
        self.0.status_to_value().map_err(|source| crate::Error::Encode { kind, source: source.into() })
    }

    /// Writes the object as JSON, with every field that is not absent.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) when a custom type's serialisation fails.
    pub fn to_json(&self) -> crate::Result<Vec<u8>> {
        self.0.to_json()
    }

    /// The object as JSON, as a tree, with every field that is not absent.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) when a custom type's serialisation fails.
    pub fn to_value(&self) -> crate::Result<Value> {
        let kind = self.kind().name();
        self.0.to_value().map_err(|source| crate::Error::Encode { kind, source: source.into() })
    }
}

impl<R: Resource> From<R> for AnyObject {
    fn from(object: R) -> Self {
        Self(Box::new(object))
    }
}

impl Clone for Box<dyn Erased> {
    fn clone(&self) -> Self {
        (**self).to_box()
    }
}

impl fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(f)
    }
}

impl Serialize for AnyObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_value().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}
