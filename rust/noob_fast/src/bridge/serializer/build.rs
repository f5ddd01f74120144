//! Makes Python values of what a frame holds.

use super::FastSerializer;
use super::failure::{Failure, Made};
use super::known::{flat, frames_fault};
use crate::frame::builder::Builder;
use crate::frame::table::{SAME_HASH, Table, is_slow};
use crate::frame::{Beside, Date, Known, Time};
use pyo3::exceptions::{PyRecursionError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDate, PyDateTime, PyDelta, PyDict, PyFloat, PyFrozenSet, PyInt,
    PyList, PySet, PyString, PyTime, PyTuple, PyTzInfo,
};
use std::vec::{Drain, IntoIter};

/// Strings of so many bytes are looked for among those made before.
const SHORT: usize = 16;
/// How many of them are remembered.
const REMEMBERED: usize = 512;
/// Looking for them ends when it was in vain so many times more often than not.
const PATIENCE: usize = 512;

type Object<'py> = Bound<'py, PyAny>;

pub struct Maker<'a, 'py> {
    pub serializer: &'a FastSerializer,
    pub py: Python<'py>,
    buffers: IntoIter<Object<'py>>,
    /// Strings by their bytes, and which of them, from 1, by a hash of those.
    strings: Vec<(u128, u8, Object<'py>)>,
    slots: [u16; REMEMBERED],
    patience: usize,
}

/// A str of bytes that are ASCII.
#[inline]
#[allow(
    unsafe_code,
    reason = "Python's own constructors look at every byte again"
)]
fn plain<'py>(py: Python<'py>, text: &[u8]) -> Made<Object<'py>> {
    if text.len() < 2 {
        // Of these Python has each only once.
        let text = text
            .iter()
            .map(|&byte| char::from(byte))
            .collect::<String>();
        return Ok(PyString::new(py, &text).into_any());
    }
    // SAFETY: a new str of this length and of ASCII has room for as many bytes, which nobody else
    // knows yet; they are ASCII, as the reader has checked.
    unsafe {
        let string = ffi::PyUnicode_New(text.len().cast_signed(), 0x7F);
        let string = Bound::from_owned_ptr_or_err(py, string)?;
        let start = ffi::PyUnicode_DATA(string.as_ptr()).cast::<u8>();
        start.copy_from_nonoverlapping(text.as_ptr(), text.len());
        Ok(string)
    }
}

impl<'a, 'py> Maker<'a, 'py> {
    pub fn new(serializer: &'a FastSerializer, py: Python<'py>, buffers: Vec<Object<'py>>) -> Self {
        Maker {
            serializer,
            py,
            buffers: buffers.into_iter(),
            strings: Vec::new(),
            slots: [0; REMEMBERED],
            patience: PATIENCE,
        }
    }

    /// A string of a few bytes, made before or now.
    fn short(&mut self, text: &[u8]) -> Made<Object<'py>> {
        let mut padded = [0; SHORT];
        padded[..text.len()].copy_from_slice(text);
        let (bits, length) = (u128::from_le_bytes(padded), text.len() as u8);
        let mixed = (bits as u64 ^ (bits >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = (mixed >> (64 - REMEMBERED.ilog2())) as usize;
        let place = usize::from(self.slots[slot]).wrapping_sub(1);
        if let Some((known, long, string)) = self.strings.get(place)
            && *known == bits
            && *long == length
        {
            self.patience = (self.patience + 1).min(PATIENCE);
            return Ok(string.clone());
        }
        self.patience -= 1;
        let string = plain(self.py, text)?;
        let remembered = (bits, length, string.clone());
        if let Some(other) = self.strings.get_mut(place) {
            *other = remembered;
        } else {
            self.strings.push(remembered);
            self.slots[slot] = self.strings.len() as u16;
        }
        Ok(string)
    }

    fn unhashable(&self, error: PyErr) -> Failure {
        // A memoryview's is a ValueError.
        if error.is_instance_of::<PyTypeError>(self.py)
            || error.is_instance_of::<PyValueError>(self.py)
            || error.is_instance_of::<PyRecursionError>(self.py)
        {
            Failure::frame(error.to_string())
        } else {
            error.into()
        }
    }

    /// Refuses keys that a table would take too long to hold: every `step`th of what follows.
    fn check_hashes(&self, table: Table, items: &[Object<'py>], step: usize) -> Made<()> {
        let keys = || items.iter().step_by(step);
        // Nobody can choose the hashes of str.
        if items.len() < SAME_HASH * step
            || keys().all(PyAnyMethods::is_exact_instance_of::<PyString>)
        {
            return Ok(());
        }
        let mut hashes = Vec::with_capacity(items.len() / step);
        for key in keys() {
            let hash = key.hash().map_err(|error| self.unhashable(error))?;
            hashes.push(hash as i64);
        }
        if is_slow(table, &hashes) {
            return Err(Failure::frame("too many keys whose hash collides"));
        }
        Ok(())
    }

    fn dated<T>(&self, made: PyResult<Bound<'py, T>>) -> Made<Object<'py>> {
        made.map(Bound::into_any)
            .map_err(|error| frames_fault(self.py, error))
    }
}

fn zone_of<'py>(zone: &Object<'py>) -> Made<Option<Bound<'py, PyTzInfo>>> {
    if zone.is_none() {
        return Ok(None);
    }
    match zone.cast::<PyTzInfo>() {
        Ok(zone) => Ok(Some(zone.clone())),
        Err(_) => Err(Failure::frame(format!(
            "a {} as a time zone",
            zone.get_type()
        ))),
    }
}

impl<'py> Builder for Maker<'_, 'py> {
    type Value = Object<'py>;
    type Keys = Vec<Object<'py>>;
    type Error = Failure;

    fn none(&mut self) -> Object<'py> {
        self.py.None().into_bound(self.py)
    }

    fn bool(&mut self, value: bool) -> Object<'py> {
        PyBool::new(self.py, value).to_owned().into_any()
    }

    fn int(&mut self, value: i64) -> Made<Object<'py>> {
        Ok(PyInt::new(self.py, value).into_any())
    }

    fn big(&mut self, bytes: &[u8]) -> Made<Object<'py>> {
        let signed = PyDict::new(self.py);
        signed.set_item("signed", true)?;
        let bytes = PyBytes::new(self.py, bytes);
        let kind = self.py.get_type::<PyInt>();
        Ok(kind.call_method("from_bytes", (bytes, "little"), Some(&signed))?)
    }

    fn float(&mut self, value: f64) -> Made<Object<'py>> {
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn ascii(&mut self, text: &[u8]) -> Made<Object<'py>> {
        if text.len() <= SHORT && self.patience > 0 {
            return self.short(text);
        }
        plain(self.py, text)
    }

    fn str(&mut self, text: &str) -> Made<Object<'py>> {
        Ok(PyString::new(self.py, text).into_any())
    }

    fn surrogates(&mut self, text: &[u8]) -> Made<Object<'py>> {
        let bytes = PyBytes::new(self.py, text);
        Ok(bytes.call_method1("decode", ("utf-8", "surrogatepass"))?)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Made<Object<'py>> {
        Ok(PyBytes::new(self.py, bytes).into_any())
    }

    fn bytearray(&mut self, bytes: &[u8]) -> Made<Object<'py>> {
        Ok(PyByteArray::new(self.py, bytes).into_any())
    }

    fn copies(&self, what: Beside) -> bool {
        self.buffers
            .as_slice()
            .first()
            .is_some_and(|given| match what {
                Beside::Bytes => !given.is_exact_instance_of::<PyBytes>(),
                Beside::Bytearray => !given.is_exact_instance_of::<PyByteArray>(),
                Beside::View => false,
            })
    }

    fn beside(&mut self, what: Beside, length: u64) -> Made<Object<'py>> {
        let Some(given) = self.buffers.next() else {
            return Err(Failure::frame("no buffer is left"));
        };
        let held = flat(&given).map_err(|error| frames_fault(self.py, error))?;
        if held.as_slice().len() as u64 != length {
            let other = held.as_slice().len();
            return Err(Failure::frame(format!(
                "a buffer of {length} bytes, and {other} bytes were given"
            )));
        }
        Ok(match what {
            Beside::Bytes if given.is_exact_instance_of::<PyBytes>() => given,
            Beside::Bytes => PyBytes::new(self.py, held.as_slice()).into_any(),
            Beside::Bytearray if given.is_exact_instance_of::<PyByteArray>() => given,
            Beside::Bytearray => PyByteArray::new(self.py, held.as_slice()).into_any(),
            Beside::View => held.view().clone(),
        })
    }

    fn floats(&mut self, values: &[[u8; 8]]) -> Made<Object<'py>> {
        let floats = values.iter().map(|&raw| f64::from_le_bytes(raw));
        Ok(PyList::new(self.py, floats)?.into_any())
    }

    fn ints(&mut self, values: impl ExactSizeIterator<Item = i64>) -> Made<Object<'py>> {
        Ok(PyList::new(self.py, values)?.into_any())
    }

    fn list(&mut self, items: Drain<'_, Object<'py>>) -> Made<Object<'py>> {
        Ok(PyList::new(self.py, items)?.into_any())
    }

    fn tuple(&mut self, items: Drain<'_, Object<'py>>) -> Made<Object<'py>> {
        Ok(PyTuple::new(self.py, items)?.into_any())
    }

    fn set(&mut self, items: Drain<'_, Object<'py>>) -> Made<Object<'py>> {
        self.check_hashes(Table::Set, items.as_slice(), 1)?;
        let set = PySet::new(self.py, items).map_err(|error| self.unhashable(error))?;
        Ok(set.into_any())
    }

    fn frozenset(&mut self, items: Drain<'_, Object<'py>>) -> Made<Object<'py>> {
        self.check_hashes(Table::Set, items.as_slice(), 1)?;
        let set = PyFrozenSet::new(self.py, items).map_err(|error| self.unhashable(error))?;
        Ok(set.into_any())
    }

    fn dict(&mut self, mut items: Drain<'_, Object<'py>>) -> Made<Object<'py>> {
        self.check_hashes(Table::Dict, items.as_slice(), 2)?;
        let dict = PyDict::new(self.py);
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            dict.set_item(key, value)
                .map_err(|error| self.unhashable(error))?;
        }
        Ok(dict.into_any())
    }

    fn keys(&mut self, keys: Drain<'_, Object<'py>>) -> Made<Self::Keys> {
        Ok(keys.collect())
    }

    fn record(&mut self, keys: &Self::Keys, values: Drain<'_, Object<'py>>) -> Made<Object<'py>> {
        let dict = PyDict::new(self.py);
        for (key, value) in keys.iter().zip(values) {
            dict.set_item(key, value)?;
        }
        Ok(dict.into_any())
    }

    fn date(&mut self, date: Date) -> Made<Object<'py>> {
        let made = PyDate::new(self.py, date.year.into(), date.month, date.day);
        self.dated(made)
    }

    fn time(&mut self, time: Time, zone: Object<'py>) -> Made<Object<'py>> {
        let zone = zone_of(&zone)?;
        self.dated(PyTime::new_with_fold(
            self.py,
            time.hour,
            time.minute,
            time.second,
            time.microsecond,
            zone.as_ref(),
            time.fold == 1,
        ))
    }

    fn datetime(&mut self, date: Date, time: Time, zone: Object<'py>) -> Made<Object<'py>> {
        let zone = zone_of(&zone)?;
        self.dated(PyDateTime::new_with_fold(
            self.py,
            date.year.into(),
            date.month,
            date.day,
            time.hour,
            time.minute,
            time.second,
            time.microsecond,
            zone.as_ref(),
            time.fold == 1,
        ))
    }

    fn timedelta(&mut self, [days, seconds, microseconds]: [i32; 3]) -> Made<Object<'py>> {
        let made = PyDelta::new(self.py, days, seconds, microseconds, true);
        self.dated(made)
    }

    fn pickle(&mut self, bytes: &[u8]) -> Made<Object<'py>> {
        self.serializer.unpickled(self.py, bytes)
    }

    fn hook(&mut self, name: &str, payload: Object<'py>) -> Made<Object<'py>> {
        let decoders = self.serializer.decoders.bind(self.py);
        let Some(decode) = decoders.get_item(name)? else {
            return Err(Failure::frame(format!(
                "a type registered as '{name}', and registered here are {}",
                decoders.keys().repr()?
            )));
        };
        Ok(decode.call1((payload,))?)
    }

    fn known(&mut self, kind: Known, payload: Object<'py>) -> Made<Object<'py>> {
        self.known_value(kind, &payload)
    }
}
