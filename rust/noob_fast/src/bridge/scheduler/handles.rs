//! Python's objects for the core's numbers: names of nodes, and NOOB's epochs for ours.

use crate::bridge::NotAddedError;
use crate::scheduler::Scheduler;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::{Edge, Node};
use crate::scheduler::items::{Item, Items};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many epochs that are over may be kept, beside as many as are in progress.
const SWEEP: usize = 64;
const ABSENT: u32 = u32::MAX;

/// The names of nodes, as they were given. They never change, so no lock is needed to read them.
pub struct Names {
    /// By item; none for a signal.
    by_item: Vec<Option<Py<PyString>>>,
    /// Nodes by the address of their names, which `by_item` keeps alive.
    by_address: FxHashMap<usize, Item>,
    /// The nodes that a graph may have: those given, in order, then those that only edges name.
    nodes: Vec<Item>,
    /// Where each item stands there.
    index: Vec<u32>,
}

impl Names {
    /// `given`: names as Python has them, by item.
    pub fn new(
        py: Python<'_>,
        items: &Items,
        given: Vec<Option<Py<PyString>>>,
        nodes: &[Node],
        edges: &[Edge],
    ) -> Self {
        let mut by_item = given;
        by_item.resize_with(items.len(), || None);
        for (name, item) in by_item.iter_mut().zip(0..) {
            if name.is_none() && !items.is_signal(item) {
                *name = Some(PyString::new(py, items.text(item)).unbind());
            }
        }
        let mut names = Names {
            by_address: (0..)
                .zip(&by_item)
                .filter_map(|(item, name)| name.as_ref().map(|it| (it.as_ptr() as usize, item)))
                .collect(),
            index: vec![ABSENT; by_item.len()],
            nodes: Vec::with_capacity(nodes.len()),
            by_item,
        };
        let own = nodes.iter().map(|node| node.item);
        let others = edges.iter().flat_map(|edge| [edge.source, edge.target]);
        for item in own.chain(others) {
            let index = &mut names.index[item as usize];
            if *index == ABSENT {
                *index = names.nodes.len() as u32;
                names.nodes.push(item);
            }
        }
        names
    }

    pub fn get(&self, item: Item) -> Option<&Py<PyString>> {
        self.by_item.get(item as usize)?.as_ref()
    }

    /// The node of a name that was given or handed out, found without reading it.
    pub fn node(&self, name: &Bound<'_, PyAny>) -> Option<Item> {
        self.by_address.get(&(name.as_ptr() as usize)).copied()
    }

    pub fn in_order<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.nodes.iter().map(|&item| self.get(item)))
    }

    /// Where a node stands in that order. (All that a graph has stand there.)
    pub fn index(&self, node: Item) -> u32 {
        self.index.get(node as usize).copied().unwrap_or(ABSENT)
    }

    pub fn at(&self, index: u32) -> PyResult<Item> {
        self.nodes.get(index as usize).copied().ok_or_else(|| {
            let count = self.nodes.len();
            NotAddedError::new_err(format!("index {index} is no node's: there are {count}"))
        })
    }
}

/// NOOB's epochs for ours.
pub struct Handles {
    epochs: FxHashMap<Epoch, Py<PyAny>>,
    /// Ours by the address of NOOB's, which `epochs` keeps alive.
    known: FxHashMap<usize, Epoch>,
    /// How many of them there may be before those of epochs that are over are dropped.
    sweep_at: usize,
    /// Nodes that open sub-epochs, each with an epoch of its own, in NOOB's order of epochs.
    openers: Vec<(Item, Py<PyAny>)>,
}

impl Default for Handles {
    fn default() -> Self {
        Handles {
            epochs: FxHashMap::default(),
            known: FxHashMap::default(),
            sweep_at: SWEEP,
            openers: Vec::new(),
        }
    }
}

impl Handles {
    /// Our epoch for an object that was handed out or kept.
    #[inline]
    pub fn known(&self, given: &Bound<'_, PyAny>) -> Option<&Epoch> {
        self.known.get(&(given.as_ptr() as usize))
    }

    /// NOOB's epoch for ours, if there is one yet.
    pub fn get(&self, epoch: &Epoch) -> Option<&Py<PyAny>> {
        self.epochs.get(epoch)
    }

    /// Keep NOOB's epoch for ours, unless there is one. (Dropping one runs none of anyone's code:
    /// their type has no subtypes.)
    pub fn keep(&mut self, core: &Scheduler, epoch: &Epoch, handle: Py<PyAny>) {
        if self.epochs.contains_key(epoch) {
            return;
        }
        if self.epochs.len() >= self.sweep_at {
            self.epochs.retain(|epoch, _| core.in_progress(epoch));
            self.known.retain(|_, epoch| core.in_progress(epoch));
            self.sweep_at = self.epochs.len() * 2 + SWEEP;
        }
        self.known.insert(handle.as_ptr() as usize, epoch.clone());
        self.epochs.insert(epoch.clone(), handle);
    }

    /// The epochs that stand for the nodes whose place in NOOB's order is known, in that order.
    pub fn openers(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let probes = self.openers.iter().map(|(_, probe)| probe.clone_ref(py));
        probes.collect()
    }

    /// Give a node that opens sub-epochs its place among `count` others. Whether there still are as
    /// many, so that it is the right one.
    pub fn place(
        &mut self,
        core: &mut Scheduler,
        count: usize,
        at: usize,
        node: Item,
        probe: Py<PyAny>,
    ) -> bool {
        if self.openers.len() != count {
            return false;
        }
        self.openers.insert(at, (node, probe));
        let order: Vec<Item> = self.openers.iter().map(|(item, _)| *item).collect();
        core.order.set(&order);
        true
    }
}

/// Tell `noob_core` the nodes' names in the order in which its own scheduler would have met them:
/// its order of sub-epochs follows from it.
pub fn introduce(
    epoch_type: &Bound<'_, PyAny>,
    items: &Items,
    nodes: &[Node],
    edges: &[Edge],
) -> PyResult<()> {
    let names: Vec<(&str, u32)> = in_order_of_use(nodes, edges)
        .into_iter()
        .map(|item| (items.text(item), 0))
        .collect();
    let names = PyList::new(epoch_type.py(), names)?;
    epoch_type.call1((0, names)).map(drop)
}

/// The nodes in the order in which `noob_core` would meet them.
fn in_order_of_use(nodes: &[Node], edges: &[Edge]) -> Vec<Item> {
    let disabled = || nodes.iter().filter(|node| !node.enabled);
    let never: FxHashSet<Item> = disabled().map(|node| node.item).collect();
    let connected = edges.iter().flat_map(|edge| {
        let source = (!never.contains(&edge.target)).then_some(edge.source);
        [Some(edge.target), source].into_iter().flatten()
    });
    let mut met: FxHashSet<Item> = FxHashSet::default();
    disabled()
        .map(|node| node.item)
        .chain(connected)
        .chain(nodes.iter().map(|node| node.item))
        .filter(|&item| met.insert(item))
        .collect()
}
