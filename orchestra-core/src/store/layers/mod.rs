//! Layers: stores that wrap a store, as tower's layers wrap a service.
//!
//! - [`Encrypted`] (feature `encrypt`): values are secret to whoever has the files.
//! - [`Metered`] (feature `metrics`): how often, how long, how it ended.
//! - [`Limited`] (feature `driver`): every request is answered in time.
//! - [`Faulty`] (feature `testing`): errors, delays, lost answers, dropped watches, by a seed.
//!
//! Each is a [`Store`](super::Store) itself, over any other one.

#[cfg(feature = "encrypt")]
mod encrypted;
#[cfg(any(test, feature = "testing"))]
mod faulty;
#[cfg(feature = "encrypt")]
mod keyring;
#[cfg(feature = "driver")]
mod limited;
#[cfg(feature = "metrics")]
mod metered;

#[cfg(feature = "encrypt")]
pub use encrypted::{Encrypted, Rotated};
#[cfg(any(test, feature = "testing"))]
pub use faulty::{Counts, Faults, Faulty};
#[cfg(feature = "encrypt")]
pub use keyring::{DataKey, KeyError, KeyService, Keyring, Wrapped};
#[cfg(feature = "driver")]
pub use limited::Limited;
#[cfg(feature = "metrics")]
pub use metered::Metered;
