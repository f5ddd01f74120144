//! The blocks of a store: which there are, and which to look into.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::{At, ValueBlock};
use pyo3::exceptions::PyKeyError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};

impl StoreCore {
    /// The block of an epoch, if it has one.
    pub fn find<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, ValueBlock>>> {
        let py = epoch.py();
        if let Some((at, block)) = &self.state(py).recent
            && at.is(epoch)
        {
            return Ok(Some(block.bind(py).clone()));
        }
        let Some(block) = self.blocks.bind(py).get_item(epoch)? else {
            return Ok(None);
        };
        let block = block.cast_into::<ValueBlock>()?;
        self.remember(epoch, &block);
        Ok(Some(block))
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
        let block = ValueBlock::of(at, size, packed);
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
            for parent in epoch.getattr(intern!(py, "parents"))?.try_iter()? {
                blocks.extend(self.find(&parent?)?);
            }
        }
        Ok(blocks)
    }

    /// The epoch whose events came last, if it is asked for and there is one.
    pub fn resolve<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if !epoch.is_instance_of::<PyInt>() {
            return Ok(epoch.clone());
        }
        let py = epoch.py();
        let mut blocks = self.shown(py)?.into_iter().rev();
        let latest = blocks.find(|block| !block.get().log(py).is_empty());
        let latest = latest.as_ref().and_then(|block| block.get().at.as_ref());
        Ok(latest.map_or_else(|| epoch.clone(), |at| at.epoch.bind(py).clone()))
    }

    pub fn shown<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, ValueBlock>>> {
        let blocks = self.blocks.bind(py).values();
        let blocks = blocks.iter().map(Bound::cast_into::<ValueBlock>);
        let blocks: Result<Vec<_>, _> = blocks.collect();
        let mut blocks = blocks?;
        let state = self.state(py);
        blocks.retain(|block| {
            let at = block.get().at.as_ref();
            at.is_some_and(|at| !state.hidden.contains(&at.root))
        });
        drop(state);
        Ok(blocks)
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
