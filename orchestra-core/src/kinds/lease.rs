//! [`Lease`]: who holds something, and until when.

use orchestra_macros::wire;

use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{At, Kind, MicroTime, NoStatus, Object, Spec, Str, names};

/// Who holds something, such as the lead among several, and until when.
pub type Lease = Object<LeaseSpec>;

impl Spec for LeaseSpec {
    const KIND: Kind = Kind::namespaced("coordination.k8s.io/v1", "Lease");
    type Status = NoStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NoStatus::SCHEMA;

    fn check(lease: &Lease, at: &At<'_>) {
        lease.spec.check(&at.field("spec"));
    }
}

/// Who holds a lease, and until when.
#[wire(spec)]
pub struct LeaseSpec {
    /// Who holds it; nobody when it is empty.
    pub holder_identity: Str,
    /// How long after the last renewal others must wait before they take it.
    pub lease_duration_seconds: Option<u32>,
    /// When its holder took it.
    pub acquire_time: Option<MicroTime>,
    /// When its holder last renewed it.
    pub renew_time: Option<MicroTime>,
    /// How often it went from one holder to another.
    pub lease_transitions: u32,
    /// How the best holder is picked, if somebody picks it.
    pub strategy: Str,
    /// Who should hold it; its holder then gives it up.
    pub preferred_holder: Str,
}

impl LeaseSpec {
    fn check(&self, at: &At<'_>) {
        at.field("leaseDurationSeconds")
            .require(self.lease_duration_seconds != Some(0), "must be more than 0");
        at.field("preferredHolder").require(
            self.preferred_holder.is_empty() || !self.strategy.is_empty(),
            "may be given only beside `strategy`",
        );
        let at = at.field("strategy");
        match self.strategy.as_str() {
            "" | "OldestEmulationVersion" => {}
            own if own.contains('/') => at.check(names::qualified_name(own)),
            _ => at.problem("must be OldestEmulationVersion, or a name of your own such as example.com/name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::check_table;

    #[test]
    fn what_is_wrong_is_said() {
        check_table::<LeaseSpec>(&[
            (json!({"holderIdentity": "a", "leaseDurationSeconds": 15}), ""),
            (json!({"leaseDurationSeconds": 0}), "spec.leaseDurationSeconds: must be more than 0"),
            (json!({"preferredHolder": "b"}), "spec.preferredHolder: may be given only beside `strategy`"),
            (json!({"strategy": "example.com/mine", "preferredHolder": "b"}), ""),
            (json!({"strategy": "mine"}), "spec.strategy: must be OldestEmulationVersion"),
        ]);
    }
}
