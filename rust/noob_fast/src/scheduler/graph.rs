//! A tube's graph: nodes and their signals as one bipartite graph on flat arrays, built in one
//! pass over the edges and shared, unchanged, by every epoch that runs on it.
//!
//! Numbers inside a graph are *local*: 0, 1, 2, … in the order in which `noob_core` would first
//! meet the items, because some of its answers are given in that order.

use crate::scheduler::items::{ASSETS, FIRST_OWN, INPUT, Item, Items, PREVIOUS_EPOCH, Slot};
use crate::scheduler::optional::Optionals;
use crate::scheduler::priority::upward_ranks;
use crate::scheduler::ready::ReadySet;
use crate::scheduler::sorter::{Sorter, generations};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, OnceLock};

const ABSENT: u32 = u32::MAX;

/// A dependency: `signal` (of node `source`) is passed to `slot` (of node `target`).
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub source: Item,
    pub signal: Item,
    pub target: Item,
    pub slot: Slot,
    pub required: bool,
}

/// What the scheduler knows of a node.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub item: Item,
    pub enabled: bool,
    pub stateful: bool,
}

/// Lists of numbers, one list an index, in two flat arrays.
pub struct Lists {
    start: Vec<u32>,
    values: Vec<u32>,
}

impl Lists {
    /// `pairs` are (index, value), each list in the order of its pairs.
    fn new(count: usize, pairs: &[(u32, u32)]) -> Self {
        let mut start = vec![0_u32; count + 1];
        for &(index, _) in pairs {
            start[index as usize + 1] += 1;
        }
        for index in 0..count {
            start[index + 1] += start[index];
        }
        let mut next = start.clone();
        let mut values = vec![0; pairs.len()];
        for &(index, value) in pairs {
            values[next[index as usize] as usize] = value;
            next[index as usize] += 1;
        }
        Lists { start, values }
    }

    #[inline]
    pub fn of(&self, index: u32) -> &[u32] {
        let index = index as usize;
        &self.values[self.start[index] as usize..self.start[index + 1] as usize]
    }
}

/// From an item to its local number: an array where the graph has most items, else a table.
enum Index {
    Dense(Vec<u32>),
    Sparse(FxHashMap<Item, u32>),
}

pub struct Graph {
    /// Local number to item.
    pub items: Vec<Item>,
    index: Index,
    /// Whether a local number is a signal's.
    pub is_signal: Vec<bool>,
    pub successors: Lists,
    pub predecessors: Lists,
    /// Of each node, the signals that something depends on.
    pub signals: Lists,
    /// Of each node, the slots that are connected.
    pub slots: Lists,
    /// How many predecessors each item waits for at the start of an epoch.
    pub waiting: Vec<i32>,
    /// What is ready at the start of an epoch, in order.
    pub ready: Vec<u32>,
    /// Nodes that are disabled, whether or not the graph has them.
    pub disabled: FxHashSet<Item>,
    /// Whether no node can run in a new epoch.
    pub exhausted: bool,
    /// The edges that made it, for the bookkeeping of optional slots.
    pub edges: Vec<Edge>,
    pub stateful: Vec<u32>,
    optionals: OnceLock<Optionals>,
    ranks: OnceLock<Vec<f64>>,
}

/// The state of one construction.
struct Builder<'a> {
    all: &'a Items,
    items: Vec<Item>,
    local: Vec<u32>,
    waiting: Vec<i32>,
    ready: ReadySet,
    disabled: FxHashSet<Item>,
    successors: Vec<(u32, u32)>,
    predecessors: Vec<(u32, u32)>,
    signals: Vec<(u32, u32)>,
    slots: Vec<(u32, u32)>,
}

impl Builder<'_> {
    fn meet(&mut self, item: Item) -> u32 {
        let known = self.local[item as usize];
        if known != ABSENT {
            return known;
        }
        let local = self.items.len() as u32;
        self.local[item as usize] = local;
        self.items.push(item);
        self.waiting.push(0);
        self.ready.grow();
        local
    }

    fn connect(&mut self, from: u32, to: u32) {
        self.successors.push((from, to));
        self.predecessors.push((to, from));
        self.waiting[to as usize] += 1;
        self.ready.swap_remove(to);
    }

    fn ready_unless_waiting(&mut self, local: u32) {
        let item = self.items[local as usize];
        if self.waiting[local as usize] == 0 && !self.disabled.contains(&item) {
            self.ready.insert(local);
        }
    }

    /// `source` emits `signal`, which something depends on.
    fn meet_signal(&mut self, edge: &Edge) -> u32 {
        let fresh = self.local[edge.signal as usize] == ABSENT;
        let signal = self.meet(edge.signal);
        if edge.signal == PREVIOUS_EPOCH {
            self.ready_unless_waiting(signal);
        } else if fresh {
            let source = self.meet(edge.source);
            self.signals.push((source, signal));
            self.ready_unless_waiting(source);
            self.connect(source, signal);
        }
        signal
    }
}

impl Graph {
    /// Build the graph of `nodes` and `edges`, in time linear in both.
    pub fn new(all: &Items, nodes: &[Node], edges: &[Edge]) -> Arc<Graph> {
        let mut build = Builder {
            all,
            items: Vec::with_capacity(nodes.len() * 2),
            local: vec![ABSENT; all.len()],
            waiting: Vec::with_capacity(nodes.len() * 2),
            ready: ReadySet::default(),
            disabled: nodes
                .iter()
                .filter(|node| !node.enabled)
                .map(|node| node.item)
                .collect(),
            successors: Vec::with_capacity(edges.len() * 2),
            predecessors: Vec::with_capacity(edges.len() * 2),
            signals: Vec::with_capacity(nodes.len()),
            slots: Vec::with_capacity(edges.len()),
        };
        let mut kept = Vec::with_capacity(edges.len());
        let mut connected: FxHashSet<(Item, Item)> = FxHashSet::default();
        connected.reserve(edges.len());
        let mut known_slots: FxHashSet<Slot> = FxHashSet::default();
        known_slots.reserve(edges.len());
        for edge in edges {
            if build.disabled.contains(&edge.target) {
                continue;
            }
            kept.push(*edge);
            if connected.insert((edge.signal, edge.target)) {
                let signal = build.meet_signal(edge);
                let target = build.meet(edge.target);
                build.connect(signal, target);
            }
            if known_slots.insert(edge.slot) {
                build
                    .slots
                    .push((build.local[edge.target as usize], edge.slot));
            }
        }
        let mut stateful = Vec::new();
        for node in nodes.iter().filter(|node| node.enabled) {
            if build.local[node.item as usize] == ABSENT {
                let local = build.meet(node.item);
                build.ready.insert(local);
            }
            if node.stateful {
                let local = build.local[node.item as usize];
                stateful.push(local);
                if connected.insert((PREVIOUS_EPOCH, node.item)) {
                    let previous = build.meet(PREVIOUS_EPOCH);
                    build.ready_unless_waiting(previous);
                    build.connect(previous, local);
                }
            }
        }
        Arc::new(build.finish(kept, stateful))
    }

    /// The local number of an item, if the graph has it.
    #[inline]
    pub fn local(&self, item: Item) -> Option<u32> {
        match &self.index {
            Index::Dense(table) => table
                .get(item as usize)
                .copied()
                .filter(|&local| local != ABSENT),
            Index::Sparse(table) => table.get(&item).copied(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Which slots become free when an item expires.
    pub fn optionals(&self, all: &Items) -> &Optionals {
        self.optionals.get_or_init(|| Optionals::new(self, all))
    }

    /// How far each item is from the end, in what `costs` counts, by node. (One scheduler's graphs
    /// are only ever asked with the same costs.)
    pub fn ranks(&self, costs: &[f64]) -> &[f64] {
        self.ranks.get_or_init(|| {
            upward_ranks(self, |at| {
                let (item, is_signal) = (self.items[at as usize], self.is_signal[at as usize]);
                if is_signal { 0.0 } else { costs[item as usize] }
            })
        })
    }

    /// Nodes that depend on nothing but their own previous epoch.
    pub fn source_nodes(&self) -> Vec<Item> {
        (0..self.len() as u32)
            .filter(|&local| {
                let item = self.items[local as usize];
                !matches!(item, PREVIOUS_EPOCH | INPUT | ASSETS)
                    && !self.disabled.contains(&item)
                    && self
                        .predecessors
                        .of(local)
                        .iter()
                        .all(|&before| self.items[before as usize] == PREVIOUS_EPOCH)
            })
            .map(|local| self.items[local as usize])
            .collect()
    }

    /// Whether nothing can run: there are no generations, or only one of NOOB's own nodes.
    fn is_exhausted(graph: &Arc<Graph>, all: &Items) -> bool {
        let mut first = Sorter::new(graph);
        first.done_if_there(PREVIOUS_EPOCH);
        let ready = first.get_ready();
        if ready
            .iter()
            .any(|&local| graph.items[local as usize] >= FIRST_OWN)
        {
            return false;
        }
        let groups = generations(graph, all);
        groups.is_empty() || (groups.len() == 1 && groups[0].iter().all(|&item| item < FIRST_OWN))
    }

    pub fn has_cycle(&self) -> bool {
        let mut left: Vec<u32> = (0..self.len() as u32)
            .map(|at| self.predecessors.of(at).len() as u32)
            .collect();
        let mut free: Vec<u32> = (0..self.len() as u32)
            .filter(|&at| left[at as usize] == 0)
            .collect();
        let mut seen = 0;
        while let Some(at) = free.pop() {
            seen += 1;
            for &next in self.successors.of(at) {
                left[next as usize] -= 1;
                if left[next as usize] == 0 {
                    free.push(next);
                }
            }
        }
        seen < self.len()
    }
}

impl Builder<'_> {
    fn finish(self, edges: Vec<Edge>, stateful: Vec<u32>) -> Graph {
        let count = self.items.len();
        let index = if count * 4 >= self.all.len() {
            Index::Dense(self.local)
        } else {
            Index::Sparse(self.items.iter().copied().zip(0..).collect())
        };
        let graph = Arc::new(Graph {
            index,
            is_signal: self
                .items
                .iter()
                .map(|&item| self.all.is_signal(item))
                .collect(),
            successors: Lists::new(count, &self.successors),
            predecessors: Lists::new(count, &self.predecessors),
            signals: Lists::new(count, &self.signals),
            slots: Lists::new(count, &self.slots),
            waiting: self.waiting,
            ready: self.ready.iter().collect(),
            disabled: self.disabled,
            items: self.items,
            exhausted: false,
            edges,
            stateful,
            optionals: OnceLock::new(),
            ranks: OnceLock::new(),
        });
        let exhausted = Graph::is_exhausted(&graph, self.all);
        let mut graph = Arc::into_inner(graph).expect("the sorters that borrowed it are gone");
        graph.exhausted = exhausted;
        graph
    }
}
