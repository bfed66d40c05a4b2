//! [`Fields`]: some fields of an object and what they are to be, as a tree that is cheap to build.

use std::fmt;

use serde::Serialize;
use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Number, Value};

use super::{FieldPath, Map, Str};

/// Some fields of an object and what they are to be.
///
/// A reconciler says the same again and again, nearly always to find that it is so already. As JSON of
/// `serde_json`, each name would be an allocation and each map one of 600 bytes. Here a map is one block, and
/// what is short stands in it.
///
/// `Debug` shows which fields there are, not what they are: some of them are secret.
#[derive(Clone, Default, PartialEq)]
pub struct Fields(pub(crate) Map<Node>);

/// What one of them is to be.
#[derive(Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(Str),
    List(Vec<Self>),
    Map(Map<Self>),
}

impl Fields {
    /// The same as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Map<String, Value> {
        json_map(&self.0)
    }

    /// What a field is, one below the other.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(first)?, |node, name| node.get(name))
    }

    /// Every end of the tree, as the way there.
    pub(crate) fn paths(&self) -> Vec<FieldPath> {
        fn collect(node: &Node, path: FieldPath, list: &mut Vec<FieldPath>) {
            match node {
                Node::Map(map) if !map.is_empty() => {
                    map.iter().for_each(|(name, node)| collect(node, path.join(name.as_str()), list));
                }
                Node::List(items) if !items.is_empty() => {
                    items.iter().enumerate().for_each(|(at, node)| collect(node, path.join(at), list));
                }
                _ => list.push(path),
            }
        }
        let mut list = Vec::new();
        self.0.iter().for_each(|(name, node)| collect(node, FieldPath::ROOT.join(name.as_str()), &mut list));
        list
    }
}

impl From<serde_json::Map<String, Value>> for Fields {
    fn from(map: serde_json::Map<String, Value>) -> Self {
        Self(map.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.paths().iter().map(ToString::to_string)).finish()
    }
}

impl Node {
    /// What something serialises as.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        value.serialize(Builder)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => map.get(name),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&Str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(it) => Value::Bool(*it),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.as_str().into()),
            Self::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => Value::Object(json_map(map)),
        }
    }
}

fn json_map(map: &Map<Node>) -> serde_json::Map<String, Value> {
    map.iter().map(|(name, node)| (name.as_str().into(), node.to_json())).collect()
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(it) => Self::Bool(it),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text.into()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Map(Fields::from(map).0),
        }
    }
}

/// Builds a tree of what serialises itself, as [`serde_json::to_value`] does.
struct Builder;

/// A list that is being built, under the name of an enum's variant if that is its content.
struct Listing {
    items: Vec<Node>,
    variant: Option<&'static str>,
}

/// A map that is being built, likewise.
struct Mapping {
    entries: Vec<(Str, Node)>,
    key: Str,
    variant: Option<&'static str>,
}

/// More than nearly all maps have; their lengths are said with fields that are left out.
const USUAL: usize = 8;

fn under(variant: Option<&'static str>, node: Node) -> Node {
    match variant {
        Some(name) => Node::Map(Map::from([(name, node)])),
        None => node,
    }
}

impl Listing {
    fn of(length: usize, variant: Option<&'static str>) -> Self {
        Self { items: Vec::with_capacity(length.min(USUAL)), variant }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.items.push(Node::of(value)?);
        Ok(())
    }

    fn close(self) -> Node {
        under(self.variant, Node::List(self.items))
    }
}

impl Mapping {
    fn of(length: usize, variant: Option<&'static str>) -> Self {
        Self { entries: Vec::with_capacity(length.min(USUAL)), key: Str::EMPTY, variant }
    }

    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.entries.push((name.into(), Node::of(value)?));
        Ok(())
    }

    /// Sorted at the end, for inserting each in its place takes quadratic time. The last of equal names wins.
    fn close(self) -> Node {
        under(self.variant, Node::Map(self.entries.into_iter().collect()))
    }
}

macro_rules! numbers {
    ($($name:ident: $type:ty),*) => {$(
        fn $name(self, number: $type) -> Result<Node, Error> {
            Ok(Node::Number(number.into()))
        }
    )*};
}

impl Serializer for Builder {
    type Ok = Node;
    type Error = Error;
    type SerializeSeq = Listing;
    type SerializeTuple = Listing;
    type SerializeTupleStruct = Listing;
    type SerializeTupleVariant = Listing;
    type SerializeMap = Mapping;
    type SerializeStruct = Mapping;
    type SerializeStructVariant = Mapping;

    numbers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_bool(self, value: bool) -> Result<Node, Error> {
        Ok(Node::Bool(value))
    }
    fn serialize_i128(self, number: i128) -> Result<Node, Error> {
        serde_json::to_value(number).map(Node::from)
    }
    fn serialize_u128(self, number: u128) -> Result<Node, Error> {
        serde_json::to_value(number).map(Node::from)
    }
    fn serialize_f32(self, number: f32) -> Result<Node, Error> {
        Ok(Value::from(number).into())
    }
    fn serialize_f64(self, number: f64) -> Result<Node, Error> {
        Ok(Value::from(number).into())
    }
    fn serialize_char(self, letter: char) -> Result<Node, Error> {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, text: &str) -> Result<Node, Error> {
        Ok(Node::Text(text.into()))
    }
    fn serialize_bytes(self, bytes: &[u8]) -> Result<Node, Error> {
        Ok(Node::List(bytes.iter().map(|byte| Node::Number((*byte).into())).collect()))
    }
    fn serialize_none(self) -> Result<Node, Error> {
        Ok(Node::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Node, Error> {
        Node::of(value)
    }
    fn serialize_unit(self) -> Result<Node, Error> {
        Ok(Node::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Node, Error> {
        Ok(Node::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Node, Error> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Node, Error> {
        Node::of(value)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Node, Error> {
        Ok(under(Some(variant), Node::of(value)?))
    }
    fn serialize_seq(self, length: Option<usize>) -> Result<Listing, Error> {
        Ok(Listing::of(length.unwrap_or(0), None))
    }
    fn serialize_tuple(self, length: usize) -> Result<Listing, Error> {
        Ok(Listing::of(length, None))
    }
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Listing, Error> {
        Ok(Listing::of(length, None))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Listing, Error> {
        Ok(Listing::of(length, Some(variant)))
    }
    fn serialize_map(self, length: Option<usize>) -> Result<Mapping, Error> {
        Ok(Mapping::of(length.unwrap_or(0), None))
    }
    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Mapping, Error> {
        Ok(Mapping::of(length, None))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Mapping, Error> {
        Ok(Mapping::of(length, Some(variant)))
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, text: &T) -> Result<Node, Error> {
        Ok(Node::Text(format_args!("{text}").into()))
    }
}

macro_rules! as_a_list {
    ($($part:ident: $put:ident),*) => {$(
        impl $part for Listing {
            type Ok = Node;
            type Error = Error;
            fn $put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }
            fn end(self) -> Result<Node, Error> {
                Ok(self.close())
            }
        }
    )*};
}
as_a_list!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

macro_rules! as_a_struct {
    ($($part:ident),*) => {$(
        impl $part for Mapping {
            type Ok = Node;
            type Error = Error;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.put(name, value)
            }
            fn end(self) -> Result<Node, Error> {
                Ok(self.close())
            }
        }
    )*};
}
as_a_struct!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Mapping {
    type Ok = Node;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = match Node::of(key)? {
            Node::Text(text) => text,
            Node::Number(number) => format_args!("{number}").into(),
            Node::Bool(it) => format_args!("{it}").into(),
            _ => return Err(Error::custom("key must be a string")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.entries.push((key, Node::of(value)?));
        Ok(())
    }

    fn end(self) -> Result<Node, Error> {
        Ok(self.close())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        One(u8),
        Two(u8, char),
        Named { a: Option<f32>, b: () },
    }

    #[track_caller]
    fn is_as_json_is(value: &impl Serialize) {
        let (node, json) = (Node::of(value).unwrap(), serde_json::to_value(value).unwrap());
        assert_eq!(node.to_json(), json);
        assert!(node == Node::from(json));
    }

    #[test]
    fn what_serialises_itself_is_built_as_serde_json_builds_it() {
        is_as_json_is(&json!({"b": [1, -2, 1.5, null, true, "text", {}], "a": {"z": 1, "y": [[]]}}));
        is_as_json_is(&[
            Shape::Unit,
            Shape::One(1),
            Shape::Two(2, 'ü'),
            Shape::Named { a: Some(0.1), b: () },
            Shape::Named { a: None, b: () },
        ]);
        is_as_json_is(&(
            f64::NAN,
            u64::MAX,
            i64::MIN,
            u128::from(u64::MAX),
            "",
            std::net::Ipv4Addr::LOCALHOST,
        ));
        is_as_json_is(&BTreeMap::from([(7, "number"), (-1, "negative")]));
        is_as_json_is(&BTreeMap::from([(true, "yes")]));
        assert!(Node::of(&BTreeMap::from([((1, 2), 3)])).is_err() && Node::of(&u128::MAX).is_err());
        for seed in 0..20 {
            let mut sampler = super::super::sample::Sampler::seeded(seed);
            let spec = sampler.value(<crate::kinds::PodSpec as super::super::Spec>::SCHEMA);
            is_as_json_is(&serde_json::from_value::<crate::kinds::PodSpec>(spec).unwrap());
        }
    }

    #[test]
    fn the_last_of_equal_names_wins() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                [("b", 1), ("a", 2), ("b", 3)]
                    .iter()
                    .try_for_each(|(name, it)| map.serialize_entry(name, it))?;
                map.end()
            }
        }
        is_as_json_is(&Twice);
    }

    #[test]
    fn it_shows_names_only() {
        let Value::Object(map) = json!({"a": {"b": ["secret"]}, "c": {}}) else { unreachable!() };
        assert_eq!(format!("{:?}", Fields::from(map)), r#"["a.b[0]", "c"]"#);
    }
}
