//! The object model of Orchestra.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod error;
pub mod kinds;
pub mod manifest;
pub mod object;

pub use error::{Error, Result};
