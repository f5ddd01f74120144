//! Walks a Python value and writes what it finds. Types are compared exactly: a subclass is not
//! what it is a subclass of.

use super::FastSerializer;
use super::failure::{Failure, Made};
use super::known::flat;
use super::leaf::{Held, is_leaf, item, own};
use super::output::Frame;
use super::records::Records;
use crate::frame::writer::Writer;
use crate::frame::{BESIDE_FROM, Beside};
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{
    PyByteArray, PyBytes, PyDict, PyFrozenSet, PyList, PyMemoryView, PySet, PyString, PyTuple,
    PyType,
};

/// A list of more leaves is no mere part of a record.
const FEW: usize = 64;

pub struct Walker<'a, 'py> {
    pub serializer: &'a FastSerializer,
    pub py: Python<'py>,
    pub writer: Writer<Frame<'py>>,
    callback: Option<&'a Bound<'py, PyAny>>,
    pub records: Records<'py>,
    /// Room for the numbers of a list.
    pub ints: Vec<i64>,
    /// Whether a leaf made Python objects, by which other code may have run.
    pub disturbed: bool,
}

impl<'a, 'py> Walker<'a, 'py> {
    pub fn new(
        serializer: &'a FastSerializer,
        py: Python<'py>,
        writer: Writer<Frame<'py>>,
        callback: Option<&'a Bound<'py, PyAny>>,
    ) -> Self {
        Walker {
            serializer,
            py,
            writer,
            callback,
            ints: Vec::new(),
            records: Records::new(),
            disturbed: false,
        }
    }

    pub fn finish(self) -> Made<Bound<'py, PyBytes>> {
        Ok(self.writer.finish()?.finish()?)
    }

    pub fn value(&mut self, value: &Bound<'py, PyAny>) -> Made<()> {
        if self.leaf(value.as_ptr())? {
            return Ok(());
        }
        self.compound(value)
    }

    /// Writes what is no leaf.
    fn compound(&mut self, value: &Bound<'py, PyAny>) -> Made<()> {
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            with_critical_section(dict, || self.dict(dict))
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            with_critical_section(list, || self.list(list))
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.writer.tuple(tuple.len())?;
            for (at, item) in tuple.iter_borrowed().enumerate() {
                self.value(&item)
                    .map_err(|failure| failure.within(|| format!("[{at}]")))?;
            }
            self.writer.leave();
            Ok(())
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            match self.callback {
                Some(callback) if bytes.as_bytes().len() >= BESIDE_FROM => {
                    self.writer.beside(Beside::Bytes, bytes.as_bytes().len())?;
                    callback.call1((PyMemoryView::from(value)?,))?;
                    Ok(())
                }
                _ => Ok(self.writer.bytes(bytes.as_bytes())?),
            }
        } else if value.is_exact_instance_of::<PyByteArray>() {
            let held = flat(value)?;
            match self.callback {
                Some(callback) if held.as_slice().len() >= BESIDE_FROM => {
                    self.writer
                        .beside(Beside::Bytearray, held.as_slice().len())?;
                    callback.call1((PyMemoryView::from(value)?,))?;
                    Ok(())
                }
                _ => Ok(self.writer.bytearray(held.as_slice())?),
            }
        } else if let Ok(set) = value.cast_exact::<PySet>() {
            // A copy, because hooks might change the set.
            let items: Vec<_> = with_critical_section(set, || set.iter().collect());
            self.writer.set(items.len())?;
            self.members(&items)
        } else if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
            let items: Vec<_> = set.iter().collect();
            self.writer.frozenset(items.len())?;
            self.members(&items)
        } else {
            self.rarer(value)
        }
    }

    fn members(&mut self, items: &[Bound<'py, PyAny>]) -> Made<()> {
        for item in items {
            self.value(item)
                .map_err(|failure| failure.within(|| "{...}".to_string()))?;
        }
        self.writer.leave();
        Ok(())
    }

    /// Writes a leaf, or a list of few leaves or of floats; whether it was that.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: it is most fields of records"
    )]
    #[allow(unsafe_code, reason = "types are compared by address")]
    pub fn quiet(&mut self, value: &Held) -> Made<bool> {
        if self.leaf(value.raw())? {
            return Ok(true);
        }
        // SAFETY: `value` is alive.
        if unsafe { ffi::Py_TYPE(value.raw()) } != &raw mut ffi::PyList_Type {
            return Ok(false);
        }
        own(self.py, value, |value| match value.cast_exact::<PyList>() {
            Ok(list) => with_critical_section(list, || self.leaves(list)),
            Err(_) => Ok(false),
        })
    }

    fn leaves(&mut self, list: &Bound<'py, PyList>) -> Made<bool> {
        let count = list.len();
        if self.column(list, count)? {
            return Ok(true);
        }
        if count > FEW || !(0..count).all(|at| item(list, at).is_some_and(|item| is_leaf(&item))) {
            return Ok(false);
        }
        self.elements(list, count)?;
        Ok(true)
    }

    fn list(&mut self, list: &Bound<'py, PyList>) -> Made<()> {
        let count = list.len();
        if self.column(list, count)? {
            return Ok(());
        }
        self.elements(list, count)
    }

    fn elements(&mut self, list: &Bound<'py, PyList>, count: usize) -> Made<()> {
        self.writer.list(count)?;
        for at in 0..count {
            let Some(item) = item(list, at) else {
                return Err(changed("list").into());
            };
            if !self.leaf(item.raw())? {
                own(self.py, &item, |item| self.compound(item))
                    .map_err(|failure| failure.within(|| format!("[{at}]")))?;
            }
        }
        if list.len() != count {
            return Err(changed("list").into());
        }
        self.writer.leave();
        Ok(())
    }

    /// Bytes of a value of a known type, in a flat view: beside the frame if they are many.
    pub fn data(&mut self, view: &Bound<'py, PyAny>) -> Made<()> {
        let held = flat(view)?;
        match self.callback {
            Some(callback) if held.as_slice().len() >= BESIDE_FROM => {
                self.writer.beside(Beside::View, held.as_slice().len())?;
                callback.call1((held.view(),))?;
                Ok(())
            }
            _ => Ok(self.writer.bytearray(held.as_slice())?),
        }
    }

    fn rarer(&mut self, value: &Bound<'py, PyAny>) -> Made<()> {
        if self.known(value)? {
            return Ok(());
        }
        let kind = value.get_type();
        if let Some(hook) = self.serializer.encoders.bind(self.py).get_item(&kind)? {
            let (name, encode): (Bound<'py, PyString>, Bound<'py, PyAny>) = hook.extract()?;
            self.writer.hook(name.to_str()?)?;
            let payload = encode.call1((value,))?;
            let within = |failure: Failure| failure.within(|| format!("<{name}>"));
            self.value(&payload).map_err(within)?;
            self.writer.leave();
            return Ok(());
        }
        if self.buffer(value)? {
            return Ok(());
        }
        let name = type_name(&kind);
        if !self.serializer.allow_pickle {
            let why = format!(
                "of type {name}, which no frame can hold: register the type, or allow_pickle"
            );
            return Err(Failure::unserializable(why, None));
        }
        let pickle = self.py.import("pickle")?;
        let pickled = pickle.call_method1("dumps", (value, 5)).map_err(|error| {
            let why = format!("of type {name}, which cannot be pickled: {error}");
            Failure::unserializable(why, Some(error))
        })?;
        Ok(self.writer.pickle(
            pickled
                .cast_exact::<PyBytes>()
                .map_err(PyErr::from)?
                .as_bytes(),
        )?)
    }
}

pub fn type_name(kind: &Bound<'_, PyType>) -> String {
    kind.fully_qualified_name()
        .map_or_else(|_| kind.to_string(), |name| name.to_string())
}

#[cold]
pub fn changed(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("a {what} changed while it was written"))
}
