//! What each verb comes to: `prepare` as tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use orchestra_core::client::{
    Admit, By, Change, Delete, Dependents, ObjectName, Operation, Outcome, Patch, Policy, Prepared, Review,
    prepare, read,
};
use orchestra_core::kinds::{ConfigMap, Deployment, Namespace, Pod, Secret};
use orchestra_core::manifest::Registry;
use orchestra_core::object::sample::Sampler;
use orchestra_core::object::{Model, Resource, Timestamp, Uid};
use orchestra_core::store::{Entry, Expect, Guard, Key, Revision, Txn, Write};
use orchestra_core::{Error, Result};
use serde_json::{Value, json};

const NOW: i64 = 1_700_000_000;

fn by(manager: &str) -> By {
    By { manager: manager.into(), now: Timestamp::from_unix(NOW), uid: Uid::from_u128(7) }
}

fn web() -> Value {
    json!({
        "metadata": { "name": "web" },
        "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": "app:1" }] } } },
    })
}

/// What stands in a store after a change was committed at a revision.
fn stored(prepared: &Prepared, revision: u64) -> Entry {
    let [Write::Put(key, value)] = prepared.txn.writes() else { panic!("{prepared:?}") };
    let at = Revision(revision);
    Entry { key: key.clone(), value: value.clone(), created: at, modified: at }
}

fn commit(change: Result<Change>, current: Option<&Entry>) -> Result<Entry> {
    let prepared = prepare(&change?, current, &Policy::open())?;
    let revision = current.map_or(10, |entry| entry.modified.0 + 1);
    Ok(match prepared.outcome {
        Outcome::Unchanged => current.unwrap().clone(),
        _ => stored(&prepared, revision),
    })
}

fn create<R: Resource>(object: Value) -> Entry {
    commit(Change::create(Model::of::<R>(), object, "x", by("maker")), None).unwrap()
}

fn name<R: Resource>(name: &str) -> ObjectName {
    ObjectName::new(R::KIND, "", name).unwrap()
}

fn patch<R: Resource>(object: &str, tree: Value) -> Change {
    Change::patch(Model::of::<R>(), name::<R>(object), Patch::merge(tree), by("patcher"))
}

fn prepared(change: &Change, current: Option<&Entry>) -> Result<Prepared> {
    prepare(change, current, &Policy::open())
}

#[test]
fn create_puts_in_what_is_the_stores() {
    let mut object = web();
    object["metadata"]["uid"] = "mine".into();
    object["metadata"]["resourceVersion"] = "99".into();
    object["metadata"]["generation"] = 99.into();
    object["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z".into();
    object["status"] = json!({ "replicas": 9 });
    let change = Change::create(Model::of::<Deployment>(), object, "x", by("maker")).unwrap();
    let made = prepared(&change, None).unwrap();
    assert_eq!(made.outcome, Outcome::Created);
    let key = Key::from("apps/deployments/default/web");
    assert_eq!(made.txn.guards(), [Guard { key, expect: Expect::Absent }]);
    let bytes: Value = serde_json::from_slice(&stored(&made, 10).value).unwrap();
    assert_eq!(bytes["metadata"].get("resourceVersion"), None, "it is the entry's revision");
    assert_eq!(bytes.get("status"), None, "nothing has been observed yet");

    let object: Deployment = read(&stored(&made, 10)).unwrap();
    let metadata = &object.metadata;
    assert_eq!((metadata.uid.clone(), metadata.generation), (Uid::from_u128(7), 1));
    assert_eq!(metadata.creation_timestamp, Some(Timestamp::from_unix(NOW)));
    assert_eq!((metadata.namespace.as_str(), metadata.resource_version), ("default", Revision(10)));
    assert_eq!(object.spec.selector.match_labels["app"], "web", "defaults are filled in");

    let again = prepared(&change, Some(&stored(&made, 10))).unwrap_err();
    assert!(again.is_already_exists(), "{again}");
    assert!(again.to_string().starts_with("Deployment default/web exists already"), "{again}");
}

#[test]
fn a_name_may_be_left_to_chance() {
    let make = |prefix: &str| {
        let object = json!({ "metadata": { "generateName": prefix }, "data": {} });
        Change::create(Model::of::<ConfigMap>(), object, "abcde", by("maker"))
    };
    assert_eq!(make("job-").unwrap().object().name().as_str(), "job-abcde");
    let long = make(&"a".repeat(100)).unwrap();
    assert_eq!(long.object().name().len(), 63);
    assert!(prepared(&make("Job-").unwrap(), None).unwrap_err().to_string().contains("metadata.name"));
    assert!(make("").unwrap_err().to_string().contains("its name must not be empty"));
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let change = |object: Value| Change::create(Model::of::<Deployment>(), object, "x", by("maker"));
    let edit = |path: &str, value: Value| {
        let mut object = web();
        *object.pointer_mut(path).unwrap() = value;
        object
    };
    for (object, reason) in [
        (edit("/metadata/name", "Web".into()), "Deployment `default/Web` is invalid: metadata.name: `Web`"),
        (edit("/spec/template/spec/containers/0/name", "".into()), "spec.template.spec.containers[0].name"),
        (edit("/spec/template", 5.into()), "spec.template: expected a map"),
        (edit("/spec", json!([])), "spec: expected"),
        (json!({"kind": "Pod", "metadata": {"name": "web"}}), "kind: must be `Deployment`"),
        (json!({"apiVersion": "v1", "metadata": {"name": "web"}}), "apiVersion: must be `apps/v1`"),
    ] {
        let error = prepared(&change(object.clone()).unwrap(), None).unwrap_err().to_string();
        assert!(error.contains(reason), "{object}: {error}");
    }
    for object in
        [json!(null), json!([]), json!("x"), json!({"metadata": []}), json!({"metadata": {"name": 5}})]
    {
        assert!(change(object).is_err());
    }
    for manager in ["", "a\nb", &"x".repeat(129)] {
        let change = Change::create(Model::of::<Deployment>(), web(), "x", by(manager)).unwrap();
        assert!(prepared(&change, None).unwrap_err().to_string().contains("must have a name"));
    }
}

#[test]
fn replace_minds_what_it_may_not_touch() {
    let entry = create::<Deployment>(web());
    let current: Value = serde_json::to_value(read::<Deployment>(&entry).unwrap()).unwrap();
    let uid = current["metadata"]["uid"].clone();
    let with = |edits: &[(&str, Value)]| {
        let mut object = current.clone();
        for (pointer, value) in edits {
            let (way, last) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(way).unwrap()[last] = value.clone();
        }
        object
    };
    let three = ("/spec/replicas", json!(3));
    for (object, outcome) in [
        (current.clone(), "Unchanged 1"),
        (web(), "Unchanged 1"),
        (with(&[("/status", json!({ "replicas": 5 }))]), "Unchanged 1"),
        (with(&[("/metadata/generation", json!(7))]), "Unchanged 1"),
        (with(std::slice::from_ref(&three)), "Updated 2"),
        (with(&[("/metadata/labels", json!({ "a": "b" }))]), "Updated 1"),
        (with(&[three.clone(), ("/metadata/resourceVersion", json!("10"))]), "Updated 2"),
        (with(&[three.clone(), ("/metadata/resourceVersion", json!(""))]), "Updated 2"),
        (with(&[three.clone(), ("/metadata/resourceVersion", json!("9"))]), "it is at revision 10, not 9"),
        (
            with(&[three.clone(), ("/metadata/resourceVersion", json!("x"))]),
            "resourceVersion: must be a revision",
        ),
        (with(&[("/metadata/uid", json!("other"))]), &format!("its uid is {}", uid).replace('"', "`")),
        (
            with(&[("/metadata/creationTimestamp", json!("2001-01-01T00:00:00Z"))]),
            "creationTimestamp: cannot be changed",
        ),
        (
            with(&[("/metadata/deletionTimestamp", json!("2001-01-01T00:00:00Z"))]),
            "deletionTimestamp: cannot be changed",
        ),
        (with(&[("/spec/replicas", json!("x"))]), "spec.replicas: expected"),
    ] {
        let change = Change::replace(Model::of::<Deployment>(), object, by("other")).unwrap();
        match prepared(&change, Some(&entry)) {
            Ok(it) => {
                assert_eq!(format!("{:?} {}", it.outcome, it.object.metadata().generation), outcome);
                let expect = Expect::At(entry.modified);
                assert_eq!(it.txn.guards(), [Guard { key: entry.key.clone(), expect }]);
                assert_eq!(it.txn.writes().is_empty(), it.outcome == Outcome::Unchanged);
            }
            Err(error) => assert!(error.to_string().contains(outcome), "{outcome}: {error}"),
        }
    }
    let absent = Change::replace(Model::of::<Deployment>(), web(), by("other")).unwrap();
    assert!(prepared(&absent, None).unwrap_err().is_not_found());
}

#[test]
fn patches_are_replacements_that_know_what_was_there() {
    let entry = create::<Deployment>(web());
    let json = |operations: Vec<Operation>| {
        Change::patch(Model::of::<Deployment>(), name::<Deployment>("web"), Patch::json(operations), by("p"))
    };
    let merge = |tree: Value| patch::<Deployment>("web", tree);
    for (change, outcome) in [
        (merge(json!({"spec": {"replicas": 3}})), "Updated 2"),
        (merge(json!({"spec": {"replicas": null}})), "Unchanged 1"),
        (merge(json!({"metadata": {"annotations": {"a": "b"}}})), "Updated 1"),
        (merge(json!({"metadata": {"resourceVersion": "9"}, "spec": {"replicas": 3}})), "not 9"),
        (merge(json!({"metadata": {"name": "other"}})), "metadata.name: cannot be changed"),
        (merge(json!({"metadata": {"namespace": "other"}})), "metadata.namespace: cannot be changed"),
        (merge(json!({"status": {"replicas": 3}})), "Unchanged 1"),
        (merge(json!(null)), "must be a map"),
        (merge(json!({"metadata": 5})), "metadata: must be a map"),
        (json(vec![Operation::replace("/spec/replicas", 3)]), "Updated 2"),
        (
            json(vec![Operation::test("/spec/replicas", 1), Operation::replace("/spec/replicas", 3)]),
            "Updated 2",
        ),
        (
            json(vec![Operation::replace("/spec/replicas", 3), Operation::test("/spec/replicas", 1)]),
            "Deployment default/web cannot be patched: operation 2 (/spec/replicas): test: something else",
        ),
        (json(vec![Operation::test("/metadata/resourceVersion", "10")]), "Unchanged 1"),
        (
            json(vec![Operation::add(
                "/spec/template/spec/containers/-",
                json!({"name": "b", "image": "b"}),
            )]),
            "Updated 2",
        ),
        (json(vec![Operation::remove("/spec/template/spec/containers/7")]), "there is no element 7"),
    ] {
        match prepared(&change, Some(&entry)) {
            Ok(it) => assert_eq!(format!("{:?} {}", it.outcome, it.object.metadata().generation), outcome),
            Err(error) => assert!(error.to_string().contains(outcome), "{outcome}: {error}"),
        }
    }
}

#[test]
fn the_status_is_apart() {
    let entry = create::<Deployment>(web());
    let both =
        json!({"spec": {"replicas": 3}, "metadata": {"labels": {"a": "b"}}, "status": {"replicas": 2}});
    let change = patch::<Deployment>("web", both.clone()).of_status();
    let observed = commit(Ok(change), Some(&entry)).unwrap();
    let object: Deployment = read(&observed).unwrap();
    assert_eq!((object.spec.replicas, object.status.replicas, object.metadata.generation), (1, 2, 1));
    assert!(object.metadata.labels.is_empty());

    let desired = commit(
        Ok(patch::<Deployment>("web", json!({"spec": {"replicas": 4}, "status": null}))),
        Some(&observed),
    );
    let object: Deployment = read(&desired.unwrap()).unwrap();
    assert_eq!((object.spec.replicas, object.status.replicas, object.metadata.generation), (4, 2, 2));

    let without = commit(
        Change::replace(Model::of::<Deployment>(), web(), by("x")).map(Change::of_status),
        Some(&observed),
    );
    assert_eq!(read::<Deployment>(&without.unwrap()).unwrap().status.replicas, 0);

    let map = create::<ConfigMap>(json!({"metadata": {"name": "c"}}));
    let change = patch::<ConfigMap>("c", json!({"status": {}})).of_status();
    assert!(prepared(&change, Some(&map)).unwrap_err().to_string().contains("a ConfigMap has no status"));

    // A status that a kind itself fills in is there from the beginning, and nobody's.
    let namespace = create::<Namespace>(json!({"metadata": {"name": "prod"}}));
    let object: Namespace = read(&namespace).unwrap();
    let owned = serde_json::to_string(&object.metadata.managed_fields).unwrap();
    assert!(!owned.contains("f:status") && owned.contains("f:labels"), "{owned}");
}

#[test]
fn deleting_waits_for_whoever_must_agree() {
    let delete = |how: Delete| Change::delete(Model::of::<ConfigMap>(), name::<ConfigMap>("c"), how, by("d"));
    let plain = create::<ConfigMap>(json!({"metadata": {"name": "c"}}));
    let gone = prepared(&delete(Delete::default()), Some(&plain)).unwrap();
    assert_eq!(gone.outcome, Outcome::Deleted);
    assert_eq!(gone.txn.writes(), [Write::Delete(plain.key.clone())]);
    assert_eq!(gone.txn.guards().len(), 1);

    let uid = read::<ConfigMap>(&plain).unwrap().metadata.uid;
    for (how, outcome) in [
        (Delete::default().uid(uid.clone()).revision(10), "Deleted"),
        (Delete::default().uid("other"), "it is another object"),
        (Delete::default().revision(9), "it is at revision 10, not 9"),
        (Delete::default().dependents(Dependents::Background), "Deleted"),
        (Delete::default().dependents(Dependents::Foreground), "Updated"),
        (Delete::default().dependents(Dependents::Orphan), "Updated"),
        (Delete::default().grace(30), "Deleted"),
    ] {
        match prepared(&delete(how), Some(&plain)) {
            Ok(it) => assert_eq!(format!("{:?}", it.outcome), outcome),
            Err(error) => assert!(error.is_conflict() && error.to_string().contains(outcome), "{error}"),
        }
    }
    assert!(prepared(&delete(Delete::default()), None).unwrap_err().is_not_found());

    let held = create::<ConfigMap>(json!({"metadata": {"name": "c", "finalizers": ["x.com/a", "x.com/b"]}}));
    let marked = commit(Ok(delete(Delete::default().grace(30))), Some(&held)).unwrap();
    let object: ConfigMap = read(&marked).unwrap();
    assert_eq!(object.metadata.deletion_timestamp, Some(Timestamp::from_unix(NOW + 30)));
    assert_eq!(object.metadata.deletion_grace_period_seconds, Some(30));
    assert_eq!(object.metadata.generation, 1);
    let again = prepared(&delete(Delete::default().grace(60)), Some(&marked)).unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged, "it is only ever made sooner");

    for (finalizers, outcome) in [
        (json!(["x.com/a"]), "Updated"),
        (json!(null), "Deleted"),
        (json!(["x.com/a", "x.com/new"]), "`x.com/new` cannot be added: the object is being deleted"),
    ] {
        match prepared(
            &patch::<ConfigMap>("c", json!({"metadata": {"finalizers": finalizers}})),
            Some(&marked),
        ) {
            Ok(it) => assert_eq!(format!("{:?}", it.outcome), outcome),
            Err(error) => assert!(error.to_string().contains(outcome), "{error}"),
        }
    }
    let both = commit(Ok(delete(Delete::default().dependents(Dependents::Foreground))), Some(&held)).unwrap();
    let finalizers = read::<ConfigMap>(&both).unwrap().metadata.finalizers;
    assert_eq!(finalizers, ["x.com/a", "x.com/b", "foregroundDeletion"]);
}

#[test]
fn a_pod_on_a_node_is_given_time() {
    let pod = |node: &str, phase: &str| {
        let spec = json!({"nodeName": node, "containers": [{"name": "a", "image": "a"}], "terminationGracePeriodSeconds": 20});
        let entry = create::<Pod>(json!({"metadata": {"name": "p"}, "spec": spec}));
        commit(Ok(patch::<Pod>("p", json!({"status": {"phase": phase}})).of_status()), Some(&entry)).unwrap()
    };
    let delete = |how: Delete| Change::delete(Model::of::<Pod>(), name::<Pod>("p"), how, by("d"));
    for (node, phase, how, outcome) in [
        ("", "Pending", Delete::default(), Outcome::Deleted),
        ("n1", "Running", Delete::default(), Outcome::Updated),
        ("n1", "Running", Delete::default().grace(5), Outcome::Updated),
        ("n1", "Running", Delete::default().grace(0), Outcome::Deleted),
        ("n1", "Succeeded", Delete::default(), Outcome::Deleted),
        ("n1", "Failed", Delete::default().grace(5), Outcome::Deleted),
    ] {
        let prepared = prepared(&delete(how.clone()), Some(&pod(node, phase))).unwrap();
        assert_eq!(prepared.outcome, outcome, "{node} {phase} {how:?}");
    }
    let running = pod("n1", "Running");
    let marked = commit(Ok(delete(Delete::default())), Some(&running)).unwrap();
    let object: Pod = read(&marked).unwrap();
    assert_eq!(object.metadata.deletion_timestamp, Some(Timestamp::from_unix(NOW + 20)));
    // An update does not end it, the agent on its node does.
    let labelled =
        prepared(&patch::<Pod>("p", json!({"metadata": {"labels": {"a": "b"}}})), Some(&marked)).unwrap();
    assert_eq!(labelled.outcome, Outcome::Updated);
    assert_eq!(
        prepared(&delete(Delete::default().grace(0)), Some(&marked)).unwrap().outcome,
        Outcome::Deleted
    );
    let sooner = commit(Ok(delete(Delete::default().grace(3))), Some(&marked)).unwrap();
    assert_eq!(read::<Pod>(&sooner).unwrap().metadata.deletion_grace_period_seconds, Some(3));
}

/// A rule for the test: counts what is made, marks it, and forbids the rest.
struct Rule;

impl Admit for Rule {
    fn name(&self) -> &str {
        "the rule"
    }

    fn admit(&self, review: &mut Review<'_>) -> Result<(), String> {
        let Some(new) = &mut review.new else {
            return if review.manager == "d" { Ok(()) } else { Err("only d deletes".into()) };
        };
        if let Some(map) = new.downcast_mut::<ConfigMap>() {
            map.metadata.name = "smuggled".into();
            map.metadata.labels.insert("seen", "yes".into());
            if map.spec.data.contains_key("bad") {
                return Err("there is something bad in it".into());
            }
        }
        if review.old.is_none() {
            review.also = Txn::new().put_at("quota", Revision(3), "1");
        }
        Ok(())
    }
}

#[test]
fn rules_are_asked() {
    let policy = Policy::open().with(Rule);
    let make = |data: Value| {
        let object = json!({"metadata": {"name": "c"}, "data": data});
        Change::create(Model::of::<ConfigMap>(), object, "x", by("maker")).unwrap()
    };
    let made = prepare(&make(json!({})), None, &policy).unwrap();
    assert_eq!((made.txn.guards().len(), made.txn.writes().len()), (2, 2));
    let metadata = made.object.metadata();
    assert_eq!((metadata.name.as_str(), metadata.labels["seen"].as_str()), ("c", "yes"));
    let error = prepare(&make(json!({"bad": "hunter2"})), None, &policy).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ConfigMap default/c is not admitted by the rule: there is something bad in it"
    );

    let entry = create::<ConfigMap>(json!({"metadata": {"name": "c"}}));
    let delete =
        |who| Change::delete(Model::of::<ConfigMap>(), name::<ConfigMap>("c"), Delete::default(), by(who));
    assert!(prepare(&delete("x"), Some(&entry), &policy).is_err());
    assert_eq!(prepare(&delete("d"), Some(&entry), &policy).unwrap().outcome, Outcome::Deleted);
}

#[test]
fn nothing_is_noted_about_objects_that_nobody_said_anything_about() {
    let entry = create::<ConfigMap>(json!({"metadata": {"name": "c"}, "data": {"a": "b"}}));
    assert_eq!(read::<ConfigMap>(&entry).unwrap().metadata.managed_fields.entries().len(), 1);
    let reset = patch::<ConfigMap>("c", json!({"metadata": {"managedFields": [{}]}}));
    let forgotten = commit(Ok(reset), Some(&entry)).unwrap();
    assert!(read::<ConfigMap>(&forgotten).unwrap().metadata.managed_fields.is_empty());
    let patched = commit(Ok(patch::<ConfigMap>("c", json!({"data": {"a": "c"}}))), Some(&forgotten)).unwrap();
    assert!(read::<ConfigMap>(&patched).unwrap().metadata.managed_fields.is_empty());
    let empty = patch::<ConfigMap>("c", json!({"metadata": {"managedFields": []}}));
    assert_eq!(prepared(&empty, Some(&entry)).unwrap().outcome, Outcome::Unchanged);
}

#[test]
fn what_cannot_be_read_is_named_by_its_key() {
    let key = Key::from("/secrets/default/s");
    for value in ["hunter2", "{\"data\": {\"a\": \"hunter2!\"}}", "{\"stringData\": \"hunter2\"}", "[]", ""] {
        let entry =
            Entry { key: key.clone(), value: value.into(), created: Revision(1), modified: Revision(1) };
        let error = prepared(&patch::<Secret>("s", json!({})), Some(&entry)).unwrap_err();
        assert!(matches!(error, Error::Stored { .. }), "{error}");
        let told = format!("{error} {error:?}");
        assert!(told.contains("/secrets/default/s") && !told.contains("hunter2"), "{told}");
    }
}

#[test]
fn what_is_stored_can_be_read_again() {
    let deep = |steps: usize| (2..steps).fold(json!("x"), |inside, _| json!({ "a": inside }));
    let object = |steps| json!({"metadata": {"name": "c"}, "mood": {"of": deep(steps)}});
    for (steps, good) in [(100, true), (101, false), (400, false)] {
        let made = commit(Change::create(Model::of::<ConfigMap>(), object(steps), "", by("m")), None);
        let Value::Object(fields) = object(steps) else { panic!() };
        let applied = commit(Change::apply(Model::of::<ConfigMap>(), fields, false, by("m")), None);
        for entry in [made, applied] {
            match entry {
                Ok(entry) => assert!(good && read::<ConfigMap>(&entry).is_ok(), "{steps}"),
                Err(error) => assert!(!good && error.to_string().contains("too deep"), "{steps}: {error}"),
            }
        }
    }
}

#[test]
fn secrets_do_not_show() {
    let object = json!({"metadata": {"name": "s"}, "stringData": {"a": "hunter2"}, "type": 5});
    let change = Change::create(Model::of::<Secret>(), object, "x", by("maker")).unwrap();
    let told = format!("{change:?} {:?}", prepared(&change, None));
    assert!(!told.contains("hunter2"), "{told}");
    let fields = json!({"metadata": {"name": "s"}, "data": {"a": "hunter2"}});
    let Value::Object(fields) = fields else { panic!() };
    let change = Change::apply(Model::of::<Secret>(), fields, true, by("maker")).unwrap();
    let error = prepared(&change, None).unwrap_err();
    assert!(!format!("{change:?} {error} {error:?}").contains("hunter2"), "{error}");
}

/// Whatever an object looks like, and whatever is done to it, there is an answer.
#[test]
fn nothing_makes_it_panic() {
    let seeds: u64 = std::env::var("ORCHESTRA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let registry = Registry::builtin();
    let (mut changed, mut refused) = (0, 0);
    for kind in registry.kinds() {
        let model = registry.model(kind.api_version(), kind.name()).unwrap();
        let name = ObjectName::new(kind, "", "a").unwrap();
        for seed in 0..seeds {
            let mut sampler = Sampler::seeded(seed);
            let mut object = || {
                let mut object = sampler.value(model.schema());
                if !object["metadata"].is_object() {
                    object["metadata"] = json!({});
                }
                object["metadata"]["name"] = "a".into();
                for name in ["namespace", "uid", "resourceVersion", "ownerReferences"] {
                    object["metadata"].as_object_mut().unwrap().remove(name);
                }
                object
            };
            let (old, new, patched) = (object(), object(), object());
            let value = serde_json::to_vec(&old).unwrap();
            let at = Revision(seed + 1);
            let entry = Entry { key: name.key(), value: value.into(), created: at, modified: at };
            let Value::Object(fields) = new.clone() else { panic!() };
            let mut bare = fields.clone();
            bare.remove("metadata");
            bare.insert("metadata".into(), json!({"name": "a"}));
            let changes = [
                Change::create(model, new.clone(), "x", by("m")),
                Change::replace(model, new.clone(), by("m")),
                Ok(Change::patch(model, name.clone(), Patch::merge(patched.clone()), by("m"))),
                Ok(Change::patch(model, name.clone(), Patch::merge(patched), by("m")).of_status()),
                Change::apply(model, fields, true, by("m")),
                Change::apply(model, bare.clone(), true, by("m")),
                Change::apply(model, bare, false, by("m")).map(Change::of_status),
                Ok(Change::delete(model, name.clone(), Delete::default(), by("m"))),
            ];
            for change in changes {
                let change = change.unwrap();
                for current in [None, Some(&entry)] {
                    match prepared(&change, current) {
                        Ok(_) => changed += 1,
                        Err(_) => refused += 1,
                    }
                }
            }
        }
    }
    assert!(changed > 100 && refused > 100, "{changed} {refused}");
}
