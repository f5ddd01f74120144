//! Which of the nodes that are ready goes first where the critical path decides: the one that is
//! furthest from the end, by its upward rank (Topcuoglu, Hariri and Wu 2002, "Performance-effective
//! and low-complexity task scheduling for heterogeneous computing", equation 4, without what it
//! takes to move data): `rank(i) = cost(i) + max(rank(j) for j in successors(i))`.

use crate::scheduler::graph::Graph;

/// The upward rank of each item of a graph, by local number; a signal costs nothing. What lies on a
/// cycle, or leads to one, never ends: its rank is infinite.
pub fn upward_ranks(graph: &Graph, cost: impl Fn(u32) -> f64) -> Vec<f64> {
    let mut left: Vec<u32> = (0..graph.len() as u32)
        .map(|at| graph.successors.of(at).len() as u32)
        .collect();
    let mut last: Vec<u32> = (0..graph.len() as u32)
        .filter(|&at| left[at as usize] == 0)
        .collect();
    // Of an item that still waits, the highest rank of its successors so far.
    let mut highest = vec![0.0_f64; graph.len()];
    let mut ranks = vec![f64::INFINITY; graph.len()];
    while let Some(at) = last.pop() {
        let rank = highest[at as usize] + cost(at);
        ranks[at as usize] = rank;
        for &before in graph.predecessors.of(at) {
            highest[before as usize] = highest[before as usize].max(rank);
            left[before as usize] -= 1;
            if left[before as usize] == 0 {
                last.push(before);
            }
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use crate::scheduler::graph::Graph;
    use crate::scheduler::priority::upward_ranks;
    use crate::scheduler::tests::support::{Draft, Random, Tube};

    /// As it is defined.
    fn naive(graph: &Graph, at: u32, cost: &impl Fn(u32) -> f64) -> f64 {
        let after = graph.successors.of(at).iter();
        cost(at)
            + after
                .map(|&next| naive(graph, next, cost))
                .fold(0.0, f64::max)
    }

    #[test]
    fn ranks_are_as_defined() {
        for seed in 0..100 {
            let draft = Draft::random(&mut Random::new(seed), 12);
            let graph = Graph::new(&draft.items, &draft.nodes, &draft.edges);
            let cost = |at: u32| {
                let item = graph.items[at as usize];
                if draft.items.is_signal(item) {
                    0.0
                } else {
                    f64::from(item % 5)
                }
            };
            let ranks = upward_ranks(&graph, cost);
            for (rank, at) in ranks.into_iter().zip(0..) {
                let expected = naive(&graph, at, &cost);
                assert!((rank - expected).abs() < 1e-9, "seed {seed}, item {at}");
            }
        }
    }

    #[test]
    fn what_leads_to_a_cycle_is_infinitely_far_from_the_end() {
        let edges = "a.s > b.x, b.s > c.x, c.s > b.y, c.s > d.x";
        let draft = Draft::parse("a b c d", edges);
        let graph = Graph::new(&draft.items, &draft.nodes, &draft.edges);
        let ranks = upward_ranks(&graph, |_| 1.0);
        let rank = |id: &str| {
            let local = graph.local(draft.items.node(id).expect(id));
            ranks[local.expect(id) as usize]
        };
        assert!(["a", "b", "c"].iter().all(|id| rank(id) == f64::INFINITY));
        assert!((rank("d") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_longest_way_goes_first_and_ties_keep_their_order() {
        let edges = "b.s > c.x, d.s > e.x, e.s > f.x";
        let mut usual = Tube::new("a b c d e f g", edges);
        let mut tube = Tube::new("a b c d e f g", edges);
        let costs = vec![1.0; tube.core.items.len()];
        tube.core.prefer_critical_path(costs);
        let epoch = usual.core.add_epoch();
        assert_eq!(usual.ready(&epoch), ["b", "d", "a", "g"]);
        assert_eq!(tube.core.add_epoch(), epoch);
        assert_eq!(tube.ready(&epoch), ["d", "b", "a", "g"]);
    }
}
