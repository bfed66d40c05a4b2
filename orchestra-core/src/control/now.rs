//! [`Now`]: an instant.

use std::time::Duration;

use crate::object::MicroTime;

/// An instant, as two clocks show it.
///
/// What a wall clock shows may jump, back also. Whatever waits (a backoff, a lease) goes by the stopwatch,
/// which starts anywhere and only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What a wall clock shows.
    pub wall: MicroTime,
    /// What a stopwatch shows.
    pub elapsed: Duration,
}

impl Now {
    /// An instant.
    #[must_use]
    pub const fn new(wall: MicroTime, elapsed: Duration) -> Self {
        Self { wall, elapsed }
    }
}
