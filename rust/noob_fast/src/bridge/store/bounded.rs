//! A store of bounded size: what is counted, and what is dropped.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::ValueBlock;
use crate::bridge::store::events::part;
use crate::store::bounds::Bounds;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// How many dropped epochs are remembered, for the error of who looks for one.
const REMEMBERED: usize = 1000;

/// What a store of bounded size keeps besides.
pub struct Bounded {
    pub bounds: Bounds,
    /// The epochs and sub-epochs that have blocks.
    pub epochs: FxHashMap<u32, Py<PyDict>>,
    pub dropped: VecDeque<u32>,
}

impl Bounded {
    pub fn new(max_events: Option<u64>, max_bytes: Option<u64>) -> Self {
        Bounded {
            bounds: Bounds::new(max_events, max_bytes),
            epochs: FxHashMap::default(),
            dropped: VecDeque::new(),
        }
    }
}

impl StoreCore {
    pub fn touch(&self, block: &Bound<'_, ValueBlock>) {
        if self.is_bounded
            && let Some(bounded) = &mut self.state(block.py()).bounded
            && let Some(at) = &block.get().at
        {
            bounded.bounds.touch(at.root);
        }
    }

    /// How many bytes values take, if the store counts them.
    pub fn sizes<'py>(
        &self,
        py: Python<'py>,
        values: impl IntoIterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<u64> {
        let counts = self.is_bounded && {
            let state = self.state(py);
            let bounded = state.bounded.as_ref();
            bounded.is_some_and(|bounded| bounded.bounds.counts_bytes())
        };
        if !counts {
            return Ok(0);
        }
        values.into_iter().map(|value| size(&value)).sum()
    }

    /// Count what was added to a block, and drop other epochs if it is too much.
    pub fn account(&self, block: &Bound<'_, ValueBlock>, events: u64, bytes: u64) -> PyResult<()> {
        let Some(root) = block.get().at.as_ref().map(|at| at.root) else {
            return Ok(());
        };
        if !self.is_bounded {
            return Ok(());
        }
        let py = block.py();
        block.get().count(events, bytes);
        let mut dropped = Vec::new();
        {
            let mut state = self.state(py);
            if let Some(bounded) = &mut state.bounded {
                bounded.bounds.add(root, events, bytes);
                while let Some(root) = bounded.bounds.excess() {
                    let usage = bounded.bounds.remove(root);
                    if bounded.dropped.len() == REMEMBERED {
                        bounded.dropped.pop_front();
                    }
                    bounded.dropped.push_back(root);
                    dropped.push((root, usage, bounded.epochs.remove(&root)));
                }
            }
        }
        for (_, _, epochs) in &dropped {
            for (epoch, _) in epochs.iter().flat_map(|epochs| epochs.bind(py)) {
                self.drop_block(&epoch)?;
                part(self.below.bind(py), &epoch)?;
            }
        }
        for (root, usage, _) in dropped {
            if let Some(on_evict) = &self.on_evict {
                on_evict.call1(py, (root, usage.events, usage.bytes))?;
            }
        }
        Ok(())
    }

    /// Let go of an epoch's block; it is the caller's to drop.
    pub fn drop_block<'py>(
        &self,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, ValueBlock>>> {
        let py = epoch.py();
        let Some(block) = part(self.blocks.bind(py), epoch)? else {
            return Ok(None);
        };
        let block = block.cast_into::<ValueBlock>()?;
        let (recent, fresh) = {
            let mut state = self.state(py);
            let at = block.get().fresh_at.swap(0, Ordering::Relaxed);
            (state.recent.take(), state.fresh.remove(&at))
        };
        drop((recent, fresh));
        Ok(Some(block))
    }

    /// Forget one epoch, if it has a block; that is the caller's to drop.
    pub fn clear_one<'py>(
        &self,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, ValueBlock>>> {
        let py = epoch.py();
        let Some(block) = self.drop_block(epoch)? else {
            return Ok(None);
        };
        let others = match (&mut self.state(py).bounded, &block.get().at) {
            (Some(bounded), Some(at)) => {
                let (events, bytes) = block.get().counted();
                bounded.bounds.subtract(at.root, events, bytes);
                let epochs = bounded.epochs.get(&at.root);
                epochs.map(|epochs| (at.root, epochs.bind(py).clone()))
            }
            _ => None,
        };
        if let Some((root, epochs)) = others {
            part(&epochs, epoch)?;
            if epochs.is_empty()
                && let Some(bounded) = &mut self.state(py).bounded
            {
                bounded.bounds.remove(root);
                let empty = bounded.epochs.remove(&root);
                drop(empty); // an empty dictionary runs nothing as it goes
            }
        }
        Ok(Some(block))
    }
}

static SIZE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// What a value takes, in bytes: its buffer's size, or what Python says of the object alone.
fn size(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let py = value.py();
    if let Ok(Ok(nbytes)) = value
        .getattr(intern!(py, "nbytes"))
        .map(|nbytes| nbytes.extract())
    {
        return Ok(nbytes);
    }
    let size = SIZE.import(py, "sys", "getsizeof")?;
    size.call1((value,))?.extract()
}
