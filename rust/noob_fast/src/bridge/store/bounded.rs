//! A store of bounded size: what is counted, and what is dropped.

use crate::bridge::store::StoreCore;
use crate::bridge::store::block::ValueBlock;
use crate::bridge::store::events::part;
use crate::store::bounds::Bounds;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

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

    /// Count what was added to a block, and drop other epochs if it is too much.
    pub fn account(
        &self,
        block: &Bound<'_, ValueBlock>,
        values: &[Bound<'_, PyAny>],
    ) -> PyResult<()> {
        if !self.is_bounded {
            return Ok(());
        }
        let py = block.py();
        let counts = match (&self.state(py).bounded, &block.get().at) {
            (Some(bounded), Some(at)) => Some((bounded.bounds.counts_bytes(), at.root)),
            _ => None,
        };
        let Some((counts_bytes, root)) = counts else {
            return Ok(());
        };
        let mut bytes = 0;
        if counts_bytes {
            for value in values {
                bytes += size(value)?;
            }
        }
        block.get().count(bytes);
        let mut dropped = Vec::new();
        {
            let mut state = self.state(py);
            if let Some(bounded) = &mut state.bounded {
                bounded.bounds.add(root, values.len() as u64, bytes);
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

    pub fn drop_block(&self, epoch: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = epoch.py();
        let block = part(self.blocks.bind(py), epoch)?;
        let recent = self.state(py).recent.take();
        drop((recent, block));
        Ok(())
    }

    /// Forget one epoch, which may have no block.
    pub fn clear_one(&self, epoch: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = epoch.py();
        let Some(block) = self.blocks.bind(py).get_item(epoch)? else {
            return Ok(());
        };
        let block = block.cast_into::<ValueBlock>()?;
        let others = match (&mut self.state(py).bounded, &block.get().at) {
            (Some(bounded), Some(at)) => {
                let (events, bytes) = block.get().counted(py);
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
        self.drop_block(epoch)
    }
}

/// What a value takes, in bytes: its buffer's size, or what Python says of the object alone.
fn size(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let py = value.py();
    if let Ok(Ok(nbytes)) = value
        .getattr(intern!(py, "nbytes"))
        .map(|nbytes| nbytes.extract())
    {
        return Ok(nbytes);
    }
    let size = py.import(intern!(py, "sys"))?;
    size.call_method1(intern!(py, "getsizeof"), (value,))?
        .extract()
}
