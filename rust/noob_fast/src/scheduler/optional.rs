//! Which optional slots become free when an item expires.
//!
//! A node that emits no event cancels what needs it. Somewhere below, an optional slot may wait
//! for what now never comes: that slot is freed at once, without running the chain in between.
//! `noob_core` keeps this up to date at every edge that it adds, walking the whole graph each time.
//! Here it is worked out when the first item expires, for the whole graph in one pass where the
//! edges come in dependency order, as in nearly every tube. Elsewhere `noob_core`'s answer depends
//! on the order of the edges, and its bookkeeping is replayed step by step.

use crate::scheduler::graph::Graph;
use crate::scheduler::items::{Item, Items, PREVIOUS_EPOCH, Slot};
use indexmap::{IndexMap, IndexSet};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use std::sync::Arc;

type Set<T> = IndexSet<T, FxBuildHasher>;

pub struct Optionals {
    /// Slots by local number; nothing where there are none.
    slots: FxHashMap<u32, Arc<[Slot]>>,
    /// By node, the signals that it takes optionally, and for which slot.
    pub predecessors: FxHashMap<Item, Vec<(Item, Slot)>>,
}

impl Optionals {
    pub fn new(graph: &Graph, all: &Items) -> Self {
        let predecessors = optional_predecessors(graph);
        let slots = if graph.edges.iter().all(|edge| edge.required) {
            FxHashMap::default()
        } else if in_dependency_order(graph) {
            direct(graph, &predecessors)
        } else {
            replay(graph, all)
        };
        Optionals {
            slots,
            predecessors,
        }
    }

    /// The slots that the expiry of an item frees, in order.
    pub fn of(&self, local: u32) -> &[Slot] {
        self.slots.get(&local).map_or(&[], |slots| slots)
    }

    /// Every item that frees a slot, with the slots.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[Slot])> {
        self.slots.iter().map(|(&local, slots)| (local, &**slots))
    }
}

fn optional_predecessors(graph: &Graph) -> FxHashMap<Item, Vec<(Item, Slot)>> {
    let mut optional: FxHashMap<Item, Vec<(Item, Slot)>> = FxHashMap::default();
    for edge in &graph.edges {
        // The last edge of a signal to a node decides.
        if let Some(known) = optional.get_mut(&edge.target) {
            known.retain(|&(signal, _)| signal != edge.signal);
        }
        if !edge.required {
            optional
                .entry(edge.target)
                .or_default()
                .push((edge.signal, edge.slot));
        }
    }
    for &node in &graph.stateful {
        // Their previous epoch is required, whatever an edge said.
        if let Some(known) = optional.get_mut(&graph.items[node as usize]) {
            known.retain(|&(signal, _)| signal != PREVIOUS_EPOCH);
        }
    }
    optional.retain(|_, slots| !slots.is_empty());
    optional
}

/// Whether all edges into a node come before all edges out of it, and none comes twice.
fn in_dependency_order(graph: &Graph) -> bool {
    let mut used_as_source: FxHashSet<Item> = FxHashSet::default();
    let mut connections: FxHashSet<(Item, Item)> = FxHashSet::default();
    let mut slots: FxHashSet<Slot> = FxHashSet::default();
    graph.edges.iter().all(|edge| {
        used_as_source.insert(edge.source);
        edge.signal != PREVIOUS_EPOCH
            && !used_as_source.contains(&edge.target)
            && connections.insert((edge.signal, edge.target))
            && slots.insert(edge.slot)
    })
}

/// In dependency order, a signal frees a slot if a way leads down to it through nodes that take
/// nothing optionally. One pass from the last edge to the first, sharing equal sets.
fn direct(
    graph: &Graph,
    optional: &FxHashMap<Item, Vec<(Item, Slot)>>,
) -> FxHashMap<u32, Arc<[Slot]>> {
    let mut rank: FxHashMap<Slot, u32> = FxHashMap::default();
    for (edge, at) in graph.edges.iter().zip(0..) {
        if !edge.required {
            rank.insert(edge.slot, at);
        }
    }
    let mut freed: FxHashMap<u32, Arc<[Slot]>> = FxHashMap::default();
    for edge in graph.edges.iter().rev() {
        let Some(signal) = graph.local(edge.signal) else {
            continue;
        };
        if !edge.required {
            merge(&mut freed, signal, &Arc::from([edge.slot]), &rank);
        } else if !optional.contains_key(&edge.target)
            && let Some(target) = graph.local(edge.target)
        {
            for &below in graph.signals.of(target) {
                if let Some(slots) = freed.get(&below).cloned() {
                    merge(&mut freed, signal, &slots, &rank);
                }
            }
        }
    }
    // Stateful nodes are added last, when all that is below them stands: they know the whole of
    // it, and so does what they wait for.
    let mut previous: Set<Slot> = Set::default();
    for &node in &graph.stateful {
        let below = walk_down(graph, optional, node);
        previous.extend(&below);
        if !below.is_empty() {
            freed.insert(node, below.into_iter().collect());
        }
    }
    if let Some(local) = graph.local(PREVIOUS_EPOCH)
        && !previous.is_empty()
    {
        freed.insert(local, previous.into_iter().collect());
    }
    freed
}

fn merge(
    freed: &mut FxHashMap<u32, Arc<[Slot]>>,
    signal: u32,
    more: &Arc<[Slot]>,
    rank: &FxHashMap<Slot, u32>,
) {
    let Some(known) = freed.get_mut(&signal) else {
        freed.insert(signal, Arc::clone(more));
        return;
    };
    if Arc::ptr_eq(known, more) {
        return;
    }
    let have: FxHashSet<Slot> = known.iter().copied().collect();
    if more.iter().all(|slot| have.contains(slot)) {
        return;
    }
    let mut both: Vec<Slot> = known.iter().chain(more.iter()).copied().collect();
    both.sort_unstable_by_key(|slot| rank[slot]);
    both.dedup();
    *known = both.into();
}

/// The optional slots below a node, stopping at each way's first.
fn walk_down(graph: &Graph, optional: &FxHashMap<Item, Vec<(Item, Slot)>>, node: u32) -> Set<Slot> {
    let mut visit: Set<u32> = graph.successors.of(node).iter().copied().collect();
    let mut seen: Set<u32> = Set::default();
    let mut found: Set<Slot> = Set::default();
    while let Some(current) = visit.pop() {
        for &next in graph.successors.of(current) {
            let taken = (!graph.is_signal[next as usize])
                .then(|| optional.get(&graph.items[next as usize]))
                .flatten()
                .and_then(|takes| {
                    takes
                        .iter()
                        .find(|&&(signal, _)| signal == graph.items[current as usize])
                });
            if let Some(&(_, slot)) = taken {
                found.insert(slot);
            } else {
                for &below in graph.successors.of(next) {
                    if !seen.contains(&below) {
                        visit.insert(below);
                    }
                }
                seen.extend(graph.successors.of(next));
            }
        }
    }
    found
}

/// What is known of an item while edges are replayed.
#[derive(Default)]
struct Record {
    successors: Set<Item>,
    predecessors: Set<Item>,
    optional: IndexMap<Item, Slot, FxBuildHasher>,
    freed: Set<Slot>,
}

/// `noob_core`'s bookkeeping, edge by edge.
struct Replay<'a> {
    all: &'a Items,
    records: FxHashMap<Item, Record>,
}

fn replay(graph: &Graph, all: &Items) -> FxHashMap<u32, Arc<[Slot]>> {
    let mut replay = Replay {
        all,
        records: FxHashMap::default(),
    };
    for edge in &graph.edges {
        replay.connect(edge.signal, edge.target);
        if edge.signal != PREVIOUS_EPOCH {
            replay.connect(edge.source, edge.signal);
        }
        replay.update(edge.target, edge.signal, Some(edge.slot), edge.required);
    }
    for &node in &graph.stateful {
        let item = graph.items[node as usize];
        replay.connect(PREVIOUS_EPOCH, item);
        replay.update(item, PREVIOUS_EPOCH, None, true);
    }
    replay
        .records
        .into_iter()
        .filter(|(_, record)| !record.freed.is_empty())
        .filter_map(|(item, record)| Some((graph.local(item)?, record.freed.into_iter().collect())))
        .collect()
}

impl Replay<'_> {
    fn connect(&mut self, from: Item, to: Item) {
        self.records.entry(from).or_default().successors.insert(to);
        self.records
            .entry(to)
            .or_default()
            .predecessors
            .insert(from);
    }

    fn update(&mut self, node: Item, signal: Item, slot: Option<Slot>, required: bool) {
        let record = self.records.entry(node).or_default();
        match slot {
            Some(slot) if !required => {
                record.optional.insert(signal, slot);
            }
            _ => {
                record.optional.swap_remove(&signal);
            }
        }
        let below = self.below(node);
        self.records.entry(node).or_default().freed.extend(below);
        if let Some(slot) = slot {
            self.forget_above(node, signal, slot);
        }
        self.tell_above(node, signal, slot.filter(|_| !required));
    }

    /// The optional slots below a node, as far as the graph stands.
    fn below(&self, node: Item) -> Set<Slot> {
        let mut visit = self.records[&node].successors.clone();
        let mut seen: Set<Item> = Set::default();
        let mut found: Set<Slot> = Set::default();
        while let Some(current) = visit.pop() {
            for next in &self.records[&current].successors {
                let record = &self.records[next];
                match record.optional.get(&current) {
                    Some(&slot) if !self.all.is_signal(*next) => {
                        found.insert(slot);
                    }
                    _ => {
                        visit.extend(record.successors.difference(&seen).copied());
                        seen.extend(record.successors.iter().copied());
                    }
                }
            }
        }
        found
    }

    /// A slot that is required now is no longer freed from above.
    fn forget_above(&mut self, node: Item, signal: Item, slot: Slot) {
        let mut visit: Set<Item> = Set::default();
        if !self.records[&node].optional.contains_key(&signal) {
            visit.insert(signal);
        }
        let mut seen: Set<Item> = Set::default();
        while let Some(current) = visit.pop() {
            let record = self.records.entry(current).or_default();
            record.freed.swap_remove(&slot);
            visit.extend(
                record
                    .predecessors
                    .iter()
                    .filter(|&before| {
                        !seen.contains(before) && !record.optional.contains_key(before)
                    })
                    .copied(),
            );
            seen.extend(record.predecessors.iter().copied());
        }
    }

    /// Signals above learn of an optional slot, and of all that the node frees.
    fn tell_above(&mut self, node: Item, signal: Item, slot: Option<Slot>) {
        let news = self.records[&node].freed.clone();
        if slot.is_none() && news.is_empty() {
            return;
        }
        let mut visit: Set<Item> = Set::default();
        visit.insert(signal);
        let mut seen: Set<Item> = Set::default();
        while let Some(current) = visit.pop() {
            let is_signal = self.all.is_signal(current);
            let record = self.records.entry(current).or_default();
            if is_signal {
                record.freed.extend(slot);
                record.freed.extend(news.iter().copied());
            }
            if record.optional.is_empty() {
                visit.extend(record.predecessors.difference(&seen).copied());
                seen.extend(record.predecessors.iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{direct, in_dependency_order, optional_predecessors, replay};
    use crate::scheduler::graph::Graph;
    use crate::scheduler::tests::support::{Draft, Random};

    #[test]
    fn in_dependency_order_one_pass_finds_what_the_replay_finds() {
        let mut found = 0;
        for seed in 0..500 {
            let draft = Draft::random(&mut Random::new(seed), 25);
            let graph = Graph::new(&draft.items, &draft.nodes, &draft.edges);
            assert!(in_dependency_order(&graph), "seed {seed}");
            let freed = direct(&graph, &optional_predecessors(&graph));
            assert_eq!(freed, replay(&graph, &draft.items), "seed {seed}");
            found += freed.len();
        }
        assert!(found > 1000, "there was something to find");
    }

    #[test]
    fn edges_out_of_order_are_told_from_those_in_order() {
        for (edges, in_order) in [
            ("a.v > b.x, b.v > c.x", true),
            ("b.v > c.x, a.v > b.x", false),
            ("a.v > b.x, a.v ? b.y", false),
            ("a.v > b.x, a.w > b.x", false),
            ("meta.previous_epoch > b.x", false),
        ] {
            let draft = Draft::parse("a b c", edges);
            let graph = Graph::new(&draft.items, &draft.nodes, &draft.edges);
            assert_eq!(in_dependency_order(&graph), in_order, "{edges}");
        }
    }
}
