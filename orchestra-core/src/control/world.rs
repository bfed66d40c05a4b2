//! [`World`]: what a reconciler sees in a test, without anything that runs.

use std::sync::Arc;
use std::time::Duration;

use super::{Cache, Now, Subject, View, Watched};
use crate::object::{MicroTime, Resource, Timestamp};
use crate::store::Key;

/// Some objects and a time: what a reconciler is shown, to see what it plans.
///
/// There is nothing but what was put there: no kind needs to be subscribed to.
///
/// ```
/// use orchestra_core::control::World;
/// use orchestra_core::kinds::Deployment;
/// # fn main() -> orchestra_core::Result<()> {
/// let (web, api) = (Deployment::new("web").build()?, Deployment::new("api").replicas(3).build()?);
/// let world = World::new().with(&api);
/// let view = world.view(&web);
/// assert_eq!(view.get::<Deployment>("api").map(|api| api.spec.replicas), Some(3));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct World {
    cache: Cache,
    now: MicroTime,
    seed: u64,
    key: Key,
}

impl World {
    /// A world of nothing, at the beginning of time.
    #[must_use]
    pub fn new() -> Self {
        Self { cache: Cache::new(), now: MicroTime::from_unix_micros(0), seed: 0, key: Key::from("") }
    }

    /// The same with one more object, in place of the one of its kind, namespace and name. Defaults are
    /// filled in.
    #[must_use]
    pub fn with<R: Resource>(mut self, object: &R) -> Self {
        let mut object = object.clone();
        object.fill_in();
        self.cache.subscribe(Watched::of::<R>());
        if let Some(table) = self.cache.table_mut::<R>() {
            table.put_object(Arc::new(object));
        }
        self
    }

    /// The same at another time.
    #[must_use]
    pub fn at(self, time: impl Into<Timestamp>) -> Self {
        let micros = time.into().unix().saturating_mul(1_000_000);
        Self { now: MicroTime::from_unix_micros(micros), ..self }
    }

    /// The same with other [random numbers](View::random).
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// What the reconciler of an object sees.
    #[must_use]
    pub fn view<'a, R: Resource>(&'a self, object: &'a R) -> View<'a> {
        let (namespace, name) = (object.namespace(), object.name());
        let subject = Subject { controller: "test", uid: object.uid(), namespace, name, key: &self.key };
        View::new(&self.cache, Now::new(self.now, Duration::ZERO), subject, self.seed, &[]).whole()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
