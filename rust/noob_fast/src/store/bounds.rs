//! Which root epochs to drop where a store may hold only so much: the least recently used.

use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// What a root epoch and its sub-epochs hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub events: u64,
    pub bytes: u64,
    /// When it was used last, as a count of uses.
    tick: u64,
}

/// What a store may hold, and what it holds.
pub struct Bounds {
    max_events: u64,
    max_bytes: u64,
    events: u64,
    bytes: u64,
    tick: u64,
    roots: FxHashMap<u32, Usage>,
    by_tick: BTreeMap<u64, u32>,
}

impl Bounds {
    pub fn new(max_events: Option<u64>, max_bytes: Option<u64>) -> Self {
        Bounds {
            max_events: max_events.unwrap_or(u64::MAX),
            max_bytes: max_bytes.unwrap_or(u64::MAX),
            events: 0,
            bytes: 0,
            tick: 0,
            roots: FxHashMap::default(),
            by_tick: BTreeMap::new(),
        }
    }

    /// Whether bytes have to be counted.
    pub fn counts_bytes(&self) -> bool {
        self.max_bytes != u64::MAX
    }

    /// A root epoch is used.
    pub fn touch(&mut self, root: u32) {
        let usage = self.roots.entry(root).or_default();
        if usage.tick == self.tick && self.tick > 0 {
            return;
        }
        self.by_tick.remove(&usage.tick);
        self.tick += 1;
        usage.tick = self.tick;
        self.by_tick.insert(self.tick, root);
    }

    /// A root epoch, which is thereby used, has come to hold more.
    pub fn add(&mut self, root: u32, events: u64, bytes: u64) {
        self.touch(root);
        let usage = self.roots.entry(root).or_default();
        usage.events += events;
        usage.bytes += bytes;
        self.events += events;
        self.bytes += bytes;
    }

    /// The root epoch to drop, if there is too much: the least recently used, but not the last.
    pub fn excess(&self) -> Option<u32> {
        let over = self.events > self.max_events || self.bytes > self.max_bytes;
        let oldest = self.by_tick.values().next().copied();
        oldest.filter(|_| over && self.by_tick.len() > 1)
    }

    /// A root epoch is gone; return what it held.
    pub fn remove(&mut self, root: u32) -> Usage {
        let usage = self.roots.remove(&root).unwrap_or_default();
        self.by_tick.remove(&usage.tick);
        self.events -= usage.events;
        self.bytes -= usage.bytes;
        usage
    }

    /// Part of what a root epoch held is gone.
    pub fn subtract(&mut self, root: u32, events: u64, bytes: u64) {
        if let Some(usage) = self.roots.get_mut(&root) {
            // (What is cleared as it is added may not have been counted yet.)
            let (events, bytes) = (events.min(usage.events), bytes.min(usage.bytes));
            usage.events -= events;
            usage.bytes -= bytes;
            self.events -= events;
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(bounds: &Bounds) -> (u64, u64) {
        (bounds.events, bounds.bytes)
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut bounds = Bounds::new(Some(3), None);
        for root in 0..3 {
            bounds.add(root, 1, 10);
        }
        assert_eq!(bounds.excess(), None);
        bounds.touch(0);
        bounds.add(3, 1, 10);
        assert_eq!(bounds.excess(), Some(1));
        let usage = bounds.remove(1);
        assert_eq!((usage.events, usage.bytes), (1, 10));
        assert_eq!((bounds.excess(), held(&bounds)), (None, (3, 30)));
    }

    #[test]
    fn the_one_in_use_stays_however_much_it_holds() {
        let mut bounds = Bounds::new(None, Some(5));
        bounds.add(0, 1, 100);
        assert_eq!(bounds.excess(), None);
        bounds.add(1, 1, 1);
        assert_eq!(bounds.excess(), Some(0));
        bounds.remove(0);
        assert_eq!((bounds.excess(), held(&bounds)), (None, (1, 1)));
    }

    #[test]
    fn what_is_cleared_counts_no_more() {
        let mut bounds = Bounds::new(Some(2), None);
        bounds.add(0, 2, 2);
        bounds.subtract(0, 1, 1);
        bounds.add(1, 1, 1);
        assert_eq!((bounds.excess(), held(&bounds)), (None, (2, 2)));
        assert_eq!(bounds.remove(7), Usage::default());
    }
}
