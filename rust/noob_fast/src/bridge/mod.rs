//! The bridge to Python: the module, and the one map of errors. Each component's conversions have a
//! folder of their own.

mod buffers;
mod run;
mod scheduler;
mod serializer;
mod store;

use crate::error::Error;
use pyo3::exceptions::{PyBufferError, PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{create_exception, import_exception};

import_exception!(noob_core.exceptions, AlreadyDoneError);
import_exception!(noob_core.exceptions, NotAddedError);
import_exception!(noob_core.exceptions, EpochExistsError);
import_exception!(noob_core.exceptions, EpochCompletedError);
import_exception!(noob_core.exceptions, SchedulerExhaustedError);

create_exception!(
    noob_fast,
    DoubleFreeError,
    PyBufferError,
    "A buffer was released that is not in use."
);
create_exception!(
    noob_fast,
    UseAfterFreeError,
    PyBufferError,
    "A buffer was asked for that has been released."
);
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
            Error::DoubleFree(text) => DoubleFreeError::new_err(text),
            Error::UseAfterFree(text) => UseAfterFreeError::new_err(text),
            Error::Forked(text) => PyRuntimeError::new_err(text),
            Error::System(number, text) => PyOSError::new_err((number, text)),
            Error::Frame(text) | Error::Depth(text) => FrameError::new_err(text),
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
    m.add("DoubleFreeError", m.py().get_type::<DoubleFreeError>())?;
    m.add("UseAfterFreeError", m.py().get_type::<UseAfterFreeError>())?;
    buffers::watch_forks(m)?;
    m.add_class::<buffers::BufferPool>()?;
    m.add_class::<buffers::Buffer>()?;
    m.add_class::<buffers::BufferReader>()?;
    m.add("FrameError", m.py().get_type::<FrameError>())?;
    m.add(
        "UnserializableError",
        m.py().get_type::<UnserializableError>(),
    )?;
    m.add_class::<serializer::FastSerializer>()?;
    m.add_class::<scheduler::FastScheduler>()?;
    m.add_class::<store::block::ValueBlock>()?;
    m.add_class::<run::driver::EpochDriver>()?;
    m.add_class::<run::EpochRun>()?;
    m.add_class::<store::StoreCore>()?;
    m.add_class::<store::emitted::Emitted>()
}
