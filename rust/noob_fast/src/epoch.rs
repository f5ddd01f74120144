//! Epochs as the core sees them: a number, and for a sub-epoch the nodes that opened it.

use crate::items::Item;
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
