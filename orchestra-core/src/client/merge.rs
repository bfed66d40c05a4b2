//! Merging objects by their shape, as Kubernetes' structured merge does: maps entry by
//! entry, lists with keys element by element, everything else as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fields::{FieldSet, field_step, key_step, value_step};
use crate::object::schema::{Merge, Schema};

/// A place in an object: what may stand there, and how it is merged.
#[derive(Clone, Copy)]
pub(super) struct Place {
    schema: &'static Schema,
    merge: Merge,
}

/// What stands at a place, by how it is merged.
#[derive(Clone, Copy)]
pub(super) enum Form<'v> {
    /// One value, whatever is in it.
    Leaf,
    /// Entries of their own.
    Map(&'v Map<String, Value>),
    /// Elements of their own, each with a step that tells it from the others.
    List(&'v [Value], Elements),
}

/// How the elements of a list are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Elements {
    ByValue,
    ByKeys(&'static [&'static str]),
}

impl Elements {
    pub(super) fn step(self, item: &Value) -> String {
        match self {
            Self::ByValue => value_step(item),
            Self::ByKeys(names) => key_step(names, item),
        }
    }
}

impl Place {
    pub(super) const fn root(schema: &'static Schema) -> Self {
        Self { schema, merge: Merge::Granular }
    }

    pub(super) fn child(self, name: &str) -> Self {
        match self.schema.field(name) {
            Some(field) => Self { schema: field.schema, merge: field.merge },
            None => Self { schema: self.schema.child(name), merge: Merge::Granular },
        }
    }

    pub(super) fn item(self) -> Self {
        Self { schema: self.schema.item(), merge: Merge::Granular }
    }

    /// Whether a field of this name belongs to the type; other entries come and go one by one.
    fn has_field(self, name: &str) -> bool {
        self.schema.field(name).is_some()
    }

    pub(super) const fn is_struct(self) -> bool {
        matches!(self.schema, Schema::Struct(_) | Schema::OneOf(_))
    }

    pub(super) fn form(self, value: &Value) -> Form<'_> {
        let atomic = self.merge == Merge::Atomic || matches!(self.schema, Schema::Struct(it) if it.atomic);
        match (value, self.merge) {
            _ if atomic => Form::Leaf,
            (Value::Object(map), _) => Form::Map(map),
            (Value::Array(list), Merge::Set) => Form::List(list, Elements::ByValue),
            (Value::Array(list), Merge::Keyed(names)) => Form::List(list, Elements::ByKeys(names)),
            _ => Form::Leaf,
        }
    }

    /// How the elements of the list here are told apart, if they are.
    pub(super) fn elements(self, value: &Value) -> Option<Elements> {
        match self.form(value) {
            Form::List(_, elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether entries and elements of what stands here have owners of their own.
    pub(super) fn is_divided(self, value: &Value) -> bool {
        !matches!(self.form(value), Form::Leaf)
    }
}

impl<'v> Form<'v> {
    /// What stands under a name, if it is a map.
    pub(super) fn entry(self, name: &str) -> Option<&'v Value> {
        match self {
            Self::Map(map) => map.get(name),
            _ => None,
        }
    }

    /// Whether it is a map or list without anything in it, which counts as one value.
    pub(super) fn is_empty(self) -> bool {
        match self {
            Self::Leaf => false,
            Self::Map(map) => map.is_empty(),
            Self::List(list, _) => list.is_empty(),
        }
    }
}

/// The fields that somebody who says this is of a mind about.
pub(super) fn fields_of(value: &Value, place: Place) -> FieldSet {
    fn collect(value: &Value, place: Place, path: &mut Vec<String>, set: &mut FieldSet) {
        match place.form(value) {
            Form::Leaf => set.insert(path),
            Form::Map(map) => {
                for (name, value) in map {
                    path.push(field_step(name));
                    collect(value, place.child(name), path, set);
                    let is_nothing = value.as_object().is_some_and(Map::is_empty);
                    if is_nothing || !place.has_field(name) {
                        set.insert(path);
                    }
                    path.pop();
                }
            }
            Form::List(list, elements) => {
                for item in list {
                    path.push(elements.step(item));
                    collect(item, place.item(), path, set);
                    set.insert(path);
                    path.pop();
                }
            }
        }
    }
    let mut set = FieldSet::default();
    collect(value, place, &mut Vec::new(), &mut set);
    set
}

/// What is there with what somebody says put over it. Nothing is removed.
pub(super) fn merge(old: &Value, said: &Value, place: Place) -> Value {
    match (place.form(old), place.form(said)) {
        (Form::Map(old), Form::Map(said)) => {
            let mut merged = old.clone();
            leave_variant(&mut merged, said, place.schema);
            for (name, value) in said {
                let value = match merged.get(name) {
                    Some(old) => merge(old, value, place.child(name)),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Form::List(old, elements), Form::List(said, _)) => merge_lists(old, said, elements, place).into(),
        _ => said.clone(),
    }
}

/// When another variant is chosen by its name, the settings of the one before go.
fn leave_variant(merged: &mut Map<String, Value>, said: &Map<String, Value>, schema: &Schema) {
    let Schema::OneOf(it) = schema else { return };
    let Some(chosen) = it.tag.and_then(|tag| said.get(tag)).and_then(Value::as_str) else { return };
    for variant in it.variants.iter().filter(|variant| variant.value != chosen) {
        if let Some(content) = &variant.content {
            merged.remove(content.name);
        }
    }
}

/// The elements of both lists, once each: those that are said in the order in which they are said,
/// and what else is there between them where it was.
fn merge_lists(old: &[Value], said: &[Value], elements: Elements, place: Place) -> Vec<Value> {
    let steps = |list: &[Value]| list.iter().map(|item| elements.step(item)).collect::<Vec<_>>();
    let (old_steps, said_steps) = (steps(old), steps(said));
    let is_said: BTreeSet<&String> = said_steps.iter().collect();
    let mut before: BTreeMap<&String, &Value> = BTreeMap::new();
    for (step, item) in old_steps.iter().zip(old) {
        before.entry(step).or_insert(item);
    }
    let take = |at: usize| match before.get(&said_steps[at]) {
        Some(old) => merge(old, &said[at], place.item()),
        None => said[at].clone(),
    };

    let mut merged = Vec::with_capacity(old.len() + said.len());
    let (mut at_old, mut at_said) = (0, 0);
    while at_old < old.len() || at_said < said.len() {
        let next_old = old_steps.get(at_old);
        match next_old {
            // Nobody speaks of it now: it stays where it is.
            Some(step) if !is_said.contains(step) => {
                merged.push(old[at_old].clone());
                at_old += 1;
            }
            Some(step) if said_steps.get(at_said) == Some(step) => {
                merged.push(take(at_said));
                (at_old, at_said) = (at_old + 1, at_said + 1);
            }
            // It is said, but has another place now. First what is new before the next that both have.
            Some(_) if at_said < said.len() && !before.contains_key(&said_steps[at_said]) => {
                merged.push(take(at_said));
                at_said += 1;
            }
            Some(_) => at_old += 1,
            None => {
                merged.push(take(at_said));
                at_said += 1;
            }
        }
    }
    merged
}

/// What is left when that is taken away which `mine` had and nobody keeps.
///
/// A field of a struct goes with everything in it when nobody keeps anything there: what defaults
/// filled in has no owner, and makes no sense without what it stood beside.
pub(super) fn prune(value: &Value, place: Place, mine: &FieldSet, kept: &FieldSet) -> Value {
    let nothing = FieldSet::default();
    // What becomes of a child: nothing, or what is left of it.
    let child = |step: &str, value: &Value, inside: Place, is_field: bool| {
        let Some(own) = mine.get(step) else { return Some(value.clone()) };
        let others = kept.get(step);
        let owned = own.member || (is_field && !own.below.is_empty());
        let held = others.is_some_and(|it| it.member || (is_field && !it.below.is_empty()));
        if owned && !held {
            return None;
        }
        let left = prune(value, inside, &own.below, others.map_or(&nothing, |it| &it.below));
        let emptied = is_nothing(&left) && !is_nothing(value) && !others.is_some_and(|it| it.member);
        (!emptied).then_some(left)
    };
    match place.form(value) {
        Form::Leaf => value.clone(),
        Form::Map(map) => map
            .iter()
            .filter_map(|(name, value)| {
                let left = child(&field_step(name), value, place.child(name), place.has_field(name))?;
                Some((name.clone(), left))
            })
            .collect(),
        Form::List(list, elements) => list
            .iter()
            .filter_map(|item| {
                let mut left = child(&elements.step(item), item, place.item(), false)?;
                // What an element is known by stays as long as it does.
                if let (Elements::ByKeys(names), Value::Object(map)) = (elements, &mut left) {
                    for (name, key) in names.iter().filter_map(|name| Some((name, item.get(name)?))) {
                        map.entry(*name).or_insert_with(|| key.clone());
                    }
                }
                Some(left)
            })
            .collect(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Writes what somebody says as the type would write it, so that `1024Mi` is no other value than
/// `1Gi`, and gives elements of lists the keys that defaults fill in. `typed` is what the type made of
/// it. Answers with the keys that were filled in: those nobody said.
pub(super) fn settle(said: &mut Value, typed: &Value, place: Place) -> FieldSet {
    let mut filled = FieldSet::default();
    settle_at(said, typed, place, &mut Vec::new(), &mut filled);
    filled
}

fn settle_at(said: &mut Value, typed: &Value, place: Place, path: &mut Vec<String>, filled: &mut FieldSet) {
    if !place.is_divided(said) {
        if !said.is_null() {
            *said = typed.clone();
        }
        return;
    }
    let elements = place.elements(said);
    match (said, typed) {
        (Value::Object(said), Value::Object(typed)) => {
            for (name, value) in said {
                if let Some(typed) = typed.get(name) {
                    path.push(field_step(name));
                    settle_at(value, typed, place.child(name), path, filled);
                    path.pop();
                }
            }
        }
        (Value::Array(said), Value::Array(typed)) if said.len() == typed.len() => {
            for (said, typed) in said.iter_mut().zip(typed) {
                let Some(elements) = elements else { return };
                path.push(elements.step(typed));
                settle_at(said, typed, place.item(), path, filled);
                if let (Elements::ByKeys(names), Value::Object(said)) = (elements, said) {
                    for name in names.iter().filter(|name| typed.get(name).is_some()) {
                        if !said.contains_key(*name) {
                            said.insert((*name).into(), typed[*name].clone());
                            path.push(field_step(name));
                            filled.insert(path);
                            path.pop();
                        }
                    }
                }
                path.pop();
            }
        }
        _ => {}
    }
}

/// The first element of a list that stands there twice, against the rule, and the way to it.
pub(super) fn twice(value: &Value, place: Place) -> Option<FieldSet> {
    fn look(value: &Value, place: Place, path: &mut Vec<String>) -> bool {
        match place.form(value) {
            Form::Leaf => false,
            Form::Map(map) => map.iter().any(|(name, value)| {
                path.push(field_step(name));
                let found = look(value, place.child(name), path);
                if !found {
                    path.pop();
                }
                found
            }),
            Form::List(list, elements) => {
                let mut seen = BTreeSet::new();
                list.iter().any(|item| {
                    path.push(elements.step(item));
                    let found = !seen.insert(elements.step(item)) || look(item, place.item(), path);
                    if !found {
                        path.pop();
                    }
                    found
                })
            }
        }
    }
    let mut path = Vec::new();
    look(value, place, &mut path).then(|| {
        let mut set = FieldSet::default();
        set.insert(&path);
        set
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::compare::compare;
    use crate::manifest::Registry;
    use crate::object::sample::Sampler;

    /// Pairs of arbitrary objects of every kind, as their types write them.
    fn pairs() -> impl Iterator<Item = (Place, Value, Value)> {
        let registry = Registry::builtin();
        let models: Vec<_> =
            registry.kinds().filter_map(|kind| registry.model(kind.api_version(), kind.name())).collect();
        models.into_iter().flat_map(|model| {
            (0..20).filter_map(move |seed| {
                let mut sampler = Sampler::seeded(seed);
                let mut object = || model.read(&sampler.value(model.schema())).ok()?.to_value().ok();
                let place = Place::root(model.schema());
                // Lists in which an element stands twice are against the rule, and refused before.
                let (old, new) = (object()?, object()?);
                (twice(&old, place).or(twice(&new, place)).is_none()).then_some((place, old, new))
            })
        })
    }

    #[test]
    fn the_laws_hold_for_objects_of_every_kind() {
        let (mut count, nothing) = (0, FieldSet::default());
        for (place, old, new) in pairs() {
            let (of_old, of_new) = (fields_of(&old, place), fields_of(&new, place));
            assert_eq!(merge(&old, &old, place), old, "to say what is so changes nothing");
            let merged = merge(&old, &new, place);
            assert_eq!(merge(&merged, &new, place), merged, "to say it twice is to say it once");

            let none = compare(Some(&old), Some(&old), place);
            assert!(none.set.is_empty() && none.removed.is_empty());
            let made = compare(None, Some(&old), place);
            assert!(
                of_old.difference(&made.set).is_empty(),
                "what comes to be is set: {of_old:?} {:?}",
                made.set
            );

            assert_eq!(prune(&old, place, &nothing, &nothing), old, "who owns nothing takes nothing away");
            assert_eq!(prune(&old, place, &of_old, &of_old), old, "what others keep stays");
            let left = fields_of(&prune(&merged, place, &of_old, &of_new), place);
            assert!(of_old.intersection(&left).difference(&of_new).is_empty(), "what nobody keeps goes");
            count += 1;
        }
        assert!(count > 200, "{count}");
    }
}
