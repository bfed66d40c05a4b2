//! Texts that are JSON already: read and written as they stand where both sides are JSON, and as what they
//! say everywhere else.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as DeError, MapAccess, Visitor};
use serde::ser::{Error as SerError, Impossible};
use serde::{Deserializer, Serialize, Serializer};
use serde_json::{Error, Value};

use super::Str;

/// The name of a newtype that holds such a text. To whoever is not readable for people its content shows
/// itself as a text, to all others as what the text says.
pub(super) const RAW: &str = "$orchestra::json";

/// The name by which `serde_json` is asked for a value's text. Would it ever be another, values were read
/// [plainly](FromRaw::plainly).
const TEXT_OF: &str = "$serde_json::private::RawValue";

/// What keeps the text that it was read from.
pub(super) trait FromRaw: Sized {
    /// What it is, for messages.
    const WHAT: &'static str;
    /// Made of a value's text; nothing when it cannot be.
    fn from_text(text: &str) -> Option<Self>;
    /// Read from what is no JSON text.
    fn plainly<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads what keeps the text that it is read from.
pub(super) fn read<'de, T: FromRaw, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_newtype_struct(TEXT_OF, RawVisitor(PhantomData))
}

/// What a value is as JSON. A value of maps and texts can be written.
pub(super) fn text_of<T: Serialize + ?Sized>(value: &T) -> Str {
    let mut json = Vec::with_capacity(1024); // most are shorter
    let is_written = super::json::append(&mut json, value).is_ok();
    std::str::from_utf8(&json).ok().filter(|_| is_written).unwrap_or_default().into()
}

struct RawVisitor<T>(PhantomData<T>);

impl<'de, T: FromRaw> Visitor<'de> for RawVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        if map.next_key::<String>()?.as_deref() != Some(TEXT_OF) {
            return Err(DeError::custom(format!("invalid type: map, expected {}", T::WHAT)));
        }
        let text = map.next_value::<Text<'de>>()?;
        T::from_text(&text.0).ok_or_else(|| DeError::custom(format!("invalid type: expected {}", T::WHAT)))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::plainly(deserializer)
    }
}

/// A text, borrowed where it can be.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text that is JSON already.
pub(super) struct Raw<'a>(pub(super) &'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_newtype_struct(RAW, &Content(self.0))
        } else {
            self.plain().serialize(serializer)
        }
    }
}

impl Raw<'_> {
    fn plain(&self) -> Value {
        // It was made of JSON, so that it is some.
        serde_json::from_str(self.0).unwrap_or(Value::Null)
    }
}

/// What stands in the newtype.
struct Content<'a>(&'a str);

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            Raw(self.0).plain().serialize(serializer)
        } else {
            serializer.serialize_str(self.0)
        }
    }
}

/// Copies such a text.
pub(super) struct AsItStands<'o> {
    pub(super) out: &'o mut Vec<u8>,
}

fn no_text() -> Error {
    SerError::custom("raw JSON must be a text")
}

macro_rules! nothing_else {
    ($($method:ident($($type:ty),*);)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<(), Error> {
            Err(no_text())
        }
    )*};
}

macro_rules! nor_collections {
    ($($method:ident($($type:ty),*) -> $collection:ident;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self::$collection, Error> {
            Err(no_text())
        }
    )*};
}

impl Serializer for AsItStands<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    nothing_else! {
        serialize_bool(bool); serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64);
        serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64); serialize_f32(f32);
        serialize_f64(f64); serialize_char(char); serialize_bytes(&[u8]); serialize_none(); serialize_unit();
        serialize_unit_struct(&'static str); serialize_unit_variant(&'static str, u32, &'static str);
    }

    nor_collections! {
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(no_text())
    }
}
