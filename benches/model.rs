//! Objects: how fast a typical Pod is read and written, and how much memory it takes, beside
//! `k8s-openapi` on the same bytes.
//!
//! `cargo bench --bench model`

mod harness;

use std::hint::black_box;

use harness::{Bench, alloc};
use k8s_openapi::api::core::v1::Pod as TheirPod;
use orchestra::kinds::Pod;
use orchestra::object::Resource;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// A Pod as `kubectl get pod -o json` shows it.
const POD: &[u8] = include_bytes!("data/pod.json");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut bench = Bench::from_args("model");
    let ours = Pod::from_json(POD)?;
    let theirs: TheirPod = serde_json::from_slice(POD)?;

    bench.rates(&mut [
        ("decode/pod", &mut || drop(black_box(Pod::from_json(black_box(POD))))),
        ("decode/pod-k8s-openapi", &mut || {
            drop(black_box(serde_json::from_slice::<TheirPod>(black_box(POD))))
        }),
    ]);
    bench.rates(&mut [
        ("encode/pod", &mut || drop(black_box(black_box(&ours).to_json()))),
        ("encode/pod-k8s-openapi", &mut || drop(black_box(serde_json::to_vec(black_box(&theirs))))),
    ]);
    if bench.wants("bytes/pod") {
        bench.record("bytes/pod", "B", vec![bytes_held(|| Pod::from_json(POD))?]);
    }
    if bench.wants("bytes/pod-k8s-openapi") {
        bench.record(
            "bytes/pod-k8s-openapi",
            "B",
            vec![bytes_held(|| serde_json::from_slice::<TheirPod>(POD))?],
        );
    }
    bench.finish()?;
    bench.ratio("decode, ours / k8s-openapi's rate", "decode/pod", "decode/pod-k8s-openapi");
    bench.ratio("encode, ours / k8s-openapi's rate", "encode/pod", "encode/pod-k8s-openapi");
    bench.ratio("memory, ours / k8s-openapi's bytes", "bytes/pod", "bytes/pod-k8s-openapi");
    Ok(())
}

/// The bytes that a value takes, itself and what it has allocated: the mean of many, all held at once.
fn bytes_held<T, E>(mut make: impl FnMut() -> Result<T, E>) -> Result<f64, E> {
    const COUNT: usize = 1000;
    let before = alloc::live();
    let mut values = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        values.push(make()?);
    }
    let bytes = alloc::live() - before;
    drop(values);
    Ok(bytes as f64 / COUNT as f64)
}
