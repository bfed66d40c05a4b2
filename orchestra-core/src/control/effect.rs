//! [`Effect`]: something that a reconciler wants of the world outside the store, such as a machine of a
//! cloud.

use std::fmt;

use orchestra_macros::wire;
use serde::Serialize;
use serde_json::Value;

use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{Apply, At, Kind, Object, Resource, Spec, Str, Uid, names};

/// Something that is wanted of the world outside: which handler is to be asked, for what.
///
/// An effect belongs to an object and has a slot there: a name that tells it from the object's other
/// effects of the same handler, such as `machine-0`. Whatever is planned, and however often, one object,
/// handler and slot are one effect, with one key: the handler gives it to the other side, which by it
/// tells a second attempt from a second wish. So the handler is called at least once, and what it asks
/// for happens once if the other side heeds keys.
///
/// Another input under the same slot asks again, under the same key; what is to be done anew wants a
/// slot of its own. What is secret does not belong into an input: name the Secret that holds it.
#[derive(Clone, PartialEq)]
#[must_use = "an effect does nothing until a plan asks for it"]
pub struct Effect {
    handler: Str,
    slot: Str,
    input: Result<Value, String>,
}

/// The group of what belongs to the machinery itself, and of its finalizers.
const GROUP: &str = "orchestra.dev";

impl Effect {
    /// What a handler does in a slot.
    pub fn new(handler: impl Into<Str>, slot: impl Into<Str>) -> Self {
        Self { handler: handler.into(), slot: slot.into(), input: Ok(Value::Null) }
    }

    /// What the handler is given.
    pub fn input(self, input: impl Serialize) -> Self {
        Self { input: serde_json::to_value(input).map_err(|error| error.to_string()), ..self }
    }

    /// The handler's name.
    #[must_use]
    pub const fn handler(&self) -> &Str {
        &self.handler
    }

    /// The slot.
    #[must_use]
    pub const fn slot(&self) -> &Str {
        &self.slot
    }

    /// The finalizer of objects that asked a handler for something: it is there before the first
    /// request, and whoever asked takes it away again when nothing is left to be undone.
    #[must_use]
    pub fn finalizer(handler: &str) -> Str {
        format!("{GROUP}/effect-{handler}").into()
    }

    /// The key by which the other side tells a second attempt from a second wish: 32 hexadecimal digits
    /// that follow from who owns the effect, the handler and the slot, and from nothing else.
    #[must_use]
    pub fn key(&self, owner: &Uid) -> Str {
        let mut key = Fnv::new();
        for part in [owner.to_string().as_str(), &self.handler, &self.slot] {
            key.text(part);
        }
        format!("{:032x}", key.0).into()
    }

    /// The name of the effect's request.
    #[must_use]
    pub fn request_name(&self, owner: &Uid) -> Str {
        format!("{}-{}", self.handler, self.key(owner)).into()
    }

    /// What is wrong with it, if anything is.
    pub(super) fn check<R: Resource>(&self, owner: &R) -> Result<(), String> {
        // With what is put before it, the finalizer's name and a label's value are 63 at most.
        const LONGEST: usize = 30;
        names::dns_label(&self.handler).map_err(|wrong| format!("an effect's handler {wrong}"))?;
        if self.handler.len() > LONGEST {
            return Err(format!("an effect's handler `{}` is longer than {LONGEST}", self.handler));
        }
        if self.slot.is_empty() {
            return Err("an effect has no slot".into());
        }
        if let Err(reason) = &self.input {
            return Err(format!("an effect's input cannot be written: {reason}"));
        }
        if owner.metadata().is_deleting()
            && !owner.metadata().finalizers.contains(&Self::finalizer(&self.handler))
        {
            return Err(format!(
                "it is being deleted without having the finalizer of the effects of `{}`: nobody would wait \
                 for the answer",
                self.handler
            ));
        }
        Ok(())
    }

    /// The object that asks for it.
    pub(super) fn request<R: Resource>(&self, owner: &R) -> Apply<EffectRequest> {
        let request = EffectRequest::new(self.request_name(owner.uid()))
            .owned_by(owner)
            .handler(self.handler.clone())
            .slot(self.slot.clone())
            .key(self.key(owner.uid()));
        let request = match owner.namespace().as_str() {
            // Requests of an object of the cluster are in the default namespace.
            "" if !R::KIND.is_namespaced() => request.namespace(crate::client::DEFAULT_NAMESPACE),
            "" => request,
            namespace => request.namespace(namespace),
        };
        match &self.input {
            Ok(Value::Null) | Err(_) => request,
            Ok(input) => request.input(input.clone()),
        }
    }
}

/// FNV-1a, of 128 bits: keys are kept for long, so they must be what they are for ever.
struct Fnv(u128);

impl Fnv {
    const fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// A text and its end, which no text has within it in UTF-8.
    fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

/// Does not show the input.
impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effect")
            .field("handler", &self.handler)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// A request for something in the world outside, and what became of it.
pub type EffectRequest = Object<EffectSpec>;

impl Spec for EffectSpec {
    const KIND: Kind = Kind::namespaced("orchestra.dev/v1", "EffectRequest");
    type Status = EffectStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = EffectStatus::SCHEMA;

    fn check(request: &EffectRequest, at: &At<'_>) {
        let at = at.field("spec");
        at.field("handler").required(!request.spec.handler.is_empty());
        at.field("key").required(!request.spec.key.is_empty());
    }
}

/// What is requested.
#[wire(spec)]
pub struct EffectSpec {
    /// The handler that is to see to it.
    #[wire(required)]
    pub handler: Str,
    /// Which of the owner's effects of this handler it is.
    pub slot: Str,
    /// By which the other side tells a second attempt from a second wish.
    #[wire(required)]
    pub key: Str,
    /// What the handler is given.
    #[wire(atomic)]
    pub input: Value,
}

/// What became of a request.
#[wire]
pub struct EffectStatus {
    /// How far it is.
    pub phase: EffectPhase,
    /// What the handler answered.
    #[wire(atomic)]
    pub answer: Value,
    /// How often the handler was called.
    pub attempts: u32,
    /// What went wrong, for people.
    pub message: Str,
    /// The generation of the request that was answered.
    pub observed_generation: u64,
}

/// Why a handler did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EffectError {
    /// It could not be done now; it is tried again, later and later. It may have been done all the same.
    #[error("{0}")]
    Again(String),
    /// It cannot be done at all.
    #[error("{0}")]
    Never(String),
}

impl EffectStatus {
    /// Whether the handler is to be called.
    pub(super) fn is_open(&self, generation: u64) -> bool {
        self.phase == EffectPhase::Pending || self.observed_generation != generation
    }

    /// The same with one call more.
    pub(super) fn called(&self) -> Self {
        Self { attempts: self.attempts.saturating_add(1), ..self.clone() }
    }

    /// The same after an answer.
    pub(super) fn answered(&self, generation: u64, answer: &Result<Value, EffectError>) -> Self {
        let (phase, value, message) = match answer {
            Ok(value) => (EffectPhase::Done, value.clone(), String::new()),
            Err(EffectError::Again(reason)) => (EffectPhase::Pending, Value::Null, reason.clone()),
            Err(EffectError::Never(reason)) => (EffectPhase::Failed, Value::Null, reason.clone()),
        };
        Self {
            phase,
            answer: value,
            attempts: self.attempts,
            message: message.into(),
            observed_generation: generation,
        }
    }
}

/// How far a request is.
#[wire]
pub enum EffectPhase {
    /// The handler has not answered yet, or not well: it is called again.
    #[default]
    Pending,
    /// It has answered.
    Done,
    /// It has said that this cannot be done.
    Failed,
}
