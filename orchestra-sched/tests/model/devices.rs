//! Devices: each is whole for one pod, or shared. `example.com/gpu: 2` asks for two whole ones, and
//! `example.com/gpu-milli: 300` for a share of a single one.

use orchestra_core::kinds::{Node, Pod};

use super::World;
use super::requests::{allocatable, asked};

/// What is whole of a device.
const WHOLE: i128 = 1000;

/// The resource that counts shares of a device.
pub(super) fn share_of(device: &str) -> String {
    format!("{device}-milli")
}

/// The device of which a resource counts shares.
pub(super) fn device_of(resource: &str) -> Option<&str> {
    resource.strip_suffix("-milli").filter(|device| device.contains('/'))
}

/// What is missing of a device: of whole ones, of shares, and whether it would be missing if nobody else was there.
#[derive(Default)]
pub(super) struct Missing {
    pub(super) whole: bool,
    pub(super) share: bool,
    pub(super) for_good: bool,
}

/// Of so many whole devices and a share of one more, what a node lacks.
pub(super) fn missing(world: &World, node: &Node, device: &str, whole: i128, share: i128) -> Missing {
    let left = left(world, node, device);
    let unused = left.iter().filter(|left| **left == WHOLE).count() as i128;
    // The share may be of one that somebody else has a share of, or of an unused one that is not needed whole.
    let of_others = left.iter().any(|left| *left < WHOLE && *left >= share);
    let of_unused = unused > whole && share <= WHOLE;
    let missing = Missing {
        whole: unused < whole,
        share: share > 0 && !of_others && !of_unused,
        for_good: share > WHOLE || whole + i128::from(share > 0) > left.len() as i128,
    };
    if missing.whole || missing.share { missing } else { Missing::default() }
}

/// Which devices a pod is given on a node: those whole ones that come first, and a share of the one that has least
/// left, but enough.
pub(crate) fn given(world: &World, node: &Node, pod: &Pod, device: &str) -> Option<Vec<u32>> {
    choose(&left(world, node, device), asked(pod, device), asked(pod, &share_of(device)))
}

fn choose(left: &[i128], whole: i128, share: i128) -> Option<Vec<u32>> {
    let mut candidates: Vec<usize> = (0..left.len()).filter(|at| share > 0 && left[*at] >= share).collect();
    candidates.sort_by_key(|at| (left[*at], *at));
    let shared = candidates.first().copied();
    let unused = (0..left.len()).filter(|at| left[*at] == WHOLE && Some(*at) != shared);
    let mut given: Vec<u32> = unused.map(|at| at as u32).take(whole as usize).collect();
    let is_enough = given.len() as i128 == whole && (share == 0 || shared.is_some());
    given.extend(shared.map(|at| at as u32));
    is_enough.then_some(given)
}

/// What is left of each device of a node.
fn left(world: &World, node: &Node, device: &str) -> Vec<i128> {
    let mut taken = vec![0; allocatable(node, device) as usize];
    let mut take = |devices: &[u32], pod: &Pod| {
        let whole = asked(pod, device) as usize;
        for (at, given) in devices.iter().enumerate() {
            // A device that the node does not have any more is nobody's.
            if let Some(taken) = taken.get_mut(*given as usize) {
                *taken += if at < whole { WHOLE } else { asked(pod, &share_of(device)) };
            }
        }
        taken.iter().map(|taken: &i128| (WHOLE - taken).max(0)).collect::<Vec<_>>()
    };
    let mut left = take(&[], &Pod::default());
    // Those that say which they have come first, then the others, by their names.
    let mut silent = Vec::new();
    for pod in world.placed.iter().filter(|pod| pod.spec.node_name == *node.name()) {
        match said(pod, device) {
            Some(devices) => left = take(&devices, pod),
            None => silent.push(pod),
        }
    }
    silent.sort_by_key(|pod| (pod.namespace().clone(), pod.name().clone()));
    for pod in silent {
        let (whole, share) = (asked(pod, device), asked(pod, &share_of(device)));
        // Where there is no room, it is on those that have most left.
        let most = || {
            let mut all: Vec<u32> = (0..left.len() as u32).collect();
            all.sort_by_key(|at| (-left[*at as usize], *at));
            all.truncate(whole as usize + usize::from(share > 0));
            all
        };
        let devices = choose(&left, whole, share).unwrap_or_else(most);
        left = take(&devices, pod);
    }
    left
}

/// The devices that a pod says it has, if they are as many as it asks for, each another one.
fn said(pod: &Pod, device: &str) -> Option<Vec<u32>> {
    let devices = pod.spec.orchestra.as_ref()?.devices.get(device)?.clone();
    let wanted = asked(pod, device) + i128::from(asked(pod, &share_of(device)) > 0);
    let mut different = devices.clone();
    different.sort_unstable();
    different.dedup();
    (devices.len() as i128 == wanted && different.len() == devices.len()).then_some(devices)
}
