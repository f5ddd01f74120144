//! A frame's value in plain Rust: for tests, fuzzing and measurements without Python.

use super::builder::Builder;
use super::reader::Reader;
use super::writer::Writer;
use super::{Beside, Date, Known, Limits, Time};
use crate::error::{Error, Result};
use std::rc::Rc;
use std::vec::Drain;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    None,
    Bool(bool),
    Int(i64),
    Big(Vec<u8>),
    /// Its bits.
    Float(u64),
    Str(String),
    Surrogates(Vec<u8>),
    Bytes(Vec<u8>),
    Bytearray(Vec<u8>),
    Beside(Beside, u64),
    List(Vec<Tree>),
    Tuple(Vec<Tree>),
    Set(Vec<Tree>),
    Frozenset(Vec<Tree>),
    Dict(Vec<(Tree, Tree)>),
    Date(Date),
    Time(Time, Box<Tree>),
    Datetime(Date, Time, Box<Tree>),
    Timedelta([i32; 3]),
    Pickle(Vec<u8>),
    Hook(String, Box<Tree>),
    Known(Known, Box<Tree>),
}

impl Tree {
    /// This value as a frame.
    ///
    /// # Errors
    /// `Error::Frame` or `Error::Depth` if it is beyond the limits.
    pub fn frame(&self, limits: Limits) -> Result<Vec<u8>> {
        let mut writer = Writer::new(Vec::new(), limits);
        self.write(&mut writer)?;
        writer.finish()
    }

    /// The value of a frame with so many buffers beside it.
    ///
    /// # Errors
    /// `Error::Frame` or `Error::Depth` if it is none, or beyond the limits.
    pub fn read(frame: &[u8], buffers: usize, limits: Limits) -> Result<Tree> {
        Reader::new(frame, buffers, Grower, limits)?.read()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> Result<()> {
        match self {
            Tree::None => writer.none(),
            Tree::Bool(value) => writer.bool(*value),
            Tree::Int(value) => writer.int(*value),
            Tree::Big(bytes) => writer.big(bytes)?,
            Tree::Float(bits) => writer.float(f64::from_bits(*bits)),
            Tree::Str(text) => writer.str(text)?,
            Tree::Surrogates(text) => writer.surrogates(text)?,
            Tree::Bytes(bytes) => writer.bytes(bytes)?,
            Tree::Bytearray(bytes) => writer.bytearray(bytes)?,
            Tree::Beside(what, length) => writer.beside(*what, *length as usize)?,
            Tree::List(items) => return write_list(writer, items),
            Tree::Tuple(items) => {
                writer.tuple(items.len())?;
                return all(writer, items);
            }
            Tree::Set(items) => {
                writer.set(items.len())?;
                return all(writer, items);
            }
            Tree::Frozenset(items) => {
                writer.frozenset(items.len())?;
                return all(writer, items);
            }
            Tree::Dict(items) => return write_dict(writer, items),
            Tree::Date(date) => writer.date(*date),
            Tree::Time(time, zone) => {
                writer.time(*time)?;
                return all(writer, std::slice::from_ref(zone));
            }
            Tree::Datetime(date, time, zone) => {
                writer.datetime(*date, *time)?;
                return all(writer, std::slice::from_ref(zone));
            }
            Tree::Timedelta([days, seconds, micros]) => writer.timedelta(*days, *seconds, *micros),
            Tree::Pickle(bytes) => writer.pickle(bytes)?,
            Tree::Hook(name, payload) => {
                writer.hook(name)?;
                return all(writer, std::slice::from_ref(payload));
            }
            Tree::Known(kind, payload) => {
                writer.known(*kind)?;
                return all(writer, std::slice::from_ref(payload));
            }
        }
        Ok(())
    }
}

/// What a container holds, and its end.
fn all(writer: &mut Writer<Vec<u8>>, items: &[Tree]) -> Result<()> {
    for item in items {
        item.write(writer)?;
    }
    writer.leave();
    Ok(())
}

fn write_list(writer: &mut Writer<Vec<u8>>, items: &[Tree]) -> Result<()> {
    let ints: Option<Vec<i64>> = items.iter().map(int).collect();
    if let (Some(ints), false) = (ints, items.is_empty()) {
        return writer.ints(&ints);
    }
    let floats = items.iter().map(|item| match item {
        Tree::Float(bits) => Some(f64::from_bits(*bits)),
        _ => None,
    });
    if !items.is_empty() && writer.floats(floats)? {
        return Ok(());
    }
    writer.list(items.len())?;
    all(writer, items)
}

fn int(item: &Tree) -> Option<i64> {
    match item {
        Tree::Int(value) => Some(*value),
        _ => None,
    }
}

fn write_dict(writer: &mut Writer<Vec<u8>>, items: &[(Tree, Tree)]) -> Result<()> {
    let mut record = None;
    if items.iter().all(|(key, _)| matches!(key, Tree::Str(_)))
        && let Some(keys) = writer.keys(items.len())
    {
        for (key, _) in items {
            key.write(writer)?;
        }
        record = writer.record(&keys)?;
    }
    if record.is_none() {
        writer.dict(items.len())?;
    }
    for (key, value) in items {
        if record.is_none() {
            key.write(writer)?;
        }
        value.write(writer)?;
    }
    writer.leave();
    Ok(())
}

/// Makes trees.
struct Grower;

type Grown = Result<Tree>;

fn pairs(items: Drain<'_, Tree>) -> Vec<(Tree, Tree)> {
    let mut items = items;
    std::iter::from_fn(|| items.next().zip(items.next())).collect()
}

impl Builder for Grower {
    type Value = Tree;
    type Keys = Rc<[Tree]>;
    type Error = Error;

    fn none(&mut self) -> Tree {
        Tree::None
    }

    fn bool(&mut self, value: bool) -> Tree {
        Tree::Bool(value)
    }

    fn int(&mut self, value: i64) -> Grown {
        Ok(Tree::Int(value))
    }

    fn big(&mut self, bytes: &[u8]) -> Grown {
        Ok(Tree::Big(bytes.to_vec()))
    }

    fn float(&mut self, value: f64) -> Grown {
        Ok(Tree::Float(value.to_bits()))
    }

    fn ascii(&mut self, text: &[u8]) -> Grown {
        Ok(Tree::Str(String::from_utf8_lossy(text).into_owned()))
    }

    fn str(&mut self, text: &str) -> Grown {
        Ok(Tree::Str(text.to_owned()))
    }

    fn surrogates(&mut self, text: &[u8]) -> Grown {
        Ok(Tree::Surrogates(text.to_vec()))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Grown {
        Ok(Tree::Bytes(bytes.to_vec()))
    }

    fn bytearray(&mut self, bytes: &[u8]) -> Grown {
        Ok(Tree::Bytearray(bytes.to_vec()))
    }

    fn copies(&self, _: Beside) -> bool {
        false
    }

    fn beside(&mut self, what: Beside, length: u64) -> Grown {
        Ok(Tree::Beside(what, length))
    }

    fn floats(&mut self, values: &[[u8; 8]]) -> Grown {
        let bits = values.iter().map(|&raw| u64::from_le_bytes(raw));
        Ok(Tree::List(bits.map(Tree::Float).collect()))
    }

    fn ints(&mut self, values: impl ExactSizeIterator<Item = i64>) -> Grown {
        Ok(Tree::List(values.map(Tree::Int).collect()))
    }

    fn list(&mut self, items: Drain<'_, Tree>) -> Grown {
        Ok(Tree::List(items.collect()))
    }

    fn tuple(&mut self, items: Drain<'_, Tree>) -> Grown {
        Ok(Tree::Tuple(items.collect()))
    }

    fn set(&mut self, items: Drain<'_, Tree>) -> Grown {
        Ok(Tree::Set(items.collect()))
    }

    fn frozenset(&mut self, items: Drain<'_, Tree>) -> Grown {
        Ok(Tree::Frozenset(items.collect()))
    }

    fn dict(&mut self, items: Drain<'_, Tree>) -> Grown {
        Ok(Tree::Dict(pairs(items)))
    }

    fn keys(&mut self, keys: Drain<'_, Tree>) -> Result<Self::Keys> {
        Ok(keys.collect())
    }

    fn record(&mut self, keys: &Self::Keys, values: Drain<'_, Tree>) -> Grown {
        Ok(Tree::Dict(keys.iter().cloned().zip(values).collect()))
    }

    fn date(&mut self, date: Date) -> Grown {
        Ok(Tree::Date(date))
    }

    fn time(&mut self, time: Time, zone: Tree) -> Grown {
        Ok(Tree::Time(time, zone.into()))
    }

    fn datetime(&mut self, date: Date, time: Time, zone: Tree) -> Grown {
        Ok(Tree::Datetime(date, time, zone.into()))
    }

    fn timedelta(&mut self, parts: [i32; 3]) -> Grown {
        Ok(Tree::Timedelta(parts))
    }

    fn pickle(&mut self, bytes: &[u8]) -> Grown {
        Ok(Tree::Pickle(bytes.to_vec()))
    }

    fn hook(&mut self, name: &str, payload: Tree) -> Grown {
        Ok(Tree::Hook(name.to_owned(), payload.into()))
    }

    fn known(&mut self, kind: Known, payload: Tree) -> Grown {
        Ok(Tree::Known(kind, payload.into()))
    }
}
