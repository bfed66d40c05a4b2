//! [`Unknown`]: the fields of an object that its Rust type does not have, kept for writing back.
//!
//! An object may come from a newer program, or carry settings for somebody else. Reading it into a
//! type and writing it back must not lose them. [`Keeping`] wraps any deserializer: what the type
//! would ignore is put aside with its path, in the same pass.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;

use super::Str;
use super::path::{FieldPath, Segment};
use super::schema::{Merge, Schema};

/// The fields of an object that its type does not have.
#[derive(Clone, Default, PartialEq)]
pub struct Unknown(
    // One word, since nearly all objects have none.
    #[allow(clippy::box_collection)] Option<Box<Vec<UnknownField>>>,
);

/// A field that the type does not have.
#[derive(Clone)]
pub struct UnknownField {
    path: FieldPath,
    /// The path with positions in lists, as it was when the object was read.
    place: FieldPath,
    value: Value,
    beside: &'static [&'static str],
    /// By what the steps to the field's parent are found again, one each.
    anchors: Vec<Anchor>,
}

/// By what a step of a field's path is found again when the object has changed meanwhile.
#[derive(Clone)]
enum Anchor {
    /// A map, or an element of a keyed list: by its name or its keys. If it is gone, so is the field.
    Named,
    /// A map that the type leaves out when it is empty: it is made again.
    LeftOut,
    /// An element of a list without keys: by what the type knew of it, or, in a list that is as long
    /// as it was, by its position.
    Element { known: String, of: usize },
}

/// Where and what counts; how the field is found again does not.
impl PartialEq for UnknownField {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.value == other.value
    }
}

impl UnknownField {
    /// Where it stands.
    #[must_use]
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// Where it stood when the object was read: the path with positions in lists, not keys.
    #[must_use]
    pub fn place(&self) -> &FieldPath {
        &self.place
    }

    /// What it holds. It may be a secret: a misspelt field of one, say.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The names of the fields that the type does have there.
    #[must_use]
    pub fn beside(&self) -> &'static [&'static str] {
        self.beside
    }
}

/// Shows the paths, never the values.
impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|field| field.path.to_string())).finish()
    }
}

impl Unknown {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The fields, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = &UnknownField> {
        self.0.iter().flat_map(|fields| fields.iter())
    }

    pub(crate) fn new(mut fields: Vec<UnknownField>) -> Self {
        fields.shrink_to_fit();
        Self((!fields.is_empty()).then(|| Box::new(fields)))
    }

    /// Names the elements of keyed lists by their keys rather than their positions, which change
    /// when the typed list does, and notes by what the others are found again. `tree` is the object
    /// as its type writes it.
    pub(crate) fn settle(&mut self, tree: &Value, schema: &Schema) {
        let Some(fields) = &mut self.0 else { return };
        let mut lists = Lists::default();
        for field in fields.iter_mut() {
            (field.path, field.anchors) = settled(&field.place, tree, schema, &mut lists);
        }
        fields.sort_by_cached_key(|field| field.path.to_string());
    }

    /// Puts the fields where they were, if that place still exists.
    pub(crate) fn put_back(&self, tree: &mut Value) {
        if self.is_empty() {
            return;
        }
        // Elements are known by what they were before any field was put back.
        let before = tree.clone();
        let mut lists = Lists::default();
        for field in self.iter() {
            if let Some((parent, Segment::Field(name))) = field.path.split_last()
                && let Some(Value::Object(map)) = field.find(parent.segments(), &before, tree, &mut lists)
            {
                map.entry(name.as_str()).or_insert_with(|| field.value.clone());
            }
        }
    }
}

impl UnknownField {
    /// Where the field's parent is now. `before` is the tree without any unknown field.
    fn find<'t>(
        &self,
        steps: &[Segment],
        before: &Value,
        tree: &'t mut Value,
        lists: &mut Lists,
    ) -> Option<&'t mut Value> {
        let (mut before, mut now, mut list_at) = (Some(before), tree, String::new());
        for (step, anchor) in steps.iter().zip(&self.anchors) {
            match (step, now) {
                (Segment::Field(name), Value::Object(map)) => {
                    if matches!(anchor, Anchor::LeftOut) {
                        map.entry(name.as_str()).or_insert_with(|| Value::Object(serde_json::Map::new()));
                    }
                    before = before.and_then(|before| before.get(name.as_str()));
                    now = map.get_mut(name.as_str())?;
                    list_at.push_str(name);
                    list_at.push('/');
                }
                (step, Value::Array(list)) => {
                    let elements = before?.as_array()?;
                    let at = match (step, anchor) {
                        (Segment::Item(keys), _) => {
                            let names: Vec<_> = keys.iter().map(|(name, _)| name.as_str()).collect();
                            let values = keys.iter().map(|(_, value)| value.clone()).collect();
                            *lists
                                .with_keys(&list_at, elements, &names)
                                .get(&Value::Array(values).to_string())?
                                .first()?
                        }
                        (Segment::Index(index), Anchor::Element { known, of }) => {
                            let alike = lists.with_content(&list_at, elements).get(known);
                            match alike.map(Vec::as_slice) {
                                Some(alike) if alike.contains(index) => *index,
                                Some([only]) => *only,
                                None if elements.len() == *of => *index,
                                _ => return None,
                            }
                        }
                        _ => return None,
                    };
                    before = elements.get(at);
                    now = list.get_mut(at)?;
                    list_at.push_str(&at.to_string());
                    list_at.push('/');
                }
                _ => return None,
            }
        }
        Some(now)
    }
}

/// Which elements of a list have which content.
type Positions = BTreeMap<String, Vec<usize>>;

/// The elements of lists by their keys and by their content, so that finding one does not mean to
/// look at all.
#[derive(Default)]
struct Lists {
    by_keys: BTreeMap<String, Positions>,
    by_content: BTreeMap<String, Positions>,
}

impl Lists {
    fn with_keys(&mut self, path: &str, elements: &[Value], names: &[&str]) -> &Positions {
        Self::index(&mut self.by_keys, path, elements, |element| {
            let keys = names.iter().map(|name| element.get(name).cloned()).collect::<Option<Vec<_>>>();
            keys.map(|keys| Value::Array(keys).to_string())
        })
    }

    fn with_content(&mut self, path: &str, elements: &[Value]) -> &Positions {
        Self::index(&mut self.by_content, path, elements, |element| Some(element.to_string()))
    }

    fn index<'l>(
        lists: &'l mut BTreeMap<String, Positions>,
        path: &str,
        elements: &[Value],
        describe: impl Fn(&Value) -> Option<String>,
    ) -> &'l Positions {
        lists.entry(path.into()).or_insert_with(|| {
            let mut positions = Positions::new();
            for (at, element) in elements.iter().enumerate() {
                if let Some(description) = describe(element) {
                    positions.entry(description).or_default().push(at);
                }
            }
            positions
        })
    }
}

/// The path with keys where it can have them, and by what each step is found again.
fn settled(place: &FieldPath, tree: &Value, schema: &Schema, lists: &mut Lists) -> (FieldPath, Vec<Anchor>) {
    let (mut tree, mut schema, mut merge) = (Some(tree), schema, Merge::Granular);
    let mut list_at = String::new();
    let steps = place.segments().iter().map(|segment| {
        let (step, anchor) = match segment {
            Segment::Field(name) => {
                merge = schema.field(name).map_or(Merge::Granular, |field| field.merge);
                schema = schema.child(name);
                tree = tree.and_then(|tree| tree.get(name.as_str()));
                (segment.clone(), if tree.is_some() { Anchor::Named } else { Anchor::LeftOut })
            }
            Segment::Index(index) => {
                let elements = tree.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let item = elements.get(*index);
                let keys = match merge {
                    Merge::Keyed(names) => keys_of(item, names).filter(|keys| {
                        // Keys that another element has too, against the rule, tell nothing.
                        let values = keys.iter().map(|(_, value)| value.clone()).collect();
                        let alike =
                            lists.with_keys(&list_at, elements, names).get(&Value::Array(values).to_string());
                        alike.is_some_and(|alike| alike.len() == 1)
                    }),
                    _ => None,
                };
                (tree, merge, schema) = (item, Merge::Granular, schema.item());
                match keys {
                    Some(keys) => (Segment::Item(keys), Anchor::Named),
                    None => {
                        let known = item.map(Value::to_string).unwrap_or_default();
                        (segment.clone(), Anchor::Element { known, of: elements.len() })
                    }
                }
            }
            Segment::Item(_) => (segment.clone(), Anchor::Named),
        };
        list_at.push_str(&segment.to_string());
        list_at.push('/');
        (step, anchor)
    });
    let (path, anchors): (Vec<_>, Vec<_>) = steps.unzip();
    (path.into_iter().collect(), anchors)
}

fn keys_of(item: Option<&Value>, names: &[&str]) -> Option<Vec<(Str, Value)>> {
    names.iter().map(|name| Some(((*name).into(), item?.get(name)?.clone()))).collect()
}

/// Where the deserializer is: a list that lives on its stack.
#[derive(Clone, Copy)]
struct Place<'a> {
    step: Step<'a>,
    parent: Option<&'a Place<'a>>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl Place<'_> {
    fn path(&self) -> FieldPath {
        let mut path = self.parent.map_or(FieldPath::ROOT, Place::path);
        match self.step {
            Step::Root => {}
            Step::Key(key) => path.push(key),
            Step::Index(index) => path.push(index),
        }
        path
    }
}

/// What all the wrappers of one object share.
pub(crate) type Kept = RefCell<Vec<UnknownField>>;

/// A deserializer that puts aside what the type ignores.
pub(crate) struct Keeping<'a, D> {
    inner: D,
    place: Place<'a>,
    beside: &'static [&'static str],
    kept: &'a Kept,
}

impl<'a, D> Keeping<'a, D> {
    pub(crate) const fn new(inner: D, kept: &'a Kept) -> Self {
        Self { inner, place: Place { step: Step::Root, parent: None }, beside: &[], kept }
    }
}

macro_rules! pass_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* Watching { inner: visitor, place: self.place, fields: &[], kept: self.kept })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Keeping<'_, D> {
    type Error = D::Error;

    pass_on! {
        deserialize_any(); deserialize_bool(); deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64();
        deserialize_i128(); deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_char(); deserialize_str(); deserialize_string();
        deserialize_bytes(); deserialize_byte_buf(); deserialize_option(); deserialize_unit(); deserialize_seq();
        deserialize_map(); deserialize_identifier();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Watching { inner: visitor, place: self.place, fields, kept: self.kept };
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let value = Value::deserialize(self.inner)?;
        let place = self.place.path();
        let field =
            UnknownField { path: place.clone(), place, value, beside: self.beside, anchors: Vec::new() };
        self.kept.borrow_mut().push(field);
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Wraps a visitor, or the access that a visitor is given, to follow it into its parts.
struct Watching<'a, T> {
    inner: T,
    place: Place<'a>,
    fields: &'static [&'static str],
    kept: &'a Kept,
}

macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watching<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(bool); visit_i8(i8); visit_i16(i16); visit_i32(i32); visit_i64(i64); visit_i128(i128); visit_u8(u8);
        visit_u16(u16); visit_u32(u32); visit_u64(u64); visit_u128(u128); visit_f32(f32); visit_f64(f64); visit_char(char);
        visit_str(&str); visit_borrowed_str(&'de str); visit_string(String); visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]); visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Keeping {
            inner: deserializer,
            place: self.place,
            beside: &[],
            kept: self.kept,
        })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Keeping {
            inner: deserializer,
            place: self.place,
            beside: &[],
            kept: self.kept,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let elements = Elements { inner: access, next: 0, place: &self.place, kept: self.kept };
        self.inner.visit_seq(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let entries = Entries {
            inner: access,
            key: Key::Borrowed(""),
            place: &self.place,
            fields: self.fields,
            kept: self.kept,
        };
        self.inner.visit_map(entries)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Watching { inner: access, place: self.place, fields: &[], kept: self.kept })
    }
}

struct Elements<'a, A> {
    inner: A,
    next: usize,
    place: &'a Place<'a>,
    kept: &'a Kept,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let place = Place { step: Step::Index(self.next), parent: Some(self.place) };
        self.next += 1;
        self.inner.next_element_seed(Seeded { inner: seed, place, beside: &[], kept: self.kept })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Entries<'a, 'de, A> {
    inner: A,
    key: Key<'de>,
    place: &'a Place<'a>,
    fields: &'static [&'static str],
    kept: &'a Kept,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        match self.inner.next_key::<Key<'de>>()? {
            Some(key) => {
                self.key = key;
                seed.deserialize(KeyText { key: &self.key, error: PhantomData }).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let place = Place { step: Step::Key(self.key.as_str()), parent: Some(self.place) };
        self.inner.next_value_seed(Seeded { inner: seed, place, beside: self.fields, kept: self.kept })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// Wraps the seed of a part.
struct Seeded<'a, T> {
    inner: T,
    place: Place<'a>,
    beside: &'static [&'static str],
    kept: &'a Kept,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Seeded<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let Self { inner, place, beside, kept } = self;
        inner.deserialize(Keeping { inner: deserializer, place, beside, kept })
    }
}

/// The key of the value that comes next: borrowed from the input where that can be, which is nearly
/// always.
enum Key<'de> {
    Borrowed(&'de str),
    Owned(String),
}

impl Key<'_> {
    fn as_str(&self) -> &str {
        match self {
            Key::Borrowed(key) => key,
            Key::Owned(key) => key,
        }
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string as key")
            }
            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key::Borrowed(key))
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key::Owned(key.into()))
            }
            fn visit_string<E: Error>(self, key: String) -> Result<Key<'de>, E> {
                Ok(Key::Owned(key))
            }
        }
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

/// Gives a key to the type that is to hold it, which may want a number or an enum.
struct KeyText<'a, 'de, E> {
    key: &'a Key<'de>,
    error: PhantomData<E>,
}

macro_rules! keys_as_numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            match self.key.as_str().parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de, E: Error> Deserializer<'de> for KeyText<'_, 'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.key {
            Key::Borrowed(key) => visitor.visit_borrowed_str(key),
            Key::Owned(key) => visitor.visit_str(key),
        }
    }

    keys_as_numbers! {
        deserialize_bool visit_bool deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32
        deserialize_i64 visit_i64 deserialize_i128 visit_i128 deserialize_u8 visit_u8 deserialize_u16 visit_u16
        deserialize_u32 visit_u32 deserialize_u64 visit_u64 deserialize_u128 visit_u128
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_enum(self.key.as_str().into_deserializer())
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Watching<'a, A> {
    type Error = A::Error;
    type Variant = Content<'a, 'de, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let (key, variant) = self.inner.variant::<Key<'de>>()?;
        let value = seed.deserialize(KeyText { key: &key, error: PhantomData })?;
        Ok((value, Content { inner: variant, key, place: self.place, kept: self.kept }))
    }
}

/// The content of an enum's variant, which stands under the variant's name.
struct Content<'a, 'de, A> {
    inner: A,
    key: Key<'de>,
    place: Place<'a>,
    kept: &'a Kept,
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Content<'_, 'de, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let place = Place { step: Step::Key(self.key.as_str()), parent: Some(&self.place) };
        self.inner.newtype_variant_seed(Seeded { inner: seed, place, beside: &[], kept: self.kept })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let place = Place { step: Step::Key(self.key.as_str()), parent: Some(&self.place) };
        self.inner.tuple_variant(len, Watching { inner: visitor, place, fields: &[], kept: self.kept })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let place = Place { step: Step::Key(self.key.as_str()), parent: Some(&self.place) };
        self.inner.struct_variant(fields, Watching { inner: visitor, place, fields, kept: self.kept })
    }
}
