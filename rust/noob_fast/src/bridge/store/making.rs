//! How an event is made of what was put into a block.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::{Place, ValueBlock, Values};
use crate::bridge::store::events::moment;
use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::sync::atomic::Ordering;

/// What an event is made of.
pub struct Raw {
    pub place: Place,
    pub slot: u32,
    pub value: Py<PyAny>,
    /// Nanoseconds since 1970.
    pub stamp: u64,
}

impl Raw {
    /// What an entry's event is made of; nothing if the entry is gone.
    fn read(py: Python<'_>, log: &Values, at: u32) -> Option<Raw> {
        let entry = log.entries().get(at as usize)?;
        Some(Raw {
            place: Place {
                at,
                generation: log.generation(),
            },
            slot: entry.slot,
            value: entry.value.clone_ref(py),
            stamp: entry.stamp,
        })
    }
}

/// An event to make others of. Nothing of it is ever changed: another thread may be copying it.
pub struct Template {
    event: Py<PyDict>,
    epoch: Option<Py<PyAny>>,
    signal: Py<PyString>,
    /// Its time, in microseconds since 1970.
    micros: u64,
}

impl StoreCore {
    /// The event of an entry, by its number.
    pub fn entry<'py>(
        &self,
        block: &Bound<'py, ValueBlock>,
        at: u32,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = block.py();
        let raw = {
            let log = block.get().log(py);
            if let Some(event) = log.made(at) {
                return Ok(event.bind(py).clone());
            }
            Raw::read(py, &log, at)
        };
        match raw {
            Some(raw) => self.make(block, &raw),
            None => Err(PyKeyError::new_err("the epoch was cleared")),
        }
    }

    /// The event of a slot's latest entry, if there is one.
    pub fn latest<'py>(
        &self,
        block: &Bound<'py, ValueBlock>,
        slot: u32,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = block.py();
        let raw = {
            let log = block.get().log(py);
            let Some(at) = log.latest_of(slot) else {
                return Ok(None);
            };
            match log.made(at) {
                Some(event) => Err(event.bind(py).clone()),
                None => Ok(Raw::read(py, &log, at)),
            }
        };
        self.touch(block);
        match raw {
            Err(event) => Ok(Some(event)),
            Ok(Some(raw)) => self.make(block, &raw).map(Some),
            Ok(None) => Ok(None),
        }
    }

    /// The event of what was put into a block, which may have been cleared since.
    pub fn event<'py>(
        &self,
        block: &Bound<'py, ValueBlock>,
        raw: &Raw,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = block.py();
        {
            let log = block.get().log(py);
            if log.generation() == raw.place.generation
                && let Some(event) = log.made(raw.place.at)
            {
                return Ok(event.bind(py).clone());
            }
        }
        self.make(block, raw)
    }

    fn make<'py>(&self, block: &Bound<'py, ValueBlock>, raw: &Raw) -> PyResult<Bound<'py, PyAny>> {
        let (py, block) = (block.py(), block.get());
        let value = block.opened(raw.value.bind(py).clone())?;
        let (node, signal) = {
            let state = self.state(py);
            let Some(name) = state.signals.name(raw.slot) else {
                let text = format!("slot {} is of no signal that the store knows", raw.slot);
                return Err(PyKeyError::new_err(text));
            };
            (name.node.bind(py).clone(), name.signal.bind(py).clone())
        };
        let epoch = block.at.as_ref().map(|at| at.epoch.bind(py));
        let event = self.template(py, epoch, &signal, raw.stamp)?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        event.set_item(intern!(py, "id"), self.prefix ^ number)?;
        event.set_item(intern!(py, "node_id"), node)?;
        event.set_item(intern!(py, "value"), value)?;
        let event = event.into_any();
        let mut log = block.log(py);
        if log.generation() == raw.place.generation {
            if let Some(quicker) = log.made(raw.place.at) {
                return Ok(quicker.bind(py).clone());
            }
            log.keep(raw.place.at, event.clone().unbind());
        }
        Ok(event)
    }

    /// An event of that epoch, signal and time, that lacks its number, its node, and its value.
    ///
    /// A copy costs half of what it costs to put in the keys one by one.
    fn template<'py>(
        &self,
        py: Python<'py>,
        epoch: Option<&Bound<'py, PyAny>>,
        signal: &Bound<'py, PyString>,
        stamp: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let micros = stamp / 1000;
        let known = self.state(py).template.as_ref().map(|it| {
            let same_epoch = match (&it.epoch, epoch) {
                (Some(one), Some(other)) => one.is(other),
                (one, other) => one.is_none() && other.is_none(),
            };
            let same = same_epoch && it.signal.is(signal) && it.micros == micros;
            (it.event.bind(py).clone(), same)
        });
        let event = match known {
            Some((event, true)) => return event.copy(),
            Some((event, false)) => event.copy()?,
            None => {
                let event = PyDict::new(py);
                for key in ["id", "timestamp", "node_id", "signal", "epoch", "value"] {
                    event.set_item(PyString::intern(py, key), py.None())?;
                }
                event
            }
        };
        event.set_item(intern!(py, "timestamp"), moment(py, micros)?)?;
        event.set_item(intern!(py, "signal"), signal)?;
        event.set_item(intern!(py, "epoch"), epoch)?;
        let copy = event.copy()?;
        let before = self.state(py).template.replace(Template {
            event: event.unbind(),
            epoch: epoch.map(|epoch| epoch.clone().unbind()),
            signal: signal.clone().unbind(),
            micros,
        });
        drop(before);
        Ok(copy)
    }
}
