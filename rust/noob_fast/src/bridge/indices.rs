//! Indices as Python has them: `array.array("I")` on the way out, on the way in whatever has the
//! buffer protocol with unsigned 32-bit integers.

use pyo3::buffer::PyBuffer;
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
    let buffer = match PyBuffer::<u32>::get(given) {
        Ok(buffer) => buffer,
        Err(error) if error.is_instance_of::<PyBufferError>(py) => {
            return Err(refuse("a buffer of something else"));
        }
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            return Err(refuse(&given.get_type().to_string()));
        }
        Err(error) => return Err(error),
    };
    if buffer.dimensions() != 1 {
        return Err(refuse(&format!("with {}", buffer.dimensions())));
    }
    buffer.to_vec(py)
}
