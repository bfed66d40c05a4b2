//! [`Client`]: typed reading and writing.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::change::{By, Change, Delete, Part, Policy};
use super::prepare::{Outcome, Prepared, prepare};
use super::{ObjectName, Patch, stored};
use crate::clock::{Clock, Ids};
use crate::manifest::Registry;
use crate::object::{AnyObject, Apply, Model, Resource, Revision, Str};
use crate::store::{CommitError, Store};
use crate::{Error, Result};

/// How often a change is prepared anew because somebody else was first. Each attempt that fails means
/// that another's succeeded, so that all of them together get on; so many in a row for one of them is
/// a sign of writers that fight over an object.
pub const MOST_ATTEMPTS: usize = 16;

/// How many names are tried for an object that leaves its name to chance, as many as Kubernetes tries.
pub const MOST_NAMES: usize = 8;

/// Reads and writes objects in a store.
///
/// It is cheap to clone, and what is asked of it differently is a clone: `client.as_manager("kubectl")`,
/// `client.force()`, `client.dry_run()`.
///
/// Every write is prepared against what is there by [`prepare`] and committed on the condition that it
/// is still there. If it is not, it is read and prepared again, at most [`MOST_ATTEMPTS`] times. What
/// the caller expects of the object (a `resourceVersion`, a uid) is expected each time. A commit whose
/// fate is unknown is never tried again: the error [says so](Error::is_unknown).
#[derive(Clone)]
pub struct Client {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    policy: Arc<Policy>,
    manager: Str,
    force: bool,
    dry_run: bool,
}

/// Which object of a kind is meant is said by namespace and name. An empty namespace is the default
/// one, or none for kinds that have none.
impl Client {
    /// The manager's name unless [another is given](Self::as_manager).
    pub const MANAGER: &'static str = "orchestra";

    /// A client of a store, with the system's clock and random ids.
    #[cfg(feature = "driver")]
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self::with(store, crate::clock::SystemClock, crate::clock::RandomIds)
    }

    /// A client of a store with other clocks and ids: those of a simulation, say.
    #[must_use]
    pub fn with(store: impl Store, clock: impl Clock, ids: impl Ids) -> Self {
        Self {
            store: Arc::new(store),
            clock: Arc::new(clock),
            ids: Arc::new(ids),
            policy: Arc::default(),
            manager: Self::MANAGER.into(),
            force: false,
            dry_run: false,
        }
    }

    /// The same with rules that look at every change.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// The same for somebody else: the name under which it is noted who set which fields.
    #[must_use]
    pub fn as_manager(&self, name: impl Into<Str>) -> Self {
        Self { manager: name.into(), ..self.clone() }
    }

    /// The same with the right to apply fields that others set otherwise. They lose them.
    #[must_use]
    pub fn force(&self) -> Self {
        Self { force: true, ..self.clone() }
    }

    /// The same without any effect: every write is prepared and checked, and answered with the object
    /// as it would be, but not committed.
    #[must_use]
    pub fn dry_run(&self) -> Self {
        Self { dry_run: true, ..self.clone() }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Reads an object.
    ///
    /// # Errors
    /// When the store does not answer, or what it holds cannot be read.
    pub async fn get<R: Resource>(&self, namespace: &str, name: &str) -> Result<Option<R>> {
        let name = ObjectName::new(R::KIND, namespace, name)?;
        let entry = self.store.get(&name.key()).await?;
        entry.map(|entry| stored::read(&entry)).transpose()
    }

    /// Makes an object. One that has a `generateName` instead of a name is given one.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], or what [`prepare`] finds wrong.
    pub async fn create<R: Resource>(&self, object: &R) -> Result<R> {
        let tree = tree_of(object)?;
        let is_named = !object.name().is_empty();
        for _ in 1..MOST_NAMES {
            match self.create_once(tree.clone()).await {
                Err(error) if error.is_already_exists() && !is_named => {}
                answer => return answer,
            }
        }
        self.create_once(tree).await
    }

    async fn create_once<R: Resource>(&self, tree: Value) -> Result<R> {
        let suffix = self.ids.suffix()?;
        self.change(Change::create(Model::of::<R>(), tree, &suffix, self.by()?)?).await
    }

    /// Puts an object in the place of the one that is there; its status stays. With a
    /// `resourceVersion`, as an object has that was read, only if it is still that one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], or what [`prepare`] finds wrong.
    pub async fn replace<R: Resource>(&self, object: &R) -> Result<R> {
        self.change(Change::replace(Model::of::<R>(), tree_of(object)?, self.by()?)?).await
    }

    /// Puts an object's status in the place of the one that is there; all else stays.
    ///
    /// # Errors
    /// As for [`replace`](Self::replace).
    pub async fn replace_status<R: Resource>(&self, object: &R) -> Result<R> {
        self.change(Change::replace(Model::of::<R>(), tree_of(object)?, self.by()?)?.of_status()).await
    }

    /// Changes an object; its status stays.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Patch`], or what [`prepare`] finds wrong.
    pub async fn patch<R: Resource>(&self, namespace: &str, name: &str, patch: Patch) -> Result<R> {
        self.change(self.patching::<R>(namespace, name, patch)?).await
    }

    /// Changes an object's status; all else stays.
    ///
    /// # Errors
    /// As for [`patch`](Self::patch).
    pub async fn patch_status<R: Resource>(&self, namespace: &str, name: &str, patch: Patch) -> Result<R> {
        self.change(self.patching::<R>(namespace, name, patch)?.of_status()).await
    }

    fn patching<R: Resource>(&self, namespace: &str, name: &str, patch: Patch) -> Result<Change> {
        let name = ObjectName::new(R::KIND, namespace, name)?;
        Ok(Change::patch(Model::of::<R>(), name, patch, self.by()?))
    }

    /// Reads an object, changes it and puts it back, again if somebody else was first; its status
    /// stays. What is done to the object may be done several times, each time to a fresh one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Contended`], or what [`prepare`] finds wrong.
    pub async fn update<R: Resource>(
        &self,
        namespace: &str,
        name: &str,
        edit: impl FnMut(&mut R) + Send,
    ) -> Result<R> {
        self.updating(namespace, name, Part::Main, edit).await
    }

    /// The same for an object's status; all else stays.
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    pub async fn update_status<R: Resource>(
        &self,
        namespace: &str,
        name: &str,
        edit: impl FnMut(&mut R) + Send,
    ) -> Result<R> {
        self.updating(namespace, name, Part::Status, edit).await
    }

    async fn updating<R: Resource>(
        &self,
        namespace: &str,
        name: &str,
        part: Part,
        mut edit: impl FnMut(&mut R) + Send,
    ) -> Result<R> {
        let named = ObjectName::new(R::KIND, namespace, name)?;
        for _ in 0..MOST_ATTEMPTS {
            let mut object = self.get::<R>(namespace, name).await?.ok_or_else(|| named.not_found())?;
            // The edited object carries the revision that was read, so that nothing is overwritten.
            let read = object.metadata().resource_version;
            edit(&mut object);
            object.metadata_mut().resource_version = read;
            let answer = match part {
                Part::Main => self.replace(&object).await,
                Part::Status => self.replace_status(&object).await,
            };
            match answer {
                Err(Error::Conflict { .. }) => {}
                answer => return answer,
            }
        }
        Err(Error::Contended { object: named.to_string(), attempts: MOST_ATTEMPTS })
    }

    /// Deletes an object, or marks it as being deleted when somebody must agree first. Answers with
    /// what it was, or is now.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], or a rule's refusal.
    pub async fn delete<R: Resource>(&self, namespace: &str, name: &str, how: Delete) -> Result<R> {
        let name = ObjectName::new(R::KIND, namespace, name)?;
        self.change(Change::delete(Model::of::<R>(), name, how, self.by()?)).await
    }

    /// Sees to it that these fields are so: server-side apply, as Kubernetes has it. An object that is
    /// not there is made. Fields that this manager applied before and does not name any more go, unless
    /// somebody else set them, too.
    ///
    /// # Errors
    /// [`Error::Owned`] when others set fields otherwise, and [force](Self::force) is not used; or what
    /// [`prepare`] finds wrong.
    pub async fn apply<R: Resource>(&self, fields: Apply<R>) -> Result<R> {
        self.change(self.applying(Model::of::<R>(), &fields)?).await
    }

    /// Applies fields of an object's status.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply), and [`Error::NotFound`].
    pub async fn apply_status<R: Resource>(&self, fields: Apply<R>) -> Result<R> {
        self.change(self.applying(Model::of::<R>(), &fields)?.of_status()).await
    }

    /// Applies what a manifest says: the fields of an object of one of the kinds of a registry.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply), and [`Error::Refused`] when the kind is not known.
    pub async fn apply_any(&self, registry: &Registry, fields: &Apply<AnyObject>) -> Result<AnyObject> {
        let said = fields.fields()?;
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let model = registry.model(api_version, kind).ok_or_else(|| Error::Refused {
            object: format!("`{kind}` of `{api_version}`"),
            reason: "the kind is not known".into(),
        })?;
        Ok(self.perform(self.applying(model, fields)?).await?.1)
    }

    /// Reads an object of a kind that is known only when the program runs.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn get_any(&self, model: &Model, namespace: &str, name: &str) -> Result<Option<AnyObject>> {
        let name = ObjectName::new(model.kind(), namespace, name)?;
        let entry = self.store.get(&name.key()).await?;
        entry.map(|entry| stored::read_any(model, &entry)).transpose()
    }

    /// Deletes an object of a kind that is known only when the program runs.
    ///
    /// # Errors
    /// As for [`delete`](Self::delete).
    pub async fn delete_any(
        &self,
        model: Model,
        namespace: &str,
        name: &str,
        how: Delete,
    ) -> Result<AnyObject> {
        let name = ObjectName::new(model.kind(), namespace, name)?;
        Ok(self.perform(Change::delete(model, name, how, self.by()?)).await?.1)
    }

    fn applying<T>(&self, model: Model, fields: &Apply<T>) -> Result<Change> {
        Change::apply(model, fields.fields()?, self.force, self.by()?)
    }

    /// Makes any change, and says what came of it.
    ///
    /// # Errors
    /// What [`prepare`] finds wrong, [`Error::Contended`], or why the store did not acknowledge it.
    pub async fn perform(&self, change: Change) -> Result<(Outcome, AnyObject)> {
        for _ in 0..MOST_ATTEMPTS {
            let current = self.store.get(&change.key()).await?;
            let Prepared { txn, mut object, outcome, .. } =
                prepare(&change, current.as_deref(), &self.policy)?;
            if self.dry_run || outcome == Outcome::Unchanged {
                return Ok((outcome, object));
            }
            match self.store.commit(txn).await {
                Ok(revision) => {
                    if outcome != Outcome::Deleted {
                        object.metadata_mut().resource_version = revision;
                    }
                    return Ok((outcome, object));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended { object: change.object().to_string(), attempts: MOST_ATTEMPTS })
    }

    async fn change<R: Resource>(&self, change: Change) -> Result<R> {
        let (_, object) = self.perform(change).await?;
        object.downcast().map_err(|other| Error::Decode {
            kind: R::KIND.name(),
            reason: format!("it is a {}", other.kind()),
        })
    }

    fn by(&self) -> Result<By> {
        let now = self.clock.now_seconds();
        Ok(By { manager: self.manager.clone(), now, uid: self.ids.uid()? })
    }

    /// The store's present revision, to watch what happens after it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn revision(&self) -> Result<Revision> {
        use crate::store::{Page, Scope};
        Ok(self.store.list(&Scope::nothing(), Page::first().limit(1)).await?.revision)
    }
}

fn tree_of<R: Resource>(object: &R) -> Result<Value> {
    serde_json::to_value(object)
        .map_err(|source| Error::Encode { kind: R::KIND.name(), source: source.into() })
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("manager", &self.manager)
            .field("force", &self.force)
            .field("dry_run", &self.dry_run)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
