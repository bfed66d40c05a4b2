//! What is wrong with a plan is found, and what is too much is bounded.

use serde_json::json;

use super::*;

#[test]
fn what_goes_wrong_while_building_is_told_by_check() {
    let unnamed = Pod::default();
    for (plan, text) in [
        (Plan::new().ensure(Pod::new("")), "Pod default/ makes no sense: its name must not be empty"),
        (Plan::new().ensure(Pod::new("a").set("spec.x[", 1)), "Pod makes no sense: cannot set spec.x["),
        (Plan::new().ensure(Node::new("n").namespace("a")), "belongs to no namespace"),
        (Plan::new().ensure(Pod::new("a").namespace("A")), "its namespace `A` must be"),
        (Plan::new().delete(&unnamed), "its name must not be empty"),
        (Plan::new().finalizer(&unnamed, "a/b"), "its name must not be empty"),
        (Plan::new().and(Plan::new().atomic(Plan::new().delete(&unnamed))), "its name must not be empty"),
    ] {
        let error = plan.check(&PlanLimits::DEFAULT).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert!(plan.to_string().starts_with("!! the plan for "), "{plan}");
    }
}

#[test]
fn contradictions_are_found() {
    let mut shelf = Shelf::default();
    let seen = shelf.with(web());
    let edit = |replicas| Plan::new().edit(&seen, |web| web.spec.replicas = replicas);
    for (plan, text) in [
        (
            Plan::new().ensure(web()).ensure(web().replicas(4)),
            "steps 1 and 2 contradict each other: Deployment default/web is ensured twice",
        ),
        (Plan::new().ensure(web()).ensure(web()), ""),
        (Plan::new().ensure(web()).delete(&seen), "is ensured and deleted"),
        (Plan::new().delete(&seen).ensure(web()), "is ensured and deleted"),
        (Plan::new().delete(&seen).delete(&seen), "is deleted twice"),
        (Plan::new().delete(&seen).edit(&seen, |web| web.metadata.finalizers = ["a/b".into()].into()), ""),
        (Plan::new().finalizer(&seen, "a/b").remove_finalizer(&seen, "a/b"), ""), // nothing was there
        (edit(4).and(edit(5)), "has its field spec.replicas set to one thing and then to another"),
        (edit(4).and(edit(4)), ""),
        (edit(4).edit(&seen, |web| web.spec.paused = true), ""),
        (
            edit(4).patch(&seen, Patch::json([Operation::replace("/spec/replicas", 5)])),
            "spec.replicas set to one",
        ),
        (edit(4).patch(&seen, Patch::merge(json!({"spec": null}))), "field spec set to one thing"),
        (
            Plan::new().patch(&seen, Patch::merge(json!({"spec": null}))).and(edit(4)),
            "spec.replicas set to one thing",
        ),
        (
            Plan::new()
                .finalizer(&seen, "a/b")
                .edit(&seen, |web| web.metadata.finalizers = ["c/d".into()].into()),
            "metadata.finalizers set to",
        ),
        (Plan::new().atomic(edit(4).finalizer(&seen, "a/b")), "is changed twice in one transaction"),
        (Plan::new().atomic(Plan::new().ensure(web()).ensure(web().namespace("b"))), ""),
    ] {
        match plan.check(&PlanLimits::DEFAULT) {
            Ok(()) => assert_eq!(text, "", "{plan}"),
            Err(error) => assert!(!text.is_empty() && error.to_string().contains(text), "{error}"),
        }
    }
    // An object with a finalizer: away with it, and there with it again.
    shelf.make(&Plan::new().finalizer(&seen, "a/b")).unwrap();
    let seen: Deployment = shelf.get("web").unwrap();
    let bare: Deployment = {
        let mut bare = seen.clone();
        bare.metadata.finalizers.clear();
        bare
    };
    let error = Plan::new().remove_finalizer(&seen, "a/b").finalizer(&bare, "a/b");
    let error = error.check(&PlanLimits::DEFAULT).unwrap_err().to_string();
    assert!(error.contains("gets the finalizer `a/b` and loses it"), "{error}");
}

#[test]
fn a_plan_is_bounded() {
    let config = |n: usize| ConfigMap::new(format!("c{n}"));
    let plan = Plan::new().ensure_each((0..200_000).map(config));
    assert_eq!((plan.changes(), plan.steps().len()), (200_000, MOST_CHANGES));
    let error = plan.check(&PlanLimits::DEFAULT).unwrap_err();
    assert_eq!(error, PlanError::TooLong { changes: 200_000, limit: MOST_CHANGES });
    assert!(plan.to_string().lines().count() < 300);

    // Neither joining nor nesting gets round it.
    let most = Plan::new().ensure_each((0..MOST_CHANGES).map(config));
    most.check(&PlanLimits::DEFAULT).unwrap();
    let twice = most.clone().atomic(most.clone()).and(most.clone()).and(plan.clone());
    assert_eq!(twice.changes(), 3 * MOST_CHANGES + 200_000);
    assert_eq!(twice.steps().len(), MOST_CHANGES);
    assert!(most.check(&PlanLimits::DEFAULT.changes(10)).is_err());

    let at_once = |n| Plan::new().atomic(Plan::new().ensure_each((0..n).map(config)));
    at_once(126).check(&PlanLimits::DEFAULT).unwrap();
    let error = at_once(127).check(&PlanLimits::DEFAULT).unwrap_err();
    assert_eq!(error, PlanError::TooManyAtOnce { step: 1, changes: 127, limit: 126 });

    let pod = Pod::new("a").build().unwrap();
    let noisy = (0..1000).fold(Plan::new(), |plan, _| plan.event(&pod, Note::warning("R", "ä".repeat(2000))));
    assert_eq!((noisy.notes().len(), noisy.notes_left_out()), (MOST_NOTES, 1000 - MOST_NOTES));
    assert_eq!(noisy.notes()[0].note.message.len(), 1024);
}
