//! [`Bytes`] and [`Secret`](SecretBytes): binary data, in base64 on the wire.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::apply::{IntoField, Setting, whole};
use super::schema::{Format, Schema};
use super::wire::{Wire, read_secret};

/// Binary data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(Box<[u8]>);

/// Binary data that nobody may see: neither `Debug` nor an error shows it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretBytes(Box<[u8]>);

impl SecretBytes {
    /// The secret itself. Whoever asks for it answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

macro_rules! base64_on_the_wire {
    ($($type:ident $secret:literal;)*) => {$(
        impl From<Vec<u8>> for $type {
            fn from(bytes: Vec<u8>) -> Self {
                Self(bytes.into())
            }
        }

        impl From<&[u8]> for $type {
            fn from(bytes: &[u8]) -> Self {
                Self(bytes.into())
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.as_bytes().into())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&STANDARD.encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("bytes in base64")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        // As Go reads it: line breaks do not count.
                        let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
                        match STANDARD.decode(text) {
                            Ok(bytes) => Ok(bytes.into()),
                            // The decoder's own error would quote a byte of it.
                            Err(_) => Err(E::custom("it is not base64")),
                        }
                    }
                }
                if $secret {
                    read_secret(deserializer, Visitor)
                } else {
                    deserializer.deserialize_str(Visitor)
                }
            }
        }

        impl Wire for $type {
            const SECRET: bool = $secret;
            const SCHEMA: &'static Schema = &Schema::Text(Format::Base64);
        }

        impl IntoField<$type> for $type {
            fn into_field(self) -> Setting {
                whole(&self)
            }
        }

        impl IntoField<$type> for &str {
            fn into_field(self) -> Setting {
                whole(&$type::from(self))
            }
        }

        impl IntoField<$type> for &[u8] {
            fn into_field(self) -> Setting {
                whole(&$type::from(self))
            }
        }
    )*};
}
base64_on_the_wire! {
    Bytes false;
    SecretBytes true;
}

/// Text that nobody may see, such as a Secret's `stringData`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretText(Box<str>);

impl SecretText {
    /// The secret itself. Whoever asks for it answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = SecretText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SecretText, E> {
                Ok(text.into())
            }
        }
        read_secret(deserializer, Visitor)
    }
}

impl Wire for SecretText {
    const SECRET: bool = true;
    const SCHEMA: &'static Schema = &Schema::Text(Format::Any);
}

impl IntoField<SecretText> for SecretText {
    fn into_field(self) -> Setting {
        whole(&self)
    }
}

impl IntoField<SecretText> for &str {
    fn into_field(self) -> Setting {
        whole(self)
    }
}
