//! The built-in scores, one file each: those of Kubernetes, with the meaning that it documents, and beyond them data,
//! cost and packing.

mod affinity;
mod balanced;
mod cost;
mod data;
mod images;
mod near;
mod packing;
mod resources;
mod spread;
mod taints;

pub use affinity::NodeAffinity;
pub use balanced::{MOST_BALANCED, NodeResourcesBalancedAllocation};
pub(crate) use cost::said as cost_said;
pub use cost::{COST_LABEL, Cost};
pub(crate) use data::data;
pub use data::{DATA_LABEL, DataLocality, MOST_DATA};
pub use images::ImageLocality;
pub use near::InterPodAffinity;
pub use packing::{BestFit, DotProduct, MOST_PACKED, MOST_PACKING_WEIGHT};
pub use resources::{NodeResourcesFit, Strategy};
pub use spread::PodTopologySpread;
pub use taints::TaintToleration;

/// What is whole of a number from 0 to 2⁵¹. Several are cut at a time: whoever adds 2⁵² rounds to a whole number,
/// and steps back from one that is too great.
#[inline]
fn whole(number: f64) -> f64 {
    const SHIFT: f64 = (1_u64 << 52) as f64;
    let rounded = (number + SHIFT) - SHIFT;
    rounded - if rounded > number { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn what_is_whole_is_left() {
        for number in [0.0, 0.1, 0.5, 0.999_999_999_999, 1.0, 1.5, 2.5, 99.5, 99.999_999_999_999, 100.0] {
            assert_eq!(whole(number), f64::trunc(number), "{number}");
        }
        let mut random = 1;
        for _ in 0..10_000 {
            random = crate::hash::mix(random);
            let number = (random >> 11) as f64 / f64::from(1 << 20) / 100.0;
            assert_eq!(whole(number), f64::trunc(number), "{number}");
        }
    }
}
