//! Whether a plan makes sense: within its limits, and at one with itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Act, Contradiction, MOST_CHANGES, Op, Plan, PlanError};
use crate::client::{ObjectName, Part};
use crate::object::{FieldPath, Str};
use crate::store::Limits;

/// How much a plan may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanLimits {
    /// Changes altogether: [`MOST_CHANGES`] at most, and by default.
    pub changes: usize,
    /// Changes in one transaction, as the store's [`Limits::operations`] says.
    pub at_once: usize,
}

impl PlanLimits {
    /// The default: [`MOST_CHANGES`], and what every store takes at once.
    pub const DEFAULT: Self = Self::of_store(&Limits::DEFAULT);

    /// Guards that a transaction has beside those of its changes: of the object for which it is planned,
    /// and of the leader's term.
    const GUARDS: usize = 2;

    /// What a store takes at once.
    #[must_use]
    pub const fn of_store(limits: &Limits) -> Self {
        Self { changes: MOST_CHANGES, at_once: limits.operations.saturating_sub(Self::GUARDS) }
    }

    /// So many changes altogether.
    #[must_use]
    pub const fn changes(self, changes: usize) -> Self {
        Self { changes, ..self }
    }
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a plan wants of one object: the step that said so first, from 1.
#[derive(Default)]
struct Wants<'p> {
    ensured: Option<(usize, &'p Op)>,
    deleted: Option<usize>,
    /// Who is to be waited for, or not.
    finalizers: Vec<(usize, &'p Str, bool)>,
    /// What the fields are set to that are patched.
    fields: BTreeMap<Place, Field>,
    /// The last step that changes it.
    last: usize,
}

/// A place in one part of an object: step by step, so that what lies below a place comes after it.
type Place = (bool, Vec<String>);

struct Field {
    step: usize,
    path: FieldPath,
    value: Option<Value>,
    /// Whether it is the list of finalizers, which several steps add to.
    is_shared: bool,
}

impl Plan {
    /// Says what is wrong with the plan, if anything is: what could not be built, what is too much, what
    /// contradicts itself. A plan is [settled](Self::settle) first, so that one object has one name.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, limits: &PlanLimits) -> Result<(), PlanError> {
        if let Some(wrong) = self.wrong() {
            return Err(wrong.clone());
        }
        let limit = limits.changes.min(MOST_CHANGES);
        if self.changes() > limit {
            return Err(PlanError::TooLong { changes: self.changes(), limit });
        }
        for (at, step) in self.steps().iter().enumerate() {
            let changes = step.ops().len();
            if changes > limits.at_once {
                return Err(PlanError::TooManyAtOnce { step: at + 1, changes, limit: limits.at_once });
            }
        }
        // One change contradicts nothing.
        if self.changes() < 2 {
            return Ok(());
        }
        let mut objects: BTreeMap<&ObjectName, Wants<'_>> = BTreeMap::new();
        for (at, step) in self.steps().iter().enumerate() {
            for op in step.ops() {
                objects.entry(op.object()).or_default().want(at + 1, op)?;
            }
        }
        Ok(())
    }
}

impl<'p> Wants<'p> {
    fn want(&mut self, step: usize, op: &'p Op) -> Result<(), PlanError> {
        let against = |first: usize, what: Contradiction| {
            Err(PlanError::Contradiction { object: op.object().to_string(), first, second: step, what })
        };
        match op.act() {
            Act::Ensure { .. } => {
                if let Some(first) = self.deleted {
                    return against(first, Contradiction::EnsuredAndDeleted);
                }
                match self.ensured {
                    Some((first, other)) if other.act() != op.act() => {
                        return against(first, Contradiction::EnsuredTwice);
                    }
                    _ => self.ensured = Some((step, op)),
                }
            }
            Act::Delete { .. } => {
                if let Some((first, _)) = self.ensured {
                    return against(first, Contradiction::EnsuredAndDeleted);
                }
                if let Some(first) = self.deleted.replace(step) {
                    return against(first, Contradiction::DeletedTwice);
                }
            }
            Act::Finalizer { name, present, .. } => {
                let opposite = self.finalizers.iter().find(|(_, its, is)| *its == name && is != present);
                if let Some((first, ..)) = opposite {
                    return against(*first, Contradiction::Finalizer(name.to_string()));
                }
                self.finalizers.push((step, name, *present));
                self.set(step, op, false, true)?;
            }
            Act::Patch { part, .. } => self.set(step, op, *part == Part::Status, false)?,
        }
        if self.last == step {
            return against(step, Contradiction::TwiceAtOnce);
        }
        self.last = step;
        Ok(())
    }

    /// Notes what a step sets fields to, unless an earlier one sets them otherwise.
    fn set(&mut self, step: usize, op: &Op, is_status: bool, is_shared: bool) -> Result<(), PlanError> {
        let mut fields = Vec::new();
        for (path, value) in op.places() {
            let steps: Vec<String> = path.segments().iter().map(ToString::to_string).collect();
            // Two elements at the end of a list stand beside each other.
            if steps.last().is_some_and(|last| last == "-") {
                continue;
            }
            let (place, field) = ((is_status, steps), Field { step, path, value, is_shared });
            if let Some(first) = self.set_otherwise(&place, &field) {
                let what = Contradiction::SetTwice(field.path);
                let object = op.object().to_string();
                return Err(PlanError::Contradiction { object, first, second: step, what });
            }
            fields.push((place, field));
        }
        // Within one patch, operations follow one another as they are meant to.
        self.fields.extend(fields);
        Ok(())
    }

    /// The earlier step that sets a place to something else, or one above or below it.
    fn set_otherwise(&self, place: &Place, field: &Field) -> Option<usize> {
        // An empty map is merged with what is there.
        let merges = |field: &Field| matches!(&field.value, Some(Value::Object(map)) if map.is_empty());
        let (part, steps) = place;
        let above = (0..steps.len()).filter_map(|end| self.fields.get(&(*part, steps[..end].to_vec())));
        let same = self.fields.get(place).filter(|other| !(other.is_shared && field.is_shared));
        let below = self
            .fields
            .range(place.clone()..)
            .take_while(|((its, all), _)| its == part && all.starts_with(steps))
            .find(|(other, _)| *other != place)
            .map(|(_, field)| field);
        let above = above.into_iter().find(|field| !merges(field));
        let same = same.filter(|other| other.value != field.value);
        above.or(same).or(below.filter(|_| !merges(field))).map(|field| field.step)
    }
}
