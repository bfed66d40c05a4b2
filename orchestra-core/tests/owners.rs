//! Who owns what after any sequence of changes, held against a slow and obvious model: for each field
//! its value, and the set of those who own it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use orchestra_core::Error;
use orchestra_core::client::{By, Change, FieldSet, ObjectName, Outcome, Patch, Policy, prepare, read};
use orchestra_core::kinds::ConfigMap;
use orchestra_core::object::{Model, Resource, Timestamp, Uid};
use orchestra_core::store::{Entry, Revision, Write};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A field: a label, an entry, or an entry of a map that the type does not have.
type Field = (u8, u8);
type Fields = BTreeMap<Field, u8>;

#[derive(Clone, Debug)]
enum Step {
    Apply { manager: u8, fields: Fields, force: bool },
    Patch { manager: u8, fields: BTreeMap<Field, Option<u8>> },
}

/// Whoever owns something: by applying or not.
type Owner = (u8, bool);

#[derive(Clone, Debug, Default, PartialEq)]
struct Obvious {
    fields: BTreeMap<Field, (u8, BTreeSet<Owner>)>,
}

impl Obvious {
    /// Answers with the conflicts, if there are any that count.
    fn step(&mut self, step: &Step) -> BTreeSet<(Field, Owner)> {
        match step {
            Step::Apply { manager, fields, force } => {
                let me = (*manager, true);
                let mut conflicts = BTreeSet::new();
                for (field, value) in fields {
                    if let Some((there, owners)) = self.fields.get(field).filter(|(there, _)| there != value)
                    {
                        let _ = there;
                        conflicts.extend(
                            owners.iter().filter(|owner| **owner != me).map(|owner| (*field, *owner)),
                        );
                    }
                }
                if !conflicts.is_empty() && !force {
                    return conflicts;
                }
                for (field, value) in fields {
                    let (there, owners) = self.fields.entry(*field).or_insert((*value, BTreeSet::new()));
                    if there != value {
                        (*there, *owners) = (*value, BTreeSet::new());
                    }
                    owners.insert(me);
                }
                self.fields.retain(|field, (_, owners)| {
                    let left = !fields.contains_key(field) && owners.remove(&me);
                    !(left && owners.is_empty())
                });
            }
            Step::Patch { manager, fields } => {
                for (field, value) in fields {
                    match (value, self.fields.get_mut(field)) {
                        (None, _) => drop(self.fields.remove(field)),
                        (Some(value), Some((there, _))) if there == value => {}
                        (Some(value), _) => {
                            drop(self.fields.insert(*field, (*value, [(*manager, false)].into())));
                        }
                    }
                }
            }
        }
        BTreeSet::new()
    }
}

/// Where the fields of each sort stand: labels, entries, and what the type does not have.
const MAPS: [&[&str]; 3] = [&["metadata", "labels"], &["data"], &["mood", "of"]];

fn tree<V: Clone + Into<Value>>(fields: impl IntoIterator<Item = (Field, V)>) -> Map<String, Value> {
    let mut tree = json!({ "metadata": { "name": "c" } });
    for ((map, key), value) in fields {
        let place = MAPS[usize::from(map)].iter().fold(&mut tree, |tree, name| &mut tree[*name]);
        place[format!("k{key}")] = value.into();
    }
    let Value::Object(tree) = tree else { panic!() };
    tree
}

fn path_of((map, key): Field) -> String {
    format!("{}.k{key}", MAPS[usize::from(map)].join("."))
}

fn change(step: &Step, at: i64) -> Change {
    let model = Model::of::<ConfigMap>();
    let name = ObjectName::new(ConfigMap::KIND, "", "c").unwrap();
    let by = |manager: &u8| By {
        manager: format!("m{manager}").into(),
        now: Timestamp::from_unix(at),
        uid: Uid::from_u128(1),
    };
    match step {
        Step::Apply { manager, fields, force } => {
            let fields = tree(fields.iter().map(|(field, value)| (*field, format!("v{value}"))));
            Change::apply(model, fields, *force, by(manager)).unwrap()
        }
        Step::Patch { manager, fields } => {
            let value = |value: &Option<u8>| value.map_or(Value::Null, |value| format!("v{value}").into());
            let patch = tree(fields.iter().map(|(field, it)| (*field, value(it))));
            Change::patch(model, name, Patch::merge(Value::Object(patch)), by(manager))
        }
    }
}

fn owners_in(object: &ConfigMap, field: Field) -> BTreeSet<Owner> {
    let entries = object.metadata.managed_fields.entries();
    let entries = entries.iter().filter(|entry| {
        FieldSet::parse(&entry.fields_v1).paths().iter().any(|path| path.to_string() == path_of(field))
    });
    let owner = |manager: &str| manager.strip_prefix('m').and_then(|number| number.parse().ok());
    entries.filter_map(|entry| Some((owner(&entry.manager)?, entry.operation == "Apply"))).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let field = || (0..3u8, 0..3u8);
    let apply = (0..3u8, prop::collection::btree_map(field(), 0..3u8, 0..6), prop::bool::weighted(0.3))
        .prop_map(|(manager, fields, force)| Step::Apply { manager, fields, force });
    let patch = (0..3u8, prop::collection::btree_map(field(), prop::option::of(0..3u8), 1..4))
        .prop_map(|(manager, fields)| Step::Patch { manager, fields });
    prop::collection::vec(prop_oneof![3 => apply, 1 => patch], 1..14)
}

proptest! {
    #[test]
    fn everybody_owns_what_the_obvious_model_says(steps in steps()) {
        let first = json!({ "metadata": { "name": "c" }, "mood": { "of": { "base": "x" } } });
        let by = By { manager: "base".into(), now: Timestamp::from_unix(0), uid: Uid::from_u128(1) };
        let create = Change::create(Model::of::<ConfigMap>(), first, "", by).unwrap();
        let mut entry = commit(&create, None).unwrap().unwrap();
        let mut obvious = Obvious::default();
        for (at, step) in steps.iter().enumerate() {
            let before = obvious.clone();
            let expected = obvious.step(step);
            match commit(&change(step, i64::try_from(at).unwrap() + 1), Some(&entry)) {
                Ok(Some(next)) => {
                    prop_assert!(expected.is_empty(), "{step:?} should be refused: {expected:?}");
                    entry = next;
                }
                Ok(None) => prop_assert_eq!(&before, &obvious, "{:?} changed nothing", step),
                Err(Error::Owned { conflicts, .. }) => {
                    let found: BTreeSet<_> = conflicts.0.iter().map(|it| (it.path.to_string(), it.manager.to_string(), it.operation == "Apply")).collect();
                    let expected: BTreeSet<_> = expected.iter().map(|(field, (manager, applies))| (path_of(*field), format!("m{manager}"), *applies)).collect();
                    prop_assert_eq!(found, expected, "{:?}", step);
                }
                Err(error) => prop_assert!(false, "{step:?}: {error}"),
            }
            let object: ConfigMap = read(&entry).unwrap();
            let whole = serde_json::to_value(&object).unwrap();
            for field in (0..3).flat_map(|map| (0..3).map(move |key| (map, key))) {
                let found = MAPS[usize::from(field.0)].iter().try_fold(&whole, |tree, name| tree.get(name));
                let found = found.and_then(|map| map.get(format!("k{}", field.1)));
                let (value, owners) = match obvious.fields.get(&field) {
                    Some((value, owners)) => (Some(Value::from(format!("v{value}"))), owners.clone()),
                    None => (None, BTreeSet::new()),
                };
                prop_assert_eq!(found, value.as_ref(), "{} after {:?}", path_of(field), step);
                prop_assert_eq!(owners_in(&object, field), owners, "the owners of {} after {:?}", path_of(field), step);
            }
            // Said again, it changes nothing.
            if matches!(step, Step::Apply { .. }) && expected_none(&before, step) {
                let again = commit(&change(step, 99), Some(&entry)).unwrap();
                prop_assert!(again.is_none(), "{step:?} twice");
            }
        }
    }
}

fn expected_none(before: &Obvious, step: &Step) -> bool {
    before.clone().step(step).is_empty() || matches!(step, Step::Apply { force: true, .. })
}

/// The entry after the change; nothing when nothing changes.
fn commit(change: &Change, current: Option<&Entry>) -> Result<Option<Entry>, Error> {
    let prepared = prepare(change, current, &Policy::open())?;
    if prepared.outcome == Outcome::Unchanged {
        return Ok(None);
    }
    let [Write::Put(key, value)] = prepared.txn.writes() else { panic!("{prepared:?}") };
    let at = Revision(current.map_or(1, |entry| entry.modified.0 + 1));
    Ok(Some(Entry { key: key.clone(), value: value.clone(), created: at, modified: at }))
}
