//! [`User`]: somebody who changes what is in the store, as people and their programs do.

use std::fmt;

use orchestra_core::client::{By, Change, Delete, ObjectName, Policy, Prepared, prepare, read};
use orchestra_core::object::{Apply, Model, Resource};
use orchestra_core::store::{CommitError, Revision, Txn};
use orchestra_core::{Error, Result};

use super::truth::Truth;

/// Somebody who changes what is in the store. What they do takes effect at once: no fault falls on them.
pub struct User<'w> {
    desk: &'w mut dyn Desk,
}

/// Where changes are handed in.
pub(crate) trait Desk {
    fn truth(&mut self) -> &mut Truth;
    fn by(&mut self) -> Result<By>;
    fn policy(&self) -> &Policy;
    fn hand_in(&mut self, txn: Txn) -> std::result::Result<Revision, CommitError>;
}

impl<'w> User<'w> {
    pub(crate) fn new(desk: &'w mut dyn Desk) -> Self {
        Self { desk }
    }

    /// How things stand.
    pub fn truth(&mut self) -> &Truth {
        self.desk.truth()
    }

    /// What is kept of some type in the world outside.
    pub fn outside<T: Default + 'static>(&mut self) -> &mut T {
        self.desk.truth().outside.state()
    }

    /// Sees to it that these fields are so.
    ///
    /// # Errors
    /// When they cannot be.
    pub fn apply<R: Resource>(&mut self, fields: Apply<R>) -> Result<()> {
        let by = self.desk.by()?;
        self.make(&Change::apply(Model::of::<R>(), fields.fields()?, true, by)?)
    }

    /// Changes an object, and its status. Without a namespace the default one is meant.
    ///
    /// # Errors
    /// When there is no such object, or it cannot be so.
    pub fn edit<R: Resource>(
        &mut self,
        namespace: &str,
        name: &str,
        edit: impl FnOnce(&mut R),
    ) -> Result<()> {
        let key = ObjectName::new(R::KIND, namespace, name)?;
        let entry = self.desk.truth().state.get(&key.key()).cloned();
        let Some(entry) = entry else { return Err(Error::NotFound { object: key.to_string() }) };
        let mut object: R = read(&entry)?;
        edit(&mut object);
        object.metadata_mut().resource_version = Revision::default();
        let tree = serde_json::to_value(&object)
            .map_err(|source| Error::Encode { kind: R::KIND.name(), source: source.into() })?;
        let main = Change::replace(Model::of::<R>(), tree, self.desk.by()?)?;
        self.make(&main)?;
        if R::has_status() { self.make(&main.of_status()) } else { Ok(()) }
    }

    /// Deletes an object. Without a namespace the default one is meant.
    ///
    /// # Errors
    /// When there is no such object, or it is not as said.
    pub fn delete<R: Resource>(&mut self, namespace: &str, name: &str, how: Delete) -> Result<()> {
        let name = ObjectName::new(R::KIND, namespace, name)?;
        let by = self.desk.by()?;
        self.make(&Change::delete(Model::of::<R>(), name, how, by))
    }

    /// Makes any change.
    ///
    /// # Errors
    /// What forbids it.
    pub fn make(&mut self, change: &Change) -> Result<()> {
        let entry = self.desk.truth().state.get(&change.key()).cloned();
        let Prepared { txn, .. } = prepare(change, entry.as_deref(), self.desk.policy())?;
        if !txn.writes().is_empty() {
            self.desk.hand_in(txn)?;
        }
        Ok(())
    }
}

impl fmt::Debug for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user")
    }
}
