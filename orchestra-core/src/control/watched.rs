//! [`Watched`]: a kind of which objects are watched, as a value.

use std::any::TypeId;
use std::fmt;

use super::place::Atlas;
use super::table::{AnyTable, Table};
use crate::object::{Kind, Model, Resource};

/// A type of resource as a value: what is known of its kind, and how its objects are cached.
#[derive(Clone, Copy)]
pub struct Watched {
    type_id: TypeId,
    model: Model,
    atlas: fn() -> Atlas,
    table: fn() -> Box<dyn AnyTable>,
}

impl Watched {
    /// A type of resource.
    #[must_use]
    pub fn of<R: Resource>() -> Self {
        Self {
            type_id: TypeId::of::<R>(),
            model: Model::of::<R>(),
            // Hashed when it is asked for: a plan names kinds all the time.
            atlas: Atlas::of::<R>,
            table: || Box::new(Table::<R>::new()),
        }
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.model.kind()
    }

    /// What is known of the kind.
    #[must_use]
    pub const fn model(&self) -> Model {
        self.model
    }

    /// The places of its objects.
    pub(super) fn atlas(&self) -> Atlas {
        (self.atlas)()
    }

    /// An empty table for its objects.
    pub(super) fn table(&self) -> Box<dyn AnyTable> {
        (self.table)()
    }

    /// The type.
    #[must_use]
    pub const fn type_id(&self) -> TypeId {
        self.type_id
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.type_id == other.type_id
    }
}

impl Eq for Watched {}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind())
    }
}
