//! What a manager does, from the first object to its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orchestra_core::client::{Delete, ObjectName, Query};
use orchestra_core::control::{
    Controller, Effect, EffectPhase, EffectRequest, Manager, Now, Plan, View, Watches,
};
use orchestra_core::kinds::{ConfigMap, Namespace, Secret};
use orchestra_core::object::Spec;
use orchestra_core::store::MemoryStore;
use orchestra_core::store::layers::{Faults, Faulty};

use tokio::sync::Notify;

use super::gate::Gate;
use super::site::{Site, SiteSpec, client, controller, pages, start, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wanted_comes_and_stays() {
    let store = MemoryStore::new();
    let running = start(&store).await;
    let user = client(&store);
    user.apply(Site::new("blog").spec(SiteSpec { pages: 3 })).await.unwrap();
    running.at_rest().await;
    assert_eq!(pages(&user).await.len(), 3);
    assert_eq!(user.get::<Site>("", "blog").await.unwrap().unwrap().status.pages, 3);

    // Somebody breaks it.
    let page = pages(&user).await.remove(1);
    user.delete::<ConfigMap>("", page.name(), Delete::default()).await.unwrap();
    running.at_rest().await;
    assert_eq!(pages(&user).await.iter().filter(|it| it.name() == page.name()).count(), 1);
    user.force().apply(ConfigMap::new(page.name().clone()).data([("title", "spam")])).await.unwrap();
    until("it is mended", || async {
        running.at_rest().await;
        pages(&user).await.iter().all(|page| page.spec.data["title"] == "a page")
    })
    .await;

    user.apply(Site::new("blog").spec(SiteSpec { pages: 1 })).await.unwrap();
    running.at_rest().await;
    assert_eq!(pages(&user).await.len(), 1);

    user.delete::<Site>("", "blog", Delete::default()).await.unwrap();
    until("its pages go with it", || async { pages(&user).await.is_empty() }).await;
    assert!(running.shutdown(Duration::from_secs(5)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_rest_nothing_is_written() {
    let store = MemoryStore::new();
    let running = start(&store).await;
    let user = client(&store);
    for number in 0..50 {
        user.apply(Site::new(format!("s{number}")).spec(SiteSpec { pages: 2 })).await.unwrap();
    }
    running.at_rest().await;
    let (before, commits) = (user.revision().await.unwrap(), running.counters().commits());
    for number in 0..50 {
        // Something changes that is nobody's business.
        user.apply(Namespace::new(format!("n{number}"))).await.unwrap();
    }
    running.at_rest().await;
    assert_eq!(user.revision().await.unwrap().0, before.0 + 50);
    assert_eq!((commits, running.counters().commits()), (150, 150));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_that_begins_anew_finds_nothing_to_do() {
    let store = MemoryStore::new();
    let user = client(&store);
    user.apply(Site::new("blog").spec(SiteSpec { pages: 3 })).await.unwrap();
    let running = start(&store).await;
    running.at_rest().await;
    assert!(running.shutdown(Duration::from_secs(5)).await);
    let before = user.revision().await.unwrap();
    let running = start(&store).await;
    running.at_rest().await;
    assert_eq!((pages(&user).await.len(), user.revision().await.unwrap()), (3, before));
    assert_eq!(running.counters().commits(), 0);
}

/// A Secret beside each site.
fn beside(site: &Site, _: &View<'_>) -> Plan {
    Plan::new().ensure(Secret::new(site.name().clone()).owned_by(site))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn controllers_come_and_go_while_it_runs() {
    let store = MemoryStore::new();
    let user = client(&store);
    let watches = Watches::new(std::sync::Arc::new(store.clone()));
    let running = Manager::on(&watches).garbage(false).start().await;
    user.apply(Site::new("blog").spec(SiteSpec { pages: 1 })).await.unwrap();
    let first = running.add(controller()).await.unwrap();
    let second = running.add(Controller::new("beside", beside)).await.unwrap();
    running.at_rest().await;
    let all = Query::all();
    let secrets = || user.list::<Secret>(&all);
    assert_eq!((pages(&user).await.len(), secrets().await.unwrap().items.len()), (1, 1));

    running.remove(second).await;
    user.delete::<Secret>("", "blog", Delete::default()).await.unwrap();
    user.apply(Site::new("blog").spec(SiteSpec { pages: 2 })).await.unwrap();
    running.at_rest().await;
    assert_eq!((pages(&user).await.len(), secrets().await.unwrap().items.len()), (2, 0));
    until("secrets are not watched", || async {
        watches.look(|cache| cache.kinds().all(|kind| kind.kind().name() != "Secret"))
    })
    .await;
    running.remove(first).await;
    until("nothing is watched", || async { watches.look(|cache| cache.kinds().len() == 0) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_shows_what_would_be_done() {
    let store = MemoryStore::new();
    let user = client(&store);
    user.apply(Site::new("blog").spec(SiteSpec { pages: 2 })).await.unwrap();
    let before = user.revision().await.unwrap();
    let watches = Watches::new(std::sync::Arc::new(store.clone()));
    let now = Now::new(
        user.get::<Site>("", "blog").await.unwrap().unwrap().metadata.creation_timestamp.unwrap().into(),
        Duration::ZERO,
    );
    let blog = ObjectName::new(SiteSpec::KIND, "", "blog").unwrap();
    let plan = watches.dry_run(&controller(), &blog, now).await.unwrap().unwrap();
    assert_eq!((plan.steps().len(), user.revision().await.unwrap()), (2, before), "{plan}");
    let nobody = ObjectName::new(SiteSpec::KIND, "", "nobody").unwrap();
    assert!(watches.dry_run(&controller(), &nobody, now).await.unwrap().is_none());
}

/// While nothing happens, the view does not grow old.
#[tokio::test(start_paused = true)]
async fn the_age_of_the_view_is_known() {
    let store = MemoryStore::new();
    let running = start(&store).await;
    client(&store).apply(Site::new("blog").spec(SiteSpec { pages: 1 })).await.unwrap();
    running.at_rest().await;
    for _ in 0..100 {
        tokio::time::advance(Duration::from_secs(1)).await;
        until("the store is heard", || async {
            tokio::task::yield_now().await;
            running.watches().age().is_some_and(|age| age <= Duration::from_secs(6))
        })
        .await;
    }
}

/// Over a store that cannot be reached at times, loses answers and ends watches, everything comes all the
/// same, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_delays_it_and_no_more() {
    let (store, faults) = (MemoryStore::new(), Faults::everything());
    let user = client(&store);
    for seed in 0..5 {
        let faulty = Faulty::new(store.clone(), faults, seed);
        let running = Manager::new(faulty).controller(controller()).start().await;
        let site = format!("s{seed}");
        user.apply(Site::new(&*site).spec(SiteSpec { pages: 3 })).await.unwrap();
        until("its pages are there", || async {
            user.get::<Site>("", &site).await.unwrap().is_some_and(|it| it.status.pages == 3)
        })
        .await;
        assert_eq!(pages(&user).await.len() as u64, 3 * (seed + 1));
        running.shutdown(Duration::from_secs(5)).await;
    }
}

/// Of two managers that share a cache, one ends: the other keeps what it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shares_a_cache_loses_nothing_when_another_ends() {
    let store = MemoryStore::new();
    let user = client(&store);
    let watches = Watches::new(std::sync::Arc::new(store.clone()));
    let first = Manager::on(&watches).controller(controller()).start().await;
    user.apply(Site::new("blog").spec(SiteSpec { pages: 1 })).await.unwrap();
    first.at_rest().await;
    let second = Manager::on(&watches).controller(controller()).start().await;
    second.at_rest().await;
    assert!(first.shutdown(Duration::from_secs(5)).await);
    user.apply(Site::new("blog").spec(SiteSpec { pages: 3 })).await.unwrap();
    until("the second goes on", || async {
        second.at_rest().await;
        pages(&user).await.len() == 3
    })
    .await;
    let page = pages(&user).await.remove(0);
    user.delete::<ConfigMap>("", page.name(), Delete::default()).await.unwrap();
    until("it sees what it owns", || async { pages(&user).await.len() == 3 }).await;
}

/// A function of the user's that panics ends nothing but itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_panics_the_rest_goes_on() {
    let store = MemoryStore::new();
    let user = client(&store);
    let bad = Controller::new("bad", beside).watches::<ConfigMap>(|_| panic!("whom does it concern?"));
    let effect = |site: &Site, _: &View<'_>| Plan::new().effect(site, Effect::new("bomb", "one"));
    let running = Manager::new(store.clone())
        .controller(bad)
        .controller(controller())
        .controller(Controller::new("effect", effect))
        .handler("bomb", |call| {
            assert!(call.key.is_empty(), "it is not");
            async { Ok(serde_json::Value::Null) }
        })
        .start()
        .await;
    user.apply(Site::new("blog").spec(SiteSpec { pages: 2 })).await.unwrap();
    until("the rest is done", || async { pages(&user).await.len() == 2 }).await;
    until("the effect is known to fail", || async { running.counters().trouble("EffectFailed") > 0 }).await;
    assert!(running.shutdown(Duration::from_secs(5)).await);
}

/// Without a controller there is nothing to wait for.
#[tokio::test]
async fn an_idle_manager_is_at_rest() {
    let store = MemoryStore::new();
    let running = Manager::new(store.clone()).garbage(false).start().await;
    client(&store).apply(Namespace::new("n")).await.unwrap();
    running.at_rest().await;
    assert!(running.shutdown(Duration::from_secs(1)).await);
}

/// Lets time pass, an hour at most, until something holds.
async fn in_time<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    for _ in 0..3600 {
        if holds().await {
            return;
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    panic!("it never was so that {what}");
}

/// A store that never answers is given up, and asked again when it does.
#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_not_waited_for() {
    let store = MemoryStore::new();
    let (user, gate) = (client(&store), Gate::new(store.clone()));
    let running = Manager::new(gate.clone()).controller(controller()).start().await;
    gate.close();
    user.apply(Site::new("blog").spec(SiteSpec { pages: 2 })).await.unwrap();
    in_time("a commit is of unknown fate", || async { running.counters().trouble("UnknownFate") > 0 }).await;
    gate.open();
    in_time("its pages are there", || async { pages(&user).await.len() == 2 }).await;
}

fn asks(site: &Site, _: &View<'_>) -> Plan {
    Plan::new().effect(site, Effect::new("sleep", "once"))
}

/// A handler that never comes to an end is stopped, and called again.
#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_is_stopped() {
    let store = MemoryStore::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let handler = move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    };
    let running = Manager::new(store.clone())
        .controller(Controller::new("asks", asks))
        .handler("sleep", handler)
        .start()
        .await;
    client(&store).apply(Site::new("blog").spec(SiteSpec { pages: 0 })).await.unwrap();
    in_time("it is called again", || async { calls.load(Ordering::SeqCst) > 1 }).await;
    assert!(running.counters().trouble("EffectFailed") > 0);
}

/// What a handler that is under way at the end has done is written down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_lost_at_the_end() {
    for _ in 0..30 {
        let store = MemoryStore::new();
        let (called, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (calls, until_then) = (called.clone(), release.clone());
        let handler = move |_| {
            calls.notify_one();
            let released = until_then.clone();
            async move {
                released.notified().await;
                Ok(serde_json::json!("done"))
            }
        };
        let manager = Manager::new(store.clone()).controller(Controller::new("asks", asks));
        let running = manager.handler("sleep", handler).start().await;
        client(&store).apply(Site::new("blog").spec(SiteSpec { pages: 0 })).await.unwrap();
        called.notified().await;
        release.notify_one();
        assert!(running.shutdown(Duration::from_secs(20)).await);
        let requests = client(&store).list::<EffectRequest>(&Query::all()).await.unwrap();
        assert_eq!(requests.items[0].status.phase, EffectPhase::Done);
    }
}

/// What does not come to an end within the limit is not called finished.
#[tokio::test(start_paused = true)]
async fn what_is_not_finished_is_said() {
    let store = MemoryStore::new();
    let called = Arc::new(Notify::new());
    let calls = called.clone();
    let handler = move |_| {
        calls.notify_one();
        std::future::pending()
    };
    let manager = Manager::new(store.clone()).controller(Controller::new("asks", asks));
    let running = manager.handler("sleep", handler).start().await;
    client(&store).apply(Site::new("blog").spec(SiteSpec { pages: 0 })).await.unwrap();
    called.notified().await;
    assert!(!running.shutdown(Duration::from_secs(5)).await);
}
