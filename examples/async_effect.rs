//! A reconciler that drives a cloud: each `Server` gets one machine, whatever happens on the way.
//!
//! ```console
//! $ cargo run --example async_effect
//! ```
//!
//! A reconciler does no I/O. It plans *effects*: the intent is written down first, then a handler is called,
//! which may take its time; what it answers is written down, too, and seen at the next look. Here the cloud
//! is slow, refuses, and its answers get lost; the manager is killed before a call, during it, and after it
//! before the answer is written down. Each time it begins anew on what the disk holds, and calls again. The
//! cloud tells a second attempt from a second wish by the key that comes with the call, so that in the end
//! each server has had exactly one machine.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orchestra::control::kernel::Call;
use orchestra::control::{EffectPhase, EffectRequest};
use orchestra::prelude::*;
use orchestra::store::{Delivery, Page, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct ServerSpec {
    size: Str,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct ServerStatus {
    #[serde(default)]
    machine: Str,
}

impl Spec for ServerSpec {
    const KIND: Kind = Kind::namespaced("example.com/v1", "Server");
    type Status = ServerStatus;
}

type Server = Object<ServerSpec>;

const CREATE: &str = "create-machine";
const DELETE: &str = "delete-machine";

/// A server has a machine. When the server goes, the machine goes first.
fn server(server: &Server, world: &View<'_>) -> Plan {
    let create = Effect::new(CREATE, "machine").input(json!({ "size": server.spec.size }));
    let created = world.get::<EffectRequest>(&create.request_name(server.uid())).map(|it| &it.status);
    if !server.metadata.is_deleting() {
        let machine = created.and_then(|status| status.answer["machine"].as_str()).unwrap_or_default();
        return Plan::new()
            // What will undo it is promised before anything is done.
            .finalizer(server, Effect::finalizer(DELETE))
            .effect(server, create)
            .status(server, ServerStatus { machine: machine.into() });
    }
    let delete = Effect::new(DELETE, "machine").input(json!({ "made-by": create.key(server.uid()) }));
    let deleted = world.get::<EffectRequest>(&delete.request_name(server.uid())).map(|it| &it.status);
    match (created.map(|status| &status.phase), deleted.map(|status| &status.phase)) {
        // The call may be under way, and the machine come after it was deleted: that is waited for.
        (Some(EffectPhase::Pending), _) => Plan::new(),
        // There never was one, or there is none any more.
        (None, _) | (_, Some(EffectPhase::Done)) => Plan::new()
            .remove_finalizer(server, Effect::finalizer(CREATE))
            .remove_finalizer(server, Effect::finalizer(DELETE)),
        _ => Plan::new().effect(server, delete),
    }
}

/// A cloud. It outlives those who call it.
#[derive(Default)]
struct Cloud {
    state: Mutex<State>,
    /// Somebody has come to where they are to be killed.
    stopped: Notify,
}

#[derive(Default)]
struct State {
    /// By key.
    machines: BTreeMap<Str, String>,
    created: usize,
    calls: usize,
    stop: Option<(&'static str, Point)>,
    story: Vec<String>,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// It has not reached the cloud.
    Before,
    /// The cloud is at work.
    During,
    /// The cloud has done it, and nobody knows of it yet.
    After,
}

impl Cloud {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: impl Into<String>) {
        self.state().story.push(what.into());
    }

    /// Goes on, or not: whoever stops here hears nothing any more, and is killed.
    async fn pass(&self, handler: &'static str, point: Point) {
        let stops = self.state().stop.take_if(|stop| *stop == (handler, point)).is_some();
        if stops {
            self.stopped.notify_one();
            std::future::pending().await
        }
    }

    /// Calls the cloud: it is slow, it refuses one call in five, and one answer in five is lost.
    async fn call(
        &self,
        handler: &'static str,
        work: impl FnOnce(&mut State) -> Value,
    ) -> std::result::Result<Value, EffectError> {
        self.pass(handler, Point::Before).await;
        let number = {
            let mut state = self.state();
            state.calls += 1;
            state.calls
        };
        // That is how long it takes; nobody waits for anything.
        tokio::time::sleep(Duration::from_millis(3)).await;
        if number % 5 == 2 {
            self.tell(format!("cloud: {handler}: no capacity, call {number} is refused"));
            return Err(EffectError::Again("no capacity".into()));
        }
        self.pass(handler, Point::During).await;
        let answer = work(&mut self.state());
        self.pass(handler, Point::After).await;
        if number % 5 == 4 {
            self.tell(format!("cloud: {handler}: done, but the answer to call {number} is lost"));
            return Err(EffectError::Again("the connection was lost".into()));
        }
        Ok(answer)
    }

    /// Makes a machine; the one that it has made already if the key is one that it knows.
    async fn create(self: Arc<Self>, call: Call) -> std::result::Result<Value, EffectError> {
        self.call(CREATE, |state| {
            let State { machines, created, story, .. } = state;
            let machine = machines.entry(call.key.clone()).or_insert_with(|| {
                *created += 1;
                story.push(format!("cloud: machine m-{created} is made"));
                format!("m-{created}")
            });
            json!({ "machine": machine })
        })
        .await
    }

    /// Deletes what was made by a key, if it is still there.
    async fn delete(self: Arc<Self>, call: Call) -> std::result::Result<Value, EffectError> {
        let Some(key) = call.input["made-by"].as_str().map(Str::from) else {
            return Err(EffectError::Never("nobody says by which key it was made".into()));
        };
        self.call(DELETE, |state| {
            if let Some(machine) = state.machines.remove(&key) {
                state.story.push(format!("cloud: machine {machine} is deleted"));
            }
            Value::Null
        })
        .await
    }
}

/// When a manager is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// When a handler's call has come so far.
    Call(&'static str, Point),
    /// When the store has come so far.
    Revision(u64),
}

/// Who wants servers, and how far they are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// The servers are to be asked for.
    Begin,
    /// They are to have machines.
    Asked,
    /// They are deleted, and to go.
    Deleted,
    End,
}

const SERVERS: [&str; 3] = ["db", "mail", "web"];

/// What came of it all.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// How many machines were ever made.
    pub(crate) created: usize,
    /// How many are left.
    pub(crate) left: usize,
    /// How often the cloud was called.
    pub(crate) calls: usize,
    /// How many servers there were.
    pub(crate) servers: usize,
    /// How many managers were killed.
    pub(crate) killed: usize,
    /// What the store came to.
    pub(crate) revision: u64,
}

/// Servers are asked for, get machines, and go again, while managers are killed.
pub(crate) fn tell(directory: &Path, crashes: &[Crash], out: &mut impl Write) -> Result<Outcome> {
    let cloud = Arc::new(Cloud::default());
    let (mut stage, mut killed, mut revision) = (Stage::Begin, 0, 0);
    let mut lives = crashes.iter().copied();
    while stage != Stage::End {
        let crash = lives.next();
        if let Some(Crash::Call(handler, point)) = crash {
            cloud.state().stop = Some((handler, point));
        }
        // All tasks of a manager die with their runtime, wherever they are.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let is_killed = runtime.block_on(live(directory, &cloud, &mut stage, crash, &mut revision))?;
        drop(runtime);
        let mut state = cloud.state();
        state.stop = None;
        for line in state.story.drain(..) {
            writeln!(out, "{line}")?;
        }
        if is_killed {
            killed += 1;
            writeln!(out, "manager: killed ({crash:?}); another begins")?;
        }
    }
    let state = cloud.state();
    let (created, left, calls) = (state.created, state.machines.len(), state.calls);
    Ok(Outcome { created, left, calls, servers: SERVERS.len(), killed, revision })
}

/// One manager's life on a store. Whether it was killed.
async fn live(
    directory: &Path,
    cloud: &Arc<Cloud>,
    stage: &mut Stage,
    crash: Option<Crash>,
    revision: &mut u64,
) -> Result<bool> {
    let store = Arc::new(DiskStore::open(directory)?);
    let (creating, deleting) = (cloud.clone(), cloud.clone());
    let running = Manager::new(store.clone())
        .controller(Controller::new("server", server))
        .handler(CREATE, move |call| creating.clone().create(call))
        .handler(DELETE, move |call| deleting.clone().delete(call))
        .start()
        .await;
    let client = Client::new(store.clone());
    let is_killed = tokio::select! {
        // First: what is to happen by now happens before anything more.
        biased;
        killed = at(&store, cloud, crash) => killed.map(|()| true)?,
        done = wish(&client, cloud, stage) => done.map(|()| false)?,
    };
    *revision = client.revision().await?.0;
    if !is_killed {
        running.shutdown(Duration::from_secs(5)).await;
    }
    Ok(is_killed)
}

/// When a crash is due.
async fn at(store: &DiskStore, cloud: &Cloud, crash: Option<Crash>) -> Result<()> {
    match crash {
        None => std::future::pending().await,
        Some(Crash::Call(..)) => {
            cloud.stopped.notified().await;
            Ok(())
        }
        Some(Crash::Revision(wanted)) => {
            let now = store.list(&Scope::nothing(), Page::first().limit(1)).await?.revision;
            let mut watch = store.watch(&Scope::all(), now).await?;
            let mut seen = now;
            while seen.0 < wanted {
                if let Delivery::Batch(batch) = watch.next().await? {
                    seen = batch.revision;
                }
            }
            Ok(())
        }
    }
}

/// What the user does: goes on where they were.
async fn wish(client: &Client, cloud: &Cloud, stage: &mut Stage) -> Result<()> {
    if *stage == Stage::Begin {
        for name in SERVERS {
            client.apply(Server::new(name).spec(ServerSpec { size: "small".into() })).await?;
        }
        cloud.tell(format!("user: wants {}", SERVERS.join(", ")));
        *stage = Stage::Asked;
    }
    if *stage == Stage::Asked {
        let servers = until(client, |servers| servers.iter().all(|it| !it.status.machine.is_empty())).await?;
        for server in &servers {
            cloud.tell(format!("user: {} has machine {}", server.name(), server.status.machine));
            client.delete::<Server>("", server.name(), Delete::default()).await?;
        }
        cloud.tell("user: deletes them all");
        *stage = Stage::Deleted;
    }
    until(client, <[Server]>::is_empty).await?;
    cloud.tell("user: all are gone");
    *stage = Stage::End;
    Ok(())
}

/// Waits until something holds of the servers, for a minute at most.
async fn until(client: &Client, holds: impl Fn(&[Server]) -> bool) -> Result<Vec<Server>> {
    limited(async {
        loop {
            let list = client.list::<Server>(&Query::all()).await?;
            let revision = list.revision;
            let servers = list.complete()?;
            if holds(&servers) {
                return Ok(servers);
            }
            client.watch::<Server>(&Query::all(), revision).await?.next().await?;
        }
    })
    .await
}

async fn limited<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(60), work).await?
}

fn main() -> ExitCode {
    let directory = std::env::temp_dir().join(format!("orchestra-async-effect-{}", std::process::id()));
    let crashes = [
        Crash::Revision(6),
        Crash::Call(CREATE, Point::Before),
        Crash::Call(CREATE, Point::During),
        Crash::Call(CREATE, Point::After),
        Crash::Call(DELETE, Point::After),
    ];
    let told = tell(&directory, &crashes, &mut std::io::stdout().lock());
    // What is left of it is of no use to anybody.
    let _ = std::fs::remove_dir_all(&directory);
    match told {
        Ok(Outcome { created, left, calls, servers, .. }) => {
            println!("the cloud was called {calls} times; {left} machines are left");
            println!("machines created: {created} for {servers} servers");
            if created == servers && left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
