//! What a call of `add_value` added, as events that are made when someone reads them.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::ValueBlock;
use pyo3::basic::CompareOp;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

pub enum Item {
    /// An entry of the block.
    Entry(u32),
    /// An event that a node has made.
    Event(Py<PyAny>),
}

/// A sequence of events.
#[pyclass(module = "noob_fast", frozen, sequence)]
pub struct Emitted {
    store: Py<StoreCore>,
    block: Option<Py<ValueBlock>>,
    items: Items,
}

enum Items {
    One(u32),
    Many(Vec<Item>),
}

impl Emitted {
    pub fn one(store: Py<StoreCore>, block: Py<ValueBlock>, at: u32) -> Self {
        Emitted {
            store,
            block: Some(block),
            items: Items::One(at),
        }
    }

    pub fn many(store: Py<StoreCore>, block: Option<Py<ValueBlock>>, items: Vec<Item>) -> Self {
        Emitted {
            store,
            block,
            items: Items::Many(items),
        }
    }

    fn entry<'py>(&self, py: Python<'py>, at: u32) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(block) = &self.block else {
            return Ok(None);
        };
        self.store.get().event(block.bind(py), at).map(Some)
    }

    /// All of them.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        match &self.items {
            Items::One(at) => list.append(self.entry(py, *at)?)?,
            Items::Many(items) => {
                for item in items {
                    match item {
                        Item::Entry(at) => list.append(self.entry(py, *at)?)?,
                        Item::Event(event) => list.append(event)?,
                    }
                }
            }
        }
        Ok(list)
    }
}

#[pymethods]
impl Emitted {
    fn __len__(&self) -> usize {
        match &self.items {
            Items::One(_) => 1,
            Items::Many(items) => items.len(),
        }
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.list(index.py())?.as_any().get_item(index)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.list(py)?.try_iter()?.into_any())
    }

    fn __richcmp__<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
        compare: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let other = match other.cast::<Emitted>() {
            Ok(emitted) => emitted.get().list(py)?.into_any(),
            Err(_) => other.clone(),
        };
        slf.get().list(py)?.rich_compare(other, compare)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.list(py)?.repr()?.into_any())
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.store)?;
        visit.call(&self.block)?;
        if let Items::Many(items) = &self.items {
            for item in items {
                if let Item::Event(event) = item {
                    visit.call(event)?;
                }
            }
        }
        Ok(())
    }
}
