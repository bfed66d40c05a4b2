//! [`Manager`]: a kernel that runs for real.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::counters::Counters;
use super::election::{Elected, Electorate};
use super::errands::Errands;
use super::watches::{Watches, wait};
use crate::client::Policy;
use crate::clock::{Clock, Ids, RandomIds, SystemClock};
use crate::control::election::{Candidate, Term};
use crate::control::kernel::{Call, Input, Kernel, Output, Settings};
use crate::control::perform::{self, Done, End, Job, Next, Performance, Said};
use crate::control::post::{self, Post, seat_of};
use crate::control::{Changes, Controller, EffectError, Now, Part, PlanLimits, Trouble};
use crate::object::Str;
use crate::store::{Store, StoreError};

/// What does an effect in the world outside.
pub type Handler =
    Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Result<Value, EffectError>> + Send>> + Send + Sync>;

/// Runs controllers over a store.
///
/// ```
/// use orchestra_core::control::{Controller, Manager, Plan, View};
/// use orchestra_core::kinds::{ConfigMap, Namespace};
/// use orchestra_core::store::MemoryStore;
///
/// /// Each namespace has a `motd`.
/// fn motd(namespace: &Namespace, _: &View<'_>) -> Plan {
///     let text = format!("welcome to {}", namespace.name());
///     Plan::new().ensure(ConfigMap::new("motd").namespace(namespace.name().clone()).data([("text", text)]))
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> orchestra_core::Result<()> {
/// let store = MemoryStore::new();
/// let running = Manager::new(store.clone()).controller(Controller::new("motd", motd)).start().await;
///
/// let client = orchestra_core::client::Client::new(store);
/// client.apply(Namespace::new("team-a")).await?;
/// running.at_rest().await;
/// assert!(client.get::<ConfigMap>("team-a", "motd").await?.is_some());
/// running.shutdown(std::time::Duration::from_secs(1)).await;
/// # Ok(()) }
/// ```
pub struct Manager {
    watches: Watches,
    controllers: Vec<Controller>,
    parts: Vec<Box<dyn Part>>,
    handlers: BTreeMap<Str, Handler>,
    settings: Settings,
    candidate: Option<Candidate>,
    garbage: bool,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Manager {
    /// How many effects are under way at once.
    pub const EFFECTS: usize = 16;

    /// How long a handler of an effect may take. Then it is stopped, and called again later: what takes longer
    /// should be begun by one effect and looked for by others.
    pub const CALL_LIMIT: Duration = Duration::from_secs(10 * 60);

    /// A manager of a store, with a cache of its own.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self::on(&Watches::new(Arc::new(store)))
    }

    /// A manager that shares a cache with others.
    #[must_use]
    pub fn on(watches: &Watches) -> Self {
        Self {
            watches: watches.clone(),
            controllers: Vec::new(),
            parts: Vec::new(),
            handlers: BTreeMap::new(),
            settings: Settings::default(),
            candidate: None,
            garbage: true,
            policy: Arc::default(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
        }
    }

    /// And one more controller.
    #[must_use]
    pub fn controller(mut self, controller: Controller) -> Self {
        self.controllers.push(controller);
        self
    }

    /// And a machine of its own sort, such as a scheduler.
    #[must_use]
    pub fn part(mut self, part: impl Part + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    /// Has effects of this name done by a handler.
    #[must_use]
    pub fn handler<F>(
        mut self,
        name: impl Into<Str>,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Value, EffectError>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |call| Box::pin(handler(call)));
        self.handlers.insert(name.into(), handler);
        self
    }

    /// With other settings of the kernel. Whether it is to be elected, and how much the store takes at once, is
    /// known without them.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Does nothing before it is elected, among all candidates of the same name.
    #[must_use]
    pub fn elected(self, candidate: Candidate) -> Self {
        Self { candidate: Some(candidate), ..self }
    }

    /// Whether it sees to what is owned by what is gone. It does unless told otherwise.
    #[must_use]
    pub fn garbage(self, garbage: bool) -> Self {
        Self { garbage, ..self }
    }

    /// With rules that look at every change.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// With another clock. It says what time it is; how long something waits goes by tokio's.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// With other ids than random ones.
    #[must_use]
    pub fn ids(self, ids: impl Ids) -> Self {
        Self { ids: Arc::new(ids), ..self }
    }

    /// Begins.
    pub async fn start(mut self) -> Running {
        self.settings.elected = self.candidate.is_some();
        let PlanLimits { at_once, .. } = PlanLimits::of_store(&self.watches.store().limits());
        self.settings.limits.at_once = self.settings.limits.at_once.min(at_once);
        let changes = self.watches.listen().await;
        let (commands, inbox) = mpsc::channel(64);
        let (events, told) = mpsc::channel(256);
        let counters = Arc::new(Counters::default());
        let start = Instant::now();
        let elected = self.candidate.map(|candidate| {
            let electorate = Electorate { store: self.watches.store().clone(), start };
            electorate.stand(candidate)
        });
        let holder = self.watches.holder();
        let errands = Errands::run(self.watches.clone(), holder, events.clone());
        let elects = elected.is_some();
        let mut driver = Driver {
            kernel: Kernel::new(self.settings),
            posts: Vec::new(),
            hands: Hands {
                store: self.watches.store().clone(),
                handlers: self.handlers,
                policy: self.policy,
                clock: self.clock,
                ids: self.ids,
                start,
                events,
            },
            watches: self.watches.clone(),
            errands,
            tasks: JoinSet::new(),
            reaching: JoinSet::new(),
            elected,
            term: None,
            counters: counters.clone(),
            resting: Vec::new(),
        };
        if self.garbage {
            driver.add(|kernel, cache| kernel.collect_garbage(cache));
        }
        if !driver.hands.handlers.is_empty() {
            // Those of other names are for other managers.
            let names: BTreeSet<Str> = driver.hands.handlers.keys().cloned().collect();
            driver.add(|kernel, cache| kernel.call_effects_of(Some(names), Self::EFFECTS, cache));
        }
        for controller in self.controllers {
            driver.add_controller(controller);
        }
        let limits = self.watches.store().limits();
        for (seat, part) in (1..).zip(self.parts) {
            let in_flight = post::Settings::IN_FLIGHT;
            driver.seat(part, post::Settings { seat, in_flight, limits, elected: elects });
        }
        let task = tokio::spawn(driver.run(changes, inbox, told));
        Running { commands, counters, watches: self.watches, task }
    }
}

/// A manager at work. Dropping it ends it at once; [`shutdown`](Self::shutdown) lets it finish.
pub struct Running {
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
    watches: Watches,
    task: tokio::task::JoinHandle<()>,
}

enum Command {
    Add(Box<Controller>, oneshot::Sender<u32>),
    Remove(u32, oneshot::Sender<()>),
    Rest(oneshot::Sender<()>),
    Leads(oneshot::Sender<Option<Term>>),
    Shutdown(Duration, oneshot::Sender<bool>),
}

impl Running {
    /// Adds a controller. Answers with its number.
    pub async fn add(&self, controller: Controller) -> Option<u32> {
        self.ask(|said| Command::Add(Box::new(controller), said)).await
    }

    /// Takes a controller away. What it has under way is finished; kinds that nobody else needs are not
    /// watched any more.
    pub async fn remove(&self, controller: u32) {
        self.ask(|said| Command::Remove(controller, said)).await.unwrap_or_default();
    }

    /// Waits until the cache shows all that is in the store now, and nothing is to be done. What waits
    /// for a time to come, or for the end of a backoff, is not waited for.
    pub async fn at_rest(&self) {
        if self.watches.reach(None).await.is_ok() {
            self.ask(Command::Rest).await.unwrap_or_default();
        }
    }

    /// The term in which it leads, if it does.
    pub async fn term(&self) -> Option<Term> {
        self.ask(Command::Leads).await.flatten()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The cache that it works with.
    #[must_use]
    pub const fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Plans nothing more, finishes what is under way, within a limit, and lets another lead. Whether all
    /// was finished.
    pub async fn shutdown(self, limit: Duration) -> bool {
        let finished = self.ask(|said| Command::Shutdown(limit, said)).await;
        finished.unwrap_or(false)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (said, answer) = oneshot::channel();
        self.commands.send(command(said)).await.ok()?;
        answer.await.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How often a kernel is looked at that has nothing to do.
const GLANCE: Duration = Duration::from_secs(60);

/// How long to wait before a store is asked again how far it is.
const SOON: Duration = Duration::from_millis(100);

/// What was begun, and has come to something.
pub(super) enum Event {
    Done(Done),
    /// What the store said to a part.
    Said(u64, Said),
    /// The same as [`Event::Reached`], for a part.
    Shown(usize, bool),
    Answered(u64, Result<Value, EffectError>),
    Arrived,
    Reached(bool),
}

/// What performs what the kernel wants.
#[derive(Clone)]
struct Hands {
    store: Arc<dyn Store>,
    handlers: BTreeMap<Str, Handler>,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    start: Instant,
    events: mpsc::Sender<Event>,
}

struct Driver {
    kernel: Kernel,
    /// What runs beside it, in the order of their seats.
    posts: Vec<Post>,
    hands: Hands,
    watches: Watches,
    errands: Errands,
    /// Jobs and calls.
    tasks: JoinSet<()>,
    reaching: JoinSet<()>,
    elected: Option<Elected>,
    term: Option<Term>,
    counters: Arc<Counters>,
    /// Who waits until there is nothing to do.
    resting: Vec<oneshot::Sender<()>>,
}

impl Driver {
    async fn run(
        mut self,
        mut changes: mpsc::Receiver<Arc<Changes>>,
        mut inbox: mpsc::Receiver<Command>,
        mut told: mpsc::Receiver<Event>,
    ) {
        loop {
            let due = self.due(self.hands.now()).map(|elapsed| self.hands.start + elapsed);
            // Now and then for nothing: a wall clock that jumps is noticed.
            let due = Some(due.unwrap_or(Instant::now() + GLANCE).min(Instant::now() + GLANCE));
            tokio::select! {
                Some(event) = told.recv() => self.event(event),
                moved = changes.recv() => match moved {
                    Some(changes) => self.changed(&changes),
                    None => {
                        tracing::error!("the cache has ended, and with it this manager");
                        return;
                    }
                },
                Some(term) = elected(&mut self.elected) => self.lead(term),
                command = inbox.recv() => match command {
                    Some(Command::Shutdown(limit, said)) => {
                        // What changes from now on is nobody's business here.
                        drop(changes);
                        let finished = self.finish(limit, &mut told).await;
                        // Whoever asked may have gone.
                        let _ = said.send(finished);
                        return;
                    }
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some(_) = self.tasks.join_next() => {}
                Some(_) = self.reaching.join_next() => {}
                () = wait(due) => self.turn(),
            }
            while self.tasks.try_join_next().is_some() {}
            self.let_rest(&changes, &told);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(controller, said) => {
                let number = self.add_controller(*controller);
                let _ = said.send(number);
            }
            Command::Remove(controller, said) => {
                self.kernel.remove(controller);
                self.give_up();
                let _ = said.send(());
            }
            Command::Rest(said) => self.resting.push(said),
            Command::Leads(said) => drop(said.send(self.term.clone())),
            Command::Shutdown(..) => {}
        }
    }

    fn add(&mut self, add: impl FnOnce(&mut Kernel, &crate::control::Cache) -> (u32, Vec<Output>)) -> u32 {
        let kernel = &mut self.kernel;
        let (number, outputs) = self.watches.look(|cache| add(kernel, cache));
        self.perform(outputs);
        number
    }

    fn add_controller(&mut self, controller: Controller) -> u32 {
        if self.kernel.has_controller(controller.name()) {
            tracing::warn!(
                controller = %controller.name(),
                "another controller has this name: each takes the fields that the other sets for its own"
            );
        }
        self.add(|kernel, cache| kernel.add(controller, cache))
    }

    fn seat(&mut self, part: Box<dyn Part>, settings: post::Settings) {
        let (post, outputs) = Post::new(part, settings);
        self.posts.push(post);
        self.do_for(settings.seat, outputs);
    }

    /// Has the cache give up what nobody here needs any more, unless another does.
    fn give_up(&mut self) {
        let mut needed = self.watches.look(|cache| self.kernel.kinds(cache));
        needed.extend(self.posts.iter().flat_map(Post::kinds));
        self.errands.keep(needed);
    }

    /// When the kernel or a part wants a turn.
    fn due(&self, now: Now) -> Option<Duration> {
        self.posts.iter().filter_map(|post| post.due(now)).chain(self.kernel.due(now)).min()
    }

    fn changed(&mut self, changes: &Changes) {
        self.input(Input::Changed(changes));
        for seat in 1..=self.posts.len() {
            self.tell(seat, post::Input::Changed(changes));
        }
    }

    /// Tells a part something, and does what it wants then.
    fn tell(&mut self, seat: usize, input: post::Input<'_>) {
        let now = self.hands.now();
        let Some(post) = seat.checked_sub(1).and_then(|at| self.posts.get_mut(at)) else { return };
        let outputs = post.handle(now, input);
        self.do_for(seat, outputs);
    }

    fn lead(&mut self, term: Option<Term>) {
        if self.term != term {
            tracing::info!(term = term.as_ref().map(tracing::field::display), "leads");
        }
        self.term.clone_from(&term);
        for seat in 1..=self.posts.len() {
            self.tell(seat, post::Input::Leads(term.clone()));
        }
        self.input(Input::Leads(term));
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Done(done) => {
                self.counters.commits.fetch_add(done.commits as u64, Ordering::Relaxed);
                let was_deposed = matches!(done.end, End::Deposed);
                match seat_of(done.id) {
                    0 => self.input(Input::Done(done)),
                    seat => return self.tell(seat, post::Input::Done(done)),
                }
                // Unless it was a job of an earlier term.
                if was_deposed
                    && !self.kernel.leads()
                    && let Some(elected) = &self.elected
                {
                    elected.depose();
                    self.term = None;
                }
            }
            Event::Answered(call, answer) => self.input(Input::Answered(call, answer)),
            Event::Arrived => {
                self.input(Input::Arrived);
                // What a part needs is there, perhaps: it looks.
                (1..=self.posts.len()).for_each(|seat| self.turn_of(seat));
            }
            Event::Said(id, said) => {
                let is_commit = matches!(said, Said::Commit(Ok(_)));
                self.counters.commits.fetch_add(u64::from(is_commit), Ordering::Relaxed);
                self.tell(seat_of(id), post::Input::Said(id, said));
            }
            Event::Shown(seat, is_so) => self.tell(seat, post::Input::Reached(is_so)),
            Event::Reached(is_so) => self.input(Input::Reached(is_so)),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        let outputs = self.kernel.handle(self.hands.now(), input);
        self.perform(outputs);
    }

    fn turn(&mut self) {
        for seat in 1..=self.posts.len() {
            let now = self.hands.now();
            if self.posts[seat - 1].due(now).is_some_and(|due| due <= now.elapsed) {
                self.turn_of(seat);
            }
        }
        let now = self.hands.now();
        if !self.posts.is_empty() && self.kernel.due(now).is_none_or(|due| due > now.elapsed) {
            return;
        }
        let span = tracing::debug_span!("turn", depth = self.kernel.depth()).entered();
        let kernel = &mut self.kernel;
        let (outputs, revision) =
            self.watches.look(|cache| (kernel.handle(now, Input::Turn(cache)), cache.revision()));
        drop(span);
        let took = self.hands.now().elapsed - now.elapsed;
        self.counters.turned(&self.kernel, revision, took);
        self.perform(outputs);
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let hands = self.hands.clone();
            match output {
                Output::Perform(job) => {
                    let term = self.term.as_ref().map(|term| term.key.clone());
                    self.tasks.spawn(async move {
                        let done = hands.perform(job, term).await;
                        hands.say(Event::Done(done)).await;
                    });
                }
                Output::Call(call) => {
                    self.tasks.spawn(async move {
                        let (id, answer) = (call.id, hands.call(call).await);
                        hands.say(Event::Answered(id, answer)).await;
                    });
                }
                Output::Need(needs) => self.errands.need(needs),
                Output::Reach(revision) => {
                    let watches = self.watches.clone();
                    self.reaching.spawn(async move {
                        let is_so = reach(&watches, revision).await;
                        hands.say(Event::Reached(is_so)).await;
                    });
                }
                Output::Report(report) => {
                    self.counters.report(&report);
                    match report.trouble {
                        Trouble::Conflict | Trouble::UnknownFate(_) => tracing::debug!(%report),
                        _ => tracing::warn!(%report),
                    }
                }
            }
        }
    }

    /// A part may act.
    fn turn_of(&mut self, seat: usize) {
        let (now, policy) = (self.hands.now(), self.hands.policy.clone());
        let Some(post) = self.posts.get_mut(seat - 1) else { return };
        let outputs = self.watches.look(|cache| post.handle(now, post::Input::Turn(cache, &policy)));
        self.do_for(seat, outputs);
    }

    /// Does what a part wants.
    fn do_for(&mut self, seat: usize, outputs: Vec<post::Output>) {
        for output in outputs {
            let hands = self.hands.clone();
            match output {
                post::Output::Need(needs) => self.errands.need(needs),
                post::Output::Read(id, keys) => drop(self.tasks.spawn(async move {
                    let said = Said::Entries(hands.get(keys).await);
                    hands.say(Event::Said(id, said)).await;
                })),
                post::Output::Commit(id, txn) => drop(self.tasks.spawn(async move {
                    let said = Said::Commit(hands.store.commit(txn).await);
                    hands.say(Event::Said(id, said)).await;
                })),
                post::Output::Perform(job) => self.perform(vec![Output::Perform(job)]),
                post::Output::Reach(revision) => {
                    let watches = self.watches.clone();
                    self.reaching.spawn(async move {
                        let is_so = reach(&watches, revision).await;
                        hands.say(Event::Shown(seat, is_so)).await;
                    });
                }
                post::Output::Deposed => {
                    if let Some(elected) = &self.elected {
                        elected.depose();
                    }
                }
            }
        }
    }

    /// Tells those who wait for it that there is nothing to do.
    fn let_rest(&mut self, changes: &mpsc::Receiver<Arc<Changes>>, told: &mpsc::Receiver<Event>) {
        if self.resting.is_empty() || !changes.is_empty() || !told.is_empty() {
            return;
        }
        let now = self.hands.now();
        let is_due = self.due(now).is_some_and(|due| due <= now.elapsed);
        let is_busy = self.posts.iter().any(|post| post.in_flight() > 0 || post.awaits());
        if !is_due
            && !is_busy
            && self.kernel.in_flight() == 0
            && self.errands.are_done()
            && !self.kernel.awaits()
        {
            // Whoever asked may have gone.
            for said in self.resting.drain(..) {
                let _ = said.send(());
            }
        }
    }

    /// Finishes what is under way. Whether that came about in time.
    async fn finish(mut self, limit: Duration, told: &mut mpsc::Receiver<Event>) -> bool {
        let until = Instant::now() + limit;
        let mut finished = true;
        // What a task has to say it says before it ends.
        while !(self.tasks.is_empty() && told.is_empty()) {
            tokio::select! {
                biased;
                Some(event) = told.recv() => if let Event::Answered(call, answer) = event {
                    // What was done in the world outside is written down yet.
                    let outputs = self.kernel.handle(self.hands.now(), Input::Answered(call, answer));
                    self.perform(outputs);
                },
                Some(_) = self.tasks.join_next() => {}
                () = tokio::time::sleep_until(until) => {
                    finished = false;
                    break;
                }
            }
        }
        self.errands.keep(BTreeSet::new());
        if let Some(elected) = self.elected.take() {
            elected.resign(until.max(Instant::now() + Duration::from_millis(100))).await;
        }
        finished
    }
}

impl Hands {
    fn now(&self) -> Now {
        Now::new(self.clock.now(), self.start.elapsed())
    }

    async fn say(&self, event: Event) {
        // When the driver is gone nobody wants to know.
        let _ = self.events.send(event).await;
    }

    async fn perform(&self, job: Job, term: Option<crate::store::Key>) -> Done {
        let mut performance = Performance::new(job, term);
        let mut next = performance.start();
        loop {
            let said = match next {
                Next::Done(done) => return done,
                Next::Ask(perform::Ask::Get(keys)) => Said::Entries(self.get(keys).await),
                Next::Ask(perform::Ask::Commit(txn)) => Said::Commit(self.store.commit(txn).await),
            };
            next = performance.told(said, self.now(), &*self.ids, &self.policy);
        }
    }

    async fn get(
        &self,
        keys: Vec<crate::store::Key>,
    ) -> Result<Vec<Option<Arc<crate::store::Entry>>>, StoreError> {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.push(self.store.get(&key).await?);
        }
        Ok(entries)
    }

    async fn call(&self, call: Call) -> Result<Value, EffectError> {
        let Some(handler) = self.handlers.get(&call.handler) else {
            return Err(EffectError::Again(format!("no handler is called `{}`: register one", call.handler)));
        };
        // A task of its own, so that its panic ends nothing else; it ends with whoever waits for it.
        let handler = handler.clone();
        let work = AbortOnDrop(tokio::spawn(async move { handler(call).await }));
        match tokio::time::timeout(Manager::CALL_LIMIT, work).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(EffectError::Again(format!("the handler failed: {error}"))),
            Err(_) => {
                let limit = Manager::CALL_LIMIT;
                Err(EffectError::Again(format!("the handler took longer than {limit:?}, and was stopped")))
            }
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits until a cache has come so far. Whether it has.
async fn reach(watches: &Watches, revision: Option<crate::store::Revision>) -> bool {
    let reached = watches.reach(revision).await;
    if let Err(error) = &reached {
        tracing::warn!(%error, "the store does not say how far it is; it is asked again");
        tokio::time::sleep(SOON).await;
    }
    reached.is_ok()
}

async fn elected(elected: &mut Option<Elected>) -> Option<Option<Term>> {
    match elected {
        Some(elected) => elected.changed().await,
        None => std::future::pending().await,
    }
}
