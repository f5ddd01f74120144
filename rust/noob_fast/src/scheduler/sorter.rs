//! One epoch's progress through a graph: what waits for how many, what is ready, out and done.

use crate::error::{Error, Result};
use crate::scheduler::graph::Graph;
use crate::scheduler::items::{Item, Items, PREVIOUS_EPOCH, Slot};
use crate::scheduler::ready::ReadySet;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Handed out to run.
const OUT: u8 = 1;
/// Finished: run, or expired.
const DONE: u8 = 2;
/// Finished by running.
const RAN: u8 = 4;

/// What an epoch knows of an item that its graph does not have: a sub-epoch is told of nodes
/// outside its part of the tube.
#[derive(Clone, Copy, Default)]
struct Foreign {
    flags: u8,
    /// Whether the item counts as added from now on, though it is connected to nothing.
    added: bool,
}

#[derive(Clone)]
pub struct Sorter {
    pub graph: Arc<Graph>,
    waiting: Vec<i32>,
    flags: Vec<u8>,
    ready: ReadySet,
    passed_out: i64,
    finished: i64,
    /// Optional slots that no longer wait.
    freed: FxHashSet<Slot>,
    foreign: FxHashMap<Item, Foreign>,
    /// How many of the scheduler's sources, from the first on, are known to be done.
    sources_done: usize,
}

impl Sorter {
    pub fn new(graph: &Arc<Graph>) -> Self {
        Sorter {
            graph: Arc::clone(graph),
            waiting: graph.waiting.clone(),
            flags: vec![0; graph.len()],
            ready: ReadySet::new(&graph.ready, graph.len()),
            passed_out: 0,
            finished: 0,
            freed: FxHashSet::default(),
            foreign: FxHashMap::default(),
            sources_done: 0,
        }
    }

    /// Whether all of `sources` are done; what was found done once is not asked again.
    pub fn all_done(&mut self, sources: &[Item]) -> bool {
        while sources
            .get(self.sources_done)
            .is_some_and(|&item| self.is_done(item))
        {
            self.sources_done += 1;
        }
        self.sources_done == sources.len()
    }

    fn flags_of(&self, item: Item) -> u8 {
        match self.graph.local(item) {
            Some(local) => self.flags[local as usize],
            None => self.foreign.get(&item).map_or(0, |foreign| foreign.flags),
        }
    }

    pub fn is_out(&self, item: Item) -> bool {
        self.flags_of(item) & OUT != 0
    }

    pub fn is_done(&self, item: Item) -> bool {
        self.flags_of(item) & DONE != 0
    }

    pub fn has_run(&self, item: Item) -> bool {
        self.flags_of(item) & RAN != 0
    }

    pub fn is_ready(&self, item: Item) -> bool {
        self.graph
            .local(item)
            .is_some_and(|local| self.ready.contains(local))
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether the item counts as added: it is in the graph, or was told to expire.
    pub fn knows(&self, item: Item) -> bool {
        self.graph.local(item).is_some()
            || self.foreign.get(&item).is_some_and(|foreign| foreign.added)
    }

    pub fn is_active(&self) -> bool {
        !self.graph.exhausted && (self.finished < self.passed_out || self.has_ready())
    }

    /// Take all nodes that are ready, in order; they and their signals are out from now on.
    pub fn get_ready(&mut self) -> Vec<u32> {
        let graph = Arc::clone(&self.graph);
        let nodes: Vec<u32> = self
            .ready
            .iter()
            .filter(|&local| !graph.is_signal[local as usize])
            .collect();
        let only_nodes = self.ready.len() == nodes.len();
        if only_nodes {
            self.ready.clear();
        }
        let mut marked = 0;
        let mut mark = |set: &mut ReadySet, flags: &mut [u8], local: u32| {
            if !only_nodes {
                set.swap_remove(local);
            }
            flags[local as usize] |= OUT;
            marked += 1;
        };
        for &node in &nodes {
            mark(&mut self.ready, &mut self.flags, node);
        }
        for &node in &nodes {
            for &signal in graph.signals.of(node) {
                mark(&mut self.ready, &mut self.flags, signal);
            }
        }
        self.passed_out += marked;
        nodes
    }

    /// Mark an item of the graph as out, without its signals.
    pub fn mark_out(&mut self, local: u32) {
        self.ready.swap_remove(local);
        self.flags[local as usize] |= OUT;
        self.passed_out += 1;
    }

    /// Finish an item. False if it was finished before.
    #[inline]
    fn finish(&mut self, local: u32) -> bool {
        let flags = &mut self.flags[local as usize];
        if *flags & DONE != 0 {
            return false;
        }
        if *flags & OUT == 0 {
            self.passed_out += 1;
        }
        *flags = (*flags & !OUT) | DONE;
        self.finished += 1;
        self.ready.swap_remove(local);
        true
    }

    fn finish_foreign(&mut self, item: Item, unlock: bool) {
        let foreign = self.foreign.entry(item).or_default();
        if foreign.flags & DONE == 0 {
            foreign.flags |= DONE;
            foreign.added |= unlock;
            self.finished += 1;
            self.passed_out += 1;
        }
    }

    /// Finish items without running them: what needs them can no longer run, and with `unlock`,
    /// what only wished for them may run without.
    pub fn expire(&mut self, all: &Items, items: &[Item], unlock: bool) {
        let graph = Arc::clone(&self.graph);
        let mut newly = Vec::with_capacity(items.len());
        for &item in items {
            match graph.local(item) {
                Some(local) => {
                    if self.finish(local) {
                        newly.push(local);
                    }
                    for &next in graph.successors.of(local) {
                        self.ready.remove_in_place(next);
                    }
                }
                None => self.finish_foreign(item, unlock),
            }
        }
        if unlock {
            for local in newly {
                self.unlock(all, local);
            }
        }
    }

    /// Free the optional slots that waited for an expired item.
    fn unlock(&mut self, all: &Items, expired: u32) {
        let graph = Arc::clone(&self.graph);
        for &slot in graph.optionals(all).of(expired) {
            let item = all.slot_owner(slot);
            let Some(node) = graph.local(item) else {
                continue;
            };
            if self.freed.insert(slot) {
                self.waiting[node as usize] -= 1;
            }
            if self.waiting[node as usize] == 0 && self.flags[node as usize] & (DONE | OUT) == 0 {
                self.ready.insert(node);
            }
        }
    }

    /// Finish items that ran: what waited for them waits for one less.
    ///
    /// # Errors
    /// [`Error::AlreadyDone`], [`Error::NotAdded`]; then nothing has changed.
    pub fn done(&mut self, all: &Items, items: &[Item]) -> Result<()> {
        let done: Vec<Item> = items
            .iter()
            .copied()
            .filter(|&item| self.is_done(item))
            .collect();
        if !done.is_empty() {
            return Err(already_done(all, &done));
        }
        let unknown: Vec<Item> = items
            .iter()
            .copied()
            .filter(|&item| !self.knows(item))
            .collect();
        if !unknown.is_empty() {
            let text = format!("node(s) {} were not added using add()", all.list(&unknown));
            return Err(Error::NotAdded(text));
        }
        let mut newly = Vec::with_capacity(items.len());
        for &item in items {
            if let Some(local) = self.graph.local(item) {
                if self.finish(local) {
                    self.flags[local as usize] |= RAN;
                    newly.push(local);
                }
            } else {
                self.finish_foreign(item, false);
                self.foreign.entry(item).or_default().flags |= RAN;
            }
        }
        for local in newly {
            self.release(local);
        }
        Ok(())
    }

    /// Finish a node that ran, and those of its signals that are not finished. False if the node
    /// was finished before; then nothing changes.
    #[inline]
    pub fn node_done(&mut self, local: u32) -> bool {
        if !self.done_local(local) {
            return false;
        }
        let graph = Arc::clone(&self.graph);
        let signals = graph.signals.of(local);
        if signals.iter().any(|&signal| self.ready.contains(signal)) {
            // The node is done before it was taken. Its signals leave the set of what is ready
            // before what waits for them enters it: the order of that depends on it.
            let newly: Vec<u32> = signals
                .iter()
                .copied()
                .filter(|&signal| self.finish(signal))
                .collect();
            for signal in newly {
                self.flags[signal as usize] |= RAN;
                self.release(signal);
            }
            return true;
        }
        for &signal in signals {
            self.done_local(signal);
        }
        true
    }

    /// Finish one item of the graph that ran. False if it was finished before.
    #[inline]
    pub fn done_local(&mut self, local: u32) -> bool {
        if !self.finish(local) {
            return false;
        }
        self.flags[local as usize] |= RAN;
        self.release(local);
        true
    }

    /// What waited for an item waits for one less. (A disabled node is no one's successor: the
    /// graph leaves out the edges into it.)
    #[inline]
    fn release(&mut self, local: u32) {
        let (flags, waiting) = (&self.flags[..], &mut self.waiting[..]);
        for &next in self.graph.successors.of(local) {
            if flags[next as usize] & (DONE | OUT) != 0 {
                continue;
            }
            let waiting = &mut waiting[next as usize];
            *waiting -= 1;
            if *waiting == 0 {
                self.ready.insert(next);
            }
        }
    }

    pub fn done_if_there(&mut self, item: Item) {
        if let Some(local) = self.graph.local(item) {
            self.done_local(local);
        }
    }

    /// Undo the expiry of an item, so that it can be marked done after all; that is what must
    /// come next, so it does not become ready.
    ///
    /// # Errors
    /// [`Error::AlreadyDone`] if it ran.
    pub fn resurrect(&mut self, all: &Items, item: Item) -> Result<()> {
        if self.has_run(item) {
            return Err(Error::AlreadyDone(format!(
                "node(s) {} were marked done, not expired! can only resurrect expired nodes.",
                all.list(&[item])
            )));
        }
        if self.graph.disabled.contains(&item) || !self.is_done(item) {
            return Ok(());
        }
        self.finished -= 1;
        self.passed_out -= 1;
        if let Some(local) = self.graph.local(item) {
            self.flags[local as usize] &= !DONE;
        } else if let Some(foreign) = self.foreign.get_mut(&item) {
            foreign.flags &= !DONE;
        }
        Ok(())
    }

    /// Everything about this epoch, for debugging; costs as much as the graph is large.
    pub fn state(&self) -> SorterState {
        let mut state = SorterState {
            passed_out: self.passed_out,
            finished: self.finished,
            disabled: self.graph.disabled.iter().copied().collect(),
            ..SorterState::default()
        };
        let known = (0..self.graph.len()).map(|at| (self.graph.items[at], self.flags[at], true));
        let foreign = self
            .foreign
            .iter()
            .map(|(&item, it)| (item, it.flags, it.added));
        for (item, flags, added) in known.chain(foreign) {
            let ready = self.is_ready(item);
            let groups = [
                (ready, &mut state.ready),
                (flags & OUT != 0, &mut state.out),
                (flags & DONE != 0, &mut state.done),
                (flags & RAN != 0, &mut state.ran),
                (
                    added && !ready && flags == 0 && !self.graph.disabled.contains(&item),
                    &mut state.pending,
                ),
            ];
            for (belongs, group) in groups {
                if belongs {
                    group.push(item);
                }
            }
            if added {
                state.known.push((
                    item,
                    self.graph
                        .local(item)
                        .map_or(0, |at| self.waiting[at as usize]),
                ));
            }
        }
        state
    }
}

/// The error that `noob_core` raises, in its words.
pub fn already_done(all: &Items, items: &[Item]) -> Error {
    Error::AlreadyDone(format!(
        "node(s) {} were already marked done",
        all.list(items)
    ))
}

/// See [`Sorter::state`].
#[derive(Debug, Default, PartialEq)]
pub struct SorterState {
    pub ready: Vec<Item>,
    pub out: Vec<Item>,
    pub done: Vec<Item>,
    pub disabled: Vec<Item>,
    pub ran: Vec<Item>,
    pub pending: Vec<Item>,
    pub passed_out: i64,
    pub finished: i64,
    /// Every item that counts as added, with the number of predecessors it still waits for.
    pub known: Vec<(Item, i32)>,
}

/// The sets of nodes that become ready together if every node runs.
pub fn generations(graph: &Arc<Graph>, all: &Items) -> Vec<Vec<Item>> {
    let mut sorter = Sorter::new(graph);
    if sorter.is_ready(PREVIOUS_EPOCH) {
        sorter.done_if_there(PREVIOUS_EPOCH);
    }
    let mut groups = Vec::new();
    while sorter.is_active() {
        let nodes = sorter.get_ready();
        let out: Vec<Item> = nodes
            .iter()
            .chain(nodes.iter().flat_map(|&node| graph.signals.of(node)))
            .map(|&local| graph.items[local as usize])
            .collect();
        groups.push(
            nodes
                .iter()
                .map(|&local| graph.items[local as usize])
                .collect(),
        );
        if sorter.done(all, &out).is_err() || (out.is_empty() && sorter.is_active()) {
            break;
        }
    }
    groups
}
