//! Orchestra
pub use orchestra_core::{kinds, manifest, object, Error, Result};
