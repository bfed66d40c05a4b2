//! Controllers that run for real, on a store in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod complaints;
mod desk;
mod effects;
mod garbage;
mod gate;
mod places;
mod runs;
mod site;
mod unruly;
mod wakes;
