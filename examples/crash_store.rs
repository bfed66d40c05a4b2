//! Kills a process that writes to a [`DiskStore`], again and again, and looks for what is lost.
//!
//! ```console
//! $ cargo run --release --example crash_store -- --rounds 500 --seed 1
//! ```
//!
//! In each round a writer process is killed (`kill -9`) at a random instant. In a share of the rounds
//! one that only recovers is killed too, before the store is opened and checked: whatever was
//! acknowledged must be there, and no transaction may be there in part. (A killed process loses no page
//! cache. Losses of power are simulated, call by call, in the tests of `orchestra-core`.)
#![allow(clippy::disallowed_methods)] // to kill at a random instant is to wait for it

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestra::store::{DiskStore, Key, Revision, Store, StoreError, Txn};

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// So many tasks write at the same time: their transactions go into the journal in groups.
const WRITERS: usize = 8;

fn main() -> ExitCode {
    let done = match Arguments::parse() {
        Ok(Arguments::Parent { rounds, seed, directory }) => supervise(rounds, seed, directory),
        Ok(Arguments::Write { directory, seed }) => write(&directory, seed).map(|()| ExitCode::SUCCESS),
        Ok(Arguments::Recover { directory }) => recover(&directory).map(|()| ExitCode::SUCCESS),
        Err(reason) => {
            eprintln!("{reason}\nusage: crash_store [--rounds N] [--seed N] [--directory PATH]");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

enum Arguments {
    Parent { rounds: u64, seed: u64, directory: Option<PathBuf> },
    Write { directory: PathBuf, seed: u64 },
    Recover { directory: PathBuf },
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let (mut rounds, mut seed, mut directory, mut role) = (100, 1, None, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(flag) = arguments.next() {
            if flag == "--help" {
                return Err("kills a process that writes to a store, and looks for what is lost".into());
            }
            let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{flag} {value}: a number is needed"));
            match flag.as_str() {
                "--rounds" => rounds = number()?,
                "--seed" => seed = number()?,
                "--directory" => directory = Some(PathBuf::from(value)),
                "--role" => role = Some(value),
                _ => return Err(format!("unknown flag {flag}")),
            }
        }
        match (role.as_deref(), directory) {
            (None, directory) => Ok(Self::Parent { rounds, seed, directory }),
            (Some("write"), Some(directory)) => Ok(Self::Write { directory, seed }),
            (Some("recover"), Some(directory)) => Ok(Self::Recover { directory }),
            (Some(role), _) => Err(format!("--role {role}: for the example's own use")),
        }
    }
}

/// What a writer has acknowledged, and when.
type Acknowledged = [Option<(u64, Revision)>; WRITERS];

#[derive(Default)]
struct Figures {
    acknowledged: u64,
    lost: u64,
    torn: u64,
    killed_writing: u64,
    killed_recovering: u64,
    snapshots: u64,
    failed: Vec<u64>,
}

fn supervise(rounds: u64, seed: u64, directory: Option<PathBuf>) -> Result<ExitCode> {
    let directory = directory
        .unwrap_or_else(|| PathBuf::from("target").join(format!("crash-store-{}", std::process::id())));
    let mut figures = Figures::default();
    let mut expected: Acknowledged = [None; WRITERS];
    // What an earlier run has left there is expected too.
    std::fs::create_dir_all(&directory)?;
    check(&directory, &mut expected, &mut Figures::default())?;
    let first_snapshot = latest_snapshot(&directory);
    for round in 0..rounds {
        let mut random = Random(seed + round);
        let before: u64 = expected.iter().flatten().map(|(number, _)| number).sum();
        // Most writers are well under way when they are killed, some are just opening the store.
        let after = if random.below(4) == 0 { random.below(3_000) } else { random.below(80_000) };
        let (killed, acknowledged) = run_writer(&directory, seed + round, Duration::from_micros(after))?;
        figures.killed_writing += u64::from(killed);
        for (expected, acknowledged) in expected.iter_mut().zip(acknowledged) {
            *expected = acknowledged.or(*expected);
        }
        for _ in 0..random.below(3) {
            let mut child = spawn(&directory, "recover", seed + round)?;
            std::thread::sleep(Duration::from_micros(random.below(4_000)));
            figures.killed_recovering += u64::from(kill(&mut child)?);
        }
        figures.acknowledged += expected.iter().flatten().map(|(number, _)| number).sum::<u64>() - before;
        figures.snapshots = latest_snapshot(&directory) - first_snapshot;
        if !check(&directory, &mut expected, &mut figures)? {
            figures.failed.push(seed + round);
        }
    }
    println!("rounds                {rounds:>10}");
    println!("killed while writing  {:>10}", figures.killed_writing);
    println!("killed in recovery    {:>10}", figures.killed_recovering);
    println!("snapshots             {:>10}", figures.snapshots);
    println!("acknowledged commits  {:>10}", figures.acknowledged);
    println!("lost                  {:>10}", figures.lost);
    println!("torn                  {:>10}", figures.torn);
    if figures.failed.is_empty() {
        std::fs::remove_dir_all(&directory)?;
        return Ok(ExitCode::SUCCESS);
    }
    for seed in figures.failed {
        println!("FAILED with seed {seed}: try --rounds 50 --seed {seed}");
    }
    println!("what is left of the store is in {}", directory.display());
    Ok(ExitCode::FAILURE)
}

/// Runs a writer, kills it, and answers with what it had acknowledged by then.
fn run_writer(directory: &Path, seed: u64, after: Duration) -> Result<(bool, Acknowledged)> {
    let mut child = spawn(directory, "write", seed)?;
    let output = child.stdout.take().ok_or("the writer has no output")?;
    let reader = std::thread::spawn(move || {
        let mut acknowledged: Acknowledged = [None; WRITERS];
        for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
            let mut numbers = line.split(' ').filter_map(|word| word.parse::<u64>().ok());
            // A line that was cut off by the kill is not counted: it ends with a full stop.
            if let (Some(writer), Some(number), Some(revision), true) =
                (numbers.next(), numbers.next(), numbers.next(), line.ends_with(" ."))
            {
                acknowledged[writer as usize] = Some((number, Revision(revision)));
            }
        }
        acknowledged
    });
    std::thread::sleep(after);
    let killed = kill(&mut child)?;
    let acknowledged = reader.join().map_err(|_| "the reader panicked")?;
    Ok((killed, acknowledged))
}

fn spawn(directory: &Path, role: &str, seed: u64) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--role").arg(role).arg("--directory").arg(directory).arg("--seed").arg(seed.to_string());
    Ok(command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?)
}

/// Kills a process, and says whether it was still running. One that failed by itself is an error.
fn kill(child: &mut Child) -> Result<bool> {
    child.kill()?;
    let status = child.wait()?;
    match status.code() {
        None => Ok(true),
        Some(0) => Ok(false),
        Some(code) => Err(format!("a process failed by itself with code {code}").into()),
    }
}

/// Opens the store and compares it with what was acknowledged. From here on, what is there is expected.
fn check(directory: &Path, expected: &mut Acknowledged, figures: &mut Figures) -> Result<bool> {
    runtime()?.block_on(async {
        let store = DiskStore::open(directory)?;
        let (lost, torn) = (figures.lost, figures.torn);
        for (writer, expected) in expected.iter_mut().enumerate() {
            let first = read(&store, writer, "first").await?;
            let second = read(&store, writer, "second").await?;
            figures.torn += u64::from(first != second);
            let (found, at) = first.unwrap_or((0, Revision(0)));
            let (acknowledged, revision) = expected.unwrap_or((0, Revision(0)));
            // The one that was under way may be there too, whole.
            let is_there = found == acknowledged && at == revision || found == acknowledged + 1;
            figures.lost += u64::from(!is_there);
            *expected = first;
        }
        store.close().await;
        Ok((lost, torn) == (figures.lost, figures.torn))
    })
}

fn key(writer: usize, name: &str) -> Key {
    Key::from(format!("writer/{writer}/{name}"))
}

/// The number of the transaction that wrote a key last, and its revision.
async fn read(store: &DiskStore, writer: usize, name: &str) -> Result<Option<(u64, Revision)>> {
    let Some(entry) = store.get(&key(writer, name)).await? else { return Ok(None) };
    let (number, filling) = entry.value.split_first_chunk().ok_or("a value is cut off")?;
    if filling.iter().any(|byte| *byte != writer as u8) {
        return Err(format!("{}: the value is damaged", entry.key).into());
    }
    Ok(Some((u64::from_le_bytes(*number), entry.modified)))
}

fn recover(directory: &Path) -> Result<()> {
    match DiskStore::open(directory) {
        // The lock of a process that was killed is gone when the process is; ask it no sooner.
        Ok(_) | Err(StoreError::Locked { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes until it is killed: each transaction two keys that must never differ, a third now and then,
/// and each acknowledged one is printed.
fn write(directory: &Path, seed: u64) -> Result<()> {
    runtime()?.block_on(async {
        // Snapshots all the time: that is when there is most to go wrong.
        let store = DiskStore::options().snapshot_after(128 << 10).open(directory)?;
        let output = Arc::new(Mutex::new(std::io::stdout()));
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (store, output) = (store.clone(), output.clone());
            tasks.spawn(async move {
                let mut random = Random(seed.wrapping_mul(31).wrapping_add(writer as u64));
                let mut last = read(&store, writer, "first").await?;
                loop {
                    let number = last.map_or(0, |(number, _)| number) + 1;
                    let mut value = number.to_le_bytes().to_vec();
                    value.resize(8 + random.below(2_000) as usize, writer as u8);
                    let (first, second) = (key(writer, "first"), key(writer, "second"));
                    let txn = match last {
                        Some((_, at)) => Txn::new().put_at(first, at, value.clone()),
                        None => Txn::new().put_new(first, value.clone()),
                    };
                    let third = key(writer, &format!("third-{}", random.below(20)));
                    let txn = match random.below(4) {
                        0 => txn.put(third, value.clone()),
                        1 => txn.delete(third),
                        _ => txn,
                    };
                    let at = store.commit(txn.put(second, value)).await?;
                    last = Some((number, at));
                    let mut output = output.lock().map_err(|_| "another task panicked")?;
                    writeln!(output, "{writer} {number} {at} .")?;
                    output.flush()?;
                }
            });
        }
        // None of them ends by itself.
        let ended: Option<std::result::Result<Result<()>, _>> = tasks.join_next().await;
        ended.ok_or("there are no writers")??
    })
}

/// The number of the last snapshot: how many were taken, or a little more.
fn latest_snapshot(directory: &Path) -> u64 {
    let names = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let number = |name: String| u64::from_str_radix(name.strip_prefix("snapshot-")?, 16).ok();
    names.filter_map(|entry| number(entry.file_name().into_string().ok()?)).max().unwrap_or(0)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Numbers that look random (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
