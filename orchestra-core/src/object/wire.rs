//! How the built-in types read and write themselves: the logic behind `#[wire]`'s tables.
//!
//! The rules are those of Kubernetes' JSON: a field that is left out or `null` has its default; an
//! empty field is left out when written, unless empty differs from absent.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Error, Expected, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Str;
use super::schema::Schema;

/// A type that may be the value of a field.
pub trait Wire: Serialize + DeserializeOwned {
    /// What it looks like.
    const SCHEMA: &'static Schema;

    /// Whether it is nobody's business, so that not even an error may quote it.
    const SECRET: bool = false;

    /// Whether a field that holds this is left out when written.
    fn is_absent(&self) -> bool {
        false
    }

    /// Reads the value, which is not `null`.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    /// Reads the value, which is not `null`, but may be what means as much.
    fn read_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Self::read(deserializer).map(Some)
    }

    /// Reads the value, which is not `null`, in the place of this one.
    fn read_over<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        if let Some(value) = Self::read_given(deserializer)? {
            *self = value;
        }
        Ok(())
    }

    /// Shows the texts in it, which whoever sees them may exchange for equal ones that are shared.
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        let _ = see;
    }
}

/// A type with named fields: a struct, or an enum whose variants each have a key.
pub trait Fields: Default {
    /// The type's name, for messages.
    const NAME: &'static str;
    /// The fields' names on the wire.
    const NAMES: &'static [&'static str];
    /// Which field has this name.
    fn index(name: &str) -> Option<usize>;
    /// Reads the value of that field.
    fn read<'de, A: MapAccess<'de>>(&mut self, index: usize, map: &mut A) -> Result<(), A::Error>;
    /// Writes the fields that are not absent.
    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error>;
}

/// An enum with the variant's name under one key and its content under another.
pub trait Tagged: Default {
    /// The type's name, for messages.
    const NAME: &'static str;
    /// The key of the variant's name.
    const TAG: &'static str;
    /// The variants' names.
    const TEXTS: &'static [&'static str];
    /// Whether the content counts when the tag says otherwise, rather than that being an error.
    const CONTENT_COUNTS: bool;
    /// The tag and the contents' keys.
    const NAMES: &'static [&'static str];
    /// The variant whose content has this key.
    fn content(name: &str) -> Option<usize>;
    /// Which variant this is.
    fn position(&self) -> usize;
    /// The variant with empty content.
    fn empty(position: usize) -> Self;
    /// Reads the content of a variant; `None` for `null`.
    fn read<'de, A: MapAccess<'de>>(position: usize, map: &mut A) -> Result<Option<Self>, A::Error>;
    /// Writes the content, if there is any.
    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error>;
}

/// Reads a value that may be `null`.
pub struct Given<T>(PhantomData<T>);

impl<T> Given<T> {
    /// The seed.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'de, T: Wire> DeserializeSeed<'de> for Given<T> {
    type Value = Option<T>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Wire> Visitor<'de> for Given<T> {
    type Value = Option<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }
    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read_given(deserializer)
    }
}

/// Reads a value that must not be `null`: an element of a list.
struct Element<T>(PhantomData<T>);

impl<'de, T: Wire> DeserializeSeed<'de> for Element<T> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

/// Reads a field in place; `null` leaves it as it is.
pub(crate) fn field<'de, T: Wire, A: MapAccess<'de>>(slot: &mut T, map: &mut A) -> Result<(), A::Error> {
    map.next_value_seed(Over(slot))
}

/// Reads a value, that may be `null`, in the place of another.
struct Over<'a, T>(&'a mut T);

impl<'de, T: Wire> DeserializeSeed<'de> for Over<'_, T> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Wire> Visitor<'de> for Over<'_, T> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }
    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.read_over(deserializer)
    }
}

/// Reads something secret. serde's own errors quote the number or text that stands where something
/// else was expected, so all are let in, and refused without being quoted. The visitor looks after
/// `visit_str` itself.
pub(crate) fn read_secret<'de, V: Visitor<'de>, D: Deserializer<'de>>(
    deserializer: D,
    visitor: V,
) -> Result<V::Value, D::Error> {
    deserializer.deserialize_any(Unquoted(visitor))
}

struct Unquoted<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Unquoted<V> {
    type Value = V::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<V::Value, E> {
        Err(unquoted("boolean", &self))
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<V::Value, E> {
        Err(unquoted("integer", &self))
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<V::Value, E> {
        Err(unquoted("integer", &self))
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<V::Value, E> {
        Err(unquoted("floating point", &self))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.0.visit_str(text)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(seq)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }
}

/// The error for something of the wrong sort that may not be quoted.
pub(crate) fn unquoted<E: Error>(found: &str, expected: &dyn Expected) -> E {
    E::invalid_type(Unexpected::Other(found), expected)
}

/// Passes over a value.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// The error when two keys are given of which only one may be.
pub(crate) fn two_of_one<E: Error>(first: &str, second: &str) -> E {
    E::custom(format_args!("only one of `{first}` and `{second}` may be set"))
}

/// Reads a struct from a map.
pub(crate) fn read_struct<'de, T: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct StructVisitor<T>(PhantomData<T>);
    impl<'de, T: Fields> Visitor<'de> for StructVisitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a map ({})", T::NAME)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut value = T::default();
            while let Some(index) = map.next_key_seed(Name(T::index))? {
                match index {
                    Some(index) => value.read(index, &mut map)?,
                    None => skip(&mut map)?,
                }
            }
            Ok(value)
        }
    }
    deserializer.deserialize_struct(T::NAME, T::NAMES, StructVisitor(PhantomData))
}

/// Looks a field's name up without keeping it.
pub(crate) struct Name<F>(pub(crate) F);

impl<'de, T, F: Fn(&str) -> T> DeserializeSeed<'de> for Name<F> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<T, F: Fn(&str) -> T> Visitor<'_> for Name<F> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        Ok((self.0)(name))
    }
}

/// Writes a struct as a map of the fields that are not absent.
pub(crate) fn write_struct<T: Fields, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_struct(T::NAME, T::NAMES.len().max(1))?;
    value.write(&mut out)?;
    out.end()
}

/// Reads one of several strings and says which.
pub(crate) fn read_text<'de, D: Deserializer<'de>>(
    deserializer: D,
    texts: &'static [&'static str],
) -> Result<usize, D::Error> {
    OneOfTexts(texts).deserialize(deserializer)
}

/// Reads one of several strings. An empty one is as good as none, as it is for Kubernetes' own reader:
/// templates leave them behind.
pub(crate) fn read_text_or_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
    texts: &'static [&'static str],
) -> Result<Option<usize>, D::Error> {
    OneOfTextsOrEmpty(texts).deserialize(deserializer)
}

struct OneOfTextsOrEmpty(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOfTextsOrEmpty {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for OneOfTextsOrEmpty {
    type Value = Option<usize>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Option<usize>, E> {
        if text.is_empty() { Ok(None) } else { OneOfTexts(self.0).visit_str(text).map(Some) }
    }
    fn visit_unit<E: Error>(self) -> Result<Option<usize>, E> {
        Ok(None)
    }
}

#[derive(Clone, Copy)]
struct OneOfTexts(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOfTexts {
    type Value = usize;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for OneOfTexts {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        self.0.iter().position(|known| *known == text).ok_or_else(|| E::unknown_variant(text, self.0))
    }
}

/// Reads a tagged enum: tag and content in any order, the content alone when there is no tag.
pub(crate) fn read_tagged<'de, T: Tagged, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct TaggedVisitor<T>(PhantomData<T>);
    const TAG: usize = usize::MAX;
    impl<'de, T: Tagged> Visitor<'de> for TaggedVisitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a map ({})", T::NAME)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let index = |name: &str| if name == T::TAG { Some(TAG) } else { T::content(name) };
            let (mut said, mut given) = (None, None::<T>);
            while let Some(index) = map.next_key_seed(Name(index))? {
                match index {
                    Some(TAG) => said = map.next_value_seed(OneOfTextsOrEmpty(T::TEXTS))?,
                    Some(content) => match (T::read(content, &mut map)?, &given) {
                        (Some(new), Some(old)) if new.position() != old.position() => {
                            return Err(two_of_one(T::TEXTS[old.position()], T::TEXTS[new.position()]));
                        }
                        (Some(new), _) => given = Some(new),
                        (None, _) => {}
                    },
                    None => skip(&mut map)?,
                }
            }
            match (said, given) {
                (Some(said), Some(given)) if said != given.position() && !T::CONTENT_COUNTS => {
                    Err(A::Error::custom(format_args!(
                        "the settings of `{}` may not stand beside `{}: {}`",
                        T::TEXTS[given.position()],
                        T::TAG,
                        T::TEXTS[said]
                    )))
                }
                (_, Some(given)) => Ok(given),
                (Some(said), None) => Ok(T::empty(said)),
                (None, None) => Ok(T::default()),
            }
        }
    }
    deserializer.deserialize_struct(T::NAME, T::NAMES, TaggedVisitor(PhantomData))
}

/// Writes a tagged enum.
pub(crate) fn write_tagged<T: Tagged, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = serializer.serialize_struct(T::NAME, 2)?;
    out.serialize_field(T::TAG, T::TEXTS[value.position()])?;
    value.write(&mut out)?;
    out.end()
}

/// What holds a list in one block of memory.
pub(crate) trait Block<T>: Extend<T> {
    /// An empty one with room for so many.
    fn of_size(size: usize) -> Self;
    /// Gives back the room that is not needed.
    fn fit(&mut self);
}

impl<T> Block<T> for Vec<T> {
    fn of_size(size: usize) -> Self {
        Self::with_capacity(size)
    }
    fn fit(&mut self) {
        self.shrink_to_fit();
    }
}

/// Collects what comes, in a block of memory of just that size: lists are short and live long. The
/// first few wait on the stack until it is known how many there are.
pub(crate) fn collect<T, E, B: Block<T>>(mut next: impl FnMut() -> Result<Option<T>, E>) -> Result<B, E> {
    let mut first: [Option<T>; 4] = [const { None }; 4];
    let mut count = 0;
    while count < first.len() {
        match next()? {
            Some(element) => first[count] = Some(element),
            None => break,
        }
        count += 1;
    }
    let mut list = B::of_size(count);
    list.extend(first.into_iter().flatten());
    if count == 4 {
        while let Some(element) = next()? {
            list.extend(Some(element));
        }
        list.fit();
    }
    Ok(list)
}

/// Two lists of names as one, at compile time.
pub(crate) const fn concat<const N: usize>(
    first: &'static [&'static str],
    second: &'static [&'static str],
) -> [&'static str; N] {
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < first.len() { first[at] } else { second[at - first.len()] };
        at += 1;
    }
    all
}

impl Wire for bool {
    const SCHEMA: &'static Schema = &Schema::Bool;
    fn is_absent(&self) -> bool {
        !self
    }
}

/// Whole numbers. Kubernetes' are signed, of 32 or 64 bits: what is greater it would refuse.
macro_rules! numbers {
    ($($number:ty: $min:expr, $max:expr;)*) => {$(
        impl Wire for $number {
            const SCHEMA: &'static Schema = &Schema::Int { min: $min, max: $max };
            fn is_absent(&self) -> bool {
                *self == 0
            }
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = Self::deserialize(deserializer)?;
                #[allow(unused_comparisons, clippy::cast_possible_wrap)]
                if number as i128 > $max as i128 {
                    return Err(D::Error::custom(format_args!("{number} is more than the greatest possible, {}", $max)));
                }
                Ok(number)
            }
        }
    )*};
}
numbers! {
    u16: 0, u16::MAX as i64;
    u32: 0, i32::MAX as i64;
    u64: 0, i64::MAX;
    i32: i32::MIN as i64, i32::MAX as i64;
    i64: i64::MIN, i64::MAX;
}

impl<T: Wire> Wire for Option<T> {
    const SCHEMA: &'static Schema = T::SCHEMA;
    fn is_absent(&self) -> bool {
        self.is_none()
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Some)
    }
    fn read_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        T::read_given(deserializer).map(|given| given.map(Some))
    }
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        self.iter_mut().for_each(|value| value.texts(see));
    }
}

impl<T: Wire> Wire for Box<T> {
    const SCHEMA: &'static Schema = T::SCHEMA;
    fn is_absent(&self) -> bool {
        T::is_absent(self)
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Box::new)
    }
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        T::texts(self, see);
    }
}

impl<T: Wire> Wire for Vec<T> {
    const SCHEMA: &'static Schema = &Schema::List(T::SCHEMA);
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_list(deserializer)
    }
    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        self.iter_mut().for_each(|item| item.texts(see));
    }
}

/// Reads a list, none of whose elements is `null`.
pub(crate) fn read_list<'de, T: Wire, B: Block<T>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<B, D::Error> {
    struct ListVisitor<T, B>(PhantomData<(T, B)>);
    impl<'de, T: Wire, B: Block<T>> Visitor<'de> for ListVisitor<T, B> {
        type Value = B;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<B, A::Error> {
            collect(|| seq.next_element_seed(Element(PhantomData)))
        }
    }
    deserializer.deserialize_seq(ListVisitor(PhantomData))
}

impl Wire for serde_json::Value {
    const SCHEMA: &'static Schema = &Schema::Any;
    fn is_absent(&self) -> bool {
        self.is_null()
    }
}
