//! What the benchmarks share: cases by name, medians, a table, and the same as JSON.
//!
//! `cargo bench --bench NAME` prints the table and writes `target/bench/NAME.json`; `-- --quick`
//! takes under a minute, `-- CASE` runs the cases whose names begin so.
#![allow(dead_code)] // each benchmark uses its part
#![allow(clippy::disallowed_methods)] // measuring is what clocks are for

pub(crate) mod alloc;
pub(crate) mod plot;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

/// A benchmark's cases and what they gave.
pub(crate) struct Bench {
    name: &'static str,
    filter: Vec<String>,
    quick: bool,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    case: String,
    /// The median of the runs.
    value: f64,
    unit: &'static str,
    runs: usize,
    min: f64,
    max: f64,
}

impl Bench {
    /// Reads the command line.
    pub(crate) fn from_args(name: &'static str) -> Self {
        // Cargo adds `--bench`.
        let (flags, filter): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
        if let Some(unknown) = flags.iter().find(|flag| !matches!(flag.as_str(), "--bench" | "--quick")) {
            eprintln!("unknown flag {unknown}; there are: --quick, and the beginnings of cases");
            std::process::exit(2);
        }
        let quick = flags.iter().any(|flag| flag == "--quick");
        Self { name, filter, quick, rows: Vec::new() }
    }

    /// Whether the case was asked for.
    pub(crate) fn wants(&self, case: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|prefix| case.starts_with(prefix.as_str()))
    }

    /// Whether some cases were asked for by name, and not all.
    pub(crate) fn is_picked(&self) -> bool {
        !self.filter.is_empty()
    }

    pub(crate) const fn is_quick(&self) -> bool {
        self.quick
    }

    /// How often per second each of several pieces of work can be done. Their runs alternate, so
    /// that whatever else the machine does befalls all of them alike.
    pub(crate) fn rates(&mut self, cases: &mut [(&str, &mut dyn FnMut())]) {
        let (runs, length) =
            if self.quick { (3, Duration::from_millis(100)) } else { (11, Duration::from_millis(300)) };
        let mut samples: Vec<Vec<f64>> = cases.iter().map(|_| Vec::new()).collect();
        for round in 0..=runs {
            for ((case, work), samples) in cases.iter_mut().zip(&mut samples) {
                if !self.wants(case) {
                    continue;
                }
                let (start, mut done) = (Instant::now(), 0_u32);
                while start.elapsed() < length {
                    for _ in 0..64 {
                        work();
                    }
                    done += 64;
                }
                // The first round warms the caches.
                if round > 0 {
                    samples.push(f64::from(done) / start.elapsed().as_secs_f64());
                }
            }
        }
        for ((case, _), samples) in cases.iter().zip(samples) {
            self.record(case, "1/s", samples);
        }
    }

    /// Records what a case gave in its runs.
    pub(crate) fn record(&mut self, case: &str, unit: &'static str, mut samples: Vec<f64>) {
        if samples.is_empty() {
            return;
        }
        samples.sort_by(f64::total_cmp);
        let (runs, middle) = (samples.len(), samples.len() / 2);
        let value =
            if runs % 2 == 1 { samples[middle] } else { f64::midpoint(samples[middle - 1], samples[middle]) };
        self.rows.push(Row { case: case.into(), value, unit, runs, min: samples[0], max: samples[runs - 1] });
    }

    /// The median of a case that ran.
    pub(crate) fn value(&self, case: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.case == case).map(|row| row.value)
    }

    /// Prints how many times the first case's value is the second's, if both ran.
    pub(crate) fn ratio(&self, what: &str, case: &str, peer: &str) {
        if let (Some(value), Some(peer)) = (self.value(case), self.value(peer)) {
            println!("{what}: {:.2}", value / peer);
        }
    }

    /// Writes a plot beside the table, `target/bench/NAME-WHAT.svg`.
    pub(crate) fn plot(&self, what: &str, plot: &plot::Plot) -> std::io::Result<()> {
        let Some(svg) = plot.svg() else { return Ok(()) };
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        std::fs::create_dir_all(target.join("bench"))?;
        let path = target.join("bench").join(format!("{}-{what}.svg", self.name));
        std::fs::write(&path, svg)?;
        println!("written to {}", path.display());
        Ok(())
    }

    /// Prints the table and writes it.
    pub(crate) fn finish(&self) -> std::io::Result<()> {
        let wide = self.rows.iter().map(|row| row.case.len()).max().unwrap_or(0).max(32);
        println!(
            "{:<wide$} {:>14} {:>6} {:>14} {:>14} {:>5}",
            "case", "median", "unit", "min", "max", "runs"
        );
        for Row { case, value, unit, runs, min, max } in &self.rows {
            // Milliseconds are small.
            let places = if value.abs() < 10.0 { 3 } else { 1 };
            println!(
                "{case:<wide$} {value:>14.places$} {unit:>6} {min:>14.places$} {max:>14.places$} {runs:>5}"
            );
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let path = target.join("bench").join(self.name).with_extension("json");
        std::fs::create_dir_all(target.join("bench"))?;
        std::fs::write(&path, serde_json::to_string_pretty(&self.rows)?)?;
        println!("written to {}", path.display());
        Ok(())
    }
}

/// How long this thread has been on a processor, as Linux tells; what others do meanwhile is no part of it. It
/// is told some milliseconds late: sums of many intervals are right, single short ones are not.
pub(crate) fn on_processor() -> Option<Duration> {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(said.split(' ').next()?.parse().ok()?))
}

/// Of sorted samples.
pub(crate) fn percentile(samples: &[f64], percent: f64) -> f64 {
    let at = (samples.len() as f64 * percent / 100.0) as usize;
    samples.get(at.min(samples.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// Numbers that look random (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Directories for stores, removed at the end. They are beside the build, since `/tmp` may be memory.
pub(crate) struct Directory {
    root: PathBuf,
    made: AtomicUsize,
}

impl Directory {
    pub(crate) fn new(name: &str) -> std::io::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let root = target.join("bench").join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root)?;
        Ok(Self { root, made: AtomicUsize::new(0) })
    }

    pub(crate) fn fresh(&self) -> PathBuf {
        self.root.join(self.made.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}
