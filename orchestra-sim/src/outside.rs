//! [`Outside`]: the world beyond the store, as the handlers of effects find it.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use orchestra_core::control::EffectError;
use serde_json::Value;

/// The world beyond the store: a cloud, say. It is simulated: synchronous, with whatever state the
/// handlers keep there.
#[derive(Default)]
pub struct Outside {
    states: Vec<Box<dyn Any>>,
    pub(crate) now: Duration,
}

/// A handler of effects.
pub(crate) type Handler = dyn Fn(&mut Outside, &EffectCall) -> Result<Value, EffectError> + Send + Sync;

/// A handler's call.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectCall {
    /// What tells that the same was asked before: whoever heeds it does it once.
    pub key: String,
    /// What is asked for.
    pub input: Value,
}

impl Outside {
    /// What is kept of some type; its default at first.
    pub fn state<T: Default + 'static>(&mut self) -> &mut T {
        let at = match self.states.iter().position(|state| state.is::<T>()) {
            Some(at) => at,
            None => {
                self.states.push(Box::new(T::default()));
                self.states.len() - 1
            }
        };
        match self.states[at].downcast_mut() {
            Some(state) => state,
            None => unreachable!("it was looked for by its type"),
        }
    }

    /// What is kept of some type, if anything is.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.states.iter().find_map(|state| state.downcast_ref())
    }

    /// What time it is there: since the beginning of the simulation.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the world outside, at {:?}", self.now)
    }
}

/// What a handler may answer: a value, or why there is none. A `String` is a reason to try again; an
/// [`EffectError`] says whether to.
pub trait HandlerAnswer {
    /// The answer.
    ///
    /// # Errors
    /// Why there is none.
    fn into_answer(self) -> Result<Value, EffectError>;
}

impl HandlerAnswer for Result<Value, String> {
    fn into_answer(self) -> Result<Value, EffectError> {
        self.map_err(EffectError::Again)
    }
}

impl HandlerAnswer for Result<Value, EffectError> {
    fn into_answer(self) -> Self {
        self
    }
}
