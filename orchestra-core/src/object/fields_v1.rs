//! [`FieldsV1`]: a set of fields as it is stored, a text into which hardly anybody ever looks.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Str;
use super::json::append;
use super::raw::RAW;
use super::schema::Schema;
use super::wire::Wire;

/// A set of fields, as `managedFields` holds one: JSON, kept as the text that it is.
///
/// Sets of fields are most of what an object says, they come and go with each read and write, and only
/// who changes the object asks what is in them: [`FieldSet::parse`](crate::client::FieldSet::parse) tells.
/// Whatever reads or writes an object meets ordinary JSON in its place.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldsV1(Str);

impl FieldsV1 {
    /// The text, without spaces; empty when there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is JSON already, as [`json`](super::json) writes it.
    pub(crate) fn written(json: Vec<u8>) -> Self {
        Self(String::from_utf8_lossy(&json).into_owned().into())
    }

    /// The same as a tree.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // It was made of JSON, so that it is some.
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

impl From<&Value> for FieldsV1 {
    fn from(tree: &Value) -> Self {
        if tree.is_null() { Self::default() } else { Self(tree.to_string().into()) }
    }
}

impl fmt::Debug for FieldsV1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Wire for FieldsV1 {
    const SCHEMA: &'static Schema = &Schema::Any;

    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for FieldsV1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_newtype_struct(RAW, &Text(&self.0))
        } else {
            self.to_value().serialize(serializer)
        }
    }
}

/// What stands in a newtype called [`RAW`]: to the writer of this crate, which asks by not being readable
/// for people, it shows the text; to all others, what the text says.
struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serde_json::from_str::<Value>(self.0).unwrap_or(Value::Null).serialize(serializer)
        } else {
            serializer.serialize_str(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for FieldsV1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Most sets are shorter.
        let mut text = Vec::with_capacity(512);
        deserializer.deserialize_any(Copying(&mut text))?;
        let text = std::str::from_utf8(&text).map_err(D::Error::custom)?;
        Ok(if text == "null" { Self::default() } else { Self(text.into()) })
    }
}

/// Writes as JSON what it reads.
struct Copying<'o>(&'o mut Vec<u8>);

impl Copying<'_> {
    fn put<T: Serialize + ?Sized, E: Error>(self, value: &T) -> Result<(), E> {
        append(self.0, value).map_err(E::custom)
    }
}

macro_rules! scalars {
    ($($visit:ident($type:ty);)*) => {$(
        fn $visit<E: Error>(self, value: $type) -> Result<(), E> {
            self.put(&value)
        }
    )*};
}

impl<'de> serde::de::DeserializeSeed<'de> for Copying<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Copying<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of fields")
    }

    scalars! {
        visit_bool(bool); visit_i64(i64); visit_u64(u64); visit_i128(i128); visit_u128(u128); visit_f64(f64);
        visit_str(&str);
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put(&())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.put(&())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        let mut first = true;
        loop {
            let before = self.0.len();
            if !first {
                self.0.push(b',');
            }
            if list.next_element_seed(Copying(self.0))?.is_none() {
                self.0.truncate(before);
                break;
            }
            first = false;
        }
        self.0.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.push(b'{');
        let mut first = true;
        loop {
            let before = self.0.len();
            if !first {
                self.0.push(b',');
            }
            if map.next_key_seed(Copying(self.0))?.is_none() {
                self.0.truncate(before);
                break;
            }
            self.0.push(b':');
            map.next_value_seed(Copying(self.0))?;
            first = false;
        }
        self.0.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_ordinary_json_to_everybody_else() {
        for tree in [
            json!({}),
            json!({"f:a": {".": {}, "k:{\"name\":\"ä\\\n\"}": {"f:b": {}}}, "v:1": {}}),
            json!([1, -2, 0.5, u64::MAX, true, null, "text", []]),
        ] {
            let read: FieldsV1 = serde_json::from_value(tree.clone()).unwrap();
            let again: FieldsV1 = serde_json::from_str(&format!(" {tree:#} ")).unwrap();
            assert_eq!((read.as_str(), &again), (tree.to_string().as_str(), &read));
            assert_eq!(FieldsV1::from(&tree), read);
            assert_eq!((read.to_value(), serde_json::to_value(&read).unwrap()), (tree.clone(), tree.clone()));
            assert_eq!(serde_json::to_string(&read).unwrap(), tree.to_string());
            let mut ours = Vec::new();
            append(&mut ours, &read).unwrap();
            assert_eq!(String::from_utf8(ours).unwrap(), tree.to_string());
        }
        assert_eq!(serde_json::from_str::<FieldsV1>("null").unwrap(), FieldsV1::default());
        assert!(FieldsV1::default().is_absent() && FieldsV1::default().to_value().is_null());
    }
}
