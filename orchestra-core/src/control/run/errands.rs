//! [`Errands`]: what a kernel wants of the cache that it shares, in the order in which it wants it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::manager::Event;
use super::watches::{Holder, Watches};
use crate::control::Need;
use crate::object::Kind;

/// Says to a cache what a kernel needs, in order. When it is dropped, and all was said, the kernel needs
/// nothing any more.
pub(super) struct Errands {
    // Not bounded by itself: a kernel asks once for each kind and index.
    wanted: mpsc::UnboundedSender<Errand>,
    open: Arc<AtomicUsize>,
}

enum Errand {
    Need(Vec<Need>),
    Keep(BTreeSet<Kind>),
}

impl Errands {
    pub(super) fn run(watches: Watches, holder: Holder, events: mpsc::Sender<Event>) -> Self {
        let (wanted, mut inbox) = mpsc::unbounded_channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counter = open.clone();
        tokio::spawn(async move {
            let mut waiting = JoinSet::new();
            while let Some(errand) = inbox.recv().await {
                match errand {
                    Errand::Need(needs) => {
                        let there = watches.ask_for(holder, needs).await;
                        let (events, counter) = (events.clone(), counter.clone());
                        waiting.spawn(async move {
                            // Whoever keeps the cache has ended if there is no answer.
                            let _ = there.await;
                            // Counted first: who is told looks whether all is done.
                            counter.fetch_sub(1, Ordering::SeqCst);
                            let _ = events.send(Event::Arrived).await;
                        });
                    }
                    Errand::Keep(kinds) => {
                        watches.keep_only(holder, kinds).await;
                        counter.fetch_sub(1, Ordering::SeqCst);
                        let _ = events.send(Event::Arrived).await;
                    }
                }
                while waiting.try_join_next().is_some() {}
            }
            watches.keep_only(holder, BTreeSet::new()).await;
        });
        Self { wanted, open }
    }

    /// The cache is to have this.
    pub(super) fn need(&self, needs: Vec<Need>) {
        self.send(Errand::Need(needs));
    }

    /// These kinds are needed, and no others.
    pub(super) fn keep(&self, kinds: BTreeSet<Kind>) {
        self.send(Errand::Keep(kinds));
    }

    /// Whether all of it has been done.
    pub(super) fn are_done(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    fn send(&self, errand: Errand) {
        self.open.fetch_add(1, Ordering::SeqCst);
        // The task ends after this is dropped.
        let _ = self.wanted.send(errand);
    }
}
