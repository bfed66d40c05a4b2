//! etcds for tests: started on free ports of the loopback, killed, paused, started again, and gone when the test
//! is, however it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use orchestra_core::store::EtcdStore;

/// Whether etcd can be started. When it cannot, that is said aloud; or it is a failure, where
/// `ORCHESTRA_REQUIRE` has `etcd`.
pub(crate) fn is_there() -> bool {
    let output = Command::new("etcd").arg("--version").output();
    let there = output.is_ok_and(|output| output.status.success());
    if !there {
        let required = std::env::var("ORCHESTRA_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|part| part.trim() == "etcd"), "etcd is required and not installed");
        static SAID: Once = Once::new();
        // Not by a macro, whose output is shown when a test fails only.
        SAID.call_once(|| {
            let _ =
                writeln!(std::io::stderr(), "SKIPPED: all tests on etcd (Debian: apt install etcd-server)");
        });
    }
    there
}

/// How the members of a cluster time their elections, in milliseconds.
#[derive(Clone, Copy)]
pub(crate) enum Elections {
    /// Not because a busy machine makes one late.
    Rare,
    /// As soon as may be.
    Quick,
}

/// Some members, in a directory.
pub(crate) struct Cluster {
    members: Vec<Member>,
    directory: PathBuf,
    scheme: &'static str,
}

struct Member {
    arguments: Vec<String>,
    port: u16,
    running: Option<Running>,
}

/// An etcd, and the shell that kills it when we end: it reads from a pipe of which we have the other end.
struct Running {
    shell: Child,
    etcd: String,
}

/// Starts etcd and says its number; kills it as soon as there is a line or nobody who could write one.
const KEEPER: &str = r#"
    log=$1; shift
    etcd "$@" >>"$log" 2>&1 </dev/null &
    echo $!
    read -r line
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
    [ "$line" = keep ] || rm -rf "${log%/*}"
"#;

impl Cluster {
    /// Starts so many members, with more arguments each, and waits until they answer.
    pub(crate) async fn start(size: usize, elections: Elections) -> Self {
        let mut cluster = Self::prepare(size, elections, "http", &[]);
        cluster.start_all();
        cluster.ready().await;
        cluster
    }

    /// Members that are not started yet.
    pub(crate) fn prepare(size: usize, elections: Elections, scheme: &'static str, more: &[&str]) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("etcd-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&name);
        std::fs::create_dir_all(&directory).unwrap();
        let ports: Vec<[u16; 2]> = (0..size).map(|_| [free_port(), free_port()]).collect();
        let peers: Vec<String> = (ports.iter().enumerate())
            .map(|(number, [_, peer])| format!("m{number}=http://127.0.0.1:{peer}"))
            .collect();
        let (heartbeat, election) = match elections {
            Elections::Rare if size > 1 => (150, 1500),
            // Who is alone never loses an election, but waits for it.
            Elections::Rare | Elections::Quick => (50, 500),
        };
        let members = ports.iter().enumerate().map(|(number, [port, peer])| {
            let mut arguments = vec![
                format!("--name=m{number}"),
                format!("--data-dir={}", directory.join(format!("m{number}")).display()),
                format!("--listen-client-urls={scheme}://127.0.0.1:{port}"),
                format!("--advertise-client-urls={scheme}://127.0.0.1:{port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
                format!("--initial-cluster={}", peers.join(",")),
                format!("--initial-cluster-token={name}"),
                format!("--heartbeat-interval={heartbeat}"),
                format!("--election-timeout={election}"),
                "--logger=zap".into(),
                "--log-outputs=stderr".into(),
                "--log-level=warn".into(),
            ];
            arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
            Member { arguments, port: *port, running: None }
        });
        Self { members: members.collect(), directory, scheme }
    }

    /// Has all members started with more arguments.
    pub(crate) fn add_arguments(&mut self, more: &[String]) {
        for member in &mut self.members {
            member.arguments.extend_from_slice(more);
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn size(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn endpoint(&self, number: usize) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.members[number].port)
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        (0..self.size()).map(|number| self.endpoint(number)).collect()
    }

    pub(crate) fn start_all(&mut self) {
        for number in 0..self.size() {
            self.start_member(number);
        }
    }

    /// Starts a member, on what it had when it was killed.
    pub(crate) fn start_member(&mut self, number: usize) {
        let log = self.directory.join("log");
        let member = &mut self.members[number];
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(log)
            .args(&member.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut etcd = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut etcd).unwrap();
        member.running = Some(Running { shell, etcd: etcd.trim().to_owned() });
    }

    /// Kills a member (`kill -9`); what it has on disk stays.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(mut running) = self.members[number].running.take() {
            writeln!(running.shell.stdin.take().unwrap(), "keep").unwrap();
            running.shell.wait().unwrap();
        }
    }

    /// Stops a member without a word, or has it go on.
    pub(crate) fn pause(&self, number: usize, paused: bool) {
        let signal = if paused { "-STOP" } else { "-CONT" };
        let etcd = &self.members[number].running.as_ref().unwrap().etcd;
        assert!(Command::new("kill").args([signal, etcd]).status().unwrap().success());
    }

    /// Waits until every member that runs answers, as one of a majority.
    pub(crate) async fn ready(&self) {
        for number in 0..self.size() {
            if self.members[number].running.is_some() {
                self.answers(number).await;
            }
        }
    }

    /// Waits until a member answers.
    pub(crate) async fn answers(&self, number: usize) {
        let endpoint = self.endpoint(number);
        until(&format!("{endpoint} answers"), || {
            let open =
                EtcdStore::options([&endpoint]).prefix("ready/").timeout(Duration::from_secs(1)).open();
            async { open.await.ok() }
        })
        .await;
    }

    /// The member that leads, as soon as one does.
    pub(crate) async fn leader(&self) -> usize {
        until("there is a leader", || async {
            for number in 0..self.size() {
                if self.members[number].running.is_none() {
                    continue;
                }
                let options = etcd_client::ConnectOptions::new().with_timeout(Duration::from_secs(1));
                let client = etcd_client::Client::connect([self.endpoint(number)], Some(options)).await;
                let Ok(status) = client.unwrap().status().await else { continue };
                if status.leader() == status.header().unwrap().member_id() {
                    return Some(number);
                }
            }
            None
        })
        .await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(mut running) = member.running.take() {
                drop(running.shell.stdin.take());
                let _ = running.shell.wait();
            }
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Waits for something, up to a minute.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let waiting = async {
        loop {
            match look().await {
                Some(found) => return found,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    found.unwrap_or_else(|_| panic!("waited a minute until {what}"))
}

/// A port that nobody listens on. It is below those that connections get by themselves, lest one takes it while
/// a member is down.
fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    loop {
        let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + number % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Clusters that cases use one after another. None is used by two at once: a compaction is of a whole etcd.
///
/// They are killed when the process ends, which is when their pipes are closed.
pub(crate) struct Pool {
    size: usize,
    idle: Mutex<Vec<Cluster>>,
}

impl Pool {
    pub(crate) const fn new(size: usize) -> Self {
        Self { size, idle: Mutex::new(Vec::new()) }
    }

    /// A cluster that nobody else uses.
    pub(crate) async fn take(&'static self) -> Lease {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let cluster = match idle {
            Some(cluster) => cluster,
            None => Cluster::start(self.size, Elections::Rare).await,
        };
        Lease { cluster: Some(cluster), pool: self }
    }
}

/// A cluster of a pool, and back to it when the case is done; unless it failed.
pub(crate) struct Lease {
    cluster: Option<Cluster>,
    pool: &'static Pool,
}

impl std::ops::Deref for Lease {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Cluster {
        self.cluster.as_mut().unwrap()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(cluster) = self.cluster.take()
            && !std::thread::panicking()
        {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(cluster);
        }
    }
}
