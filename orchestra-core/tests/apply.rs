//! Server-side apply, as tables: who says what, one after the other, and what the object and its owners
//! are then. The results are those that Kubernetes documents.
//!
//! In these tables `pod` stands for `spec.template.spec`, and what is not under `metadata`, `status` or
//! `pod` is under `spec`. Owners by update have a `~` before their name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use Step::{Apply, Create, Force, Patched, Refused, Same, Status, StatusPatched};
use orchestra_core::Error;
use orchestra_core::client::{By, Change, FieldSet, ObjectName, Outcome, Patch, Policy, prepare};
use orchestra_core::kinds::{Deployment, DeploymentSpec};
use orchestra_core::manifest::{Reader, Registry};
use orchestra_core::object::{
    AnyObject, FieldPath, Kind, Model, NoStatus, Object, Segment, Spec, Timestamp, Uid,
};
use orchestra_core::store::{Entry, Revision, Write};
use serde_json::{Map, Value, json};

enum Step {
    /// Applied, and the object changes.
    Apply(&'static str, &'static str),
    /// Applied, and nothing changes: no write, no new time.
    Same(&'static str, &'static str),
    /// Applied by force.
    Force(&'static str, &'static str),
    /// Applied, and refused for these conflicts: field, and whose it is.
    Refused(&'static str, &'static str, &'static [(&'static str, &'static str)]),
    /// Changed by a merge patch, as everybody does who does not apply.
    Patched(&'static str, &'static str),
    /// Made as a whole, not applied.
    Create(&'static str, &'static str),
    /// Applied to the status.
    Status(&'static str, &'static str),
    /// The status changed by a merge patch.
    StatusPatched(&'static str, &'static str),
}

/// A field, what it holds (`-`: it is not there; `*`: whatever), and whose it is.
type Field = (&'static str, &'static str, &'static str);

struct World {
    current: Option<Entry>,
    revision: u64,
}

impl World {
    fn change(&mut self, change: &Change) -> Result<Outcome, Error> {
        let prepared = prepare(change, self.current.as_ref(), &Policy::open())?;
        if let [Write::Put(key, value)] = prepared.txn.writes() {
            self.revision += 1;
            let at = Revision(self.revision);
            let created = self.current.as_ref().map_or(at, |entry| entry.created);
            self.current = Some(Entry { key: key.clone(), value: value.clone(), created, modified: at });
        }
        Ok(prepared.outcome)
    }

    fn step(&mut self, row: &str, step: &Step) {
        let now = Timestamp::from_unix(1_000_000 + i64::try_from(self.revision).unwrap());
        let by = |manager: &str| By { manager: manager.into(), now, uid: Uid::from_u128(7) };
        let model = Model::of::<Deployment>();
        let name = ObjectName::new(DeploymentSpec::KIND, "", "web").unwrap();
        let apply = |manager, text, force| Change::apply(model, fields(text), force, by(manager)).unwrap();
        let merge = |text| Patch::merge(Value::Object(tree(text)));
        let mut must = |change: Change, outcome: &[Outcome]| {
            let came = self.change(&change).unwrap_or_else(|error| panic!("{row}: {change:?}: {error}"));
            assert!(outcome.contains(&came), "{row}: {change:?}: {came:?}");
        };
        let written = [Outcome::Created, Outcome::Updated];
        match step {
            Apply(manager, text) => must(apply(manager, text, false), &written),
            Same(manager, text) => must(apply(manager, text, false), &[Outcome::Unchanged]),
            Force(manager, text) => must(apply(manager, text, true), &written),
            Status(manager, text) => must(apply(manager, text, false).of_status(), &written),
            Patched(manager, text) => must(Change::patch(model, name, merge(text), by(manager)), &written),
            StatusPatched(manager, text) => {
                must(Change::patch(model, name, merge(text), by(manager)).of_status(), &written);
            }
            Create(manager, text) => {
                let object = Value::Object(fields(text));
                must(Change::create(model, object, "", by(manager)).unwrap(), &[Outcome::Created]);
            }
            Refused(manager, text, expected) => match self.change(&apply(manager, text, false)) {
                Err(Error::Owned { conflicts, .. }) => {
                    let mut found: Vec<_> = conflicts
                        .0
                        .iter()
                        .map(|conflict| (conflict.path.to_string(), conflict.manager.to_string()))
                        .collect();
                    found.sort();
                    let mut expected: Vec<_> =
                        expected.iter().map(|(path, by)| (full(path), (*by).to_string())).collect();
                    expected.sort();
                    assert_eq!(found, expected, "{row}");
                }
                other => panic!("{row}: not refused: {other:?}"),
            },
        }
    }

    fn check(&self, row: &str, expected: &[Field]) {
        let object: Value = serde_json::from_slice(&self.current.as_ref().unwrap().value).unwrap();
        let managers = object["metadata"]["managedFields"].as_array().unwrap();
        for (path, value, owners) in expected {
            let path = full(path);
            let found = path.parse::<FieldPath>().ok().and_then(|path| find(&object, &path).cloned());
            match *value {
                "*" => {}
                "-" => assert_eq!(found, None, "{row}: {path} of {object:#}"),
                value => {
                    let value = node(value);
                    assert_eq!(found, Some(value), "{row}: {path} of {object:#}");
                }
            }
            let mut found: Vec<_> = managers
                .iter()
                .filter(|entry| {
                    let paths = FieldSet::from_value(&entry["fieldsV1"]).paths();
                    paths.iter().any(|own| own.to_string() == path)
                })
                .map(|entry| {
                    let mark = if entry["operation"] == "Update" { "~" } else { "" };
                    let part = entry["subresource"].as_str().map_or(String::new(), |part| format!("/{part}"));
                    format!("{mark}{}{part}", entry["manager"].as_str().unwrap())
                })
                .collect();
            found.sort();
            assert_eq!(found.join(" "), *owners, "{row}: the owners of {path}: {managers:#?}");
        }
    }
}

/// Follows a path.
fn find<'t>(tree: &'t Value, path: &FieldPath) -> Option<&'t Value> {
    path.segments().iter().try_fold(tree, |tree, segment| match segment {
        Segment::Field(name) => tree.get(name.as_str()),
        Segment::Index(at) => tree.get(at),
        Segment::Item(keys) => tree
            .as_array()?
            .iter()
            .find(|item| keys.iter().all(|(key, value)| item.get(key.as_str()) == Some(value))),
    })
}

/// A path of the tables as it is in an object.
fn full(path: &str) -> String {
    match path.strip_prefix("pod") {
        Some(rest) => format!("spec.template.spec{rest}"),
        None if path.starts_with("metadata") || path.starts_with("status") => path.into(),
        None => format!("spec.{path}"),
    }
}

fn node(text: &str) -> Value {
    let registry = Registry::builtin();
    let manifest = Reader::lenient(&registry).read("table", format!("{{value: {text}}}"));
    manifest.documents()[0].to_apply().fields().unwrap()["value"].clone()
}

/// A text of the tables as it is in an object.
fn tree(text: &str) -> Map<String, Value> {
    let Value::Object(short) = node(text) else { panic!("{text}") };
    let mut object = json!({});
    for (name, value) in short {
        match name.as_str() {
            "metadata" | "status" => object[name] = value,
            "pod" => object["spec"]["template"]["spec"] = value,
            _ => object["spec"][name] = value,
        }
    }
    let Value::Object(object) = object else { panic!("{text}") };
    object
}

fn fields(text: &str) -> Map<String, Value> {
    let mut object = Value::Object(tree(text));
    object["apiVersion"] = "apps/v1".into();
    object["kind"] = "Deployment".into();
    object["metadata"]["name"] = "web".into();
    let Value::Object(object) = object else { panic!("{text}") };
    object
}

/// What every Deployment here has, said by somebody who says nothing else.
const BASE: Step = Apply("base", "{pod: {containers: [{name: app, image: app}]}}");

#[track_caller]
fn row(name: &str, steps: &[Step], expected: &[Field]) {
    let mut world = World { current: None, revision: 0 };
    if !matches!(steps[0], Create(..)) {
        world.step(name, &BASE);
    }
    for step in steps {
        world.step(name, step);
    }
    world.check(name, expected);
}

#[test]
fn two_owners() {
    row(
        "each owns what it said",
        &[Apply("a", "{replicas: 3}"), Apply("b", "{paused: true}")],
        &[("replicas", "3", "a"), ("paused", "true", "b"), ("pod.containers[name=app].image", "app", "base")],
    );
    row(
        "the same value is shared",
        &[Apply("a", "{replicas: 3}"), Apply("b", "{replicas: 3}")],
        &[("replicas", "3", "a b")],
    );
    row(
        "another value is a conflict",
        &[
            Apply("a", "{replicas: 3, paused: true}"),
            Refused("b", "{replicas: 4, paused: true, minReadySeconds: 5}", &[("replicas", "a")]),
        ],
        &[("replicas", "3", "a"), ("paused", "true", "a"), ("minReadySeconds", "-", "")],
    );
    row(
        "a conflict names every owner and every field",
        &[
            Apply("a", "{replicas: 3, paused: true}"),
            Apply("b", "{replicas: 3}"),
            Refused(
                "c",
                "{replicas: 4, paused: false}",
                &[("replicas", "a"), ("replicas", "b"), ("paused", "a")],
            ),
        ],
        &[("replicas", "3", "a b")],
    );
    row(
        "force takes it, from all",
        &[
            Apply("a", "{replicas: 3, paused: true}"),
            Apply("b", "{replicas: 3}"),
            Force("c", "{replicas: 4}"),
        ],
        &[("replicas", "4", "c"), ("paused", "true", "a")],
    );
    row(
        "a sharer cannot change it alone either",
        &[
            Apply("a", "{replicas: 3}"),
            Apply("b", "{replicas: 3}"),
            Refused("a", "{replicas: 4}", &[("replicas", "b")]),
        ],
        &[("replicas", "3", "a b")],
    );
    row(
        "who said it may say otherwise",
        &[Apply("a", "{replicas: 3}"), Apply("a", "{replicas: 4}")],
        &[("replicas", "4", "a")],
    );
    row(
        "the same again is nothing new",
        &[
            Apply("a", "{replicas: 3}"),
            Same("a", "{replicas: 3}"),
            Same("base", "{pod: {containers: [{name: app, image: app}]}}"),
        ],
        &[("replicas", "3", "a")],
    );
    row(
        "what was forced away comes back by force only",
        &[
            Apply("a", "{replicas: 3}"),
            Force("b", "{replicas: 4}"),
            Refused("a", "{replicas: 3}", &[("replicas", "b")]),
            Apply("a", "{replicas: 4}"),
        ],
        &[("replicas", "4", "a b")],
    );
    row(
        "the same amount written otherwise is no conflict",
        &[
            Apply("a", "{pod: {containers: [{name: app, resources: {limits: {memory: 1024Mi, cpu: '1'}}}]}}"),
            Apply("b", "{pod: {containers: [{name: app, resources: {limits: {memory: 1Gi, cpu: 1000m}}}]}}"),
        ],
        &[("pod.containers[name=app].resources.limits.memory", "1Gi", "a b")],
    );
}

#[test]
fn removed_fields() {
    row(
        "what one owned alone goes back to its default",
        &[Apply("a", "{replicas: 3, minReadySeconds: 5}"), Apply("a", "{}")],
        &[("replicas", "1", ""), ("minReadySeconds", "-", "")],
    );
    row(
        "what another shares stays",
        &[Apply("a", "{replicas: 3}"), Apply("b", "{replicas: 3}"), Apply("a", "{}")],
        &[("replicas", "3", "b")],
    );
    row(
        "and goes with the last who wants it",
        &[Apply("a", "{replicas: 3}"), Apply("b", "{replicas: 3}"), Apply("a", "{}"), Apply("b", "{}")],
        &[("replicas", "1", "")],
    );
    row(
        "what was taken by an update stays",
        &[Apply("a", "{replicas: 3}"), Patched("b", "{replicas: 4}"), Same("a", "{}")],
        &[("replicas", "4", "~b")],
    );
    row(
        "what an updater shares stays",
        &[Patched("b", "{replicas: 4}"), Apply("a", "{replicas: 4}"), Apply("a", "{}")],
        &[("replicas", "4", "~b")],
    );
    row(
        "a struct goes with what defaults put into it",
        &[
            Apply("a", "{pod: {containers: [{name: app, livenessProbe: {httpGet: {path: /, port: 80}}}]}}"),
            Apply("a", "{pod: {containers: [{name: app}]}}"),
        ],
        &[
            ("pod.containers[name=app].livenessProbe", "-", ""),
            ("pod.containers[name=app].image", "app", "base"),
        ],
    );
    row(
        "but not with what others said in it",
        &[
            Apply("a", "{pod: {securityContext: {runAsUser: 1}}}"),
            Apply("b", "{pod: {securityContext: {runAsGroup: 2}}}"),
            Apply("a", "{}"),
        ],
        &[("pod.securityContext", "{runAsGroup: 2}", ""), ("pod.securityContext.runAsGroup", "2", "b")],
    );
    row(
        "what was never said is never taken away",
        &[Patched("b", "{paused: true}"), Apply("a", "{replicas: 2}"), Apply("a", "{}")],
        &[("paused", "true", "~b"), ("replicas", "1", "")],
    );
    row(
        "one who says nothing any more is no manager any more",
        &[Apply("a", "{replicas: 3}"), Apply("a", "{}"), Apply("b", "{replicas: 5}")],
        &[("replicas", "5", "b")],
    );
}

#[test]
fn the_autoscaler() {
    row(
        "it takes replicas, and the user's next apply is a conflict",
        &[
            Apply("user", "{replicas: 3}"),
            Patched("autoscaler", "{replicas: 5}"),
            Refused("user", "{replicas: 3}", &[("replicas", "autoscaler")]),
        ],
        &[("replicas", "5", "~autoscaler")],
    );
    row(
        "the user leaves replicas out after it took them",
        &[
            Apply("user", "{replicas: 3, paused: true}"),
            Patched("autoscaler", "{replicas: 5}"),
            Same("user", "{paused: true}"),
            Patched("autoscaler", "{replicas: 7}"),
        ],
        &[("replicas", "7", "~autoscaler"), ("paused", "true", "user")],
    );
    row(
        "the user leaves them out too early: back to the default",
        &[Apply("user", "{replicas: 3}"), Apply("user", "{}")],
        &[("replicas", "1", "")],
    );
    row(
        "the hand-over: somebody holds them until it takes them",
        &[
            Apply("user", "{replicas: 3, paused: true}"),
            Apply("handover", "{replicas: 3}"),
            Apply("user", "{paused: true}"),
            Patched("autoscaler", "{replicas: 5}"),
        ],
        &[("replicas", "5", "~autoscaler"), ("paused", "true", "user")],
    );
    row(
        "it applies, too: a conflict unless it forces",
        &[
            Apply("user", "{replicas: 3}"),
            Refused("autoscaler", "{replicas: 5}", &[("replicas", "user")]),
            Force("autoscaler", "{replicas: 5}"),
            Same("user", "{}"),
        ],
        &[("replicas", "5", "autoscaler")],
    );
    row(
        "the user never spoke of them",
        &[Patched("autoscaler", "{replicas: 5}"), Apply("user", "{paused: true}"), Apply("user", "{}")],
        &[("replicas", "5", "~autoscaler"), ("paused", "-", "")],
    );
}

#[test]
fn lists_with_keys() {
    row(
        "elements of two owners stand beside each other",
        &[Apply("a", "{pod: {containers: [{name: side, image: side}]}}")],
        &[
            ("pod.containers[0].name", "app", ""),
            ("pod.containers[1].name", "side", ""),
            ("pod.containers[name=app]", "*", "base"),
            ("pod.containers[name=side]", "*", "a"),
            ("pod.containers[name=side].image", "side", "a"),
        ],
    );
    row(
        "fields of one element may be several owners'",
        &[Apply("a", "{pod: {containers: [{name: app, workingDir: /srv}]}}")],
        &[
            ("pod.containers[name=app].workingDir", "/srv", "a"),
            ("pod.containers[name=app].image", "app", "base"),
            ("pod.containers[name=app].name", "app", "a base"),
            ("pod.containers[name=app]", "*", "a base"),
        ],
    );
    row(
        "another's field of an element is a conflict",
        &[Refused(
            "a",
            "{pod: {containers: [{name: app, image: other}]}}",
            &[("pod.containers[name=app].image", "base")],
        )],
        &[("pod.containers[name=app].image", "app", "base")],
    );
    row(
        "a field of an element is changed by whose it is",
        &[Apply("base", "{pod: {containers: [{name: app, image: 'app:2'}]}}")],
        &[("pod.containers[name=app].image", "app:2", "base")],
    );
    row(
        "an element that is not said any more goes",
        &[
            Apply("a", "{pod: {containers: [{name: side, image: side}, {name: log, image: log}]}}"),
            Apply("a", "{pod: {containers: [{name: log, image: log}]}}"),
        ],
        &[
            ("pod.containers[name=side]", "-", ""),
            ("pod.containers[name=log].image", "log", "a"),
            ("pod.containers[name=app].image", "app", "base"),
        ],
    );
    row(
        "it stays as far as another says it",
        &[
            Apply("a", "{pod: {containers: [{name: side, image: side, tty: true}]}}"),
            Apply("b", "{pod: {containers: [{name: side, image: side}]}}"),
            Apply("a", "{}"),
        ],
        &[("pod.containers[name=side].image", "side", "b"), ("pod.containers[name=side].tty", "-", "")],
    );
    row(
        "it goes, though an updater changed a field of it",
        &[
            Apply("a", "{pod: {containers: [{name: side, image: side}]}}"),
            Patched("b", "{pod: {containers: [{name: app, image: app}, {name: side, image: 'side:2'}]}}"),
            Apply("a", "{}"),
        ],
        &[("pod.containers[name=side]", "-", ""), ("pod.containers[name=app]", "*", "base")],
    );
    row(
        "what an updater put in is not the applier's to take away",
        &[
            Patched("b", "{pod: {containers: [{name: app, image: app}, {name: side, image: side}]}}"),
            Same("base", "{pod: {containers: [{name: app, image: app}]}}"),
        ],
        &[("pod.containers[name=side]", "*", "~b"), ("pod.containers[name=side].image", "side", "~b")],
    );
    row(
        "an updater that takes an element away takes it from its owner",
        &[
            Apply("a", "{pod: {containers: [{name: side, image: side}]}}"),
            Patched("b", "{pod: {containers: [{name: app, image: app}]}}"),
        ],
        &[("pod.containers[name=side]", "-", ""), ("pod.containers[name=side].image", "-", "")],
    );
    row(
        "ports are known by number and protocol, which has a default",
        &[
            Apply("a", "{pod: {containers: [{name: app, ports: [{containerPort: 53, name: a}]}]}}"),
            Apply(
                "b",
                "{pod: {containers: [{name: app, ports: [{containerPort: 53, protocol: UDP, name: b}]}]}}",
            ),
            Refused(
                "c",
                "{pod: {containers: [{name: app, ports: [{containerPort: 53, protocol: TCP, name: c}]}]}}",
                &[("pod.containers[name=app].ports[containerPort=53,protocol=TCP].name", "a")],
            ),
        ],
        &[
            ("pod.containers[name=app].ports[containerPort=53,protocol=TCP].name", "a", "a"),
            ("pod.containers[name=app].ports[containerPort=53,protocol=TCP].protocol", "TCP", ""),
            ("pod.containers[name=app].ports[containerPort=53,protocol=UDP].name", "b", "b"),
            ("pod.containers[name=app].ports[containerPort=53,protocol=UDP].protocol", "UDP", "b"),
        ],
    );
    row(
        "environment variables are known by name",
        &[
            Apply("a", "{pod: {containers: [{name: app, env: [{name: A, value: a}, {name: B, value: b}]}]}}"),
            Apply("b", "{pod: {containers: [{name: app, env: [{name: C, value: c}]}]}}"),
            Apply("a", "{pod: {containers: [{name: app, env: [{name: B, value: b2}]}]}}"),
        ],
        &[
            ("pod.containers[name=app].env[name=A]", "-", ""),
            ("pod.containers[name=app].env[name=B].value", "b2", "a"),
            ("pod.containers[name=app].env[name=C].value", "c", "b"),
        ],
    );
    row(
        "a variable with another source is the same variable",
        &[
            Apply("a", "{pod: {containers: [{name: app, env: [{name: A, value: a}]}]}}"),
            Apply(
                "a",
                "{pod: {containers: [{name: app, env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}}",
            ),
        ],
        &[
            ("pod.containers[name=app].env[name=A].value", "-", ""),
            ("pod.containers[name=app].env[name=A].valueFrom.fieldRef.fieldPath", "metadata.name", ""),
            ("pod.containers[name=app].env[name=A].valueFrom.fieldRef", "*", "a"),
        ],
    );
}

#[test]
fn the_order_of_lists() {
    let envs = |world: &World| {
        let object: Value = serde_json::from_slice(&world.current.as_ref().unwrap().value).unwrap();
        let list = object["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        list.iter().map(|env| env["name"].as_str().unwrap().to_string()).collect::<String>()
    };
    for (there, said, result) in [
        ("ABC", "B", "ABC"),
        ("ABC", "CA", "BCA"),
        ("AB", "XA", "XAB"),
        ("AB", "XBA", "XBA"),
        ("AB", "X", "ABX"),
        ("ABC", "CXB", "ACXB"),
        ("ABCD", "DA", "BCDA"),
        ("A", "", "A"),
    ] {
        let mut world = World { current: None, revision: 0 };
        world.step("order", &BASE);
        for (manager, names) in [("a", there), ("b", said)] {
            let env: Vec<_> =
                names.chars().map(|name| json!({"name": name.to_string(), "value": "v"})).collect();
            let mut fields = fields("{pod: {containers: [{name: app}]}}");
            fields["spec"]["template"]["spec"]["containers"][0]["env"] = env.into();
            let by = By { manager: manager.into(), now: Timestamp::from_unix(1), uid: Uid::from_u128(1) };
            world.change(&Change::apply(Model::of::<Deployment>(), fields, false, by).unwrap()).unwrap();
        }
        assert_eq!(envs(&world), result, "{there} with {said}");
    }
}

#[test]
fn sets_maps_and_atoms() {
    row(
        "a set is the union of what all say",
        &[
            Apply("a", "{metadata: {finalizers: [x.com/a, x.com/both]}}"),
            Apply("b", "{metadata: {finalizers: [x.com/b, x.com/both]}}"),
        ],
        &[
            ("metadata.finalizers", "[x.com/a, x.com/b, x.com/both]", ""),
            ("metadata.finalizers[=\"x.com/a\"]", "*", "a"),
            ("metadata.finalizers[=\"x.com/both\"]", "*", "a b"),
        ],
    );
    row(
        "from which each takes what is its own alone",
        &[
            Apply("a", "{metadata: {finalizers: [x.com/a, x.com/both]}}"),
            Apply("b", "{metadata: {finalizers: [x.com/b, x.com/both]}}"),
            Apply("a", "{}"),
        ],
        &[
            ("metadata.finalizers", "[x.com/b, x.com/both]", ""),
            ("metadata.finalizers[=\"x.com/both\"]", "*", "b"),
        ],
    );
    row(
        "labels are owned one by one",
        &[
            Apply("a", "{metadata: {labels: {a: '1', both: x}}}"),
            Apply("b", "{metadata: {labels: {b: '2', both: x}}}"),
            Refused("b", "{metadata: {labels: {a: '2'}}}", &[("metadata.labels.a", "a")]),
            Apply("a", "{metadata: {labels: {a: '3'}}}"),
            Patched("c", "{metadata: {labels: {c: '4'}}}"),
        ],
        &[
            ("metadata.labels", "{a: '3', b: '2', both: x, c: '4'}", ""),
            ("metadata.labels.a", "'3'", "a"),
            ("metadata.labels.b", "'2'", "b"),
            ("metadata.labels.both", "x", "b"),
            ("metadata.labels.c", "'4'", "~c"),
        ],
    );
    row(
        "the last label takes the map with it",
        &[Apply("a", "{metadata: {labels: {a: '1'}}}"), Apply("a", "{}")],
        &[("metadata.labels", "-", "")],
    );
    row(
        "a command is one value",
        &[
            Apply("a", "{pod: {containers: [{name: app, command: [x, w]}]}}"),
            Refused(
                "b",
                "{pod: {containers: [{name: app, command: [x]}]}}",
                &[("pod.containers[name=app].command", "a")],
            ),
            Force("b", "{pod: {containers: [{name: app, command: [z]}]}}"),
        ],
        &[("pod.containers[name=app].command", "[z]", "b")],
    );
    row(
        "so are arguments, which go as a whole",
        &[
            Apply("a", "{pod: {containers: [{name: app, args: [x, w]}]}}"),
            Apply("a", "{pod: {containers: [{name: app}]}}"),
        ],
        &[("pod.containers[name=app].args", "-", "")],
    );
    row(
        "a selector of nodes is one value, though it is a map",
        &[
            Apply("a", "{pod: {nodeSelector: {disk: ssd}}}"),
            Refused("b", "{pod: {nodeSelector: {zone: a}}}", &[("pod.nodeSelector", "a")]),
            Apply("a", "{pod: {nodeSelector: {zone: b}}}"),
        ],
        &[("pod.nodeSelector", "{zone: b}", "a"), ("pod.nodeSelector.zone", "b", "")],
    );
    row(
        "a selector of labels is one value",
        &[
            Apply("a", "{selector: {matchLabels: {app: web}}}"),
            Refused("b", "{selector: {matchLabels: {app: web, x: w}}}", &[("selector", "a")]),
        ],
        &[("selector", "{matchLabels: {app: web}}", "a")],
    );
    row(
        "an empty map is something",
        &[
            Apply("a", "{pod: {volumes: [{name: tmp, emptyDir: {medium: Memory}}]}}"),
            Apply("a", "{pod: {volumes: [{name: tmp, emptyDir: {}}]}}"),
        ],
        &[("pod.volumes[name=tmp].emptyDir", "{}", "a"), ("pod.volumes[name=tmp].emptyDir.medium", "-", "")],
    );
    row(
        "a volume of another sort",
        &[
            Apply("a", "{pod: {volumes: [{name: v, emptyDir: {}}]}}"),
            Apply("a", "{pod: {volumes: [{name: v, configMap: {name: c}}]}}"),
        ],
        &[("pod.volumes[name=v].emptyDir", "-", ""), ("pod.volumes[name=v].configMap.name", "c", "a")],
    );
    row(
        "null is the default, and owned",
        &[
            Apply("a", "{replicas: 3}"),
            Refused("b", "{replicas: null}", &[("replicas", "a")]),
            Apply("a", "{replicas: null}"),
            Same("a", "{replicas: null}"),
        ],
        &[("replicas", "1", "a")],
    );
    row(
        "an owner reference is one value, known by uid",
        &[
            Apply("a", "{metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: u1}]}}"),
            Apply("b", "{metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: q, uid: u2}]}}"),
            Refused(
                "b",
                "{metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: r, uid: u1}]}}",
                &[("metadata.ownerReferences[uid=u1]", "a")],
            ),
            Apply("a", "{}"),
        ],
        &[
            ("metadata.ownerReferences[uid=u1]", "-", ""),
            ("metadata.ownerReferences[uid=u2]", "*", "b"),
            ("metadata.ownerReferences[uid=u2].name", "q", ""),
        ],
    );
    row(
        "an updater that takes a struct away takes it from all",
        &[
            Apply("a", "{pod: {volumes: [{name: tmp, emptyDir: {}}]}}"),
            Patched("b", "{pod: {volumes: [{name: tmp, emptyDir: null, configMap: {name: c}}]}}"),
        ],
        &[("pod.volumes[name=tmp].emptyDir", "-", ""), ("pod.volumes[name=tmp].configMap.name", "c", "~b")],
    );
    row(
        "a false that is not written is owned all the same",
        &[Apply("a", "{paused: false}"), Refused("b", "{paused: true}", &[("paused", "a")])],
        &[("paused", "-", "a")],
    );
    row(
        "another strategy takes the settings of the one before along",
        &[
            Apply("a", "{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}"),
            Apply("a", "{strategy: {type: Recreate}}"),
        ],
        &[("strategy", "{type: Recreate}", ""), ("strategy.type", "Recreate", "a")],
    );
    row(
        "but not those that another said",
        &[
            Apply("a", "{strategy: {rollingUpdate: {maxSurge: 1}}}"),
            Refused("b", "{strategy: {type: Recreate}}", &[("strategy.rollingUpdate.maxSurge", "a")]),
            Force("b", "{strategy: {type: Recreate}}"),
        ],
        &[("strategy", "{type: Recreate}", ""), ("strategy.type", "Recreate", "b")],
    );
}

#[test]
fn updates() {
    row(
        "who makes an object owns it, defaults included",
        &[Create("a", "{replicas: 3, pod: {containers: [{name: app, image: app}]}}")],
        &[
            ("replicas", "3", "~a"),
            ("revisionHistoryLimit", "10", "~a"),
            ("pod.containers[name=app]", "*", "~a"),
            ("metadata.name", "web", ""),
            ("metadata.uid", "*", ""),
        ],
    );
    row(
        "who changes a field owns it, and nobody else any more",
        &[
            Create("a", "{replicas: 3, pod: {containers: [{name: app, image: app}]}}"),
            Patched("b", "{replicas: 4}"),
            Patched("c", "{replicas: 4, paused: true}"),
        ],
        &[("replicas", "4", "~b"), ("paused", "true", "~c"), ("revisionHistoryLimit", "10", "~a")],
    );
    row(
        "what one says by applying and what by updating are two things",
        &[
            Apply("a", "{replicas: 3}"),
            Patched("a", "{replicas: 4}"),
            Refused("a", "{replicas: 3}", &[("replicas", "a")]),
        ],
        &[("replicas", "4", "~a")],
    );
    row(
        "a field that is taken away is nobody's",
        &[Apply("a", "{minReadySeconds: 5}"), Patched("b", "{minReadySeconds: null}")],
        &[("minReadySeconds", "-", "")],
    );
    row(
        "fields that the type does not have are owned and kept",
        &[
            Apply("a", "{mood: {of: {day: good}}}"),
            Apply("b", "{mood: {of: {night: bad}}}"),
            Refused("b", "{mood: {of: {day: bad}}}", &[("mood.of.day", "a")]),
            Apply("a", "{}"),
        ],
        &[("mood", "{of: {night: bad}}", "b"), ("mood.of.night", "bad", "b")],
    );
}

#[test]
fn the_status_is_apart() {
    row(
        "who applies both owns the one by the one way",
        &[
            Apply("a", "{replicas: 3, status: {replicas: 9}}"),
            Status("a", "{replicas: 8, status: {replicas: 2}}"),
            StatusPatched("b", "{replicas: 7, status: {readyReplicas: 1}}"),
        ],
        &[
            ("replicas", "3", "a"),
            ("status", "{replicas: 2, readyReplicas: 1}", ""),
            ("status.replicas", "2", "a/status"),
            ("status.readyReplicas", "1", "~b/status"),
        ],
    );
    row(
        "conditions are known by type, and go with whose they are",
        &[
            Status("a", "{status: {conditions: [{type: A, status: 'True'}]}}"),
            Status("b", "{status: {conditions: [{type: B, status: 'True'}]}}"),
            Status("a", "{status: {}}"),
        ],
        &[("status.conditions[type=A]", "-", ""), ("status.conditions[type=B].status", "'True'", "b/status")],
    );
    row(
        "what is desired does not change with it",
        &[Status("a", "{status: {replicas: 2}}"), Apply("a", "{replicas: 5}"), Apply("a", "{}")],
        &[("status.replicas", "2", "a/status"), ("replicas", "1", "")],
    );
}

#[test]
fn only_so_many_updaters_are_told_apart() {
    let mut world = World { current: None, revision: 0 };
    world.step("many", &BASE);
    for (at, name) in (0..14).map(|at| (at, format!("m{at:02}"))) {
        let by = By { manager: name.into(), now: Timestamp::from_unix(100 + at), uid: Uid::from_u128(1) };
        let patch = Patch::merge(json!({"metadata": {"labels": {format!("l{at}"): "x"}}}));
        let object = ObjectName::new(DeploymentSpec::KIND, "", "web").unwrap();
        world.change(&Change::patch(Model::of::<Deployment>(), object, patch, by)).unwrap();
    }
    let object: Deployment = orchestra_core::client::read(world.current.as_ref().unwrap()).unwrap();
    let managers: Vec<_> =
        object.metadata.managed_fields.entries().iter().map(|entry| entry.manager.to_string()).collect();
    assert_eq!(managers.len(), 11, "{managers:?}");
    assert!(managers.contains(&"base".into()) && managers.contains(&"ancient-changes".into()));
    assert!(managers.contains(&"m13".into()) && !managers.contains(&"m04".into()), "{managers:?}");
    world.check(
        "many",
        &[("metadata.labels.l0", "x", "~ancient-changes"), ("metadata.labels.l13", "x", "~m13")],
    );
}

#[test]
fn an_apply_is_about_one_object() {
    let mut world = World { current: None, revision: 0 };
    world.step("identity", &BASE);
    let by = || By { manager: "a".into(), now: Timestamp::from_unix(1), uid: Uid::from_u128(1) };
    let uid = Uid::from_u128(7).to_string();
    for (text, outcome) in [
        ("{metadata: {uid: other}, replicas: 2}", "it is another object"),
        ("{metadata: {resourceVersion: '99'}, replicas: 2}", "it is at revision 1, not 99"),
        ("{metadata: {managedFields: []}, replicas: 2}", "metadata.managedFields: cannot be applied"),
        (
            "{pod: {containers: [{name: a, image: x}, {name: a, image: y}]}}",
            "containers[name=a]: is there twice in one list",
        ),
        ("{replicas: many}", "spec.replicas: expected"),
        ("{metadata: {resourceVersion: '1', uid: UID}, replicas: 2}", ""),
    ] {
        let text = text.replace("UID", &uid);
        let change = Change::apply(Model::of::<Deployment>(), fields(&text), true, by()).unwrap();
        match world.change(&change) {
            Ok(_) => assert_eq!(outcome, "", "{text}"),
            Err(error) => {
                assert!(!outcome.is_empty() && error.to_string().contains(outcome), "{text}: {error}")
            }
        }
    }
    let mut wrong = fields("{replicas: 2}");
    wrong["kind"] = "Pod".into();
    let change = Change::apply(Model::of::<Deployment>(), wrong, true, by()).unwrap();
    assert!(world.change(&change).unwrap_err().to_string().contains("kind: must be `Deployment`"));

    // One that is not there is not to be made anew when a certain one is meant.
    let mut nothing = World { current: None, revision: 0 };
    let certain = fields("{metadata: {uid: x}, pod: {containers: [{name: app, image: app}]}}");
    let change = Change::apply(Model::of::<Deployment>(), certain, false, by()).unwrap();
    assert!(nothing.change(&change).unwrap_err().is_conflict());
}

#[test]
fn an_object_stored_without_owners_is_its_first_appliers_only_as_far_as_it_agrees() {
    let mut object = Deployment::new("web").namespace("default").replicas(3).build().unwrap();
    object.spec.template.spec.containers = vec![orchestra_core::kinds::Container {
        name: "app".into(),
        image: "app".into(),
        ..Default::default()
    }];
    let value = serde_json::to_vec(&AnyObject::from(object)).unwrap();
    let key = ObjectName::new(DeploymentSpec::KIND, "", "web").unwrap().key();
    let at = Revision(1);
    let entry = Arc::new(Entry { key, value: value.into(), created: at, modified: at });
    let mut world = World { current: Some((*entry).clone()), revision: 1 };
    world.step("old", &Refused("a", "{replicas: 4}", &[("replicas", "before-first-apply")]));
    world.step("old", &Apply("a", "{replicas: 3}"));
    world.check("old", &[("replicas", "3", "a ~before-first-apply")]);
}

/// A kind of somebody's own, which says nothing about its shape and must be given whole.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct GardenSpec {
    beds: u32,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    plan: Value,
}

impl Spec for GardenSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Garden");
    type Status = NoStatus;
}

#[test]
fn kinds_without_a_shape_are_owned_by_their_maps_entries() {
    let mut world = World { current: None, revision: 0 };
    let mut apply = |manager: &str, spec: Value, force: bool| {
        let object = json!({"apiVersion": "example.com/v1", "kind": "Garden", "metadata": {"name": "g"}, "spec": spec});
        let Value::Object(fields) = object else { panic!() };
        let by = By { manager: manager.into(), now: Timestamp::from_unix(1), uid: Uid::from_u128(1) };
        let change = Change::apply(Model::of::<Object<GardenSpec>>(), fields, force, by).unwrap();
        world.change(&change).map(|_| {
            let garden: Object<GardenSpec> =
                orchestra_core::client::read(world.current.as_ref().unwrap()).unwrap();
            serde_json::to_value(&garden.spec).unwrap()
        })
    };
    let refused = apply("a", json!({"tools": ["spade"]}), false).unwrap_err().to_string();
    assert!(refused.contains("beds"), "there is no default for it: {refused}");
    apply("a", json!({"beds": 1, "tools": ["spade"], "plan": {"north": {"x": 1}}}), false).unwrap();
    let both = apply("b", json!({"plan": {"north": {"y": [1, 2]}}}), false).unwrap();
    assert_eq!(both["plan"], json!({"north": {"x": 1, "y": [1, 2]}}));
    for (spec, path) in [
        (json!({"tools": ["rake"]}), "spec.tools"),
        (json!({"plan": {"north": {"x": 2}}}), "spec.plan.north.x"),
        (json!({"beds": 2}), "spec.beds"),
    ] {
        match apply("b", spec, false) {
            Err(Error::Owned { conflicts, .. }) => assert_eq!(conflicts.0[0].path.to_string(), path),
            other => panic!("{path}: {other:?}"),
        }
    }
    let forced = apply("b", json!({"tools": ["rake"], "plan": {"north": {"y": [3]}}}), true).unwrap();
    assert_eq!((&forced["tools"], &forced["plan"]["north"]["y"]), (&json!(["rake"]), &json!([3])));
    let left = apply("a", json!({"beds": 1}), false).unwrap();
    assert_eq!(left, json!({"beds": 1, "tools": ["rake"], "plan": {"north": {"y": [3]}}}));
}
