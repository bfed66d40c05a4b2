//! [`Note`]: what there is to tell people about an object.

use crate::client::ObjectName;
use crate::kinds::EventType;
use crate::object::{ObjectReference, Resource, Str, Uid};

/// Something that happened, for people to read. It becomes an [`Event`](crate::kinds::Event).
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Whether it is as it should be.
    pub kind: EventType,
    /// Why, in one word for programs.
    pub reason: Str,
    /// What, for people.
    pub message: Str,
}

impl Note {
    /// Something that is as it should be.
    #[must_use]
    pub fn normal(reason: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        Self::of(EventType::Normal, reason.as_ref(), message.as_ref())
    }

    /// Something that somebody should look at.
    #[must_use]
    pub fn warning(reason: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        Self::of(EventType::Warning, reason.as_ref(), message.as_ref())
    }

    fn of(kind: EventType, reason: &str, message: &str) -> Self {
        // As long as an Event takes them.
        Self { kind, reason: cut(reason, 128).into(), message: cut(message, 1024).into() }
    }
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// Something that happened, and what to.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// What it happened to.
    pub about: ObjectReference,
    /// What happened.
    pub note: Note,
    /// Whether no namespace was said though the kind has them.
    bare: bool,
}

impl Noted {
    pub(super) fn about<R: Resource>(object: &R, note: Note) -> Self {
        let metadata = object.metadata();
        let about = ObjectReference {
            api_version: R::KIND.api_version().into(),
            kind: R::KIND.name().into(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version,
            ..ObjectReference::default()
        };
        Self { about, note, bare: R::KIND.is_namespaced() && metadata.namespace.is_empty() }
    }

    /// Something that happened to an object of whichever kind.
    pub(in crate::control) fn of(object: &ObjectName, uid: Uid, note: Note) -> Self {
        let about = ObjectReference {
            api_version: object.kind().api_version().into(),
            kind: object.kind().name().into(),
            namespace: object.namespace().clone(),
            name: object.name().clone(),
            uid,
            ..ObjectReference::default()
        };
        Self { about, note, bare: false }
    }

    pub(super) fn settle(&mut self, namespace: &str) {
        if self.bare && !namespace.is_empty() {
            self.about.namespace = namespace.into();
            self.bare = false;
        }
    }
}
