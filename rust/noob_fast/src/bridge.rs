//! The one place where Python and the core meet: conversions, and the map of errors.

use crate::driver::{EpochDriver, ValueBlock};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::graph::{Edge, Node};
use crate::items::{Item, Items};
use crate::scheduler::{Event, Scheduler};
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyValueError;
use pyo3::import_exception;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyInt, PyList, PySet, PyString};
use rustc_hash::{FxHashMap, FxHashSet};

import_exception!(noob_core.exceptions, AlreadyDoneError);
import_exception!(noob_core.exceptions, NotAddedError);
import_exception!(noob_core.exceptions, EpochExistsError);
import_exception!(noob_core.exceptions, EpochCompletedError);
import_exception!(noob_core.exceptions, SchedulerExhaustedError);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        match error {
            Error::AlreadyDone(text) => AlreadyDoneError::new_err(text),
            Error::NotAdded(text) => NotAddedError::new_err(text),
            Error::EpochExists(text) => EpochExistsError::new_err(text),
            Error::EpochCompleted(text) => EpochCompletedError::new_err(text),
            Error::Exhausted(text) => SchedulerExhaustedError::new_err(text),
            Error::Value(text) => PyValueError::new_err(text),
        }
    }
}

type Ready = Vec<(Py<PyAny>, Py<PyString>)>;
type EventTuple<'py> = (Bound<'py, PyAny>, PyBackedStr, PyBackedStr, bool, bool);

/// NOOB's `noob_core.Scheduler`, in time linear in nodes and edges.
#[pyclass(module = "noob_fast", name = "FastScheduler")]
pub struct FastScheduler {
    pub core: Scheduler,
    epoch_type: Py<PyAny>,
    /// The names of nodes as Python strings, made when first asked for.
    names: Vec<Option<Py<PyString>>>,
    /// NOOB's epochs by ours, and ours by the address of NOOB's, which `handles` keeps alive.
    handles: FxHashMap<Epoch, Py<PyAny>>,
    known: FxHashMap<usize, Epoch>,
    /// Nodes that open sub-epochs, each with an epoch of its own, in NOOB's order of epochs.
    openers: Vec<(Item, Py<PyAny>)>,
}

impl FastScheduler {
    pub fn name(&mut self, py: Python<'_>, item: Item) -> Py<PyString> {
        let at = item as usize;
        if at >= self.names.len() {
            self.names.resize_with(self.core.items.len(), || None);
        }
        self.names[at]
            .get_or_insert_with(|| PyString::new(py, self.core.items.text(item)).unbind())
            .clone_ref(py)
    }

    /// Our epoch for NOOB's, or for a number.
    pub fn epoch(&mut self, given: &Bound<'_, PyAny>) -> PyResult<Epoch> {
        if let Some(known) = self.known.get(&(given.as_ptr() as usize)) {
            return Ok(known.clone());
        }
        if given.is_instance_of::<PyInt>() {
            return Ok(Epoch::root(given.extract()?));
        }
        if !given.is_instance(self.epoch_type.bind(given.py()))? {
            let text = format!("An epoch is an Epoch or an int, not {}", given.get_type());
            return Err(pyo3::exceptions::PyTypeError::new_err(text));
        }
        let root = given.getattr("root")?.extract()?;
        let mut path = Vec::new();
        for at in 1..given.len()? {
            let (name, index): (PyBackedStr, u32) = given.get_item(at)?.extract()?;
            let node = self.core.items.intern_node(&name);
            if !self.core.order.knows(node) {
                self.place_opener(given.py(), node)?;
            }
            path.push((node, index));
        }
        let epoch = Epoch {
            root,
            path: path.into(),
        };
        if !self.handles.contains_key(&epoch) {
            self.keep(epoch.clone(), given.clone().unbind());
        }
        Ok(epoch)
    }

    /// Find a node's place in NOOB's order of epochs, which only NOOB knows.
    fn place_opener(&mut self, py: Python<'_>, node: Item) -> PyResult<()> {
        let name = self.name(py, node);
        let probe = self.epoch_type.bind(py).call1((0, vec![(name, 0)]))?;
        let mut at = 0;
        while at < self.openers.len()
            && self.openers[at]
                .1
                .bind(py)
                .rich_compare(&probe, CompareOp::Lt)?
                .is_truthy()?
        {
            at += 1;
        }
        self.openers.insert(at, (node, probe.unbind()));
        let order: Vec<Item> = self.openers.iter().map(|(item, _)| *item).collect();
        self.core.order.set(&order);
        Ok(())
    }

    fn keep(&mut self, epoch: Epoch, handle: Py<PyAny>) {
        self.known.insert(handle.as_ptr() as usize, epoch.clone());
        self.handles.insert(epoch, handle);
    }

    /// NOOB's epoch for ours.
    pub fn handle(&mut self, py: Python<'_>, epoch: &Epoch) -> PyResult<Py<PyAny>> {
        if let Some(handle) = self.handles.get(epoch) {
            return Ok(handle.clone_ref(py));
        }
        let path: Vec<(Py<PyString>, u32)> = epoch
            .path
            .iter()
            .map(|&(node, index)| (self.name(py, node), index))
            .collect();
        let handle = self.epoch_type.bind(py).call1((epoch.root, path))?.unbind();
        self.keep(epoch.clone(), handle.clone_ref(py));
        Ok(handle)
    }

    /// NOOB's epochs for those that have ended; they are no longer kept.
    fn ended(&mut self, py: Python<'_>, epochs: &[Epoch]) -> PyResult<Vec<Py<PyAny>>> {
        let handles = epochs.iter().map(|epoch| self.handle(py, epoch)).collect();
        self.forget(epochs);
        handles
    }

    fn forget(&mut self, ended: &[Epoch]) {
        let roots: FxHashSet<u32> = ended
            .iter()
            .filter(|epoch| epoch.is_root())
            .map(|epoch| epoch.root)
            .collect();
        if !roots.is_empty() {
            self.handles.retain(|epoch, _| !roots.contains(&epoch.root));
            self.known.retain(|_, epoch| !roots.contains(&epoch.root));
        }
    }

    fn item(&self, node: &str, signal: Option<&str>) -> PyResult<Item> {
        let items = &self.core.items;
        let found = match (items.node(node), signal) {
            (Some(owner), Some(signal)) => items.signal(owner, signal),
            (owner, _) => owner,
        };
        found.ok_or_else(|| {
            let what = signal.map_or_else(
                || format!("Node '{node}'"),
                |signal| format!("Signal '{signal}' of node '{node}'"),
            );
            NotAddedError::new_err(format!("{what} was not added when creating the scheduler"))
        })
    }

    fn ready(&mut self, py: Python<'_>, ready: &[(Epoch, Item)]) -> PyResult<Ready> {
        ready
            .iter()
            .map(|(epoch, node)| Ok((self.handle(py, epoch)?, self.name(py, *node))))
            .collect()
    }

    /// An item as NOOB's scheduler state has it: a name, or a name and its signal's.
    fn label<'py>(&mut self, py: Python<'py>, item: Item) -> PyResult<Bound<'py, PyAny>> {
        if self.core.items.is_signal(item) {
            let owner = self.core.items.owner(item);
            let owner = self.name(py, owner);
            let signal = self.core.items.text(item);
            Ok((owner, signal).into_pyobject(py)?.into_any())
        } else {
            Ok(self.name(py, item).into_bound(py).into_any())
        }
    }

    fn labels<'py>(
        &mut self,
        py: Python<'py>,
        items: impl IntoIterator<Item = Item>,
    ) -> PyResult<Bound<'py, PySet>> {
        let set = PySet::empty(py)?;
        for item in items {
            set.add(self.label(py, item)?)?;
        }
        Ok(set)
    }
}

/// Tell `noob_core` the nodes' names in the order in which its own scheduler would have met them:
/// its order of sub-epochs follows from it.
fn introduce(py: Python<'_>, epoch_type: &Bound<'_, PyAny>, core: &Introduction) -> PyResult<()> {
    let names: Vec<(&str, u32)> = core
        .order
        .iter()
        .map(|&item| (core.items.text(item), 0))
        .collect();
    epoch_type.call1((0, PyList::new(py, names)?)).map(drop)
}

/// The nodes in the order in which `noob_core` would meet them.
struct Introduction<'a> {
    items: &'a Items,
    order: Vec<Item>,
}

impl<'a> Introduction<'a> {
    fn new(items: &'a Items, nodes: &[Node], edges: &[Edge]) -> Self {
        let mut met: FxHashSet<Item> = FxHashSet::default();
        let disabled: FxHashSet<Item> = nodes
            .iter()
            .filter(|node| !node.enabled)
            .map(|node| node.item)
            .collect();
        let connected = edges.iter().flat_map(|edge| {
            let source = (!disabled.contains(&edge.target)).then_some(edge.source);
            [Some(edge.target), source].into_iter().flatten()
        });
        let order = nodes
            .iter()
            .filter(|node| !node.enabled)
            .map(|node| node.item)
            .chain(connected)
            .chain(nodes.iter().map(|node| node.item))
            .filter(|&item| met.insert(item))
            .collect();
        Introduction { items, order }
    }
}

#[pymethods]
impl FastScheduler {
    #[new]
    fn new(py: Python<'_>, nodes: &Bound<'_, PyAny>, edges: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut items = Items::default();
        let mut own = Vec::new();
        for node in nodes.try_iter()? {
            let (id, enabled, stateful): (PyBackedStr, bool, Option<bool>) = node?.extract()?;
            let item = items.intern_node(&id);
            own.push(Node {
                item,
                enabled,
                stateful: stateful.unwrap_or(false),
            });
        }
        let mut dependencies = Vec::new();
        for edge in edges.try_iter()? {
            let (source, signal, target, slot, required): (
                PyBackedStr,
                PyBackedStr,
                PyBackedStr,
                PyBackedStr,
                bool,
            ) = edge?.extract()?;
            let source = items.intern_node(&source);
            let target = items.intern_node(&target);
            dependencies.push(Edge {
                source,
                signal: items.intern_signal(source, &signal),
                target,
                slot: items.intern_slot(target, &slot),
                required,
            });
        }
        let epoch_type = py.import("noob_core")?.getattr("Epoch")?;
        introduce(
            py,
            &epoch_type,
            &Introduction::new(&items, &own, &dependencies),
        )?;
        Ok(FastScheduler {
            core: Scheduler::new(items, &own, dependencies),
            epoch_type: epoch_type.unbind(),
            names: Vec::new(),
            handles: FxHashMap::default(),
            known: FxHashMap::default(),
            openers: Vec::new(),
        })
    }

    fn add_epoch(&mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let epoch = self.core.add_epoch();
        self.handle(py, &epoch)
    }

    fn add_epoch_at(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let ours = self.epoch(epoch)?;
        self.core.add_epoch_at(&ours)?;
        self.handle(epoch.py(), &ours)
    }

    fn begin(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match self.core.begin()? {
            Some(epoch) => self.handle(py, &epoch).map(Some),
            None => Ok(None),
        }
    }

    fn is_active(&self) -> bool {
        self.core.is_active()
    }

    fn is_active_at(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let epoch = self.epoch(epoch)?;
        Ok(self.core.is_active_at(&epoch))
    }

    fn epoch_completed(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let epoch = self.epoch(epoch)?;
        Ok(self.core.epoch_completed(&epoch))
    }

    fn first_active_epoch(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.core
            .first_active_epoch()
            .map(|epoch| self.handle(py, &epoch))
            .transpose()
    }

    fn sources_finished(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let epoch = self.epoch(epoch)?;
        Ok(self.core.sources_finished(&epoch))
    }

    fn get_ready(&mut self, py: Python<'_>) -> PyResult<Ready> {
        let ready = self.core.get_ready();
        self.ready(py, &ready)
    }

    fn get_ready_at(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<Ready> {
        let ours = self.epoch(epoch)?;
        let ready = self.core.get_ready_at(&ours);
        self.ready(epoch.py(), &ready)
    }

    fn node_is_ready(
        &mut self,
        node: &str,
        epoch: &Bound<'_, PyAny>,
        subepochs: bool,
    ) -> PyResult<bool> {
        let item = self.item(node, None)?;
        let epoch = self.epoch(epoch)?;
        Ok(self.core.node_is_ready(item, &epoch, subepochs))
    }

    fn node_is_done(&mut self, node: &str, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let item = self.item(node, None)?;
        let epoch = self.epoch(epoch)?;
        Ok(self.core.node_is_done(item, &epoch))
    }

    #[pyo3(signature = (epoch, node_id, signal=None, with_signals=true))]
    fn done(
        &mut self,
        epoch: &Bound<'_, PyAny>,
        node_id: &str,
        signal: Option<&str>,
        with_signals: bool,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let item = self.item(node_id, signal)?;
        let ours = self.epoch(epoch)?;
        let ended = self.core.done(&ours, item, with_signals)?;
        self.ended(epoch.py(), &ended)
    }

    #[pyo3(signature = (epoch, node_id, signal=None, with_signals=true, unlock_optionals=true))]
    fn expire(
        &mut self,
        epoch: &Bound<'_, PyAny>,
        node_id: &str,
        signal: Option<&str>,
        with_signals: bool,
        unlock_optionals: bool,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let item = self.item(node_id, signal)?;
        let ours = self.epoch(epoch)?;
        let ended = self
            .core
            .expire(&ours, item, with_signals, unlock_optionals)?;
        self.ended(epoch.py(), &ended)
    }

    fn end_epoch(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyAny>>> {
        let ours = self.epoch(epoch)?;
        let ended = self.core.end_epoch(&ours)?;
        self.ended(epoch.py(), &ended)
    }

    fn update(&mut self, py: Python<'_>, events: Vec<EventTuple<'_>>) -> PyResult<Vec<Py<PyAny>>> {
        let mut ours = Vec::with_capacity(events.len());
        for (epoch, node_id, signal, no_event, exhausted) in events {
            let items = &self.core.items;
            let Some(node) = items.node(&node_id).filter(|&node| self.core.matters(node)) else {
                continue;
            };
            let signal = items
                .signal(node, &signal)
                .filter(|&signal| self.core.matters(signal));
            let epoch = self.epoch(&epoch)?;
            ours.push(Event {
                epoch,
                node,
                signal,
                no_event,
                exhausted,
            });
        }
        let ended = self.core.update(ours)?;
        self.ended(py, &ended)
    }

    fn has_cycle(&mut self) -> bool {
        self.core.has_cycle()
    }

    fn generations(&mut self, py: Python<'_>) -> Vec<Vec<Py<PyString>>> {
        let groups = self.core.generations();
        groups
            .into_iter()
            .map(|group| group.into_iter().map(|item| self.name(py, item)).collect())
            .collect()
    }

    fn source_nodes(&mut self, py: Python<'_>) -> Vec<Py<PyString>> {
        let sources = self.core.source_nodes().to_vec();
        sources
            .into_iter()
            .map(|item| self.name(py, item))
            .collect()
    }

    fn upstream_nodes<'py>(&mut self, py: Python<'py>, node: &str) -> PyResult<Bound<'py, PySet>> {
        let item = self.item(node, None)?;
        let upstream = self.core.upstream_nodes(item)?;
        self.labels(py, upstream)
    }

    fn get_epoch_state<'py>(&mut self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let py = epoch.py();
        let ours = self.epoch(epoch)?;
        let (graph, state) = self.core.epoch_state(&ours)?;
        let result = PyDict::new(py);
        for (key, group) in [
            ("ready", state.ready),
            ("out", state.out),
            ("done", state.done),
            ("disabled", state.disabled),
            ("ran", state.ran),
            ("pending", state.pending),
        ] {
            result.set_item(key, self.labels(py, group)?)?;
        }
        result.set_item("npassedout", state.passed_out)?;
        result.set_item("nfinished", state.finished)?;
        let info = PyDict::new(py);
        for (item, waiting) in state.known {
            let record = PyDict::new(py);
            record.set_item("nqueue", waiting)?;
            let local = graph.local(item);
            let around = |list: &crate::graph::Lists| -> Vec<Item> {
                let list = local.map_or(&[][..], |at| list.of(at)).iter();
                list.map(|&at| graph.items[at as usize]).collect()
            };
            record.set_item("successors", self.labels(py, around(&graph.successors))?)?;
            record.set_item(
                "predecessors",
                self.labels(py, around(&graph.predecessors))?,
            )?;
            let optionals = graph.optionals(&self.core.items);
            let takes = optionals
                .predecessors
                .get(&item)
                .cloned()
                .unwrap_or_default();
            let frees = local.map_or_else(Vec::new, |at| optionals.of(at).to_vec());
            let optional = PyDict::new(py);
            for (signal, slot) in takes {
                optional.set_item(self.label(py, signal)?, self.slot_label(py, slot)?)?;
            }
            record.set_item("optional_predecessors", optional)?;
            let slots = PySet::empty(py)?;
            for slot in frees {
                slots.add(self.slot_label(py, slot)?)?;
            }
            record.set_item("optional_successors", slots)?;
            info.set_item(self.label(py, item)?, record)?;
        }
        result.set_item("info", info)?;
        Ok(result)
    }

    #[getter]
    fn exhausted(&self) -> bool {
        self.core.exhausted
    }

    #[getter]
    fn epoch_log<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        PySet::new(py, self.core.epoch_log())
    }

    #[getter]
    fn subepochs<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let subepochs = self.core.subepochs().clone();
        let result = PyDict::new(py);
        for (epoch, below) in subepochs {
            let set = PySet::empty(py)?;
            for subepoch in below {
                set.add(self.handle(py, &subepoch)?)?;
            }
            result.set_item(self.handle(py, &epoch)?, set)?;
        }
        Ok(result)
    }
}

impl FastScheduler {
    fn slot_label(&mut self, py: Python<'_>, slot: u32) -> PyResult<(Py<PyString>, String)> {
        let owner = self.core.items.slot_owner(slot);
        let text = self.core.items.slot_text(slot).to_owned();
        Ok((self.name(py, owner), text))
    }
}

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add(
        "BUILD",
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    )?;
    m.add_class::<FastScheduler>()?;
    m.add_class::<ValueBlock>()?;
    m.add_class::<EpochDriver>()
}
