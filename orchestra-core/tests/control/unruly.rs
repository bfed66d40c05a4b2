//! Reconcilers that misbehave: each is found, named, bounded, and the rest goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orchestra_core::control::{Controller, Note, Plan, View};
use orchestra_core::kinds::{ConfigMap, Event};
use orchestra_core::object::MicroTime;

use super::desk::Desk;
use super::site::{Site, SiteSpec, controller};

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// An ill-behaved controller beside a well-behaved one of the same kind.
fn desk(unruly: Controller) -> Desk {
    let mut desk = Desk::new([unruly, controller()]);
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 1 }));
    desk
}

/// What people are told about the site.
fn told(desk: &Desk, reason: &str) -> Option<Event> {
    desk.list::<Event>().into_iter().find(|event| event.spec.reason == reason)
}

fn others_go_on(desk: &mut Desk) {
    desk.apply(Site::new("shop").spec(SiteSpec { pages: 2 }));
    desk.settle();
    let of_shop =
        |page: &&ConfigMap| page.metadata.owner_references.first().is_some_and(|it| it.name == "shop");
    assert_eq!(desk.list::<ConfigMap>().iter().filter(of_shop).count(), 2);
}

#[test]
fn one_that_writes_the_time_never_rests() {
    let ticks = AtomicU64::new(0);
    let mut desk = desk(Controller::of::<Site>("clock", move |_, _| {
        let tick = ticks.fetch_add(1, Ordering::Relaxed);
        Plan::new().ensure(ConfigMap::new("time").data([("now", tick.to_string())]))
    }));
    desk.pass(minutes(10));
    // 200 at once, and then ten a second.
    assert!((1000..7000).contains(&desk.commits), "{}", desk.commits);
    assert_eq!(desk.troubles("ReconcileChurns"), 1);
    let event = told(&desk, "ReconcileChurns").unwrap();
    assert_eq!(
        (event.spec.involved_object.name.as_str(), event.spec.source.component.as_str()),
        ("blog", "clock")
    );
    others_go_on(&mut desk);
}

#[test]
fn one_that_goes_back_and_forth() {
    let mut desk = desk(Controller::of::<Site>("coin", |_, world| {
        let is_heads = world.get::<ConfigMap>("coin").is_some_and(|coin| coin.spec.data["side"] == "heads");
        let other = if is_heads { "tails" } else { "heads" };
        Plan::new().ensure(ConfigMap::new("coin").data([("side", other)]))
    }));
    desk.pass(minutes(10));
    assert!(
        (300..700).contains(&desk.commits),
        "{} {:?} {}",
        desk.commits,
        desk.reports,
        desk.kernel.looks()
    );
    assert_eq!(desk.troubles("ReconcileFlaps"), 1);
    assert!(told(&desk, "ReconcileFlaps").is_some());
    others_go_on(&mut desk);
}

#[test]
fn two_that_undo_each_other() {
    let says = |text: &'static str| {
        Controller::of::<Site>(text, move |_, _| {
            Plan::new().ensure(ConfigMap::new("motto").data([("text", text)]))
        })
    };
    let mut desk = Desk::new([says("this"), says("that"), controller()]);
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 1 }));
    desk.pass(minutes(10));
    assert!(desk.commits < 1500, "{}", desk.commits);
    assert_eq!(desk.troubles("ReconcileLoops"), 2);
    others_go_on(&mut desk);
}

#[test]
fn one_that_panics() {
    let mut desk = desk(Controller::of::<Site>("bomb", |site, _| -> Plan { panic!("no {}", site.name()) }));
    desk.pass(minutes(60));
    // Backed off to five minutes.
    let panics = desk.troubles("ReconcilePanicked");
    assert!((15..40).contains(&panics), "{panics}");
    let event = told(&desk, "ReconcilePanicked").unwrap();
    assert!(event.spec.message.contains("no blog"), "{event:?}");
    assert_eq!(event.spec.count as usize, panics);
    others_go_on(&mut desk);
}

#[test]
fn one_that_fails_and_then_does_not() {
    let tries = std::sync::Arc::new(AtomicU64::new(0));
    let counted = tries.clone();
    let mut desk =
        desk(Controller::of::<Site>("sulk", move |_, _| match counted.fetch_add(1, Ordering::Relaxed) {
            0..5 => Err("not today"),
            _ => Ok(Plan::new()),
        }));
    desk.pass(minutes(1));
    assert_eq!((desk.troubles("ReconcileFailed"), tries.load(Ordering::Relaxed)), (5, 6));
    assert!(told(&desk, "ReconcileFailed").unwrap().spec.message.contains("not today"));
}

#[test]
fn one_that_plans_a_million_changes() {
    let mut desk = desk(Controller::of::<Site>("flood", |site, _| {
        let many = if site.name() == "blog" { 1_000_000 } else { 0 };
        Plan::new().ensure_each((0..many).map(|n| ConfigMap::new(format!("c{n}"))))
    }));
    desk.settle();
    assert_eq!(desk.troubles("PlanRefused"), 1);
    let message = told(&desk, "PlanRefused").unwrap().spec.message;
    assert!(message.contains("1000000") && message.contains("10000"), "{message}");
    assert_eq!(desk.list::<ConfigMap>().len(), 1, "none of them was made");
    others_go_on(&mut desk);
}

#[test]
fn one_that_contradicts_itself() {
    let mut desk = desk(Controller::of::<Site>("torn", |_, world| {
        let plan = Plan::new().ensure(ConfigMap::new("a").data([("x", "1")]));
        let plan = plan.ensure(ConfigMap::new("a").data([("x", "2")]));
        world.get::<ConfigMap>("b").into_iter().fold(plan, Plan::delete)
    }));
    desk.settle();
    assert_eq!(desk.troubles("PlanRefused"), 1);
    assert!(desk.get::<ConfigMap>("a").is_none());
    others_go_on(&mut desk);
}

#[test]
fn one_that_tells_the_same_again_and_again() {
    let mut desk = desk(Controller::of::<Site>("chatty", |site, _| {
        let hello = (0..50).fold(Plan::new(), |plan, _| plan.event(site, Note::normal("Hello", "again")));
        hello.after(Duration::from_secs(1))
    }));
    desk.pass(minutes(10));
    let events = desk.list::<Event>();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].spec.count > 20_000 && desk.commits < 100, "{} {}", events[0].spec.count, desk.commits);
}

#[test]
fn one_that_asks_for_what_cannot_be() {
    let mut desk = desk(Controller::of::<Site>("wild", |_: &Site, _: &View<'_>| {
        Plan::new().ensure(ConfigMap::new("a").label("not a label!", "x"))
    }));
    desk.settle();
    assert_eq!(desk.troubles("StepFailed"), 1);
    assert!(told(&desk, "StepFailed").unwrap().spec.message.contains("not a label!"));
    others_go_on(&mut desk);
}

/// "At once" and "at a time that is over" are soon enough, and not for ever.
#[test]
fn one_that_wants_to_be_looked_at_at_once() {
    let looks = Arc::new(AtomicU64::new(0));
    let counted = looks.clone();
    let mut desk = desk(Controller::of::<Site>("eager", move |_, world| {
        counted.fetch_add(1, Ordering::Relaxed);
        Plan::new()
            .after(Duration::ZERO)
            .at(MicroTime::from_unix_micros((world.now().unix() - 1) * 1_000_000))
    }));
    desk.pass(Duration::from_secs(60));
    let looks = looks.load(Ordering::Relaxed);
    assert!((100..=620).contains(&looks), "{looks}");
    others_go_on(&mut desk);
}
