//! bridge
use pyo3::prelude::*;
#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> { m.add("BUILD", if cfg!(debug_assertions) {"debug"} else {"release"}) }
