//! Orchestra: parts for building container orchestrators. *Compose it. Simulate it. Ship it.*
//!
//! Container orchestration is desired state, kept true. Orchestra is that as parts: an object model
//! that speaks Kubernetes, and, as they come, stores, schedulers, runtimes, networks and reconcilers
//! behind traits, which a program of yours composes into its own control loop, and which run
//! unchanged in a deterministic simulation.
//!
//! **What is there today is the object model** (kinds, builders, validation, manifests), **the stores**
//! and a typed **client**. The programs below go as far as that; the README says what comes next.
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
//! // What a reconciler will do with it: describe what it owns.
//! fn web(site: &Website) -> Apply<Deployment> {
//!     Deployment::new(site.name()).replicas(site.spec.replicas).owned_by(site)
//! }
//!
//! let site: Website = Website::new("blog").spec(WebsiteSpec { replicas: 3 }).build()?;
//! let owner = &web(&site).build()?.metadata.owner_references[0];
//! assert_eq!((owner.kind.as_str(), owner.name.as_str()), ("Website", "blog"));
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
#![forbid(unsafe_code)]

pub use orchestra_core::{Error, Result, client, clock, kinds, manifest, object, store};

/// What most programs use.
pub mod prelude {
    pub use crate::client::{Client, Delete, Patch, Query};
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
