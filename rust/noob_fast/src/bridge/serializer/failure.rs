//! What ends a walk through a value or the reading of a frame, and the exception it becomes.

use super::{FrameError, UnserializableError};
use crate::error::Error;
use pyo3::prelude::*;

/// Of a longer path only so many steps are shown at each end.
const STEPS: usize = 6;
/// Of what is wrong with a frame, which may quote it, only so many characters are shown.
const SHOWN: usize = 200;

/// In a box, because it is rare and what it goes with is small.
pub struct Failure(Box<Kind>);

enum Kind {
    /// An exception of a hook, or of Python itself.
    Python(PyErr),
    Core(Error),
    /// A value that cannot be written, why, and the steps to it, last first.
    Unserializable(String, Vec<String>, Option<PyErr>),
}

pub type Made<T> = Result<T, Failure>;

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Failure(Kind::Python(error).into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Depth(text) => Failure::unserializable(text, None),
            error => Failure(Kind::Core(error).into()),
        }
    }
}

impl Failure {
    pub fn unserializable(why: String, cause: Option<PyErr>) -> Self {
        Failure(Kind::Unserializable(why, Vec::new(), cause).into())
    }

    /// A frame that is wrong, and why.
    pub fn frame(text: impl Into<String>) -> Self {
        Error::Frame(text.into()).into()
    }

    /// The failure as seen from the container, of which this step leads to the value.
    #[cold]
    pub fn within(mut self, step: impl FnOnce() -> String) -> Self {
        if let Kind::Unserializable(_, steps, _) = &mut *self.0 {
            steps.push(step());
        }
        self
    }

    /// The failure with the byte of the frame where it was found.
    pub fn at(mut self, offset: usize) -> Self {
        if let Kind::Core(Error::Frame(text)) | Kind::Unserializable(text, ..) = &mut *self.0 {
            if let Some((end, _)) = text.char_indices().nth(SHOWN) {
                text.truncate(end);
                text.push_str("...");
            }
            *text = format!("{text} (at byte {offset})");
        }
        self
    }

    /// The exception of a value that could not be written.
    pub fn into_dumps(self, py: Python<'_>) -> PyErr {
        match *self.0 {
            Kind::Python(error) => error,
            Kind::Core(error) => error.into(),
            Kind::Unserializable(why, mut steps, cause) => {
                steps.reverse();
                if steps.len() > 2 * STEPS {
                    let between = STEPS..steps.len() - STEPS;
                    steps.splice(between, ["...".to_string()]);
                }
                let path = steps.concat();
                let error = UnserializableError::new_err(format!("value{path}: {why}"));
                error.set_cause(py, cause);
                error
            }
        }
    }

    /// The exception of a frame that could not be read.
    pub fn into_loads(self) -> PyErr {
        match *self.0 {
            Kind::Python(error) => error,
            Kind::Core(error) => error.into(),
            Kind::Unserializable(text, ..) => FrameError::new_err(text),
        }
    }
}
