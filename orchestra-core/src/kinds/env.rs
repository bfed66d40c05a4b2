//! A container's environment: [`EnvVar`], and where the values come from.

use orchestra_macros::wire;

use super::volume::KeyReference;
use crate::object::{At, Quantity, Str, names};

/// An environment variable.
#[wire]
pub struct EnvVar {
    /// Its name.
    #[wire(required)]
    pub name: Str,
    /// Its value. `$(OTHER)` stands for a variable defined before it.
    pub value: Str,
    /// Where its value is taken from, instead.
    pub value_from: Option<Box<EnvSource>>,
}

impl EnvVar {
    pub(super) fn check(&self, at: &At<'_>) {
        at.field("name").name(&self.name, names::env_name);
        if let Some(source) = &self.value_from {
            let at = at.field("valueFrom");
            at.require(self.value.is_empty(), "may not be given beside `value`");
            source.check(&at);
        }
    }
}

/// Where the value of an environment variable is taken from.
#[wire(one_of)]
pub enum EnvSource {
    /// Nowhere.
    #[default]
    Unset,
    /// Something that Orchestra does not support.
    #[wire(unsupported("fileKeyRef"))]
    Unsupported,
    /// A field of the pod.
    FieldRef(FieldReference),
    /// What a container asks for or may take.
    ResourceFieldRef(ResourceReference),
    /// An entry of a ConfigMap.
    ConfigMapKeyRef(KeyReference),
    /// An entry of a Secret.
    SecretKeyRef(KeyReference),
}

impl EnvSource {
    /// The value of a field of the pod, such as `status.podIP`.
    #[must_use]
    pub fn field(path: impl Into<Str>) -> Self {
        Self::FieldRef(FieldReference { field_path: path.into(), ..FieldReference::default() })
    }

    /// The entry under a key of a ConfigMap.
    #[must_use]
    pub fn config_map(name: impl Into<Str>, key: impl Into<Str>) -> Self {
        Self::ConfigMapKeyRef(KeyReference { name: name.into(), key: key.into(), optional: false })
    }

    /// The entry under a key of a Secret.
    #[must_use]
    pub fn secret(name: impl Into<Str>, key: impl Into<Str>) -> Self {
        Self::SecretKeyRef(KeyReference { name: name.into(), key: key.into(), optional: false })
    }

    pub(super) fn check(&self, at: &At<'_>) {
        match self {
            Self::Unset => {
                at.problem("must say from where: fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef")
            }
            Self::FieldRef(field) => {
                at.field("fieldRef").field("fieldPath").required(!field.field_path.is_empty())
            }
            Self::ResourceFieldRef(it) => {
                at.field("resourceFieldRef").field("resource").required(!it.resource.is_empty())
            }
            Self::ConfigMapKeyRef(key) => key.check(&at.field("configMapKeyRef")),
            Self::SecretKeyRef(key) => key.check(&at.field("secretKeyRef")),
            Self::Unsupported => {}
        }
    }
}

/// A field of the pod.
#[wire(atomic)]
pub struct FieldReference {
    /// The version in which the field is named.
    #[wire(default = "v1")]
    pub api_version: Str,
    /// The field, such as `metadata.name`.
    #[wire(required)]
    pub field_path: Str,
}

/// What a container asks for or may take.
#[wire(atomic)]
pub struct ResourceReference {
    /// The container; its own when none is named.
    pub container_name: Str,
    /// The resource, such as `limits.cpu`.
    #[wire(required)]
    pub resource: Str,
    /// The unit in which the value is given.
    pub divisor: Quantity,
}

/// A whole object whose entries become environment variables.
#[wire]
pub struct EnvFrom {
    /// What is put before each name.
    pub prefix: Str,
    /// The object.
    #[wire(inline)]
    pub source: EnvFromSource,
}

/// The object whose entries become environment variables.
#[wire(one_of)]
pub enum EnvFromSource {
    /// None.
    #[default]
    Unset,
    /// A ConfigMap.
    ConfigMapRef(OptionalReference),
    /// A Secret.
    SecretRef(OptionalReference),
}

impl EnvFrom {
    pub(super) fn check(&self, at: &At<'_>) {
        match &self.source {
            EnvFromSource::Unset => at.problem("must name a configMapRef or a secretRef"),
            EnvFromSource::ConfigMapRef(it) => {
                at.field("configMapRef").field("name").required(!it.name.is_empty())
            }
            EnvFromSource::SecretRef(it) => at.field("secretRef").field("name").required(!it.name.is_empty()),
        }
    }
}

/// An object by its name, which may be missing if that is said.
#[wire]
pub struct OptionalReference {
    /// The object's name.
    pub name: Str,
    /// Whether it may be missing.
    pub optional: bool,
}
