//! `FastScheduler`: the core's questions and answers in Python's terms.

use crate::bridge::NotAddedError;
use crate::bridge::handles::Handles;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::{Edge, Lists, Node};
use crate::scheduler::items::{Item, Items};
use crate::scheduler::{Event, Scheduler};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList, PySet, PyString};

type Ready = Vec<(Py<PyAny>, Py<PyString>)>;
type EventTuple<'py> = (Bound<'py, PyAny>, PyBackedStr, PyBackedStr, bool, bool);

/// NOOB's `noob_core.Scheduler`, in time linear in nodes and edges.
#[pyclass(module = "noob_fast", name = "FastScheduler")]
pub struct FastScheduler {
    pub core: Scheduler,
    handles: Handles,
}

impl FastScheduler {
    pub fn name(&mut self, py: Python<'_>, item: Item) -> Py<PyString> {
        self.handles.name(py, &self.core.items, item)
    }

    /// Our epoch for NOOB's, or for a number.
    pub fn epoch(&mut self, given: &Bound<'_, PyAny>) -> PyResult<Epoch> {
        self.handles.epoch(&mut self.core, given)
    }

    /// NOOB's epoch for ours.
    pub fn handle(&mut self, py: Python<'_>, epoch: &Epoch) -> PyResult<Py<PyAny>> {
        self.handles.handle(py, &self.core, epoch)
    }

    fn ended(&mut self, py: Python<'_>, epochs: &[Epoch]) -> PyResult<Vec<Py<PyAny>>> {
        epochs.iter().map(|epoch| self.handle(py, epoch)).collect()
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
        let mut result = Vec::with_capacity(ready.len());
        for group in ready.chunk_by(|(before, _), (epoch, _)| before == epoch) {
            let handle = self.handle(py, &group[0].0)?;
            result.extend(
                group
                    .iter()
                    .map(|(_, node)| (handle.clone_ref(py), self.name(py, *node))),
            );
        }
        Ok(result)
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
        let handles = Handles::new(py)?;
        handles.introduce(py, &items, &own, &dependencies)?;
        Ok(FastScheduler {
            core: Scheduler::new(items, &own, dependencies),
            handles,
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

    /// Mark nodes as done, with their signals, as `get_ready` and `get_ready_at` list them.
    fn done_many(&mut self, py: Python<'_>, nodes: &Bound<'_, PyList>) -> PyResult<Vec<Py<PyAny>>> {
        let mut ended = Vec::new();
        for node in nodes {
            let (epoch, name): (Bound<'_, PyAny>, Bound<'_, PyString>) = node.extract()?;
            let item = match self.handles.named(&name) {
                Some(item) => item,
                None => self.item(name.to_str()?, None)?,
            };
            let epoch = self.epoch(&epoch)?;
            ended.extend(self.core.done(&epoch, item, true)?);
        }
        self.ended(py, &ended)
    }

    fn release_early(&mut self, epoch: &Bound<'_, PyAny>) -> PyResult<()> {
        let epoch = self.epoch(epoch)?;
        self.core.release_early(&epoch);
        Ok(())
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
            let around = |list: &Lists| -> Vec<Item> {
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
                optional.set_item(self.label(py, signal)?, self.slot_label(py, slot))?;
            }
            record.set_item("optional_predecessors", optional)?;
            let slots = PySet::empty(py)?;
            for slot in frees {
                slots.add(self.slot_label(py, slot))?;
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
        let subepochs: Vec<(Epoch, Vec<Epoch>)> = self
            .core
            .subepochs()
            .map(|(epoch, below)| (epoch.clone(), below.to_vec()))
            .collect();
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
    fn slot_label(&mut self, py: Python<'_>, slot: u32) -> (Py<PyString>, String) {
        let owner = self.core.items.slot_owner(slot);
        let text = self.core.items.slot_text(slot).to_owned();
        (self.name(py, owner), text)
    }
}
