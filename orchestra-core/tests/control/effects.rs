//! What reaches the world outside.

use std::time::Duration;

use orchestra_core::client::Delete;
use orchestra_core::control::kernel::Input;
use orchestra_core::control::{Controller, Effect, EffectError, EffectPhase, EffectRequest, Plan, View};
use orchestra_core::kinds::ConfigMap;
use orchestra_core::object::Resource;
use serde_json::{Value, json};

use super::desk::Desk;
use super::site::{Site, SiteSpec, SiteStatus};

/// A machine for each site: rented while it is there, given back before it goes.
fn rented(site: &Site, world: &View<'_>) -> Plan {
    let rent = Effect::new("rent", "machine").input(json!({ "pages": site.spec.pages }));
    let answer = |effect: &Effect| world.get::<EffectRequest>(&effect.request_name(site.uid()));
    if site.metadata.is_deleting() {
        let give_back = Effect::new("give-back", "machine");
        let is_back = answer(&give_back).is_some_and(|it| it.status.phase == EffectPhase::Done);
        let done = Plan::new()
            .remove_finalizer(site, Effect::finalizer("rent"))
            .remove_finalizer(site, Effect::finalizer("give-back"));
        return if is_back { done } else { Plan::new().effect(site, give_back) };
    }
    let is_there = answer(&rent).is_some_and(|it| it.status.answer["id"] == "m1");
    // That it can be given back is seen to before it is rented.
    Plan::new()
        .finalizer(site, Effect::finalizer("give-back"))
        .effect(site, rent)
        .status(site, SiteStatus { pages: usize::from(is_there) })
}

fn desk() -> Desk {
    let mut desk = Desk::new([Controller::new("rented", rented)]).effects().garbage();
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 1 }));
    desk.settle();
    desk
}

#[test]
fn the_intent_comes_first_and_the_answer_is_seen() {
    let mut desk = desk();
    let site = desk.get::<Site>("blog").unwrap();
    assert_eq!(site.metadata.finalizers.len(), 2);
    let [request] = &desk.list::<EffectRequest>()[..] else { panic!("one request") };
    assert_eq!((request.status.phase, &request.spec.input["pages"]), (EffectPhase::Pending, &json!(1)));
    assert!(request.metadata.creation_timestamp >= site.metadata.creation_timestamp);
    let call = desk.calls.pop().unwrap();
    assert_eq!(
        (call.handler.as_str(), &call.key, &call.input),
        ("rent", &request.spec.key, &request.spec.input)
    );
    assert!(desk.calls.is_empty(), "it is called once at a time");

    desk.answer(&call, Ok(json!({"id": "m1"})));
    let request = desk.list::<EffectRequest>().remove(0);
    assert_eq!((request.status.phase, request.status.attempts), (EffectPhase::Done, 1));
    assert_eq!(desk.get::<Site>("blog").unwrap().status.pages, 1);
    desk.pass(Duration::from_secs(3600));
    assert!(desk.calls.is_empty(), "what is done is not done again");
}

#[test]
fn what_fails_is_called_again_with_the_same_key() {
    let mut desk = desk();
    let first = desk.calls.pop().unwrap();
    desk.answer(&first, Err(EffectError::Again("no machines today".into())));
    assert!(desk.calls.is_empty(), "not at once");
    desk.pass(Duration::from_secs(10));
    let second = desk.calls.pop().unwrap();
    assert_eq!((&second.key, &second.input), (&first.key, &first.input));
    assert_eq!(desk.list::<EffectRequest>()[0].status.message, "no machines today");
    assert_eq!(desk.troubles("EffectFailed"), 1);
    desk.answer(&second, Ok(json!({"id": "m1"})));
    assert_eq!(desk.list::<EffectRequest>()[0].status.attempts, 2);
}

#[test]
fn what_cannot_be_is_not_tried_again() {
    let mut desk = desk();
    let call = desk.calls.pop().unwrap();
    desk.answer(&call, Err(EffectError::Never("you are not a customer".into())));
    desk.pass(Duration::from_secs(3600));
    assert!(desk.calls.is_empty());
    let status = &desk.list::<EffectRequest>()[0].status;
    assert_eq!((status.phase, status.message.as_str()), (EffectPhase::Failed, "you are not a customer"));
}

#[test]
fn an_answer_that_could_not_be_written_down_is_asked_for_again() {
    let mut desk = desk();
    let call = desk.calls.pop().unwrap();
    desk.lose_before = 1;
    desk.answer(&call, Ok(json!({"id": "m1"})));
    assert_eq!(desk.list::<EffectRequest>()[0].status.phase, EffectPhase::Pending);
    desk.pass(Duration::from_secs(60));
    let again = desk.calls.pop().unwrap();
    assert_eq!(again.key, call.key);
    desk.answer(&again, Ok(json!({"id": "m1"})));
    assert_eq!(desk.get::<Site>("blog").unwrap().status.pages, 1);
}

#[test]
fn what_is_wished_otherwise_is_asked_for_anew() {
    let mut desk = desk();
    let call = desk.calls.pop().unwrap();
    desk.answer(&call, Ok(json!({"id": "m1"})));
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 2 }));
    desk.settle();
    let anew = desk.calls.pop().unwrap();
    assert_eq!((&anew.key, &anew.input["pages"]), (&call.key, &json!(2)));
}

#[test]
fn nothing_goes_before_what_it_rented_is_given_back() {
    let mut desk = desk();
    let call = desk.calls.pop().unwrap();
    desk.answer(&call, Ok(json!({"id": "m1"})));
    desk.delete::<Site>("blog", Delete::default());
    desk.settle();
    assert!(desk.get::<Site>("blog").unwrap().metadata.is_deleting());
    let back = desk.calls.pop().unwrap();
    assert_eq!(back.handler, "give-back");
    desk.answer(&back, Ok(Value::Null));
    assert!(desk.get::<Site>("blog").is_none() && desk.list::<EffectRequest>().is_empty());
}

/// What waits for a time of day looks again when the clock is set.
#[test]
fn a_clock_that_jumps_is_noticed() {
    let mut desk = Desk::new([Controller::of::<Site>("bell", |_, world| {
        let noon = orchestra_core::object::Timestamp::from_unix(1_800_000_000 + 7200);
        match world.now() >= noon {
            true => Plan::new().ensure(ConfigMap::new("rung")),
            false => Plan::new().at(noon),
        }
    })]);
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 1 }));
    desk.pass(Duration::from_secs(60));
    assert!(desk.get::<ConfigMap>("rung").is_none());
    desk.jump = Duration::from_secs(7200);
    // Whatever happens next shows it.
    let now = desk.now();
    desk.kernel.handle(now, Input::Arrived);
    desk.settle();
    assert!(desk.get::<ConfigMap>("rung").is_some());
}

/// An entry that is no object hides no other, and is no object.
#[test]
fn what_cannot_be_read_is_not_there() {
    let mut desk = desk();
    desk.put("example.com/sites/default/broken", "{\"metadata\":{\"name\":7}}");
    desk.apply(Site::new("other").spec(SiteSpec { pages: 0 }));
    desk.settle();
    assert_eq!(desk.feed.cache().unreadable().count(), 1);
    assert!(desk.get::<Site>("other").unwrap().metadata.finalizers.len() == 2);
    assert!(!desk.trouble(|_| true));
}
