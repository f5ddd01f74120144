//! `FastScheduler`'s core behind its lock, and Python's names and epochs for the core's numbers. No
//! Python runs while the lock is held, for whatever runs then might ask too.

use crate::bridge::NotAddedError;
use crate::bridge::scheduler::FastScheduler;
use crate::bridge::scheduler::handles::Handles;
use crate::scheduler::Scheduler;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::items::Item;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyInt, PyList, PyString, PyTuple};
use std::sync::{MutexGuard, PoisonError};

/// What the lock guards.
pub struct State {
    pub core: Scheduler,
    pub(super) handles: Handles,
}

impl FastScheduler {
    /// The core, for oneself. Python must not run before the guard is dropped.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The core, and our epoch for NOOB's, or for a number.
    #[inline]
    pub fn at(&self, given: &Bound<'_, PyAny>) -> PyResult<(MutexGuard<'_, State>, Epoch)> {
        let state = self.lock();
        if let Some(known) = state.handles.known(given) {
            let known = known.clone();
            return Ok((state, known));
        }
        drop(state);
        let epoch = self.read(given)?;
        Ok((self.lock(), epoch))
    }

    /// [`Self::at`] of what was not handed out, which takes Python to read.
    pub fn read(&self, given: &Bound<'_, PyAny>) -> PyResult<Epoch> {
        let py = given.py();
        if given.is_instance_of::<PyInt>() {
            let root = given.extract().map_err(|_| {
                PyTypeError::new_err(format!(
                    "{given} is not an epoch: it must fit 32 bits, unsigned"
                ))
            })?;
            return Ok(Epoch::root(root));
        }
        if !given.is_instance(self.epoch_type.bind(py))? {
            let text = format!("An epoch is an Epoch or an int, not {}", given.get_type());
            return Err(PyTypeError::new_err(text));
        }
        let root = given.getattr("root")?.extract()?;
        let mut path: Vec<(PyBackedStr, u32)> = Vec::new();
        for at in 1..given.len()? {
            path.push(given.get_item(at)?.extract()?);
        }
        let epoch = {
            let items = &mut self.lock().core.items;
            let path = path.iter();
            let path = path.map(|(name, index)| (items.intern_node(name), *index));
            Epoch {
                root,
                path: path.collect(),
            }
        };
        for &(node, _) in &epoch.path {
            self.place_opener(py, node)?;
        }
        let State { core, handles } = &mut *self.lock();
        handles.keep(core, &epoch, given.clone().unbind());
        Ok(epoch)
    }

    /// Find a node's place in NOOB's order of epochs, which only NOOB knows.
    fn place_opener(&self, py: Python<'_>, node: Item) -> PyResult<()> {
        if self.lock().core.order.knows(node) {
            return Ok(());
        }
        let name = self.name(py, node);
        let probe = self.epoch_type.bind(py).call1((0, vec![(name, 0)]))?;
        loop {
            let openers = self.lock().handles.openers(py);
            let (mut at, mut end) = (0, openers.len());
            while at < end {
                let middle = at.midpoint(end);
                if openers[middle].bind(py).lt(&probe)? {
                    at = middle + 1;
                } else {
                    end = middle;
                }
            }
            let probe = probe.clone().unbind();
            let State { core, handles } = &mut *self.lock();
            if core.order.knows(node) || handles.place(core, openers.len(), at, node, probe) {
                return Ok(());
            }
            // Another thread has placed one in the meantime.
        }
    }

    pub fn name(&self, py: Python<'_>, item: Item) -> Py<PyString> {
        if let Some(name) = self.names.get(item) {
            return name.clone_ref(py);
        }
        let text = self.lock().core.items.text(item).to_owned();
        PyString::new(py, &text).unbind()
    }

    /// NOOB's epoch for ours.
    pub fn handle(&self, py: Python<'_>, epoch: &Epoch) -> PyResult<Py<PyAny>> {
        if let Some(handle) = self.lock().handles.get(epoch) {
            return Ok(handle.clone_ref(py));
        }
        let path: Vec<(Py<PyString>, u32)> = epoch
            .path
            .iter()
            .map(|&(node, index)| (self.name(py, node), index))
            .collect();
        let made = self.epoch_type.bind(py).call1((epoch.root, path))?.unbind();
        let State { core, handles } = &mut *self.lock();
        handles.keep(core, epoch, made.clone_ref(py));
        Ok(handles.get(epoch).unwrap_or(&made).clone_ref(py))
    }

    pub fn ended(&self, py: Python<'_>, epochs: &[Epoch]) -> PyResult<Vec<Py<PyAny>>> {
        epochs.iter().map(|epoch| self.handle(py, epoch)).collect()
    }

    pub fn item(&self, node: &str, signal: Option<&str>) -> PyResult<Item> {
        let found = {
            let items = &self.lock().core.items;
            match (items.node(node), signal) {
                (Some(owner), Some(signal)) => items.signal(owner, signal),
                (owner, _) => owner,
            }
        };
        found.ok_or_else(|| {
            let what = signal.map_or_else(
                || format!("Node '{node}'"),
                |signal| format!("Signal '{signal}' of node '{node}'"),
            );
            NotAddedError::new_err(format!("{what} was not added when creating the scheduler"))
        })
    }

    /// The node of a name.
    pub fn node(&self, name: &Bound<'_, PyString>) -> PyResult<Item> {
        match self.names.node(name) {
            Some(node) => Ok(node),
            None => self.item(name.to_str()?, None),
        }
    }

    /// An epoch and a node, as `get_ready` lists them.
    #[inline]
    pub fn pair<'a, 'py>(
        &self,
        pair: &'a Bound<'py, PyAny>,
    ) -> PyResult<(&'a Bound<'py, PyAny>, Item)> {
        if let Ok(tuple) = pair.cast::<PyTuple>()
            && let [epoch, name] = tuple.as_slice()
        {
            return Ok((epoch, self.node(name.cast()?)?));
        }
        let text = format!("{pair} is not a pair of an epoch and a node's name");
        Err(PyTypeError::new_err(text))
    }

    pub fn listed<'py>(
        &self,
        py: Python<'py>,
        ready: &[(Epoch, Vec<Item>)],
    ) -> PyResult<Bound<'py, PyList>> {
        let pairs = |(epoch, nodes): &(Epoch, Vec<Item>)| {
            let handle = self.handle(py, epoch)?;
            let pairs = nodes.iter().map(|&node| (&handle, self.name(py, node)));
            PyList::new(py, pairs)
        };
        let Some((first, others)) = ready.split_first() else {
            return Ok(PyList::empty(py));
        };
        let list = pairs(first)?;
        for other in others {
            list.call_method1("extend", (pairs(other)?,))?;
        }
        Ok(list)
    }

    pub fn names_of(&self, py: Python<'_>, nodes: &[Item]) -> Vec<Py<PyString>> {
        nodes.iter().map(|&node| self.name(py, node)).collect()
    }
}
