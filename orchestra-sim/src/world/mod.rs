//! [`World`]: a simulated system, event by event.

mod act;
mod agenda;
mod event;
mod machine;
pub(crate) mod store;
mod trouble;
mod watch;

use std::time::Duration;

use orchestra_core::client::{By as Author, Policy};
use orchestra_core::clock::{Ids, SeededIds};
use orchestra_core::control::Random;
use orchestra_core::object::{MicroTime, Revision};
use orchestra_core::store::{Batch, CommitError, Key, Txn};

use self::agenda::Agenda;
use self::event::{Event, From};
use self::machine::Machine;
use crate::failure::Found;
use crate::faults::Faults;
use crate::injector::{Fate, Injector};
use crate::random::{fold, fold_word, mix, stream, time};
use crate::run::TermWon;
use crate::simulation::Simulation;
use crate::story::{Story, What};
use crate::truth::Truth;
use crate::user::{Desk, User};

/// A simulated system, event by event: one thread, virtual time, everything from a seed.
pub(crate) struct World<'s> {
    of: &'s Simulation,
    seed: u64,
    pub(crate) truth: Truth,
    pub(crate) now: Duration,
    pub(crate) step: u64,
    pub(crate) hash: u64,
    agenda: Agenda<Event>,
    machines: Vec<Machine>,
    pub(crate) injector: Injector,
    pub(crate) story: Story,
    /// Where the term stands that counts.
    term_key: Key,
    /// How many commits there were, heartbeats and terms apart.
    pub(crate) commits: u64,
    pub(crate) last_commit: Duration,
    /// Whether something that conditions are about has changed since this was last looked at.
    pub(crate) has_changed: bool,
    pub(crate) found: Option<Found>,
    pub(crate) terms: Vec<TermWon>,
    /// When the leader died for good, if it did.
    pub(crate) leader_died: Option<Duration>,
    /// The keys of calls whose answers were lost.
    lost_calls: Vec<String>,
    ids: SeededIds,
    users: Vec<Random>,
}

impl<'s> World<'s> {
    pub(crate) fn new(of: &'s Simulation, seed: u64, faults: &Faults, fate: &Fate) -> Self {
        let machines = of.machines + usize::from(!of.environment.is_empty());
        let mut world = Self {
            of,
            seed,
            truth: Truth::default(),
            now: Duration::ZERO,
            step: 0,
            hash: mix(seed),
            agenda: Agenda::new(),
            machines: (0..machines).map(|number| Machine::new(of, seed, number)).collect(),
            injector: Injector::new(seed, faults, fate),
            story: Story::default(),
            term_key: Key::from(format!("{ELECTIONS}control/term")),
            commits: 0,
            last_commit: Duration::ZERO,
            has_changed: true,
            found: None,
            terms: Vec::new(),
            leader_died: None,
            lost_calls: Vec::new(),
            ids: SeededIds::new(mix(seed ^ 1)),
            users: (0..of.users.len()).map(|number| stream(seed, "users", number as u64)).collect(),
        };
        for (number, (at, _)) in of.script.iter().enumerate() {
            world.agenda.put(*at, Event::Script(number));
        }
        for number in 0..machines {
            let machine = &mut world.machines[number];
            let at = time(&mut machine.latency, Duration::ZERO, Duration::from_millis(500));
            world.agenda.put(at, Event::Start(number));
        }
        for number in 0..of.users.len() {
            world.user_comes_again(number);
        }
        if let Some(at) = of.leader_dies {
            world.agenda.put(at, Event::LeaderDies);
        }
        world.agenda.put(Duration::from_secs(1), Event::Second);
        world
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.agenda.next_at()
    }

    /// Lets the next thing happen.
    pub(crate) fn go_on(&mut self) {
        let Some((at, event)) = self.agenda.next() else { return };
        self.now = at;
        self.truth.now = at;
        self.truth.outside.now = at;
        self.step += 1;
        self.hash = fold_word(self.hash, at.as_micros() as u64);
        match event {
            Event::Start(machine) => self.start(machine),
            Event::Script(number) => self.follow_script(number),
            Event::User(number) => self.user(number),
            Event::Second => self.second(),
            Event::Request(from, request) => self.request_comes(from, request),
            Event::Call(from, call, slow) => self.call_comes(from, call, slow),
            Event::Arrive(from, arrival) => self.comes(from, arrival),
            Event::Resume(from) => self.resume(from),
            Event::Reconnect(machine) => self.reconnect(machine),
            Event::LeaderDies => self.leader_dies(),
        }
    }

    /// From now on nothing goes wrong: whoever is down starts, and whatever is held back comes.
    pub(crate) fn heal(&mut self) {
        self.injector.heal();
        self.story.tell(self.step, self.now, None, What::Healed);
        for number in 0..self.machines.len() {
            self.reconnect(number);
            self.resume(self.machines[number].this());
            self.release(number);
            if self.machines[number].up.is_none() {
                self.start(number);
            }
        }
    }

    pub(crate) fn tell(&mut self, machine: usize, what: What) {
        self.story.tell(self.step, self.now, self.machines.get(machine).map(|machine| &machine.name), what);
    }

    /// The first thing that is found counts.
    fn find(&mut self, found: Found) {
        self.found.get_or_insert(found);
    }

    /// What must be true is looked at.
    fn check(&mut self) {
        if self.found.is_some() {
            return;
        }
        for (invariant, check) in &self.of.invariants {
            if let Err(reason) = check(&self.truth) {
                self.found = Some(Found::Broken { invariant: invariant.clone(), reason });
                return;
            }
        }
    }

    /// Makes a transaction the present.
    fn commit(&mut self, who: Option<usize>, txn: Txn) -> Result<Revision, CommitError> {
        let before = self.truth.state.revision();
        let revision = self.truth.state.commit(txn)?;
        let batch = self.truth.state.history().get(revision).filter(|_| revision > before).cloned();
        let Some(batch) = batch else { return Ok(revision) };
        for event in &batch.events {
            self.hash = fold(self.hash, &event.key);
            if let Some(entry) = &event.entry {
                self.hash = fold(self.hash, &entry.value);
            }
        }
        let is_election = batch.events.iter().all(|event| event.key.starts_with(ELECTIONS.as_bytes()));
        if !is_election {
            self.story.tell(
                self.step,
                self.now,
                who.and_then(|who| self.machines.get(who)).map(|machine| &machine.name),
                What::Committed(batch.clone()),
            );
            self.commits += 1;
            self.last_commit = self.now;
            self.has_changed = true;
            self.deliver(&batch);
            self.check();
        }
        Ok(revision)
    }

    fn follow_script(&mut self, number: usize) {
        let of = self.of;
        let Some((_, act)) = of.script.get(number) else { return };
        if let Err(error) = act(&mut User::new(self)) {
            self.find(Found::Impossible { reason: error.to_string() });
        }
    }

    fn user(&mut self, number: usize) {
        if self.injector.is_over() {
            return;
        }
        let of = self.of;
        let Some((_, act)) = of.users.get(number) else { return };
        // It has its own stream, which it cannot draw from while it changes the world otherwise.
        let mut random = self.users[number].clone();
        act(&mut User::new(self), &mut random);
        self.users[number] = random;
        self.user_comes_again(number);
    }

    fn user_comes_again(&mut self, number: usize) {
        let rate = self.of.users[number].0;
        if rate > 0.0 {
            let longest = Duration::from_secs_f64((2.0 / rate).min(1e6));
            let wait = time(&mut self.users[number], Duration::from_millis(1), longest);
            self.agenda.put(self.now + wait, Event::User(number));
        }
    }

    fn is_alive(&self, from: From) -> bool {
        let machine = &self.machines[from.machine];
        machine.life == from.life && machine.up.is_some()
    }
}

/// Where what belongs to elections stands.
const ELECTIONS: &str = "orchestra.dev/elections/";

impl Desk for World<'_> {
    fn truth(&mut self) -> &mut Truth {
        &mut self.truth
    }

    fn by(&mut self) -> orchestra_core::Result<Author> {
        let now = MicroTime::from_unix_micros(machine::BEGINNING + self.now.as_micros() as i64);
        Ok(Author { manager: "user".into(), now: now.into(), uid: self.ids.uid()? })
    }

    fn policy(&self) -> &Policy {
        &self.of.policy
    }

    fn hand_in(&mut self, txn: Txn) -> Result<Revision, CommitError> {
        self.commit(None, txn)
    }
}

/// What happened at one revision, when many watch: shared.
type Shared = std::sync::Arc<Batch>;
