//! node
use super::scheduling::TaintEffect;
use crate::object::{Str, Timestamp};
use orchestra_macros::wire;

/// What keeps pods away from a node unless they tolerate it.
#[wire]
pub struct Taint {
    /// Its key.
    #[wire(required)]
    pub key: Str,
    /// Its value.
    pub value: Str,
    /// What it does.
    #[wire(required)]
    pub effect: TaintEffect,
    /// When it was put there.
    pub time_added: Option<Timestamp>,
}
