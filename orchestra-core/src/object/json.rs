//! Writing JSON.
//!
//! Half of the time that `serde_json` takes to write an object goes into looking at each byte of each
//! string for something to escape, and there is nearly never anything. This writer looks at eight
//! bytes at a time. What does need escaping, and numbers with a fraction, it leaves to `serde_json`;
//! a test holds its output against that one's.

use serde::ser::{self, Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant};
use serde::{Serialize, Serializer};
use serde_json::Error;

use super::raw::{AsItStands, RAW};

/// A value as JSON.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    // Nearly all objects fit; growing there from less copies a Pod several times over.
    let mut out = Vec::with_capacity(8192);
    append(&mut out, value)?;
    if out.len() < out.capacity() / 2 {
        out.shrink_to_fit();
    }
    Ok(out)
}

/// Writes a value as JSON behind what is there.
pub(super) fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    value.serialize(Writer { out })
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

/// Writes a string in quotes.
#[inline]
fn string(out: &mut Vec<u8>, text: &str) -> Result<(), Error> {
    if needs_escape(text.as_bytes()) {
        return serde_json::to_writer(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// Whether a quote, a backslash or a control character is among the bytes.
#[inline]
fn needs_escape(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // The top bit of each byte says whether that byte is less than `n`, respectively zero. A borrow
    // can only set a bit too many above a byte that is found anyway.
    let less = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & TOPS;
    let is = |word: u64, byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().any(|word| {
        let word = u64::from_le_bytes(*word);
        less(word, 0x20) | is(word, b'"') | is(word, b'\\') != 0
    }) || rest.iter().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))
}

fn number(out: &mut Vec<u8>, negative: bool, magnitude: u64) {
    let mut text = super::buffer::Buffer::<20>::new();
    text.number(magnitude, 1);
    if negative {
        out.push(b'-');
    }
    out.extend_from_slice(text.as_str().as_bytes());
}

/// A list or map that is being written.
struct Collection<'o> {
    out: &'o mut Vec<u8>,
    end: &'static [u8],
    first: bool,
    /// Whether the content is a text that is JSON already, as `serde_json`'s own types tell by the
    /// struct's name.
    raw: bool,
}

impl<'o> Collection<'o> {
    #[inline]
    fn begin(out: &'o mut Vec<u8>, begin: u8, end: &'static [u8]) -> Self {
        out.push(begin);
        Self { out, end, first: true, raw: false }
    }

    #[inline]
    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.comma();
        value.serialize(Writer { out: self.out })
    }

    /// An entry whose key is a field's name, which needs no escape.
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        if self.raw {
            let Ok(serde_json::Value::String(text)) = serde_json::to_value(value) else {
                return Err(Error::custom("raw JSON must be a text"));
            };
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        self.comma();
        self.out.reserve(name.len() + 3);
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.serialize(Writer { out: self.out })
    }

    #[inline]
    fn close(self) -> Result<(), Error> {
        self.out.extend_from_slice(self.end);
        Ok(())
    }
}

/// Begins the map in which the content of an enum's variant stands.
fn variant<'o>(out: &'o mut Vec<u8>, name: &str) -> Result<&'o mut Vec<u8>, Error> {
    out.push(b'{');
    string(out, name)?;
    out.push(b':');
    Ok(out)
}

macro_rules! numbers {
    ($($unsigned:ident($u:ty) $signed:ident($i:ty);)*) => {$(
        fn $unsigned(self, value: $u) -> Result<(), Error> {
            number(self.out, false, u64::from(value));
            Ok(())
        }
        fn $signed(self, value: $i) -> Result<(), Error> {
            number(self.out, value < 0, i64::from(value).unsigned_abs());
            Ok(())
        }
    )*};
}

impl<'o> Serializer for Writer<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Collection<'o>;
    type SerializeTuple = Collection<'o>;
    type SerializeTupleStruct = Collection<'o>;
    type SerializeTupleVariant = Collection<'o>;
    type SerializeMap = Collection<'o>;
    type SerializeStruct = Collection<'o>;
    type SerializeStructVariant = Collection<'o>;

    numbers! {
        serialize_u8(u8) serialize_i8(i8);
        serialize_u16(u16) serialize_i16(i16);
        serialize_u32(u32) serialize_i32(i32);
        serialize_u64(u64) serialize_i64(i64);
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        serde_json::to_writer(self.out, &value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        string(self.out, value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        string(self.out, text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        string(self.out, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        if name == RAW {
            return value.serialize(AsItStands { out: self.out });
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(Writer { out: variant(self.out, name)? })?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Collection<'o>, Error> {
        Ok(Collection::begin(self.out, b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Collection<'o>, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Collection<'o>, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Collection<'o>, Error> {
        Ok(Collection::begin(variant(self.out, name)?, b'[', b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Collection<'o>, Error> {
        Ok(Collection::begin(self.out, b'{', b"}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Collection<'o>, Error> {
        if name.starts_with("$serde_json::private::") {
            return Ok(Collection { out: self.out, end: b"", first: true, raw: true });
        }
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Collection<'o>, Error> {
        Ok(Collection::begin(variant(self.out, name)?, b'{', b"}}"))
    }
}

impl SerializeMap for Collection<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.comma();
        let start = self.out.len();
        key.serialize(Writer { out: self.out })?;
        // JSON's keys are strings: numbers and booleans are put in quotes.
        match self.out.get(start) {
            Some(b'"') => {}
            Some(b'{' | b'[') | None => return Err(Error::custom("a key must be a string")),
            Some(_) => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
        }
        self.out.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Writer { out: self.out })
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

macro_rules! collections {
    ($($of_elements:path: $method:ident;)* ; $($of_fields:path;)*) => {
        $(impl $of_elements for Collection<'_> {
            type Ok = ();
            type Error = Error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value)
            }
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })*
        $(impl $of_fields for Collection<'_> {
            type Ok = ();
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.field(name, value)
            }
            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })*
    };
}
collections! {
    SerializeSeq: serialize_element;
    ser::SerializeTuple: serialize_element;
    ser::SerializeTupleStruct: serialize_field;
    ser::SerializeTupleVariant: serialize_field;
    ;
    SerializeStruct;
    SerializeStructVariant;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(i64, f64),
        Struct { a: Option<char>, b: () },
    }

    #[derive(Serialize)]
    struct Everything {
        texts: Vec<String>,
        shapes: Vec<Shape>,
        by_number: BTreeMap<i32, bool>,
        by_flag: BTreeMap<bool, f32>,
        by_char: BTreeMap<char, (u16, i8)>,
        big: (u64, i64, u128, i128),
        float: f64,
    }

    proptest! {
        #[test]
        fn writes_what_serde_json_writes(
            texts in prop::collection::vec(prop_oneof![".*", "[ -~]{0,40}", "[a-z]{7}[\"\\\\\u{1f}\u{7f}é]?[a-z]{0,9}"], 0..6),
            number in any::<i64>(), float in any::<f64>(), c in any::<char>(), flag in any::<bool>(),
        ) {
            let everything = Everything {
                texts,
                shapes: vec![Shape::Unit, Shape::Newtype(number as u8), Shape::Tuple(number, float), Shape::Struct { a: Some(c), b: () }],
                by_number: [(number as i32, flag)].into(),
                by_flag: [(flag, float as f32)].into(),
                by_char: [(c, (number as u16, number as i8))].into(),
                big: (number as u64, number, number as u128, i128::from(number)),
                float,
            };
            let (ours, theirs) = (to_vec(&everything).unwrap(), serde_json::to_vec(&everything).unwrap());
            prop_assert_eq!(String::from_utf8(ours), String::from_utf8(theirs));
        }
    }

    #[test]
    fn a_key_that_is_no_word_is_refused() {
        assert!(to_vec(&BTreeMap::from([(vec![1], 1)])).is_err());
    }
}
