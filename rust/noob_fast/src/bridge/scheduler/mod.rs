//! `FastScheduler`: the core's questions and answers in Python's terms.

mod handles;
mod indices;
mod shared;
mod snapshot;

use crate::bridge::NotAddedError;
use crate::bridge::scheduler::handles::{Handles, Names, introduce};
use crate::bridge::scheduler::shared::State;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::graph::{Edge, Node};
use crate::scheduler::items::{Item, Items};
use crate::scheduler::{Event, Scheduler};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList, PyMapping, PySet, PyString};
use std::sync::Mutex;

type EventTuple<'py> = (Bound<'py, PyAny>, PyBackedStr, PyBackedStr, bool, bool);

/// NOOB's `noob_core.Scheduler`, in time linear in nodes and edges. Any number of threads may use
/// one: each call is done as a whole.
#[pyclass(module = "noob_fast", name = "FastScheduler", frozen)]
pub struct FastScheduler {
    pub(super) state: Mutex<State>,
    pub(super) names: Names,
    pub(super) epoch_type: Py<PyAny>,
}

/// What each item costs, as `costs` has it by name: 1 if it is not there.
fn read_costs(
    items: &Items,
    names: &Names,
    costs: Option<&Bound<'_, PyMapping>>,
) -> PyResult<Vec<f64>> {
    let mut read = vec![1.0; items.len()];
    let Some(costs) = costs else {
        return Ok(read);
    };
    for cost in costs.items()? {
        let (name, cost): (PyBackedStr, f64) = cost.extract()?;
        let node = items.node(&name);
        let Some(node) = node.filter(|&node| names.index(node) != u32::MAX) else {
            let text = format!("costs has '{name}', which is no node of the graph");
            return Err(NotAddedError::new_err(text));
        };
        if !(0.0..f64::INFINITY).contains(&cost) {
            return Err(PyValueError::new_err(format!(
                "costs['{name}'] is {cost}, not a finite number of seconds, 0 or more"
            )));
        }
        read[node as usize] = cost;
    }
    Ok(read)
}

#[pymethods]
impl FastScheduler {
    #[new]
    #[pyo3(signature = (nodes, edges, *, priority="order", costs=None))]
    fn new(
        py: Python<'_>,
        nodes: &Bound<'_, PyAny>,
        edges: &Bound<'_, PyAny>,
        priority: &str,
        costs: Option<&Bound<'_, PyMapping>>,
    ) -> PyResult<Self> {
        let mut items = Items::default();
        let mut given: Vec<Option<Py<PyString>>> = Vec::new();
        let mut intern = |items: &mut Items, name: &Bound<'_, PyString>| -> PyResult<Item> {
            let item = items.intern_node(name.to_str()?);
            if given.len() <= item as usize {
                given.resize_with(item as usize + 1, || None);
            }
            if given[item as usize].is_none()
                && let Ok(name) = name.cast_exact::<PyString>()
            {
                given[item as usize] = Some(name.clone().unbind());
            }
            Ok(item)
        };
        let mut own = Vec::new();
        for node in nodes.try_iter()? {
            let (id, enabled, stateful): (Bound<'_, PyString>, bool, Option<bool>) =
                node?.extract()?;
            own.push(Node {
                item: intern(&mut items, &id)?,
                enabled,
                stateful: stateful.unwrap_or(false),
            });
        }
        let mut dependencies = Vec::new();
        for edge in edges.try_iter()? {
            let (source, signal, target, slot, required): (
                Bound<'_, PyString>,
                PyBackedStr,
                Bound<'_, PyString>,
                PyBackedStr,
                bool,
            ) = edge?.extract()?;
            let source = intern(&mut items, &source)?;
            let target = intern(&mut items, &target)?;
            dependencies.push(Edge {
                source,
                signal: items.intern_signal(source, &signal),
                target,
                slot: items.intern_slot(target, &slot),
                required,
            });
        }
        let names = Names::new(py, &items, given, &own, &dependencies);
        let costs = match (priority, costs) {
            ("order", None) => None,
            ("order", Some(_)) => {
                let text = "costs are for priority 'critical_path'; 'order' does not ask for them";
                return Err(PyValueError::new_err(text));
            }
            ("critical_path", costs) => Some(read_costs(&items, &names, costs)?),
            _ => {
                let text = format!("priority is 'order' or 'critical_path', not '{priority}'");
                return Err(PyValueError::new_err(text));
            }
        };
        let epoch_type = py.import("noob_core")?.getattr("Epoch")?;
        introduce(&epoch_type, &items, &own, &dependencies)?;
        let mut core = Scheduler::new(items, &own, dependencies);
        if let Some(costs) = costs {
            core.prefer_critical_path(costs);
        }
        Ok(FastScheduler {
            state: Mutex::new(State {
                core,
                handles: Handles::default(),
            }),
            names,
            epoch_type: epoch_type.unbind(),
        })
    }

    fn add_epoch(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let epoch = self.lock().core.add_epoch();
        self.handle(py, &epoch)
    }

    fn add_epoch_at(&self, epoch: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let (mut state, ours) = self.at(epoch)?;
        state.core.add_epoch_at(&ours)?;
        drop(state);
        self.handle(epoch.py(), &ours)
    }

    fn begin(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let epoch = self.lock().core.begin()?;
        epoch.map(|epoch| self.handle(py, &epoch)).transpose()
    }

    fn is_active(&self) -> bool {
        self.lock().core.is_active()
    }

    fn is_active_at(&self, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (state, epoch) = self.at(epoch)?;
        Ok(state.core.is_active_at(&epoch))
    }

    fn epoch_completed(&self, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (state, epoch) = self.at(epoch)?;
        Ok(state.core.epoch_completed(&epoch))
    }

    fn first_active_epoch(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let epoch = self.lock().core.first_active_epoch();
        epoch.map(|epoch| self.handle(py, &epoch)).transpose()
    }

    fn sources_finished(&self, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (mut state, epoch) = self.at(epoch)?;
        Ok(state.core.sources_finished(&epoch))
    }

    fn get_ready<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut ready = Vec::new();
        {
            let core = &mut self.lock().core;
            for root in core.root_epochs() {
                ready.extend(core.take_ready(&root));
            }
        }
        self.listed(py, &ready)
    }

    fn get_ready_at<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let (mut state, ours) = self.at(epoch)?;
        let ready = state.core.take_ready(&ours);
        drop(state);
        self.listed(epoch.py(), &ready)
    }

    /// The names of the nodes: where one stands is its index.
    fn node_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names.in_order(py)
    }

    /// Take what is ready in an epoch alone, as indices.
    fn ready_array<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (mut state, ours) = self.at(epoch)?;
        let mut ready = state.core.take_ready_of(&ours);
        drop(state);
        for node in &mut ready {
            *node = self.names.index(*node);
        }
        indices::array(epoch.py(), &ready)
    }

    /// Mark nodes of an epoch as done, with their signals, by their indices.
    fn done_array(
        &self,
        epoch: &Bound<'_, PyAny>,
        indices: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let mut nodes = indices::read(indices)?;
        let mut unknown = None;
        for at in 0..nodes.len() {
            match self.names.at(nodes[at]) {
                Ok(node) => nodes[at] = node,
                Err(error) => {
                    unknown = Some(error);
                    nodes.truncate(at);
                    break;
                }
            }
        }
        let (mut state, ours) = self.at(epoch)?;
        let ended = state.core.done_all(&ours, &nodes)?;
        drop(state);
        match unknown {
            Some(error) => Err(error),
            None => self.ended(epoch.py(), &ended),
        }
    }

    fn node_is_ready(
        &self,
        node: &Bound<'_, PyString>,
        epoch: &Bound<'_, PyAny>,
        subepochs: bool,
    ) -> PyResult<bool> {
        let item = self.node(node)?;
        let (state, epoch) = self.at(epoch)?;
        Ok(state.core.node_is_ready(item, &epoch, subepochs))
    }

    fn node_is_done(&self, node: &Bound<'_, PyString>, epoch: &Bound<'_, PyAny>) -> PyResult<bool> {
        let item = self.node(node)?;
        let (state, epoch) = self.at(epoch)?;
        Ok(state.core.node_is_done(item, &epoch))
    }

    #[pyo3(signature = (epoch, node_id, signal=None, with_signals=true))]
    fn done(
        &self,
        epoch: &Bound<'_, PyAny>,
        node_id: &Bound<'_, PyString>,
        signal: Option<&str>,
        with_signals: bool,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let item = match signal {
            None => self.node(node_id)?,
            Some(_) => self.item(node_id.to_str()?, signal)?,
        };
        let (mut state, ours) = self.at(epoch)?;
        let ended = state.core.done(&ours, item, with_signals)?;
        drop(state);
        self.ended(epoch.py(), &ended)
    }

    #[pyo3(signature = (epoch, node_id, signal=None, with_signals=true, unlock_optionals=true))]
    fn expire(
        &self,
        epoch: &Bound<'_, PyAny>,
        node_id: &Bound<'_, PyString>,
        signal: Option<&str>,
        with_signals: bool,
        unlock_optionals: bool,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let item = self.item(node_id.to_str()?, signal)?;
        let (mut state, ours) = self.at(epoch)?;
        let ended = state
            .core
            .expire(&ours, item, with_signals, unlock_optionals)?;
        drop(state);
        self.ended(epoch.py(), &ended)
    }

    /// Mark nodes as done, with their signals, as `get_ready` and `get_ready_at` list them.
    fn done_many(&self, py: Python<'_>, nodes: &Bound<'_, PyList>) -> PyResult<Vec<Py<PyAny>>> {
        // They are read before the core is asked, up to the first that cannot be.
        let mut items: Vec<Item> = Vec::with_capacity(nodes.len());
        let mut parts: Vec<(Bound<'_, PyAny>, usize)> = Vec::new();
        let mut unknown = None;
        for node in nodes {
            match self.pair(&node) {
                Ok((epoch, item)) => {
                    items.push(item);
                    match parts.last_mut() {
                        Some((last, end)) if last.is(epoch) => *end += 1,
                        _ => parts.push((epoch.clone(), items.len())),
                    }
                }
                Err(error) => {
                    unknown = Some(error);
                    break;
                }
            }
        }
        let mut ended = Vec::new();
        let mut begin = 0;
        for (epoch, end) in parts {
            let (mut state, ours) = self.at(&epoch)?;
            ended.extend(state.core.done_all(&ours, &items[begin..end])?);
            begin = end;
        }
        match unknown {
            Some(error) => Err(error),
            None => self.ended(py, &ended),
        }
    }

    fn release_early(&self, epoch: &Bound<'_, PyAny>) -> PyResult<()> {
        let (mut state, epoch) = self.at(epoch)?;
        state.core.release_early(&epoch);
        Ok(())
    }

    fn end_epoch(&self, epoch: &Bound<'_, PyAny>) -> PyResult<Vec<Py<PyAny>>> {
        let (mut state, ours) = self.at(epoch)?;
        let ended = state.core.end_epoch(&ours)?;
        drop(state);
        self.ended(epoch.py(), &ended)
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands over by value what it has read"
    )]
    fn update(&self, py: Python<'_>, events: Vec<EventTuple<'_>>) -> PyResult<Vec<Py<PyAny>>> {
        let mut ours = Vec::with_capacity(events.len());
        let mut state = self.lock();
        for (epoch, node_id, signal, no_event, exhausted) in &events {
            let core = &state.core;
            let node = core.items.node(node_id).filter(|&node| core.matters(node));
            let Some(node) = node else { continue };
            let signal = core.items.signal(node, signal);
            let signal = signal.filter(|&signal| core.matters(signal));
            let epoch = if let Some(epoch) = state.handles.known(epoch) {
                epoch.clone()
            } else {
                drop(state);
                let epoch = self.read(epoch)?;
                state = self.lock();
                epoch
            };
            ours.push(Event {
                epoch,
                node,
                signal,
                no_event: *no_event,
                exhausted: *exhausted,
            });
        }
        let ended = state.core.update(ours)?;
        drop(state);
        self.ended(py, &ended)
    }

    fn has_cycle(&self) -> bool {
        self.lock().core.has_cycle()
    }

    fn generations(&self, py: Python<'_>) -> Vec<Vec<Py<PyString>>> {
        let groups = self.lock().core.generations();
        groups.iter().map(|it| self.names_of(py, it)).collect()
    }

    fn source_nodes(&self, py: Python<'_>) -> Vec<Py<PyString>> {
        let sources = self.lock().core.source_nodes().to_vec();
        self.names_of(py, &sources)
    }

    fn upstream_nodes<'py>(
        &self,
        py: Python<'py>,
        node: &Bound<'py, PyString>,
    ) -> PyResult<Bound<'py, PySet>> {
        let item = self.node(node)?;
        let upstream = self.lock().core.upstream_nodes(item)?;
        PySet::new(py, upstream.into_iter().map(|item| self.name(py, item)))
    }

    fn get_epoch_state<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let (state, ours) = self.at(epoch)?;
        let found = state.core.epoch_state(&ours)?;
        let items = state.core.items.clone();
        drop(state);
        snapshot::describe(self, epoch.py(), &items, found)
    }

    #[getter]
    fn exhausted(&self) -> bool {
        self.lock().core.exhausted
    }

    #[getter]
    fn epoch_log<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        let log = self.lock().core.epoch_log().clone();
        PySet::new(py, log)
    }

    #[getter]
    fn subepochs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let subepochs: Vec<(Epoch, Vec<Epoch>)> = self
            .lock()
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
