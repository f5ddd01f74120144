//! What a walk writes without running any Python code, and the objects that it may therefore
//! borrow.

use super::failure::Made;
use super::walk::Walker;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::ptr;

/// An object that somebody else keeps alive.
pub type Raw = *mut ffi::PyObject;

/// An object of a container, to be used before any other code runs. Under the GIL it is borrowed;
/// without one, another thread may take it out of the container, and it is owned.
pub struct Held(
    #[cfg(not(Py_GIL_DISABLED))] Raw,
    #[cfg(Py_GIL_DISABLED)] Py<PyAny>,
);

impl Held {
    #[inline]
    #[cfg(not(Py_GIL_DISABLED))]
    fn new(object: Raw) -> Self {
        Held(object)
    }

    #[cfg(Py_GIL_DISABLED)]
    #[allow(unsafe_code, reason = "the object is owned from here on")]
    fn new(object: Raw) -> Self {
        // SAFETY: the container has it, and is under its critical section; this thread is attached.
        Held(unsafe { Bound::from_borrowed_ptr(Python::assume_attached(), object) }.unbind())
    }

    /// The same object, held for itself.
    #[inline]
    pub fn again(&self) -> Self {
        Held::new(self.raw())
    }

    #[inline]
    pub fn raw(&self) -> Raw {
        #[cfg(not(Py_GIL_DISABLED))]
        return self.0;
        #[cfg(Py_GIL_DISABLED)]
        return self.0.as_ptr();
    }
}

/// Owns an object while `run` may run Python code.
#[inline]
#[allow(unsafe_code, reason = "the object is owned from here on")]
pub fn own<'py, T>(py: Python<'py>, value: &Held, run: impl FnOnce(&Bound<'py, PyAny>) -> T) -> T {
    // SAFETY: callers have just got it from a container, and no Python code has run since.
    let value = unsafe { Bound::from_borrowed_ptr(py, value.raw()) };
    run(&value)
}

/// An item of a list.
#[inline]
#[allow(unsafe_code, reason = "the list is read without taking references")]
pub fn item(list: &Bound<'_, PyList>, at: usize) -> Option<Held> {
    // SAFETY: it is a list, under its critical section, and `at` is within it.
    unsafe {
        let at = at.cast_signed();
        (at < ffi::PyList_GET_SIZE(list.as_ptr()))
            .then(|| Held::new(ffi::PyList_GET_ITEM(list.as_ptr(), at)))
    }
}

/// The next key and value of a dict.
#[inline]
#[allow(unsafe_code, reason = "the dict is read without taking references")]
pub fn next(dict: &Bound<'_, PyDict>, position: &mut ffi::Py_ssize_t) -> Option<(Held, Held)> {
    let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: it is a dict, under its critical section; Python checks any position against the
    // dict as it is now, so that one from before a change leads to an entry or to none.
    let more = unsafe { ffi::PyDict_Next(dict.as_ptr(), position, &raw mut key, &raw mut value) };
    (more != 0).then(|| (Held::new(key), Held::new(value)))
}

impl<'py> Walker<'_, 'py> {
    /// Writes what has no parts; whether it was that. Only where it sets `stirred` may other code
    /// have run.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: it is what most values are")]
    #[allow(
        unsafe_code,
        reason = "types are compared by address, and read by Python's C API"
    )]
    pub fn leaf(&mut self, value: Raw) -> Made<bool> {
        // SAFETY: `value` is alive, by its caller until other code runs, and then by what runs it;
        // each function gets an object of the type it asks for.
        unsafe {
            let kind = ffi::Py_TYPE(value);
            if kind == &raw mut ffi::PyUnicode_Type {
                self.text(value)?;
            } else if kind == &raw mut ffi::PyLong_Type {
                let mut overflow = 0;
                let number = ffi::PyLong_AsLongLongAndOverflow(value, &raw mut overflow);
                if overflow == 0 {
                    self.writer.int(number);
                } else {
                    self.big(value)?;
                }
            } else if kind == &raw mut ffi::PyFloat_Type {
                self.writer.float(ffi::PyFloat_AS_DOUBLE(value));
            } else if value == ffi::Py_None() {
                self.writer.none();
            } else if value == ffi::Py_True() || value == ffi::Py_False() {
                self.writer.bool(value == ffi::Py_True());
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes an exact str.
    #[inline]
    #[allow(unsafe_code, reason = "Python lends its text without a copy")]
    pub fn text(&mut self, value: Raw) -> Made<()> {
        // From 3.14 on Python keeps this to itself.
        #[cfg(not(Py_3_14))]
        // SAFETY: `value` is an exact str; where it is compact ASCII, its text follows its head.
        unsafe {
            if ffi::PyUnicode_IS_COMPACT_ASCII(value) != 0 {
                let length = ffi::PyUnicode_GET_LENGTH(value).cast_unsigned();
                let start = ffi::PyUnicode_DATA(value).cast::<u8>();
                let bytes = std::slice::from_raw_parts(start, length);
                return Ok(self.writer.ascii(std::str::from_utf8_unchecked(bytes))?);
            }
        }
        self.other_text(value)
    }

    /// Writes an exact str that is not plainly ASCII.
    #[inline(never)]
    #[allow(unsafe_code, reason = "Python lends its text without a copy")]
    fn other_text(&mut self, value: Raw) -> Made<()> {
        let mut length = 0;
        // A failure to lend makes an exception, and that may collect garbage (Python 3.11).
        // SAFETY: `value` is alive until here: a container or the caller holds it.
        let owned = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        // SAFETY: `value` is an exact str; what is lent is UTF-8, and lives while the str does.
        let lent = unsafe {
            let start = ffi::PyUnicode_AsUTF8AndSize(value, &raw mut length);
            if start.is_null() {
                None
            } else {
                let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length.cast_unsigned());
                Some(std::str::from_utf8_unchecked(bytes))
            }
        };
        match lent {
            Some(text) => Ok(self.writer.str(text)?),
            None => self.surrogates(&owned),
        }
    }

    #[cold]
    fn surrogates(&mut self, value: &Bound<'py, PyAny>) -> Made<()> {
        self.stirred = true;
        drop(PyErr::take(self.py));
        let bytes = value.call_method1("encode", ("utf-8", "surrogatepass"))?;
        Ok(self.writer.surrogates(
            bytes
                .cast_exact::<PyBytes>()
                .map_err(PyErr::from)?
                .as_bytes(),
        )?)
    }

    #[cold]
    #[allow(unsafe_code, reason = "the object is owned from here on")]
    fn big(&mut self, value: Raw) -> Made<()> {
        // SAFETY: `value` is alive: a container or the caller holds it.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        self.stirred = true;
        let bits: usize = value.call_method0("bit_length")?.extract()?;
        let signed = PyDict::new(self.py);
        signed.set_item("signed", true)?;
        let bytes = value.call_method("to_bytes", (bits / 8 + 1, "little"), Some(&signed))?;
        Ok(self.writer.big(
            bytes
                .cast_exact::<PyBytes>()
                .map_err(PyErr::from)?
                .as_bytes(),
        )?)
    }

    #[inline]
    #[allow(
        unsafe_code,
        reason = "types are compared by address, and read by Python's C API"
    )]
    pub fn floats(&mut self, list: &Bound<'py, PyList>, count: usize) -> Made<bool> {
        // SAFETY: each item is alive, since no Python code runs in between; an exact float has a
        // double to read.
        let float = |at| unsafe {
            let item = item(list, at)?;
            let is_float = ffi::Py_TYPE(item.raw()) == &raw mut ffi::PyFloat_Type;
            is_float.then(|| ffi::PyFloat_AS_DOUBLE(item.raw()))
        };
        if float(0).is_none() {
            return Ok(false);
        }
        Ok(self.writer.floats((0..count).map(float))?)
    }

    #[allow(
        unsafe_code,
        reason = "types are compared by address, and read by Python's C API"
    )]
    pub fn ints(&mut self, list: &Bound<'py, PyList>, count: usize) -> Made<bool> {
        self.ints.clear();
        for at in 0..count {
            let Some(item) = item(list, at) else {
                return Ok(false);
            };
            let mut overflow = 0;
            // SAFETY: the item is alive, since no Python code runs in between; an exact int has
            // a number to read.
            let number = unsafe {
                if ffi::Py_TYPE(item.raw()) != &raw mut ffi::PyLong_Type {
                    return Ok(false);
                }
                ffi::PyLong_AsLongLongAndOverflow(item.raw(), &raw mut overflow)
            };
            if overflow != 0 {
                return Ok(false);
            }
            self.ints.push(number);
        }
        self.writer.ints(&self.ints)?;
        Ok(true)
    }
}
