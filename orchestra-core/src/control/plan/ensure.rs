//! [`Ensure`]: what can be ensured.

use serde_json::{Map, Value};

use crate::client::SYSTEM_FIELDS;
use crate::object::{Apply, Object, Resource, Spec};
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
    fn into_fields(self) -> Result<Map<String, Value>>;
}

impl<R: Resource> Ensure for Apply<R> {
    type Resource = R;

    fn into_fields(self) -> Result<Map<String, Value>> {
        Self::into_fields(self)
    }
}

impl<R: Resource> Ensure for &Apply<R> {
    type Resource = R;

    fn into_fields(self) -> Result<Map<String, Value>> {
        self.fields().cloned()
    }
}

impl<S: Spec> Ensure for Object<S> {
    type Resource = Self;

    fn into_fields(self) -> Result<Map<String, Value>> {
        fields_of(&self)
    }
}

impl<R: Resource> Ensure for &R {
    type Resource = R;

    fn into_fields(self) -> Result<Map<String, Value>> {
        fields_of(self)
    }
}

/// All that an object says, without what it observes and what is the store's business.
fn fields_of<R: Resource>(object: &R) -> Result<Map<String, Value>> {
    let tree = serde_json::to_value(object)
        .map_err(|source| Error::Encode { kind: R::KIND.name(), source: source.into() })?;
    let Value::Object(mut fields) = tree else {
        return Err(Error::Encode { kind: R::KIND.name(), source: "it is written as no map".into() });
    };
    if R::has_status() {
        fields.remove("status");
    }
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        for name in SYSTEM_FIELDS {
            metadata.remove(name);
        }
    }
    Ok(fields)
}
