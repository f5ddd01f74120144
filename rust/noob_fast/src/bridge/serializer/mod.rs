//! `FastSerializer`: the frames of `crate::frame` for Python objects.

mod build;
mod failure;
mod known;
mod leaf;
mod numpy;
mod output;
mod records;
mod texts;
mod types;
mod walk;

use super::{FrameError, UnserializableError};
use crate::error::Error;
use crate::frame::Limits;
use crate::frame::reader::Reader;
use crate::frame::writer::Writer;
use build::Maker;
use failure::{Failure, Made};
use output::Frame;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use types::Types;
use walk::Walker;

/// Depth costs stack, of which a thread has some megabytes.
const DEEPEST: usize = 1000;
/// Room for a frame if nothing is known of it, and beyond its length if that is expected.
const LEAST: usize = 256;
const SLACK: usize = 64;
/// A frame of more bytes makes no expectation.
const MOST: usize = 4 << 20;

#[pyclass(frozen)]
pub struct FastSerializer {
    limits: Limits,
    allow_pickle: bool,
    types: Types,
    /// (name, encode) by type.
    encoders: Py<PyDict>,
    /// decode by name.
    decoders: Py<PyDict>,
    /// Room for the next frame, which is often as long as the last.
    expected: AtomicUsize,
}

#[pymethods]
impl FastSerializer {
    #[new]
    #[pyo3(signature = (*, allow_pickle=false, max_bytes=1 << 30, max_depth=200, hooks=None))]
    fn new(
        py: Python<'_>,
        allow_pickle: bool,
        max_bytes: usize,
        max_depth: usize,
        hooks: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if max_bytes == 0 {
            return Err(PyValueError::new_err(
                "max_bytes is 0: no frame is so small",
            ));
        }
        if !(1..=DEEPEST).contains(&max_depth) {
            let text = format!("max_depth is {max_depth}: it goes from 1 to {DEEPEST}");
            return Err(PyValueError::new_err(text));
        }
        let serializer = FastSerializer {
            limits: Limits {
                bytes: max_bytes,
                depth: max_depth,
            },
            allow_pickle,
            types: Types::new(py)?,
            encoders: PyDict::new(py).unbind(),
            decoders: PyDict::new(py).unbind(),
            expected: AtomicUsize::new(LEAST),
        };
        if let Some(hooks) = hooks {
            for hook in hooks.try_iter()? {
                let (cls, name, encode, decode) = hook?.extract()?;
                serializer.register(&cls, &name, encode, decode)?;
            }
        }
        Ok(serializer)
    }

    fn register(
        &self,
        cls: &Bound<'_, PyType>,
        name: &Bound<'_, PyString>,
        encode: Bound<'_, PyAny>,
        decode: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = cls.py();
        let wrong = |text: String| Err(PyValueError::new_err(text));
        if self.types.writes(cls)? {
            return wrong(format!("{cls} is written as it is: it takes no hook"));
        }
        let (encoders, decoders) = (self.encoders.bind(py), self.decoders.bind(py));
        with_critical_section(decoders, || {
            if encoders.contains(cls)? {
                return wrong(format!("{cls} is registered already"));
            }
            if decoders.contains(name)? {
                return wrong(format!("the name {} is registered already", name.repr()?));
            }
            name.to_str()?; // A name that is no UTF-8 could not be written.
            decoders.set_item(name, decode)?;
            encoders.set_item(cls, (name, encode))
        })
    }

    #[allow(clippy::needless_pass_by_value, reason = "it is how PyO3 calls it")]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.encoders)?;
        visit.call(&self.decoders)
    }

    #[pyo3(signature = (value, *, buffer_callback=None))]
    fn dumps<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        buffer_callback: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = value.py();
        let out = Frame::new(py, self.expected.load(Relaxed))?;
        let writer = Writer::new(out, self.limits);
        let mut walker = Walker::new(self, py, writer, buffer_callback);
        let frame = walker
            .value(value)
            .and_then(|()| walker.finish())
            .map_err(|failure| failure.into_dumps(py))?;
        let length = frame.as_bytes().len();
        let expected = if length > MOST { LEAST } else { length + SLACK };
        self.expected.store(expected, Relaxed);
        Ok(frame)
    }

    #[pyo3(signature = (data, *, buffers=None))]
    fn loads<'py>(
        &self,
        data: &Bound<'py, PyAny>,
        buffers: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let given = match buffers {
            Some(buffers) => buffers.try_iter()?.collect::<PyResult<Vec<_>>>()?,
            None => Vec::new(),
        };
        if let Ok(bytes) = data.cast_exact::<PyBytes>() {
            return self.read(data.py(), bytes.as_bytes(), given);
        }
        let held = known::flat(data)?;
        self.read(data.py(), held.as_slice(), given)
    }

    fn dumps_many<'py>(&self, values: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let frames = PyList::empty(values.py());
        for value in values.try_iter()? {
            frames.append(self.dumps(&value?, None)?)?;
        }
        Ok(frames)
    }

    fn loads_many<'py>(&self, frames: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let values = PyList::empty(frames.py());
        for frame in frames.try_iter()? {
            values.append(self.loads(&frame?, None)?)?;
        }
        Ok(values)
    }
}

impl FastSerializer {
    fn read<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        given: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let count = given.len();
        let maker = Maker::new(self, py, given);
        let mut reader =
            Reader::new(data, count, maker, self.limits).map_err(Failure::into_loads)?;
        reader
            .read()
            .map_err(|failure| failure.at(reader.offset()).into_loads())
    }

    fn unpickled<'py>(&self, py: Python<'py>, bytes: &[u8]) -> Made<Bound<'py, PyAny>> {
        if !self.allow_pickle {
            let text = "it holds a pickle, and allow_pickle is false";
            return Err(Error::Frame(text.into()).into());
        }
        let arguments = PyTuple::new(py, [PyBytes::new(py, bytes)])?;
        Ok(py.import("pickle")?.call_method1("loads", arguments)?)
    }
}
