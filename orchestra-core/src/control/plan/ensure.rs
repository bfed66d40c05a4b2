//! [`Ensure`]: what can be ensured.

use crate::client::SYSTEM_FIELDS;
use crate::object::fields::Node;
use crate::object::{Apply, Fields, Object, Resource, Spec};
use crate::{Error, Result};

/// What [`Plan::ensure`](super::Plan::ensure) takes: an [`Apply`], or a whole object.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a plan can ensure",
    label = "neither an `Apply<R>` nor an object",
    note = "say some fields of an object, as `Deployment::new(\"web\").replicas(3)` does, or give a whole object"
)]
pub trait Ensure {
    /// What it is.
    type Resource: Resource;

    /// The fields that are to be so.
    ///
    /// # Errors
    /// When one was set to what it cannot be.
    fn into_fields(self) -> Result<Fields>;
}

impl<R: Resource> Ensure for Apply<R> {
    type Resource = R;

    fn into_fields(self) -> Result<Fields> {
        Self::into_fields(self)
    }
}

impl<R: Resource> Ensure for &Apply<R> {
    type Resource = R;

    fn into_fields(self) -> Result<Fields> {
        self.clone().into_fields()
    }
}

impl<S: Spec> Ensure for Object<S> {
    type Resource = Self;

    fn into_fields(self) -> Result<Fields> {
        fields_of(&self)
    }
}

impl<R: Resource> Ensure for &R {
    type Resource = R;

    fn into_fields(self) -> Result<Fields> {
        fields_of(self)
    }
}

/// All that an object says, without what it observes and what is the store's business.
fn fields_of<R: Resource>(object: &R) -> Result<Fields> {
    let tree =
        Node::of(object).map_err(|source| Error::Encode { kind: R::KIND.name(), source: source.into() })?;
    let Node::Map(mut fields) = tree else {
        return Err(Error::Encode { kind: R::KIND.name(), source: "it is written as no map".into() });
    };
    if R::has_status() {
        fields.remove("status");
    }
    if let Some(Node::Map(metadata)) = fields.get_mut("metadata") {
        for name in SYSTEM_FIELDS {
            metadata.remove(name);
        }
    }
    Ok(Fields(fields))
}
