//! The core of Orchestra: what all its parts meet in.
//!
//! - [`object`]: what every resource is made of; how a kind is defined; builders.
//! - [`kinds`]: the built-in kinds, those of the Kubernetes API.
//! - [`client`]: objects in a store: typed reading, writing, applying and watching.
//! - [`clock`]: time and ids as parts.
//! - [`control`]: reconcilers as functions, the kernel that runs them, election, effects.
//! - [`store`]: where the parts of an orchestrator meet: the trait, and what implements it.
//! - [`manifest`]: YAML and JSON, read with precise errors and written back.
//!
//! Programs use it by way of the crate `orchestra-sdk`, whose front page shows it at work.
//!
//! The feature `testing` adds `object::sample`: arbitrary objects of any kind, from a seed. The feature
//! `conformance` adds `store::conformance`: what every store must do, as tests for yours.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod client;
pub mod clock;
pub mod control;
mod error;
pub mod kinds;
pub mod manifest;
pub mod object;
mod random;
pub mod store;

pub use error::{Error, Result};
