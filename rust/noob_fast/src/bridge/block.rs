//! The values of one epoch, kept where the loop over its nodes can reach them without Python.

use pyo3::exceptions::PyIndexError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use std::time::{SystemTime, UNIX_EPOCH};

/// What one epoch's nodes emitted, by slot: the value, the time, and the order in which they came.
/// For one thread at a time: where two use it at once, one of them gets a `RuntimeError` ("Already
/// borrowed", "Already mutably borrowed").
#[pyclass(module = "noob_fast")]
pub struct ValueBlock {
    pub values: Vec<Option<Py<PyAny>>>,
    /// Nanoseconds since 1970, by slot.
    stamps: Vec<u64>,
    /// The latest of them.
    latest: u64,
    order: Vec<u32>,
    /// The type of values that are opened when they are first read, if there is one, and how many
    /// such values there have been.
    packed: Option<Py<PyAny>>,
    packs: usize,
}

/// Nanoseconds since 1970.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_nanos() as u64
}

impl ValueBlock {
    /// When a value was put last, in nanoseconds since 1970.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// Whether a slot holds a value, opened or not; without a value, whether it holds none.
    pub fn holds(&self, py: Python<'_>, slot: usize, value: Option<&Py<PyAny>>) -> bool {
        let now = self.values.get(slot).and_then(Option::as_ref);
        let (Some(now), Some(value)) = (now, value) else {
            return now.is_none() && value.is_none();
        };
        if now.is(value) {
            return true;
        }
        // (What was opened gives the same object each time.)
        let packed = self.packed.as_ref();
        packed.is_some_and(|packed| value.bind(py).get_type().is(packed))
            && value
                .bind(py)
                .call_method0(intern!(py, "open"))
                .is_ok_and(|opened| opened.is(now))
    }

    pub fn has_packs(&self) -> bool {
        self.packs > 0
    }

    /// Open the value of a slot, if it has to be.
    pub fn unpack(slf: &Bound<'_, Self>, slot: usize) -> PyResult<()> {
        let py = slf.py();
        let pack = {
            let block = slf.borrow();
            let (Some(packed), 1..) = (&block.packed, block.packs) else {
                return Ok(());
            };
            let value = block.values.get(slot).and_then(Option::as_ref);
            match value.map(|value| value.bind(py)) {
                Some(value) if value.get_type().is(packed) => value.clone(),
                _ => return Ok(()),
            }
        };
        let opened = pack.call_method0(intern!(py, "open"))?.unbind();
        let before = slf.borrow_mut().values[slot].replace(opened);
        drop(before);
        Ok(())
    }

    pub fn put_value(
        &mut self,
        slot: usize,
        value: Bound<'_, PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let size = self.values.len();
        let place = self.values.get_mut(slot).ok_or_else(|| {
            PyIndexError::new_err(format!("slot {slot} of a block of {size} values"))
        })?;
        if self
            .packed
            .as_ref()
            .is_some_and(|packed| value.get_type().is(packed))
        {
            self.packs += 1;
        }
        let before = place.replace(value.unbind());
        self.latest = now();
        self.stamps[slot] = self.latest;
        self.order.push(slot as u32);
        Ok(before)
    }
}

#[pymethods]
impl ValueBlock {
    /// `packed`: the type of values of which `open()` gives what they stand for.
    #[new]
    #[pyo3(signature = (size, packed=None))]
    fn new(size: usize, packed: Option<Py<PyAny>>) -> Self {
        ValueBlock {
            values: std::iter::repeat_with(|| None).take(size).collect(),
            stamps: vec![0; size],
            latest: 0,
            order: Vec::with_capacity(size),
            packed,
            packs: 0,
        }
    }

    /// Forget everything. Values are dropped last, when nothing here is borrowed: dropping may
    /// run anyone's code.
    fn clear(slf: &Bound<'_, Self>) {
        let old = {
            let block = &mut *slf.borrow_mut();
            block.order.clear();
            block.packs = 0;
            let fresh = std::iter::repeat_with(|| None)
                .take(block.values.len())
                .collect();
            std::mem::replace(&mut block.values, fresh)
        };
        drop(old);
    }

    fn put(slf: &Bound<'_, Self>, slot: usize, value: Bound<'_, PyAny>) -> PyResult<()> {
        let before = slf.borrow_mut().put_value(slot, value)?;
        drop(before);
        Ok(())
    }

    /// A value that is there without having been emitted: an input.
    fn supply(slf: &Bound<'_, Self>, slot: usize, value: Bound<'_, PyAny>) -> PyResult<()> {
        let before = slf.borrow_mut().put_value(slot, value)?;
        slf.borrow_mut().order.pop();
        drop(before);
        Ok(())
    }

    pub fn has(&self, slot: usize) -> bool {
        self.values.get(slot).is_some_and(Option::is_some)
    }

    fn get(slf: &Bound<'_, Self>, slot: usize, default: Py<PyAny>) -> PyResult<Py<PyAny>> {
        Self::unpack(slf, slot)?;
        Ok(slf.borrow().raw(slf.py(), slot, default))
    }

    /// What the slot holds, unopened.
    fn raw(&self, py: Python<'_>, slot: usize, default: Py<PyAny>) -> Py<PyAny> {
        match self.values.get(slot) {
            Some(Some(value)) => value.clone_ref(py),
            _ => default,
        }
    }

    /// When the slot was filled, in seconds since 1970.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a quarter of a microsecond is enough"
    )]
    fn stamp(&self, slot: usize) -> f64 {
        self.stamps.get(slot).copied().unwrap_or_default() as f64 / 1e9
    }

    /// The slots in the order in which they were filled, from the given one on.
    fn filled(&self, start: usize) -> Vec<u32> {
        self.order.get(start..).unwrap_or_default().to_vec()
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.values
            .iter()
            .flatten()
            .try_for_each(|value| visit.call(value))
    }

    fn __clear__(&mut self) {
        self.values.iter_mut().for_each(|value| *value = None);
    }
}
