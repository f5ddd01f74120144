//! The graph that the scheduler is measured on: layers of 100 nodes, each with two inputs from the
//! layer before.

use noob_fast::scheduler::Scheduler;
use noob_fast::scheduler::graph::{Edge, Node};
use noob_fast::scheduler::items::{Item, Items};

const WIDTH: usize = 100;

/// A scheduler of that many nodes in layers, the first of which depend on one source.
pub fn layered(nodes: usize) -> Scheduler {
    let mut items = Items::default();
    let ids: Vec<Item> = (0..nodes)
        .map(|at| items.intern_node(&format!("n{at}")))
        .collect();
    // Knuth's multiplicative hashing: as good as random, and the same everywhere.
    let choose = |seed: usize, among: usize| (seed.wrapping_mul(2_654_435_761) >> 8) % among;
    let mut edges = Vec::with_capacity(nodes * 2);
    for at in 1..nodes {
        let layer = (at - 1) / WIDTH;
        let before = if layer == 0 {
            &ids[..1]
        } else {
            &ids[1 + (layer - 1) * WIDTH..=layer * WIDTH]
        };
        let first = choose(at, before.len());
        let second = (first + 1 + choose(at + nodes, WIDTH - 2)) % before.len();
        for (slot, source) in [first, second].into_iter().take(before.len()).enumerate() {
            edges.push(Edge {
                source: before[source],
                signal: items.intern_signal(before[source], "value"),
                target: ids[at],
                slot: items.intern_slot(ids[at], &slot.to_string()),
                required: true,
            });
        }
    }
    let nodes: Vec<Node> = ids
        .into_iter()
        .map(|item| Node {
            item,
            enabled: true,
            stateful: false,
        })
        .collect();
    Scheduler::new(items, &nodes, edges)
}

/// Run one epoch: take what is ready, and say of each node by itself that it is done. Returns how
/// many nodes have run.
pub fn run_epoch(scheduler: &mut Scheduler) -> usize {
    // (The epoch before has let this one start when its source was done.)
    let epoch = scheduler.begin().expect("nothing is exhausted");
    let epoch = epoch.expect("something can run");
    let mut ran = 0;
    loop {
        let ready = scheduler.take_ready_of(&epoch);
        if ready.is_empty() {
            return ran;
        }
        for node in ready {
            scheduler.done(&epoch, node, true).expect("it is out");
            ran += 1;
        }
    }
}
