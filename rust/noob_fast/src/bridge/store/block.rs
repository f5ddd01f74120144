//! The values of one epoch, kept where the loop over its nodes can reach them without Python.
//!
//! Nothing that may run Python happens while a block's log is locked: no call, no drop of a value,
//! and no new object that Python's garbage collector would know (which may collect, then).

use crate::store::log::{Contents, Log};
use pyo3::exceptions::PyIndexError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyList;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

pub type Values = Log<Py<PyAny>, Py<PyAny>>;

/// What one epoch's nodes emitted, by slot: the value, the time, and the order in which they came.
/// Several threads may use it at a time.
#[pyclass(module = "noob_fast", frozen)]
pub struct ValueBlock {
    log: Mutex<Values>,
    /// How many slots there may be.
    size: usize,
    /// The type of values that are opened when they are first read, if there is one, and whether
    /// there have been such values.
    packed: Option<Py<PyAny>>,
    has_packs: AtomicBool,
    /// Of which epoch it is, where a store knows it.
    pub at: Option<At>,
    /// How many of the entries a store has given out as events.
    pub flushed: AtomicUsize,
    /// How many events and bytes a store has counted.
    events: AtomicU64,
    bytes: AtomicU64,
    /// Its place among those of which a store has to give events out; 0 if it has none.
    pub fresh_at: AtomicU64,
    /// Whether others put values in without the store's knowing.
    pub is_direct: AtomicBool,
}

/// Which entry of a block: good until the block is cleared.
#[derive(Clone, Copy)]
pub struct Place {
    pub at: u32,
    pub generation: u32,
}

/// An epoch.
pub struct At {
    pub epoch: Py<PyAny>,
    /// The number of its root.
    pub root: u32,
    pub is_root: bool,
}

/// Nanoseconds since 1970.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_nanos() as u64
}

impl ValueBlock {
    /// A block, of a store's epoch or of none; without a size, for a few values among many slots.
    pub fn of(at: Option<At>, size: Option<usize>, packed: Option<Py<PyAny>>) -> Self {
        ValueBlock {
            log: Mutex::new(size.map_or_else(Log::sparse, Log::dense)),
            size: size.unwrap_or(u32::MAX as usize),
            packed,
            has_packs: AtomicBool::new(false),
            at,
            flushed: AtomicUsize::new(0),
            events: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            fresh_at: AtomicU64::new(0),
            is_direct: AtomicBool::new(false),
        }
    }

    /// The log. Whoever has it must not run Python.
    pub fn log<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Values> {
        // (A panic while it was locked leaves a log that may lack a value, but is sound.)
        let locked = self.log.lock_py_attached(py);
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_root(&self) -> bool {
        self.at.as_ref().is_some_and(|at| at.is_root)
    }

    /// Count what a store was given.
    pub fn count(&self, events: u64, bytes: u64) {
        self.events.fetch_add(events, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The events and the bytes that were counted.
    pub fn counted(&self) -> (u64, u64) {
        let events = self.events.load(Ordering::Relaxed);
        (events, self.bytes.load(Ordering::Relaxed))
    }

    /// A slot's latest value, unopened.
    pub fn value<'py>(&self, py: Python<'py>, slot: u32) -> Option<Bound<'py, PyAny>> {
        let log = self.log(py);
        log.value(slot).map(|value| value.bind(py).clone())
    }

    /// When a value was put last, in nanoseconds since 1970.
    pub fn latest(&self, py: Python<'_>) -> u64 {
        self.log(py).latest()
    }

    /// Whether a slot holds a value, opened or not; without a value, whether it holds none.
    pub fn holds(&self, py: Python<'_>, slot: u32, value: Option<&Py<PyAny>>) -> bool {
        let now = self.value(py, slot);
        let (Some(now), Some(value)) = (&now, value) else {
            return now.is_none() && value.is_none();
        };
        if now.is(value) {
            return true;
        }
        // (What was opened gives the same object each time.)
        let value = value.bind(py);
        self.is_pack(value)
            && value
                .call_method0(intern!(py, "open"))
                .is_ok_and(|opened| opened.is(now))
    }

    fn is_pack(&self, value: &Bound<'_, PyAny>) -> bool {
        let packed = self.packed.as_ref();
        packed.is_some_and(|packed| value.get_type().is(packed))
    }

    pub fn has_packs(&self) -> bool {
        self.has_packs.load(Ordering::Relaxed)
    }

    /// A value that may have to be opened.
    pub fn opened<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if self.is_pack(&value) {
            return value.call_method0(intern!(value.py(), "open"));
        }
        Ok(value)
    }

    /// Open the value of a slot, if it has to be.
    pub fn unpack(&self, py: Python<'_>, slot: u32) -> PyResult<()> {
        if !self.has_packs() {
            return Ok(());
        }
        let Some(pack) = self.value(py, slot).filter(|value| self.is_pack(value)) else {
            return Ok(());
        };
        let opened = pack.call_method0(intern!(py, "open"))?.unbind();
        let left = self.log(py).replace(slot, |now| now.is(&pack), opened);
        drop(left);
        Ok(())
    }

    /// Note an emitted value.
    pub fn put_at(&self, slot: u32, value: Bound<'_, PyAny>, stamp: u64) -> Place {
        self.notice(&value);
        let mut log = self.log(value.py());
        Place {
            at: log.put(slot, value.unbind(), stamp),
            generation: log.generation(),
        }
    }

    /// The same, now.
    pub fn put_value(&self, slot: usize, value: Bound<'_, PyAny>) -> PyResult<Place> {
        Ok(self.put_at(self.slot(slot)?, value, now()))
    }

    /// Note an emitted value of which there is an event.
    pub fn put_event(&self, slot: u32, value: Bound<'_, PyAny>, event: &Bound<'_, PyAny>) {
        self.notice(&value);
        let mut log = self.log(value.py());
        let at = log.put(slot, value.unbind(), now());
        log.keep(at, event.clone().unbind());
    }

    /// Note emitted values, one for each slot.
    pub fn put_many(
        &self,
        values: &Bound<'_, PyList>,
        slots: impl Iterator<Item = u32>,
        stamp: u64,
    ) {
        if self.packed.is_some() {
            values.iter().for_each(|value| self.notice(&value));
        }
        let mut log = self.log(values.py());
        for (slot, value) in slots.zip(values) {
            log.put(slot, value.unbind(), stamp);
        }
    }

    fn notice(&self, value: &Bound<'_, PyAny>) {
        if self.is_pack(value) {
            self.has_packs.store(true, Ordering::Relaxed);
        }
    }

    /// Fill in the latest values of slots, unopened, where there are none yet.
    pub fn fill<'py>(
        &self,
        py: Python<'py>,
        slots: &[Option<u32>],
        values: &mut [Option<Bound<'py, PyAny>>],
    ) {
        let log = self.log(py);
        for (slot, value) in slots.iter().zip(values) {
            if value.is_none()
                && let Some(found) = slot.and_then(|slot| log.value(slot))
            {
                *value = Some(found.bind(py).clone());
            }
        }
    }

    fn slot(&self, slot: usize) -> PyResult<u32> {
        if slot < self.size {
            return Ok(slot as u32);
        }
        let text = format!("slot {slot} of a block of {} values", self.size);
        Err(PyIndexError::new_err(text))
    }
}

#[pymethods]
impl ValueBlock {
    /// `packed`: the type of values of which `open()` gives what they stand for.
    #[new]
    #[pyo3(signature = (size, packed=None))]
    fn new(size: usize, packed: Option<Py<PyAny>>) -> Self {
        ValueBlock::of(None, Some(size), packed)
    }

    /// Forget everything.
    pub fn clear(&self, py: Python<'_>) {
        let contents = {
            let mut log = self.log(py);
            self.has_packs.store(false, Ordering::Relaxed);
            self.flushed.store(0, Ordering::Relaxed);
            log.take()
        };
        drop(contents);
    }

    fn put(&self, slot: usize, value: Bound<'_, PyAny>) -> PyResult<()> {
        self.put_value(slot, value).map(drop)
    }

    /// A value that is there without having been emitted: an input.
    fn supply(&self, slot: usize, value: Bound<'_, PyAny>) -> PyResult<()> {
        let slot = self.slot(slot)?;
        self.notice(&value);
        self.log(value.py()).supply(slot, value.unbind());
        Ok(())
    }

    pub fn has(&self, py: Python<'_>, slot: u32) -> bool {
        self.log(py).has(slot)
    }

    fn get(&self, py: Python<'_>, slot: u32, default: Py<PyAny>) -> PyResult<Py<PyAny>> {
        self.unpack(py, slot)?;
        Ok(self.raw(py, slot, default))
    }

    /// What the slot holds, unopened.
    fn raw(&self, py: Python<'_>, slot: u32, default: Py<PyAny>) -> Py<PyAny> {
        self.value(py, slot).map_or(default, Bound::unbind)
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // (Who cannot look leaves the collector in the belief that somebody else has them.)
        let Ok(log) = self.log.try_lock() else {
            return Ok(());
        };
        visit.call(&self.packed)?;
        if let Some(at) = &self.at {
            visit.call(&at.epoch)?;
        }
        for entry in log.entries() {
            visit.call(&entry.value)?;
        }
        log.supplied()
            .iter()
            .chain(log.events())
            .try_for_each(|value| visit.call(value))
    }

    fn __clear__(&self) {
        let contents: Option<Contents<_, _>> = self.log.try_lock().ok().map(|mut log| log.take());
        drop(contents);
    }
}
