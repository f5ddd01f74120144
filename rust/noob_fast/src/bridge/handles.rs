//! Python's objects for the core's numbers: names, and NOOB's epochs for ours.

use crate::scheduler::Scheduler;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::{Edge, Node};
use crate::scheduler::items::{Item, Items};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyInt, PyList, PyString};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many epochs that are over may be kept, beside as many as are in progress.
const SWEEP: usize = 64;

pub struct Handles {
    epoch_type: Py<PyAny>,
    /// The names of nodes as Python strings, made when first asked for.
    names: Vec<Option<Py<PyString>>>,
    /// Nodes by the address of their names, which `names` keeps alive.
    named: FxHashMap<usize, Item>,
    /// NOOB's epochs by ours.
    epochs: FxHashMap<Epoch, Py<PyAny>>,
    /// Ours by the address of NOOB's, which `epochs` keeps alive.
    known: FxHashMap<usize, Epoch>,
    /// How many of them there may be before those of epochs that are over are dropped.
    sweep_at: usize,
    /// Nodes that open sub-epochs, each with an epoch of its own, in NOOB's order of epochs.
    openers: Vec<(Item, Py<PyAny>)>,
}

impl Handles {
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Handles {
            epoch_type: py.import("noob_core")?.getattr("Epoch")?.unbind(),
            names: Vec::new(),
            named: FxHashMap::default(),
            epochs: FxHashMap::default(),
            known: FxHashMap::default(),
            sweep_at: SWEEP,
            openers: Vec::new(),
        })
    }

    pub fn name(&mut self, py: Python<'_>, items: &Items, item: Item) -> Py<PyString> {
        let at = item as usize;
        if at >= self.names.len() {
            self.names.resize_with(items.len(), || None);
        }
        let named = &mut self.named;
        self.names[at]
            .get_or_insert_with(|| {
                let name = PyString::new(py, items.text(item)).unbind();
                named.insert(name.as_ptr() as usize, item);
                name
            })
            .clone_ref(py)
    }

    /// The node of a name that was handed out, found without reading it.
    pub fn named(&self, name: &Bound<'_, PyAny>) -> Option<Item> {
        self.named.get(&(name.as_ptr() as usize)).copied()
    }

    /// Our epoch for NOOB's, or for a number.
    pub fn epoch(&mut self, core: &mut Scheduler, given: &Bound<'_, PyAny>) -> PyResult<Epoch> {
        if let Some(known) = self.known.get(&(given.as_ptr() as usize)) {
            return Ok(known.clone());
        }
        if given.is_instance_of::<PyInt>() {
            let root = given.extract().map_err(|_| {
                PyTypeError::new_err(format!(
                    "{given} is not an epoch: it must fit 32 bits, unsigned"
                ))
            })?;
            return Ok(Epoch::root(root));
        }
        if !given.is_instance(self.epoch_type.bind(given.py()))? {
            let text = format!("An epoch is an Epoch or an int, not {}", given.get_type());
            return Err(PyTypeError::new_err(text));
        }
        let root = given.getattr("root")?.extract()?;
        let mut path = Vec::new();
        for at in 1..given.len()? {
            let (name, index): (PyBackedStr, u32) = given.get_item(at)?.extract()?;
            let node = core.items.intern_node(&name);
            if !core.order.knows(node) {
                self.place_opener(given.py(), core, node)?;
            }
            path.push((node, index));
        }
        let epoch = Epoch {
            root,
            path: path.into(),
        };
        if !self.epochs.contains_key(&epoch) {
            self.keep(core, epoch.clone(), given.clone().unbind());
        }
        Ok(epoch)
    }

    /// NOOB's epoch for ours.
    pub fn handle(
        &mut self,
        py: Python<'_>,
        core: &Scheduler,
        epoch: &Epoch,
    ) -> PyResult<Py<PyAny>> {
        if let Some(handle) = self.epochs.get(epoch) {
            return Ok(handle.clone_ref(py));
        }
        let path: Vec<(Py<PyString>, u32)> = epoch
            .path
            .iter()
            .map(|&(node, index)| (self.name(py, &core.items, node), index))
            .collect();
        let handle = self.epoch_type.bind(py).call1((epoch.root, path))?.unbind();
        self.keep(core, epoch.clone(), handle.clone_ref(py));
        Ok(handle)
    }

    fn keep(&mut self, core: &Scheduler, epoch: Epoch, handle: Py<PyAny>) {
        if self.epochs.len() >= self.sweep_at {
            self.epochs.retain(|epoch, _| core.in_progress(epoch));
            self.known.retain(|_, epoch| core.in_progress(epoch));
            self.sweep_at = self.epochs.len() * 2 + SWEEP;
        }
        self.known.insert(handle.as_ptr() as usize, epoch.clone());
        self.epochs.insert(epoch, handle);
    }

    /// Find a node's place in NOOB's order of epochs, which only NOOB knows.
    fn place_opener(&mut self, py: Python<'_>, core: &mut Scheduler, node: Item) -> PyResult<()> {
        let name = self.name(py, &core.items, node);
        let probe = self.epoch_type.bind(py).call1((0, vec![(name, 0)]))?;
        let (mut at, mut end) = (0, self.openers.len());
        while at < end {
            let middle = at.midpoint(end);
            if self.openers[middle].1.bind(py).lt(&probe)? {
                at = middle + 1;
            } else {
                end = middle;
            }
        }
        self.openers.insert(at, (node, probe.unbind()));
        let order: Vec<Item> = self.openers.iter().map(|(item, _)| *item).collect();
        core.order.set(&order);
        Ok(())
    }

    /// Tell `noob_core` the nodes' names in the order in which its own scheduler would have met
    /// them: its order of sub-epochs follows from it.
    pub fn introduce(
        &self,
        py: Python<'_>,
        items: &Items,
        nodes: &[Node],
        edges: &[Edge],
    ) -> PyResult<()> {
        let names: Vec<(&str, u32)> = in_order_of_use(nodes, edges)
            .into_iter()
            .map(|item| (items.text(item), 0))
            .collect();
        let names = PyList::new(py, names)?;
        self.epoch_type.bind(py).call1((0, names)).map(drop)
    }
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
