//! [`Tally`]: how many pods of some sort there are in each domain, kept current pod by pod.

use orchestra_core::object::{LabelSelector, Map, Str};

use super::labels::{Domain, Key, NOWHERE};
use super::masks::MaskId;

/// Which pods are meant by a term: by their labels and namespaces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PodSelector {
    /// None: no pod at all.
    pub(crate) labels: Option<LabelSelector>,
    /// In order.
    pub(crate) namespaces: Vec<Str>,
    /// Namespaces by their labels, beside those that are named.
    pub(crate) others: Option<LabelSelector>,
}

impl PodSelector {
    /// Whether pods of a namespace with some labels are meant.
    pub(crate) fn matches(&self, namespace: &Str, labels: &Map<Str>, about: &Map<Str>) -> bool {
        (self.namespaces.contains(namespace)
            || self.others.as_ref().is_some_and(|selector| selector.matches(about)))
            && self.labels.as_ref().is_some_and(|selector| selector.matches(labels))
    }
}

/// Which pods a tally counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Counted {
    /// Those that all of these mean.
    Meant { by: Vec<PodSelector>, also_going: bool },
    /// Those that themselves say something of the pods that are meant.
    Saying { what: Says, of: PodSelector },
}

/// What a pod says of others in its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// It must not be with them.
    Never,
    /// It must be with some of them.
    Always,
    /// It would rather be with them, or not: each counts with its weight.
    Rather,
}

/// Which nodes a tally looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Within {
    /// Those that meet all of these,
    pub(crate) masks: Vec<MaskId>,
    /// and have all of these labels.
    pub(crate) keys: Vec<Key>,
}

/// A tally, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TallyId(pub(crate) u32);

#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) counted: Counted,
    pub(crate) key: Key,
    pub(crate) within: Within,
    pub(crate) users: u32,
    /// By domain.
    counts: Vec<i64>,
    nodes: Vec<u32>,
    /// How many domains there are.
    domains: usize,
    /// The sum over all domains.
    total: i64,
    /// The least of the domains' counts, and how many domains have it.
    least: i64,
    at_least: usize,
}

impl Tally {
    pub(crate) fn new(counted: Counted, key: Key, within: Within) -> Self {
        let (counts, nodes) = (Vec::new(), Vec::new());
        Self { counted, key, within, users: 1, counts, nodes, domains: 0, total: 0, least: 0, at_least: 0 }
    }

    /// A tally that nobody takes.
    pub(crate) fn nothing() -> Self {
        let counted = Counted::Meant { by: vec![PodSelector::default()], also_going: false };
        Self::new(counted, Key(0), Within::default())
    }

    /// Forgets what was counted.
    pub(crate) fn clear(&mut self) {
        let (counted, within) = (self.counted.clone(), std::mem::take(&mut self.within));
        *self = Self { users: self.users, ..Self::new(counted, self.key, within) };
    }

    /// How many pods there are in a domain, or what they weigh.
    #[inline]
    pub(crate) fn count(&self, domain: Domain) -> i64 {
        self.counts.get(domain as usize).copied().unwrap_or(0)
    }

    /// How many there are in all.
    pub(crate) fn total(&self) -> i64 {
        self.total
    }

    /// The least of all domains' counts; 0 without any domain.
    pub(crate) fn least(&self) -> i64 {
        if self.domains == 0 { 0 } else { self.least }
    }

    /// What the least of all domains' counts would be with more in one of them.
    pub(crate) fn least_with(&self, domain: Domain, more: i64) -> i64 {
        let there = self.counts.iter().zip(&self.nodes).enumerate().filter(|(_, (_, nodes))| **nodes > 0);
        let counts = there.map(|(at, (count, _))| count + if at == domain as usize { more } else { 0 });
        counts.min().unwrap_or(0)
    }

    /// How many domains there are.
    pub(crate) fn domains(&self) -> usize {
        self.domains
    }

    fn reach(&mut self, domain: Domain) {
        if domain as usize >= self.counts.len() {
            self.counts.resize(domain as usize + 1, 0);
            self.nodes.resize(domain as usize + 1, 0);
        }
    }

    /// Counts pods in a domain, or takes them away.
    pub(crate) fn add(&mut self, domain: Domain, by: i64) {
        if domain == NOWHERE {
            return;
        }
        self.reach(domain);
        let at = domain as usize;
        let old = self.counts[at];
        self.counts[at] = old + by;
        self.total += by;
        if self.nodes[at] == 0 {
            return;
        }
        let new = old + by;
        if old == self.least {
            self.at_least -= 1;
        }
        if new < self.least {
            (self.least, self.at_least) = (new, 1);
        } else if new == self.least {
            self.at_least += 1;
        } else if self.at_least == 0 {
            self.find_least();
        }
    }

    fn find_least(&mut self) {
        let there = || self.counts.iter().zip(&self.nodes).filter(|(_, nodes)| **nodes > 0);
        self.least = there().map(|(count, _)| *count).min().unwrap_or(0);
        self.at_least = there().filter(|(count, _)| **count == self.least).count();
    }

    /// A node of a domain appears.
    pub(crate) fn enter(&mut self, domain: Domain) {
        if domain == NOWHERE {
            return;
        }
        self.reach(domain);
        self.nodes[domain as usize] += 1;
        if self.nodes[domain as usize] == 1 {
            self.domains += 1;
            let count = self.counts[domain as usize];
            if self.domains == 1 || count < self.least {
                (self.least, self.at_least) = (count, 1);
            } else if count == self.least {
                self.at_least += 1;
            }
        }
    }

    /// A node of a domain goes. Its pods must have been taken away before.
    pub(crate) fn leave(&mut self, domain: Domain) {
        if domain == NOWHERE {
            return;
        }
        self.nodes[domain as usize] -= 1;
        if self.nodes[domain as usize] == 0 {
            self.domains -= 1;
            if self.counts[domain as usize] == self.least {
                self.at_least -= 1;
                if self.at_least == 0 {
                    self.find_least();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_always_the_least() {
        let mut tally =
            Tally::new(Counted::Meant { by: Vec::new(), also_going: true }, Key(0), Within::default());
        let (mut nodes, mut counts) = ([0u32; 6], [0i64; 6]);
        let mut random = 7u64;
        for _ in 0..5000 {
            random = crate::hash::mix(random.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let domain = 1 + (random % 5) as usize;
            match random >> 32 & 3 {
                0 => {
                    nodes[domain] += 1;
                    tally.enter(domain as Domain);
                }
                1 if nodes[domain] > 1 || (nodes[domain] == 1 && counts[domain] == 0) => {
                    nodes[domain] -= 1;
                    tally.leave(domain as Domain);
                }
                2 if nodes[domain] > 0 => {
                    counts[domain] += 1;
                    tally.add(domain as Domain, 1);
                }
                3 if counts[domain] > 0 => {
                    counts[domain] -= 1;
                    tally.add(domain as Domain, -1);
                }
                _ => continue,
            }
            let there = (0..6).filter(|at| nodes[*at] > 0);
            assert_eq!(tally.least(), there.clone().map(|at| counts[at]).min().unwrap_or(0));
            assert_eq!((tally.domains(), tally.total()), (there.count(), counts.iter().sum()));
        }
    }
}
