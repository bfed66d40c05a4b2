//! The control kernel: reconcilers as functions, and what drives them.

mod backoff;
mod budget;
mod cache;
mod changes;
mod controller;
mod effect;
pub mod election;
pub mod feed;
mod found;
mod garbage;
mod hash;
mod index;
mod interests;
mod items;
pub mod kernel;
mod notes;
mod now;
mod part;
pub mod perform;
mod place;
mod plan;
pub mod post;
mod postings;
pub mod queue;
mod reads;
mod report;
#[cfg(feature = "driver")]
mod run;
mod show;
mod stream;
mod strings;
mod table;
mod view;
mod watched;
mod world;

pub use backoff::{Backoff, Rate};
pub use cache::Cache;
pub use changes::{CachedObject, Changed, Changes};
pub use controller::{Controller, IntoPlan, Reconcile, ReconcileError, Reconciler, Watch};
pub use effect::{Effect, EffectError, EffectPhase, EffectRequest, EffectSpec, EffectStatus};
pub use feed::Feed;
pub use found::Found;
pub use index::{AnyIndex, Index, Values};
pub use interests::Interests;
pub use kernel::Kernel;
pub use now::Now;
pub use part::{Answer, Desk, Part};
pub use plan::{
    Act, Contradiction, Ensure, Expected, MOST_CHANGES, MOST_NOTES, Note, Noted, Op, Plan, PlanError,
    PlanLimits, Step,
};
pub use post::Post;
pub use reads::{MOST_READS, Need, Reads};
pub use report::{Report, Trouble};
#[cfg(feature = "driver")]
pub use run::{Counters, Handler, Manager, Running, Watches};
pub use show::Shown;
pub use stream::Random;
pub use table::{MOST_INDEXES, MOST_UNREADABLE};
pub use view::{Subject, View};
pub use watched::Watched;
pub use world::World;
