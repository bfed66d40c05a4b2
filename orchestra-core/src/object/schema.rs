//! The shape of a kind as data: what fields it has, what they hold, how they merge.
//!
//! Derived from the Rust types by `#[wire]`, so the two cannot disagree. It answers hints for
//! misspelt fields, merges keyed lists, and generates arbitrary objects for tests.

/// What may stand at a place of an object.
#[derive(Debug, PartialEq)]
pub enum Schema {
    /// Anything: the type says no more about itself. Maps merge by key, lists as a whole.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds, both included.
    Int {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// A string of some format (a few formats may also be written as numbers).
    Text(Format),
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// Entries under keys that the user chooses.
    Map(&'static Schema),
    /// A list of one sort of thing.
    List(&'static Schema),
    /// Named fields.
    Struct(Struct),
    /// One of several things.
    OneOf(OneOf),
}

/// What a string means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any text.
    Any,
    /// An amount such as `500m` or `1Gi`.
    Quantity,
    /// A point in time, to the second.
    Timestamp,
    /// A point in time, to the microsecond.
    MicroTime,
    /// A span of time such as `1h30m`.
    Duration,
    /// Bytes in base64.
    Base64,
    /// A number, or a share such as `25%`.
    IntOrPercent,
    /// A point in a store's history: a whole number as a string.
    Revision,
    /// A port's number or its name.
    Port,
}

/// Named fields.
#[derive(Debug, PartialEq)]
pub struct Struct {
    /// The Rust type's name.
    pub name: &'static str,
    /// Its own fields, in the order in which they are written.
    pub fields: &'static [Field],
    /// A type whose fields stand beside the own ones.
    pub inline: Option<&'static Schema>,
    /// Whether one owner sets the struct as a whole.
    pub atomic: bool,
    /// Fields that Kubernetes has here and Orchestra does not support.
    pub unsupported: &'static [&'static str],
}

/// One of several things, each with a key of its own.
#[derive(Debug, PartialEq)]
pub struct OneOf {
    /// The Rust type's name.
    pub name: &'static str,
    /// The key that says which variant it is; without one, the content's key does.
    pub tag: Option<&'static str>,
    /// Keys that Kubernetes has here and Orchestra does not support.
    pub unsupported: &'static [&'static str],
    /// The variants.
    pub variants: &'static [Variant],
}

/// A variant of a [`OneOf`].
#[derive(Debug, PartialEq)]
pub struct Variant {
    /// What the tag says.
    pub value: &'static str,
    /// Where its content stands, if it has any.
    pub content: Option<Field>,
}

/// A field of a [`Struct`].
#[derive(Debug, PartialEq)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub schema: &'static Schema,
    /// How values of several owners become one.
    pub merge: Merge,
}

/// How server-side apply merges a field, as Kubernetes' `x-kubernetes-list-type` and `-map-type` say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Maps and structs by their entries; lists as a whole.
    Granular,
    /// As a whole.
    Atomic,
    /// A list of distinct scalars: the union.
    Set,
    /// A list of maps, told apart by these fields.
    Keyed(&'static [&'static str]),
}

impl Schema {
    /// The field of this name, when fields with fixed names stand here.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        match self {
            Self::Struct(it) => it
                .fields
                .iter()
                .find(|field| field.name == name)
                .or_else(|| it.inline.and_then(|inline| inline.field(name))),
            Self::OneOf(it) => {
                it.variants.iter().filter_map(|v| v.content.as_ref()).find(|field| field.name == name)
            }
            _ => None,
        }
    }

    /// What stands under a key of this place: a field of a struct or an entry of a map.
    #[must_use]
    pub fn child(&self, key: &str) -> &'static Schema {
        match self {
            Self::Map(values) => values,
            other => other.field(key).map_or(&Self::Any, |field| field.schema),
        }
    }

    /// What stands in a list of this place.
    #[must_use]
    pub fn item(&self) -> &'static Schema {
        match self {
            Self::List(items) => items,
            _ => &Self::Any,
        }
    }

    /// The way to the nearest struct below this place that has a field of this name, through structs
    /// only: where a field belongs that was put too far up.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Vec<&'static str>> {
        const DEEPEST: usize = 4;
        let mut level: Vec<(Vec<&'static str>, &Schema)> = vec![(Vec::new(), self)];
        for _ in 0..DEEPEST {
            let below = level.iter().flat_map(|(path, schema)| {
                let names = schema.names().unwrap_or_default();
                // What is observed and what is ours is not where people mean to put things.
                let names = names.into_iter().filter(|name| !matches!(*name, "status" | "orchestra"));
                names.map(move |name| ([path.as_slice(), &[name]].concat(), schema.child(name)))
            });
            let below: Vec<_> = below.filter(|(_, schema)| matches!(schema, Self::Struct(_))).collect();
            if let Some((path, _)) = below.iter().find(|(_, schema)| schema.field(name).is_some()) {
                return Some(path.clone());
            }
            level = below;
        }
        None
    }

    /// The names that may stand here; `None` when any may.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::Struct(it) => {
                let mut names: Vec<_> = it.fields.iter().map(|field| field.name).collect();
                names.extend(it.inline.and_then(Self::names).unwrap_or_default());
                Some(names)
            }
            Self::OneOf(it) => {
                let contents = it.variants.iter().filter_map(|v| v.content.as_ref()).map(|field| field.name);
                Some(it.tag.into_iter().chain(contents).collect())
            }
            _ => None,
        }
    }

    /// Whether Kubernetes has a field of this name here that Orchestra does not support.
    #[must_use]
    pub fn is_unsupported(&self, name: &str) -> bool {
        match self {
            Self::Struct(it) => {
                it.unsupported.contains(&name) || it.inline.is_some_and(|inline| inline.is_unsupported(name))
            }
            Self::OneOf(it) => it.unsupported.contains(&name),
            _ => false,
        }
    }
}
