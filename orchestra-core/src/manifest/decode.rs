//! From trees to types. A failure knows its place: the field's path, the line and the column.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::near::nearest;
use super::tree::{Data, Entry, Mark, Node};
use crate::object::{FieldPath, Segment};

/// Why a tree is no value of a type.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    pub(crate) path: FieldPath,
    pub(crate) mark: Mark,
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
}

/// Reads a value of a type from a tree.
pub(crate) fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Mismatch> {
    T::deserialize(node).map_err(|failure| {
        let Failure { text, hint, missing, mark, path } = failure;
        let path: FieldPath = path.into_iter().rev().collect();
        // What is missing may be there under a name that is nearly right.
        let hint = hint.or_else(|| {
            let place = path.segments().iter().try_fold(node, |node, step| node.step(step))?;
            let Data::Map(entries) = &place.data else { return None };
            let near = nearest(missing?, entries.iter().map(|entry| &*entry.key))?;
            Some(format!("is `{near}` meant to be it?"))
        });
        Mismatch { path, mark: mark.unwrap_or(node.mark), text, hint }
    })
}

/// A failure on its way up, which gathers its place from those that it passes.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    hint: Option<String>,
    /// The field that was not given though it must be.
    missing: Option<&'static str>,
    mark: Option<Mark>,
    /// The steps from the innermost out.
    path: Vec<Segment>,
}

impl Failure {
    fn new(text: String) -> Self {
        Self { text, hint: None, missing: None, mark: None, path: Vec::new() }
    }

    fn within(mut self, segment: impl Into<Segment>, mark: Mark) -> Self {
        self.mark.get_or_insert(mark);
        self.path.push(segment.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// What a type expects, in words for people rather than for Rust.
fn expectation(expected: &dyn de::Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" => format!("a whole number from 0 to {}", i32::MAX),
        "u64" => "a whole number of 0 or more".into(),
        "i32" | "i64" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        _ => words,
    }
}

/// What was found, in words. It says of which sort it is and not what it is: it may be a secret.
fn finding(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction or exponent",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        // What may not be quoted says only of which sort it is.
        Unexpected::Other("string") => "a string",
        Unexpected::Other("boolean") => "a boolean",
        Unexpected::Other("integer") => "a whole number",
        Unexpected::Other("floating point") => "a number with a fraction or exponent",
        _ => "something else",
    }
}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expectation(expected);
        let found = finding(&found);
        let hint = match (found, expected.as_str()) {
            ("a boolean" | "a whole number" | "a number with a fraction or exponent", "a string") => {
                Some("put it in quotes if text is meant")
            }
            ("a string", "true or false") => Some("leave the quotes out"),
            ("a string", expected) if expected.starts_with("a whole number") => Some("leave the quotes out"),
            ("a map", "a list") => Some("begin each element with `- `"),
            ("a list", expected) if expected.starts_with("a map") => Some("leave out the `- `"),
            _ => None,
        };
        Self { hint: hint.map(Into::into), ..Self::new(format!("expected {expected}, found {found}")) }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Signed(number) => format!("`{number}`"),
            Unexpected::Unsigned(number) => format!("`{number}`"),
            Unexpected::Float(number) => format!("`{number}`"),
            Unexpected::Str(text) => {
                format!("`{}`", text.chars().take(64).collect::<String>().escape_debug())
            }
            other => finding(&other).into(),
        };
        Self::new(format!("expected {}, found {found}", expectation(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("the field `{field}` is required, but not given")) }
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        let list: Vec<_> = known.iter().filter(|text| !text.is_empty()).copied().collect();
        let found_short: String = found.chars().take(64).collect();
        let text = format!("`{}` is none of {}", found_short.escape_debug(), list.join(", "));
        let hint = nearest(found, list.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        Self { hint, ..Self::new(text) }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let result = match &self.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(value) => visitor.visit_bool(*value),
            Data::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Data::Text(text) => visitor.visit_borrowed_str(text),
            Data::List(list) => visitor.visit_seq(Elements { list: list.iter().enumerate() }),
            Data::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        };
        result.map_err(|mut failure| {
            failure.mark.get_or_insert(self.mark);
            failure
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.data {
            Data::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.data {
            Data::Text(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Data::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(Failure::new(format!("expected a string or a map with one key, found {}", self.sort()))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct Elements<'de> {
    list: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.list
            .next()
            .map(|(index, node)| seed.deserialize(node).map_err(|failure| failure.within(index, node.mark)))
            .transpose()
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, Entry>,
    value: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        self.value = self.entries.next();
        let Some(entry) = self.value else { return Ok(None) };
        let key = seed.deserialize(de::value::BorrowedStrDeserializer::new(&entry.key));
        key.map(Some).map_err(|failure: Failure| failure.within(&*entry.key, entry.mark))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        match self.value.take() {
            Some(entry) => seed
                .deserialize(&entry.value)
                .map_err(|failure| failure.within(&*entry.key, entry.value.mark)),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// An enum with content: its one key says which variant.
#[derive(Clone, Copy)]
struct Variant<'de>(&'de Entry);

impl Variant<'_> {
    fn within<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| failure.within(&*self.0.key, self.0.value.mark))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Failure> {
        Ok((seed.deserialize(StrDeserializer::<Failure>::new(&self.0.key))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        self.within(seed.deserialize(&self.0.value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.within(self.0.value.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.within(self.0.value.deserialize_any(visitor))
    }
}
