//! What differs between two states of an object, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::fields::{FieldSet, field_step};
use super::merge::{Form, Place};

/// What differs between two values.
#[derive(Default)]
pub(super) struct Difference {
    /// What is there now and was not, or was something else.
    pub(super) set: FieldSet,
    /// What is not there any more.
    pub(super) removed: FieldSet,
}

/// What differs between an object as it was, if there was one, and as it is.
pub(super) fn compare(old: Option<&Value>, new: Option<&Value>, place: Place) -> Difference {
    let mut difference = Difference::default();
    if old != new {
        compare_at(old, new, place, &mut Vec::new(), &mut difference);
    }
    difference
}

/// Notes what differs between two values that do.
fn compare_at(
    old: Option<&Value>,
    new: Option<&Value>,
    place: Place,
    path: &mut Vec<String>,
    out: &mut Difference,
) {
    // Nothing, and `null`, are of any form.
    let old_form = old.filter(|value| !value.is_null()).map(|value| place.form(value));
    let new_form = new.filter(|value| !value.is_null()).map(|value| place.form(value));
    let divided = match (old_form, new_form) {
        (Some(Form::Leaf), _) | (_, Some(Form::Leaf)) => false,
        (old, new) => !(old.is_none_or(Form::is_empty) && new.is_none_or(Form::is_empty)),
    };
    if divided && let (None | Some(Form::Map(_)), None | Some(Form::Map(_))) = (old_form, new_form) {
        let (before, after) = (entries(old_form), entries(new_form));
        let left = before.map(|(name, old)| (name, Some(old), new_form.and_then(|form| form.entry(name))));
        let come = after.filter(|(name, _)| old_form.is_none_or(|form| form.entry(name).is_none()));
        let come = come.map(|(name, new)| (name, None, Some(new)));
        for (name, old, new) in left.chain(come).filter(|(_, old, new)| old != new) {
            path.push(field_step(name));
            compare_at(old, new, place.child(name), path, out);
            path.pop();
        }
    } else if divided {
        let (before, after) = (children(old_form), children(new_form));
        let steps: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for step in steps {
            let ((old, inside), (new, _)) = match (before.get(step), after.get(step)) {
                (Some(old), Some(new)) => ((Some(old.0), old.1), (Some(new.0), new.1)),
                (Some(old), None) => ((Some(old.0), old.1), (None, old.1)),
                (None, Some(new)) => ((None, new.1), (Some(new.0), new.1)),
                (None, None) => continue,
            };
            if old == new {
                continue;
            }
            path.push(step.clone());
            compare_at(old, new, inside.of(place), path, out);
            path.pop();
        }
    }
    match (old, new) {
        (_, None) => out.removed.insert(path),
        // A struct does not come to be of its own, only its fields do.
        _ if divided && place.is_struct() && !path.last().is_some_and(|step| step.starts_with("k:")) => {}
        (None, Some(_)) => out.set.insert(path),
        (Some(_), Some(_)) if !divided => out.set.insert(path),
        _ => {}
    }
}

/// The entries of a map.
fn entries(form: Option<Form<'_>>) -> impl Iterator<Item = (&str, &Value)> {
    let map = match form {
        Some(Form::Map(map)) => Some(map),
        _ => None,
    };
    map.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// What is below a place, by its step.
type Children<'v> = BTreeMap<String, (&'v Value, Inside<'v>)>;

/// Which place a child stands at.
#[derive(Clone, Copy)]
enum Inside<'v> {
    Entry(&'v str),
    Item,
}

impl Inside<'_> {
    fn of(self, place: Place) -> Place {
        match self {
            Self::Entry(name) => place.child(name),
            Self::Item => place.item(),
        }
    }
}

fn children(form: Option<Form<'_>>) -> Children<'_> {
    match form {
        None | Some(Form::Leaf) => Children::new(),
        Some(Form::Map(map)) => map
            .iter()
            .map(|(name, value)| (field_step(name), (value, Inside::Entry(name.as_str()))))
            .collect(),
        Some(Form::List(list, elements)) => {
            list.iter().map(|item| (elements.step(item), (item, Inside::Item))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::Registry;
    use crate::object::sample::Sampler;
    use crate::object::schema::Schema;

    #[test]
    fn nothing_and_null_are_of_any_form() {
        let place = Place::root(&Schema::Any);
        let set = |value: Value| FieldSet::from_value(&value);
        for (old, new, changed, removed) in [
            (json!({"a": null}), json!({"a": {"b": 1}}), json!({"f:a": {"f:b": {}}}), json!({})),
            (json!({}), json!({"a": {"b": 1}}), json!({"f:a": {".": {}, "f:b": {}}}), json!({})),
            (json!({"a": {"b": 1}}), json!({}), json!({}), json!({"f:a": {".": {}, "f:b": {}}})),
            (json!({"a": {"b": 1}}), json!({"a": 2}), json!({"f:a": {}}), json!({})),
            (json!({"a": {}}), json!({"a": []}), json!({"f:a": {}}), json!({})),
            (json!({"a": {}}), json!({"a": {"b": 1}}), json!({"f:a": {"f:b": {}}}), json!({})),
            (json!({"a": [1]}), json!({"a": [2]}), json!({"f:a": {}}), json!({})),
        ] {
            let difference = compare(Some(&old), Some(&new), place);
            assert_eq!((difference.set, difference.removed), (set(changed), set(removed)), "{old} {new}");
        }
    }

    /// Whatever is there, by its step, and nothing passed over.
    fn plain(
        old: Option<&Value>,
        new: Option<&Value>,
        place: Place,
        path: &mut Vec<String>,
        out: &mut Difference,
    ) {
        if old == new {
            return;
        }
        let form = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
        let (old_value, new_value) = (form(old), form(new));
        let (before, after) =
            (old_value.as_ref().map(|it| place.form(it)), new_value.as_ref().map(|it| place.form(it)));
        let is_leaf = |form: Option<Form<'_>>| matches!(form, Some(Form::Leaf));
        let is_empty = |form: Option<Form<'_>>| form.is_none_or(Form::is_empty);
        let is_whole = is_leaf(before) || is_leaf(after) || (is_empty(before) && is_empty(after));
        let divided = !is_whole;
        if divided {
            let (before, after) = (children(before), children(after));
            for step in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                let Some((_, inside)) = before.get(step).or(after.get(step)) else { continue };
                path.push(step.clone());
                let [old, new] = [&before, &after].map(|list| list.get(step).map(|(value, _)| *value));
                plain(old, new, inside.of(place), path, out);
                path.pop();
            }
        }
        let is_new_struct =
            divided && place.is_struct() && !path.last().is_some_and(|it| it.starts_with("k:"));
        match (old, new) {
            (_, None) => out.removed.insert(path),
            (None, Some(_)) if !is_new_struct => out.set.insert(path),
            (Some(_), Some(_)) if !divided => out.set.insert(path),
            _ => {}
        }
    }

    #[test]
    fn nothing_is_passed_over() {
        let registry = Registry::builtin();
        let mut count = 0;
        for kind in registry.kinds() {
            let Some(model) = registry.model(kind.api_version(), kind.name()) else { continue };
            let place = Place::root(model.schema());
            for seed in 0..20 {
                let mut sampler = Sampler::seeded(seed);
                let [old, new] = [(); 2].map(|()| sampler.value(model.schema()));
                let mut expected = Difference::default();
                plain(Some(&old), Some(&new), place, &mut Vec::new(), &mut expected);
                let difference = compare(Some(&old), Some(&new), place);
                assert_eq!(difference.set, expected.set, "{old} {new}");
                assert_eq!(difference.removed, expected.removed, "{old} {new}");
                count += usize::from(!difference.removed.is_empty());
            }
        }
        assert!(count > 200, "{count}");
    }
}
