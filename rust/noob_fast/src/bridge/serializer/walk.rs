//! Walks a Python value and writes what it finds. Types are compared exactly: a subclass is not
//! what it is a subclass of.

use super::FastSerializer;
use super::failure::{Failure, Made};
use super::known::flat;
use super::leaf::{Held, item, next, own};
use crate::frame::writer::Writer;
use crate::frame::{BESIDE_FROM, Beside, RECORD_KEYS};
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{
    PyByteArray, PyBytes, PyDict, PyFrozenSet, PyList, PyMemoryView, PySet, PyString, PyTuple,
    PyType,
};

/// Of records whose keys were seen as objects, so many are remembered.
const SEEN: usize = 256;

/// A record by the addresses of its keys, which it keeps alive.
struct Seen<'py> {
    number: u32,
    keys: Vec<Bound<'py, PyAny>>,
}

pub struct Walker<'a, 'py> {
    pub serializer: &'a FastSerializer,
    pub py: Python<'py>,
    pub writer: Writer,
    callback: Option<&'a Bound<'py, PyAny>>,
    seen: Vec<Option<Seen<'py>>>,
    /// Room for the numbers of a list.
    pub ints: Vec<i64>,
    /// Whether a leaf may have run other code: what was borrowed before is to be looked up again.
    pub stirred: bool,
    /// Keys and values of the records that are being written.
    entries: Vec<(Held, Held)>,
}

impl<'a, 'py> Walker<'a, 'py> {
    pub fn new(
        serializer: &'a FastSerializer,
        py: Python<'py>,
        writer: Writer,
        callback: Option<&'a Bound<'py, PyAny>>,
    ) -> Self {
        Walker {
            serializer,
            py,
            writer,
            callback,
            seen: Vec::new(),
            ints: Vec::new(),
            stirred: false,
            entries: Vec::new(),
        }
    }

    pub fn finish(self) -> Made<Vec<u8>> {
        Ok(self.writer.finish()?)
    }

    pub fn value(&mut self, value: &Bound<'py, PyAny>) -> Made<()> {
        if self.leaf(value.as_ptr())? {
            return Ok(());
        }
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

    /// Writes a leaf, or a list of floats, without running any Python code; whether it was that.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: it is most fields of records"
    )]
    #[allow(unsafe_code, reason = "types are compared by address")]
    fn quiet(&mut self, value: &Held) -> Made<bool> {
        if self.leaf(value.raw())? {
            return Ok(true);
        }
        // SAFETY: `value` is alive.
        if unsafe { ffi::Py_TYPE(value.raw()) } != &raw mut ffi::PyList_Type {
            return Ok(false);
        }
        own(self.py, value, |value| match value.cast_exact::<PyList>() {
            Ok(list) => with_critical_section(list, || self.floats(list, list.len())),
            Err(_) => Ok(false),
        })
    }

    fn list(&mut self, list: &Bound<'py, PyList>) -> Made<()> {
        let count = list.len();
        if count > 0 && (self.floats(list, count)? || self.ints(list, count)?) {
            return Ok(());
        }
        self.writer.list(count)?;
        for at in 0..count {
            let Some(item) = item(list, at) else {
                return Err(changed("list").into());
            };
            if !self.leaf(item.raw())? {
                own(self.py, &item, |item| self.value(item))
                    .map_err(|failure| failure.within(|| format!("[{at}]")))?;
            }
        }
        if list.len() != count {
            return Err(changed("list").into());
        }
        self.writer.leave();
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) -> Made<()> {
        let count = dict.len();
        let start = self.entries.len();
        let is_record = self.record(dict, count)?;
        let written = if is_record {
            self.fields(dict, start)
        } else {
            self.writer.dict(count)?;
            self.items(dict)
        };
        self.entries.truncate(start);
        written?;
        self.writer.leave();
        Ok(())
    }

    /// The values of a record, whose entries were noted from `start` on.
    fn fields(&mut self, dict: &Bound<'py, PyDict>, start: usize) -> Made<()> {
        let end = self.entries.len();
        // What was noted holds until other code runs.
        let mut at = start;
        self.stirred = false;
        while at < end && !self.stirred {
            // Out of the entries while it is written, since others may be noted.
            let entry = self.entries[at].1.again();
            if !self.quiet(&entry)? {
                break;
            }
            at += 1;
        }
        if at == end {
            return Ok(());
        }
        let mut position = 0;
        for _ in start..at {
            next(dict, &mut position);
        }
        while let Some((key, item)) = (at < end).then(|| next(dict, &mut position)).flatten() {
            if self.entries[at].0.raw() != key.raw() {
                return Err(changed("dict").into());
            }
            at += 1;
            if !self.quiet(&item)? {
                own(self.py, &key, |key| {
                    own(self.py, &item, |item| self.value(item))
                        .map_err(|failure| failure.within(|| step(key)))
                })?;
            }
        }
        if at != end || dict.len() != end - start {
            return Err(changed("dict").into());
        }
        Ok(())
    }

    fn items(&mut self, dict: &Bound<'py, PyDict>) -> Made<()> {
        let count = dict.len();
        let (mut position, mut at) = (0, 0);
        while let Some((key, item)) = next(dict, &mut position) {
            at += 1;
            own(self.py, &item, |item| {
                own(self.py, &key, |key| {
                    self.value(key)
                        .map_err(|failure| failure.within(|| " (a key)".to_string()))?;
                    self.value(item)
                        .map_err(|failure| failure.within(|| step(key)))
                })
            })?;
            if at > count {
                break;
            }
        }
        if at != count {
            return Err(changed("dict").into());
        }
        Ok(())
    }

    /// Begins a record, if the dict is one, and notes its entries.
    fn record(&mut self, dict: &Bound<'py, PyDict>, count: usize) -> Made<bool> {
        if count == 0 || count > RECORD_KEYS {
            return Ok(false);
        }
        let start = self.entries.len();
        self.note(dict, count)?;
        let hash = self.entries[start..]
            .iter()
            .fold(0, |hash: usize, (key, _)| {
                (hash.rotate_left(5) ^ (key.raw() as usize >> 4))
                    .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            });
        if self.seen.is_empty() {
            self.seen.resize_with(SEEN, || None);
        }
        let slot = hash >> (usize::BITS - SEEN.ilog2());
        if let Some(seen) = &self.seen[slot] {
            let entries = &self.entries[start..];
            let same =
                |(seen, (key, _)): (&Bound<'py, PyAny>, &(Held, Held))| seen.as_ptr() == key.raw();
            if seen.keys.len() == count && seen.keys.iter().zip(entries).all(same) {
                self.writer.again(seen.number, count)?;
                return Ok(true);
            }
        }
        let keys: Vec<_> = self.entries[start..]
            .iter()
            .map(|(key, _)| own(self.py, key, Bound::clone))
            .collect();
        if !keys
            .iter()
            .all(PyAnyMethods::is_exact_instance_of::<PyString>)
        {
            return Ok(false);
        }
        let Some(writing) = self.writer.keys(count) else {
            return Ok(false);
        };
        for key in &keys {
            self.text(key.as_ptr())?;
        }
        let Some(number) = self.writer.record(&writing)? else {
            return Ok(false);
        };
        // Writing a key may have run other code.
        self.entries.truncate(start);
        self.note(dict, count)?;
        let mut noted = keys.iter().zip(&self.entries[start..]);
        if !noted.all(|(key, (again, _))| key.as_ptr() == again.raw()) {
            return Err(changed("dict").into());
        }
        self.seen[slot] = Some(Seen { number, keys });
        Ok(true)
    }

    /// Notes the entries of a dict.
    #[inline]
    fn note(&mut self, dict: &Bound<'py, PyDict>, count: usize) -> Made<()> {
        let mut position = 0;
        for _ in 0..count {
            let Some(entry) = next(dict, &mut position) else {
                return Err(changed("dict").into());
            };
            self.entries.push(entry);
        }
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

fn type_name(kind: &Bound<'_, PyType>) -> String {
    kind.fully_qualified_name()
        .map_or_else(|_| kind.to_string(), |name| name.to_string())
}

/// How a path names what a dict has under a key.
fn step(key: &Bound<'_, PyAny>) -> String {
    let plain =
        key.is_exact_instance_of::<PyString>() || key.is_exact_instance_of::<pyo3::types::PyInt>();
    let text = if plain { key.repr().ok() } else { None };
    match text.map(|text| text.to_string_lossy().into_owned()) {
        Some(text) if text.chars().count() <= 40 => format!("[{text}]"),
        Some(text) => format!("[{}...]", text.chars().take(40).collect::<String>()),
        None => format!("[a {}]", type_name(&key.get_type())),
    }
}

#[cold]
fn changed(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("a {what} changed while it was written"))
}
