//! What keeps a cache current: whatever happens between it and a store, the cache shows one instant of
//! the store, tells every change once, and gets to the present.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use orchestra_core::client::{ObjectName, scope_of};
use orchestra_core::control::feed::{Ask, Told};
use orchestra_core::control::{Cache, Changes, Feed, Need, Watched};
use orchestra_core::kinds::{ConfigMap, Deployment, Node};
use orchestra_core::object::{Kind, Resource, Revision};
use orchestra_core::store::state::{HistoryLimits, State};
use orchestra_core::store::{Delivery, Entry, Key, Listing, Page, Scope, StoreError, StoreId, Txn};
use proptest::prelude::*;

/// Key, and what stands there.
type Copy = BTreeMap<Key, String>;

/// A store and what is fed from it, one step at a time.
struct Rig {
    state: State,
    identity: StoreId,
    feed: Feed,
    asks: VecDeque<Ask>,
    watch: Option<(Scope, Revision)>,
    /// What stood in the store at each revision of each history.
    copies: BTreeMap<(StoreId, Revision), Copy>,
    /// What is cached, as the changes tell it.
    mirror: Copy,
    resets: usize,
    /// How many entries the store gives at once.
    page: usize,
    /// How much that was asked before the store was restored is not answered yet, and never will be.
    cut: usize,
}

fn kinds() -> [Watched; 3] {
    [Watched::of::<ConfigMap>(), Watched::of::<Node>(), Watched::of::<Deployment>()]
}

fn key(kind: Kind, name: u8) -> Key {
    ObjectName::new(kind, "", format!("o{name}")).unwrap().key()
}

fn value(number: u8) -> String {
    if number == 0 {
        "no json".into()
    } else {
        format!(r#"{{"metadata":{{"annotations":{{"v":"{number}"}}}}}}"#)
    }
}

fn said<R: Resource>(cache: &Cache) -> Copy {
    let said = |object: &R| (object_key(object), object.metadata().annotations["v"].to_string());
    cache.list::<R>().map(said).collect()
}

fn object_key<R: Resource>(object: &R) -> Key {
    ObjectName::new(R::KIND, object.namespace(), object.name()).unwrap().key()
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { doing: "asking".into(), reason: "a test".into() }
}

impl Rig {
    fn new() -> Self {
        let mut this = Self {
            state: State::new(HistoryLimits::DEFAULT),
            identity: StoreId(1),
            feed: Feed::new(),
            asks: VecDeque::new(),
            watch: None,
            copies: BTreeMap::new(),
            mirror: Copy::new(),
            resets: 0,
            page: Feed::PAGE,
            cut: 0,
        };
        this.copy();
        this.tell(Told::Start);
        this
    }

    fn copy(&mut self) {
        let mut copy = Copy::new();
        loop {
            let some = self.state.scan(copy.last_key_value().map(|(key, _)| key));
            if some.is_empty() {
                break;
            }
            let text = |entry: &Entry| String::from_utf8(entry.value.to_vec()).unwrap();
            copy.extend(some.iter().map(|entry| (entry.key.clone(), text(entry))));
        }
        self.copies.insert((self.identity, self.state.revision()), copy);
    }

    fn commit(&mut self, txn: Txn) {
        self.state.commit(txn).unwrap();
        self.copy();
    }

    fn tell(&mut self, told: Told) -> Vec<Changes> {
        let (changes, asks) = self.feed.told(told);
        for change in &changes {
            self.resets += usize::from(change.reset);
            assert!(change.changed.is_sorted_by(|a, b| a.key < b.key), "once each, in order");
            for changed in &change.changed {
                let said = |object: &dyn orchestra_core::control::CachedObject| {
                    object.metadata().annotations["v"].to_string()
                };
                let before = match &changed.new {
                    Some(new) => self.mirror.insert(changed.key.clone(), said(&**new)),
                    None => self.mirror.remove(&changed.key),
                };
                assert_eq!(before, changed.old.as_deref().map(said), "{changed:?}");
            }
        }
        self.asks.extend(asks);
        self.check();
        changes
    }

    /// The cache is what its changes say, and what the store was at its revision.
    fn check(&self) {
        let cache = self.feed.cache();
        let all: Copy = [said::<ConfigMap>(cache), said::<Node>(cache), said::<Deployment>(cache)]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(all, self.mirror);
        let instants = self.copies.iter().filter(|((_, revision), _)| *revision == cache.revision());
        let scope = cache.scope();
        let shown = |copy: &Copy| -> Copy {
            let here = copy.iter().filter(|(key, value)| scope.contains(key) && *value != "no json");
            here.map(|(key, value)| (key.clone(), value.split('"').nth(7).unwrap().to_string())).collect()
        };
        let mut instants = instants.map(|(_, copy)| shown(copy)).peekable();
        if instants.peek().is_some() {
            assert!(
                instants.any(|copy| copy == all),
                "no instant of the store: {all:?} at {}",
                cache.revision()
            );
        }
    }

    /// Answers what was asked first; with a failure, if that is to be.
    fn answer(&mut self, fails: bool) {
        let fails = fails || self.cut > 0;
        self.cut = self.cut.saturating_sub(1);
        let Some(ask) = self.asks.pop_front() else { return };
        if matches!(ask, Ask::Watch { .. }) {
            self.watch = None;
        }
        let told = match ask {
            Ask::Identity => Told::Identity(if fails { Err(unavailable()) } else { Ok(self.identity) }),
            Ask::List { .. } if fails => Told::Listed(Err(unavailable())),
            Ask::List { scope, page } => Told::Listed(self.state.list(&scope, &page.limit(self.page))),
            Ask::Watch { .. } if fails => Told::Watching(Err(unavailable())),
            Ask::Watch { scope, after } => match self.state.history().after(after).map(drop) {
                Ok(()) => {
                    self.watch = Some((scope, after));
                    Told::Watching(Ok(()))
                }
                Err(error) => Told::Watching(Err(error)),
            },
            Ask::Unwatch => return self.watch = None,
            Ask::Progress => return self.deliver(),
            Ask::Retry { attempt, .. } => {
                assert!(attempt > 0);
                Told::Retry
            }
        };
        self.tell(told);
    }

    /// What the watch yields next.
    fn deliver(&mut self) {
        let Some((scope, after)) = self.watch.clone() else { return };
        let next = match self.state.history().after(after) {
            Ok(mut batches) => Ok(batches.find_map(|batch| batch.within(&scope))),
            Err(error) => Err(error),
        };
        let told = match next {
            Ok(Some(batch)) => {
                self.watch = Some((scope, batch.revision));
                Told::Delivered(Delivery::Batch(batch))
            }
            Ok(None) => {
                self.watch = Some((scope, self.state.revision()));
                Told::Delivered(Delivery::Progress(self.state.revision()))
            }
            Err(error) => {
                self.watch = None;
                Told::WatchFailed(error)
            }
        };
        self.tell(told);
    }

    /// Until there is nothing more to be done.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.asks.is_empty() {
                self.answer(false);
            } else if self.watch.is_some() && self.feed.cache().revision() != self.state.revision() {
                self.deliver();
            } else {
                return;
            }
        }
        panic!("it does not settle: {:?}", self.feed);
    }

    /// The store as a backup has it: without the last changes, and with others.
    fn restore(&mut self, seed: u8) {
        let mut state = State::new(HistoryLimits::DEFAULT);
        let revisions = u8::try_from(self.state.revision().0.min(6)).unwrap();
        self.identity = StoreId(self.identity.0 + 1);
        let mut txn = Txn::new();
        for entry in self.state.scan(None) {
            txn = txn.put(entry.key.clone(), entry.value.clone());
        }
        state.commit(txn).unwrap();
        self.state = state;
        self.copy();
        for at in 0..revisions {
            let kind = kinds()[usize::from(at % 3)].kind();
            self.commit(Txn::new().put(key(kind, seed % 4), value(1 + at % 3)));
        }
        self.watch = None;
        self.cut = self.asks.len();
        self.tell(Told::WatchFailed(unavailable()));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(u8, u8, Option<u8>)>),
    Answer,
    Fail,
    Deliver,
    Need(u8),
    Unneeded(u8),
    Compact,
    Restore(u8),
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    let write = (0..3_u8, 0..5_u8, proptest::option::weighted(0.75, 0..6_u8));
    prop_oneof![
        6 => proptest::collection::vec(write, 1..4).prop_map(Step::Commit),
        10 => Just(Step::Answer),
        1 => Just(Step::Fail),
        6 => Just(Step::Deliver),
        2 => (0..3_u8).prop_map(Step::Need),
        1 => (0..3_u8).prop_map(Step::Unneeded),
        1 => Just(Step::Compact),
        1 => (0..4_u8).prop_map(Step::Restore),
        1 => Just(Step::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_cache_is_an_instant_of_the_store(steps in proptest::collection::vec(step(), 0..80)) {
        // Small pages, so that much can happen between them.
        let mut rig = Rig { page: 2, ..Rig::new() };
        for step in steps {
            match step {
                Step::Commit(writes) => {
                    let writes: BTreeMap<Key, Option<u8>> = writes
                        .into_iter()
                        .map(|(kind, name, write)| (key(kinds()[usize::from(kind)].kind(), name), write))
                        .collect();
                    let txn = writes.into_iter().fold(Txn::new(), |txn, (key, write)| match write {
                        Some(number) => txn.put(key, value(number)),
                        None => txn.delete(key),
                    });
                    rig.commit(txn);
                }
                Step::Answer => rig.answer(false),
                Step::Fail => rig.answer(true),
                Step::Deliver => rig.deliver(),
                Step::Need(kind) => drop(rig.tell(Told::Need(vec![Need::kind(kinds()[usize::from(kind)])]))),
                Step::Unneeded(kind) => {
                    let watched = kinds()[usize::from(kind)];
                    let scope = scope_of(&watched.kind());
                    rig.mirror.retain(|key, _| !scope.contains(key));
                    rig.tell(Told::Unneeded(vec![watched]));
                }
                Step::Compact => {
                    let now = rig.state.revision();
                    rig.state.compact(now);
                }
                Step::Restore(seed) => rig.restore(seed),
                Step::Cut => {
                    rig.watch = None;
                    rig.tell(Told::WatchFailed(unavailable()));
                }
            }
        }
        rig.settle();
        let cache = rig.feed.cache();
        if cache.kinds().len() > 0 {
            prop_assert!(rig.feed.is_current(), "{:?}", rig.feed);
            prop_assert_eq!(cache.revision(), rig.state.revision());
            prop_assert_eq!(rig.watch.map(|(scope, _)| scope), Some(cache.scope()));
            prop_assert_eq!(rig.feed.held(), 0);
        } else {
            prop_assert!(rig.watch.is_none());
        }
    }
}

fn need(kind: Watched) -> Told {
    Told::Need(vec![Need::kind(kind)])
}

fn many(count: u32) -> Txn {
    (0..count).fold(Txn::new(), |txn, at| txn.put(format!("/configmaps/default/o{at:05}"), value(1)))
}

/// All pages of a listing, each looked at after it was taken in.
fn relist(rig: &mut Rig, mut look: impl FnMut(&Feed, &[Arc<Entry>])) -> Vec<Changes> {
    loop {
        let (scope, page) = match rig.asks.pop_front() {
            Some(Ask::List { scope, page }) => (scope, page),
            Some(other) => {
                rig.asks.push_front(other);
                rig.answer(false);
                continue;
            }
            None => panic!("nothing is listed"),
        };
        assert_eq!(page.limit, Some(Feed::PAGE));
        let listing: Listing = rig.state.list(&scope, &page).unwrap();
        let entries = listing.entries.clone();
        let changes = rig.tell(Told::Listed(Ok(listing)));
        look(&rig.feed, &entries);
        if !changes.is_empty() {
            return changes;
        }
    }
}

#[test]
fn a_resync_holds_a_page_and_what_differs() {
    let mut rig = Rig::new();
    rig.commit(many(10_000));
    rig.tell(need(Watched::of::<ConfigMap>()));
    rig.settle();
    assert_eq!(rig.feed.cache().len(), 10_000);
    // Ten change and two go while nobody looks, and the history is not held.
    let txn = (0..10)
        .fold(Txn::new(), |txn, at| txn.put(format!("/configmaps/default/o{:05}", at * 900), value(2)));
    rig.commit(txn.delete("/configmaps/default/o00001").delete("/configmaps/default/o09999"));
    rig.state.compact(rig.state.revision());
    let mut most = 0;
    rig.deliver();
    let changes = relist(&mut rig, |feed, entries| {
        most = most.max(feed.held());
        // The store has each, its own list of what was listed, and what the test holds; nobody else.
        assert!(entries.iter().all(|entry| Arc::strong_count(entry) <= 3), "an entry is held");
    });
    println!("{most} objects were held of 10000 that were listed");
    assert!(most <= 10, "{most}");
    assert_eq!((changes.len(), changes[0].changed.len()), (1, 12));
    assert!(!changes[0].reset && changes[0].revision == rig.state.revision());
}

#[test]
fn who_comes_again_in_a_gap_is_another() {
    let mut rig = Rig::new();
    let object = |uid: &str| format!(r#"{{"metadata":{{"uid":"{uid}","annotations":{{"v":"1"}}}}}}"#);
    rig.state.commit(Txn::new().put("/nodes//n1", object("one"))).unwrap();
    rig.tell(need(Watched::of::<Node>()));
    while !rig.asks.is_empty() {
        rig.answer(false);
    }
    rig.state.commit(Txn::new().delete("/nodes//n1")).unwrap();
    rig.state.commit(Txn::new().put("/nodes//n1", object("another"))).unwrap();
    rig.state.compact(rig.state.revision());
    rig.deliver();
    let changes = relist(&mut rig, |_, _| ());
    let [changed] = &changes[0].changed[..] else { panic!("{changes:?}") };
    assert_eq!(changed.before::<Node>().map(|node| node.uid().to_string()), Some("one".into()));
    assert_eq!(changed.after::<Node>().map(|node| node.uid().to_string()), Some("another".into()));
}

#[test]
fn a_restored_store_is_compared_by_value() {
    let mut rig = Rig::new();
    rig.commit(Txn::new().put("/nodes//n1", value(1)).put("/nodes//n2", value(1)));
    rig.tell(need(Watched::of::<Node>()));
    rig.settle();
    // The same revision, and something else there.
    rig.state = State::new(HistoryLimits::DEFAULT);
    rig.identity = StoreId(2);
    rig.commit(Txn::new().put("/nodes//n1", value(1)).put("/nodes//n2", value(2)));
    rig.watch = None;
    rig.tell(Told::WatchFailed(unavailable()));
    let changes = relist(&mut rig, |_, _| ());
    assert!(changes[0].reset && rig.resets == 1);
    assert_eq!(changes[0].changed.iter().map(|it| it.key.to_string()).collect::<Vec<_>>(), ["/nodes//n2"]);
}

#[test]
fn a_kind_that_is_needed_later_is_listed_at_the_same_instant() {
    let mut rig = Rig::new();
    rig.commit(Txn::new().put("/nodes//n1", value(1)).put("/configmaps/default/a", value(1)));
    rig.tell(need(Watched::of::<Node>()));
    rig.settle();
    let then = rig.feed.cache().revision();
    rig.commit(Txn::new().put("/nodes//n1", value(2)).put("/configmaps/default/a", value(2)));
    rig.tell(need(Watched::of::<ConfigMap>()));
    let asked = rig.asks.pop_front().unwrap();
    let page = Page::at(then).limit(Feed::PAGE);
    assert_eq!(asked, Ask::List { scope: Scope::prefix("/configmaps/"), page });
    rig.asks.push_front(asked);
    rig.deliver();
    assert_eq!(rig.feed.cache().revision(), then, "it stands still");
    rig.answer(false);
    assert_eq!((rig.feed.cache().len(), rig.feed.cache().revision()), (2, then));
    rig.settle();
    assert_eq!(rig.mirror.values().collect::<Vec<_>>(), ["2", "2"]);
    // Given up again, the watch is over what is left, and over nothing at last.
    rig.mirror.retain(|key, _| key.starts_with(b"/nodes"));
    rig.tell(Told::Unneeded(vec![Watched::of::<ConfigMap>()]));
    rig.settle();
    assert_eq!((rig.feed.cache().len(), rig.watch.clone().unwrap().0), (1, Scope::prefix("/nodes/")));
    rig.mirror.clear();
    rig.tell(Told::Unneeded(vec![Watched::of::<Node>()]));
    rig.settle();
    assert!(rig.watch.is_none() && rig.feed.cache().is_empty());
}

#[test]
fn failures_are_counted_until_it_goes_on() {
    let mut rig = Rig::new();
    rig.tell(need(Watched::of::<Node>()));
    for attempt in 1..4 {
        rig.answer(true);
        assert_eq!(rig.asks, [Ask::Retry { attempt, error: unavailable() }]);
        rig.answer(false);
    }
    rig.settle();
    rig.tell(Told::WatchFailed(unavailable()));
    assert_eq!(rig.asks, [Ask::Retry { attempt: 1, error: unavailable() }]);
}
