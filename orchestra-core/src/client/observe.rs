//! A change of nothing but what is observed: by far the most frequent one, since every controller says
//! again and again how things stand.

use serde_json::Value;

use super::change::{Change, Policy};
use super::owners::UPDATE;
use super::prepare::{Before, Prepared, check, updated};
use super::transaction::{seal, unchanged};
use crate::Result;
use crate::store::Txn;

/// What another status comes to, without making the rest anew. Nothing when more may come of it: then it
/// is made as every other change is, and comes to the same.
pub(super) fn observe(
    change: &Change,
    before: &Before,
    status: Option<&Value>,
    policy: &Policy,
) -> Result<Option<Prepared>> {
    if !policy.rules.is_empty() || !before.is_named(&change.name) {
        return Ok(None);
    }
    let old = before.status()?;
    if old == status {
        return Ok(Some(unchanged(change, before)));
    }
    let observed = before.object.observed(status.unwrap_or(&Value::Null));
    let Some((object, new)) = observed else { return Ok(None) };
    check(change, Some(before), &object)?;
    if old == new.as_ref() {
        return Ok(Some(unchanged(change, before)));
    }
    let alone = |status: Option<Value>| -> Value {
        status.into_iter().map(|status| ("status".to_owned(), status)).collect()
    };
    let (old, new) = (alone(old.cloned()), alone(new));
    let writer = change.writer(UPDATE);
    let owners = updated(change, &writer, Some((before.owners.clone(), &old)), &new);
    seal(change, &writer, Some(before), owners, object, Txn::new()).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::change::{Action, By};
    use crate::client::prepare::{Draft, Next, Outcome, finish, prepare, set_status};
    use crate::client::{ObjectName, Patch};
    use crate::manifest::Registry;
    use crate::object::sample::Sampler;
    use crate::object::{Model, Revision, Timestamp, Uid};
    use crate::store::{Entry, Write};

    /// The same change, made as every other one is.
    fn plainly(change: &Change, entry: &Entry) -> Result<Prepared> {
        let Action::Patch(patch) = &change.action else { panic!("{change:?} is no patch") };
        let before = Before::read(change, entry)?;
        let status = patch.apply(before.whole().to_value()?, &change.name)?.get("status").cloned();
        let mut tree = before.tree()?.clone();
        set_status(&mut tree, status);
        let draft = Draft { tree, owners: Next::Update { reset: false } };
        finish(change, Some(before), draft, &Policy::open())
    }

    fn written(prepared: &Prepared) -> Option<&[u8]> {
        prepared.txn.writes().iter().find_map(|write| match write {
            Write::Put(_, value) => Some(&**value),
            Write::Delete(_) => None,
        })
    }

    /// An object of the kind that somebody applied: an arbitrary one, or one that says nothing.
    fn stored(model: &Model, sampler: &mut Sampler, is_bare: bool) -> Option<Value> {
        let mut tree = if is_bare { json!({}) } else { sampler.value(model.schema()) };
        tree["metadata"] = json!({
            "name": "it",
            "uid": "7f3c",
            "managedFields": [
                {"manager": "user", "operation": "Apply", "fieldsV1": {"f:spec": {}, "f:status": {}}},
                {"manager": "other", "operation": "Update", "fieldsV1": {"f:status": {"f:phase": {}}}},
            ],
        });
        if model.kind().is_namespaced() {
            tree["metadata"]["namespace"] = "default".into();
        }
        let object = model.read(&tree).ok()?;
        object.problems().is_empty().then(|| object.to_value().ok()).flatten()
    }

    #[test]
    fn it_comes_to_what_it_comes_to_plainly() {
        let registry = Registry::builtin();
        let models: Vec<_> =
            registry.kinds().filter_map(|kind| registry.model(kind.api_version(), kind.name())).collect();
        let (mut short, mut updates) = (0, 0);
        for (model, seed) in
            models.iter().filter(|it| it.has_status()).flat_map(|it| (0..12).map(move |s| (it, s)))
        {
            let mut sampler = Sampler::seeded(seed);
            let Some(tree) = stored(model, &mut sampler, seed % 2 == 0) else { continue };
            let name = ObjectName::new(model.kind(), "", "it").unwrap();
            let mut entry = Entry {
                key: name.key(),
                value: tree.to_string().into(),
                created: Revision(1),
                modified: Revision(1),
            };
            for step in 0..6 {
                let mut status = sampler.value(model.schema().child("status"));
                match (step, &mut status) {
                    (3, status) => *status = Value::Null,
                    (4, Value::Object(map)) => drop(map.insert("unheardOf".into(), json!({"a": 1}))),
                    _ => {}
                }
                let patch = Patch::merge(json!({"metadata": {"uid": "7f3c"}, "status": status}));
                let manager = if step % 2 == 0 { "even" } else { "odd" };
                let by = By { manager: manager.into(), now: Timestamp::from_unix(step), uid: Uid::default() };
                let change = Change::patch(*model, name.clone(), patch, by).of_status();

                let before = Before::read(&change, &entry).unwrap();
                let merged = json!({"status": before.status().unwrap(), "metadata": {}});
                let Action::Patch(patch) = &change.action else { unreachable!() };
                let merged = patch.apply(merged, &name).unwrap();
                short += usize::from(matches!(
                    observe(&change, &before, merged.get("status"), &Policy::open()),
                    Ok(Some(Prepared { outcome: Outcome::Updated, .. }))
                ));
                let (quick, plain) =
                    (prepare(&change, Some(&entry), &Policy::open()), plainly(&change, &entry));
                let (quick, plain) = match (quick, plain) {
                    (Ok(quick), Ok(plain)) => (quick, plain),
                    (quick, plain) => {
                        let (quick, plain) = (quick.map(drop), plain.map(drop));
                        assert_eq!(format!("{quick:?}"), format!("{plain:?}"), "{change:?}");
                        continue;
                    }
                };
                let text = |json: Option<&[u8]>| json.map(|json| String::from_utf8_lossy(json).into_owned());
                assert_eq!(text(written(&quick)), text(written(&plain)), "{change:?}");
                assert_eq!((quick.outcome, &quick.txn), (plain.outcome, &plain.txn), "{change:?}");
                assert_eq!(quick.object.to_value().unwrap(), plain.object.to_value().unwrap(), "{change:?}");
                if let Some(json) = written(&quick) {
                    let mut object = quick.object.clone();
                    object.metadata_mut().resource_version = Revision(0);
                    assert_eq!(text(Some(json)), text(Some(&object.to_json().unwrap())));
                    let modified = Revision(entry.modified.0 + 1);
                    entry = Entry { value: json.to_vec().into(), modified, ..entry };
                    updates += 1;
                }
            }
        }
        assert!(short > 50 && updates > short, "{short} the short way of {updates}");
    }
}
