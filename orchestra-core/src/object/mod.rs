//! The object model: what every resource is made of.
//!
//! An [`Object`] is metadata, a specification of what is desired and a status of what is observed.
//! A kind is defined by its [`Spec`]; everything else is the same for all kinds, built-in or not:
//!
//! ```
//! use orchestra_core::object::{Kind, Object, Spec};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct WebsiteSpec { replicas: u32 }
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct WebsiteStatus { ready: u32 }
//!
//! impl Spec for WebsiteSpec {
//!     const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
//!     type Status = WebsiteStatus;
//! }
//! type Website = Object<WebsiteSpec>;
//!
//! let site: Website = Website::new("blog").spec(WebsiteSpec { replicas: 3 }).build()?;
//! assert_eq!(site.name(), "blog");
//! # Ok::<_, orchestra_core::Error>(())
//! ```
//!
//! There are two views of an object. An [`Object`] is whole: every field has its value, defaults
//! filled in. An [`Apply`] is what somebody says about an object: exactly the fields that they set.
//! Builders make the latter, reading the store gives the former.
//!
//! Fields that a type does not know are kept ([`Unknown`]) and written back.

mod any;
pub(crate) mod apply;
mod buffer;
mod bytes;
mod condition;
mod few;
pub(crate) mod fields;
mod flat;
mod int_or;
mod json;
mod kind;
mod managers;
mod map;
mod metadata;
mod model;
pub mod names;
mod path;
mod problem;
mod quantity;
mod raw;
mod resource;
#[cfg(any(test, feature = "testing"))]
pub mod sample;
pub mod schema;
mod selector;
mod text;
mod time;
mod unknown;
pub mod wire;

pub use any::AnyObject;
pub use apply::{Apply, IntoField, Setting};
pub use bytes::{Bytes, SecretBytes, SecretText};
pub use condition::{Condition, ConditionStatus, Conditions};
pub use few::{Few, IntoIter};
pub use fields::Fields;
pub use int_or::{IntOrPercent, PortRef};
pub use kind::{Kind, Scope};
pub use managers::{FieldManagers, FieldsV1};
pub use map::Map;
pub use metadata::{ManagedFields, Metadata, NameReference, ObjectReference, OwnerReference, Revision, Uid};
pub use model::Model;
pub use path::{FieldPath, PathError, Segment};
pub use problem::{At, Problem, Problems};
pub use quantity::{Quantity, QuantityError};
pub use resource::{NoStatus, Object, Resource, Spec};
pub use selector::{LabelSelector, Operator, Requirement, Selector, SelectorError, check_labels};
pub use text::Str;
pub use time::{Duration, MicroTime, TimeError, Timestamp};
pub use unknown::{Unknown, UnknownField};
