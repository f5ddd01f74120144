//! Dicts: as records, where their keys are few strings, or as they are.

use super::failure::Made;
use super::leaf::{Held, next, own};
use super::walk::{Walker, changed, type_name};
use crate::frame::RECORD_KEYS;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString};

/// Of records whose keys were seen as objects, so many are found again.
const SEEN: usize = 256;

/// A record by the addresses of its keys, which it keeps alive.
struct Seen<'py> {
    number: u32,
    keys: Vec<Bound<'py, PyAny>>,
}

impl Seen<'_> {
    /// Whether these entries have its keys.
    #[inline]
    fn is(&self, entries: &[(Held, Held)]) -> bool {
        let mut pairs = self.keys.iter().zip(entries);
        self.keys.len() == entries.len()
            && pairs.all(|(key, (other, _))| key.as_ptr() == other.raw())
    }
}

/// What is known of the records of a frame.
pub struct Records<'py> {
    seen: Vec<Seen<'py>>,
    /// Which of them, from 1, by the addresses of its keys.
    slots: [u16; SEEN],
    /// Which of them, from 0, was found last.
    last: usize,
    /// Keys and values of the records that are being written.
    entries: Vec<(Held, Held)>,
}

impl Records<'_> {
    pub fn new() -> Self {
        Records {
            seen: Vec::new(),
            slots: [0; SEEN],
            last: 0,
            entries: Vec::new(),
        }
    }
}

impl<'py> Walker<'_, 'py> {
    pub fn dict(&mut self, dict: &Bound<'py, PyDict>) -> Made<()> {
        let count = dict.len();
        let start = self.records.entries.len();
        let is_record = self.record(dict, count)?;
        let written = if is_record {
            self.fields(dict, start)
        } else {
            self.writer.dict(count)?;
            self.items(dict)
        };
        self.records.entries.truncate(start);
        written?;
        self.writer.leave();
        Ok(())
    }

    /// The values of a record, whose entries were noted from `start` on.
    fn fields(&mut self, dict: &Bound<'py, PyDict>, start: usize) -> Made<()> {
        let end = self.records.entries.len();
        // What was noted holds until other code runs.
        let mut at = start;
        while at < end && !self.disturbed {
            let (key, item) = (
                self.records.entries[at].0.again(),
                self.records.entries[at].1.again(),
            );
            match self.quiet(&item) {
                Ok(true) => at += 1,
                Ok(false) => break,
                Err(failure) if self.disturbed => return Err(failure),
                Err(failure) => {
                    return Err(own(self.py, &key, |key| failure.within(|| step(key))));
                }
            }
        }
        if at == end {
            return Ok(());
        }
        let mut position = 0;
        for _ in start..at {
            next(dict, &mut position);
        }
        while let Some((key, item)) = (at < end).then(|| next(dict, &mut position)).flatten() {
            if self.records.entries[at].0.raw() != key.raw() {
                return Err(changed("dict").into());
            }
            at += 1;
            own(self.py, &key, |key| {
                own(self.py, &item, |item| self.value(item))
                    .map_err(|failure| failure.within(|| step(key)))
            })?;
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
        let start = self.records.entries.len();
        self.note(dict, count)?;
        let entries = &self.records.entries[start..];
        // Most records are like the last one.
        if let Some(seen) = self.records.seen.get(self.records.last)
            && seen.is(entries)
        {
            self.writer.again(seen.number, count)?;
            return Ok(true);
        }
        let hash = entries.iter().fold(0, |hash: usize, (key, _)| {
            (hash.rotate_left(5) ^ (key.raw() as usize >> 4)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        });
        let slot = hash >> (usize::BITS - SEEN.ilog2());
        let place = usize::from(self.records.slots[slot]).wrapping_sub(1);
        if let Some(seen) = self.records.seen.get(place)
            && seen.is(entries)
        {
            self.records.last = place;
            self.writer.again(seen.number, count)?;
            return Ok(true);
        }
        let keys: Vec<_> = self.records.entries[start..]
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
        self.records.entries.truncate(start);
        self.note(dict, count)?;
        let mut noted = keys.iter().zip(&self.records.entries[start..]);
        if !noted.all(|(key, (again, _))| key.as_ptr() == again.raw()) {
            return Err(changed("dict").into());
        }
        if let Some(seen) = self.records.seen.get_mut(place) {
            *seen = Seen { number, keys };
        } else {
            self.records.seen.push(Seen { number, keys });
            self.records.slots[slot] = self.records.seen.len() as u16;
        }
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
            self.records.entries.push(entry);
        }
        Ok(())
    }
}

/// How a path names what a dict has under a key.
fn step(key: &Bound<'_, PyAny>) -> String {
    let plain = key.is_exact_instance_of::<PyString>() || key.is_exact_instance_of::<PyInt>();
    let text = if plain { key.repr().ok() } else { None };
    match text.map(|text| text.to_string_lossy().into_owned()) {
        Some(text) if text.chars().count() <= 40 => format!("[{text}]"),
        Some(text) => format!("[{}...]", text.chars().take(40).collect::<String>()),
        None => format!("[a {}]", type_name(&key.get_type())),
    }
}
