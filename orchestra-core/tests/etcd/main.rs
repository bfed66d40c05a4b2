//! The store on real etcds, which the tests start and stop themselves: the suite on one member and on three,
//! many clients while members are killed, servers that do not answer, TLS and passwords.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // what fails here is the test

mod kills;
mod secrets;
mod server;
mod silence;
mod suite;
mod watches;
