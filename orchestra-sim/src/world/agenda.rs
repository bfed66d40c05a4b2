//! [`Agenda`]: what will happen, in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// What will happen, in the order of time; at one time, in the order in which it was put down.
pub(crate) struct Agenda<E> {
    /// Only where to find what will happen is moved about in the heap.
    heap: BinaryHeap<Reverse<(Duration, u64, u32)>>,
    places: Vec<Option<E>>,
    free: Vec<u32>,
    next: u64,
}

impl<E> Agenda<E> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), places: Vec::new(), free: Vec::new(), next: 0 }
    }

    pub(crate) fn put(&mut self, at: Duration, event: E) {
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(event);
                place
            }
            None => {
                self.places.push(Some(event));
                (self.places.len() - 1) as u32
            }
        };
        self.heap.push(Reverse((at, self.next, place)));
        self.next += 1;
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn next(&mut self) -> Option<(Duration, E)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        Some((at, self.places[place as usize].take()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_one_time_happens_as_it_was_put_down() {
        let mut agenda = Agenda::new();
        for (at, what) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            agenda.put(Duration::from_secs(at), what);
        }
        assert_eq!(agenda.next_at(), Some(Duration::from_secs(1)));
        assert_eq!(agenda.next().map(|(_, what)| what), Some('a'));
        agenda.put(Duration::from_secs(2), 'e');
        let rest: String = std::iter::from_fn(|| agenda.next()).map(|(_, what)| what).collect();
        assert_eq!(rest, "bcde");
    }
}
