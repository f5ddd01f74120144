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
use crate::bridge::store::making::{Raw, Template};
use crate::bridge::store::signals::{Key, Signals, listed, texts};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyList, PyString};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
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
    /// The blocks whose values have to be given out as events, in the order in which they came to
    /// have some, and the number of the last.
    pub fresh: BTreeMap<u64, Py<ValueBlock>>,
    pub freshest: u64,
    pub template: Option<Template>,
    pub bounded: Option<Bounded>,
}

impl StoreCore {
    pub fn state<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, State> {
        let locked = self.state.lock_py_attached(py);
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// Note what a node emitted.
    fn put<'py>(
        &self,
        epoch: &Bound<'py, PyAny>,
        (node, signal): (&Bound<'py, PyAny>, Bound<'py, PyAny>),
        value: Bound<'py, PyAny>,
        stamp: u64,
    ) -> PyResult<Item> {
        let py = epoch.py();
        let (node, signal) = texts(node.clone(), signal)?;
        let bytes = self.sizes(py, [value.clone()])?;
        let key = Key {
            node: &node,
            signal: &signal,
        };
        let slot = self.state(py).signals.intern(&key);
        let block = self.block(epoch, None)?;
        let raw = Raw {
            place: block.get().put_at(slot, value.clone(), stamp),
            slot,
            value: value.unbind(),
            stamp,
        };
        self.notice(&block);
        self.account(&block, 1, bytes)?;
        Ok(Item::Entry(block.unbind(), raw))
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
                fresh: BTreeMap::new(),
                freshest: 0,
                template: None,
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
        let (node, signal) = texts(node, signal)?;
        let bytes = self.sizes(py, [value.clone()])?;
        let key = Key {
            node: &node,
            signal: &signal,
        };
        let slot = self.state(py).signals.intern(&key);
        let block = self.block(&epoch, None)?;
        block.get().put_event(slot, value, &event);
        self.notice(&block);
        self.account(&block, 1, bytes)?;
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
            let item = this.put(epoch, (node_id, signal?), value, stamp)?;
            return Ok(Emitted::one(slf.clone().unbind(), item));
        }
        let mut items = Vec::new();
        let mut one = |signal: Bound<'py, PyAny>, value: Bound<'py, PyAny>| -> PyResult<()> {
            match kind(&value)? {
                Kind::Value => items.push(this.put(epoch, (node_id, signal), value, stamp)?),
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
        Ok(Emitted::many(slf.clone().unbind(), items))
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
        if slots.is_empty() {
            return Ok(());
        }
        let bytes = self.sizes(epoch.py(), values.iter())?;
        let count = slots.len() as u64;
        let stamp = now();
        let block = self.block(epoch, None)?;
        block
            .get()
            .put_many(&values, slots.into_iter().flatten(), stamp);
        self.notice(&block);
        self.account(&block, count, bytes)
    }

    fn get<'py>(
        &self,
        node_id: &Bound<'py, PyAny>,
        signal: &Bound<'py, PyAny>,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = epoch.py();
        let Ok((node, name)) = texts(node_id.clone(), signal.clone()) else {
            return Err(self.missing(node_id, signal, &self.resolve(epoch)?)); // as nobody's name
        };
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
        blocks.iter().take(1).for_each(|block| self.touch(block));
        let values = values.into_iter().flatten();
        match blocks.first() {
            Some(block) if self.packed.is_some() => {
                let opened = values.map(|value| block.get().opened(value));
                PyList::new(py, opened.collect::<PyResult<Vec<_>>>()?)
            }
            _ => PyList::new(py, values.collect::<Vec<_>>()),
        }
    }

    /// Returns the blocks that are let go, for the caller to drop where it may take its time.
    #[pyo3(signature = (epoch=None))]
    fn clear<'py>(
        &self,
        py: Python<'py>,
        epoch: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, ValueBlock>>> {
        let below = self.below.bind(py);
        let mut gone = Vec::new();
        let Some(epoch) = epoch else {
            for block in self.shown(py)? {
                if let Some(at) = &block.get().at {
                    gone.extend(self.clear_one(at.epoch.bind(py))?);
                    part(below, at.epoch.bind(py))?;
                }
            }
            return Ok(gone);
        };
        gone.extend(self.clear_one(&epoch)?);
        if let Some(subepochs) = part(below, &epoch)? {
            for subepoch in subepochs.try_iter()? {
                let subepoch = subepoch?;
                gone.extend(self.clear_one(&subepoch)?);
                part(below, &subepoch)?;
            }
        }
        Ok(gone)
    }

    /// Append the events that came since it was last asked, epoch by epoch, to a list.
    fn fresh(&self, events: &Bound<'_, PyList>) -> PyResult<()> {
        let py = events.py();
        let blocks: Vec<_> = {
            let state = self.state(py);
            let blocks = state.fresh.values();
            blocks.map(|block| block.bind(py).clone()).collect()
        };
        for block in blocks {
            self.flush(&block, events)?;
        }
        Ok(())
    }

    /// Begin an epoch, most of whose slots will be filled.
    fn open<'py>(
        &self,
        epoch: &Bound<'py, PyAny>,
        size: usize,
        hidden: bool,
    ) -> PyResult<Bound<'py, ValueBlock>> {
        let block = self.block(epoch, Some(size))?;
        self.watch(&block);
        if hidden && let Some(at) = &block.get().at {
            self.state(epoch.py()).hidden.insert(at.root);
        }
        Ok(block)
    }

    /// The block of an epoch or a sub-epoch; a new one if there is none.
    fn opened<'py>(&self, epoch: &Bound<'py, PyAny>) -> PyResult<Bound<'py, ValueBlock>> {
        let block = self.block(epoch, None)?;
        self.watch(&block);
        Ok(block)
    }

    /// Keep an epoch's values in a block that there is already.
    fn adopt(&self, epoch: &Bound<'_, PyAny>, block: &Bound<'_, ValueBlock>) -> PyResult<()> {
        self.blocks.bind(epoch.py()).set_item(epoch, block)?;
        self.remember(epoch, block);
        self.watch(block);
        Ok(())
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
        visit.call(&self.packed)?;
        state
            .fresh
            .values()
            .try_for_each(|block| visit.call(block))?;
        match &state.recent {
            Some((_, block)) => visit.call(block),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let held = self.state.try_lock().ok().map(|mut state| {
            let fresh = std::mem::take(&mut state.fresh);
            (state.recent.take(), fresh)
        });
        drop(held);
    }
}
