//! A kernel, a cache and a store's state on one desk: no runtime, and time passes when told.

use std::time::Duration;

use orchestra_core::client::{By, Change, ObjectName, Policy, prepare};
use orchestra_core::clock::{Ids, SeededIds};
use orchestra_core::control::feed::{Ask, Feed, Told};
use orchestra_core::control::kernel::{Call, Input, Kernel, Output, Settings};
use orchestra_core::control::perform::{self, Next, Performance, Said};
use orchestra_core::control::{Controller, EffectError, Now, Report, Trouble};
use orchestra_core::object::{Apply, MicroTime, Model, Resource, Revision};
use orchestra_core::store::state::State;
use orchestra_core::store::{Delivery, Key, StoreError, StoreId, Txn};

pub(crate) struct Desk {
    pub(crate) state: State,
    pub(crate) feed: Feed,
    pub(crate) kernel: Kernel,
    pub(crate) elapsed: Duration,
    pub(crate) reports: Vec<Report>,
    pub(crate) calls: Vec<Call>,
    pub(crate) commits: usize,
    /// How many commits have their answers lost, though they are made.
    pub(crate) lose: usize,
    /// How many are lost on their way to the store.
    pub(crate) lose_before: usize,
    /// By how much the wall clock was set forward.
    pub(crate) jump: Duration,
    /// How many objects the feed held beside its cache at most, and how large a page was.
    pub(crate) most_held: usize,
    pub(crate) most_page: usize,
    /// Whether the watch tells nothing now.
    pub(crate) is_silent: bool,
    told: Revision,
    watched: Option<orchestra_core::store::Scope>,
    ids: SeededIds,
    reach: Option<Option<Revision>>,
}

impl Desk {
    pub(crate) fn new(controllers: impl IntoIterator<Item = Controller>) -> Self {
        Self::with(Settings::default(), controllers)
    }

    pub(crate) fn with(settings: Settings, controllers: impl IntoIterator<Item = Controller>) -> Self {
        let mut desk = Self {
            state: State::default(),
            feed: Feed::new(),
            kernel: Kernel::new(settings),
            elapsed: Duration::ZERO,
            reports: Vec::new(),
            calls: Vec::new(),
            commits: 0,
            lose: 0,
            lose_before: 0,
            jump: Duration::ZERO,
            most_held: 0,
            most_page: 0,
            is_silent: false,
            told: Revision(0),
            watched: None,
            ids: SeededIds::new(1),
            reach: None,
        };
        desk.feed(Told::Start);
        for controller in controllers {
            desk.add(controller);
        }
        desk
    }

    pub(crate) fn add(&mut self, controller: Controller) -> u32 {
        let (number, outputs) = self.kernel.add(controller, self.feed.cache());
        self.perform(outputs);
        number
    }

    pub(crate) fn garbage(mut self) -> Self {
        let (_, outputs) = self.kernel.collect_garbage(self.feed.cache());
        self.perform(outputs);
        self
    }

    pub(crate) fn effects(mut self) -> Self {
        let (_, outputs) = self.kernel.call_effects(4, self.feed.cache());
        self.perform(outputs);
        self
    }

    pub(crate) fn now(&self) -> Now {
        let start = 1_800_000_000_000_000;
        Now::new(
            MicroTime::from_unix_micros(start + (self.elapsed + self.jump).as_micros() as i64),
            self.elapsed,
        )
    }

    fn by(&self, manager: &str) -> By {
        By { manager: manager.into(), now: self.now().wall.into(), uid: self.ids.uid().unwrap() }
    }

    /// Makes a change as a user.
    pub(crate) fn change(&mut self, change: &Change) {
        let current = self.state.get(&change.key()).cloned();
        let prepared = prepare(change, current.as_deref(), &Policy::open()).unwrap();
        self.state.commit(prepared.txn).unwrap();
    }

    pub(crate) fn apply<R: Resource>(&mut self, fields: Apply<R>) {
        let fields = fields.fields().unwrap();
        self.change(&Change::apply(Model::of::<R>(), fields, true, self.by("user")).unwrap());
    }

    pub(crate) fn delete<R: Resource>(&mut self, name: &str, how: orchestra_core::client::Delete) {
        let object = ObjectName::new(R::KIND, "", name).unwrap();
        self.change(&Change::delete(Model::of::<R>(), object, how, self.by("user")));
    }

    pub(crate) fn edit<R: Resource>(&mut self, name: &str, edit: impl FnOnce(&mut R)) {
        let mut object = self.get::<R>(name).unwrap();
        edit(&mut object);
        let tree = serde_json::to_value(&object).unwrap();
        self.change(&Change::replace(Model::of::<R>(), tree, self.by("user")).unwrap());
    }

    pub(crate) fn put(&mut self, key: &str, value: &str) {
        self.state.commit(Txn::new().put(key, value)).unwrap();
    }

    pub(crate) fn get<R: Resource>(&self, name: &str) -> Option<R> {
        let key = ObjectName::new(R::KIND, "", name).unwrap().key();
        self.state.get(&key).map(|entry| orchestra_core::client::read(entry).unwrap())
    }

    pub(crate) fn list<R: Resource>(&self) -> Vec<R> {
        let scope = orchestra_core::client::scope_of(&R::KIND);
        let listing = self.state.list(&scope, &orchestra_core::store::Page::first()).unwrap();
        listing.entries.iter().map(|entry| orchestra_core::client::read(entry).unwrap()).collect()
    }

    pub(crate) fn troubles(&self, name: &str) -> usize {
        self.reports.iter().filter(|report| report.trouble.name() == name).count()
    }

    pub(crate) fn trouble(&self, is_it: impl Fn(&Trouble) -> bool) -> bool {
        self.reports.iter().any(|report| is_it(&report.trouble))
    }

    fn feed(&mut self, told: Told) {
        let (changes, asks) = self.feed.told(told);
        self.most_held = self.most_held.max(self.feed.held());
        for changes in &changes {
            self.input(Input::Changed(changes));
        }
        for ask in asks {
            match ask {
                Ask::Identity => self.feed(Told::Identity(Ok(StoreId(7)))),
                Ask::List { scope, page } => {
                    let listing = self.state.list(&scope, &page);
                    let entries = listing.as_ref().map_or(0, |listing| listing.entries.len());
                    self.most_page = self.most_page.max(entries);
                    self.feed(Told::Listed(listing));
                }
                Ask::Watch { scope, after } => {
                    self.told = after;
                    self.watched = Some(scope);
                    self.feed(Told::Watching(Ok(())));
                }
                Ask::Unwatch => self.watched = None,
                Ask::Progress => {}
                Ask::Retry { .. } => self.feed(Told::Retry),
            }
        }
    }

    /// What the watch has to tell.
    fn deliver(&mut self) {
        let Some(scope) = self.watched.clone().filter(|_| !self.is_silent) else { return };
        while self.told < self.state.revision() {
            let next = self.state.history().after(self.told).map(|mut news| news.next().cloned());
            match next {
                Ok(Some(batch)) => {
                    self.told = batch.revision;
                    let told = match batch.within(&scope) {
                        Some(part) => Delivery::Batch(part),
                        None => Delivery::Progress(batch.revision),
                    };
                    self.feed(Told::Delivered(told));
                }
                Ok(None) => return,
                Err(error) => {
                    self.feed(Told::WatchFailed(error));
                    return;
                }
            }
        }
    }

    /// What has happened so far is told.
    pub(crate) fn deliver_first(&mut self) {
        self.deliver();
    }

    /// Has an object looked at for no reason.
    pub(crate) fn wake<R: Resource>(&mut self, name: &str) {
        let object = ObjectName::new(R::KIND, "", name).unwrap();
        self.kernel.wake(&object);
    }

    /// The watch has lost the thread: everything is listed anew.
    pub(crate) fn lose_watch(&mut self) {
        let error = StoreError::Compacted { asked: self.told, oldest: self.state.revision() };
        self.feed(Told::WatchFailed(error));
    }

    fn input(&mut self, input: Input<'_>) {
        let outputs = self.kernel.handle(self.now(), input);
        self.perform(outputs);
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Perform(job) => {
                    let mut performance = Performance::new(job, None);
                    let mut next = performance.start();
                    let done = loop {
                        let said = match next {
                            Next::Done(done) => break done,
                            Next::Ask(perform::Ask::Get(keys)) => Said::Entries(Ok(self.entries(&keys))),
                            Next::Ask(perform::Ask::Commit(txn)) => Said::Commit(self.commit(txn)),
                        };
                        next = performance.told(said, self.now(), &self.ids, &Policy::open());
                    };
                    self.input(Input::Done(done));
                }
                Output::Call(call) => self.calls.push(call),
                Output::Need(needs) => {
                    self.feed(Told::Need(needs));
                    self.input(Input::Arrived);
                }
                Output::Reach(revision) => self.reach = Some(revision),
                Output::Report(report) => self.reports.push(report),
            }
        }
    }

    fn entries(&self, keys: &[Key]) -> Vec<Option<std::sync::Arc<orchestra_core::store::Entry>>> {
        keys.iter().map(|key| self.state.get(key).cloned()).collect()
    }

    fn commit(&mut self, txn: Txn) -> Result<Revision, orchestra_core::store::CommitError> {
        if self.lose_before > 0 {
            self.lose_before -= 1;
            return Err(orchestra_core::store::CommitError::Unknown { reason: "lost".into() });
        }
        let answer = self.state.commit(txn);
        self.commits += usize::from(answer.is_ok());
        if self.lose > 0 {
            self.lose -= 1;
            return Err(orchestra_core::store::CommitError::Unknown { reason: "lost".into() });
        }
        answer
    }

    /// Answers a call, and does what can be done then.
    pub(crate) fn answer(&mut self, call: &Call, answer: Result<serde_json::Value, EffectError>) {
        self.input(Input::Answered(call.id, answer));
        self.settle();
    }

    /// Does what can be done now. Whether it comes to an end.
    pub(crate) fn settle(&mut self) -> bool {
        for _ in 0..10_000 {
            self.deliver();
            if let Some(wanted) = self.reach {
                let wanted = wanted.unwrap_or(self.state.revision());
                if self.feed.cache().revision() >= wanted {
                    self.reach = None;
                    self.input(Input::Reached(true));
                }
            }
            let now = self.now();
            if self.kernel.due(now).is_none_or(|due| due > now.elapsed) {
                return true;
            }
            let outputs = self.kernel.handle(now, Input::Turn(self.feed.cache()));
            self.perform(outputs);
        }
        false
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.elapsed + time;
        loop {
            self.settle();
            match self.kernel.due(self.now()).filter(|due| *due <= until) {
                Some(due) => self.elapsed = self.elapsed.max(due),
                None => break,
            }
        }
        self.elapsed = until;
    }
}
