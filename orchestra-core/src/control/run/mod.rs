//! What runs kernels for real, on tokio (feature `driver`).
//!
//! [`Watches`] keeps one cache current, for any number of kernels. A [`Manager`] drives a kernel: it tells
//! it what changes, performs what it wants, and has it elected.

mod counters;
mod election;
mod errands;
mod manager;
mod watches;

pub use counters::Counters;
pub use manager::{Handler, Manager, Running};
pub use watches::Watches;
