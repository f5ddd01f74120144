//! Slots by the names of a node and of its signal.

use hashbrown::HashTable;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

/// One signal of a node.
pub struct Name {
    pub node: Py<PyString>,
    pub signal: Py<PyString>,
    hash: u64,
}

/// The signals that a store has met, numbered as they came.
#[derive(Default)]
pub struct Signals {
    table: HashTable<u32>,
    names: Vec<Name>,
}

/// A name as it is looked up: a text whose hash and comparison run nobody's code.
pub struct Text<'py> {
    text: Bound<'py, PyString>,
    hash: u64,
}

impl<'py> Text<'py> {
    /// A name; `what` says whose.
    pub fn new(given: Bound<'py, PyAny>, what: &str) -> PyResult<Self> {
        let text = match given.cast_into_exact::<PyString>() {
            Ok(text) => text,
            Err(error) => {
                let given = error.into_inner();
                let Ok(text) = given.cast::<PyString>() else {
                    let kind = given.get_type();
                    let text = format!("{what} is a str, not {kind}: {given}");
                    return Err(PyTypeError::new_err(text));
                };
                // (As `str` has it, whatever the subclass says.)
                let py = text.py();
                let plain = py
                    .get_type::<PyString>()
                    .call_method1(intern!(py, "__str__"), (text,))?;
                plain.cast_into_exact::<PyString>()?
            }
        };
        // (Python keeps the hash of a text beside it.)
        let hash = text.hash()?.cast_unsigned() as u64;
        Ok(Text { text, hash })
    }
}

/// The names of a signal.
pub struct Key<'a, 'py> {
    pub node: &'a Text<'py>,
    pub signal: &'a Text<'py>,
}

impl Key<'_, '_> {
    fn hash(&self) -> u64 {
        let mixed = self.node.hash.rotate_left(5) ^ self.signal.hash;
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

fn is_same(kept: &Py<PyString>, asked: &Bound<'_, PyString>) -> bool {
    let kept = kept.bind(asked.py());
    // (Comparing texts runs nobody's code, and makes nothing.)
    kept.is(asked) || kept.as_any().eq(asked).unwrap_or(false)
}

impl Signals {
    /// The slot of a signal.
    pub fn find(&self, key: &Key<'_, '_>) -> Option<u32> {
        let hash = key.hash();
        let found = self.table.find(hash, |&slot| {
            let name = &self.names[slot as usize];
            name.hash == hash
                && is_same(&name.node, &key.node.text)
                && is_same(&name.signal, &key.signal.text)
        });
        found.copied()
    }

    /// The same, of a signal that is met the first time a new one.
    pub fn intern(&mut self, key: &Key<'_, '_>) -> u32 {
        if let Some(slot) = self.find(key) {
            return slot;
        }
        let slot = self.names.len() as u32;
        let hash = key.hash();
        self.names.push(Name {
            node: key.node.text.clone().unbind(),
            signal: key.signal.text.clone().unbind(),
            hash,
        });
        let names = &self.names;
        let rehash = |&slot: &u32| names[slot as usize].hash;
        self.table.insert_unique(hash, slot, rehash);
        slot
    }

    pub fn name(&self, slot: u32) -> Option<&Name> {
        self.names.get(slot as usize)
    }
}

/// The names of a node and of a signal.
pub fn texts<'py>(
    node: Bound<'py, PyAny>,
    signal: Bound<'py, PyAny>,
) -> PyResult<(Text<'py>, Text<'py>)> {
    Ok((Text::new(node, "node_id")?, Text::new(signal, "signal")?))
}

/// The values of a list; of any other sequence, in a list of their own.
pub fn listed<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    match given.cast_exact::<PyList>() {
        Ok(list) => Ok(list.clone()),
        Err(_) => PyList::new(given.py(), given.try_iter()?.collect::<PyResult<Vec<_>>>()?),
    }
}
