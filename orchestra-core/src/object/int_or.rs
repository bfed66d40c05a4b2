//! Values that are a number or something else: [`IntOrPercent`] and [`PortRef`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::schema::{Format, Schema};
use super::wire::Wire;
use super::{At, Str, names};

/// A number of things, or a share of all of them: `2` or `25%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntOrPercent {
    /// So many.
    Int(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl IntOrPercent {
    /// How many that is of `total`, a share rounded up.
    #[must_use]
    pub fn round_up(self, total: u32) -> u32 {
        self.of(total, 99)
    }

    /// How many that is of `total`, a share rounded down.
    #[must_use]
    pub fn round_down(self, total: u32) -> u32 {
        self.of(total, 0)
    }

    fn of(self, total: u32, add: u64) -> u32 {
        match self {
            Self::Int(count) => count,
            Self::Percent(percent) => {
                u32::try_from((u64::from(total) * u64::from(percent) + add) / 100).unwrap_or(u32::MAX)
            }
        }
    }
}

impl Default for IntOrPercent {
    fn default() -> Self {
        Self::Int(0)
    }
}

impl From<u32> for IntOrPercent {
    fn from(count: u32) -> Self {
        Self::Int(count)
    }
}

impl fmt::Display for IntOrPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Serialize for IntOrPercent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(count) => serializer.serialize_u32(*count),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrPercent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = IntOrPercent;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of 0 or more, or a percentage such as 25%")
            }
            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<IntOrPercent, E> {
                small(count).map(IntOrPercent::Int).ok_or_else(|| E::custom("the number is too great"))
            }
            fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<IntOrPercent, E> {
                let Ok(count) = u64::try_from(count) else {
                    return Err(E::invalid_value(serde::de::Unexpected::Signed(count), &self));
                };
                self.visit_u64(count)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<IntOrPercent, E> {
                text.strip_suffix('%')
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .and_then(small)
                    .map(IntOrPercent::Percent)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Kubernetes' numbers of this sort are signed, of 32 bits.
fn small(count: u64) -> Option<u32> {
    i32::try_from(count).ok().and_then(|count| u32::try_from(count).ok())
}

impl Wire for IntOrPercent {
    const SCHEMA: &'static Schema = &Schema::Text(Format::IntOrPercent);
}

/// A port by its number or by the name that a container gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// The number.
    Number(u16),
    /// The name.
    Name(Str),
}

impl PortRef {
    /// Checks it as Kubernetes does.
    pub fn check(&self, at: &At<'_>) {
        match self {
            Self::Number(number) => at.check(names::port(*number)),
            Self::Name(name) => at.check(names::port_name(name)),
        }
    }
}

impl Default for PortRef {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl From<u16> for PortRef {
    fn from(number: u16) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for PortRef {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

impl Serialize for PortRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u16(*number),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for PortRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = PortRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port's number (1 to 65535) or name")
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<PortRef, E> {
                u16::try_from(number)
                    .map(PortRef::Number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PortRef, E> {
                Ok(PortRef::Name(name.into()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Wire for PortRef {
    const SCHEMA: &'static Schema = &Schema::Text(Format::Port);
    /// Kubernetes' zero value, which means: not given.
    fn is_absent(&self) -> bool {
        *self == Self::Number(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_as_asked() {
        let quarter = IntOrPercent::Percent(25);
        assert_eq!((quarter.round_up(3), quarter.round_down(3)), (1, 0));
        assert_eq!((quarter.round_up(4), quarter.round_down(4)), (1, 1));
        assert_eq!(IntOrPercent::Int(7).round_up(3), 7);
        assert_eq!(IntOrPercent::Percent(u32::MAX).round_up(u32::MAX), u32::MAX);
    }

    #[test]
    fn what_is_neither_is_refused() {
        for json in ["\"1\"", "\"%\"", "\"-1%\"", "-1", "1.5", "true", "\"1 %\"", "3000000000", "\"+5%\""] {
            assert!(serde_json::from_str::<IntOrPercent>(json).is_err(), "{json}");
        }
        for json in ["70000", "-1", "1.5", "null"] {
            assert!(serde_json::from_str::<PortRef>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::from_str::<PortRef>("\"http\"").unwrap(), "http".into());
    }
}
