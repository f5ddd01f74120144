//! The bridge to Python: the module, and the one map of errors. Each component's conversions have a
//! file of their own beside this one.

mod ahead;
mod block;
mod driver;
mod handles;
mod run;
mod scheduler;
mod serializer;

use crate::error::Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::import_exception;
use pyo3::prelude::*;

import_exception!(noob_core.exceptions, AlreadyDoneError);
import_exception!(noob_core.exceptions, NotAddedError);
import_exception!(noob_core.exceptions, EpochExistsError);
import_exception!(noob_core.exceptions, EpochCompletedError);
import_exception!(noob_core.exceptions, SchedulerExhaustedError);

create_exception!(
    noob_fast,
    FrameError,
    PyValueError,
    "A frame that is truncated, altered, hostile or beyond a limit."
);
create_exception!(
    noob_fast,
    UnserializableError,
    PyTypeError,
    "A value that no frame can hold."
);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        match error {
            Error::AlreadyDone(text) => AlreadyDoneError::new_err(text),
            Error::NotAdded(text) => NotAddedError::new_err(text),
            Error::EpochExists(text) => EpochExistsError::new_err(text),
            Error::EpochCompleted(text) => EpochCompletedError::new_err(text),
            Error::Exhausted(text) => SchedulerExhaustedError::new_err(text),
            Error::Value(text) => PyValueError::new_err(text),
            Error::Frame(text) | Error::Depth(text) => FrameError::new_err(text),
        }
    }
}

#[pymodule]
fn _native(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add(
        "BUILD",
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    )?;
    m.add("FrameError", m.py().get_type::<FrameError>())?;
    m.add(
        "UnserializableError",
        m.py().get_type::<UnserializableError>(),
    )?;
    m.add_class::<serializer::FastSerializer>()?;
    m.add_class::<scheduler::FastScheduler>()?;
    m.add_class::<block::ValueBlock>()?;
    m.add_class::<driver::EpochDriver>()?;
    m.add_class::<run::EpochRun>()
}
