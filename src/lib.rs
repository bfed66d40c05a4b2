//! Orchestra: parts for building container orchestrators. *Compose it. Simulate it. Ship it.*
//!
//! Container orchestration is desired state, kept true. Orchestra is that as parts: an object model
//! that speaks Kubernetes, and, as they come, stores, schedulers, runtimes, networks and reconcilers
//! behind traits, which a program of yours composes into its own control loop, and which run
//! unchanged in a deterministic simulation.
//!
//! **What is there today is the object model** (kinds, builders, validation, manifests), **the stores**,
//! a typed **client**, **controllers**, and what decides where pods go ([`sched`]). The programs below go as far as that; the README says what
//! comes next.
//!
//! # Describe a whole application
//!
//! A builder says exactly what it was told, and nothing else; what is left out is left to defaults
//! and to others (an autoscaler may own `replicas`). Built, it is a whole object.
//!
//! ```
//! use orchestra::prelude::*;
//!
//! let web = Deployment::new("web").replicas(3).container(
//!     Container::new("app").command(["./server"]).port(8080).ready_http("/healthz", 8080),
//! );
//! let service = Service::new("web").port(80, 8080).select([("app", "web")]);
//!
//! let web: Deployment = web.build()?;
//! assert_eq!(web.spec.template.metadata.labels["app"], "web");
//! assert!(web.problems().is_empty());
//! println!("{}", manifest::to_yaml(&serde_json::to_value(&web).unwrap()));
//! # let service: Service = service.build()?;
//! # assert!(service.problems().is_empty());
//! # Ok::<_, orchestra::Error>(())
//! ```
//!
//! # Define a kind of your own
//!
//! A kind is a struct that says what it is. It then has all that a built-in one has: metadata,
//! builders, reading with precise errors, unknown fields that survive, a place in manifests.
//!
//! ```
//! use orchestra::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! #[serde(default)]
//! struct WebsiteSpec { replicas: u32 }
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct WebsiteStatus { ready: u32 }
//!
//! impl Spec for WebsiteSpec {
//!     const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
//!     type Status = WebsiteStatus;
//! }
//! type Website = Object<WebsiteSpec>;
//!
//! let site: Website = Website::new("blog").spec(WebsiteSpec { replicas: 3 }).build()?;
//! assert_eq!((Website::KIND.plural(), site.spec.replicas), ("websites".to_owned(), 3));
//!
//! // In manifests it is read like any other kind.
//! let registry = Registry::builtin().with::<Website>();
//! let text = "{apiVersion: example.com/v1, kind: Website, metadata: {name: blog}, spec: {replica: 3}}";
//! let manifest = Reader::strict(&registry).read("blog.yaml", text);
//! let message = manifest.notices().next().map(ToString::to_string);
//! assert_eq!(
//!     message.as_deref(),
//!     Some("blog.yaml:1:76: error: Website blog: spec.replica: unknown field (did you mean `replicas`?)"),
//! );
//! # Ok::<_, orchestra::Error>(())
//! ```
//!
//! # Keep objects in a store
//!
//! A [`Store`](store::Store) is where the parts of an orchestrator meet. [`MemoryStore`](store::MemoryStore)
//! is the one to begin with; [`DiskStore`](store::DiskStore) keeps everything in a directory. A
//! [`Client`](client::Client) reads and writes whole objects.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> orchestra::Result<()> {
//! use orchestra::client::{Happening, Update};
//! use orchestra::prelude::*;
//!
//! let client = Client::new(MemoryStore::new());
//! let web = Deployment::new("web").container(Container::new("app").image("app:1"));
//! let web = client.apply(web.replicas(3)).await?;
//!
//! // Somebody else takes over a field, and says so.
//! let scaler = client.as_manager("autoscaler").force();
//! scaler.apply(Deployment::new("web").replicas(5)).await?;
//! let refused = client.apply(Deployment::new("web").replicas(3)).await.unwrap_err();
//! assert!(refused.is_conflict() && refused.to_string().contains("autoscaler"));
//!
//! // Whatever happens after a revision, in order and without a gap.
//! let mut watch = client.watch::<Deployment>(&Query::all(), web.metadata.resource_version).await?;
//! let Update::Batch { events, .. } = watch.next().await? else { panic!("nobody asked for progress") };
//! let Happening::Applied { new, .. } = &events[0] else { panic!("nobody deleted it") };
//! assert_eq!(new.spec.replicas, 5);
//! # Ok(()) }
//! ```
//!
//! # Reconcile: a function from what is to what is to be done
//!
//! A reconciler is a plain function of an object and a [`View`](control::View) of everything else. It
//! returns a [`Plan`](control::Plan), which is data: a test asks for it without anything that runs, and
//! it shows itself as a difference that a person can read.
//!
//! What the reconciler reads is what wakes it, so there are no triggers to declare. A
//! [`Manager`](control::Manager) runs it for real, over any store: one cache that all controllers share,
//! retries that back off, leader election, and garbage collection of what is owned.
//!
//! ```
//! use std::time::Duration;
//!
//! use orchestra::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct WebsiteSpec { replicas: u32 }
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct WebsiteStatus { ready: u32 }
//!
//! impl Spec for WebsiteSpec {
//!     const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
//!     type Status = WebsiteStatus;
//! }
//! type Website = Object<WebsiteSpec>;
//!
//! fn website(site: &Website, world: &View<'_>) -> Plan {
//!     let server = Container::new("server").image("registry.example.com/server:1");
//!     let web = Deployment::new(site.name()).replicas(site.spec.replicas).container(server);
//!     let ready = world.owned_by::<Deployment>(site).map(|d| d.status.available_replicas).sum();
//!     Plan::new().ensure(web.owned_by(site)).status(site, WebsiteStatus { ready })
//! }
//!
//! // Nothing needs to run to see what it plans.
//! let site: Website = Website::new("blog").spec(WebsiteSpec { replicas: 3 }).build()?;
//! let plan = website(&site, &World::new().view(&site));
//! assert!(plan.to_string().contains("spec.replicas: 3"));
//!
//! // And it runs.
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let store = MemoryStore::new();
//! let running = Manager::new(store.clone()).controller(Controller::new("website", website)).start().await;
//!
//! let client = Client::new(store);
//! client.apply(Website::new("blog").spec(WebsiteSpec { replicas: 3 })).await?;
//! running.at_rest().await;
//! let web = client.get::<Deployment>("", "blog").await?.unwrap();
//! assert_eq!((web.spec.replicas, web.metadata.owner_references[0].kind.as_str()), (3, "Website"));
//! running.shutdown(Duration::from_secs(5)).await;
//! # Ok::<_, orchestra::Error>(()) })?;
//! # Ok::<_, orchestra::Error>(())
//! ```
#![forbid(unsafe_code)]

pub use orchestra_core::{Error, Result, client, clock, control, kinds, manifest, object, store};
pub use orchestra_sched as sched;

/// What most programs use.
pub mod prelude {
    pub use crate::client::{Client, Delete, Patch, Query};
    pub use crate::control::{Controller, Effect, EffectError, Note, Plan, View, World};
    #[cfg(feature = "driver")]
    pub use crate::control::{Manager, Watches};
    pub use crate::kinds::*;
    pub use crate::manifest::{self, Reader, Registry};
    pub use crate::object::{
        AnyObject, Apply, Condition, Conditions, Kind, Map, Metadata, NoStatus, Object, Quantity, Resource,
        Selector, Spec, Str,
    };
    #[cfg(feature = "disk")]
    pub use crate::store::DiskStore;
    #[cfg(feature = "driver")]
    pub use crate::store::MemoryStore;
    pub use crate::store::Store;
    pub use crate::{Error, Result};
}
