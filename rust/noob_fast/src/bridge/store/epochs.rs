//! The blocks of a store: which there are, and which to look into.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::{At, ValueBlock};
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyList};
use std::sync::atomic::Ordering;

static REVERSED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

impl StoreCore {
    /// The block of an epoch, if it has one.
    pub fn find<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, ValueBlock>>> {
        let py = epoch.py();
        if let Some((at, block)) = &self.state(py).recent
            && at.is(epoch)
        {
            return Ok(Some(block.bind(py).clone()));
        }
        let block = self.known(epoch)?;
        if let Some(block) = &block {
            self.remember(epoch, block);
        }
        Ok(block)
    }

    fn known<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, ValueBlock>>> {
        let block = self.blocks.bind(epoch.py()).get_item(epoch)?;
        Ok(block.map(Bound::cast_into::<ValueBlock>).transpose()?)
    }

    pub fn remember(&self, epoch: &Bound<'_, PyAny>, block: &Bound<'_, ValueBlock>) {
        let recent = Some((epoch.clone().unbind(), block.clone().unbind()));
        let before = std::mem::replace(&mut self.state(epoch.py()).recent, recent);
        drop(before);
    }

    /// The block of an epoch; a new one if it has none, with room for so many slots.
    pub fn block<'py>(
        &self,
        epoch: &Bound<'py, PyAny>,
        size: Option<usize>,
    ) -> PyResult<Bound<'py, ValueBlock>> {
        let py = epoch.py();
        if let Some(block) = self.find(epoch)? {
            return Ok(block);
        }
        let root: u32 = epoch.getattr(intern!(py, "root"))?.extract()?;
        let below = self.below.bind(py).as_any();
        let mut is_root = true;
        for parent in epoch.getattr(intern!(py, "parents"))?.try_iter()? {
            is_root = false;
            let set = below.get_item(parent?)?;
            set.call_method1(intern!(py, "add"), (epoch,))?;
        }
        let packed = self.packed.as_ref().map(|packed| packed.clone_ref(py));
        let at = At {
            epoch: epoch.clone().unbind(),
            root,
            is_root,
        };
        let block = ValueBlock::of(Some(at), size, packed);
        // (Another thread may have been quicker.)
        let block = self
            .blocks
            .bind(py)
            .as_any()
            .call_method1(intern!(py, "setdefault"), (epoch, Bound::new(py, block)?))?;
        let block = block.cast_into::<ValueBlock>()?;
        if self.is_bounded {
            let fresh = PyDict::new(py).unbind();
            let epochs = match &mut self.state(py).bounded {
                Some(bounded) => bounded.epochs.entry(root).or_insert(fresh).bind(py).clone(),
                None => fresh.into_bound(py),
            };
            epochs.set_item(epoch, py.None())?;
        }
        self.remember(epoch, &block);
        Ok(block)
    }

    /// The blocks to look into for an epoch: its own, then those of its parents.
    pub fn lookup<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, ValueBlock>>> {
        let py = epoch.py();
        let mut blocks: Vec<_> = self.find(epoch)?.into_iter().collect();
        if blocks.first().is_some_and(|block| block.get().is_root()) {
            return Ok(blocks);
        }
        if !epoch.is_instance_of::<PyInt>() {
            // (Which epoch was used last is not for these to say.)
            for parent in epoch.getattr(intern!(py, "parents"))?.try_iter()? {
                blocks.extend(self.known(&parent?)?);
            }
        }
        Ok(blocks)
    }

    /// The epoch whose events came last, if it is asked for (by -1) and there is one.
    pub fn resolve<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if !epoch.is_instance_of::<PyInt>() {
            return Ok(epoch.clone());
        }
        let py = epoch.py();
        if epoch.extract::<i64>().ok() != Some(-1) {
            let text = format!("an epoch is an Epoch, or -1 for the latest, not {epoch}");
            return Err(PyTypeError::new_err(text));
        }
        let reversed = REVERSED.import(py, "builtins", "reversed")?;
        let values = self
            .blocks
            .bind(py)
            .as_any()
            .call_method0(intern!(py, "values"))?;
        for block in reversed.call1((values,))?.try_iter()? {
            let block = block?.cast_into::<ValueBlock>()?;
            let block = block.get();
            if let Some(at) = &block.at
                && !block.log(py).is_empty()
                && !self.state(py).hidden.contains(&at.root)
            {
                return Ok(at.epoch.bind(py).clone());
            }
        }
        Ok(epoch.clone())
    }

    /// The blocks of epochs that are not hidden.
    pub fn shown<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, ValueBlock>>> {
        let blocks = self.blocks.bind(py).values();
        let blocks = blocks.iter().map(Bound::cast_into::<ValueBlock>);
        let mut blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        blocks.retain(|block| !self.is_hidden(block));
        Ok(blocks)
    }

    fn is_hidden(&self, block: &Bound<'_, ValueBlock>) -> bool {
        let at = block.get().at.as_ref();
        at.is_none_or(|at| self.state(block.py()).hidden.contains(&at.root))
    }

    /// Have a block in mind whose values have to be given out as events.
    pub fn notice(&self, block: &Bound<'_, ValueBlock>) {
        if block.get().fresh_at.load(Ordering::Relaxed) == 0 {
            self.enlist(block, None);
        }
    }

    /// The same, in the place that it had.
    fn enlist(&self, block: &Bound<'_, ValueBlock>, number: Option<u64>) {
        let mine = &block.get().fresh_at;
        let state = &mut *self.state(block.py());
        if mine.load(Ordering::Relaxed) == 0 {
            let number = number.unwrap_or(state.freshest + 1);
            state.freshest = state.freshest.max(number);
            mine.store(number, Ordering::Relaxed);
            state.fresh.insert(number, block.clone().unbind());
        }
    }

    /// Have a block in mind for good: others put values in.
    pub fn watch(&self, block: &Bound<'_, ValueBlock>) {
        block.get().is_direct.store(true, Ordering::Relaxed);
        self.notice(block);
    }

    /// The events of a block that were not given out yet, appended to a list.
    pub fn flush(&self, block: &Bound<'_, ValueBlock>, events: &Bound<'_, PyList>) -> PyResult<()> {
        if self.is_hidden(block) {
            return Ok(());
        }
        let (py, mine) = (block.py(), block.get());
        let number = mine.fresh_at.load(Ordering::Relaxed);
        if !mine.is_direct.load(Ordering::Relaxed) {
            // (First: what comes meanwhile is noticed again.)
            let gone = {
                let mut state = self.state(py);
                mine.fresh_at.store(0, Ordering::Relaxed);
                state.fresh.remove(&number)
            };
            drop(gone);
        }
        let (begin, end) = (mine.flushed.load(Ordering::Relaxed), mine.log(py).len());
        for at in begin..end {
            match self.entry(block, at as u32) {
                Ok(event) => events.append(event)?,
                Err(error) => {
                    self.enlist(block, Some(number));
                    return Err(error);
                }
            }
            mine.flushed.store(at + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    pub fn missing(
        &self,
        node: &Bound<'_, PyAny>,
        signal: &Bound<'_, PyAny>,
        epoch: &Bound<'_, PyAny>,
    ) -> PyErr {
        let py = epoch.py();
        let root: Option<u32> = epoch
            .getattr(intern!(py, "root"))
            .ok()
            .and_then(|root| root.extract().ok());
        let dropped = root.is_some_and(|root| {
            let state = self.state(py);
            let bounded = state.bounded.as_ref();
            bounded.is_some_and(|bounded| bounded.dropped.contains(&root))
        });
        let why = if dropped {
            ": the epoch was dropped, to stay within the store's bounds"
        } else {
            ""
        };
        PyKeyError::new_err(format!(
            "No event found for node_id: {node}, signal: {signal}, epoch: {epoch}{why}"
        ))
    }
}
