//! The values of one epoch, kept where the loop over its nodes can reach them without Python.
//!
//! Nothing that may run Python happens while a block's log is locked: no call, no drop of a value,
//! and no new object that Python's garbage collector would know (which may collect, then).

use crate::bridge::store::events::moment;
use crate::store::log::{Contents, Log};
use pyo3::exceptions::PyIndexError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyList, PyString};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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
    /// The type of values that are opened when they are first read, if there is one, and how many
    /// such values there have been.
    packed: Option<Py<PyAny>>,
    packs: AtomicUsize,
    /// Of which epoch it is, where a store knows it.
    pub at: Option<At>,
    /// How many of the entries a store has given out as events.
    pub flushed: AtomicUsize,
    /// How many bytes a store has counted.
    bytes: AtomicU64,
    template: Mutex<Option<Template>>,
}

/// An event to make others of.
struct Template {
    event: Py<PyDict>,
    /// Its signal and its time (in microseconds since 1970), which events that came together share.
    signal: Py<PyString>,
    micros: u64,
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
    /// A block of a store's; without a size, for a few values among many slots.
    pub fn of(at: At, size: Option<usize>, packed: Option<Py<PyAny>>) -> Self {
        ValueBlock {
            log: Mutex::new(size.map_or_else(Log::sparse, Log::dense)),
            size: size.unwrap_or(u32::MAX as usize),
            packed,
            packs: AtomicUsize::new(0),
            at: Some(at),
            flushed: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            template: Mutex::new(None),
        }
    }

    /// The log. Whoever has it must not run Python.
    pub fn log<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Values> {
        // (A panic while it was locked leaves a log that may lack a value, but is sound.)
        let locked = self.log.lock_py_attached(py);
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn template_of<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Option<Template>> {
        let locked = self.template.lock_py_attached(py);
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_root(&self) -> bool {
        self.at.as_ref().is_some_and(|at| at.is_root)
    }

    /// Count what a store was given.
    pub fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many events it has, and the bytes that were counted.
    pub fn counted(&self, py: Python<'_>) -> (u64, u64) {
        let events = self.log(py).len() as u64;
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
        self.packs.load(Ordering::Relaxed) > 0
    }

    /// An event of this epoch, of that signal and that time, that lacks its number, its node, and
    /// its value.
    pub fn template<'py>(
        &self,
        py: Python<'py>,
        signal: &Bound<'py, PyString>,
        stamp: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let micros = stamp / 1000;
        // (A copy costs half of what it costs to put in the keys one by one. Of a template nothing
        // is ever changed: another thread may be copying it.)
        let known = {
            let template = self.template_of(py);
            template.as_ref().map(|it| {
                let same = it.signal.is(signal) && it.micros == micros;
                (it.event.bind(py).clone(), same)
            })
        };
        let event = match known {
            Some((event, true)) => return event.copy(),
            Some((event, false)) => event.copy()?,
            None => {
                let event = PyDict::new(py);
                for key in ["id", "timestamp", "node_id", "signal", "epoch", "value"] {
                    event.set_item(PyString::intern(py, key), py.None())?;
                }
                event.set_item(intern!(py, "epoch"), self.at.as_ref().map(|at| &at.epoch))?;
                event
            }
        };
        event.set_item(intern!(py, "timestamp"), moment(py, micros)?)?;
        event.set_item(intern!(py, "signal"), signal)?;
        let copy = event.copy()?;
        let before = self.template_of(py).replace(Template {
            event: event.unbind(),
            signal: signal.clone().unbind(),
            micros,
        });
        drop(before);
        Ok(copy)
    }

    /// A value that may have to be opened.
    pub fn opened<'py>(&self, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if self.has_packs() && self.is_pack(&value) {
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
        let before = self.log(py).replace(slot, opened);
        drop(before);
        Ok(())
    }

    /// Note an emitted value; return which entry it is.
    pub fn put_at(&self, slot: u32, value: Bound<'_, PyAny>, stamp: u64) -> u32 {
        if self.is_pack(&value) {
            self.packs.fetch_add(1, Ordering::Relaxed);
        }
        self.log(value.py()).put(slot, value.unbind(), stamp)
    }

    /// Note emitted values, one for each slot.
    pub fn put_many(
        &self,
        values: &Bound<'_, PyList>,
        slots: impl Iterator<Item = u32>,
        stamp: u64,
    ) {
        let mut log = self.log(values.py());
        for (slot, value) in slots.zip(values) {
            log.put(slot, value.unbind(), stamp);
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

    /// The same, now.
    pub fn put_value(&self, slot: usize, value: Bound<'_, PyAny>) -> PyResult<u32> {
        Ok(self.put_at(self.slot(slot)?, value, now()))
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
        ValueBlock {
            log: Mutex::new(Log::dense(size)),
            size,
            packed,
            packs: AtomicUsize::new(0),
            at: None,
            flushed: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            template: Mutex::new(None),
        }
    }

    /// Forget everything.
    pub fn clear(&self, py: Python<'_>) {
        let contents = {
            let mut log = self.log(py);
            self.packs.store(0, Ordering::Relaxed);
            self.flushed.store(0, Ordering::Relaxed);
            log.take()
        };
        drop(contents);
    }

    fn put(&self, slot: usize, value: Bound<'_, PyAny>) -> PyResult<()> {
        self.put_value(slot, value).map(drop)
    }

    /// A value that is there without having been emitted: an input.
    fn supply(&self, py: Python<'_>, slot: usize, value: Py<PyAny>) -> PyResult<()> {
        let slot = self.slot(slot)?;
        self.log(py).supply(slot, value);
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
