//! Watches: one etcd watch over the whole scope each, and a task that reads it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use etcd_client::proto::{PbEvent, PbWatchResponse};
use etcd_client::{WatchOptions, WatchStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::errors::Fault;
use super::keys::{Span, is_reserved};
use super::members::Connection;
use super::{Inner, revision};
use crate::store::{Batch, Delivery, Event, Key, Revision, Scope, StoreError, StoreId, Watch, WatchSource};

/// How many batches wait for a watcher. When there are more, etcd's history keeps them.
const QUEUE: usize = 64;

/// How long etcd's answers are left unread when there is no room: so long they may hold up other watches.
const GRACE: Duration = Duration::from_millis(100);

/// How often a marker is written that does not get through, and how long apart in shares of a request's time.
const ATTEMPTS: u32 = 3;

const WATCHING: &str = "watching";

/// What happens in a scope after a revision.
pub(super) async fn watch(inner: Arc<Inner>, scope: &Scope, after: Revision) -> Result<Watch, StoreError> {
    let (marker, span) = inner.layout.watched(scope);
    let (queue, deliveries) = mpsc::channel(QUEUE);
    let (ask, asked) = mpsc::channel(1);
    let mut pump = Pump {
        inner,
        scope: scope.clone(),
        span,
        last: after,
        events: Vec::new(),
        marker,
        nonce: None,
        marking: None,
        marked: false,
        patience: Instant::now(),
        queue,
    };
    let stream = pump.open().await?;
    tokio::spawn(pump.run(stream, asked));
    Ok(Watch::new(Source { deliveries, ask, asking: false }))
}

/// The watcher's end.
struct Source {
    deliveries: mpsc::Receiver<Result<Delivery, StoreError>>,
    ask: mpsc::Sender<()>,
    /// Whether progress was asked for that has not come yet.
    asking: bool,
}

impl WatchSource for Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, StoreError>> {
        let Poll::Ready(next) = self.deliveries.poll_recv(cx) else { return Poll::Pending };
        if let Some(Ok(Delivery::Progress(_))) = next {
            self.asking = false;
        }
        Poll::Ready(next.unwrap_or_else(|| Err(unavailable("it was stopped"))))
    }

    fn request_progress(&mut self) {
        if !std::mem::replace(&mut self.asking, true) {
            // There is room: one was asked for at a time. Or the watch has ended, and says so.
            let _ = self.ask.try_send(());
        }
    }
}

fn unavailable(reason: impl Into<String>) -> StoreError {
    StoreError::Unavailable { doing: WATCHING.into(), reason: reason.into() }
}

/// What reads an etcd watch: ends when nobody waits for it any more.
struct Pump {
    inner: Arc<Inner>,
    scope: Scope,
    span: Span,
    /// Up to where everything was delivered.
    last: Revision,
    /// What is there of a revision that has not come whole.
    events: Vec<PbEvent>,
    /// The key that is written to learn how far the watch is.
    marker: Vec<u8>,
    /// What was written there last, if it has not been seen yet.
    nonce: Option<StoreId>,
    marking: Option<Marking>,
    /// Whether the marker was ever written.
    marked: bool,
    /// Until when something must come while a marker is due.
    patience: Instant,
    queue: mpsc::Sender<Result<Delivery, StoreError>>,
}

type Marking = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

/// An etcd watch, and at which server.
struct Stream {
    stream: WatchStream,
    server: usize,
}

/// Why reading stops.
enum Stop {
    /// The watcher does not keep up: what comes now is left in etcd.
    Full,
    /// The watcher is gone.
    Left,
    /// The watch cannot go on.
    Ended(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Ended(error)
    }
}

impl Pump {
    /// Watches after the last revision that was delivered.
    async fn open(&mut self) -> Result<Stream, StoreError> {
        let now = self.inner.now(Some(self.last), WATCHING).await?;
        // Where there is history to read, from the last revision itself, which is skipped: at the very
        // revision of a compaction etcd forgets deletions, and would not say so.
        let first = if self.last < now { self.last.0.max(1) } else { self.last.0 + 1 };
        let options = WatchOptions::new()
            .with_range(self.span.1.clone())
            .with_start_revision(i64::try_from(first).unwrap_or(i64::MAX))
            .with_prev_key()
            .with_fragment();
        let request = |connection: Arc<Connection>| {
            let (start, options) = (self.span.0.clone(), options.clone());
            async move {
                let mut stream = connection.watch(start, options).await?;
                let answer = stream.message().await?;
                Ok((Stream { stream, server: connection.number() }, answer))
            }
        };
        let (stream, answer) = match self.inner.members.ask(request).await {
            Ok(opened) => opened,
            Err(fault) => return Err(self.inner.explain(fault, self.last, WATCHING).await),
        };
        match answer {
            Some(answer) if answer.canceled() => Err(self.canceled(&answer.0)),
            Some(_) => Ok(stream),
            None => Err(unavailable("etcd ended it at once")),
        }
    }

    /// Reads until the watcher is gone or the watch cannot go on.
    async fn run(mut self, stream: Stream, mut asked: mpsc::Receiver<()>) {
        let mut stream = stream;
        let stop = loop {
            match self.read(&mut stream, &mut asked).await {
                Stop::Full => {
                    // A stream that nobody reads would hold up all that share its connection.
                    drop(stream);
                    self.events.clear();
                    // Not for one at a time: to open it again costs more than to read it.
                    let Ok(room) = self.queue.reserve_many(QUEUE / 2).await else { break Stop::Left };
                    drop(room);
                    match self.open().await {
                        Ok(opened) => stream = opened,
                        Err(error) => break Stop::Ended(error),
                    }
                }
                stop => break stop,
            }
        };
        if let Stop::Ended(error) = stop {
            // Waits for room: what came before it is told first.
            let _ = self.queue.send(Err(error)).await;
        }
        if self.marked {
            let delete = |connection: Arc<Connection>| {
                let (mut kv, marker) = (connection.kv.clone(), self.marker.clone());
                async move { kv.delete(marker, None).await }
            };
            // It is no harm where it stays, and stays where it cannot be deleted.
            let _ = self.inner.members.ask(delete).await;
        }
    }

    /// Reads until it must stop.
    async fn read(&mut self, stream: &mut Stream, asked: &mut mpsc::Receiver<()>) -> Stop {
        self.wait();
        loop {
            let answer = tokio::select! {
                () = self.queue.closed() => return Stop::Left,
                Some(()) = asked.recv() => {
                    self.mark();
                    continue;
                }
                marked = due(&mut self.marking) => {
                    self.marking = None;
                    self.wait();
                    match marked {
                        Ok(()) => continue,
                        Err(fault) => return Stop::Ended(fault.into_store_error(WATCHING)),
                    }
                }
                () = tokio::time::sleep_until(self.patience), if self.nonce.is_some() && self.marking.is_none() => {
                    self.inner.members.leave(stream.server);
                    return Stop::Ended(unavailable("what was written to the store did not come"));
                }
                answer = stream.stream.message() => answer,
            };
            let stop = match answer {
                Ok(Some(answer)) => self.take(answer.0).await.err(),
                Ok(None) => Some(Stop::Ended(unavailable("etcd ended it"))),
                Err(error) => Some(Stop::Ended(Fault::of(&error).into_store_error(WATCHING))),
            };
            match stop {
                None => self.wait(),
                Some(stop) => {
                    if matches!(stop, Stop::Ended(StoreError::Unavailable { .. })) {
                        self.inner.members.leave(stream.server);
                    }
                    return stop;
                }
            }
        }
    }

    /// Something came, or was sent: there is time again for the next.
    fn wait(&mut self) {
        self.patience = Instant::now() + self.inner.members.timeout();
    }

    /// Writes a marker into the watched range: when it comes back, everything before it has come.
    fn mark(&mut self) {
        let nonce = StoreId::random();
        (self.nonce, self.marked) = (Some(nonce), true);
        let (inner, marker) = (self.inner.clone(), self.marker.clone());
        self.marking = Some(Box::pin(async move { mark(&inner, &marker, nonce).await }));
    }

    /// Takes what etcd says.
    async fn take(&mut self, answer: PbWatchResponse) -> Result<(), Stop> {
        if answer.canceled {
            return Err(self.canceled(&answer).into());
        }
        for event in answer.events {
            let at = modified(&event);
            // etcd 3.4 may tell a watch of the future what happened before.
            if at <= self.last {
                continue;
            }
            if let Some(before) = self.events.last().map(modified) {
                if at < before {
                    return Err(unavailable(format!("revision {at} came after {before}")).into());
                }
                if at > before {
                    self.deliver().await?;
                }
            }
            self.events.push(event);
        }
        // A revision of many bytes comes in parts.
        if answer.fragment { Ok(()) } else { self.deliver().await }
    }

    /// Delivers the revision that has come whole.
    async fn deliver(&mut self) -> Result<(), Stop> {
        let Some(at) = self.events.last().map(modified) else { return Ok(()) };
        let events = std::mem::take(&mut self.events);
        let marked = self.nonce.is_some_and(|nonce| {
            let nonce = nonce.0.to_be_bytes();
            let found = events.iter().filter_map(|event| event.kv.as_ref());
            found.into_iter().any(|found| found.key == self.marker && found.value == nonce)
        });
        let mut events: Box<[Event]> = events.into_iter().filter_map(|event| self.event(event)).collect();
        events.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        if !events.is_empty() {
            self.send(Delivery::Batch(Arc::new(Batch { revision: at, events }))).await?;
        }
        // A marker is the only key of its revision: where there is no room, it comes again.
        if marked {
            self.send(Delivery::Progress(at)).await?;
            self.nonce = None;
        }
        self.last = at;
        Ok(())
    }

    /// Puts it into the queue; waits a little for room.
    async fn send(&mut self, delivery: Delivery) -> Result<(), Stop> {
        match timeout(GRACE, self.queue.reserve()).await {
            Ok(Ok(room)) => room.send(Ok(delivery)),
            Ok(Err(_)) => return Err(Stop::Left),
            Err(_) => return Err(Stop::Full),
        }
        Ok(())
    }

    /// An event, if it is one of the scope.
    fn event(&self, event: PbEvent) -> Option<Event> {
        let is_deletion = event.r#type == DELETE;
        let now = event.kv?;
        let key = Key::from(self.inner.layout.key(&now.key)?);
        if is_reserved(&key) || !self.scope.contains(&key) {
            return None;
        }
        let previous = event.prev_kv.and_then(|before| self.inner.entry(before));
        let entry = if is_deletion { None } else { self.inner.entry(now) };
        Some(Event { key, entry, previous })
    }

    /// Why etcd ended the watch.
    fn canceled(&self, answer: &PbWatchResponse) -> StoreError {
        match answer.compact_revision {
            1.. => StoreError::Compacted { asked: self.last, oldest: revision(answer.compact_revision) },
            _ if answer.cancel_reason.contains("permission denied") => {
                StoreError::Failed { doing: WATCHING.into(), reason: answer.cancel_reason.clone() }
            }
            _ => unavailable(format!("etcd ended it: {}", answer.cancel_reason)),
        }
    }
}

/// What etcd calls a deletion.
const DELETE: i32 = 1;

fn modified(event: &PbEvent) -> Revision {
    revision(event.kv.as_ref().map_or(0, |now| now.mod_revision))
}

/// Writes a marker. To write it twice is no harm: it is seen twice.
async fn mark(inner: &Inner, marker: &[u8], nonce: StoreId) -> Result<(), Fault> {
    let put = |connection: Arc<Connection>| {
        let (mut kv, marker) = (connection.kv.clone(), marker.to_vec());
        async move { kv.put(marker, nonce.0.to_be_bytes(), None).await }
    };
    let pause: Duration = inner.members.timeout() / 10;
    for attempt in 1.. {
        match inner.members.ask(put).await {
            Ok(_) => break,
            Err(Fault::Lost(_) | Fault::NotDone(_)) if attempt < ATTEMPTS => tokio::time::sleep(pause).await,
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// What a marker came to, once one was written.
async fn due(marking: &mut Option<Marking>) -> Result<(), Fault> {
    match marking {
        Some(marking) => marking.await,
        None => std::future::pending().await,
    }
}
