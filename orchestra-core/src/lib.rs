//! The core of Orchestra: what all its parts meet in.
//!
//! - [`object`]: what every resource is made of; how a kind is defined; builders.
//! - [`kinds`]: the built-in kinds, those of the Kubernetes API.
//! - [`manifest`]: YAML and JSON, read with precise errors and written back.
//!
//! Programs use it by way of the crate `orchestra-sdk`, whose front page shows it at work.
//!
//! The feature `testing` adds `object::sample`: arbitrary objects of any kind, from a seed.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod error;
pub mod kinds;
pub mod manifest;
pub mod object;

pub use error::{Error, Result};
