//! The loop over one epoch's nodes, where a node is a plain call: take what is ready, call it with
//! what its predecessors emitted, note what it returned, tell the scheduler. Whatever is not plain
//! is handed to Python, node by node or value by value, and the loop goes on.

use crate::block::ValueBlock;
use crate::bridge::FastScheduler;
use crate::epoch::Epoch;
use crate::items::{ASSETS, INPUT, Item};
use crate::scheduler::Event;
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// A step of a plan, as `noob_runners.plan.Step` has it.
#[derive(FromPyObject)]
struct GivenStep {
    node_id: PyBackedStr,
    plain: bool,
    call: Py<PyAny>,
    late: bool,
    positional: Vec<u32>,
    keyword: Vec<(Py<PyString>, u32)>,
    epoch_slot: Option<Py<PyString>>,
    signals: Vec<PyBackedStr>,
    first: u32,
}

struct Step {
    call: Py<PyAny>,
    /// Whether `call` is a node whose `process` is looked up at each call.
    late: bool,
    positional: Box<[u32]>,
    keyword: Box<[(Py<PyString>, u32)]>,
    epoch_slot: Option<Py<PyString>>,
    /// The scheduler's signals, where something depends on them.
    signals: Box<[Option<Item>]>,
    /// Those of them that something depends on.
    awaited: Box<[Item]>,
    first: usize,
}

/// What a returned value is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    NoEvent,
    Exhausted,
    /// Events that the node made itself, or what only Python can tell.
    Special,
}

/// What decides what a returned value means: NOOB's two signals, and a function that tells of any
/// other value whether NOOB might take it for events.
struct Meanings {
    no_event: Py<PyAny>,
    exhausted: Py<PyAny>,
    is_special: Py<PyAny>,
}

impl Meanings {
    fn kind(&self, value: &Bound<'_, PyAny>) -> PyResult<Kind> {
        if is_scalar(value) {
            return Ok(Kind::Plain);
        }
        if value.is(&self.no_event) {
            return Ok(Kind::NoEvent);
        }
        if value.is(&self.exhausted) {
            return Ok(Kind::Exhausted);
        }
        let py = value.py();
        let surely_plain = if let Ok(list) = value.cast_exact::<PyList>() {
            list.get_item(0).map_or(true, |first| is_scalar(&first))
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            tuple.get_item(0).map_or(true, |first| is_scalar(&first))
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            !dict.contains(intern!(py, "id"))?
        } else {
            false
        };
        if surely_plain || !self.is_special.bind(py).call1((value,))?.is_truthy()? {
            Ok(Kind::Plain)
        } else {
            Ok(Kind::Special)
        }
    }
}

/// Whether a value is of a type of which no value is an event, or a sequence of them.
fn is_scalar(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyInt>()
        || value.is_none()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyBytes>()
        || value.is_exact_instance_of::<PyString>()
}

/// Runs a plan's plain steps on a native scheduler.
#[pyclass(module = "noob_fast", frozen)]
pub struct EpochDriver {
    scheduler: Py<FastScheduler>,
    steps: Vec<Option<Step>>,
    /// The step of each of the scheduler's nodes.
    by_item: Vec<u32>,
    meanings: Meanings,
}

const NO_STEP: u32 = u32::MAX;

/// Call a step with what the block has of its inputs. An input that was not emitted, or that is
/// `NoEvent`, is left out.
fn call<'py>(
    py: Python<'py>,
    step: &Step,
    block: &Bound<'py, ValueBlock>,
    epoch: &Bound<'py, PyAny>,
    meanings: &Meanings,
) -> PyResult<Bound<'py, PyAny>> {
    let (args, kwargs) = {
        let values = &block.borrow().values;
        let input = |slot: u32| {
            let value = values.get(slot as usize)?.as_ref()?;
            (!value.is(&meanings.no_event)).then(|| value.bind(py))
        };
        let positional = &step.positional;
        let args = if positional.iter().all(|&slot| input(slot).is_some()) {
            PyTuple::new(
                py,
                positional
                    .iter()
                    .map(|&slot| values[slot as usize].as_ref()),
            )?
        } else {
            let there: Vec<_> = positional.iter().filter_map(|&slot| input(slot)).collect();
            PyTuple::new(py, there)?
        };
        let kwargs = if step.keyword.is_empty() && step.epoch_slot.is_none() {
            None
        } else {
            let kwargs = PyDict::new(py);
            if let Some(name) = &step.epoch_slot {
                kwargs.set_item(name, epoch)?;
            }
            for (name, slot) in &step.keyword {
                if let Some(value) = input(*slot) {
                    kwargs.set_item(name, value)?;
                }
            }
            Some(kwargs)
        };
        (args, kwargs)
    };
    if step.late {
        step.call
            .bind(py)
            .getattr(intern!(py, "process"))?
            .call(args, kwargs.as_ref())
    } else {
        step.call.bind(py).call(args, kwargs.as_ref())
    }
}

#[pymethods]
impl EpochDriver {
    /// `steps`: a plan's steps; `no_event`, `exhausted`: NOOB's signals; `is_special`: whether NOOB
    /// might take a value for events that the node made.
    #[new]
    fn new(
        scheduler: &Bound<'_, FastScheduler>,
        steps: &Bound<'_, PyAny>,
        no_event: Py<PyAny>,
        exhausted: Py<PyAny>,
        is_special: Py<PyAny>,
    ) -> PyResult<Self> {
        let mut own = Vec::new();
        let mut by_item = Vec::new();
        for step in steps.try_iter()? {
            let step: GivenStep = step?.extract()?;
            let core = &scheduler.borrow().core;
            let Some(node) = core.items.node(&step.node_id).filter(|_| step.plain) else {
                own.push(None);
                continue;
            };
            if by_item.len() <= node as usize {
                by_item.resize(core.items.len().max(node as usize + 1), NO_STEP);
            }
            by_item[node as usize] = own.len() as u32;
            let signals: Box<[Option<Item>]> = step
                .signals
                .iter()
                .map(|name| {
                    core.items
                        .signal(node, name)
                        .filter(|&signal| core.matters(signal))
                })
                .collect();
            own.push(Some(Step {
                call: step.call,
                late: step.late,
                positional: step.positional.into(),
                keyword: step.keyword.into(),
                epoch_slot: step.epoch_slot,
                awaited: signals.iter().flatten().copied().collect(),
                signals,
                first: step.first as usize,
            }));
        }
        Ok(EpochDriver {
            scheduler: scheduler.clone().unbind(),
            steps: own,
            by_item,
            meanings: Meanings {
                no_event,
                exhausted,
                is_special,
            },
        })
    }

    /// Run a root epoch to its end.
    ///
    /// `special(node_id, epoch)` runs a node that is not plain, or not in the root epoch;
    /// `emit(node_id, value)` takes note of a value that is not plain. Returns when the epoch is
    /// over, or nothing of it is ready any more.
    fn run(
        &self,
        py: Python<'_>,
        epoch: &Bound<'_, PyAny>,
        block: &Bound<'_, ValueBlock>,
        special: &Bound<'_, PyAny>,
        emit: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let scheduler = self.scheduler.clone_ref(py).into_bound(py);
        let root = scheduler.borrow_mut().epoch(epoch)?;
        loop {
            py.check_signals()?;
            let ready = {
                let core = &mut scheduler.borrow_mut().core;
                if !core.is_active_at(&root) {
                    return Ok(());
                }
                core.get_ready_at(&root)
            };
            if ready.is_empty() {
                return Ok(());
            }
            for (at, node) in ready {
                let step = self.by_item.get(node as usize).copied().unwrap_or(NO_STEP);
                if at.is_root() && step != NO_STEP {
                    self.run_step(py, &scheduler, step as usize, node, &at, epoch, block, emit)?;
                } else if matches!(node, INPUT | ASSETS) {
                    scheduler.borrow_mut().core.done(&at, node, true)?;
                } else {
                    let (handle, name) = {
                        let mut scheduler = scheduler.borrow_mut();
                        (scheduler.handle(py, &at)?, scheduler.name(py, node))
                    };
                    special.call1((name, handle))?;
                }
            }
        }
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.scheduler)?;
        self.steps
            .iter()
            .flatten()
            .try_for_each(|step| visit.call(&step.call))
    }
}

impl EpochDriver {
    #[allow(
        clippy::too_many_arguments,
        reason = "what one call needs; a struct of borrows would only move the list"
    )]
    fn run_step(
        &self,
        py: Python<'_>,
        scheduler: &Bound<'_, FastScheduler>,
        at: usize,
        node: Item,
        root: &Epoch,
        epoch: &Bound<'_, PyAny>,
        block: &Bound<'_, ValueBlock>,
        emit: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let Some(step) = &self.steps[at] else {
            return Ok(());
        };
        let value = call(py, step, block, epoch, &self.meanings)
            .map_err(|error| noted(py, error, scheduler, node, epoch))?;
        let filled =
            (step.first..step.first + step.signals.len()).any(|slot| block.borrow().has(slot));
        if filled {
            // Someone else has emitted in this node's name.
            return hand_over(py, scheduler, node, value, emit);
        }
        if step.signals.len() == 1 {
            let kind = self.meanings.kind(&value)?;
            if kind == Kind::Special {
                return hand_over(py, scheduler, node, value, emit);
            }
            block.borrow_mut().put_value(step.first, value.unbind())?;
            let core = &mut scheduler.borrow_mut().core;
            if kind == Kind::Plain {
                core.finish_node(root, node, &step.awaited)?;
            } else {
                core.update(vec![event(root, node, step.signals[0], kind)])?;
            }
            return Ok(());
        }
        // One value a signal; only a list or a tuple is sure to be read twice alike.
        let values: Vec<Bound<'_, PyAny>> = if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            tuple.iter().collect()
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            list.iter().collect()
        } else {
            return hand_over(py, scheduler, node, value, emit);
        };
        let mut kinds = Vec::with_capacity(values.len());
        for value in &values {
            kinds.push(self.meanings.kind(value)?);
        }
        let emitted = step.signals.len().min(values.len());
        if emitted == 0 || kinds[..emitted].contains(&Kind::Special) {
            return hand_over(py, scheduler, node, value, emit);
        }
        let mut events = Vec::with_capacity(emitted);
        for (at, value) in values.into_iter().take(emitted).enumerate() {
            block
                .borrow_mut()
                .put_value(step.first + at, value.unbind())?;
            events.push(event(root, node, step.signals[at], kinds[at]));
        }
        scheduler.borrow_mut().core.update(events)?;
        Ok(())
    }
}

/// An exception of a node, with a note that names node and epoch.
fn noted(
    py: Python<'_>,
    error: PyErr,
    scheduler: &Bound<'_, FastScheduler>,
    node: Item,
    epoch: &Bound<'_, PyAny>,
) -> PyErr {
    if !error.is_instance_of::<PyException>(py) {
        return error;
    }
    let text = {
        let core = &scheduler.borrow().core;
        format!("in node '{}', epoch {epoch}", core.items.text(node))
    };
    // An exception that takes no notes is passed on without.
    let _ = error
        .value(py)
        .call_method1(intern!(py, "add_note"), (text,));
    error
}

/// Let Python take note of what a node returned.
fn hand_over(
    py: Python<'_>,
    scheduler: &Bound<'_, FastScheduler>,
    node: Item,
    value: Bound<'_, PyAny>,
    emit: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let name = scheduler.borrow_mut().name(py, node);
    emit.call1((name, value)).map(drop)
}

fn event(epoch: &Epoch, node: Item, signal: Option<Item>, kind: Kind) -> Event {
    Event {
        epoch: epoch.clone(),
        node,
        signal,
        no_event: kind == Kind::NoEvent,
        exhausted: kind == Kind::Exhausted,
    }
}
