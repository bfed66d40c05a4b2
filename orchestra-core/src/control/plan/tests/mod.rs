//! Each verb.

mod trees;
mod wrong;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::client::{By, Delete, Operation, Outcome, Part, Patch, Policy, prepare, read};
use crate::control::{Effect, EffectRequest};
use crate::kinds::{ConfigMap, Container, Deployment, Node, Pod};
use crate::object::{
    Apply, Condition, Conditions, Kind, Object, Resource, Revision, Spec, Str, Timestamp, Uid,
};
use crate::store::{Entry, Key, Write};

/// A kind of which anything may be said, also what a merge patch cannot say.
type Free = Object<FreeSpec>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct FreeSpec {
    any: Value,
    list: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct FreeStatus {
    ready: u32,
    seen: Value,
}

impl Spec for FreeSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Free");
    type Status = FreeStatus;
}

/// What stands in a store, written by plans.
#[derive(Default)]
struct Shelf {
    entries: BTreeMap<Key, Entry>,
    revision: u64,
}

impl Shelf {
    /// Makes all steps, and says what each change came to.
    fn make(&mut self, plan: &Plan) -> crate::Result<Vec<Outcome>> {
        plan.check(&PlanLimits::DEFAULT).unwrap();
        let mut outcomes = Vec::new();
        for op in plan.steps().iter().flat_map(Step::ops) {
            let uid = Uid::from_u128(u128::from(self.revision) + 1000);
            let by = By { manager: "tester".into(), now: Timestamp::from_unix(50), uid };
            let prepared = prepare(&op.change(by)?, self.entries.get(&op.object().key()), &Policy::open())?;
            outcomes.push(prepared.outcome);
            self.revision += 1;
            let at = Revision(self.revision);
            for write in prepared.txn.into_writes() {
                match write {
                    Write::Put(key, value) => {
                        let entry = Entry { key: key.clone(), value, created: at, modified: at };
                        self.entries.insert(key, entry);
                    }
                    Write::Delete(key) => drop(self.entries.remove(&key)),
                }
            }
        }
        Ok(outcomes)
    }

    fn get<R: Resource>(&self, name: &str) -> Option<R> {
        let name = crate::client::ObjectName::new(R::KIND, "", name).unwrap();
        self.entries.get(&name.key()).map(|entry| read(entry).unwrap())
    }

    /// An object as it is once it was written.
    fn with<R: Resource>(&mut self, object: Apply<R>) -> R {
        let name = object.clone().build().unwrap().name().clone();
        self.make(&Plan::new().ensure(object)).unwrap();
        self.get(&name).unwrap()
    }
}

fn web() -> Apply<Deployment> {
    Deployment::new("web").replicas(3).container(Container::new("app").image("app:1"))
}

fn free(any: Value) -> Apply<Free> {
    Free::new("free").spec(FreeSpec { any, list: Vec::new() })
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

fn only_op(plan: &Plan) -> &Op {
    let [step] = plan.steps() else { panic!("{plan:?}") };
    let [op] = step.ops() else { panic!("{plan:?}") };
    op
}

fn merge_of(op: &Op) -> &Value {
    let Act::Patch { patch: Patch::Merge(tree), .. } = op.act() else { panic!("{op:?}") };
    tree
}

#[test]
fn ensure_says_exactly_what_was_said() {
    let plan = Plan::new().ensure(web());
    let op = only_op(&plan);
    assert_eq!(
        (op.object().to_string().as_str(), op.expected()),
        ("Deployment default/web", Expected::Unread)
    );
    let Act::Ensure { fields, force: true } = op.act() else { panic!("{op:?}") };
    assert_eq!(fields.to_json(), web().fields().unwrap());
    let said = web();
    assert_eq!(plan, Plan::new().ensure(&said));
    assert_ne!(plan, Plan::new().ensure_unless_owned(web()));
    assert_eq!(Plan::new().ensure_each([web(), web().label("a", "b")]).steps().len(), 2);

    let mut shelf = Shelf::default();
    assert_eq!(shelf.make(&plan).unwrap(), [Outcome::Created]);
    assert_eq!(shelf.make(&plan).unwrap(), [Outcome::Unchanged]);
}

#[test]
fn a_whole_object_says_all_but_what_is_not_its_to_say() {
    let mut shelf = Shelf::default();
    let mut web = shelf.with(web());
    web.status.replicas = 2;
    web.metadata.labels.insert("tier", "front".into());
    let plan = Plan::new().ensure(&web);
    assert_eq!(plan, Plan::new().ensure(web.clone()));
    let Act::Ensure { fields, .. } = only_op(&plan).act() else { panic!("{plan:?}") };
    let fields = fields.to_json();
    assert!(!fields.contains_key("status"));
    let metadata: Vec<_> = fields["metadata"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(metadata, ["labels", "name", "namespace"]);
    assert_eq!(shelf.make(&plan).unwrap(), [Outcome::Updated]);
    assert_eq!(shelf.get::<Deployment>("web").unwrap().labels().get("tier"), Some(&"front".into()));
}

#[test]
fn an_edit_writes_the_difference_and_nothing_else() {
    let mut shelf = Shelf::default();
    let web = shelf.with(web());
    assert!(Plan::new().edit(&web, |_| {}).is_empty());
    assert!(Plan::new().edit(&web, |web| web.metadata.resource_version = Revision(99)).is_empty());

    let plan = Plan::new().edit(&web, |web| web.spec.replicas = 5);
    let op = only_op(&plan);
    assert_eq!(merge_of(op), &json!({"spec": {"replicas": 5}}));
    assert_eq!(op.expected(), Expected::At(web.metadata.resource_version));

    // What is observed is written in a step of its own, not lost.
    let both = Plan::new().edit(&web, |web| {
        web.spec.paused = true;
        web.status.replicas = 1;
    });
    let parts: Vec<_> = both.steps().iter().flat_map(Step::ops).map(|op| merge_of(op).clone()).collect();
    assert_eq!(parts, [json!({"spec": {"paused": true}}), json!({"status": {"replicas": 1}})]);
    shelf.make(&both).unwrap();
    let now: Deployment = shelf.get("web").unwrap();
    assert!(now.spec.paused && now.status.replicas == 1);

    let another = Plan::new().edit(&web, |web| web.metadata.name = "other".into());
    let error = another.check(&PlanLimits::DEFAULT).unwrap_err();
    assert_eq!(error.object(), Some("Deployment default/web"));
    assert!(error.to_string().contains("an edit cannot change metadata.name"), "{error}");
}

#[test]
fn a_change_is_for_this_very_object() {
    let mut shelf = Shelf::default();
    let old = shelf.with(web());
    shelf.make(&Plan::new().delete(&old)).unwrap();
    let new = shelf.with(web().replicas(1));
    assert_ne!(old.uid(), new.uid());
    for plan in [
        Plan::new().edit(&old, |web| web.spec.replicas = 5),
        Plan::new().patch(&old, Patch::json([Operation::replace("/spec/replicas", 5)])),
        Plan::new().patch_status(&old, Patch::merge(json!({"status": {"replicas": 1}}))),
        Plan::new().finalizer(&old, "a/b"),
        Plan::new().delete(&old),
    ] {
        let error = shelf.make(&plan).unwrap_err();
        assert!(error.is_conflict(), "{error}");
    }
    assert_eq!(shelf.get::<Deployment>("web"), Some(new));
}

#[test]
fn a_status_is_written_when_it_differs() {
    let mut shelf = Shelf::default();
    let web = shelf.with(web());
    assert!(Plan::new().status(&web, web.status.clone()).is_empty());
    let mut status = web.status.clone();
    status.ready_replicas = 2;
    let plan = Plan::new().status(&web, status.clone());
    assert_eq!(merge_of(only_op(&plan)), &json!({"status": {"readyReplicas": 2}}));
    assert!(matches!(only_op(&plan).act(), Act::Patch { part: Part::Status, .. }));
    shelf.make(&plan).unwrap();
    let now: Deployment = shelf.get("web").unwrap();
    assert_eq!(now.status, status);
    assert_eq!(
        merge_of(only_op(&Plan::new().status(&now, Default::default()))),
        &json!({"status": {"readyReplicas": null}})
    );
}

#[test]
fn a_condition_is_set_and_its_time_moves_with_it() {
    let mut shelf = Shelf::default();
    let web = shelf.with(web());
    let ready = |holds: bool| Condition::of("Ready", holds).because("Counted", "");
    shelf.make(&Plan::new().condition(&web, ready(false), at(1))).unwrap();
    let web: Deployment = shelf.get("web").unwrap();
    assert_eq!(web.status.conditions.condition("Ready").unwrap().last_transition_time, Some(at(1)));
    assert!(Plan::new().condition(&web, ready(false), at(2)).is_empty());

    // Several, and a status before them, are one step.
    let mut status = web.status.clone();
    status.replicas = 3;
    let plan = Plan::new().status(&web, status).condition(&web, ready(true), at(3)).condition(
        &web,
        Condition::of("Available", true),
        at(3),
    );
    assert_eq!((plan.steps().len(), plan.changes()), (1, 1));
    shelf.make(&plan).unwrap();
    let web: Deployment = shelf.get("web").unwrap();
    assert_eq!((web.status.conditions.len(), web.status.replicas), (2, 3));
    assert_eq!(web.status.conditions.condition("Ready").unwrap().last_transition_time, Some(at(3)));

    // Back to what it was is no change at all.
    let back = Plan::new().condition(&web, ready(false).because("No", ""), at(4));
    let was = web.status.conditions.condition("Ready").unwrap().clone();
    let mut restored = back.condition(&web, ready(true), at(3));
    restored = restored.condition(&web, was, at(3));
    assert_eq!((restored.steps().len(), restored.changes()), (0, 0), "{restored}");

    let free = shelf.with(free(json!(1)));
    let error = Plan::new().condition(&free, ready(true), at(1)).check(&PlanLimits::DEFAULT).unwrap_err();
    assert!(error.to_string().contains("has no list `conditions`"), "{error}");
}

#[test]
fn what_the_type_does_not_know_stays() {
    let mut shelf = Shelf::default();
    let tree =
        json!({"status": {"future": 1, "conditions": [{"type": "Odd", "status": "True", "future": 2}]}});
    let seen = shelf.with(web());
    shelf.make(&Plan::new().patch_status(&seen, Patch::merge(tree))).unwrap();
    let seen: Deployment = shelf.get("web").unwrap();
    let mut status = seen.status.clone();
    status.conditions.set_condition(Condition::of("Ready", true), at(1));
    for plan in [
        Plan::new().status(&seen, status),
        Plan::new().condition(&seen, Condition::of("Ready", true), at(1)),
        Plan::new()
            .edit(&seen, |web| web.status.conditions.set_condition(Condition::of("Ready", true), at(1))),
    ] {
        shelf.make(&plan).unwrap();
        let tree = serde_json::to_value(shelf.get::<Deployment>("web").unwrap()).unwrap();
        assert_eq!(tree["status"]["future"], 1);
        let conditions = tree["status"]["conditions"].as_array().unwrap();
        assert!(conditions.len() == 2 && conditions.iter().any(|it| it["future"] == 2), "{plan} {tree}");
    }
}

#[test]
fn a_deletion_is_of_what_was_seen() {
    let mut shelf = Shelf::default();
    let web = shelf.with(web());
    let plan = Plan::new().delete_with(&web, Delete::default().grace(5));
    let op = only_op(&plan);
    assert!(op.is_deletion() && op.expected() == Expected::At(web.metadata.resource_version));
    let Act::Delete { how } = op.act() else { panic!("{op:?}") };
    assert_eq!(*how, Delete::default().grace(5).uid(web.uid().clone()));
    assert_eq!(shelf.make(&Plan::new().delete(&web)).unwrap(), [Outcome::Deleted]);
}

#[test]
fn finalizers_come_and_go() {
    let mut shelf = Shelf::default();
    let web = shelf.with(web());
    let names = |shelf: &Shelf| shelf.get::<Deployment>("web").unwrap().metadata.finalizers.to_vec();
    assert!(Plan::new().remove_finalizer(&web, "a/b").is_empty());
    shelf.make(&Plan::new().finalizer(&web, "a/b").finalizer(&web, "c/d").finalizer(&web, "a/b")).unwrap();
    assert_eq!(names(&shelf), ["a/b", "c/d"].map(Str::from));
    let web: Deployment = shelf.get("web").unwrap();
    assert!(Plan::new().finalizer(&web, "a/b").is_empty());
    shelf.make(&Plan::new().remove_finalizer(&web, "a/b").finalizer(&web, "e/f")).unwrap();
    assert_eq!(names(&shelf), ["c/d", "e/f"].map(Str::from));
    let web: Deployment = shelf.get("web").unwrap();
    shelf.make(&Plan::new().remove_finalizer(&web, "c/d").remove_finalizer(&web, "e/f")).unwrap();
    assert!(names(&shelf).is_empty());
}

#[test]
fn an_effect_is_written_down_after_its_finalizer() {
    let mut shelf = Shelf::default();
    let web = shelf.with(web());
    let machine = |slot: &str| Effect::new("machine", slot).input(json!({"size": 3}));
    let plan = Plan::new().effect(&web, machine("0")).effect(&web, machine("1"));
    let acts: Vec<_> = plan.steps().iter().flat_map(Step::ops).map(|op| op.object().kind().name()).collect();
    assert_eq!(acts, ["Deployment", "EffectRequest", "EffectRequest"]);
    shelf.make(&plan).unwrap();
    let request: EffectRequest = shelf.get(&machine("0").request_name(web.uid())).unwrap();
    assert_eq!(request.spec.key, machine("0").key(web.uid()));
    assert_eq!((request.spec.handler.as_str(), &request.spec.input), ("machine", &json!({"size": 3})));
    assert_eq!(request.metadata.controller().map(|owner| &owner.uid), Some(web.uid()));
    assert!(request.problems().is_empty(), "{}", request.problems());

    // The key follows from owner, handler and slot, for ever, and from nothing else.
    let (one, two) = (Uid::from_u128(1), Uid::from_u128(2));
    assert_eq!(machine("0").key(&one), "a90ee9f37edec982094b5f5591daa608");
    assert_eq!(machine("0").key(&one), Effect::new("machine", "0").key(&one));
    assert_ne!(machine("0").key(&one), machine("0").key(&two));
    assert_ne!(Effect::new("ab", "c").key(&one), Effect::new("a", "bc").key(&one));

    for (effect, reason) in [
        (Effect::new("Machine", "0"), "`Machine` must be lower-case"),
        (Effect::new("m".repeat(31), "0"), "longer than 30"),
        (Effect::new("machine", ""), "no slot"),
    ] {
        let error = Plan::new().effect(&web, effect).check(&PlanLimits::DEFAULT).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    // An object of the cluster asks by way of the default namespace.
    let node = Node::new("n1").build().unwrap();
    let mut plan = Plan::new().effect(&node, machine("0"));
    plan.settle("elsewhere");
    assert_eq!(plan.steps()[1].ops()[0].object().namespace(), "default");
}

#[test]
fn what_has_no_namespace_is_put_where_its_object_is() {
    let mut plan = Plan::new()
        .ensure(web())
        .ensure(web().namespace("own"))
        .ensure(Node::new("n1"))
        .event(&web().build().unwrap(), Note::normal("Made", ""));
    plan.settle("blog");
    let names: Vec<_> = plan.steps().iter().flat_map(Step::ops).map(|op| op.object().to_string()).collect();
    assert_eq!(names, ["Deployment blog/web", "Deployment own/web", "Node n1"]);
    assert_eq!(plan.notes()[0].about.namespace, "blog");
    let mut shelf = Shelf::default();
    shelf.make(&plan).unwrap();
    assert!(shelf.entries.keys().any(|key| key.to_string() == "apps/deployments/blog/web"));
}

#[test]
fn the_earliest_time_counts() {
    let now = Now::new(at(100).into(), Duration::ZERO);
    let seconds = Duration::from_secs;
    for (plan, wait) in [
        (Plan::new(), None),
        (Plan::new().after(seconds(5)).after(seconds(9)), Some(5)),
        (Plan::new().at(at(103)).after(seconds(9)).at(at(120)), Some(3)),
        (Plan::new().at(at(90)), Some(0)),
        (Plan::new().after(seconds(7)).and(Plan::new().after(seconds(2)).at(at(101))), Some(1)),
        (Plan::new().after(seconds(7)).atomic(Plan::new().after(seconds(2))), Some(2)),
    ] {
        assert_eq!(plan.look_again(now), wait.map(seconds), "{plan}");
    }
}

#[test]
fn values_do_not_show() {
    let secret = crate::kinds::Secret::new("s").entry("password", "hunter2");
    let seen = secret.clone().build().unwrap();
    let plan = Plan::new()
        .ensure(&secret)
        .ensure(&seen)
        .edit(&seen, |secret| drop(secret.spec.data.insert("more", b"hunter2".to_vec().into())))
        .patch(&seen, Patch::json([Operation::add("/stringData/x", "hunter2")]));
    for text in [
        format!("{plan:?}"),
        plan.to_string(),
        plan.show(|_| Some(json!({"data": {"password": "hunter2"}}))).to_string(),
    ] {
        assert!(
            text.contains("password") && !text.contains("hunter") && !text.contains("aHVudGVy"),
            "{text}"
        );
    }
}
