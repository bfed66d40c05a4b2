//! [`Watches`]: one cache that is kept current, for any number of kernels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::client::ObjectName;
use crate::control::backoff::Backoff;
use crate::control::feed::{Ask, Feed, Told};
use crate::control::{
    Cache, Changes, Controller, Need, Now, Plan, PlanLimits, ReconcileError, Subject, View, Watched,
};
use crate::object::{Kind, Revision};
use crate::store::layers::Limited;
use crate::store::{Page, Scope, Store, StoreError, Watch};

/// One cache over a store, which a task keeps current, for any number of kernels.
///
/// Cloning gives another handle. The task ends when the last one is dropped.
#[derive(Clone)]
pub struct Watches {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

struct Shared {
    store: Arc<dyn Store>,
    feed: RwLock<Feed>,
    /// How far the cache is, to wait for.
    revision: watch::Sender<Revision>,
    /// How many kernels there were.
    holders: AtomicU64,
    /// How often the history was another.
    resets: AtomicU64,
    /// When the store was heard last.
    heard: Mutex<Option<Instant>>,
}

/// What kernels want of the task.
enum Command {
    /// These kinds and indexes, for one of them; then say so.
    Need(Holder, Vec<Need>, oneshot::Sender<()>),
    /// To be told of what changes. What is in the cache by then is no change any more.
    Listen(mpsc::Sender<Arc<Changes>>, oneshot::Sender<()>),
    /// To come so far, though nothing happens in what is watched.
    Reach(Revision),
    /// One of them needs these kinds, and no others any more.
    Keep(Holder, BTreeSet<Kind>),
}

/// Who needs something.
pub(super) type Holder = u64;

/// How many changes wait for a kernel before the task waits for it. The store keeps what comes meanwhile,
/// or says that it does not any more.
const BEHIND: usize = 1024;

/// How long to wait before the store is asked again that could not be reached.
const RETRY: Backoff = Backoff { first: Duration::from_millis(50), most: Duration::from_secs(10) };

impl Watches {
    /// Begins to watch a store. So far nothing is watched: whoever needs something says so. Whoever works over
    /// it waits for no answer of the store longer than [`Limited::LIMIT`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (commands, inbox) = mpsc::channel(64);
        let (revision, _) = watch::channel(Revision(0));
        let shared = Arc::new(Shared {
            store: Arc::new(Limited::new(store, Limited::<Arc<dyn Store>>::LIMIT)),
            feed: RwLock::new(Feed::new()),
            revision,
            holders: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            heard: Mutex::new(None),
        });
        tokio::spawn(Keeper::new(shared.clone(), inbox).run());
        Self { shared, commands }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Looks into the cache. It does not change meanwhile: be quick.
    pub fn look<T>(&self, look: impl FnOnce(&Cache) -> T) -> T {
        look(self.shared.feed.read().unwrap_or_else(PoisonError::into_inner).cache())
    }

    /// How old what the cache shows is at most: for how long nothing has been heard of the store. It is asked
    /// every few seconds how far it is, so that this does not grow while nothing happens. Nothing, if it
    /// was never heard.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.shared.heard().map(|heard| heard.elapsed())
    }

    /// Takes kinds and indexes into the cache for good, and waits until they are there. Whether that came
    /// about.
    pub async fn need(&self, needs: Vec<Need>) -> bool {
        self.ask_for(0, needs).await.await.is_ok()
    }

    /// What a controller would do about an object now, without doing any of it. Nothing, if there is no
    /// such object. What the reconciler looks at is taken into the cache for good.
    ///
    /// # Errors
    /// What the reconciler answers instead of a plan, or what is wrong with its plan.
    pub async fn dry_run(
        &self,
        controller: &Controller,
        object: &ObjectName,
        now: Now,
    ) -> Result<Option<Plan>, ReconcileError> {
        self.need(controller.subscriptions().into_iter().map(Need::kind).collect()).await;
        loop {
            let (plan, needs) = self.look(|cache| plan(cache, controller, object, now));
            if needs.is_empty() || !self.need(needs).await {
                return plan;
            }
        }
    }

    /// Asks for kinds and indexes. What it answers with is told when they are there.
    pub(super) async fn ask_for(&self, holder: Holder, needs: Vec<Need>) -> oneshot::Receiver<()> {
        let (said, done) = oneshot::channel();
        // When the task has ended nobody answers.
        let _ = self.commands.send(Command::Need(holder, needs, said)).await;
        done
    }

    /// Gives up what this holder alone needed, but for these kinds: the objects leave the cache, and are
    /// not watched any more.
    pub(super) async fn keep_only(&self, holder: Holder, kinds: BTreeSet<Kind>) {
        // When the task has ended there is nothing to give up.
        let _ = self.commands.send(Command::Keep(holder, kinds)).await;
    }

    pub(super) fn holder(&self) -> Holder {
        1 + self.shared.holders.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until the cache shows a revision, or, if none is given, as much as the store holds now.
    ///
    /// # Errors
    /// When the store does not tell how far it is.
    pub async fn reach(&self, revision: Option<Revision>) -> Result<(), StoreError> {
        let wanted = match revision {
            Some(revision) => revision,
            None => self.store().list(&Scope::nothing(), Page::first().limit(1)).await?.revision,
        };
        let mut seen = self.shared.revision.subscribe();
        let history = self.shared.resets.load(Ordering::SeqCst);
        while *seen.borrow_and_update() < wanted {
            if self.look(|cache| cache.kinds().len() == 0) {
                return Ok(()); // There is nothing that could be old.
            }
            if self.shared.resets.load(Ordering::SeqCst) != history {
                let current = *seen.borrow();
                return Err(StoreError::Ahead { asked: wanted, current });
            }
            // Nothing may happen in what is watched, so that it has to be asked how far it is. The question
            // may be lost with a watch.
            let moved = async {
                let asked = self.commands.send(Command::Reach(wanted)).await.is_ok();
                asked && seen.changed().await.is_ok()
            };
            if let Ok(false) = tokio::time::timeout(ASK_AGAIN, moved).await {
                return Err(StoreError::Closed);
            }
        }
        Ok(())
    }

    /// What changes from now on.
    pub(super) async fn listen(&self) -> mpsc::Receiver<Arc<Changes>> {
        let (changes, inbox) = mpsc::channel(BEHIND);
        let (said, done) = oneshot::channel();
        if self.commands.send(Command::Listen(changes, said)).await.is_ok() {
            // It only fails when the task has ended, and the channel with it.
            let _ = done.await;
        }
        inbox
    }
}

/// What a controller plans about an object, and what it looked for that is not in the cache.
fn plan(
    cache: &Cache,
    controller: &Controller,
    object: &ObjectName,
    now: Now,
) -> (Result<Option<Plan>, ReconcileError>, Vec<Need>) {
    let (namespace, name) = (object.namespace(), object.name());
    let Some(found) = cache.object(controller.watched(), namespace, name) else {
        return (Ok(None), Vec::new());
    };
    let uid = &found.metadata().uid;
    let subject = Subject { controller: controller.name(), uid, namespace, name, key: &object.key() };
    let view = View::new(cache, now, subject, 0, &[]);
    let planned = controller.reconcile(found.as_any(), &view).and_then(|mut plan| {
        plan.settle(namespace);
        plan.check(&PlanLimits::default())?;
        Ok(Some(plan))
    });
    (planned, view.needs())
}

impl Shared {
    fn heard(&self) -> Option<Instant> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait for an answer to how far it is, before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How often a store is asked how far it is of which nothing is heard.
const ASK: Duration = Duration::from_secs(5);

/// The task: does what the feed asks for, and tells it what came of it.
struct Keeper {
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Command>,
    listeners: Vec<mpsc::Sender<Arc<Changes>>>,
    /// What each of the kernels needs.
    held: BTreeMap<Holder, BTreeSet<Kind>>,
    /// Who waits until the cache has something.
    waiting: Vec<(Vec<Need>, oneshot::Sender<()>)>,
    watch: Option<Watch>,
    /// Whom the store must be asked again about, and when.
    retry: Option<Instant>,
}

impl Keeper {
    fn new(shared: Arc<Shared>, inbox: mpsc::Receiver<Command>) -> Self {
        Self {
            shared,
            inbox,
            listeners: Vec::new(),
            held: BTreeMap::new(),
            waiting: Vec::new(),
            watch: None,
            retry: None,
        }
    }

    async fn run(mut self) {
        self.tell(Told::Start).await;
        let mut asks = tokio::time::interval(ASK);
        asks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                command = self.inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                delivery = next(&mut self.watch) => Some(match delivery {
                    Ok(delivery) => {
                        *self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                        Told::Delivered(delivery)
                    }
                    Err(error) => {
                        self.watch = None;
                        Told::WatchFailed(error)
                    }
                }),
                _ = asks.tick() => {
                    if let Some(watch) = &mut self.watch {
                        watch.request_progress();
                    }
                    #[cfg(feature = "metrics")]
                    if let Some(heard) = self.shared.heard() {
                        metrics::gauge!("orchestra_control_view_age_seconds").set(heard.elapsed().as_secs_f64());
                    }
                    None
                }
                () = wait(self.retry) => {
                    self.retry = None;
                    Some(Told::Retry)
                }
            };
            if let Some(told) = told {
                self.tell(told).await;
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Option<Told> {
        match command {
            Command::Need(holder, needs, said) => {
                let kinds = needs.iter().map(|need| need.watched().kind());
                self.held.entry(holder).or_default().extend(kinds);
                self.waiting.push((needs.clone(), said));
                return Some(Told::Need(needs));
            }
            Command::Listen(changes, said) => {
                self.listeners.push(changes);
                // Whoever asked may have gone.
                let _ = said.send(());
            }
            Command::Reach(revision) => return Some(Told::Reach(Some(revision))),
            Command::Keep(holder, kinds) => {
                self.held.insert(holder, kinds);
                let feed = self.shared.feed.read().unwrap_or_else(PoisonError::into_inner);
                let is_held =
                    |watched: &Watched| self.held.values().any(|kinds| kinds.contains(&watched.kind()));
                let idle: Vec<_> = feed.cache().kinds().filter(|watched| !is_held(watched)).collect();
                return (!idle.is_empty()).then_some(Told::Unneeded(idle));
            }
        }
        None
    }

    /// Tells the feed something, does what it asks for, and tells it what came of that.
    async fn tell(&mut self, told: Told) {
        let mut told = Some(told);
        while let Some(news) = told.take() {
            let (changes, asks, revision) = {
                let mut feed = self.shared.feed.write().unwrap_or_else(PoisonError::into_inner);
                let (changes, asks) = feed.told(news);
                (changes, asks, feed.cache().revision())
            };
            for changes in changes {
                if changes.reset {
                    self.shared.resets.fetch_add(1, Ordering::SeqCst);
                }
                for unreadable in &changes.unreadable {
                    tracing::warn!(key = %unreadable.key, reason = unreadable.reason, "it cannot be read");
                }
                self.publish(Arc::new(changes)).await;
            }
            // Who waits for a revision finds that everybody was told of it.
            self.shared.revision.send_if_modified(|told| std::mem::replace(told, revision) != revision);
            if let Some(more) = self.say_what_is_there() {
                told = Some(more);
            }
            for ask in asks {
                // It asks one thing at a time that is answered.
                told = self.perform(ask).await.or(told);
            }
        }
    }

    async fn perform(&mut self, ask: Ask) -> Option<Told> {
        match ask {
            Ask::Identity => Some(Told::Identity(self.shared.store.identity().await)),
            Ask::List { scope, page } => Some(Told::Listed(self.shared.store.list(&scope, page).await)),
            Ask::Watch { scope, after } => {
                let opened = self.shared.store.watch(&scope, after).await;
                Some(Told::Watching(opened.map(|watch| self.watch = Some(watch))))
            }
            Ask::Progress => {
                if let Some(watch) = &mut self.watch {
                    watch.request_progress();
                }
                None
            }
            Ask::Unwatch => {
                self.watch = None;
                None
            }
            Ask::Retry { attempt, error } => {
                tracing::warn!(%error, attempt, "the store cannot be watched; it is tried again");
                self.retry = Some(Instant::now() + RETRY.after(attempt, 0));
                None
            }
        }
    }

    async fn publish(&mut self, changes: Arc<Changes>) {
        let mut gone = Vec::new();
        for (at, listener) in self.listeners.iter().enumerate() {
            if listener.send(changes.clone()).await.is_err() {
                gone.push(at);
            }
        }
        for at in gone.into_iter().rev() {
            self.listeners.remove(at);
        }
    }

    /// Says to who waits what is there, and what is missing of it though its kind has come.
    fn say_what_is_there(&mut self) -> Option<Told> {
        if self.waiting.is_empty() {
            return None;
        }
        let feed = self.shared.feed.read().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut self.waiting);
        let mut missing = Vec::new();
        for (needs, said) in waiting {
            if needs.iter().all(|need| feed.cache().satisfies(need)) {
                // Whoever asked may have gone.
                let _ = said.send(());
            } else {
                let has_kind =
                    |need: &&Need| feed.cache().has(need.watched()) && !feed.cache().satisfies(need);
                missing.extend(needs.iter().filter(has_kind).cloned());
                self.waiting.push((needs, said));
            }
        }
        (!missing.is_empty()).then_some(Told::Need(missing))
    }
}

async fn next(watch: &mut Option<Watch>) -> Result<crate::store::Delivery, StoreError> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn wait(until: Option<Instant>) {
    match until {
        // A timer goes by the millisecond, and rounds up.
        Some(until) if until <= Instant::now() => tokio::task::yield_now().await,
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
