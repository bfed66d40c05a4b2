//! What users of other controller libraries suffer from, each with a test that would fail here with
//! that flaw.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestra_core::control::election::{Candidate, Times};
use orchestra_core::control::kernel::Settings;
use orchestra_core::control::{Controller, Feed, Manager, Plan, View, Watches, World};
use orchestra_core::kinds::ConfigMap;
use orchestra_core::store::MemoryStore;

use super::desk::Desk;
use super::gate::Gate;
use super::site::{Site, SiteSpec, client, controller, pages, site, until};

fn candidate(holder: &str) -> Candidate {
    Candidate { name: "sites".into(), holder: holder.into(), times: Times::DEFAULT }
}

/// "There is no leader election": of several candidates one leads, another takes over within the time
/// that is promised, and whatever the first had under way takes no effect any more.
#[tokio::test(start_paused = true)]
async fn one_leads_and_is_replaced() {
    let store = MemoryStore::new();
    let user = client(&store);
    let gate = Gate::new(store.clone());
    let stand = |store: Gate, holder| Manager::new(store).controller(controller()).elected(candidate(holder));
    let first = stand(gate.clone(), "first").start().await;
    until("the first leads", || async { first.term().await.is_some() }).await;
    let second = stand(Gate::new(store.clone()), "second").start().await;
    user.apply(Site::new("blog").spec(SiteSpec { pages: 1 })).await.unwrap();
    first.at_rest().await;
    assert_eq!((pages(&user).await.len(), second.term().await), (1, None));

    // The first is cut off, in the middle of its work.
    gate.close();
    let commits = first.counters().commits();
    user.apply(Site::new("shop").spec(SiteSpec { pages: 3 })).await.unwrap();
    until("the first has something under way", || async { gate.held() > 0 }).await;
    let cut_off = tokio::time::Instant::now();
    until("the second leads", || async {
        tokio::time::advance(Duration::from_millis(50)).await;
        second.term().await.is_some()
    })
    .await;
    let took = cut_off.elapsed();
    assert!(took <= Times::DEFAULT.failover(Duration::ZERO), "{took:?}");
    until("the second has done it", || async {
        second.at_rest().await;
        pages(&user).await.len() == 4
    })
    .await;

    // What the first had under way comes late.
    let before = user.revision().await.unwrap();
    gate.open();
    until("all of it is answered", || async { gate.held() == 0 }).await;
    until("the first knows", || async { first.term().await.is_none() }).await;
    assert_eq!(
        (first.counters().commits(), user.revision().await.unwrap() <= before.next_beat()),
        (commits, true)
    );
    assert_eq!(pages(&user).await.len(), 4);
    assert!(second.shutdown(Duration::from_secs(1)).await);
    // Who resigns is replaced without waiting for the lease.
    let resigned = tokio::time::Instant::now();
    until("the first leads again", || async {
        tokio::time::advance(Duration::from_millis(50)).await;
        first.term().await.is_some()
    })
    .await;
    assert!(resigned.elapsed() < Times::DEFAULT.lease / 2, "{:?}", resigned.elapsed());
}

/// A few revisions later: heartbeats, and a question by whoever was cut off.
trait NextBeat {
    fn next_beat(self) -> Self;
}

impl NextBeat for orchestra_core::object::Revision {
    fn next_beat(self) -> Self {
        Self(self.0 + 3)
    }
}

/// "There is no backoff per object": what fails waits longer and longer, alone, and what succeeds begins
/// anew.
#[test]
fn what_fails_backs_off_alone() {
    let looks: Arc<Mutex<BTreeMap<String, Vec<Duration>>>> = Arc::default();
    let log = looks.clone();
    let start = Desk::new([]).now().wall;
    let mut desk = Desk::new([Controller::of::<Site>("moody", move |site, world| {
        let at = Duration::from_micros((world.now_micros().unix_micros() - start.unix_micros()) as u64);
        log.lock().unwrap().entry(site.name().to_string()).or_default().push(at);
        if site.spec.pages == 0 { Err("no pages") } else { Ok(Plan::new()) }
    })]);
    for name in ["bad", "worse"] {
        desk.apply(Site::new(name).spec(SiteSpec { pages: 0 }));
    }
    desk.pass(Duration::from_secs(60));
    desk.apply(Site::new("good").spec(SiteSpec { pages: 1 }));
    desk.settle();
    assert_eq!(looks.lock().unwrap()["good"], [Duration::from_secs(60)], "the others do not hold it up");
    let waits = |name: &str| -> Vec<f64> {
        looks.lock().unwrap()[name].windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect()
    };
    let bad = waits("bad");
    assert!(bad.len() > 6 && bad.windows(2).all(|pair| pair[1] > pair[0] * 1.15), "{bad:?}");
    assert_ne!(bad, waits("worse"), "they are not tried again together");
    desk.apply(Site::new("bad").spec(SiteSpec { pages: 1 }));
    desk.pass(Duration::from_secs(120));
    desk.apply(Site::new("bad").spec(SiteSpec { pages: 0 }));
    desk.pass(Duration::from_secs(1));
    let anew = waits("bad").split_off(looks.lock().unwrap()["bad"].len() - 3);
    assert!(anew.iter().all(|wait| *wait < 1.0), "after a success it begins anew: {anew:?}");
}

/// "Concurrency has no bound": no more transactions are under way than was said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_in_flight_is_bounded() {
    let store = MemoryStore::new();
    let (user, gate) = (client(&store), Gate::new(store.clone()));
    for number in 0..100 {
        user.apply(Site::new(format!("s{number}")).spec(SiteSpec { pages: 1 })).await.unwrap();
    }
    for (controllers, kernel, most) in [(5, 64, 5), (64, 7, 7)] {
        gate.close();
        let settings = Settings { in_flight: kernel, ..Settings::default() };
        let begun =
            Manager::new(gate.clone()).settings(settings).controller(controller().in_flight(controllers));
        let running = begun.start().await;
        until("as much is under way as may be", || async { gate.held() == most }).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
            assert!(gate.held() <= most);
        }
        gate.open();
        running.at_rest().await;
        assert!(gate.most() <= most, "{} at once", gate.most());
        gate.forget();
        user.apply(Site::new("more").spec(SiteSpec { pages: 1 })).await.unwrap();
        for page in pages(&user).await {
            user.delete::<ConfigMap>("", page.name(), orchestra_core::client::Delete::default())
                .await
                .unwrap();
        }
        running.shutdown(Duration::from_secs(5)).await;
    }
}

/// "Controllers cannot share caches": however many look, a kind is listed and watched once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_is_shared() {
    let gate = Gate::new(MemoryStore::new());
    let user = client(&gate);
    user.apply(Site::new("blog").spec(SiteSpec { pages: 1 })).await.unwrap();
    let watches = Watches::new(Arc::new(gate.clone()));
    let looks = Arc::new(AtomicUsize::new(0));
    let counting = |name: &'static str| {
        let looks = looks.clone();
        Controller::of::<Site>(name, move |site: &Site, world: &View<'_>| {
            looks.fetch_add(world.owned_by::<ConfigMap>(site).count(), Ordering::Relaxed);
            Plan::new()
        })
    };
    let first = Manager::on(&watches).controller(controller()).controller(counting("a")).start().await;
    first.at_rest().await;
    let (lists, watched) = (gate.lists(), gate.watches());
    let second = Manager::on(&watches).controller(counting("b")).controller(counting("c")).start().await;
    second.at_rest().await;
    assert!(looks.load(Ordering::Relaxed) >= 3);
    // To find out how far the store is takes an empty listing of one.
    assert_eq!((gate.lists(), gate.watches()), (lists, watched));
    assert_eq!(watches.look(|cache| cache.len()), 2);
}

/// "Memory bursts on relist": what has not changed is not held twice.
#[test]
fn a_relist_holds_what_differs_and_a_page() {
    let mut desk = Desk::new([Controller::of::<ConfigMap>("idle", |_, _| Plan::new())]);
    for number in 0..3 * Feed::PAGE {
        desk.apply(ConfigMap::new(format!("c{number}")));
    }
    desk.settle();
    desk.is_silent = true;
    for number in 0..7 {
        desk.apply(ConfigMap::new(format!("c{number}")).data([("x", "1")]));
    }
    desk.most_held = 0;
    desk.lose_watch();
    desk.is_silent = false;
    desk.settle();
    assert!(desk.feed.cache().get::<ConfigMap>("default", "c3").unwrap().spec.data.contains_key("x"));
    assert!((1..=7).contains(&desk.most_held), "{} objects were held beside the cache", desk.most_held);
    assert_eq!(desk.most_page, Feed::PAGE);
}

/// "Stale reads after one's own writes": nothing is planned on what is older than one's own commits.
#[test]
fn it_reads_what_it_wrote() {
    // Each look makes a page of a name that it never used: planned twice on one state, there are two.
    let names = AtomicUsize::new(0);
    let mut desk = Desk::new([Controller::of::<Site>("careless", move |site, world| {
        let have = world.owned_by::<ConfigMap>(site).count() as u32;
        let missing = site.spec.pages.saturating_sub(have);
        Plan::new().ensure_each((0..missing).map(|_| {
            let number = names.fetch_add(1, Ordering::Relaxed);
            ConfigMap::new(format!("page-{number}")).owned_by(site)
        }))
    })]);
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 2 }));
    desk.deliver_first();
    desk.is_silent = true;
    desk.settle();
    assert_eq!(desk.list::<ConfigMap>().len(), 2);
    desk.wake::<Site>("blog");
    desk.settle();
    assert_eq!(desk.list::<ConfigMap>().len(), 2, "it does not see them, so it may not plan");
    // The same when nobody knows whether they were made.
    desk.is_silent = false;
    desk.settle();
    desk.apply(Site::new("blog").spec(SiteSpec { pages: 3 }));
    desk.deliver_first();
    desk.is_silent = true;
    desk.lose = 1;
    desk.settle();
    assert_eq!((desk.list::<ConfigMap>().len(), desk.troubles("UnknownFate")), (3, 1));
    desk.wake::<Site>("blog");
    desk.settle();
    desk.is_silent = false;
    desk.settle();
    assert_eq!(desk.list::<ConfigMap>().len(), 3);
}

// "Watches cannot be removed at run time": see `runs::controllers_come_and_go_while_it_runs`.

/// "There is no API in memory to test against": a reconciler is tested as the function that it is, and a
/// store in memory is a store.
#[test]
fn a_reconciler_is_a_function() {
    let blog = Site::new("blog").namespace("default").spec(SiteSpec { pages: 2 }).build().unwrap();
    let plan = site(&blog, &World::new().view(&blog));
    assert_eq!(
        (plan.steps().len(), plan.to_string().lines().filter(|line| line.contains("ConfigMap")).count()),
        (2, 2)
    );
    let page = ConfigMap::new("old").namespace("default").owned_by(&blog).build().unwrap();
    let plan = site(&blog, &World::new().with(&page).view(&blog));
    assert!(plan.to_string().contains("- ConfigMap default/old"), "{plan}");
}
