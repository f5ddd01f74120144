//! `StoreCore`: what nodes emitted in all epochs. Events are made when someone reads them.

pub mod block;
pub mod emitted;

mod batches;
mod bounded;
mod epochs;
mod events;
mod making;
mod signals;

use crate::bridge::store::block::{ValueBlock, now};
use crate::bridge::store::bounded::Bounded;
use crate::bridge::store::emitted::{Emitted, Item};
use crate::bridge::store::events::{Kind, kind, part};
use crate::bridge::store::signals::{Key, Signals, listed, texts};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyList, PyString};
use rustc_hash::FxHashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// NOOB's event store but for `events` and what follows from them, which Python adds. Several
/// threads may use it at a time.
///
/// Nothing that may run Python happens while `state` is locked.
#[pyclass(module = "noob_fast", frozen, subclass)]
pub struct StoreCore {
    state: Mutex<State>,
    /// By epoch, in the order in which the epochs came.
    pub blocks: Py<PyDict>,
    /// The sub-epochs that an epoch has had, at any depth: sets, by epoch.
    pub below: Py<PyDict>,
    /// How many events were made, and what makes their numbers unique among stores.
    pub numbers: AtomicU64,
    pub prefix: u64,
    pub is_bounded: bool,
    pub packed: Option<Py<PyAny>>,
    pub on_evict: Option<Py<PyAny>>,
}

pub struct State {
    pub signals: Signals,
    /// The epoch that was used last.
    pub recent: Option<(Py<PyAny>, Py<ValueBlock>)>,
    /// Roots whose events are not shown.
    pub hidden: FxHashSet<u32>,
    pub bounded: Option<Bounded>,
}

impl StoreCore {
    pub fn state<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, State> {
        let locked = self.state.lock_py_attached(py);
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    fn put<'py>(
        &self,
        block: &Bound<'py, ValueBlock>,
        key: &Key<'_, 'py>,
        value: Bound<'py, PyAny>,
        stamp: u64,
    ) -> u32 {
        let slot = self.state(block.py()).signals.intern(key);
        block.get().put_at(slot, value, stamp)
    }
}

#[pymethods]
impl StoreCore {
    /// `prefix`: what makes the events' numbers unique;
    /// `below`: a dictionary of sets that makes those it lacks; `signals`: those whose slots are
    /// given, in their order; `packed`: see `ValueBlock`; `on_evict`: told of a root's number,
    /// events and bytes when it is dropped to stay within `max_events` and `max_bytes`.
    #[new]
    #[allow(clippy::too_many_arguments, reason = "Python's constructor calls it")]
    fn new(
        py: Python<'_>,
        prefix: u64,
        below: Py<PyDict>,
        signals: Vec<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
        packed: Option<Py<PyAny>>,
        max_events: Option<u64>,
        max_bytes: Option<u64>,
        on_evict: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let mut known = Signals::default();
        for (node, signal) in signals {
            let (node, signal) = texts(node, signal)?;
            known.intern(&Key {
                node: &node,
                signal: &signal,
            });
        }
        let is_bounded = max_events.is_some() || max_bytes.is_some();
        let bounded = is_bounded.then(|| Bounded::new(max_events, max_bytes));
        Ok(StoreCore {
            state: Mutex::new(State {
                signals: known,
                recent: None,
                hidden: FxHashSet::default(),
                bounded,
            }),
            blocks: PyDict::new(py).unbind(),
            below,
            numbers: AtomicU64::new(0),
            prefix,
            is_bounded,
            packed,
            on_evict,
        })
    }

    fn add<'py>(&self, event: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = event.py();
        let epoch = event.get_item(intern!(py, "epoch"))?;
        let node = event.get_item(intern!(py, "node_id"))?;
        let signal = event.get_item(intern!(py, "signal"))?;
        let value = event.get_item(intern!(py, "value"))?;
        let block = self.block(&epoch, None)?;
        let (node, signal) = texts(node, signal)?;
        let key = Key {
            node: &node,
            signal: &signal,
        };
        let at = self.put(&block, &key, value.clone(), now());
        block.get().log(py).keep(at, event.clone().unbind());
        self.account(&block, &[value])?;
        Ok(event)
    }

    fn add_value<'py>(
        slf: &Bound<'py, Self>,
        signals: &Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
        node_id: &Bound<'py, PyAny>,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Emitted> {
        let (this, stamp) = (slf.get(), now());
        if signals.len()? == 1
            && let Kind::Value = kind(&value)?
            && let Some(signal) = signals.try_iter()?.next()
        {
            let block = this.block(epoch, None)?;
            let (node, signal) = texts(node_id.clone(), signal?)?;
            let key = Key {
                node: &node,
                signal: &signal,
            };
            let at = this.put(&block, &key, value.clone(), stamp);
            this.account(&block, &[value])?;
            return Ok(Emitted::one(slf.clone().unbind(), block.unbind(), at));
        }
        let mut items = Vec::new();
        let mut block = None;
        let mut one = |signal: Bound<'py, PyAny>, value: Bound<'py, PyAny>| -> PyResult<()> {
            match kind(&value)? {
                Kind::Value => {
                    let block = match &block {
                        Some(block) => block,
                        None => block.insert(this.block(epoch, None)?),
                    };
                    let (node, signal) = texts(node_id.clone(), signal)?;
                    let key = Key {
                        node: &node,
                        signal: &signal,
                    };
                    items.push(Item::Entry(this.put(block, &key, value.clone(), stamp)));
                    this.account(block, &[value])?;
                }
                Kind::Event => items.push(Item::Event(this.add(value)?.unbind())),
                Kind::Events => {
                    for event in value.try_iter()? {
                        items.push(Item::Event(this.add(event?)?.unbind()));
                    }
                }
            }
            Ok(())
        };
        let mut names = signals.try_iter()?;
        if signals.len()? == 1 {
            if let Some(name) = names.next() {
                one(name?, value)?;
            }
        } else {
            // (As `zip` does: a name is taken first.)
            let mut values = value.try_iter()?;
            for name in names {
                let Some(value) = values.next() else { break };
                one(name?, value?)?;
            }
        }
        let block = block.map(Bound::unbind);
        Ok(Emitted::many(slf.clone().unbind(), block, items))
    }

    fn add_many(
        &self,
        node_ids: &Bound<'_, PyAny>,
        signals: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        epoch: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let values = listed(values)?;
        let slots = self.slots(node_ids, signals, |signals, key| Some(signals.intern(key)))?;
        if slots.len() != values.len() {
            return Err(PyValueError::new_err(format!(
                "{} values for {} nodes",
                values.len(),
                slots.len()
            )));
        }
        let stamp = now();
        let block = self.block(epoch, None)?;
        block
            .get()
            .put_many(&values, slots.into_iter().flatten(), stamp);
        if self.is_bounded {
            self.account(&block, &values.iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn get<'py>(
        &self,
        node_id: &Bound<'py, PyAny>,
        signal: &Bound<'py, PyAny>,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = epoch.py();
        let (node, name) = texts(node_id.clone(), signal.clone())?;
        let key = Key {
            node: &node,
            signal: &name,
        };
        let (slot, recent) = {
            let state = self.state(py);
            let recent = state.recent.as_ref().filter(|(at, _)| at.is(epoch));
            let recent = recent.map(|(_, block)| block.bind(py).clone());
            (state.signals.find(&key), recent)
        };
        let Some(slot) = slot else {
            return Err(self.missing(node_id, signal, &self.resolve(epoch)?));
        };
        if let Some(block) = recent
            && let Some(event) = self.latest(&block, slot)?
        {
            return Ok(event);
        }
        let epoch = self.resolve(epoch)?;
        for block in self.lookup(&epoch)? {
            if let Some(event) = self.latest(&block, slot)? {
                return Ok(event);
            }
        }
        Err(self.missing(node_id, signal, &epoch))
    }

    fn get_many<'py>(
        &self,
        node_ids: &Bound<'py, PyAny>,
        signals: &Bound<'py, PyAny>,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = epoch.py();
        let slots = self.slots(node_ids, signals, |signals, key| signals.find(key))?;
        let epoch = &self.resolve(epoch)?;
        let blocks = self.lookup(epoch)?;
        if let Some(block) = blocks.first() {
            self.touch(block);
        }
        let mut values: Vec<Option<Bound<'py, PyAny>>> = vec![None; slots.len()];
        for block in &blocks {
            block.get().fill(py, &slots, &mut values);
        }
        if let Some(at) = values.iter().position(Option::is_none) {
            let node = listed(node_ids)?.get_item(at)?;
            let signal = match signals.cast::<PyString>() {
                Ok(signal) => signal.clone().into_any(),
                Err(_) => listed(signals)?.get_item(at)?,
            };
            return Err(self.missing(&node, &signal, epoch));
        }
        let values = values.into_iter().flatten();
        if blocks.iter().all(|block| !block.get().has_packs()) {
            return PyList::new(py, values.collect::<Vec<_>>());
        }
        let block = &blocks[0];
        let opened = values.map(|value| block.get().opened(value));
        PyList::new(py, opened.collect::<PyResult<Vec<_>>>()?)
    }

    #[pyo3(signature = (epoch=None))]
    fn clear(&self, py: Python<'_>, epoch: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let below = self.below.bind(py);
        let Some(epoch) = epoch else {
            for block in self.shown(py)? {
                if let Some(at) = &block.get().at {
                    self.clear_one(at.epoch.bind(py))?;
                }
            }
            return Ok(());
        };
        self.clear_one(&epoch)?;
        if let Some(subepochs) = part(below, &epoch)? {
            for subepoch in subepochs.try_iter()? {
                let subepoch = subepoch?;
                self.clear_one(&subepoch)?;
                part(below, &subepoch)?;
            }
        }
        Ok(())
    }

    /// The events that came since it was last asked, epoch by epoch.
    fn fresh<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        for block in self.shown(py)? {
            let end = block.get().log(py).len();
            let begin = block.get().flushed.swap(end, Ordering::Relaxed);
            for at in begin..end {
                events.append(self.event(&block, at as u32)?)?;
            }
        }
        Ok(events)
    }

    /// Begin an epoch, most of whose slots will be filled.
    fn open<'py>(
        &self,
        epoch: &Bound<'py, PyAny>,
        size: usize,
        hidden: bool,
    ) -> PyResult<Bound<'py, ValueBlock>> {
        let block = self.block(epoch, Some(size))?;
        if hidden && let Some(at) = &block.get().at {
            self.state(epoch.py()).hidden.insert(at.root);
        }
        Ok(block)
    }

    /// The block of an epoch or a sub-epoch; a new one if there is none.
    fn opened<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, ValueBlock>> {
        self.block(epoch, None)
    }

    /// Keep an epoch's values in a block that there is already.
    fn adopt(&self, epoch: &Bound<'_, PyAny>, block: &Bound<'_, ValueBlock>) -> PyResult<()> {
        self.blocks.bind(epoch.py()).set_item(epoch, block)
    }

    /// Show the events of a root epoch that was opened hidden.
    fn show(&self, py: Python<'_>, root: u32) {
        self.state(py).hidden.remove(&root);
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.blocks)?;
        visit.call(&self.below)?;
        visit.call(&self.on_evict)?;
        let Ok(state) = self.state.try_lock() else {
            return Ok(());
        };
        match &state.recent {
            Some((_, block)) => visit.call(block),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let recent = self
            .state
            .try_lock()
            .ok()
            .map(|mut state| state.recent.take());
        drop(recent);
    }
}
