//! [`Model`]: what there is to know of a kind, as a value.

use serde_json::Value;

use super::schema::Schema;
use super::{AnyObject, Kind, Problem, Problems, Resource};

/// A kind that is known only when the program runs: its name, its shape, how its objects are read.
#[derive(Clone, Copy)]
pub struct Model {
    kind: Kind,
    schema: fn() -> &'static Schema,
    has_status: bool,
    read: fn(&Value) -> Result<AnyObject, Problem>,
    read_json: fn(&str) -> Option<AnyObject>,
}

impl Model {
    /// What there is to know of a kind.
    #[must_use]
    pub fn of<R: Resource>() -> Self {
        Self {
            kind: R::KIND,
            schema: R::schema,
            has_status: R::has_status(),
            read: read::<R>,
            read_json: read_json::<R>,
        }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The shape of a whole object.
    #[must_use]
    pub fn schema(&self) -> &'static Schema {
        (self.schema)()
    }

    /// Whether something is observed of such objects.
    #[must_use]
    pub const fn has_status(&self) -> bool {
        self.has_status
    }

    /// Reads an object, without filling anything in.
    ///
    /// # Errors
    /// Where the tree is no object of the kind, and why.
    pub fn read(&self, tree: &Value) -> Result<AnyObject, Problems> {
        (self.read)(tree).map_err(Problems::from)
    }

    /// Reads an object from JSON, without filling anything in; nothing when it is none. To read it as a
    /// tree tells why.
    pub(crate) fn read_json(&self, json: &[u8]) -> Option<AnyObject> {
        (self.read_json)(std::str::from_utf8(json).ok()?)
    }
}

fn read_json<R: Resource>(json: &str) -> Option<AnyObject> {
    serde_json::from_str::<R>(json).ok().map(AnyObject::from)
}

fn read<R: Resource>(tree: &Value) -> Result<AnyObject, Problem> {
    // The fast way knows no paths, and its words may quote a secret: it is read again to explain.
    R::deserialize(tree).map(AnyObject::from).map_err(|_| crate::manifest::problem_of::<R>(tree))
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)
    }
}
