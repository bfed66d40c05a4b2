//! A watcher that stands still costs nothing: whatever is written meanwhile, memory stays bounded, and
//! the watcher is told to list again rather than shown a gap.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../benches/harness/alloc.rs"]
mod alloc;

use orchestra::store::{Delivery, MemoryStore, Revision, Scope, Store, StoreError, Txn, Watch};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

const WATCHERS: usize = 1_000;
const EVENTS: usize = 1_000_000;
const KEYS: usize = 1_000;

/// Many of one scope, many of scopes within one another, many of a single key.
fn scope(number: usize) -> Scope {
    match number % 4 {
        0 | 1 => Scope::prefix("jobs/"),
        2 => Scope::prefix(format!("jobs/{}", number % 10)),
        _ => Scope::key(format!("jobs/{:03}", number % KEYS)),
    }
}

#[test]
fn a_thousand_stalled_watchers_and_a_million_events() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = MemoryStore::new();
        let value = [7; 1024];
        for number in 0..KEYS {
            store.commit(Txn::new().put(format!("jobs/{number:03}"), value.as_slice())).await.unwrap();
        }
        let mut watches: Vec<Watch> = Vec::new();
        for number in 0..WATCHERS {
            watches.push(store.watch(&scope(number), Revision(KEYS as u64)).await.unwrap());
        }
        // Each has looked once, and waits; then nobody looks any more.
        for watch in &mut watches {
            watch.request_progress();
            while !matches!(watch.next().await.unwrap(), Delivery::Progress(_)) {}
            let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(watch.poll_next(cx).is_pending()));
            assert!(pending.await);
        }

        let (mut peak, before) = (0, alloc::live());
        for number in 0..EVENTS {
            let key = format!("jobs/{:03}", number % KEYS);
            store.commit(Txn::new().put(key, value.as_slice())).await.unwrap();
            if number % 1_000 == 0 {
                peak = peak.max(alloc::live().saturating_sub(before));
            }
        }
        peak = peak.max(alloc::live().saturating_sub(before));
        println!("{EVENTS} events, {WATCHERS} stalled watchers: {} KiB more", peak >> 10);
        assert!(peak <= 64 << 20, "{peak} bytes");

        for (number, watch) in watches.iter_mut().enumerate() {
            let told = watch.next().await;
            assert!(matches!(told, Err(StoreError::Compacted { .. })), "watcher {number}: {told:?}");
            // And it is over.
            assert_eq!(watch.next().await, told);
        }
    });
}
