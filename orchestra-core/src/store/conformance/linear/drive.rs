//! [`drive`]: many clients at once, doing what a seed says, and what became of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Call, History, Random, Request, Told};
use crate::store::conformance::trial::together;
use crate::store::{
    Batch, CommitError, Delivery, Entry, Expect, Key, Page, Revision, Scope, Store, StoreError, Txn,
};

/// What clients do.
#[derive(Clone, Debug)]
pub struct Workload {
    /// How many there are at once.
    pub clients: usize,
    /// How often each asks something.
    pub calls: usize,
    /// Over how many keys: the fewer, the more often they meet.
    pub keys: usize,
    /// What all their keys begin with. Nothing does before.
    pub prefix: String,
    /// What they do follows from it, but for what they do to each other.
    pub seed: u64,
    /// How long a client waits for an answer, before it takes a commit's fate for unknown.
    pub patience: Duration,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            clients: 8,
            calls: 100,
            keys: 5,
            prefix: "linear/".into(),
            seed: 1,
            patience: Duration::from_secs(5),
        }
    }
}

/// Asks a store, and writes down what was asked and answered, and when.
pub struct Recorder {
    store: Arc<dyn Store>,
    patience: Duration,
    instant: AtomicU64,
    calls: Mutex<Vec<Call>>,
}

impl Recorder {
    /// Nothing was asked yet. After so long a time an answer is taken for lost.
    pub fn new(store: Arc<dyn Store>, patience: Duration) -> Self {
        Self { store, patience, instant: AtomicU64::new(1), calls: Mutex::default() }
    }

    /// Asks, as a client, and is answered.
    pub async fn ask(&self, client: usize, request: Request) -> Answer {
        let called = self.instant.fetch_add(1, Ordering::SeqCst);
        let answer = match tokio::time::timeout(self.patience, self.answer(&request)).await {
            Ok(answer) => answer,
            Err(_) if matches!(request, Request::Commit(_)) => Answer::Unknown,
            Err(_) => Answer::Failed,
        };
        let answered = self.instant.fetch_add(1, Ordering::SeqCst);
        let call = Call { client, called, answered, request, answer: answer.clone() };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        answer
    }

    async fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::Get(key) => self.store.get(key).await.map_or(Answer::Failed, Answer::Entry),
            Request::List(scope) => self.list(scope).await.unwrap_or(Answer::Failed),
            Request::Commit(txn) => match self.store.commit(txn.clone()).await {
                Ok(revision) => Answer::Made(revision),
                Err(CommitError::Conflict { key, found, .. }) => Answer::Conflict(key, found),
                Err(CommitError::Unknown { .. }) => Answer::Unknown,
                Err(_) => Answer::Failed,
            },
        }
    }

    async fn list(&self, scope: &Scope) -> Result<Answer, StoreError> {
        let mut listing = self.store.list(scope, Page::first().limit(3)).await?;
        let (revision, mut entries) = (listing.revision, listing.entries);
        while let Some(next) = listing.next.take() {
            listing = self.store.list(scope, Page::after(next).limit(3)).await?;
            entries.append(&mut listing.entries);
        }
        Ok(Answer::Listing(revision, entries))
    }

    /// What was asked and answered so far.
    pub fn history(&self) -> History {
        History { calls: self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone(), told: None }
    }
}

/// Has many clients use a store at once, beside a watch, and tells what each was answered.
///
/// It ends when each client has asked as often as it should and the store answers again: what breaks the
/// store meanwhile must let it heal.
///
/// # Panics
/// When the store cannot be reached in the end, or not before anything began.
pub async fn drive(store: Arc<dyn Store>, workload: &Workload) -> History {
    let recorder = Arc::new(Recorder::new(Arc::clone(&store), workload.patience));
    let scope = Scope::prefix(&workload.prefix);
    let last = Key::from(format!("{}~last", workload.prefix));
    let mut attempts = 0..ATTEMPTS;
    let start = loop {
        match store.list(&scope, Page::first()).await {
            Ok(start) => break start,
            Err(error) if error.is_retryable() && attempts.next().is_some() => {}
            Err(error) => panic!("before it began: {error}"),
        }
        tokio::time::sleep(BACKOFF).await;
    };
    assert!(start.entries.is_empty(), "{} keys begin with {} already", start.entries.len(), workload.prefix);

    let watching = tokio::spawn(watch(store, scope.clone(), start.revision, last.clone()));
    together((0..workload.clients).map(|client| {
        let client = Client { number: client, recorder: Arc::clone(&recorder), workload: workload.clone() };
        client.run()
    }))
    .await;

    // Who had not been there by now is not told of: the watch ends here.
    let mut attempts = 0..ATTEMPTS;
    loop {
        let attempt = attempts.next().unwrap_or_else(|| panic!("the store does not answer any more"));
        let txn = Txn::new().put(last.clone(), attempt.to_string());
        if let Answer::Made(_) = recorder.ask(workload.clients, Request::Commit(txn)).await {
            break;
        }
        tokio::time::sleep(BACKOFF).await;
    }
    recorder.ask(workload.clients, Request::List(scope)).await;
    let told = watching.await.unwrap_or_else(|error| panic!("the watch failed: {error}"));
    History { told, ..recorder.history() }
}

/// How often something is tried that the store cannot do now, and how long apart: half a minute in all, in
/// which a cluster should have a leader again.
const ATTEMPTS: u32 = 600;
const BACKOFF: Duration = Duration::from_millis(50);

/// What happens in a scope, until something happens to the last key. A watch that ends is resumed.
async fn watch(store: Arc<dyn Store>, scope: Scope, mut after: Revision, last: Key) -> Option<Told> {
    let mut batches: Vec<Arc<Batch>> = Vec::new();
    for _ in 0..ATTEMPTS {
        let Ok(mut watch) = store.watch(&scope, after).await else {
            tokio::time::sleep(BACKOFF).await;
            continue;
        };
        loop {
            match watch.next().await {
                Ok(Delivery::Batch(batch)) => {
                    after = batch.revision;
                    batches.push(Arc::clone(&batch));
                    if batch.events.iter().any(|event| event.key == last) {
                        return Some(Told { upto: after, batches });
                    }
                }
                Ok(Delivery::Progress(revision)) => after = revision,
                Err(error) if error.must_resync() => return None,
                Err(_) => break,
            }
        }
        tokio::time::sleep(BACKOFF).await;
    }
    None
}

struct Client {
    number: usize,
    recorder: Arc<Recorder>,
    workload: Workload,
}

impl Client {
    async fn run(self) {
        let mut random = Random::new(self.workload.seed, self.number as u64);
        // How it last saw the keys.
        let mut seen: BTreeMap<Key, Expect> = BTreeMap::new();
        for count in 0..self.workload.calls {
            let request = self.request(&mut random, &seen, count);
            let answer = self.recorder.ask(self.number, request.clone()).await;
            learn(&mut seen, &request, &answer);
            if random.below(3) == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    fn key(&self, number: usize) -> Key {
        Key::from(format!("{}{number}", self.workload.prefix))
    }

    fn request(&self, random: &mut Random, seen: &BTreeMap<Key, Expect>, count: usize) -> Request {
        let (first, keys) = (random.below(self.workload.keys), self.workload.keys);
        let key = self.key(first);
        let value = format!("{}-{count}", self.number);
        let expect = |key: &Key| seen.get(key).copied().unwrap_or(Expect::Absent);
        Request::Commit(match random.below(100) {
            0..30 => return Request::Get(key),
            30..40 => return Request::List(Scope::prefix(&self.workload.prefix)),
            40..60 => Txn::new().guard(key.clone(), expect(&key)).put(key, value),
            60..70 => Txn::new().put(key, value),
            // With what else it writes, a deletion can be seen, also if its fate is unknown.
            70..80 => {
                Txn::new().delete(key).put(format!("{}by-{}", self.workload.prefix, self.number), value)
            }
            80..85 => Txn::new().guard(key.clone(), expect(&key)),
            _ => {
                let others = (1..=1 + random.below(2)).map(|more| self.key((first + more) % keys));
                let mut all: Vec<Key> = others.chain([key]).collect();
                all.sort();
                all.dedup();
                // The first is guarded and not written.
                let guarded = all.iter().fold(Txn::new(), |txn, key| txn.guard(key.clone(), expect(key)));
                all.into_iter().skip(1).fold(guarded, |txn, key| txn.put(key, value.as_str()))
            }
        })
    }
}

/// What a client knows after an answer.
fn learn(seen: &mut BTreeMap<Key, Expect>, request: &Request, answer: &Answer) {
    let at = |entry: &Entry| Expect::At(entry.modified);
    match (request, answer) {
        (Request::Get(key), Answer::Entry(entry)) => {
            seen.insert(key.clone(), entry.as_deref().map_or(Expect::Absent, at));
        }
        (Request::List(_), Answer::Listing(_, entries)) => {
            seen.clear();
            seen.extend(entries.iter().map(|entry| (entry.key.clone(), at(entry))));
        }
        (Request::Commit(txn), Answer::Made(revision)) => {
            for write in txn.writes() {
                let stands = write.value().map_or(Expect::Absent, |_| Expect::At(*revision));
                seen.insert(write.key().clone(), stands);
            }
        }
        (_, Answer::Conflict(key, found)) => {
            seen.insert(key.clone(), found.map_or(Expect::Absent, Expect::At));
        }
        _ => {}
    }
}
