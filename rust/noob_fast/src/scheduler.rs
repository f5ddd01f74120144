//! What runs, when: epochs in progress, the sub-epochs inside them, and when each has ended.
//!
//! The answers are those of `noob_core.Scheduler`, order included. The costs are not: a graph is
//! built in one linear pass, an epoch is a copy of two arrays, and a finished node costs what its
//! own edges cost.

use crate::epoch::{Epoch, EpochOrder};
use crate::error::{Error, Result};
use crate::graph::{Edge, Graph, Node};
use crate::items::{FIRST_OWN, Item, Items, META, PREVIOUS_EPOCH};
use crate::sorter::{Sorter, SorterState, already_done, generations};
use crate::downstream::Downstream;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many ended epochs are remembered one by one; all before them count as ended.
const EPOCH_LOG: usize = 1000;

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
    nodes: Vec<Node>,
    node_at: FxHashMap<Item, usize>,
    edges: Vec<Edge>,
    /// The graph that new epochs start from, and whether nodes were exhausted since it was built.
    template: Arc<Graph>,
    stale: bool,
    /// The graph as first built: it says which events matter.
    first: Arc<Graph>,
    sources: Vec<Item>,
    /// By item, whether it is one of them.
    is_source: Vec<bool>,
    /// How many of the tube's own sources are not exhausted.
    live_sources: usize,
    downstream: Downstream,
    subgraphs: FxHashMap<Item, Arc<Graph>>,
    epochs: FxHashMap<Epoch, Sorter>,
    /// How many epochs and sub-epochs each root has.
    roots: BTreeMap<u32, usize>,
    epoch_log: BTreeSet<u32>,
    next_epoch: u32,
    /// All sub-epochs of an epoch, at any depth, in the order in which they came.
    subepochs: FxHashMap<Epoch, Vec<Epoch>>,
    /// How many of an epoch's sub-epochs are active.
    active_below: FxHashMap<Epoch, usize>,
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
            roots: BTreeMap::new(),
            epoch_log: BTreeSet::new(),
            next_epoch: 0,
            subepochs: FxHashMap::default(),
            active_below: FxHashMap::default(),
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

    fn template(&mut self) -> Arc<Graph> {
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
            None if self.exhausted => return Err(self.exhausted_error()),
            None => self.add_epoch(),
        };
        if self.epoch_completed(&epoch) {
            return Ok(None);
        }
        if !self.is_active_at(&epoch) && self.exhausted {
            return Err(self.exhausted_error());
        }
        Ok(Some(epoch))
    }

    #[allow(clippy::unused_self)]
    fn exhausted_error(&self) -> Error {
        Error::Exhausted("Scheduler is exhausted and cannot run until re-initialized".into())
    }

    fn put(&mut self, epoch: &Epoch, sorter: Sorter) {
        if sorter.is_active() {
            self.count_active(epoch, true);
        }
        *self.roots.entry(epoch.root).or_default() += 1;
        self.epochs.insert(epoch.clone(), sorter);
    }

    fn start_root(&mut self, epoch: &Epoch) {
        let mut sorter = Sorter::new(&self.template());
        if epoch.root == 0 || self.epoch_completed(&Epoch::root(epoch.root - 1)) {
            sorter.done_if_there(PREVIOUS_EPOCH);
        }
        if sorter.is_active() {
            self.put(epoch, sorter);
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
            let text = format!("Epoch {} cannot have sub-epochs: nothing runs in it", epoch.root);
            return Err(Error::Value(text));
        };
        let mut sorter = Sorter::new(&graph);
        let own_signals: FxHashSet<Item> = parent.graph.local(node).map_or_else(
            FxHashSet::default,
            |local| {
                let signals = parent.graph.signals.of(local).iter();
                signals.map(|&signal| parent.graph.items[signal as usize]).collect()
            },
        );
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
        for parent in epoch.parents() {
            self.subepochs.entry(parent).or_default().push(epoch.clone());
        }
        self.put(epoch, sorter);
        if !done_in_parent {
            self.expire(&parent_epoch, node, false, false)?;
        }
        Ok(())
    }

    fn subgraph(&mut self, node: Item) -> Arc<Graph> {
        if let Some(known) = self.subgraphs.get(&node) {
            return Arc::clone(known);
        }
        let below = self.downstream.of(&self.edges, node, None);
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
        let waiting: Vec<Epoch> = self.with_ready(self.epochs.keys());
        self.take_ready(waiting)
    }

    /// Take all that is ready in an epoch and its sub-epochs.
    pub fn get_ready_at(&mut self, epoch: &Epoch) -> Vec<(Epoch, Item)> {
        let waiting = match self.subepochs.get(epoch) {
            Some(below) => self.with_ready(below.iter().chain([epoch])),
            None => vec![epoch.clone()],
        };
        self.take_ready(waiting)
    }

    fn with_ready<'a>(&self, epochs: impl Iterator<Item = &'a Epoch>) -> Vec<Epoch> {
        let mut waiting: Vec<Epoch> = epochs
            .filter(|epoch| self.epochs.get(epoch).is_some_and(Sorter::has_ready))
            .cloned()
            .collect();
        waiting.sort_by(|a, b| self.order.compare(a, b));
        waiting
    }

    fn take_ready(&mut self, epochs: Vec<Epoch>) -> Vec<(Epoch, Item)> {
        let mut ready = Vec::new();
        for epoch in epochs {
            if let Some(sorter) = self.epochs.get_mut(&epoch) {
                let nodes = sorter.get_ready();
                let items = &sorter.graph.items;
                ready.extend(nodes.iter().map(|&at| (epoch.clone(), items[at as usize])));
            }
        }
        ready
    }

    /// Whether any epoch has work.
    pub fn is_active(&self) -> bool {
        self.epochs.values().any(Sorter::is_active)
    }

    /// Whether an epoch or a sub-epoch of it has work.
    pub fn is_active_at(&self, epoch: &Epoch) -> bool {
        self.epochs.get(epoch).is_some_and(Sorter::is_active)
            || self.active_below.get(epoch).is_some_and(|&count| count > 0)
    }

    /// The lowest root that has work.
    pub fn first_active_epoch(&self) -> Option<Epoch> {
        self.roots.keys().map(|&root| Epoch::root(root)).find(|root| self.is_active_at(root))
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
            || (subepochs && self.subepochs.get(epoch).is_some_and(|below| below.iter().any(ready)))
    }

    pub fn node_is_done(&self, node: Item, epoch: &Epoch) -> bool {
        let done = |epoch| self.epochs.get(epoch).is_some_and(|it| it.is_done(node));
        self.epoch_completed(epoch)
            || (done(epoch) && self.subepochs.get(epoch).is_none_or(|below| below.iter().all(done)))
    }

    /// Whether all nodes without dependencies are finished in an epoch.
    pub fn sources_finished(&mut self, epoch: &Epoch) -> bool {
        self.epoch_completed(epoch)
            || self.epochs.get_mut(epoch).is_some_and(|sorter| sorter.all_done(&self.sources))
    }

    // ------------------------------------------------------------------ what has happened

    /// Take note of what nodes emitted; returns the epochs that ended by it, in order.
    ///
    /// # Errors
    /// [`Error`] where an event contradicts what happened before.
    pub fn update(&mut self, mut events: Vec<Event>) -> Result<Vec<Epoch>> {
        events.sort_by_key(|event| std::cmp::Reverse(event.epoch.path.len()));
        let mut seen: FxHashSet<(Epoch, Item)> = FxHashSet::default();
        let several = events.len() > 1;
        let mut ended = Vec::new();
        for event in events {
            if !several || seen.insert((event.epoch.clone(), event.node)) {
                if event.exhausted {
                    // First, so that no successor of an epoch is added any more.
                    self.exhaust(event.node);
                }
                match self.done(&event.epoch, event.node, false) {
                    Ok(epochs) if !epochs.is_empty() => {
                        ended.extend(epochs);
                        continue;
                    }
                    Ok(_) | Err(Error::AlreadyDone(_) | Error::NotAdded(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(signal) = event.signal {
                ended.extend(if event.no_event || event.exhausted {
                    self.expire(&event.epoch, signal, true, true)?
                } else {
                    self.done(&event.epoch, signal, true)?
                });
            }
        }
        Ok(ended)
    }

    /// An item ran in an epoch; `with_signals`: and so did the node's signals. Returns the epochs
    /// that ended by it, in order.
    ///
    /// # Errors
    /// [`Error::AlreadyDone`], [`Error::NotAdded`].
    pub fn done(&mut self, epoch: &Epoch, item: Item, with_signals: bool) -> Result<Vec<Epoch>> {
        if let Some(active) = self.done_plainly(epoch, item, with_signals)? {
            return if active { Ok(Vec::new()) } else { self.end_epoch(epoch) };
        }
        if self.epoch_completed(epoch) {
            return Ok(Vec::new());
        }
        if !self.epochs.contains_key(epoch) {
            if self.exhausted {
                return Ok(Vec::new());
            }
            self.add_epoch_at(epoch)?;
        }
        let has_subepochs = self.has_subepochs(epoch);
        match self.change(epoch, |sorter, items| sorter.done(items, &[item])) {
            None => return Err(Error::Value(format!("nothing runs in epoch {}", epoch.root))),
            Some(Err(Error::AlreadyDone(_))) if has_subepochs => {}
            Some(result) => result?,
        }
        if has_subepochs {
            self.done_below(epoch, item)?;
        }
        if with_signals && !self.items.is_signal(item) {
            self.change(epoch, |sorter, items| {
                let open: Vec<Item> =
                    signals_of(sorter, item).into_iter().filter(|&it| !sorter.is_done(it)).collect();
                sorter.done(items, &open)
            })
            .transpose()?;
        }
        for parent in epoch.parents() {
            self.change(&parent, |sorter, items| sorter.expire(items, &[item], false));
        }
        self.after_done(epoch, item)
    }

    /// [`Self::done`] where nothing but the epoch itself is concerned: no sub-epochs, and no source
    /// whose end lets the next epoch start. Whether the epoch is still active; `None` where it is
    /// not so simple.
    fn done_plainly(
        &mut self,
        epoch: &Epoch,
        item: Item,
        with_signals: bool,
    ) -> Result<Option<bool>> {
        if !epoch.is_root() || self.is_source(item) || self.has_subepochs(epoch) {
            return Ok(None);
        }
        let Some(sorter) = self.epochs.get_mut(epoch) else { return Ok(None) };
        let Some(local) = sorter.graph.local(item) else { return Ok(None) };
        if !sorter.done_local(local) {
            return Err(already_done(&self.items, &[item]));
        }
        if with_signals {
            sorter.signals_done(local);
        }
        Ok(Some(sorter.is_active()))
    }

    fn is_source(&self, item: Item) -> bool {
        self.is_source.get(item as usize).copied().unwrap_or(false)
    }

    fn has_subepochs(&self, epoch: &Epoch) -> bool {
        !self.subepochs.is_empty() && self.subepochs.contains_key(epoch)
    }

    /// The rest of [`Self::done`]: the next epoch may start when this one's sources have run, and
    /// an epoch without work has ended.
    fn after_done(&mut self, epoch: &Epoch, item: Item) -> Result<Vec<Epoch>> {
        if !self.exhausted
            && epoch.is_root()
            && self.is_source(item)
            && self.sources_finished(epoch)
        {
            let next = epoch.next();
            if !self.epochs.contains_key(&next) && !self.epoch_completed(&next) {
                self.add_epoch_at(&next)?;
            }
        }
        if self.is_active_at(epoch) { Ok(Vec::new()) } else { self.end_epoch(epoch) }
    }

    /// What is done in an epoch is done in its sub-epochs; what is downstream of it alone runs in
    /// the epoch, so not in them.
    fn done_below(&mut self, epoch: &Epoch, item: Item) -> Result<()> {
        let node = self.items.owner(item);
        for below in self.subepochs.get(epoch).cloned().unwrap_or_default() {
            let Some(sorter) = self.epochs.get(&below) else { continue };
            let Some((leaf, _)) = below.leaf() else { continue };
            if sorter.has_run(item) || !sorter.knows(item) {
                continue;
            }
            let exclusive = self.downstream.exclusive(&self.edges, node, leaf);
            self.change(&below, |sorter, items| {
                if sorter.is_done(item) {
                    sorter.resurrect(items, item)?;
                }
                sorter.done(items, &[item])?;
                sorter.expire(items, &exclusive, true);
                Ok(())
            })
            .transpose()?;
        }
        Ok(())
    }

    /// An item is finished without an event. Returns the epochs that ended by it, in order.
    ///
    /// # Errors
    /// [`Error`] where the epoch cannot be added.
    pub fn expire(
        &mut self,
        epoch: &Epoch,
        item: Item,
        with_signals: bool,
        unlock: bool,
    ) -> Result<Vec<Epoch>> {
        let mut ended = Vec::new();
        if self.epoch_completed(epoch) {
            return Ok(ended);
        }
        if !self.epochs.contains_key(epoch) {
            self.add_epoch_at(epoch)?;
        }
        let signals = self.change(epoch, |sorter, items| {
            sorter.expire(items, &[item], unlock);
            if with_signals && !items.is_signal(item) {
                signals_of(sorter, item)
            } else {
                Vec::new()
            }
        });
        for signal in signals.unwrap_or_default() {
            ended.extend(self.expire(epoch, signal, with_signals, unlock)?);
        }
        let node = self.items.owner(item);
        let below: Vec<Epoch> = self.subepochs.get(epoch).map_or_else(Vec::new, |below| {
            let others = below.iter().filter(|it| it.leaf().is_some_and(|leaf| leaf.0 != node));
            others.filter(|it| self.epochs.contains_key(it)).cloned().collect()
        });
        for subepoch in below {
            ended.extend(self.expire(&subepoch, item, with_signals, unlock)?);
        }
        if !self.is_active_at(epoch) && !self.epoch_completed(epoch) {
            ended.extend(self.end_epoch(epoch)?);
        }
        Ok(ended)
    }

    /// A node will never run again: it counts as disabled in all epochs to come.
    fn exhaust(&mut self, node: Item) {
        if let Some(&at) = self.node_at.get(&node) {
            if self.nodes[at].enabled && self.is_source(node) {
                self.live_sources -= 1;
            }
            self.nodes[at].enabled = false;
        } else {
            self.node_at.insert(node, self.nodes.len());
            self.nodes.push(Node { item: node, enabled: false, stateful: false });
        }
        self.stale = true;
        self.exhausted = self.live_sources == 0 && self.template().exhausted;
    }

    /// Declare an epoch ended. Returns it and the epochs that ended by it, in order.
    ///
    /// # Errors
    /// [`Error`] where the next epoch cannot be added.
    pub fn end_epoch(&mut self, epoch: &Epoch) -> Result<Vec<Epoch>> {
        let mut ended = Vec::new();
        let next = epoch.next();
        if !self.exhausted
            && next.is_root()
            && !self.epochs.contains_key(&next)
            && !self.epoch_completed(&next)
        {
            self.add_epoch_at(&next)?;
        }
        if epoch.is_root() || self.epochs.contains_key(&next) {
            // Stateful nodes of the next epoch waited for this.
            match self.done(&next, PREVIOUS_EPOCH, false) {
                Ok(epochs) => ended.extend(epochs),
                Err(Error::AlreadyDone(_) | Error::NotAdded(_) | Error::EpochCompleted(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if epoch.is_root() {
            self.epoch_log.insert(epoch.root);
            if self.epoch_log.len() > EPOCH_LOG {
                self.epoch_log.pop_first();
            }
            self.drop_root(epoch);
        } else if let Some(parent) = epoch.parent()
            && !self.is_active_at(&parent)
        {
            ended.extend(self.end_epoch(&parent)?);
        }
        ended.push(epoch.clone());
        Ok(ended)
    }

    fn drop_root(&mut self, epoch: &Epoch) {
        for below in self.subepochs.remove(epoch).unwrap_or_default() {
            self.epochs.remove(&below);
            self.subepochs.remove(&below);
            self.active_below.remove(&below);
        }
        self.active_below.remove(epoch);
        self.epochs.remove(epoch);
        self.roots.remove(&epoch.root);
    }

    /// Change an epoch's state, keeping count of which sub-epochs are active.
    fn change<R>(
        &mut self,
        epoch: &Epoch,
        change: impl FnOnce(&mut Sorter, &Items) -> R,
    ) -> Option<R> {
        let sorter = self.epochs.get_mut(epoch)?;
        let before = sorter.is_active();
        let result = change(sorter, &self.items);
        let after = sorter.is_active();
        if before != after {
            self.count_active(epoch, after);
        }
        Some(result)
    }

    fn count_active(&mut self, epoch: &Epoch, active: bool) {
        for parent in epoch.parents() {
            let count = self.active_below.entry(parent).or_default();
            *count = if active { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    // ------------------------------------------------------------------ driving one epoch

    /// What [`Self::update`] does for a node that has just run in a root epoch: the node is done,
    /// then each of its signals done, or expired where `no_event`. `signals` are those that
    /// something depends on.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn finish_node(&mut self, epoch: &Epoch, node: Item, signals: &[Item]) -> Result<()> {
        let plain = epoch.is_root() && !self.has_subepochs(epoch) && !self.is_source(node);
        if plain
            && let Some(sorter) = self.epochs.get_mut(epoch)
            && sorter.graph.local(node).is_some()
            && signals.iter().all(|&signal| sorter.graph.local(signal).is_some())
        {
            for &item in [node].iter().chain(signals) {
                sorter.done_if_there(item);
            }
            if !sorter.is_active() {
                self.end_epoch(epoch)?;
            }
            return Ok(());
        }
        let event = |signal| Event {
            epoch: epoch.clone(),
            node,
            signal,
            no_event: false,
            exhausted: false,
        };
        let events = if signals.is_empty() {
            vec![event(None)]
        } else {
            signals.iter().map(|&signal| event(Some(signal))).collect()
        };
        self.update(events).map(drop)
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
            slots.iter().any(|&slot| self.items.slot_owner(slot) == node)
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

    pub fn subepochs(&self) -> &FxHashMap<Epoch, Vec<Epoch>> {
        &self.subepochs
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

fn signals_of(sorter: &Sorter, node: Item) -> Vec<Item> {
    sorter.graph.local(node).map_or_else(Vec::new, |local| {
        let signals = sorter.graph.signals.of(local).iter();
        signals.map(|&signal| sorter.graph.items[signal as usize]).collect()
    })
}
