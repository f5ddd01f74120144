//! The slots of many signals at once.

use crate::bridge::store::StoreCore;
use crate::bridge::store::signals::{Key, Signals, Text, listed};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// How many names are looked up at a time.
const BATCH: usize = 1024;

impl StoreCore {
    /// The slots of nodes' signals; `signals` is one name for all, or one each.
    pub fn slots(
        &self,
        node_ids: &Bound<'_, PyAny>,
        signals: &Bound<'_, PyAny>,
        slot: impl Fn(&mut Signals, &Key<'_, '_>) -> Option<u32>,
    ) -> PyResult<Vec<Option<u32>>> {
        let py = node_ids.py();
        let nodes = listed(node_ids)?;
        let (one, several) = if signals.is_instance_of::<PyString>() {
            (Some(Text::new(signals.clone(), "signal")?), None)
        } else {
            (None, Some(listed(signals)?))
        };
        if let Some(names) = &several
            && names.len() != nodes.len()
        {
            let (names, nodes) = (names.len(), nodes.len());
            let text = format!("{names} signals for {nodes} nodes");
            return Err(PyValueError::new_err(text));
        }
        let mut slots = Vec::with_capacity(nodes.len());
        let mut nodes = nodes.into_iter();
        let mut names = several.into_iter().flatten();
        loop {
            // (What is no text runs Python for its error, which must not happen under the lock.)
            let node_texts: Vec<Text<'_>> = (&mut nodes)
                .take(BATCH)
                .map(|node| Text::new(node, "node_id"))
                .collect::<PyResult<_>>()?;
            if node_texts.is_empty() {
                return Ok(slots);
            }
            let name_texts: Vec<Text<'_>> = (&mut names)
                .take(BATCH)
                .map(|name| Text::new(name, "signal"))
                .collect::<PyResult<_>>()?;
            let names = one.iter().cycle().take(BATCH).chain(&name_texts);
            let mut state = self.state(py);
            for (node, signal) in node_texts.iter().zip(names) {
                slots.push(slot(&mut state.signals, &Key { node, signal }));
            }
        }
    }
}
