//! What runs, when: epochs in progress, the sub-epochs inside them, and when each has ended.
//!
//! The answers are those of `noob_core.Scheduler`, order included. The costs are not: a graph is
//! built in one linear pass, an epoch is a copy of two arrays, and a finished node costs what its
//! own edges cost.

pub mod epoch;
pub mod graph;
pub mod items;

mod downstream;
mod optional;
mod priority;
mod progress;
mod ready;
pub mod sorter;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::scheduler::downstream::Downstream;
use crate::scheduler::epoch::{Epoch, EpochOrder};
use crate::scheduler::graph::{Edge, Graph, Node};
use crate::scheduler::items::{FIRST_OWN, Item, Items, META, PREVIOUS_EPOCH};
use crate::scheduler::sorter::{Sorter, SorterState, generations};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many ended epochs are remembered one by one; all before them count as ended.
pub(crate) const EPOCH_LOG: usize = 1000;

/// The sub-epochs of an epoch, at any depth.
#[derive(Default)]
pub(crate) struct Below {
    /// All of them, in the order in which they came.
    pub(crate) epochs: Vec<Epoch>,
    /// How many of them are active.
    pub(crate) active: usize,
    /// Those in which something is ready.
    pub(crate) ready: FxHashSet<Epoch>,
}

/// What a node emitted, as far as the scheduler cares.
#[derive(Clone)]
pub struct Event {
    pub epoch: Epoch,
    pub node: Item,
    /// The signal, if something depends on it.
    pub signal: Option<Item>,
    pub no_event: bool,
    pub exhausted: bool,
}

pub struct Scheduler {
    pub items: Items,
    pub order: EpochOrder,
    /// Whether no node can run in any new epoch.
    pub exhausted: bool,
    pub(crate) nodes: Vec<Node>,
    pub(crate) node_at: FxHashMap<Item, usize>,
    pub(crate) edges: Vec<Edge>,
    /// The graph that new epochs start from, and whether nodes were exhausted since it was built.
    pub(crate) template: Arc<Graph>,
    pub(crate) stale: bool,
    /// The graph as first built: it says which events matter.
    pub(crate) first: Arc<Graph>,
    pub(crate) sources: Vec<Item>,
    /// By item, whether it is one of them.
    pub(crate) is_source: Vec<bool>,
    /// How many of the tube's own sources are not exhausted.
    pub(crate) live_sources: usize,
    pub(crate) downstream: Downstream,
    pub(crate) subgraphs: FxHashMap<Item, Arc<Graph>>,
    pub(crate) epochs: FxHashMap<Epoch, Sorter>,
    /// The roots among them.
    pub(crate) roots: BTreeSet<u32>,
    pub(crate) epoch_log: BTreeSet<u32>,
    pub(crate) next_epoch: u32,
    /// The sub-epochs of those that have some.
    pub(crate) below: FxHashMap<Epoch, Below>,
    /// What each item costs, where the critical path decides which ready node goes first.
    costs: Option<Vec<f64>>,
}

impl Scheduler {
    /// `nodes` and `edges` speak of `items`. Where a node is given twice the later wins, in the
    /// earlier's place.
    pub fn new(items: Items, given: &[Node], edges: Vec<Edge>) -> Self {
        let mut nodes: Vec<Node> = Vec::with_capacity(given.len());
        let mut node_at: FxHashMap<Item, usize> = FxHashMap::default();
        for &node in given {
            if let Some(&at) = node_at.get(&node.item) {
                nodes[at] = node;
            } else {
                node_at.insert(node.item, nodes.len());
                nodes.push(node);
            }
        }
        let template = Graph::new(&items, &nodes, &edges);
        let sources = template.source_nodes();
        let mut is_source = vec![false; items.len()];
        for &item in &sources {
            is_source[item as usize] = true;
        }
        Scheduler {
            exhausted: false,
            live_sources: sources
                .iter()
                .filter(|item| **item >= FIRST_OWN && node_at.contains_key(item))
                .count(),
            downstream: Downstream::default(),
            subgraphs: FxHashMap::default(),
            epochs: FxHashMap::default(),
            roots: BTreeSet::new(),
            epoch_log: BTreeSet::new(),
            next_epoch: 0,
            below: FxHashMap::default(),
            costs: None,
            order: EpochOrder::default(),
            first: Arc::clone(&template),
            stale: false,
            items,
            nodes,
            node_at,
            edges,
            template,
            sources,
            is_source,
        }
    }

    /// From now on, of the nodes that are ready in an epoch those come first that are furthest from
    /// the end, in what `costs` counts, by item; those as far as each other in the usual order.
    pub fn prefer_critical_path(&mut self, costs: Vec<f64>) {
        self.costs = Some(costs);
    }

    pub(crate) fn template(&mut self) -> Arc<Graph> {
        if self.stale {
            self.template = Graph::new(&self.items, &self.nodes, &self.edges);
            self.stale = false;
        }
        Arc::clone(&self.template)
    }

    /// Whether events of this item can change anything.
    pub fn matters(&self, item: Item) -> bool {
        self.first.local(item).is_some()
    }

    pub fn is_enabled(&self, node: Item) -> bool {
        self.node_at
            .get(&node)
            .is_some_and(|&at| self.nodes[at].enabled)
    }

    pub fn source_nodes(&self) -> &[Item] {
        &self.sources
    }

    // ------------------------------------------------------------------ epochs come

    /// Add the epoch after the highest that there was.
    pub fn add_epoch(&mut self) -> Epoch {
        let epoch = Epoch::root(self.next_epoch);
        self.next_epoch += 1;
        self.start_root(&epoch);
        epoch
    }

    /// Add a given epoch or sub-epoch.
    ///
    /// # Errors
    /// [`Error::EpochExists`], [`Error::EpochCompleted`].
    pub fn add_epoch_at(&mut self, epoch: &Epoch) -> Result<()> {
        if self.epochs.contains_key(epoch) {
            let text = format!("Epoch {} is already scheduled!", self.describe(epoch));
            return Err(Error::EpochExists(text));
        }
        if self.epoch_completed(epoch) {
            let text = format!("Epoch {} has already been completed!", self.describe(epoch));
            return Err(Error::EpochCompleted(text));
        }
        self.next_epoch = self.next_epoch.max(epoch.root + 1);
        if epoch.is_root() {
            self.start_root(epoch);
            Ok(())
        } else {
            self.start_subepoch(epoch)
        }
    }

    /// What iterating over "the next epoch" begins with: the first active root, or a new one;
    /// `None` where nothing ever becomes ready.
    ///
    /// # Errors
    /// [`Error::Exhausted`].
    pub fn begin(&mut self) -> Result<Option<Epoch>> {
        let epoch = match self.first_active_epoch() {
            Some(epoch) => epoch,
            None if self.exhausted => return Err(exhausted_error()),
            None => self.add_epoch(),
        };
        if self.epoch_completed(&epoch) {
            return Ok(None);
        }
        if !self.is_active_at(&epoch) && self.exhausted {
            return Err(exhausted_error());
        }
        Ok(Some(epoch))
    }

    fn start_root(&mut self, epoch: &Epoch) {
        let mut sorter = Sorter::new(&self.template());
        if epoch.root == 0 || self.epoch_completed(&Epoch::root(epoch.root - 1)) {
            sorter.done_if_there(PREVIOUS_EPOCH);
        }
        if sorter.is_active() {
            self.epochs.insert(epoch.clone(), sorter);
            self.roots.insert(epoch.root);
        } else {
            self.epoch_log.insert(epoch.root);
        }
    }

    /// A sub-epoch runs what is downstream of the node that opened it, and knows what its parent
    /// has finished; in the parent that node is expired.
    fn start_subepoch(&mut self, epoch: &Epoch) -> Result<()> {
        let (Some(parent_epoch), Some((node, _))) = (epoch.parent(), epoch.leaf()) else {
            let text = format!("Cannot create a subepoch for root epoch {}", epoch.root);
            return Err(Error::Value(text));
        };
        let graph = self.subgraph(node);
        if !self.epochs.contains_key(&parent_epoch) {
            if parent_epoch.is_root() {
                self.start_root(&parent_epoch);
            } else {
                self.start_subepoch(&parent_epoch)?;
            }
        }
        let Some(parent) = self.epochs.get(&parent_epoch) else {
            let text = format!(
                "Epoch {} cannot have sub-epochs: nothing runs in it",
                epoch.root
            );
            return Err(Error::Value(text));
        };
        let mut sorter = Sorter::new(&graph);
        let own_signals: FxHashSet<Item> =
            parent
                .graph
                .local(node)
                .map_or_else(FxHashSet::default, |local| {
                    let signals = parent.graph.signals.of(local).iter();
                    signals
                        .map(|&signal| parent.graph.items[signal as usize])
                        .collect()
                });
        for (&item, local) in graph.items.iter().zip(0..) {
            if parent.has_run(item) {
                sorter.done(&self.items, &[item])?;
            } else if parent.is_done(item) && item != node && !own_signals.contains(&item) {
                sorter.expire(&self.items, &[item], false);
            } else if parent.is_out(item) {
                sorter.mark_out(local);
            }
        }
        let done_in_parent = parent.is_done(node);
        let (active, ready) = (sorter.is_active(), sorter.has_ready());
        self.epochs.insert(epoch.clone(), sorter);
        for parent in epoch.parents() {
            self.below
                .entry(parent)
                .or_default()
                .epochs
                .push(epoch.clone());
        }
        self.note(epoch, (false, false), (active, ready));
        if !done_in_parent {
            self.expire(&parent_epoch, node, false, false)?;
        }
        Ok(())
    }

    fn subgraph(&mut self, node: Item) -> Arc<Graph> {
        if let Some(known) = self.subgraphs.get(&node) {
            return Arc::clone(known);
        }
        let below = self.downstream.of(&self.edges, node);
        let nodes: Vec<Node> = below
            .iter()
            .filter_map(|item| self.node_at.get(item).map(|&at| self.nodes[at]))
            .collect();
        let edges = self.downstream.edges_into(&self.edges, &below);
        let graph = Graph::new(&self.items, &nodes, &edges);
        self.subgraphs.insert(node, Arc::clone(&graph));
        graph
    }

    // ------------------------------------------------------------------ what is ready

    /// Take all that is ready, in all epochs.
    pub fn get_ready(&mut self) -> Vec<(Epoch, Item)> {
        self.root_epochs()
            .iter()
            .flat_map(|root| self.get_ready_at(root))
            .collect()
    }

    /// The root epochs that were added and have not ended, the lowest first.
    pub fn root_epochs(&self) -> Vec<Epoch> {
        self.roots.iter().map(|&root| Epoch::root(root)).collect()
    }

    /// Take all that is ready in an epoch and its sub-epochs.
    pub fn get_ready_at(&mut self, epoch: &Epoch) -> Vec<(Epoch, Item)> {
        let mut ready = Vec::new();
        for (epoch, nodes) in self.take_ready(epoch) {
            ready.extend(nodes.into_iter().map(|node| (epoch.clone(), node)));
        }
        ready
    }

    /// [`Self::get_ready_at`], with the nodes of each epoch together.
    pub fn take_ready(&mut self, epoch: &Epoch) -> Vec<(Epoch, Vec<Item>)> {
        let mut epochs = vec![epoch.clone()];
        if !self.below.is_empty()
            && let Some(below) = self.below.get(epoch)
        {
            epochs.extend(below.ready.iter().cloned());
            epochs.sort_by(|a, b| self.order.compare(a, b));
        }
        let ready = epochs.into_iter().map(|epoch| {
            let nodes = self.take_ready_of(&epoch);
            (epoch, nodes)
        });
        ready.filter(|(_, nodes)| !nodes.is_empty()).collect()
    }

    /// Take what is ready in an epoch alone, not in its sub-epochs.
    pub fn take_ready_of(&mut self, epoch: &Epoch) -> Vec<Item> {
        let taken = self.change(epoch, |sorter, _| {
            let nodes = sorter.get_ready();
            (nodes, Arc::clone(&sorter.graph))
        });
        let Some((mut nodes, graph)) = taken else {
            return Vec::new();
        };
        if let Some(costs) = &self.costs {
            let ranks = graph.ranks(costs);
            nodes.sort_by(|&a, &b| ranks[b as usize].total_cmp(&ranks[a as usize]));
        }
        for node in &mut nodes {
            *node = graph.items[*node as usize];
        }
        nodes
    }

    /// Whether any epoch has work.
    pub fn is_active(&self) -> bool {
        self.first_active_epoch().is_some()
    }

    /// Whether an epoch or a sub-epoch of it has work.
    pub fn is_active_at(&self, epoch: &Epoch) -> bool {
        self.epochs.get(epoch).is_some_and(Sorter::is_active)
            || self.below.get(epoch).is_some_and(|below| below.active > 0)
    }

    /// The lowest root that has work.
    pub fn first_active_epoch(&self) -> Option<Epoch> {
        self.roots
            .iter()
            .map(|&root| Epoch::root(root))
            .find(|root| self.is_active_at(root))
    }

    pub fn epoch_completed(&self, epoch: &Epoch) -> bool {
        self.epoch_log.first().is_some_and(|first| {
            (epoch.root < *first || self.epoch_log.contains(&epoch.root))
                && !self.epochs.contains_key(epoch)
        })
    }

    pub fn node_is_ready(&self, node: Item, epoch: &Epoch, subepochs: bool) -> bool {
        let ready = |epoch| self.epochs.get(epoch).is_some_and(|it| it.is_ready(node));
        ready(epoch)
            || (subepochs
                && self
                    .below
                    .get(epoch)
                    .is_some_and(|below| below.ready.iter().any(ready)))
    }

    pub fn node_is_done(&self, node: Item, epoch: &Epoch) -> bool {
        let done = |epoch| self.epochs.get(epoch).is_some_and(|it| it.is_done(node));
        self.epoch_completed(epoch)
            || (done(epoch)
                && self
                    .below
                    .get(epoch)
                    .is_none_or(|below| below.epochs.iter().all(done)))
    }

    /// Whether all nodes without dependencies are finished in an epoch.
    pub fn sources_finished(&mut self, epoch: &Epoch) -> bool {
        self.epoch_completed(epoch)
            || self
                .epochs
                .get_mut(epoch)
                .is_some_and(|sorter| sorter.all_done(&self.sources))
    }

    // ------------------------------------------------------------------ what the graph is

    pub fn has_cycle(&mut self) -> bool {
        self.template().has_cycle()
    }

    pub fn generations(&mut self) -> Vec<Vec<Item>> {
        generations(&self.template(), &self.items)
    }

    /// All nodes whose events, or whose silence, can make a node ready.
    ///
    /// # Errors
    /// [`Error::NotAdded`].
    pub fn upstream_nodes(&mut self, node: Item) -> Result<FxHashSet<Item>> {
        let graph = self.template();
        let Some(local) = graph.local(node) else {
            let text = format!("Node '{}' was not added", self.items.text(node));
            return Err(Error::NotAdded(text));
        };
        let by_silence = graph.optionals(&self.items).iter().filter(|(_, slots)| {
            slots
                .iter()
                .any(|&slot| self.items.slot_owner(slot) == node)
        });
        Ok(by_silence
            .map(|(before, _)| before)
            .chain(graph.predecessors.of(local).iter().copied())
            .map(|before| self.items.owner(graph.items[before as usize]))
            .filter(|&before| before != META)
            .collect())
    }

    pub fn epoch_log(&self) -> &BTreeSet<u32> {
        &self.epoch_log
    }

    /// Whether an epoch is part of a root epoch that was added and has not ended.
    pub fn in_progress(&self, epoch: &Epoch) -> bool {
        self.roots.contains(&epoch.root)
    }

    /// The epochs that have sub-epochs, with these at any depth, in the order in which they came.
    pub fn subepochs(&self) -> impl Iterator<Item = (&Epoch, &[Epoch])> {
        self.below
            .iter()
            .map(|(epoch, below)| (epoch, &below.epochs[..]))
    }

    /// An epoch's graph and state, for debugging.
    ///
    /// # Errors
    /// [`Error::NotAdded`].
    pub fn epoch_state(&self, epoch: &Epoch) -> Result<(Arc<Graph>, SorterState)> {
        let sorter = self.epochs.get(epoch).ok_or_else(|| {
            Error::NotAdded(format!("Epoch {} does not exist", self.describe(epoch)))
        })?;
        Ok((Arc::clone(&sorter.graph), sorter.state()))
    }

    /// The epoch as NOOB prints it.
    pub fn describe(&self, epoch: &Epoch) -> String {
        if epoch.is_root() {
            return epoch.root.to_string();
        }
        let path: Vec<String> = epoch
            .path
            .iter()
            .map(|&(node, index)| format!("('{}', {index})", self.items.text(node)))
            .collect();
        format!("({}, {})", epoch.root, path.join(", "))
    }
}

fn exhausted_error() -> Error {
    Error::Exhausted("Scheduler is exhausted and cannot run until re-initialized".into())
}
