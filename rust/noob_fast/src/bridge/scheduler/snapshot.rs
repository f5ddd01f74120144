//! An epoch's whole state as `noob_core` gives it, for debugging: by names, in sets and dictionaries.

use crate::bridge::scheduler::FastScheduler;
use crate::scheduler::graph::{Graph, Lists};
use crate::scheduler::items::{Item, Items};
use crate::scheduler::sorter::SorterState;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString};
use std::sync::Arc;

/// Items as Python has them.
struct Labels<'a, 'py> {
    py: Python<'py>,
    scheduler: &'a FastScheduler,
    items: &'a Items,
}

impl<'py> Labels<'_, 'py> {
    /// A name, or a name and its signal's.
    fn of(&self, item: Item) -> PyResult<Bound<'py, PyAny>> {
        let name = self.scheduler.name(self.py, self.items.owner(item));
        if self.items.is_signal(item) {
            let pair = (name, self.items.text(item)).into_pyobject(self.py)?;
            Ok(pair.into_any())
        } else {
            Ok(name.into_bound(self.py).into_any())
        }
    }

    fn slot(&self, slot: u32) -> (Py<PyString>, &str) {
        let owner = self.items.slot_owner(slot);
        (
            self.scheduler.name(self.py, owner),
            self.items.slot_text(slot),
        )
    }

    fn set(&self, items: impl IntoIterator<Item = Item>) -> PyResult<Bound<'py, PySet>> {
        let set = PySet::empty(self.py)?;
        for item in items {
            set.add(self.of(item)?)?;
        }
        Ok(set)
    }
}

/// `found`: an epoch's graph and state, of a scheduler with `items`.
pub fn describe<'py>(
    scheduler: &FastScheduler,
    py: Python<'py>,
    items: &Items,
    found: (Arc<Graph>, SorterState),
) -> PyResult<Bound<'py, PyDict>> {
    let labels = Labels {
        py,
        scheduler,
        items,
    };
    let (graph, state) = found;
    let result = PyDict::new(py);
    for (key, group) in [
        ("ready", state.ready),
        ("out", state.out),
        ("done", state.done),
        ("disabled", state.disabled),
        ("ran", state.ran),
        ("pending", state.pending),
    ] {
        result.set_item(key, labels.set(group)?)?;
    }
    result.set_item("npassedout", state.passed_out)?;
    result.set_item("nfinished", state.finished)?;
    let optionals = graph.optionals(items);
    let info = PyDict::new(py);
    for (item, waiting) in state.known {
        let record = PyDict::new(py);
        record.set_item("nqueue", waiting)?;
        let local = graph.local(item);
        let around = |list: &Lists| {
            let list = local.map_or(&[][..], |at| list.of(at)).iter();
            labels.set(list.map(|&at| graph.items[at as usize]))
        };
        record.set_item("successors", around(&graph.successors)?)?;
        record.set_item("predecessors", around(&graph.predecessors)?)?;
        let optional = PyDict::new(py);
        for &(signal, slot) in optionals.predecessors.get(&item).into_iter().flatten() {
            optional.set_item(labels.of(signal)?, labels.slot(slot))?;
        }
        record.set_item("optional_predecessors", optional)?;
        let slots = PySet::empty(py)?;
        for &slot in local.map_or(&[][..], |at| optionals.of(at)) {
            slots.add(labels.slot(slot))?;
        }
        record.set_item("optional_successors", slots)?;
        info.set_item(labels.of(item)?, record)?;
    }
    result.set_item("info", info)?;
    Ok(result)
}
