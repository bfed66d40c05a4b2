//! The verbs with which a plan is built.

use serde::Serialize;
use serde_json::{Map, Value};

use super::diff::{difference, tree_of};
use super::op::Target;
use super::{Act, Ensure, Expected, Note, Noted, Op, Ops, Plan, PlanError, Step};
use crate::client::{Delete, Part, Patch};
use crate::control::Effect;
use crate::object::fields::Node;
use crate::object::{Condition, Object, Resource, Spec, Str, Timestamp};

impl Plan {
    /// Sees to it that these fields are so: an [`Apply`](crate::object::Apply) says exactly the fields
    /// that were set, a whole object all that it has but its status. An object that is not there is made.
    ///
    /// The fields belong to the controller then, also if others had set them otherwise: a controller
    /// cannot ask anybody what is meant, so what is to be left to others is not said. A field that the
    /// controller said before and does not say any more goes, so all fields of an object must be said in
    /// one `ensure`.
    pub fn ensure(self, what: impl Ensure) -> Self {
        self.ensuring(what, true)
    }

    /// The same, but where others have set one of the fields otherwise, it is an error of the step, and
    /// nothing of it is made.
    pub fn ensure_unless_owned(self, what: impl Ensure) -> Self {
        self.ensuring(what, false)
    }

    /// [Ensures](Self::ensure) each of several objects, in a step each.
    pub fn ensure_each<E: Ensure>(self, all: impl IntoIterator<Item = E>) -> Self {
        all.into_iter().fold(self, Self::ensure)
    }

    fn ensuring<E: Ensure>(self, what: E, force: bool) -> Self {
        match what.into_fields() {
            Ok(fields) => {
                let text = |name| {
                    fields.at(&["metadata", name]).and_then(Node::as_text).cloned().unwrap_or_default()
                };
                let target = Target::named::<E::Resource>(text("namespace"), text("name"));
                self.with(target, Act::Ensure { fields, force })
            }
            Err(error) => {
                let object = E::Resource::KIND.name().into();
                self.without(PlanError::Unusable { object, reason: error.to_string() })
            }
        }
    }

    /// Changes an object as it was seen. Only the difference is written; its status, if that is
    /// different, in a step of its own.
    ///
    /// The closure is given a copy and may do anything to it but make another object of it.
    pub fn edit<R: Resource>(self, object: &R, edit: impl FnOnce(&mut R)) -> Self {
        let mut edited = object.clone();
        edit(&mut edited);
        let (before, after) = match (tree_of(object), tree_of(&edited)) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(reason), _) | (_, Err(reason)) => return self.unusable(object, reason),
        };
        let is_another = |name: &str| before["metadata"].get(name) != after["metadata"].get(name);
        for name in ["name", "namespace", "uid"] {
            if is_another(name) {
                let reason = format!("an edit cannot change metadata.{name}: that is another object");
                return self.unusable(object, reason);
            }
        }
        let (main, status) = difference(before, after, R::has_status());
        let this = match main {
            Some(patch) => self.with(Target::seen(object), Act::Patch { patch, part: Part::Main }),
            None => self,
        };
        match status {
            Some(patch) => this.with(Target::seen(object), Act::Patch { patch, part: Part::Status }),
            None => this,
        }
    }

    /// Changes an object as it was seen, by a patch; its status stays.
    pub fn patch<R: Resource>(self, object: &R, patch: Patch) -> Self {
        self.with(Target::seen(object), Act::Patch { patch, part: Part::Main })
    }

    /// Changes an object's status as it was seen, by a patch; all else stays.
    pub fn patch_status<R: Resource>(self, object: &R, patch: Patch) -> Self {
        self.with(Target::seen(object), Act::Patch { patch, part: Part::Status })
    }

    /// Says what is observed of an object. Only the difference to what its status was is written, and
    /// nothing at all when there is none.
    pub fn status<S: Spec>(self, object: &Object<S>, status: S::Status) -> Self {
        if status == object.status {
            return self;
        }
        let trees = if object.unknown().is_empty() {
            status_tree(&object.status).and_then(|before| Ok((before, status_tree(&status)?)))
        } else {
            // What the type does not know in lists of the status is put back where it belongs.
            let mut after = object.clone();
            after.status = status;
            tree_of(object).and_then(|before| Ok((before, tree_of(&after)?)))
        };
        match trees.map(|(before, after)| difference(before, after, true).1) {
            Ok(Some(patch)) => self.with(Target::seen(object), Act::Patch { patch, part: Part::Status }),
            Ok(None) => self,
            Err(reason) => self.unusable(object, reason),
        }
    }

    /// Sets one condition in the list `conditions` of an object's status: in the place of the one of
    /// its type, if there is one. The time of the transition is `now` when it begins or ceases to hold,
    /// and stays as it is otherwise; when nothing changes, nothing is written. Further conditions of the
    /// object go into the same step, and so does a [`status`](Self::status) before it.
    pub fn condition<S: Spec>(
        mut self,
        object: &Object<S>,
        condition: Condition,
        now: impl Into<Timestamp>,
    ) -> Self {
        let target = match Target::seen(object) {
            Ok(target) => target,
            Err(wrong) => return self.without(wrong),
        };
        let before = match status_of(object) {
            Ok(before) => before,
            Err(reason) => return self.unusable(object, reason),
        };
        // What this plan has made of the status so far.
        let earlier = self.last_status(&target);
        let mut after = before.clone();
        if let Some((_, patch)) = earlier {
            match patch.apply(after, target.object()) {
                Ok(patched) => after = patched,
                Err(error) => return self.unusable(object, error.to_string()),
            }
        }
        match super::diff::set_condition::<S>(&mut after, condition, now.into()) {
            Ok(false) => return self,
            Ok(true) => {}
            Err(reason) => return self.unusable(object, reason),
        }
        let earlier = earlier.map(|(at, _)| at);
        let patch = difference(before, after, true).1;
        match (earlier, patch) {
            (Some(at), Some(patch)) => {
                if let Some(op) = self.steps[at].ops_mut().first_mut() {
                    op.act = Act::Patch { patch, part: Part::Status };
                }
                self
            }
            (Some(at), None) => {
                self.steps.remove(at);
                self.changes = self.changes.saturating_sub(1);
                self
            }
            (None, Some(patch)) => self.with(Ok(target), Act::Patch { patch, part: Part::Status }),
            (None, None) => self,
        }
    }

    /// The step of mine that writes this object's status, and how.
    fn last_status(&self, target: &Target) -> Option<(usize, &Patch)> {
        self.steps.iter().enumerate().rev().find_map(|(at, step)| match &step.0 {
            Ops::One(Op { act: Act::Patch { patch, part: Part::Status }, target: its, .. })
                if its.object() == target.object() =>
            {
                Some((at, patch))
            }
            _ => None,
        })
    }

    /// Deletes an object as it was seen: this very object, at the revision at which it was seen.
    pub fn delete<R: Resource>(self, object: &R) -> Self {
        self.delete_with(object, Delete::default())
    }

    /// The same, and says how.
    pub fn delete_with<R: Resource>(self, object: &R, how: Delete) -> Self {
        let how = how.uid(object.uid().clone());
        self.with(Target::seen(object), Act::Delete { how })
    }

    /// Adds a finalizer to an object, so that it does not go before it was [taken
    /// away](Self::remove_finalizer) again. Nothing is written when it is there already.
    pub fn finalizer<R: Resource>(self, object: &R, name: impl Into<Str>) -> Self {
        self.finalizing(object, name.into(), true)
    }

    /// Takes a finalizer away from an object. Nothing is written when it is not there.
    pub fn remove_finalizer<R: Resource>(self, object: &R, name: impl Into<Str>) -> Self {
        self.finalizing(object, name.into(), false)
    }

    fn finalizing<R: Resource>(self, object: &R, name: Str, present: bool) -> Self {
        if object.metadata().finalizers.contains(&name) == present {
            return self;
        }
        let target = match Target::seen(object) {
            Ok(target) => target,
            Err(wrong) => return self.without(wrong),
        };
        // A list is written as a whole, so it starts from what this plan has made of it so far.
        let earlier = self.steps.iter().rev().flat_map(Step::ops).find_map(|op| match &op.act {
            Act::Finalizer { list, .. } if op.target.object() == target.object() => Some(list),
            _ => None,
        });
        let mut list = earlier.unwrap_or(&object.metadata().finalizers).clone();
        match list.iter().position(|its| *its == name) {
            Some(_) if present => return self,
            Some(at) => drop(list.remove(at)),
            None => list.push(name.clone()),
        }
        self.with(Ok(target), Act::Finalizer { name, present, list })
    }

    /// Tells people what happened to an object. Events are no steps: they are told once the steps are
    /// made, and those that are alike become one.
    pub fn event<R: Resource>(mut self, object: &R, note: Note) -> Self {
        self.push_note(Noted::about(object, note));
        self
    }

    /// Asks a handler for something in the world outside, on behalf of an object. That the object has
    /// the [finalizer](Effect::finalizer) of such effects comes first; then the intent is written down,
    /// as an [`EffectRequest`](crate::control::EffectRequest) that the object owns.
    pub fn effect<R: Resource>(self, object: &R, effect: Effect) -> Self {
        if let Err(reason) = effect.check(object) {
            return self.unusable(object, reason);
        }
        let finalizer = Effect::finalizer(effect.handler());
        self.finalizer(object, finalizer).ensure(effect.request(object))
    }

    /// Puts what is in no namespace though its kind has them into this one: that of the object for
    /// which the plan was made.
    pub fn settle(&mut self, namespace: &str) {
        for op in self.steps.iter_mut().flat_map(Step::ops_mut) {
            if let Err(wrong) = op.settle(namespace) {
                self.wrong.get_or_insert(Box::new(wrong));
            }
        }
        for noted in &mut self.notes {
            noted.settle(namespace);
        }
    }

    fn with(mut self, target: Result<Target, PlanError>, act: Act) -> Self {
        match target {
            Ok(target) => self.push(Op { target, act }),
            Err(wrong) => self.refuse(wrong),
        }
        self
    }

    fn without(mut self, wrong: PlanError) -> Self {
        self.refuse(wrong);
        self
    }

    fn unusable<R: Resource>(self, object: &R, reason: String) -> Self {
        self.without(PlanError::unusable(object, reason))
    }
}

/// A tree with nothing but an object's status, every field of it.
fn status_of<S: Spec>(object: &Object<S>) -> Result<Value, String> {
    if !object.unknown().is_empty() {
        let mut tree = tree_of(object)?;
        if let Some(status) = tree.get_mut("status").map(Value::take) {
            return status_tree(&status);
        }
    }
    status_tree(&object.status)
}

/// A tree with nothing but a status.
fn status_tree<S: Serialize>(status: &S) -> Result<Value, String> {
    let status = serde_json::to_value(status).map_err(|error| error.to_string())?;
    Ok(Value::Object(Map::from_iter([("status".to_owned(), status)])))
}

impl Expected {
    /// How an object was seen.
    pub(super) fn seen<R: Resource>(object: &R) -> Self {
        match object.metadata().resource_version {
            revision if revision.0 == 0 => Self::Unread,
            revision => Self::At(revision),
        }
    }
}
