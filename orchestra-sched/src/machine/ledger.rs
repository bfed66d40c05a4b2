//! [`Ledger`]: what is taken on a node, so that several schedulers do not give the same room twice.

use orchestra_core::Result;
use orchestra_core::client::ObjectName;
use orchestra_core::kinds::NodeSpec;
use orchestra_core::object::{
    Kind, Map, NoStatus, Object, OwnerReference, Quantity, Resource, Spec, Str, Timestamp, Uid,
};
use orchestra_core::store::{Key, Value};
use serde::{Deserialize, Serialize};

/// What is taken on a node: one of the node's name, owned by it.
///
/// Whoever binds a pod guards the ledger of its node at the revision that it has seen, or that there is none, and
/// writes it anew in the same transaction. So of two schedulers that both saw the same room, one is first and the
/// other has a conflict, sees what was taken, and decides again. What keeps a node from being given away twice is
/// the revision; what the ledger says is for people.
///
/// Room is all that it guards. Where a pod may be beside which others (affinity, spreading) is exact among the
/// pods of one scheduler only: another one may put a pod on another node meanwhile.
pub type Ledger = Object<LedgerSpec>;

/// What a ledger says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LedgerSpec {
    /// The scheduler that bound a pod there last.
    pub by: Str,
    /// What its pods asked for then, as that scheduler counted it: with what it had decided and not yet bound.
    pub taken: Map<Quantity>,
}

impl Spec for LedgerSpec {
    const KIND: Kind = Kind::cluster("orchestra.dev/v1", "Ledger");
    type Status = NoStatus;
}

/// The key of a node's ledger.
pub(super) fn key(node: &Str) -> Result<Key> {
    Ok(ObjectName::new(LedgerSpec::KIND, "", node.clone())?.key())
}

/// A node's ledger, as it is stored.
pub(super) fn value(node: &Str, uid: &Uid, now: Timestamp, spec: LedgerSpec) -> Result<Value> {
    let mut ledger = Ledger::default();
    ledger.spec = spec;
    let metadata = &mut ledger.metadata;
    metadata.name = node.clone();
    // One for each node, whoever writes it first.
    metadata.uid = Uid::from(&*format!("{uid}.ledger"));
    metadata.creation_timestamp = Some(now);
    metadata.generation = 1;
    // It goes with its node.
    metadata.owner_references.push(OwnerReference {
        api_version: NodeSpec::KIND.api_version().into(),
        kind: NodeSpec::KIND.name().into(),
        name: node.clone(),
        uid: uid.clone(),
        ..OwnerReference::default()
    });
    Ok(ledger.to_json()?.into())
}
