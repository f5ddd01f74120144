//! Epochs as the core sees them: a number, and for a sub-epoch the nodes that opened it.

use crate::scheduler::items::Item;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;

/// One layer of a sub-epoch: the node that opened it, and its index there.
pub type Segment = (Item, u32);

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Epoch {
    pub root: u32,
    pub path: Box<[Segment]>,
}

impl Epoch {
    pub fn root(root: u32) -> Self {
        Epoch {
            root,
            path: Box::default(),
        }
    }

    pub fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    pub fn leaf(&self) -> Option<Segment> {
        self.path.last().copied()
    }

    /// All that contain this one, the nearest first.
    pub fn parents(&self) -> impl Iterator<Item = Epoch> + '_ {
        (0..self.path.len()).rev().map(|depth| Epoch {
            root: self.root,
            path: self.path[..depth].into(),
        })
    }

    pub fn parent(&self) -> Option<Epoch> {
        self.parents().next()
    }

    /// The next of its layer.
    #[must_use]
    pub fn next(&self) -> Epoch {
        let mut next = self.clone();
        match next.path.last_mut() {
            Some(segment) => segment.1 += 1,
            None => next.root += 1,
        }
        next
    }
}

/// How epochs are ordered. Between sub-epochs of different nodes NOOB's order is that in which
/// `noob_core` first met the nodes' names, which only the bridge can find out.
#[derive(Default)]
pub struct EpochOrder {
    rank: FxHashMap<Item, u32>,
}

impl EpochOrder {
    /// State the order of all nodes that open sub-epochs.
    pub fn set(&mut self, nodes: &[Item]) {
        self.rank = nodes.iter().copied().zip(0..).collect();
    }

    pub fn knows(&self, node: Item) -> bool {
        self.rank.contains_key(&node)
    }

    pub fn compare(&self, a: &Epoch, b: &Epoch) -> Ordering {
        let key = |&(node, index): &Segment| (self.rank.get(&node).copied(), node, index);
        a.root
            .cmp(&b.root)
            .then_with(|| a.path.iter().map(key).cmp(b.path.iter().map(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Epoch, EpochOrder, Segment};

    fn epoch(root: u32, path: &[Segment]) -> Epoch {
        Epoch {
            root,
            path: path.into(),
        }
    }

    #[test]
    fn epochs_are_ordered_by_root_then_opener_as_stated_then_index() {
        let (first, second) = (9, 7);
        let mut order = EpochOrder::default();
        order.set(&[first, second]);
        assert!(order.knows(first) && !order.knows(8));
        let sorted = [
            epoch(0, &[]),
            epoch(0, &[(first, 0)]),
            epoch(0, &[(first, 0), (second, 5)]),
            epoch(0, &[(first, 10)]),
            epoch(0, &[(second, 0)]),
            epoch(1, &[]),
        ];
        let mut epochs = sorted.clone();
        epochs.reverse();
        epochs.sort_by(|a, b| order.compare(a, b));
        assert_eq!(epochs, sorted);
    }

    #[test]
    fn parents_come_the_nearest_first() {
        let inner = epoch(3, &[(7, 1), (9, 2)]);
        let parents: Vec<Epoch> = inner.parents().collect();
        assert_eq!(parents, [epoch(3, &[(7, 1)]), epoch(3, &[])]);
        assert_eq!(inner.next(), epoch(3, &[(7, 1), (9, 3)]));
        assert_eq!(parents[1].next(), Epoch::root(4));
        assert_eq!(parents[1].parent(), None);
    }
}
