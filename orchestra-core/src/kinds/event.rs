//! [`Event`]: something that happened to an object.

use orchestra_macros::wire;

use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{At, Kind, MicroTime, NoStatus, Object, ObjectReference, Spec, Str, Timestamp, names};

/// Something that happened to an object.
pub type Event = Object<EventSpec>;

impl Spec for EventSpec {
    const KIND: Kind = Kind::namespaced("v1", "Event").flat();
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(event: &Event, at: &At<'_>) {
        event.spec.check(event.namespace(), at);
    }
}

/// What happened.
#[wire(spec)]
pub struct EventSpec {
    /// What it happened to.
    #[wire(required)]
    pub involved_object: ObjectReference,
    /// Why, in one word for programs.
    pub reason: Str,
    /// What, for people.
    pub message: Str,
    /// Who reports it, as older reporters say.
    pub source: EventSource,
    /// When it was first seen, as older reporters say.
    pub first_timestamp: Option<Timestamp>,
    /// When it was last seen, as older reporters say.
    pub last_timestamp: Option<Timestamp>,
    /// How often it was seen, as older reporters say.
    pub count: u32,
    /// Whether it is as it should be.
    #[wire(name = "type")]
    pub kind: Option<EventType>,
    /// When it was first seen.
    pub event_time: Option<MicroTime>,
    /// How often it was seen again, if it was.
    pub series: Option<EventSeries>,
    /// What was done or failed to be done.
    pub action: Str,
    /// Another object that it is about.
    pub related: Option<Box<ObjectReference>>,
    /// What reports it, such as `orchestra.dev/scheduler`.
    #[wire(required)]
    pub reporting_component: Str,
    /// Which one of those.
    #[wire(required)]
    pub reporting_instance: Str,
}

impl EventSpec {
    fn check(&self, namespace: &str, at: &At<'_>) {
        // An object of the cluster has its events in the default namespace.
        let involved = self.involved_object.namespace.as_str();
        let same = involved == namespace
            || namespace.is_empty()
            || (involved.is_empty() && matches!(namespace, "default" | "kube-system"));
        at.field("involvedObject")
            .field("namespace")
            .require(same, format!("must be the event's own, `{namespace}`"));
        // Only those that say the time to the microsecond follow the newer rules.
        if self.event_time.is_none() {
            return;
        }
        at.field("reportingComponent").name(&self.reporting_component, names::qualified_name);
        for (name, text, limit) in [
            ("reportingInstance", &self.reporting_instance, 128),
            ("action", &self.action, 128),
            ("reason", &self.reason, 128),
        ] {
            let at = at.field(name);
            at.required(!text.is_empty());
            at.require(text.len() <= limit, format!("must be no more than {limit} characters"));
        }
        at.field("message").require(self.message.len() <= 1024, "must be no more than 1024 characters");
        at.field("type").required(self.kind.is_some());
    }
}

/// Whether what happened is as it should be.
#[wire]
pub enum EventType {
    /// It is.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// Who reports an event.
#[wire]
pub struct EventSource {
    /// What sort of program.
    pub component: Str,
    /// The node that it runs on.
    pub host: Str,
}

/// How often an event was seen again.
#[wire]
pub struct EventSeries {
    /// How often, the first time included.
    pub count: u32,
    /// When it was last seen.
    pub last_observed_time: Option<MicroTime>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::{check_table, problems};

    #[test]
    fn what_is_wrong_is_said() {
        let new = |more: serde_json::Value| {
            let mut event = json!({
                "involvedObject": {"kind": "Node", "name": "a"}, "eventTime": "2026-11-21T08:00:00.250000Z",
                "reportingComponent": "orchestra.dev/scheduler", "reportingInstance": "a", "action": "Binding",
                "reason": "Scheduled", "type": "Normal",
            });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event
        };
        check_table::<EventSpec>(&[
            (json!({"reason": "Old"}), ""),
            (new(json!({})), ""),
            (new(json!({"action": null})), "action: required"),
            (new(json!({"reportingInstance": ""})), "reportingInstance: required"),
            (new(json!({"reportingComponent": "a b"})), "reportingComponent: `a b` must be"),
            (new(json!({"reason": "R".repeat(129)})), "reason: must be no more than 128"),
            (new(json!({"message": "m".repeat(1025)})), "message: must be no more than 1024"),
            (new(json!({"type": null})), "type: required"),
        ]);
    }

    #[test]
    fn it_lives_where_its_object_lives() {
        for (namespace, involved, right) in
            [("a", "a", true), ("a", "b", false), ("default", "", true), ("a", "", false), ("", "a", true)]
        {
            let involved = ObjectReference { namespace: involved.into(), ..ObjectReference::default() };
            let event = Event::new("e").namespace(namespace).involved_object(involved).build().unwrap();
            assert_eq!(problems(&event).is_empty(), right, "{event:?}");
        }
    }
}
