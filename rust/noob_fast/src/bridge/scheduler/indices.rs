//! Indices as Python has them: `array.array("I")` on the way out, on the way in whatever has the
//! buffer protocol with unsigned 32-bit integers.

use pyo3::buffer::{Element, PyUntypedBuffer};
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};

pub fn array<'py>(py: Python<'py>, indices: &[u32]) -> PyResult<Bound<'py, PyAny>> {
    static ARRAY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let bytes = PyBytes::new_with(py, size_of_val(indices), |bytes| {
        for (place, index) in bytes.chunks_exact_mut(size_of::<u32>()).zip(indices) {
            place.copy_from_slice(&index.to_ne_bytes());
        }
        Ok(())
    })?;
    ARRAY
        .import(py, "array", "array")?
        .call1((intern!(py, "I"), bytes))
}

/// A copy: what they were read from may change while the core is at work.
pub fn read(given: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
    let py = given.py();
    let refuse = |what: &str| {
        let wanted = "indices are a buffer of unsigned 32-bit integers with one dimension";
        PyTypeError::new_err(format!("{wanted}, not {what}"))
    };
    let buffer = match PyUntypedBuffer::get(given) {
        Ok(buffer) => buffer,
        Err(error)
            if error.is_instance_of::<PyTypeError>(py)
                || error.is_instance_of::<PyBufferError>(py) =>
        {
            return Err(refuse(&format!("{} ({error})", given.get_type())));
        }
        Err(error) => return Err(error),
    };
    if buffer.item_size() != size_of::<u32>() || !u32::is_compatible_format(buffer.format()) {
        return Err(refuse("a buffer of something else"));
    }
    if buffer.dimensions() != 1 {
        return Err(refuse(&format!("with {}", buffer.dimensions())));
    }
    if buffer.item_count() == 0 {
        // Where there is nothing it may be anywhere, and so in no place for an integer.
        return Ok(Vec::new());
    }
    buffer.into_typed::<u32>()?.to_vec(py)
}
