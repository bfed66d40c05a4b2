//! [`Object`], [`Spec`] and [`Resource`]: an object and what defines its kind.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use orchestra_macros::wire;

use super::apply::{Apply, IntoField, Setting, whole};
use super::flat::{FlatContent, FlatSerializer};
use super::names::{self, Verdict};
use super::schema::Schema;
use super::unknown::{Keeping, Kept, Unknown};
use super::wire::{Given, Name, Wire};
use super::{At, Kind, Map, Metadata, OwnerReference, Problems, Str, Uid};
use crate::{Error, Result};

/// What is desired of an object of some kind. To define a kind, implement this.
///
/// Any type that serde reads from a map will do. Fields that it does not have are kept and named, but
/// for one case: within serde's `flatten`, `untagged` and `tag` serde itself sets them aside, and they
/// are lost without a word. With `#[serde(default)]`, a field that is left out is no error.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not define a kind",
    note = "implement `Spec` for it: a `const KIND: Kind` and a `type Status`"
)]
pub trait Spec:
    Clone + fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The kind that this defines.
    const KIND: Kind;

    /// What is observed of such an object; [`NoStatus`] where there is nothing to observe.
    type Status: Clone
        + fmt::Debug
        + Default
        + PartialEq
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;

    /// The shape of the spec, which says how lists are merged and where hints come from.
    const SCHEMA: &'static Schema = &Schema::Any;

    /// The shape of the status.
    const STATUS_SCHEMA: &'static Schema = &Schema::Any;

    /// Fills in what follows from other fields. Defaults that do not depend on anything belong into
    /// the type's own reading (`#[serde(default = …)]`).
    fn fill_in(object: &mut Object<Self>) {
        let _ = object;
    }

    /// Reports what is wrong beyond what the types rule out.
    fn check(object: &Object<Self>, at: &At<'_>) {
        let _ = (object, at);
    }

    /// Shows texts of the spec and status that other objects are likely to have too, such as the images
    /// of containers and the reasons of conditions. A cache exchanges each for one that all share.
    fn texts(object: &mut Object<Self>, see: &mut dyn FnMut(&mut Str)) {
        let _ = (object, see);
    }

    /// What names such objects may have.
    fn check_name(name: &str) -> Verdict {
        names::dns_subdomain(name)
    }
}

/// The status of a kind that has none.
#[wire]
pub struct NoStatus {}

/// Anything that is stored, watched and applied. [`Object`] is the ordinary way to get it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no resource",
    note = "use `Object<YourSpec>`, where `YourSpec` implements `Spec`"
)]
pub trait Resource:
    Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What sort of thing it is.
    const KIND: Kind;

    /// The shape of the whole object.
    fn schema() -> &'static Schema;

    /// Whether something is observed of such objects.
    fn has_status() -> bool;

    /// Name, labels, owners and the like.
    fn metadata(&self) -> &Metadata;

    /// The same, to be changed.
    fn metadata_mut(&mut self) -> &mut Metadata;

    /// The fields that the type does not have.
    fn unknown(&self) -> &Unknown;

    /// Fills in what follows from other fields.
    fn fill_in(&mut self);

    /// Shows texts of the spec and status that other objects are likely to have too.
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str));

    /// Everything that is wrong with the object.
    fn problems(&self) -> Problems;

    /// The status as it stands in the object's JSON, if it does.
    ///
    /// # Errors
    /// When a custom type's serialisation fails.
    fn status_to_value(&self) -> serde_json::Result<Option<serde_json::Value>> {
        Ok(serde_json::to_value(self)?.get("status").cloned())
    }

    /// The same object with another status, defaults filled in, and that status as the type writes it, if
    /// it does. Nothing when more would change than the status, or may: it is always right to answer that,
    /// and slower.
    fn observed(&self, status: &serde_json::Value) -> Option<(Self, Option<serde_json::Value>)> {
        let _ = status;
        None
    }

    /// The object's name.
    fn name(&self) -> &Str {
        &self.metadata().name
    }

    /// The object's namespace; empty for an object of the cluster.
    fn namespace(&self) -> &Str {
        &self.metadata().namespace
    }

    /// Who the object is, in all of time.
    fn uid(&self) -> &Uid {
        &self.metadata().uid
    }

    /// The object's labels.
    fn labels(&self) -> &Map<Str> {
        &self.metadata().labels
    }

    /// A reference by which another object says that this one owns and controls it.
    fn controller_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: Self::KIND.api_version().into(),
            kind: Self::KIND.name().into(),
            name: self.name().clone(),
            uid: self.uid().clone(),
            controller: true,
            block_owner_deletion: true,
        }
    }

    /// Reads an object from JSON, as a store holds it.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes are no object of this kind: it says where and why.
    fn from_json(json: &[u8]) -> Result<Self> {
        // One look at the whole text is much faster than serde_json's at each string of it.
        let text = std::str::from_utf8(json).map_err(|error| Error::Decode {
            kind: Self::KIND.name(),
            reason: format!("not text in UTF-8: {error}"),
        })?;
        // The fast way knows no paths; the text is read again with them only to explain a failure.
        serde_json::from_str(text).map_err(|error| crate::manifest::explain::<Self>(text, &error))
    }

    /// Writes the object as JSON, with every field that is not absent.
    ///
    /// # Errors
    /// [`Error::Encode`] when a custom type's serialisation fails.
    fn to_json(&self) -> Result<Vec<u8>> {
        super::json::to_vec(self)
            .map_err(|source| Error::Encode { kind: Self::KIND.name(), source: source.into() })
    }
}

/// An object: metadata, what is desired, what is observed.
///
/// An object is whole. What a builder makes is an [`Apply`], which holds exactly the fields that
/// were set; [`Apply::build`] makes an object of it.
#[derive(Clone, Default, PartialEq)]
pub struct Object<S: Spec> {
    /// Name, labels, owners and the like.
    pub metadata: Metadata,
    /// What is desired.
    pub spec: S,
    /// What is observed.
    pub status: S::Status,
    unknown: Unknown,
}

impl<S: Spec> Object<S> {
    /// Begins a description of the object of this name: exactly the fields that are set after it.
    #[allow(clippy::new_ret_no_self)] // objects are described first, and whole once they are built
    #[must_use]
    pub fn new(name: impl Into<Str>) -> Apply<Self> {
        Apply::named(name.into())
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &Str {
        &self.metadata.name
    }

    /// The object's namespace; empty for an object of the cluster.
    #[must_use]
    pub fn namespace(&self) -> &Str {
        &self.metadata.namespace
    }

    /// Serialises all but the unknown fields.
    fn serialize_known<Ser: Serializer>(&self, serializer: Ser) -> Result<Ser::Ok, Ser::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("apiVersion", S::KIND.api_version())?;
        map.serialize_entry("kind", S::KIND.name())?;
        map.serialize_entry("metadata", &self.metadata)?;
        if S::KIND.is_flat() {
            self.spec.serialize(FlatSerializer::new(&mut map))?;
        } else {
            map.serialize_entry("spec", &self.spec)?;
        }
        if self.status != S::Status::default() {
            map.serialize_entry("status", &self.status)?;
        }
        map.end()
    }
}

/// Does not show kubectl's annotation that repeats the whole object, a Secret's values included.
impl<S: Spec> fmt::Debug for Object<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REPEATED: &str = "kubectl.kubernetes.io/last-applied-configuration";
        let mut metadata = std::borrow::Cow::Borrowed(&self.metadata);
        if metadata.annotations.contains_key(REPEATED) {
            metadata.to_mut().annotations.insert(REPEATED, "[the object]".into());
        }
        f.debug_struct(S::KIND.name())
            .field("metadata", &metadata)
            .field("spec", &self.spec)
            .field("status", &self.status)
            .field("unknown", &self.unknown)
            .finish()
    }
}

impl<S: Spec> Resource for Object<S> {
    const KIND: Kind = S::KIND;

    fn schema() -> &'static Schema {
        <Self as Wire>::SCHEMA
    }

    fn has_status() -> bool {
        std::any::TypeId::of::<S::Status>() != std::any::TypeId::of::<NoStatus>()
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn unknown(&self) -> &Unknown {
        &self.unknown
    }

    fn fill_in(&mut self) {
        S::fill_in(self);
    }

    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        S::texts(self, see);
    }

    fn status_to_value(&self) -> serde_json::Result<Option<serde_json::Value>> {
        if self.unknown.is_empty() {
            let is_absent = self.status == S::Status::default();
            return (!is_absent).then(|| serde_json::to_value(&self.status)).transpose();
        }
        // What the type does not have stands in it, too.
        let mut tree = self.serialize_known(serde_json::value::Serializer)?;
        self.unknown.put_back(&mut tree);
        Ok(tree.get("status").cloned())
    }

    fn observed(&self, status: &serde_json::Value) -> Option<(Self, Option<serde_json::Value>)> {
        let kept = Kept::default();
        let status = Option::<S::Status>::deserialize(Keeping::new(status, &kept)).ok()?;
        // Where a field goes that the type does not have is for those to say who know the whole object.
        if !self.unknown.is_empty() || !kept.into_inner().is_empty() {
            return None;
        }
        let (metadata, spec) = (self.metadata.clone(), self.spec.clone());
        let status = status.unwrap_or_default();
        let mut object = Self { metadata, spec, status, unknown: Unknown::default() };
        S::fill_in(&mut object);
        if object.metadata != self.metadata || object.spec != self.spec {
            return None;
        }
        let written = Resource::status_to_value(&object).ok()?;
        Some((object, written))
    }

    fn problems(&self) -> Problems {
        Problems::of(|at| {
            self.metadata.check(&S::KIND, S::check_name, &at.field("metadata"));
            S::check(self, at);
        })
    }
}

/// The shape of an object of some kind, put together from its parts.
struct ObjectSchema<S>(PhantomData<S>);

impl<S: Spec> ObjectSchema<S> {
    const WHOLE: Schema = Schema::Struct(super::schema::Struct {
        name: S::KIND.name(),
        fields: if S::KIND.is_flat() { &Self::FLAT_FIELDS } else { &Self::FIELDS },
        inline: if S::KIND.is_flat() { Some(S::SCHEMA) } else { None },
        atomic: false,
        unsupported: &[],
    });
    const API_VERSIONS: [&'static str; 1] = [S::KIND.api_version()];
    const KINDS: [&'static str; 1] = [S::KIND.name()];
    const API_VERSION: Schema = Schema::Enum(&Self::API_VERSIONS);
    const KIND: Schema = Schema::Enum(&Self::KINDS);
    const FIELDS: [super::schema::Field; 5] = [
        Self::field("apiVersion", &Self::API_VERSION),
        Self::field("kind", &Self::KIND),
        Self::field("metadata", <Metadata as Wire>::SCHEMA),
        Self::field("spec", S::SCHEMA),
        Self::field("status", S::STATUS_SCHEMA),
    ];
    const FLAT_FIELDS: [super::schema::Field; 3] = [
        Self::field("apiVersion", &Self::API_VERSION),
        Self::field("kind", &Self::KIND),
        Self::field("metadata", <Metadata as Wire>::SCHEMA),
    ];

    const fn field(name: &'static str, schema: &'static Schema) -> super::schema::Field {
        super::schema::Field { name, schema, merge: super::schema::Merge::Granular }
    }
}

/// An object within another, as the claims of a StatefulSet.
impl<S: Spec> Wire for Object<S> {
    const SCHEMA: &'static Schema = &ObjectSchema::<S>::WHOLE;

    /// What the type does not have is left to the outer object, which knows the whole path.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor::<S>(PhantomData))
    }
}

impl<S: Spec> IntoField<Self> for Object<S> {
    fn into_field(self) -> Setting {
        whole(&self)
    }
}

impl<S: Spec> Serialize for Object<S> {
    fn serialize<Ser: Serializer>(&self, serializer: Ser) -> Result<Ser::Ok, Ser::Error> {
        if self.unknown.is_empty() {
            return self.serialize_known(serializer);
        }
        let mut tree =
            self.serialize_known(serde_json::value::Serializer).map_err(serde::ser::Error::custom)?;
        self.unknown.put_back(&mut tree);
        tree.serialize(serializer)
    }
}

impl<'de, S: Spec> Deserialize<'de> for Object<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = Kept::default();
        let mut object =
            Keeping::new(deserializer, &kept).deserialize_map(ObjectVisitor::<S>(PhantomData))?;
        let kept = kept.into_inner();
        if !kept.is_empty() {
            let mut unknown = Unknown::new(kept);
            let tree = object.serialize_known(serde_json::value::Serializer).map_err(D::Error::custom)?;
            unknown.settle(&tree, Self::schema());
            object.unknown = unknown;
        }
        Ok(object)
    }
}

struct ObjectVisitor<S>(PhantomData<S>);

impl<'de, S: Spec> Visitor<'de> for ObjectVisitor<S> {
    type Value = Object<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map ({})", S::KIND)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<S>, A::Error> {
        let mut head = Head::<S>::default();
        let spec = if S::KIND.is_flat() {
            S::deserialize(MapAccessDeserializer::new(FlatContent::new(map, &mut head)))?
        } else {
            let mut spec = None;
            while let Some(part) = map.next_key_seed(Name(Part::of))? {
                match part {
                    Part::Spec => spec = map.next_value::<Option<S>>()?,
                    Part::Other => drop(map.next_value::<IgnoredAny>()?),
                    part => head.read(part, &mut map)?,
                }
            }
            spec.unwrap_or_default()
        };
        Ok(Object { metadata: head.metadata, spec, status: head.status, unknown: Unknown::default() })
    }
}

/// The parts of an object that every kind has in the same place.
pub(super) struct Head<S: Spec> {
    metadata: Metadata,
    status: S::Status,
}

impl<S: Spec> Default for Head<S> {
    fn default() -> Self {
        Self { metadata: Metadata::default(), status: S::Status::default() }
    }
}

/// A top-level field of an object.
pub(super) enum Part {
    ApiVersion,
    Kind,
    Metadata,
    Spec,
    Status,
    Other,
}

impl Part {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "apiVersion" => Self::ApiVersion,
            "kind" => Self::Kind,
            "metadata" => Self::Metadata,
            "spec" => Self::Spec,
            "status" => Self::Status,
            _ => Self::Other,
        }
    }
}

impl<S: Spec> Head<S> {
    /// Reads the value of a part that is not the spec.
    pub(super) fn read<'de, A: MapAccess<'de>>(&mut self, part: Part, map: &mut A) -> Result<(), A::Error> {
        match part {
            Part::ApiVersion => expect(map, "apiVersion", S::KIND.api_version()),
            Part::Kind => expect(map, "kind", S::KIND.name()),
            Part::Metadata => super::wire::field(&mut self.metadata, map),
            Part::Status => {
                self.status = map.next_value::<Option<S::Status>>()?.unwrap_or_default();
                Ok(())
            }
            Part::Spec | Part::Other => Ok(()),
        }
    }
}

/// Reads a text that must be this one, if it is given at all (the items of a list do without).
fn expect<'de, A: MapAccess<'de>>(map: &mut A, what: &str, right: &str) -> Result<(), A::Error> {
    match map.next_value_seed(Given::<Str>::new())? {
        Some(text) if text != right => {
            Err(A::Error::custom(format_args!("{what} is `{text}`, not `{right}`")))
        }
        _ => Ok(()),
    }
}
