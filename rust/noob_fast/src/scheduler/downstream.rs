//! Which nodes depend on a node, at any distance. Needed only where a node opens sub-epochs, so
//! the edges are indexed when the first one does.

use crate::scheduler::graph::Edge;
use crate::scheduler::items::Item;
use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::Arc;

type Nodes = IndexSet<Item, FxBuildHasher>;

#[derive(Default)]
pub struct Downstream {
    targets: FxHashMap<Item, Vec<Item>>,
    incoming: FxHashMap<Item, Vec<u32>>,
    below: FxHashMap<Item, Arc<Nodes>>,
    exclusive: FxHashMap<(Item, Item), Arc<[Item]>>,
}

impl Downstream {
    fn index(&mut self, edges: &[Edge]) {
        if self.targets.is_empty() {
            for (edge, at) in edges.iter().zip(0..) {
                self.targets
                    .entry(edge.source)
                    .or_default()
                    .push(edge.target);
                self.incoming.entry(edge.target).or_default().push(at);
            }
        }
    }

    /// A node and what is reached from it without passing a node to avoid.
    fn walk(&self, node: Item, avoid: impl Fn(Item) -> bool) -> Nodes {
        let mut found = Nodes::default();
        found.insert(node);
        let mut visit = vec![node];
        while let Some(current) = visit.pop() {
            for &target in self.targets.get(&current).map_or(&[][..], Vec::as_slice) {
                if !avoid(target) && found.insert(target) {
                    visit.push(target);
                }
            }
        }
        found
    }

    /// A node and all downstream of it.
    pub fn of(&mut self, edges: &[Edge], node: Item) -> Arc<Nodes> {
        self.index(edges);
        if let Some(known) = self.below.get(&node) {
            return Arc::clone(known);
        }
        let below = Arc::new(self.walk(node, |_| false));
        self.below.insert(node, Arc::clone(&below));
        below
    }

    /// All edges into the given nodes, in their order.
    pub fn edges_into(&mut self, edges: &[Edge], nodes: &Nodes) -> Vec<Edge> {
        self.index(edges);
        let mut chosen: Vec<u32> = nodes
            .iter()
            .flat_map(|node| self.incoming.get(node).map_or(&[][..], Vec::as_slice))
            .copied()
            .collect();
        chosen.sort_unstable();
        chosen.into_iter().map(|at| edges[at as usize]).collect()
    }

    /// What is downstream of `node`, but not of `opener` other than through `node`.
    ///
    /// Whatever follows what `opener` reaches, it reaches too, so the walk need not enter there:
    /// it costs what it finds, not all that is downstream.
    pub fn exclusive(&mut self, edges: &[Edge], node: Item, opener: Item) -> Arc<[Item]> {
        if let Some(known) = self.exclusive.get(&(node, opener)) {
            return Arc::clone(known);
        }
        let below = self.of(edges, opener);
        let found = if below.contains(&node) {
            let others = self.walk(opener, |target| target == node);
            self.walk(node, |target| others.contains(&target))
        } else {
            self.walk(node, |target| below.contains(&target))
        };
        let exclusive: Arc<[Item]> = found.into_iter().skip(1).collect();
        self.exclusive
            .insert((node, opener), Arc::clone(&exclusive));
        exclusive
    }
}

#[cfg(test)]
mod tests {
    use super::Downstream;
    use crate::scheduler::items::Item;
    use crate::scheduler::tests::support::{Draft, Random};

    #[test]
    fn what_is_exclusive_is_found_without_walking_the_rest() {
        let mut found = 0;
        for seed in 0..100 {
            let mut draft = Draft::random(&mut Random::new(seed), 15);
            draft.edge("n1", "s0", "n0", "loop", true); // sometimes a cycle
            let mut downstream = Downstream::default();
            downstream.index(&draft.edges);
            for (node, opener) in draft.nodes.iter().flat_map(|node| {
                let openers = draft.nodes.iter();
                openers.map(|opener| (node.item, opener.item))
            }) {
                let others = downstream.walk(opener, |target| target == node);
                let all = downstream.walk(node, |_| false).into_iter();
                let expected: Vec<Item> = all
                    .filter(|item| *item != node && !others.contains(item))
                    .collect();
                let exclusive = downstream.exclusive(&draft.edges, node, opener);
                assert_eq!(*exclusive, *expected, "seed {seed}: {node} and {opener}");
                found += exclusive.len();
            }
        }
        assert!(found > 1000, "there was something to find");
    }
}
