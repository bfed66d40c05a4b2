//! Objects in a store: typed reading, writing, applying and watching.
//!
//! A [`Client`] gives whole, typed objects, and takes what is to become of them:
//!
//! ```
//! use orchestra_core::client::{Client, Happening, Query, Update};
//! use orchestra_core::kinds::{Container, Deployment};
//! use orchestra_core::store::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> orchestra_core::Result<()> {
//! let client = Client::new(MemoryStore::new()).as_manager("kubectl");
//! let before = client.list::<Deployment>(&Query::all()).await?.revision;
//!
//! // Say which fields are to be so; all others are left to defaults and to others.
//! client.apply(Deployment::new("web").replicas(3).container(Container::new("app").image("app:1"))).await?;
//!
//! let mut watching = client.watch::<Deployment>(&Query::namespace("default"), before).await?;
//! let Update::Batch { events, .. } = watching.next().await? else { panic!("nobody asked for progress") };
//! let [Happening::Applied { new: web, old: None }] = &events[..] else { panic!("{events:?}") };
//! assert_eq!((web.name().as_str(), web.spec.replicas, web.metadata.generation), ("web", 3, 1));
//!
//! // Change what is there, however often others do so meanwhile.
//! client.update("default", "web", |web: &mut Deployment| web.spec.paused = true).await?;
//! # Ok(()) }
//! ```
//!
//! # How a change is made
//!
//! Every change, of whichever verb, is data ([`Change`]), and [`prepare`] is the one place that decides
//! what it comes to, as the API server of Kubernetes would: a pure function from the change, what is
//! there and the rules of a [`Policy`] to a transaction that takes effect on exactly what it was
//! prepared against. The client reads, prepares, commits, and does so again when somebody else was
//! first.
//!
//! # Who owns which fields
//!
//! An object notes who set which fields, in `metadata.managedFields` as Kubernetes has it. Whoever
//! *applies* fields owns exactly those; whoever creates, replaces or patches owns what that changed. To
//! apply a field that somebody else set to something else is a [conflict](crate::Error::Owned): leave
//! the field out to let it be, say the same to share it, or [force](Client::force) it. A field that is
//! not applied any more goes, or back to its default, unless somebody else owns it, too. So an
//! autoscaler sets `replicas`, and who applies the rest leaves it out.

mod access;
mod apply;
mod bind;
mod change;
mod compare;
mod delete;
mod fields;
mod key;
mod merge;
mod observe;
mod owners;
mod patch;
mod prepare;
mod query;
mod stored;
mod transaction;
mod watch;

pub use access::{Client, MOST_ATTEMPTS, MOST_NAMES};
pub use bind::{bind, bind_with};
pub use change::{Admit, By, Change, Delete, Dependents, Part, Policy, Review};
pub use fields::FieldSet;
pub use key::{DEFAULT_NAMESPACE, ObjectName, scope_in, scope_of};
pub use owners::{FieldConflict, FieldConflicts, MOST_UPDATERS};
pub use patch::{MOST_COPIED, MOST_OPERATIONS, Operation, Patch};
pub(crate) use prepare::SYSTEM_FIELDS;
pub use prepare::{MOST_DEPTH, Outcome, Prepared, prepare};
pub use query::{List, Query, Unreadable};
pub use stored::read;
pub use watch::{Happening, Update, Watching};
