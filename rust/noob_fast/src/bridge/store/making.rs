//! How an event is made of what was put into a block.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::{ValueBlock, Values};
use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use std::sync::atomic::Ordering;

/// An entry of which no event was made yet.
struct Raw<'py> {
    at: u32,
    slot: u32,
    value: Bound<'py, PyAny>,
    stamp: u64,
}

impl<'py> Raw<'py> {
    /// An entry's event, or, if it was not made yet, what it is made of; nothing if the entry is
    /// gone.
    fn new(py: Python<'py>, log: &Values, at: u32) -> Result<Bound<'py, PyAny>, Option<Self>> {
        if let Some(event) = log.made(at) {
            return Ok(event.bind(py).clone());
        }
        let entry = log.entries().get(at as usize);
        Err(entry.map(|entry| Raw {
            at,
            slot: entry.slot,
            value: entry.value.bind(py).clone(),
            stamp: entry.stamp,
        }))
    }
}

impl StoreCore {
    /// The event of an entry.
    pub fn event<'py>(
        &self,
        block: &Bound<'py, ValueBlock>,
        at: u32,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, block) = (block.py(), block.get());
        let raw = match Raw::new(py, &block.log(py), at) {
            Ok(event) => return Ok(event),
            Err(raw) => raw,
        };
        self.make(py, block, raw)
    }

    /// The event of a slot's latest entry, if there is one.
    pub fn latest<'py>(
        &self,
        block: &Bound<'py, ValueBlock>,
        slot: u32,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.touch(block);
        let (py, block) = (block.py(), block.get());
        let found = {
            let log = block.log(py);
            let Some(at) = log.latest_of(slot) else {
                return Ok(None);
            };
            Raw::new(py, &log, at)
        };
        match found {
            Ok(event) => Ok(Some(event)),
            Err(raw) => self.make(py, block, raw).map(Some),
        }
    }

    fn make<'py>(
        &self,
        py: Python<'py>,
        block: &ValueBlock,
        raw: Option<Raw<'py>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(Raw {
            at,
            slot,
            value,
            stamp,
        }) = raw
        else {
            return Err(PyKeyError::new_err("the epoch was cleared"));
        };
        let value = block.opened(value)?;
        let (node, signal) = {
            let state = self.state(py);
            let Some(name) = state.signals.name(slot) else {
                let text = format!("slot {slot} is of no signal that the store knows");
                return Err(PyKeyError::new_err(text));
            };
            (name.node.bind(py).clone(), name.signal.bind(py).clone())
        };
        let event = block.template(py, &signal, stamp)?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        event.set_item(intern!(py, "id"), self.prefix ^ number)?;
        event.set_item(intern!(py, "node_id"), node)?;
        event.set_item(intern!(py, "value"), value)?;
        let event = event.into_any();
        let mut log = block.log(py);
        if let Some(quicker) = log.made(at) {
            return Ok(quicker.bind(py).clone());
        }
        log.keep(at, event.clone().unbind());
        Ok(event)
    }
}
