//! What ends a walk through a value or the reading of a frame, and the exception it becomes.

use super::{FrameError, UnserializableError};
use crate::error::Error;
use pyo3::prelude::*;

/// Of a longer path only so many steps are shown at each end.
const STEPS: usize = 6;

pub enum Failure {
    /// An exception of a hook, or of Python itself.
    Python(PyErr),
    Core(Error),
    /// A value that cannot be written, why, and the steps to it, last first.
    Unserializable(String, Vec<String>, Option<PyErr>),
}

pub type Made<T> = Result<T, Box<Failure>>;

impl From<PyErr> for Box<Failure> {
    fn from(error: PyErr) -> Self {
        Box::new(Failure::Python(error))
    }
}

impl From<Error> for Box<Failure> {
    fn from(error: Error) -> Self {
        Box::new(match error {
            Error::Depth(text) => Failure::Unserializable(text, Vec::new(), None),
            error => Failure::Core(error),
        })
    }
}

pub fn unserializable(why: String, cause: Option<PyErr>) -> Box<Failure> {
    Box::new(Failure::Unserializable(why, Vec::new(), cause))
}

pub fn wrong(text: impl Into<String>) -> Box<Failure> {
    Box::new(Failure::Core(Error::Frame(text.into())))
}

impl Failure {
    /// The failure as seen from the container, of which this step leads to the value.
    #[cold]
    pub fn within(mut self: Box<Self>, step: impl FnOnce() -> String) -> Box<Self> {
        if let Failure::Unserializable(_, steps, _) = &mut *self {
            steps.push(step());
        }
        self
    }

    /// The failure with the byte of the frame where it was found.
    pub fn at(mut self: Box<Self>, offset: usize) -> Box<Self> {
        if let Failure::Core(Error::Frame(text)) | Failure::Unserializable(text, ..) = &mut *self {
            *text = format!("{text} (at byte {offset})");
        }
        self
    }

    pub fn into_dumps(self: Box<Self>) -> PyErr {
        match *self {
            Failure::Python(error) => error,
            Failure::Core(error) => error.into(),
            Failure::Unserializable(why, mut steps, cause) => {
                steps.reverse();
                if steps.len() > 2 * STEPS {
                    let end = steps.split_off(steps.len() - STEPS);
                    steps.truncate(STEPS);
                    steps.push("...".into());
                    steps.extend(end);
                }
                let path = steps.concat();
                let error = UnserializableError::new_err(format!("value{path}: {why}"));
                Python::attach(|py| error.set_cause(py, cause));
                error
            }
        }
    }

    pub fn into_loads(self: Box<Self>) -> PyErr {
        match *self {
            Failure::Python(error) => error,
            Failure::Core(error) => error.into(),
            Failure::Unserializable(text, ..) => FrameError::new_err(text),
        }
    }
}
