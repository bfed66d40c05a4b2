//! Orchestra
pub use orchestra_core::{Error, Result, kinds, manifest, object};
