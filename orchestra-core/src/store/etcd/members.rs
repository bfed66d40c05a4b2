//! [`Members`]: the servers of an etcd, of which one is asked until it fails.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, GetOptions, KvClient, WatchClient, WatchOptions, WatchStream};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::errors::Fault;
use super::options::EtcdOptions;

/// The servers. One is asked as long as it answers; then the next.
///
/// A client that spreads requests over all (as etcd's does) has a share of them fail for as long as one
/// server is down, and of these the commits are of unknown fate.
pub(super) struct Members {
    members: Vec<Member>,
    /// Which is asked.
    current: AtomicUsize,
    options: ConnectOptions,
    has_user: bool,
    timeout: Duration,
}

struct Member {
    endpoint: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// A server to talk to.
pub(super) struct Connection {
    number: usize,
    pub(super) kv: KvClient,
    pub(super) client: Client,
    watch: WatchClient,
    /// What asks for a new token for watches, if there is a password: a watch that is begun with one that has
    /// expired is told that it is not allowed, once and for all.
    refresh: Option<KvClient>,
}

/// What is sent may be lost, or must not be repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// A read: it can be asked as often as one likes.
    Always,
    /// A commit: only when it certainly had no effect.
    WhenNotDone,
}

/// How long a message may be: a revision with what stood there before is 3 MiB, unless etcd takes more than
/// it does as it comes. A page that is longer is asked for in parts.
const LONGEST_MESSAGE: usize = 64 << 20;

impl Members {
    pub(super) fn new(options: &EtcdOptions) -> Self {
        let member = |endpoint: &String| Member { endpoint: endpoint.clone(), connection: Mutex::new(None) };
        Self {
            members: options.endpoints.iter().map(member).collect(),
            current: AtomicUsize::new(0),
            options: options.connect_options(),
            has_user: options.user.is_some(),
            timeout: options.timeout,
        }
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks something that has no effect, or the same effect however often it is asked: of each server, until
    /// one answers.
    pub(super) async fn ask<T, F>(&self, request: impl Fn(Arc<Connection>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        self.send(Again::Always, request).await
    }

    /// Asks for something to be done once. It is sent again only when it certainly was not done.
    pub(super) async fn ask_once<T, F>(&self, request: impl Fn(Arc<Connection>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        self.send(Again::WhenNotDone, request).await
    }

    async fn send<T, F>(&self, again: Again, request: impl Fn(Arc<Connection>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        // Each once, and the first once more: its connection may have been an old one.
        let attempts = self.members.len() + 1;
        let end = Instant::now() + self.timeout;
        // Some of the time is left for the others, where to ask them is no harm.
        let share = self.timeout / u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let mut fault = Fault::NotDone("nobody was asked".into());
        for _ in 0..attempts {
            let begun = Instant::now();
            if begun >= end {
                break;
            }
            let patience = if again == Again::Always { end.min(begun + share) } else { end };
            let number = self.current.load(Ordering::Relaxed);
            let connection = match timeout_at(end.min(begun + share), self.connection(number)).await {
                Ok(Ok(connection)) => connection,
                // Nothing was sent yet.
                Ok(Err(refused @ (Fault::Refused(_) | Fault::Corrupt(_)))) => return Err(refused),
                Ok(Err(Fault::Lost(reason) | Fault::NotDone(reason))) => {
                    fault = Fault::NotDone(reason);
                    self.leave(number);
                    continue;
                }
                Ok(Err(_)) => {
                    fault = Fault::NotDone("no token was given".into());
                    self.leave(number);
                    continue;
                }
                Err(_) => {
                    fault = Fault::NotDone(format!("no connection in {} ms", share.as_millis()));
                    self.leave(number);
                    continue;
                }
            };
            fault = match timeout_at(patience, request(connection)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => Fault::of(&error),
                Err(_) => Fault::Lost(format!("no answer in {} ms", begun.elapsed().as_millis())),
            };
            match &fault {
                Fault::NotDone(_) => self.leave(number),
                Fault::StaleToken => self.forget(number).await,
                Fault::Lost(_) => {
                    self.leave(number);
                    if again == Again::WhenNotDone {
                        return Err(fault);
                    }
                }
                _ => return Err(fault),
            }
        }
        Err(fault)
    }

    /// Asks the next one from now on, unless somebody was here before.
    pub(super) fn leave(&self, number: usize) {
        let next = (number + 1) % self.members.len();
        let _ = self.current.compare_exchange(number, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Connects anew, and with a new token.
    async fn forget(&self, number: usize) {
        if let Some(member) = self.members.get(number) {
            *member.connection.lock().await = None;
        }
    }

    async fn connection(&self, number: usize) -> Result<Arc<Connection>, Fault> {
        let Some(member) = self.members.get(number) else {
            return Err(Fault::NotDone("there is no such server".into()));
        };
        let mut connection = member.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        // This asks for a token, if there is a password; and connects when something is asked.
        let connect = || async {
            let client = Client::connect([&member.endpoint], Some(self.options.clone())).await;
            client.map_err(|error| Fault::of(&error).at(&member.endpoint))
        };
        // Two: what watches leave unread must not hold up answers.
        let (client, watching) = (connect().await?, connect().await?);
        let made = Arc::new(Connection {
            number,
            kv: client.kv_client().max_decoding_message_size(LONGEST_MESSAGE),
            watch: watching.watch_client().max_decoding_message_size(LONGEST_MESSAGE),
            client,
            refresh: self.has_user.then(|| watching.kv_client()),
        });
        *connection = Some(made.clone());
        Ok(made)
    }
}

impl Connection {
    /// Which server it is.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// Watches some keys.
    pub(super) async fn watch(
        &self,
        start: Vec<u8>,
        options: WatchOptions,
    ) -> Result<WatchStream, etcd_client::Error> {
        if let Some(mut kv) = self.refresh.clone() {
            // A request whose token has expired is refused, and sent again with a new one.
            kv.get(&*start, Some(GetOptions::new().with_count_only())).await?;
        }
        self.watch.clone().watch(start, Some(options)).await
    }
}
