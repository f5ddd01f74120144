//! What a call of `add_value` added, as events that are made when someone reads them.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::ValueBlock;
use crate::bridge::store::making::Raw;
use pyo3::basic::CompareOp;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple, PyType};

pub enum Item {
    /// What was put into a block.
    Entry(Py<ValueBlock>, Raw),
    /// An event that a node has made.
    Event(Py<PyAny>),
}

/// A sequence of events.
#[pyclass(module = "noob_fast", frozen, sequence)]
pub struct Emitted {
    store: Py<StoreCore>,
    items: Items,
}

enum Items {
    One(Item),
    Many(Vec<Item>),
}

impl Emitted {
    pub fn one(store: Py<StoreCore>, item: Item) -> Self {
        let items = Items::One(item);
        Emitted { store, items }
    }

    pub fn many(store: Py<StoreCore>, items: Vec<Item>) -> Self {
        let items = Items::Many(items);
        Emitted { store, items }
    }

    fn items(&self) -> &[Item] {
        match &self.items {
            Items::One(item) => std::slice::from_ref(item),
            Items::Many(items) => items,
        }
    }

    fn event<'py>(&self, py: Python<'py>, item: &Item) -> PyResult<Bound<'py, PyAny>> {
        match item {
            Item::Entry(block, raw) => self.store.get().event(block.bind(py), raw),
            Item::Event(event) => Ok(event.bind(py).clone()),
        }
    }

    /// All of them.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = self.items().iter().map(|item| self.event(py, item));
        PyList::new(py, events.collect::<PyResult<Vec<_>>>()?)
    }
}

#[pymethods]
impl Emitted {
    fn __len__(&self) -> usize {
        self.items().len()
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if let Ok(at) = index.extract::<isize>() {
            let at = if at < 0 {
                at + self.__len__().cast_signed()
            } else {
                at
            };
            let item = usize::try_from(at).ok().and_then(|at| self.items().get(at));
            if let Some(item) = item {
                return self.event(py, item);
            }
        }
        self.list(py)?.as_any().get_item(index)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.list(py)?.try_iter()?.into_any())
    }

    #[pyo3(signature = (*given))]
    fn index<'py>(&self, given: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.list(given.py())?.as_any().call_method1("index", given)
    }

    fn count<'py>(&self, event: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let list = self.list(event.py())?;
        list.as_any().call_method1("count", (event,))
    }

    /// What is copied or pickled is a list.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyList>,))> {
        Ok((py.get_type::<PyList>(), (self.list(py)?,)))
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
        for item in self.items() {
            match item {
                Item::Entry(block, raw) => {
                    visit.call(block)?;
                    visit.call(&raw.value)?;
                }
                Item::Event(event) => visit.call(event)?,
            }
        }
        Ok(())
    }
}
