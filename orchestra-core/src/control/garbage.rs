//! Garbage: what becomes of an object when those are gone that own it.
//!
//! As in Kubernetes: an object goes when all its owners are gone. Whoever deletes an owner says what comes
//! first. In the background, the owner goes, and then what it owns. In the foreground, the owner waits
//! for what it owns and what says that it is to be waited for. Orphans stay, and are owned no more.

use super::Watched;
use super::changes::CachedObject;
use super::plan::{Act, Op, Plan};
use super::view::View;
use crate::client::{Delete, Dependents, ObjectName, Part, Patch};
use crate::object::{Metadata, OwnerReference, Str};
use crate::store::{Expect, Key};

/// By which a deleted object waits for what it owns.
const FOREGROUND: &str = "foregroundDeletion";
/// By which a deleted object waits until nothing is owned by it any more.
const ORPHAN: &str = "orphan";

/// How many objects are let go or deleted in one plan; the rest is in the next.
const AT_ONCE: usize = 1000;

/// Whether anything can be due, as far as the object itself shows.
pub(super) fn concerns(metadata: &Metadata) -> bool {
    !metadata.owner_references.is_empty() || (metadata.is_deleting() && waits(metadata))
}

fn has(metadata: &Metadata, finalizer: &str) -> bool {
    metadata.finalizers.iter().any(|its| *its == finalizer)
}

fn waits(metadata: &Metadata) -> bool {
    has(metadata, FOREGROUND) || has(metadata, ORPHAN)
}

/// Whether it waits for what it owns to go first.
fn goes_last(metadata: &Metadata) -> bool {
    metadata.is_deleting() && has(metadata, FOREGROUND)
}

/// What is due of an object, and what else must be so when it is done.
pub(super) struct Due {
    pub(super) plan: Plan,
    /// The owners that are gone are still gone.
    pub(super) guards: Vec<(Key, Expect)>,
}

impl From<Plan> for Due {
    fn from(plan: Plan) -> Self {
        Self { plan, guards: Vec::new() }
    }
}

/// Whether an object waits for what it owns: then all that it may own must have been looked for before.
pub(super) fn waits_for_what_it_owns(metadata: &Metadata) -> bool {
    metadata.is_deleting() && waits(metadata)
}

/// What is due of an object.
pub(super) fn garbage(object: &dyn CachedObject, watched: Watched, view: &View<'_>) -> Due {
    let metadata = object.metadata();
    let Some(this) = Target::new(watched, metadata) else { return Plan::new().into() };
    if metadata.is_deleting() && has(metadata, ORPHAN) {
        return orphan(&this, view).into();
    }
    if goes_last(metadata) {
        return foreground(&this, view).into();
    }
    if metadata.is_deleting() { Plan::new().into() } else { disowned(&this, view) }
}

/// What it owns is let go; then it may go itself.
fn orphan(this: &Target<'_>, view: &View<'_>) -> Plan {
    let owned = view.dependents(&this.metadata.uid);
    let let_go = owned.iter().filter_map(|(watched, object)| {
        let target = Target::new(*watched, object.metadata())?;
        let rest = target.metadata.owner_references.iter().filter(|owner| owner.uid != this.metadata.uid);
        Some(target.with_owners(rest))
    });
    let plan = let_go.take(AT_ONCE).fold(Plan::new(), Plan::with_op);
    if plan.is_empty() { plan.with_op(this.without_finalizer(ORPHAN)) } else { plan }
}

/// What it owns goes; when nothing is left for which it is to wait, it goes itself.
fn foreground(this: &Target<'_>, view: &View<'_>) -> Plan {
    let owned = view.dependents(&this.metadata.uid);
    let blocks = |metadata: &Metadata| {
        metadata
            .owner_references
            .iter()
            .any(|owner| owner.uid == this.metadata.uid && owner.block_owner_deletion)
    };
    let is_waited_for = owned.iter().any(|(_, object)| blocks(object.metadata()));
    let rest = owned.iter().filter(|(_, object)| !object.metadata().is_deleting());
    let rest = rest.filter_map(|(watched, object)| Target::new(*watched, object.metadata()));
    // What is owned by somebody else as well is let go by its own look.
    let alone = rest.filter(|target| target.metadata.owner_references.len() == 1);
    let gone = alone.take(AT_ONCE).map(|target| target.gone(Dependents::Foreground));
    let plan = gone.fold(Plan::new(), Plan::with_op);
    if is_waited_for { plan } else { plan.with_op(this.without_finalizer(FOREGROUND)) }
}

/// It goes if nobody is left who owns it; otherwise it forgets those who are gone.
fn disowned(this: &Target<'_>, view: &View<'_>) -> Due {
    let owners = &this.metadata.owner_references;
    let states: Vec<Owner> = owners.iter().map(|owner| look_up(owner, this, view)).collect();
    let guards = states.iter().filter_map(|state| match state {
        Owner::Gone(key, expect) => Some((key.clone(), *expect)),
        Owner::Stays | Owner::Waits => None,
    });
    let guards = guards.collect();
    if states.contains(&Owner::Stays) {
        let kept = owners.iter().zip(&states).filter(|(_, state)| **state == Owner::Stays);
        let kept: Vec<_> = kept.map(|(owner, _)| owner).collect();
        if kept.len() == owners.len() {
            return Plan::new().into();
        }
        return Due { plan: Plan::new().with_op(this.with_owners(kept.into_iter())), guards };
    }
    let how = match states.contains(&Owner::Waits) && !view.dependents(&this.metadata.uid).is_empty() {
        true => Dependents::Foreground,
        false => Dependents::Background,
    };
    Due { plan: Plan::new().with_op(this.gone(how)), guards }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// It is there, or nobody can tell.
    Stays,
    /// It is being deleted, and waits for what it owns.
    Waits,
    /// It is not there, or another of its name is: as long as its key stands so.
    Gone(Key, Expect),
}

fn look_up(owner: &OwnerReference, of: &Target<'_>, view: &View<'_>) -> Owner {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    // Of a kind that is not in the cache nobody can tell whether it is there.
    let Some(watched) = view.kind(group, &owner.kind) else { return Owner::Stays };
    let namespace = match (watched.kind().is_namespaced(), of.name.kind().is_namespaced()) {
        (false, _) => Str::EMPTY,
        (true, true) => of.metadata.namespace.clone(),
        // What belongs to the cluster cannot be owned by what is in a namespace: nobody knows in which.
        (true, false) => return Owner::Stays,
    };
    let Ok(name) = ObjectName::new(watched.kind(), namespace, owner.name.clone()) else {
        return Owner::Stays;
    };
    match view.look_up(watched, &name) {
        Some(found) if found.metadata().uid != owner.uid => {
            Owner::Gone(name.key(), Expect::At(found.metadata().resource_version))
        }
        Some(found) if goes_last(found.metadata()) => Owner::Waits,
        Some(_) => Owner::Stays,
        // What cannot be read may well be the owner.
        None if view.is_unreadable(watched, &name) => Owner::Stays,
        None => Owner::Gone(name.key(), Expect::Absent),
    }
}

/// An object as it was seen, of whichever kind.
struct Target<'a> {
    watched: Watched,
    name: ObjectName,
    metadata: &'a Metadata,
}

impl<'a> Target<'a> {
    fn new(watched: Watched, metadata: &'a Metadata) -> Option<Self> {
        let name = ObjectName::new(watched.kind(), metadata.namespace.clone(), metadata.name.clone()).ok()?;
        Some(Self { watched, name, metadata })
    }

    fn op(&self, act: Act) -> Op {
        Op::seen(self.watched, self.name.clone(), self.metadata, act)
    }

    fn gone(&self, dependents: Dependents) -> Op {
        let how = Delete::default().uid(self.metadata.uid.clone()).dependents(dependents);
        self.op(Act::Delete { how })
    }

    fn with_owners<'o>(&self, owners: impl Iterator<Item = &'o OwnerReference>) -> Op {
        let owners: Vec<_> = owners.collect();
        let patch = Patch::merge(serde_json::json!({ "metadata": { "ownerReferences": owners } }));
        self.op(Act::Patch { patch, part: Part::Main })
    }

    fn without_finalizer(&self, name: &str) -> Op {
        let list = self.metadata.finalizers.iter().filter(|its| *its != name).cloned().collect();
        self.op(Act::Finalizer { name: name.into(), present: false, list })
    }
}
