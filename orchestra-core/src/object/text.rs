//! [`Str`]: the string of the object model.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use ecow::EcoString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::schema::{Format, Schema};
use super::wire::Wire;

/// An immutable string of 16 bytes: short ones (up to 15 bytes) live inside it, longer ones are
/// shared, so a clone never allocates.
///
/// Objects are full of names, and names are copied all the time: into owner references, selectors,
/// indexes and keys. It reads like a `&str` (it derefs to one) and is made by `.into()`.
///
/// ```
/// use orchestra_core::object::Str;
/// let name: Str = "web".into();
/// assert_eq!(name, "web");
/// assert!(name.starts_with("we"));
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(EcoString);

impl Str {
    /// The empty string, which on the wire is the same as none.
    pub const EMPTY: Self = Self(EcoString::new());

    /// The string as a slice.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Str {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Str {
    #[inline]
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Str {
    #[inline]
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&&str> for Str {
    fn from(text: &&str) -> Self {
        Self((*text).into())
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Self {
        Self(text.into())
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for Str {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into())
    }
}

impl From<&Str> for Str {
    fn from(text: &Str) -> Self {
        text.clone()
    }
}

impl From<fmt::Arguments<'_>> for Str {
    fn from(text: fmt::Arguments<'_>) -> Self {
        Self(ecow::eco_format!("{text}"))
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        text.0.into()
    }
}

macro_rules! compares_with {
    ($($other:ty),*) => {$(
        impl PartialEq<$other> for Str {
            fn eq(&self, other: &$other) -> bool {
                let other: &str = other.as_ref();
                self.as_str() == other
            }
        }
        impl PartialEq<Str> for $other {
            fn eq(&self, other: &Str) -> bool {
                let own: &str = self.as_ref();
                own == other.as_str()
            }
        }
    )*};
}
compares_with!(str, &str, String);

impl Serialize for Str {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Str {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Self::EMPTY;
        text.read_over(deserializer)?;
        Ok(text)
    }
}

impl Wire for Str {
    const SCHEMA: &'static Schema = &Schema::Text(Format::Any);
    #[inline]
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    /// What is given where it goes without saying is mostly what goes without saying: the default's
    /// memory, which is shared, then serves for both.
    fn read_over<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(Over(self))
    }

    fn texts(&mut self, see: &mut dyn FnMut(&mut Str)) {
        see(self);
    }
}

struct Over<'a>(&'a mut Str);

impl serde::de::Visitor<'_> for Over<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.0 != text {
            *self.0 = text.into();
        }
        Ok(())
    }
}
