//! The example `async_effect`: wherever its manager is killed, each server has had exactly one machine.
#![allow(clippy::unwrap_used, missing_docs)]

#[allow(dead_code)] // its `main`
#[path = "../examples/async_effect.rs"]
mod example;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use example::{Crash, Outcome, Point, tell};

static MADE: AtomicUsize = AtomicUsize::new(0);

/// Tells the story in a directory of its own, and sees that it ends well.
fn told(crashes: &[Crash]) -> Outcome {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("async-effect-{}-{number}", std::process::id());
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut story = Vec::new();
    let outcome = tell(&directory, crashes, &mut story).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let story = String::from_utf8(story).unwrap();
    assert_eq!((outcome.created, outcome.left), (outcome.servers, 0), "{crashes:?}\n{story}");
    outcome
}

#[test]
fn a_call_is_cut_off_anywhere() {
    for handler in ["create-machine", "delete-machine"] {
        for point in [Point::Before, Point::During, Point::After] {
            assert_eq!(told(&[Crash::Call(handler, point)]).killed, 1, "{handler} {point:?}");
        }
    }
}

#[test]
fn calls_are_cut_off_again_and_again() {
    let (create, delete) = ("create-machine", "delete-machine");
    let crashes = [create, create, delete, delete].map(|handler| Crash::Call(handler, Point::After));
    assert_eq!(told(&crashes).killed, 4);
}

#[test]
fn it_is_killed_after_any_commit() {
    let whole = told(&[]);
    // Without a crash there is a call for each machine and each end, and some that failed.
    assert!(whole.calls > 2 * whole.servers, "{whole:?}");
    // All at once: most of the time they wait to call again.
    let killed: Vec<usize> = std::thread::scope(|threads| {
        let crashes = (1..whole.revision).map(Crash::Revision);
        let lives: Vec<_> = crashes.map(|crash| threads.spawn(move || told(&[crash]).killed)).collect();
        lives.into_iter().map(|life| life.join().unwrap()).collect()
    });
    assert!(killed.iter().all(|killed| *killed == 1), "{killed:?}");
}
