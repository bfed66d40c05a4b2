//! The scores that Kubernetes does not have, from what is said of them: data, cost and packing.

use orchestra_core::kinds::Node;
use orchestra_core::object::Quantity;

use super::requests::{Counted, allocatable, asked, names, taken};
use super::{Scored, Situation};

pub(super) const DATA_LOCALITY: &str = "DataLocality";
pub(super) const COST: &str = "Cost";
pub(super) const BEST_FIT: &str = "BestFit";
pub(super) const DOT_PRODUCT: &str = "DotProduct";

/// Shares are counted in millionths.
const MILLION: i128 = 1_000_000;
/// What a node is taken to cost that does not say.
const DEAREST: i64 = (1 << 53) - 1;

/// The share of what the pod reads that is on the node, in percent.
pub(super) fn data(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let sets = situation.pod.spec.orchestra.iter().flat_map(|it| &it.data);
    // A data set of which no size is said is a byte.
    let sets: Vec<_> = sets.map(|set| (&set.name, i128::from(set.size.value().max(1)))).collect();
    let all: i128 = sets.iter().map(|(_, size)| size).sum();
    let score = |node: &&Node| {
        let has = |name: &str| {
            let label = node.metadata.labels.get(&format!("data.orchestra.dev/{name}"));
            label.is_some_and(|value| value != "false")
        };
        let there: i128 = sets.iter().filter(|(name, _)| has(name)).map(|(_, size)| size).sum();
        if all == 0 { 0 } else { (100 * there / all) as i64 }
    };
    Scored::as_is(fit.iter().map(score).collect())
}

/// The cheapest is best, the dearest of no use, and one that does not say what it costs either.
pub(super) fn cost(_: &Situation<'_>, fit: &[&Node]) -> Scored {
    let price = |node: &&Node| {
        let said = node.metadata.labels.get("cost.orchestra.dev/usd-per-hour")?;
        let price: Quantity = said.parse().ok()?;
        (!price.is_negative()).then_some(price.checked_mul(1_000_000)?.value())
    };
    let prices: Vec<Option<i64>> = fit.iter().map(price).collect();
    let cheapest = prices.iter().flatten().min().copied().unwrap_or(0);
    let dearest = prices.iter().flatten().max().copied().unwrap_or(0);
    let score = |price: &Option<i64>| match price {
        None => 0,
        Some(_) if cheapest == dearest => 100,
        Some(price) => 100 * (dearest - price) / (dearest - cheapest),
    };
    Scored {
        scores: prices.iter().map(score).collect(),
        raw: prices.iter().map(|price| -price.unwrap_or(DEAREST)).collect(),
    }
}

/// What a pod asks for of each resource, what is free of it on a node, and what there is.
fn asks(situation: &Situation<'_>, node: &Node) -> Vec<(i128, i128, i128)> {
    let pod = situation.pod;
    let wanted = names(pod).into_iter().map(|name| (asked(pod, &name), name)).filter(|(asked, _)| *asked > 0);
    let of = |(asked, name): (i128, orchestra_core::object::Str)| {
        let all = allocatable(node, &name);
        (asked, all - taken(situation, node, &name, Counted::Asked), all)
    };
    wanted.map(of).collect()
}

fn share(part: i128, all: i128) -> i128 {
    if all <= 0 { 0 } else { part.clamp(0, all) * MILLION / all }
}

/// The shorter the vector of what would be left, the better: the root of the mean of the squares of the shares.
pub(super) fn best_fit(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let score = |node: &&Node| {
        let asks = asks(situation, node);
        let square = |(asked, free, all): &(i128, i128, i128)| {
            let left = share(free - asked, *all);
            left * left / MILLION
        };
        let sum: i128 = asks.iter().map(square).sum();
        let mean = sum / (asks.len() as i128).max(1);
        // Of millionths, the root is in thousandths.
        100 - (mean as i64).isqrt() / 10
    };
    Scored::as_is(fit.iter().map(score).collect())
}

/// The greater the product of what is asked and what is free, the better.
pub(super) fn dot_product(situation: &Situation<'_>, fit: &[&Node]) -> Scored {
    let product = |node: &&Node| {
        let asks = asks(situation, node);
        let product =
            |(asked, free, all): &(i128, i128, i128)| share(*asked, *all) * share(*free, *all) / MILLION;
        asks.iter().map(product).sum::<i128>() as i64
    };
    let raw: Vec<i64> = fit.iter().map(product).collect();
    let (least, most) = (raw.iter().min().copied().unwrap_or(0), raw.iter().max().copied().unwrap_or(0));
    let between = |raw: &i64| match most - least {
        0 => 0,
        span => (100.0 * ((raw - least) as f64 / span as f64)) as i64,
    };
    Scored { scores: raw.iter().map(between).collect(), raw }
}
