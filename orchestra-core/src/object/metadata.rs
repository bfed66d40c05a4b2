//! [`Metadata`]: what every object has, whatever its kind.

use std::fmt;
use std::str::FromStr;

use orchestra_macros::wire;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::buffer::Buffer;
use super::schema::{Format, Schema};
use super::wire::Wire;
use super::{At, Few, FieldManagers, FieldsV1, Kind, Map, Str, Timestamp, check_labels, names};

/// What every object has: who it is, whose it is, and what has become of it.
#[wire(unsupported("selfLink"))]
pub struct Metadata {
    /// The name, unique among the objects of its kind and namespace.
    pub name: Str,
    /// What a name is made from by the store when none is given.
    pub generate_name: Str,
    /// The namespace it lives in; empty for objects of the cluster.
    pub namespace: Str,
    /// Who it is, in all of time: another object of the same name has another one.
    pub uid: Uid,
    /// The store's revision at which it was last written.
    pub resource_version: Revision,
    /// How often what is desired was changed.
    pub generation: u64,
    /// What it is selected by.
    pub labels: Map<Str>,
    /// What else is noted about it.
    pub annotations: Map<Str>,
    /// The objects without which it is not needed any more.
    #[wire(keys(uid))]
    pub owner_references: Few<OwnerReference>,
    /// Who must have agreed before it goes.
    #[wire(set)]
    pub finalizers: Few<Str>,
    /// When it was created.
    pub creation_timestamp: Option<Timestamp>,
    /// When it is to be gone; it is being deleted once that is set.
    pub deletion_timestamp: Option<Timestamp>,
    /// How long it is given to go.
    pub deletion_grace_period_seconds: Option<u32>,
    /// Who set which fields.
    #[wire(atomic)]
    pub managed_fields: FieldManagers,
}

impl Metadata {
    /// Whether it is being deleted.
    #[must_use]
    pub const fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// The owner that controls it, if one does.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// Checks it as Kubernetes does, the name by the rule of the kind.
    pub fn check(&self, kind: &Kind, name_rule: fn(&str) -> names::Verdict, at: &At<'_>) {
        match (self.name.as_str(), self.generate_name.as_str()) {
            ("", "") => at.field("name").problem("required, but not given (nor is generateName)"),
            ("", prefix) => {
                // What is appended makes a trailing `-` or `.` good.
                let stem = prefix.strip_suffix(['-', '.']).unwrap_or(prefix);
                at.field("generateName").check(name_rule(stem));
            }
            (name, _) => at.field("name").check(name_rule(name)),
        }
        match (kind.is_namespaced(), self.namespace.as_str()) {
            (_, "") => {}
            (true, namespace) => at.field("namespace").check(names::dns_label(namespace)),
            (false, _) => at.field("namespace").problem(format!("a {kind} belongs to no namespace")),
        }
        check_labels(&self.labels, &at.field("labels"));
        self.check_annotations(&at.field("annotations"));
        at.each("ownerReferences", &self.owner_references, |at, owner| owner.check(at));
        let controllers = self.owner_references.iter().filter(|owner| owner.controller).count();
        at.field("ownerReferences").require(controllers <= 1, "only one owner can be the controller");
        at.each("finalizers", &self.finalizers, |at, finalizer| at.check(names::qualified_name(finalizer)));
    }

    fn check_annotations(&self, at: &At<'_>) {
        const LIMIT: usize = 256 * 1024;
        for key in self.annotations.keys() {
            at.field(key).check(names::qualified_name(&key.to_lowercase()));
        }
        let size: usize = self.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        at.require(size <= LIMIT, format!("take {size} bytes together, the limit is {LIMIT}"));
    }
}

/// An object without which another is not needed any more.
#[wire(atomic)]
pub struct OwnerReference {
    /// Its group and version.
    #[wire(required)]
    pub api_version: Str,
    /// Its kind.
    #[wire(required)]
    pub kind: Str,
    /// Its name, in the same namespace.
    #[wire(required)]
    pub name: Str,
    /// Who it is.
    #[wire(required)]
    pub uid: Uid,
    /// Whether it is the one that controls the object.
    pub controller: bool,
    /// Whether it cannot go before the object, when it is deleted in the foreground.
    pub block_owner_deletion: bool,
}

impl OwnerReference {
    fn check(&self, at: &At<'_>) {
        at.field("apiVersion").required(!self.api_version.is_empty());
        at.field("kind").required(!self.kind.is_empty());
        at.field("name").required(!self.name.is_empty());
        at.field("uid").required(!self.uid.is_unset());
    }
}

/// Which fields somebody set, and how.
#[wire]
pub struct ManagedFields {
    /// Who.
    pub manager: Str,
    /// `Apply` or `Update`.
    pub operation: Str,
    /// In which version of the kind the fields are named.
    pub api_version: Str,
    /// When.
    pub time: Option<Timestamp>,
    /// The form of the set of fields: `FieldsV1`.
    pub fields_type: Str,
    /// The set of fields.
    #[wire(name = "fieldsV1")]
    pub fields_v1: FieldsV1,
    /// The part of the object that was written, such as `status`.
    pub subresource: Str,
}

/// A reference to an object, or to a part of one.
#[wire(atomic)]
pub struct ObjectReference {
    /// Its group and version.
    pub api_version: Str,
    /// Its kind.
    pub kind: Str,
    /// Its namespace.
    pub namespace: Str,
    /// Its name.
    pub name: Str,
    /// Who it is.
    pub uid: Uid,
    /// Its revision.
    pub resource_version: Revision,
    /// The part that is meant, such as `spec.containers{app}`.
    pub field_path: Str,
}

/// A reference by name to an object of a kind and namespace that go without saying.
#[wire(atomic)]
pub struct NameReference {
    /// The object's name.
    pub name: Str,
}

impl From<&str> for NameReference {
    fn from(name: &str) -> Self {
        Self { name: name.into() }
    }
}

/// Who an object is, in all of time.
///
/// Kubernetes makes UUIDs, which take 16 bytes here; any other text is kept as it is.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Id);

#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Id {
    #[default]
    Unset,
    Uuid([u8; 16]),
    Text(Str),
}

impl Uid {
    /// A UUID from 128 bits. Ids are arguments in Orchestra: whoever needs them random draws them.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Id::Uuid(bits.to_be_bytes()))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_unset(&self) -> bool {
        matches!(self.0, Id::Unset)
    }
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        match uuid(text) {
            _ if text.is_empty() => Self(Id::Unset),
            Some(bytes) => Self(Id::Uuid(bytes)),
            None => Self(Id::Text(text.into())),
        }
    }
}

/// The bytes of a UUID in its canonical form, in lower case.
fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut bits: u128 = 0;
    for (at, byte) in text.bytes().enumerate() {
        let digit = match byte {
            b'-' if matches!(at, 8 | 13 | 18 | 23) => continue,
            _ if matches!(at, 8 | 13 | 18 | 23) => return None,
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        bits = bits << 4 | u128::from(digit);
    }
    Some(bits.to_be_bytes())
}

/// A UUID in its canonical form.
fn uuid_text(bytes: &[u8; 16]) -> Buffer<36> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = Buffer::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.push(HEX[usize::from(byte >> 4)]);
        text.push(HEX[usize::from(byte & 15)]);
    }
    text
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Unset => Ok(()),
            Id::Uuid(bytes) => f.write_str(uuid_text(bytes).as_str()),
            Id::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Id::Unset => serializer.serialize_str(""),
            Id::Uuid(bytes) => serializer.serialize_str(uuid_text(bytes).as_str()),
            Id::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Uid;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Uid, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl Wire for Uid {
    const SCHEMA: &'static Schema = &Schema::Text(Format::Any);
    fn is_absent(&self) -> bool {
        self.is_unset()
    }
}

/// A point in a store's history: a number that only grows, a string on the wire. Zero is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl From<u64> for Revision {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl FromStr for Revision {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Ok(Self(0)) } else { text.parse().map(Self) }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Buffer::<20>::new();
        text.number(self.0, 1);
        serializer.serialize_str(text.as_str())
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Revision;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a revision: a whole number as a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Revision, E> {
                text.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl Wire for Revision {
    const SCHEMA: &'static Schema = &Schema::Text(Format::Revision);
    fn is_absent(&self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_prints_as_it_was_read() {
        for text in [
            "",
            "0f0e0d0c-0b0a-0908-0706-050403020100",
            "0F0E0D0C-0B0A-0908-0706-050403020100",
            "node-1",
            "0f0e0d0c0b0a09080706050403020100",
        ] {
            assert_eq!(Uid::from(text).to_string(), text);
        }
        assert_eq!(Uid::from_u128(1).to_string(), "00000000-0000-0000-0000-000000000001");
        assert_eq!(size_of::<Uid>(), 24);
    }
}
