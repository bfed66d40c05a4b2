//! Runs what is built with Orchestra on virtual time, under faults, from a seed.
//!
//! A [`Simulation`] runs controllers as they are, unchanged, on simulated machines over a simulated store,
//! while machines die, views lag, answers are lost and clocks jump. It is an ordinary test:
//!
//! ```
//! use std::time::Duration;
//! use orchestra_core::control::{Controller, Plan, View};
//! use orchestra_core::object::{Kind, NoStatus, Object, Resource, Spec};
//! use orchestra_core::kinds::ConfigMap;
//! use orchestra_sim::{Faults, Simulation};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct WebsiteSpec { pages: u32 }
//! impl Spec for WebsiteSpec {
//!     const KIND: Kind = Kind::namespaced("example.com/v1", "Website");
//!     type Status = NoStatus;
//! }
//! type Website = Object<WebsiteSpec>;
//!
//! fn website(site: &Website, world: &View<'_>) -> Plan {
//!     let pages = (0..site.spec.pages).map(|page| ConfigMap::new(world.name(page)).owned_by(site));
//!     Plan::new().ensure_each(pages)
//! }
//!
//! # // A test in a user's crate would have `#[test]` here.
//! fn survives_chaos() {
//!     Simulation::seeded(7)
//!         .controller(Controller::new("website", website))
//!         .apply(Website::new("blog").spec(WebsiteSpec { pages: 3 }))
//!         .faults(Faults::none().crashes(100).lost_answers(100))
//!         .invariant("never too many", |truth| truth.list::<ConfigMap>().len() <= 3)
//!         .converges(|truth| truth.list::<ConfigMap>().len() == 3, Duration::from_secs(600));
//! }
//! # survives_chaos();
//! ```
//!
//! # What is checked
//!
//! First safety: while things go wrong, invariants hold after every commit. Then liveness: everything is
//! mended, and the condition becomes true in time, stays true, and the system comes to rest. And always:
//! once a term has begun, nothing of an earlier leader takes effect.
//!
//! A test in which nothing went wrong shows nothing, so each [`Fault`] that is enabled must have bitten:
//! if it did not in the first run, the next seeds are tried, and in the end it is a failure.
//!
//! # What a failure tells
//!
//! What was found, when, what happened last, the faults that are needed for it (the others were left out,
//! one by one), and the command that shows it again. The same seed gives the same bytes. In the
//! environment,
//!
//! | variable | has |
//! |---|---|
//! | `ORCHESTRA_SEED` | one seed run, in the place of the test's own |
//! | `ORCHESTRA_FAULTS` | exactly the listed faults met, as a failure's command lists them, in one run |
//! | `ORCHESTRA_SEEDS` | so many seeds run by [`Simulation::search`], in the place of the test's own |
//!
//! These are heeded by [`Simulation::converges`], [`run`](Simulation::run), [`search`](Simulation::search)
//! and [`explore`](Simulation::explore) alike, so that the command of a failure is the same whichever found
//! it.
//!
//! Instead of random ones, [`Simulation::explore`] tries each fault at each point at which it can be met, and
//! pairs of them.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod explore;
mod failure;
mod fault;
mod faults;
mod injector;
mod outside;
mod random;
mod run;
mod shrink;
mod simulation;
mod story;
mod truth;
mod user;
mod verdict;
mod world;

pub use explore::{Explore, Explored};
pub use failure::{Failure, Found};
pub use fault::{Count, Counts, Fault};
pub use faults::Faults;
pub use injector::Firing;
pub use outside::{EffectCall, HandlerAnswer, Outside};
pub use run::{Ran, Summary, TermWon};
pub use simulation::Simulation;
pub use truth::{Objects, Truth};
pub use user::User;
pub use verdict::Verdict;
