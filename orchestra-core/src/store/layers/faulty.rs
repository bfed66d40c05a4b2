//! [`Faulty`]: a store that fails as stores do, by a seed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;

use crate::random;

use crate::store::{
    CommitError, Delivery, Entry, Key, Limits, Listing, Page, Revision, Scope, Store, StoreError, StoreId,
    Txn, Watch, WatchSource,
};

/// A store that fails as stores do, for tests of what stands on one: it is unreachable at times, slow,
/// loses the answer to a commit that took effect or to one that did not, and ends watches.
///
/// What goes wrong is drawn from a seed, request by request: the same requests in the same order meet the
/// same faults. [`Faulty::counts`] says how often each was met: a test that met none has tested nothing.
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
    dice: Arc<Mutex<Dice>>,
}

/// How often what goes wrong: of a thousand requests, so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The store cannot be reached; the request has no effect.
    pub unavailable: u16,
    /// The request waits for some turns of others, up to [`Faults::TURNS`].
    pub delayed: u16,
    /// A commit's answer is lost. In half of the cases it has taken effect.
    pub lost_answers: u16,
    /// A watch ends, before the next batch, because the store cannot be reached.
    pub dropped_watches: u16,
    /// A watch is told to list again.
    pub compacted_watches: u16,
}

/// How often each fault was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that had no effect.
    pub unavailable: u64,
    /// Requests that waited.
    pub delayed: u64,
    /// Commits that took effect, though their answer was lost.
    pub lost_after: u64,
    /// Commits that took no effect, and nobody knows.
    pub lost_before: u64,
    /// Watches that ended.
    pub dropped_watches: u64,
    /// Watches that were told to list again.
    pub compacted_watches: u64,
}

struct Dice {
    state: u64,
    counts: Counts,
}

impl Faults {
    /// How many turns a request waits at most.
    pub const TURNS: u64 = 16;

    /// A little of everything.
    #[must_use]
    pub const fn everything() -> Self {
        Self { unavailable: 50, delayed: 200, lost_answers: 50, dropped_watches: 20, compacted_watches: 20 }
    }
}

impl<S: Store> Faulty<S> {
    /// Has a store fail.
    pub fn new(inner: S, faults: Faults, seed: u64) -> Self {
        Self { inner, faults, dice: Arc::new(Mutex::new(Dice { state: seed, counts: Counts::default() })) }
    }

    /// The store beneath, which does not fail.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// How often each fault was met so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// Delays a request, or refuses it.
    async fn meet(&self, doing: &str) -> Result<(), StoreError> {
        let turns = roll(&self.dice, |dice| {
            if !dice.hits(self.faults.delayed) {
                return 0;
            }
            dice.counts.delayed += 1;
            1 + dice.next() % Faults::TURNS
        });
        for _ in 0..turns {
            Turn(false).await;
        }
        let refused = roll(&self.dice, |dice| {
            let hit = dice.hits(self.faults.unavailable);
            dice.counts.unavailable += u64::from(hit);
            hit
        });
        match refused {
            true => Err(unavailable(doing)),
            false => Ok(()),
        }
    }
}

fn unavailable(doing: &str) -> StoreError {
    StoreError::Unavailable { doing: doing.into(), reason: "a fault was injected".into() }
}

fn roll<T>(dice: &Mutex<Dice>, draw: impl FnOnce(&mut Dice) -> T) -> T {
    draw(&mut dice.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Dice {
    const fn next(&mut self) -> u64 {
        random::next(&mut self.state)
    }

    fn hits(&mut self, of_a_thousand: u16) -> bool {
        self.next() % 1000 < u64::from(of_a_thousand)
    }
}

/// Lets others have a turn, on whichever runtime.
struct Turn(bool);

impl Future for Turn {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl<S: Store> Store for Faulty<S> {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, StoreError> {
        self.meet("reading").await?;
        self.inner.get(key).await
    }

    async fn list(&self, scope: &Scope, page: Page) -> Result<Listing, StoreError> {
        self.meet("listing").await?;
        self.inner.list(scope, page).await
    }

    async fn commit(&self, txn: Txn) -> Result<Revision, CommitError> {
        self.meet("committing").await?;
        let lost = roll(&self.dice, |dice| {
            dice.hits(self.faults.lost_answers).then(|| {
                let after = dice.next() % 2 == 0;
                let counts = &mut dice.counts;
                *if after { &mut counts.lost_after } else { &mut counts.lost_before } += 1;
                after
            })
        });
        let unknown = CommitError::Unknown { reason: "a fault was injected".into() };
        match lost {
            None => self.inner.commit(txn).await,
            Some(false) => Err(unknown),
            Some(true) => {
                // Whatever the answer was.
                let _ = self.inner.commit(txn).await;
                Err(unknown)
            }
        }
    }

    async fn watch(&self, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
        self.meet("watching").await?;
        let inner = self.inner.watch(scope, after).await?;
        Ok(Watch::new(Dropping { inner, after, faults: self.faults, dice: self.dice.clone() }))
    }

    async fn identity(&self) -> Result<StoreId, StoreError> {
        self.meet("asking who the store is").await?;
        self.inner.identity().await
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }
}

/// A watch that may end.
struct Dropping {
    inner: Watch,
    after: Revision,
    faults: Faults,
    dice: Arc<Mutex<Dice>>,
}

impl WatchSource for Dropping {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        let next = self.inner.poll_next(cx);
        let Poll::Ready(Ok(Delivery::Batch(batch))) = &next else { return next };
        let (asked, oldest) = (self.after, batch.revision);
        let ended = roll(&self.dice, |dice| {
            if dice.hits(self.faults.dropped_watches) {
                dice.counts.dropped_watches += 1;
                Some(unavailable("watching"))
            } else if dice.hits(self.faults.compacted_watches) {
                dice.counts.compacted_watches += 1;
                Some(StoreError::Compacted { asked, oldest })
            } else {
                None
            }
        });
        self.after = batch.revision;
        ended.map_or(next, |error| Poll::Ready(Err(error)))
    }

    fn request_progress(&mut self) {
        self.inner.request_progress();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    /// Commits and watches; answers with what was met, and how it looked.
    async fn run(seed: u64) -> (Counts, Vec<String>) {
        let store = Faulty::new(MemoryStore::new(), Faults::everything(), seed);
        let (mut seen, mut watch, mut after) = (Vec::new(), None, Revision(1));
        for number in 0..400 {
            if watch.is_none() {
                watch = store.watch(&Scope::all(), after).await.ok();
            }
            let answer = store.commit(Txn::new().put("a", number.to_string())).await;
            seen.push(format!("{answer:?}"));
            if let Some(open) = &mut watch {
                let delivered = std::future::poll_fn(|cx| Poll::Ready(open.poll_next(cx))).await;
                match delivered {
                    Poll::Ready(Ok(Delivery::Batch(batch))) => after = batch.revision,
                    Poll::Ready(Err(_)) => watch = None,
                    _ => {}
                }
            }
        }
        (store.counts(), seen)
    }

    #[tokio::test]
    async fn every_fault_is_met_and_the_seed_says_when() {
        let (counts, seen) = run(1).await;
        let Counts { unavailable, delayed, lost_after, lost_before, dropped_watches, compacted_watches } =
            counts;
        let all = [unavailable, delayed, lost_after, lost_before, dropped_watches, compacted_watches];
        assert!(all.iter().all(|count| *count > 0), "{counts:?}");
        assert_eq!(run(1).await, (counts, seen.clone()));
        assert_ne!(run(2).await.1, seen);
    }

    #[tokio::test]
    async fn without_faults_it_is_the_store_itself() {
        let store = Faulty::new(MemoryStore::new(), Faults::default(), 1);
        let at = store.commit(Txn::new().put_new("a", "1")).await.unwrap();
        assert_eq!(store.get(&"a".into()).await.unwrap().unwrap().modified, at);
        assert_eq!(store.counts(), Counts::default());
    }
}
