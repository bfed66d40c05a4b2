//! [`FieldManagers`]: who set which fields, kept as the text as which it is stored.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::raw::{self, FromRaw, Raw};
use super::schema::Schema;
use super::wire::Wire;
use super::{Few, ManagedFields, Str};

/// Who set which fields of an object, and how: its `managedFields`.
///
/// They are most of what an object says, they come and go with each read and write, and only who changes
/// the object asks what they say. So they stay the JSON that they are until [`entries`](Self::entries) is
/// asked. Whatever reads or writes an object meets an ordinary list in their place.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldManagers(Str);

impl FieldManagers {
    /// Whether nothing is known of anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is known, manager by manager. Text that is nothing of the sort is passed over.
    #[must_use]
    pub fn entries(&self) -> Few<ManagedFields> {
        if self.is_empty() { Few::new() } else { serde_json::from_str(&self.0).unwrap_or_default() }
    }
}

impl FromIterator<ManagedFields> for FieldManagers {
    fn from_iter<I: IntoIterator<Item = ManagedFields>>(entries: I) -> Self {
        let entries: Few<_> = entries.into_iter().collect();
        if entries.is_empty() { Self::default() } else { Self(raw::text_of(&entries)) }
    }
}

impl fmt::Debug for FieldManagers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "[]" } else { &self.0 })
    }
}

impl Wire for FieldManagers {
    const SCHEMA: &'static Schema = <Few<ManagedFields> as Wire>::SCHEMA;

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Serialize for FieldManagers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Raw(if self.is_empty() { "[]" } else { &self.0 }).serialize(serializer)
    }
}

impl FromRaw for FieldManagers {
    const WHAT: &'static str = "a list";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "[]" | "null" => Some(Self::default()),
            text => text.starts_with('[').then(|| Self(text.into())),
        }
    }

    fn plainly<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Few::<ManagedFields>::read(deserializer).map(Self::from_iter)
    }
}

impl<'de> Deserialize<'de> for FieldManagers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        raw::read(deserializer)
    }
}

/// A set of fields, as [`ManagedFields`] holds one: JSON, kept as the text that it is.
///
/// [`FieldSet::parse`](crate::client::FieldSet::parse) tells what is in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FieldsV1(Str);

impl FieldsV1 {
    /// The text; empty when there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of what is written as JSON.
    pub(crate) fn of<T: Serialize + ?Sized>(set: &T) -> Self {
        Self(raw::text_of(set))
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
        if tree.is_null() { Self::default() } else { Self::of(tree) }
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
        Raw(if self.0.is_empty() { "null" } else { &self.0 }).serialize(serializer)
    }
}

impl FromRaw for FieldsV1 {
    const WHAT: &'static str = "a set of fields";

    fn from_text(text: &str) -> Option<Self> {
        Some(if text == "null" { Self::default() } else { Self(text.into()) })
    }

    fn plainly<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|tree| Self::from(&tree))
    }
}

impl<'de> Deserialize<'de> for FieldsV1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        raw::read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::json::to_vec as to_json;

    #[test]
    fn a_set_is_ordinary_json_to_everybody_else() {
        for tree in [
            json!({}),
            json!({"f:a": {".": {}, "k:{\"name\":\"ä\\\n\"}": {"f:b": {}}}, "v:1": {}}),
            json!([1, -2, 0.5, u64::MAX, true, null, "text", []]),
        ] {
            let text = tree.to_string();
            let read: FieldsV1 = serde_json::from_value(tree.clone()).unwrap();
            assert_eq!((read.as_str(), &FieldsV1::from(&tree)), (text.as_str(), &read));
            assert_eq!(serde_json::from_str::<FieldsV1>(&format!(" {text} ")).unwrap(), read);
            assert_eq!(FieldsV1::plainly(&tree).unwrap(), read);
            assert_eq!((read.to_value(), serde_json::to_value(&read).unwrap()), (tree.clone(), tree));
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(String::from_utf8(to_json(&read).unwrap()).unwrap(), text);
        }
        assert_eq!(serde_json::from_str::<FieldsV1>("null").unwrap(), FieldsV1::default());
        assert!(FieldsV1::default().is_absent() && FieldsV1::default().to_value().is_null());
    }

    #[test]
    fn managers_stay_the_text_that_they_are() {
        let text = r#"[{"manager":"a","operation":"Apply","fieldsV1":{"f:a":{}},"fieldsType":"FieldsV1"}]"#;
        let read: FieldManagers = serde_json::from_str(text).unwrap();
        assert_eq!((format!("{read:?}"), read.entries().len()), (text.into(), 1));
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        let again: FieldManagers = read.entries().into_iter().collect();
        assert_eq!(again.entries(), read.entries());
        assert_eq!(FieldManagers::plainly(&serde_json::to_value(&read).unwrap()).unwrap(), again);
        assert!(serde_json::from_str::<FieldManagers>("{}").is_err());
        assert!(serde_json::from_str::<FieldManagers>("[]").unwrap().is_empty());
        assert!(serde_json::from_str::<FieldManagers>("[7]").unwrap().entries().is_empty());
    }
}
