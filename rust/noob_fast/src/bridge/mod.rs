//! The bridge to Python: the module, and the one map of errors. Each component's conversions have a
//! folder of their own.

mod run;
mod scheduler;
mod store;

use crate::error::Error;
use pyo3::exceptions::PyValueError;
use pyo3::import_exception;
use pyo3::prelude::*;

import_exception!(noob_core.exceptions, AlreadyDoneError);
import_exception!(noob_core.exceptions, NotAddedError);
import_exception!(noob_core.exceptions, EpochExistsError);
import_exception!(noob_core.exceptions, EpochCompletedError);
import_exception!(noob_core.exceptions, SchedulerExhaustedError);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        match error {
            Error::AlreadyDone(text) => AlreadyDoneError::new_err(text),
            Error::NotAdded(text) => NotAddedError::new_err(text),
            Error::EpochExists(text) => EpochExistsError::new_err(text),
            Error::EpochCompleted(text) => EpochCompletedError::new_err(text),
            Error::Exhausted(text) => SchedulerExhaustedError::new_err(text),
            Error::Value(text) => PyValueError::new_err(text),
        }
    }
}

#[pymodule(gil_used = false)]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add(
        "BUILD",
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    )?;
    m.add_class::<scheduler::FastScheduler>()?;
    m.add_class::<store::block::ValueBlock>()?;
    m.add_class::<run::driver::EpochDriver>()?;
    m.add_class::<run::EpochRun>()?;
    m.add_class::<store::StoreCore>()?;
    m.add_class::<store::emitted::Emitted>()
}
