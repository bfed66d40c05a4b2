//! [`Apply`]: what somebody says about an object, field by field.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fields::{Fields, Node};
use super::{
    Duration, Few, FieldPath, IntOrPercent, Map, MicroTime, Object, PortRef, Quantity, Resource, Revision,
    Segment, Spec, Str, Timestamp, Uid,
};
use crate::{Error, Result};

/// Exactly the fields of a `T` that were set, and nothing else.
///
/// A builder makes it: `Deployment::new("web").replicas(3)` says two things, the name and the
/// number of replicas. What is not said is left to others: to the defaults when the object is
/// created, to whoever set it when it exists. [`Apply::build`] makes a whole object of it.
///
/// A value that a field cannot take (a quantity that is none, say) is an error of [`Apply::fields`]
/// and of everything that uses the fields, not a panic of the builder.
///
/// `Debug` shows which fields are set, not their values: some of them are secret.
pub struct Apply<T> {
    fields: Fields,
    /// The first thing that went wrong.
    wrong: Option<Wrong>,
    of: PhantomData<fn() -> T>,
}

#[derive(Clone, PartialEq)]
struct Wrong {
    path: String,
    reason: String,
}

/// What a field is set to: a value, or the reason why it is none.
///
/// `Debug` does not show the value: it may be secret.
#[derive(Clone)]
pub struct Setting(std::result::Result<Node, String>);

/// What a field of type `T` can be set from: a `T` or an [`Apply<T>`], and what converts into one.
#[diagnostic::on_unimplemented(message = "a field of type `{T}` cannot be set from a `{Self}`")]
pub trait IntoField<T> {
    /// What the field is set to.
    fn into_field(self) -> Setting;
}

impl Setting {
    /// A value as it stands.
    #[must_use]
    pub fn value(value: Value) -> Self {
        Self(Ok(value.into()))
    }

    /// No value, and why not.
    #[must_use]
    pub fn wrong(reason: impl fmt::Display) -> Self {
        Self(Err(reason.to_string()))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(_) => f.write_str("a value"),
            Err(reason) => write!(f, "no value: {reason}"),
        }
    }
}

/// A value with everything that it serialises.
pub(crate) fn whole<T: Serialize + ?Sized>(value: &T) -> Setting {
    Setting(Node::of(value).map_err(|error| error.to_string()))
}

impl<T> Apply<T> {
    /// Nothing set yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self { fields: Fields::default(), wrong: None, of: PhantomData }
    }

    /// These fields set.
    pub(crate) fn from_fields(fields: Fields) -> Self {
        Self { fields, ..Self::nothing() }
    }

    /// The fields that were set, as JSON.
    ///
    /// # Errors
    /// [`Error::Set`] when one was set to what it cannot be.
    pub fn fields(&self) -> Result<serde_json::Map<String, Value>> {
        match &self.wrong {
            None => Ok(self.fields.to_json()),
            Some(Wrong { path, reason }) => Err(Error::Set { path: path.clone(), reason: reason.clone() }),
        }
    }

    /// The fields that were set, taken out.
    pub(crate) fn into_fields(self) -> Result<Fields> {
        match self.wrong {
            None => Ok(self.fields),
            Some(Wrong { path, reason }) => Err(Error::Set { path, reason }),
        }
    }

    /// The fields as a `T`, with defaults for those that were not set.
    ///
    /// # Errors
    /// When a field was set to what it cannot be.
    pub fn read(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        crate::manifest::from_value(Value::Object(self.fields()?))
    }

    /// Sets the field at a path, also one that has no method or that the type does not know:
    /// `.set("spec.template.spec.containers[name=app].image", "app:2")`.
    #[must_use]
    pub fn set(self, path: &str, value: impl Serialize) -> Self {
        match path.parse::<FieldPath>() {
            Ok(parsed) => self.put_at(path, &parsed, whole(&value)),
            Err(error) => self.refuse(path, error.to_string()),
        }
    }

    /// Sets a direct field; with an empty name, each entry of the value is one.
    pub(crate) fn put(self, name: &str, setting: Setting) -> Self {
        self.put_under("", name, setting)
    }

    /// Sets a field of the struct at `prefix`, or of this one when that is empty.
    pub(crate) fn put_under(self, prefix: &str, name: &str, setting: Setting) -> Self {
        self.at(prefix, name, setting, |place, value| match (name, value) {
            ("", Node::Map(entries)) => place.extend(entries),
            (name, value) => drop(place.insert(name, value)),
        })
    }

    /// Adds an element to the list in a field of the struct at `prefix`.
    pub(crate) fn append(self, prefix: &str, name: &str, setting: Setting) -> Self {
        self.at(prefix, name, setting, |place, value| match place.get_mut(name) {
            Some(Node::List(list)) => list.push(value),
            _ => drop(place.insert(name, Node::List(vec![value]))),
        })
    }

    /// Goes to the struct at `prefix`, making it if need be, and does something there.
    fn at(
        mut self,
        prefix: &str,
        name: &str,
        setting: Setting,
        act: impl FnOnce(&mut Map<Node>, Node),
    ) -> Self {
        let value = match setting.0 {
            Ok(value) => value,
            Err(reason) => return self.refuse(&[prefix, name].join("."), reason),
        };
        let mut place = &mut self.fields.0;
        for part in prefix.split('.').filter(|part| !part.is_empty()) {
            let entry = place.get_or_insert(part, || Node::Map(Map::new()));
            if !matches!(entry, Node::Map(_)) {
                // Only `set` can have put something else there; the setter's word is the later one.
                *entry = Node::Map(Map::new());
            }
            let Node::Map(map) = entry else { return self };
            place = map;
        }
        act(place, value);
        self
    }

    fn put_at(mut self, text: &str, path: &FieldPath, setting: Setting) -> Self {
        let value = match setting.0 {
            Ok(value) => value,
            Err(reason) => return self.refuse(text, reason),
        };
        let mut tree = Node::Map(std::mem::take(&mut self.fields.0));
        let found = path.segments().iter().try_fold(&mut tree, step_into).map(|place| *place = value);
        match tree {
            Node::Map(fields) => self.fields = Fields(fields),
            _ => return self.refuse(text, "only a map of fields can be set as a whole".into()),
        }
        match found {
            Ok(()) => self,
            Err(reason) => self.refuse(text, reason),
        }
    }

    fn refuse(mut self, path: &str, reason: String) -> Self {
        self.wrong.get_or_insert_with(|| Wrong { path: path.trim_start_matches('.').into(), reason });
        self
    }
}

/// One step towards the place that is to be set, making what is not there yet.
fn step_into<'t>(tree: &'t mut Node, segment: &Segment) -> std::result::Result<&'t mut Node, String> {
    if *tree == Node::Null {
        *tree = match segment {
            Segment::Field(_) => Node::Map(Map::new()),
            Segment::Index(_) | Segment::Item(_) => Node::List(Vec::new()),
        };
    }
    match (segment, tree) {
        (Segment::Field(name), Node::Map(map)) => Ok(map.get_or_insert(name, || Node::Null)),
        (Segment::Index(index), Node::List(list)) => {
            if *index == list.len() {
                list.push(Node::Null);
            }
            let len = list.len();
            list.get_mut(*index).ok_or_else(|| format!("there is no element {index} in a list of {len}"))
        }
        (Segment::Item(keys), Node::List(list)) => {
            let keys: Map<Node> =
                keys.iter().map(|(key, value)| (key.clone(), Node::from(value.clone()))).collect();
            let is_it = |item: &Node| keys.iter().all(|(key, value)| item.get(key) == Some(value));
            let at = list.iter().position(is_it).unwrap_or_else(|| {
                list.push(Node::Map(keys));
                list.len() - 1
            });
            Ok(&mut list[at])
        }
        (Segment::Field(name), _) => Err(format!("there is no field `{name}` in what is not a map")),
        (segment, _) => Err(format!("there is no element {segment} in what is not a list")),
    }
}

/// What can be said of any object.
impl<R: Resource> Apply<R> {
    pub(crate) fn named(name: Str) -> Self {
        let mut apply = Self::nothing();
        apply.fields.0.insert("apiVersion", Node::Text(R::KIND.api_version().into()));
        apply.fields.0.insert("kind", Node::Text(R::KIND.name().into()));
        apply.put_under("metadata", "name", name.into_field())
    }

    /// The whole object: defaults for all that was not set.
    ///
    /// # Errors
    /// When a field was set to what it cannot be.
    pub fn build(self) -> Result<R> {
        let mut object = self.read()?;
        object.fill_in();
        Ok(object)
    }

    /// The namespace in which the object lives.
    #[must_use]
    pub fn namespace(self, namespace: impl Into<Str>) -> Self {
        self.put_under("metadata", "namespace", namespace.into_field())
    }

    /// Adds a label.
    #[must_use]
    pub fn label(self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.put_under("metadata.labels", &key.into(), value.into_field())
    }

    /// Adds labels.
    #[must_use]
    pub fn labels<K: Into<Str>, V: Into<Str>>(self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        labels.into_iter().fold(self, |apply, (key, value)| apply.label(key, value))
    }

    /// Adds an annotation.
    #[must_use]
    pub fn annotation(self, key: impl Into<Str>, value: impl Into<Str>) -> Self {
        self.put_under("metadata.annotations", &key.into(), value.into_field())
    }

    /// Adds a finalizer: somebody who must agree before the object goes.
    #[must_use]
    pub fn finalizer(self, name: impl Into<Str>) -> Self {
        self.append("metadata", "finalizers", name.into_field())
    }

    /// Makes another object the owner and controller of this one: it goes when that goes.
    #[must_use]
    pub fn owned_by<O: Resource>(self, owner: &O) -> Self {
        self.append("metadata", "ownerReferences", whole(&owner.controller_reference()))
    }
}

impl<S: Spec> Apply<Object<S>> {
    /// Sets everything that is desired, every field of it.
    #[must_use]
    pub fn spec(self, spec: S) -> Self {
        let name = S::KIND.spec_prefix();
        self.put(name, whole(&spec))
    }

    /// Sets a field of the spec.
    pub(crate) fn put_in_spec(self, name: &str, setting: Setting) -> Self {
        self.put_under(S::KIND.spec_prefix(), name, setting)
    }
}

impl<T> Default for Apply<T> {
    fn default() -> Self {
        Self::nothing()
    }
}

impl<T> Clone for Apply<T> {
    fn clone(&self) -> Self {
        Self { fields: self.fields.clone(), wrong: self.wrong.clone(), of: PhantomData }
    }
}

impl<T> PartialEq for Apply<T> {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields && self.wrong == other.wrong
    }
}

impl<T> fmt::Debug for Apply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Apply {:?}", self.fields)
    }
}

impl<T> IntoField<T> for Apply<T> {
    fn into_field(self) -> Setting {
        Setting(match self.wrong {
            None => Ok(Node::Map(self.fields.0)),
            Some(Wrong { path, reason }) => Err(format!("{path}: {reason}")),
        })
    }
}

impl<T: Into<Str>> IntoField<Str> for T {
    fn into_field(self) -> Setting {
        Setting(Ok(Node::Text(self.into())))
    }
}

impl<T, A: IntoField<T>, I: IntoIterator<Item = A>> IntoField<Vec<T>> for I {
    fn into_field(self) -> Setting {
        Setting(
            self.into_iter()
                .map(|item| item.into_field().0)
                .collect::<std::result::Result<_, _>>()
                .map(Node::List),
        )
    }
}

impl<T, A: IntoField<T>, I: IntoIterator<Item = A>> IntoField<Few<T>> for I {
    fn into_field(self) -> Setting {
        IntoField::<Vec<T>>::into_field(self)
    }
}

impl<K: Into<Str>, T, A: IntoField<T>, I: IntoIterator<Item = (K, A)>> IntoField<Map<T>> for I {
    fn into_field(self) -> Setting {
        let entries = self.into_iter().map(|(key, value)| Ok((key.into(), value.into_field().0?)));
        Setting(entries.collect::<std::result::Result<Map<_>, _>>().map(Node::Map))
    }
}

macro_rules! set_as_they_are {
    ($($type:ty),*) => {$(
        impl IntoField<$type> for $type {
            fn into_field(self) -> Setting {
                whole(&self)
            }
        }
    )*};
}
set_as_they_are!(
    bool,
    u16,
    u32,
    u64,
    i32,
    i64,
    Value,
    super::FieldsV1,
    super::FieldManagers,
    Quantity,
    IntOrPercent,
    PortRef,
    Timestamp,
    MicroTime,
    Duration,
    Uid,
    Revision
);

/// Texts and numbers that mean a value of another type.
macro_rules! set_by_way_of {
    ($($from:ty => $type:ty: $convert:expr;)*) => {$(
        impl IntoField<$type> for $from {
            fn into_field(self) -> Setting {
                let convert: fn($from) -> std::result::Result<$type, String> = $convert;
                match convert(self) {
                    Ok(value) => whole(&value),
                    Err(reason) => Setting::wrong(reason),
                }
            }
        }
    )*};
}
set_by_way_of! {
    &str => Quantity: |text| text.parse().map_err(|error: super::QuantityError| error.to_string());
    String => Quantity: |text| text.parse().map_err(|error: super::QuantityError| error.to_string());
    i64 => Quantity: |number| Ok(number.into());
    f64 => Quantity: |number| number.to_string().parse().map_err(|error: super::QuantityError| error.to_string());
    u32 => IntOrPercent: |number| Ok(number.into());
    &str => IntOrPercent: |text| serde_json::from_value(text.into()).map_err(|error| error.to_string());
    u16 => PortRef: |number| Ok(number.into());
    &str => PortRef: |text| Ok(text.into());
    String => PortRef: |text| Ok(text.as_str().into());
    &str => Timestamp: |text| text.parse().map_err(|error: super::TimeError| error.to_string());
    std::time::Duration => Duration: |span| Ok(span.into());
    &str => Duration: |text| text.parse().map_err(|error: super::TimeError| error.to_string());
    &str => Uid: |text| Ok(text.into());
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::sample::Sampler;
    use super::super::wire::Wire;
    use super::*;

    /// Proves of a builder's method that it sets its field and nothing else, to what it was given,
    /// and that the type reads it from there.
    pub(crate) fn check_setter<T, F>(prefix: &str, name: &str, set: impl Fn(Apply<T>, F) -> Apply<T>)
    where
        T: DeserializeOwned + Serialize,
        F: Wire,
    {
        let samples =
            (0..).map(|seed| serde_json::from_value::<F>(Sampler::seeded(seed).value(F::SCHEMA)).unwrap());
        for value in samples.filter(|value| !value.is_absent()).take(8) {
            let given = serde_json::to_value(&value).unwrap();
            let apply = set(Apply::nothing(), value);
            let expected = match (prefix, name) {
                ("", "") => given,
                ("", name) | (name, "") => serde_json::json!({ name: given }),
                (prefix, name) => serde_json::json!({ prefix: { name: given } }),
            };
            let fields = Value::Object(apply.fields().unwrap());
            assert_eq!(fields, expected, "`{prefix}.{name}` of {}", std::any::type_name::<T>());
            let read = serde_json::to_value(apply.read().unwrap()).unwrap();
            assert!(includes(&read, &fields), "`{prefix}.{name}` is lost: {fields} became {read}");
        }
    }

    /// Whether all of `part` is in `all`.
    fn includes(all: &Value, part: &Value) -> bool {
        match (all, part) {
            (Value::Object(all), Value::Object(part)) => {
                part.iter().all(|(key, value)| all.get(key).is_some_and(|all| includes(all, value)))
            }
            (all, part) => all == part,
        }
    }
}
