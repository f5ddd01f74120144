//! What has happened in an epoch, and what follows from it: nodes done, expired or exhausted, in
//! the epoch, in those inside it and in those around it, until it ends.

use crate::error::{Error, Result};
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::Node;
use crate::scheduler::items::{Item, Items, PREVIOUS_EPOCH};
use crate::scheduler::sorter::{Sorter, already_done};
use crate::scheduler::{EPOCH_LOG, Event, Scheduler};
use rustc_hash::FxHashSet;

impl Scheduler {
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
        if self.complete(epoch, item, with_signals)? {
            self.end_epoch(epoch)
        } else {
            Ok(Vec::new())
        }
    }

    /// [`Self::done`] of nodes of one epoch, with their signals, one after the other.
    ///
    /// # Errors
    /// As [`Self::done`]; then what is before the culprit is done, and what is after it is not.
    pub fn done_all(&mut self, epoch: &Epoch, nodes: &[Item]) -> Result<Vec<Epoch>> {
        let mut ended = Vec::new();
        let mut left = nodes;
        while let Some((&first, rest)) = left.split_first() {
            ended.extend(self.done(epoch, first, true)?);
            left = rest;
            if !epoch.is_root() || self.has_subepochs(epoch) {
                continue;
            }
            let Some(sorter) = self.epochs.get_mut(epoch) else {
                continue;
            };
            // As long as nothing but the epoch itself is concerned it need not be looked up again.
            while let Some((&node, rest)) = left.split_first()
                && !self.is_source.get(node as usize).is_some_and(|&it| it)
                && let Some(local) = sorter.graph.local(node)
            {
                if !sorter.node_done(local) {
                    return Err(already_done(&self.items, &[node]));
                }
                left = rest;
                if !sorter.is_active() {
                    ended.extend(self.end_epoch(epoch)?);
                    break;
                }
            }
        }
        Ok(ended)
    }

    /// [`Self::done`] without ending the epoch: whether nothing is left to do in it.
    fn complete(&mut self, epoch: &Epoch, item: Item, with_signals: bool) -> Result<bool> {
        if let Some(active) = self.complete_plainly(epoch, item, with_signals)? {
            return Ok(!active);
        }
        if self.epoch_completed(epoch) {
            return Ok(false);
        }
        if !self.epochs.contains_key(epoch) {
            if self.exhausted {
                return Ok(false);
            }
            self.add_epoch_at(epoch)?;
        }
        let has_subepochs = self.has_subepochs(epoch);
        match self.change(epoch, |sorter, items| sorter.done(items, &[item])) {
            None => {
                return Err(Error::Value(format!(
                    "nothing runs in epoch {}",
                    epoch.root
                )));
            }
            Some(Err(Error::AlreadyDone(_))) if has_subepochs => {}
            Some(result) => result?,
        }
        if has_subepochs {
            self.done_below(epoch, item)?;
        }
        if with_signals && !self.items.is_signal(item) {
            self.change(epoch, |sorter, items| {
                let open: Vec<Item> = signals_of(sorter, item)
                    .into_iter()
                    .filter(|&it| !sorter.is_done(it))
                    .collect();
                sorter.done(items, &open)
            })
            .transpose()?;
        }
        for parent in epoch.parents() {
            self.change(&parent, |sorter, items| {
                sorter.expire(items, &[item], false);
            });
        }
        if epoch.is_root() && self.is_source(item) && self.sources_finished(epoch) {
            // What needs no earlier epoch may as well start in the next.
            self.add_if_new(&epoch.next())?;
        }
        Ok(!self.is_active_at(epoch))
    }

    /// [`Self::complete`] where nothing but the epoch itself is concerned: no sub-epochs, and no
    /// source whose end lets the next epoch start. Whether the epoch is still active; `None` where
    /// it is not so simple.
    fn complete_plainly(
        &mut self,
        epoch: &Epoch,
        item: Item,
        with_signals: bool,
    ) -> Result<Option<bool>> {
        if !epoch.is_root() || self.is_source(item) || self.has_subepochs(epoch) {
            return Ok(None);
        }
        let Some(sorter) = self.epochs.get_mut(epoch) else {
            return Ok(None);
        };
        let Some(local) = sorter.graph.local(item) else {
            return Ok(None);
        };
        let new = if with_signals {
            sorter.node_done(local)
        } else {
            sorter.done_local(local)
        };
        if !new {
            return Err(already_done(&self.items, &[item]));
        }
        Ok(Some(sorter.is_active()))
    }

    fn is_source(&self, item: Item) -> bool {
        self.is_source.get(item as usize).copied().unwrap_or(false)
    }

    fn has_subepochs(&self, epoch: &Epoch) -> bool {
        !self.below.is_empty() && self.below.contains_key(epoch)
    }

    fn add_if_new(&mut self, epoch: &Epoch) -> Result<()> {
        if self.exhausted || self.epochs.contains_key(epoch) || self.epoch_completed(epoch) {
            return Ok(());
        }
        self.add_epoch_at(epoch)
    }

    /// What is done in an epoch is done in its sub-epochs; what is downstream of it alone runs in
    /// the epoch, so not in them.
    fn done_below(&mut self, epoch: &Epoch, item: Item) -> Result<()> {
        let node = self.items.owner(item);
        let concerned = self.subepochs_where(epoch, |_, sorter| {
            sorter.knows(item) && !sorter.has_run(item)
        });
        for below in concerned {
            let Some((leaf, _)) = below.leaf() else {
                continue;
            };
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
        let others = self.subepochs_where(epoch, |opener, _| opener != node);
        for subepoch in others {
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
            self.stale |= self.nodes[at].enabled;
            self.nodes[at].enabled = false;
        } else {
            self.stale = true;
            self.node_at.insert(node, self.nodes.len());
            self.nodes.push(Node {
                item: node,
                enabled: false,
                stateful: false,
            });
        }
        self.exhausted = self.live_sources == 0 && self.template().exhausted;
    }

    /// Declare an epoch ended. Returns it and the epochs that ended by it, in order.
    ///
    /// # Errors
    /// [`Error`] where the next epoch cannot be added.
    pub fn end_epoch(&mut self, epoch: &Epoch) -> Result<Vec<Epoch>> {
        // That the next epoch waited for nothing else ends it too, and so on. There may be more
        // of them than a recursion could bear.
        let mut chain = vec![epoch.clone()];
        let mut next = epoch.next();
        while self.release(&next)? {
            let after = next.next();
            chain.push(next);
            next = after;
        }
        let mut ended = Vec::new();
        while let Some(over) = chain.pop() {
            if let Some(parent) = over.parent() {
                if !self.is_active_at(&parent) {
                    ended.extend(self.end_epoch(&parent)?);
                }
            } else {
                self.epoch_log.insert(over.root);
                if self.epoch_log.len() > EPOCH_LOG {
                    self.epoch_log.pop_first();
                }
                self.drop_root(&over);
            }
            ended.push(over);
        }
        Ok(ended)
    }

    /// The epoch before has ended, for which stateful nodes waited. Whether that leaves nothing to
    /// do in this one.
    fn release(&mut self, epoch: &Epoch) -> Result<bool> {
        if epoch.is_root() {
            self.add_if_new(epoch)?;
        } else if !self.epochs.contains_key(epoch) {
            return Ok(false);
        }
        match self.complete(epoch, PREVIOUS_EPOCH, false) {
            Err(Error::AlreadyDone(_) | Error::NotAdded(_) | Error::EpochCompleted(_)) => Ok(false),
            result => result,
        }
    }

    /// Let the stateful nodes of a root epoch go, though the epoch before has not ended: the caller
    /// keeps their order.
    pub fn release_early(&mut self, epoch: &Epoch) {
        self.change(epoch, |sorter, _| sorter.done_if_there(PREVIOUS_EPOCH));
    }

    fn drop_root(&mut self, epoch: &Epoch) {
        for subepoch in self.below.remove(epoch).unwrap_or_default().epochs {
            self.epochs.remove(&subepoch);
            self.below.remove(&subepoch);
        }
        self.epochs.remove(epoch);
        self.roots.remove(&epoch.root);
    }

    /// The sub-epochs in progress of which something holds, given their openers and their states.
    fn subepochs_where(&self, epoch: &Epoch, holds: impl Fn(Item, &Sorter) -> bool) -> Vec<Epoch> {
        let Some(below) = self.below.get(epoch) else {
            return Vec::new();
        };
        let concerned = below.epochs.iter().filter(|&subepoch| {
            let sorter = self.epochs.get(subepoch);
            let opener = subepoch.leaf().map(|(node, _)| node);
            opener
                .zip(sorter)
                .is_some_and(|(opener, sorter)| holds(opener, sorter))
        });
        concerned.cloned().collect()
    }

    /// Change an epoch's state, and let the epochs around it know what became of it.
    pub(crate) fn change<R>(
        &mut self,
        epoch: &Epoch,
        change: impl FnOnce(&mut Sorter, &Items) -> R,
    ) -> Option<R> {
        let sorter = self.epochs.get_mut(epoch)?;
        let before = (sorter.is_active(), sorter.has_ready());
        let result = change(sorter, &self.items);
        let after = (sorter.is_active(), sorter.has_ready());
        self.note(epoch, before, after);
        Some(result)
    }

    /// Whether a sub-epoch is active, and has something ready, was one thing and is another.
    pub(crate) fn note(&mut self, epoch: &Epoch, before: (bool, bool), after: (bool, bool)) {
        if before == after {
            return;
        }
        for parent in epoch.parents() {
            let Some(below) = self.below.get_mut(&parent) else {
                continue;
            };
            below.active = below.active + usize::from(after.0) - usize::from(before.0);
            if after.1 {
                below.ready.insert(epoch.clone());
            } else {
                below.ready.remove(epoch);
            }
        }
    }

    /// What [`Self::update`] does for a node that has just run in an epoch, and emitted an event on
    /// each of `signals`: those of its signals that something depends on.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn finish_node(
        &mut self,
        epoch: &Epoch,
        node: Item,
        signals: &[Item],
    ) -> Result<Vec<Epoch>> {
        let plain = epoch.is_root() && !self.has_subepochs(epoch) && !self.is_source(node);
        if plain
            && let Some(sorter) = self.epochs.get_mut(epoch)
            && let Some(local) = sorter.graph.local(node)
            && signals
                .iter()
                .all(|&signal| sorter.graph.local(signal).is_some())
        {
            sorter.done_local(local);
            for &signal in signals {
                if let Some(local) = sorter.graph.local(signal)
                    && !sorter.done_local(local)
                {
                    return Err(already_done(&self.items, &[signal]));
                }
            }
            return if sorter.is_active() {
                Ok(Vec::new())
            } else {
                self.end_epoch(epoch)
            };
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
        self.update(events)
    }
}

fn signals_of(sorter: &Sorter, node: Item) -> Vec<Item> {
    sorter.graph.local(node).map_or_else(Vec::new, |local| {
        let signals = sorter.graph.signals.of(local).iter();
        signals
            .map(|&signal| sorter.graph.items[signal as usize])
            .collect()
    })
}
