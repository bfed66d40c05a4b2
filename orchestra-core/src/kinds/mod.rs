//! The built-in kinds: those of the Kubernetes API, and what Orchestra adds to them.
//!
//! One file a group of kinds. Each kind is an [`Object`](crate::object::Object) of its spec; names,
//! JSON, defaults and meanings are Kubernetes'. What is not Kubernetes' stands under one field,
//! `orchestra`, of the kinds that it extends ([`PodExtension`], [`DeploymentExtension`]), or is a kind
//! of its own ([`PodGroup`]).
//!
//! ```
//! use orchestra_core::kinds::{Container, Deployment, Service};
//!
//! let web = Deployment::new("web").replicas(3).container(
//!     Container::new("app").command(["./server"]).port(8080).ready_http("/healthz", 8080),
//! );
//! let service = Service::new("web").port(80, 8080).select([("app", "web")]);
//!
//! // A builder holds exactly what was said; built, it is a whole object.
//! assert!(web.fields()?["spec"].get("strategy").is_none());
//! let web: Deployment = web.build()?;
//! assert_eq!(web.spec.revision_history_limit, 10);
//! # let _ = service.build()?;
//! # Ok::<_, orchestra_core::Error>(())
//! ```

mod autoscaling;
mod config;
mod container;
mod cron_job;
mod deployment;
mod endpoint_slice;
mod env;
mod event;
mod job;
mod lease;
mod namespace;
mod network;
mod node;
mod pod;
mod pod_group;
mod policy;
mod probe;
mod rbac;
mod scheduling;
mod security;
mod service;
mod stateful_set;
mod storage;
#[cfg(test)]
mod test;
mod volume;

pub use autoscaling::*;
pub use config::*;
pub use container::*;
pub use cron_job::*;
pub use deployment::*;
pub use endpoint_slice::*;
pub use env::*;
pub use event::*;
pub use job::*;
pub use lease::*;
pub use namespace::*;
pub use network::*;
pub use node::*;
pub use pod::*;
pub use pod_group::*;
pub use policy::*;
pub use probe::*;
pub use rbac::*;
pub use scheduling::*;
pub use security::*;
pub use service::*;
pub use stateful_set::*;
pub use storage::*;
pub use volume::*;

use crate::manifest::Registry;

/// Adds every built-in kind.
pub(crate) fn register_all(registry: Registry) -> Registry {
    registry
        .with::<ClusterRole>()
        .with::<ClusterRoleBinding>()
        .with::<ConfigMap>()
        .with::<ControllerRevision>()
        .with::<CronJob>()
        .with::<DaemonSet>()
        .with::<Deployment>()
        .with::<EndpointSlice>()
        .with::<Event>()
        .with::<HorizontalPodAutoscaler>()
        .with::<Ingress>()
        .with::<Job>()
        .with::<Lease>()
        .with::<LimitRange>()
        .with::<Namespace>()
        .with::<NetworkPolicy>()
        .with::<Node>()
        .with::<PersistentVolume>()
        .with::<PersistentVolumeClaim>()
        .with::<Pod>()
        .with::<PodDisruptionBudget>()
        .with::<PodGroup>()
        .with::<PriorityClass>()
        .with::<ReplicaSet>()
        .with::<ReplicationController>()
        .with::<ResourceQuota>()
        .with::<Role>()
        .with::<RoleBinding>()
        .with::<Secret>()
        .with::<Service>()
        .with::<ServiceAccount>()
        .with::<StatefulSet>()
        .with::<StorageClass>()
}
