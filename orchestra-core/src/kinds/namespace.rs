//! [`Namespace`]: a room of names, within which most objects live.

use orchestra_macros::wire;

use crate::object::names::{self, Verdict};
use crate::object::schema::Schema;
use crate::object::wire::Wire;
use crate::object::{At, Condition, Kind, Object, Spec, Str};

/// A room of names, within which most objects live.
pub type Namespace = Object<NamespaceSpec>;

/// The label by which a namespace is selected by its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

impl Spec for NamespaceSpec {
    const KIND: Kind = Kind::cluster("v1", "Namespace");
    type Status = NamespaceStatus;
    const SCHEMA: &'static Schema = <Self as Wire>::SCHEMA;
    const STATUS_SCHEMA: &'static Schema = NamespaceStatus::SCHEMA;

    fn fill_in(namespace: &mut Namespace) {
        // One whose name is yet to be made has nothing to be labelled with.
        if !namespace.metadata.name.is_empty() {
            let name = namespace.metadata.name.clone();
            namespace.metadata.labels.insert(NAME_LABEL, name);
        }
        if namespace.status.phase == NamespacePhase::Unset {
            namespace.status.phase = NamespacePhase::Active;
        }
    }

    fn check(namespace: &Namespace, at: &At<'_>) {
        at.field("spec").each("finalizers", &namespace.spec.finalizers, |at, finalizer| {
            at.check(names::qualified_name(finalizer))
        });
    }

    fn check_name(name: &str) -> Verdict {
        names::dns_label(name)
    }
}

/// What is desired of a namespace.
#[wire(spec)]
pub struct NamespaceSpec {
    /// Who must have emptied it before it goes.
    #[wire(atomic)]
    pub finalizers: Vec<Str>,
}

/// What is observed of a namespace.
#[wire]
pub struct NamespaceStatus {
    /// How far its life has come.
    pub phase: NamespacePhase,
    /// What is known of it at a glance.
    #[wire(keys(type))]
    pub conditions: Vec<Condition>,
}

/// How far a namespace's life has come.
#[wire]
pub enum NamespacePhase {
    /// Not observed yet.
    #[default]
    #[wire(name = "")]
    Unset,
    /// It can be used.
    Active,
    /// It is being emptied and then goes.
    Terminating,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds::test::{check_table, problems};

    #[test]
    fn it_is_labelled_with_its_name() {
        let namespace = Namespace::new("prod").build().unwrap();
        assert_eq!(namespace.metadata.labels[NAME_LABEL], "prod");
        assert_eq!(namespace.status.phase, NamespacePhase::Active);
    }

    #[test]
    fn what_is_wrong_is_said() {
        check_table::<NamespaceSpec>(&[(
            json!({"finalizers": ["a b"]}),
            "spec.finalizers[0]: `a b` must be",
        )]);
        let dotted = problems(&Namespace::new("a.b").build().unwrap());
        assert!(dotted.contains("metadata.name: `a.b` must be"), "{dotted}");
    }
}
