//! What has happened in an epoch, and what follows from it: nodes done, expired or exhausted, in
//! the epoch, in those inside it and in those around it, until it ends.

use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::items::{Item, Items, PREVIOUS_EPOCH};
use crate::scheduler::{EPOCH_LOG, Event, Scheduler};
use crate::sorter::{Sorter, already_done};
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
        if let Some(active) = self.done_plainly(epoch, item, with_signals)? {
            return if active {
                Ok(Vec::new())
            } else {
                self.end_epoch(epoch)
            };
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
                sorter.expire(items, &[item], false)
            });
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
        let Some(sorter) = self.epochs.get_mut(epoch) else {
            return Ok(None);
        };
        let Some(local) = sorter.graph.local(item) else {
            return Ok(None);
        };
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
        if self.is_active_at(epoch) {
            Ok(Vec::new())
        } else {
            self.end_epoch(epoch)
        }
    }

    /// What is done in an epoch is done in its sub-epochs; what is downstream of it alone runs in
    /// the epoch, so not in them.
    fn done_below(&mut self, epoch: &Epoch, item: Item) -> Result<()> {
        let node = self.items.owner(item);
        for below in self.subepochs.get(epoch).cloned().unwrap_or_default() {
            let Some(sorter) = self.epochs.get(&below) else {
                continue;
            };
            let Some((leaf, _)) = below.leaf() else {
                continue;
            };
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
            let others = below
                .iter()
                .filter(|it| it.leaf().is_some_and(|leaf| leaf.0 != node));
            others
                .filter(|it| self.epochs.contains_key(it))
                .cloned()
                .collect()
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
            self.nodes.push(Node {
                item: node,
                enabled: false,
                stateful: false,
            });
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

    pub(crate) fn count_active(&mut self, epoch: &Epoch, active: bool) {
        for parent in epoch.parents() {
            let count = self.active_below.entry(parent).or_default();
            *count = if active {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }

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
            && signals
                .iter()
                .all(|&signal| sorter.graph.local(signal).is_some())
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
}

fn signals_of(sorter: &Sorter, node: Item) -> Vec<Item> {
    sorter.graph.local(node).map_or_else(Vec::new, |local| {
        let signals = sorter.graph.signals.of(local).iter();
        signals
            .map(|&signal| sorter.graph.items[signal as usize])
            .collect()
    })
}
