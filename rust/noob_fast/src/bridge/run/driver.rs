//! A plan's plain steps as the loop over an epoch's nodes needs them: how each is called, what
//! becomes of its value, where it is to run, and which steps its values let run.

use crate::bridge::scheduler::FastScheduler;
use crate::bridge::store::block::{ValueBlock, now};
use crate::scheduler::items::Item;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// A step of a plan, as `noob_runners.plan.Step` has it.
#[derive(FromPyObject)]
struct GivenStep {
    node_id: PyBackedStr,
    plain: bool,
    ordered: bool,
    call: Py<PyAny>,
    late: bool,
    positional: Vec<u32>,
    keyword: Vec<(Py<PyString>, u32)>,
    epoch_slot: Option<Py<PyString>>,
    signals: Vec<PyBackedStr>,
    first: u32,
}

pub struct Step {
    call: Py<PyAny>,
    /// Whether `call` is a node whose `process` is looked up at each call.
    late: bool,
    /// Whether its calls must be made in the order of epochs.
    pub ordered: bool,
    /// Whether it takes part in the scheduler's graph.
    pub enabled: bool,
    pub positional: Box<[u32]>,
    pub keyword: Box<[(Py<PyString>, u32)]>,
    epoch_slot: Option<Py<PyString>>,
    /// The scheduler's signals, where something depends on them.
    pub signals: Box<[Option<Item>]>,
    /// Those of them that something depends on.
    pub awaited: Box<[Item]>,
    pub first: usize,
    /// How often it was called here, and how many nanoseconds that took, since that was asked.
    pub calls: AtomicU64,
    pub ns: AtomicU64,
    /// The steps whose values it takes; `None` where it takes a value that no plain step makes.
    pub sources: Option<Box<[u32]>>,
    /// The plain steps that take its values.
    pub successors: Vec<u32>,
}

impl Step {
    pub fn inputs(&self) -> impl Iterator<Item = u32> + '_ {
        let keyword = self.keyword.iter().map(|(_, slot)| *slot);
        self.positional.iter().copied().chain(keyword)
    }

    pub fn slots(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.signals.len()
    }
}

/// What a returned value is.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Plain,
    NoEvent,
    Exhausted,
    /// Events that the node made itself, or what only Python can tell.
    Special,
}

/// What decides what a returned value means: NOOB's two signals, and a function that tells of any
/// other value whether NOOB might take it for events.
pub struct Meanings {
    pub no_event: Py<PyAny>,
    exhausted: Py<PyAny>,
    is_special: Py<PyAny>,
    /// Stands for the value of a step that was not run.
    pub not_run: Py<PyAny>,
}

impl Meanings {
    pub fn kind(&self, value: &Bound<'_, PyAny>) -> PyResult<Kind> {
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

/// A step that runs here; what is more runs elsewhere.
const LOCAL: u8 = 0;
/// Elsewhere, and so short that a trip of its own would take longer.
const CHEAP: u8 = 2;

/// How local calls are watched.
pub struct Watch {
    /// Is told a step and how many nanoseconds its call took, if they were as many as `from`.
    pub slow: Py<PyAny>,
    pub from: u64,
    /// Whether each call's time is kept.
    pub slices: bool,
    /// What to add to nanoseconds since 1970 to have those of the monotonic clock.
    pub clock: u64,
}

/// A plan's plain steps on a native scheduler. It does not change but for counters and places, so
/// threads may share it, each with an `EpochRun` of its own.
#[pyclass(module = "noob_fast", frozen)]
pub struct EpochDriver {
    pub scheduler: Py<FastScheduler>,
    pub steps: Vec<Option<Step>>,
    /// The step of each of the scheduler's nodes.
    by_item: Vec<u32>,
    /// The step that fills a slot, where one does.
    maker: Vec<u32>,
    places: Vec<AtomicU8>,
    /// Whether a step is better the last of its call.
    last: Vec<AtomicBool>,
    /// How often steps were placed; 0 as long as all run here.
    placed: AtomicU64,
    pub meanings: Meanings,
    pub watch: Option<Watch>,
}

pub const NO_STEP: u32 = u32::MAX;

impl EpochDriver {
    pub fn step_of(&self, node: Item) -> u32 {
        self.by_item.get(node as usize).copied().unwrap_or(NO_STEP)
    }

    /// The step that fills a slot, if it is a plain one.
    pub fn maker(&self, slot: u32) -> u32 {
        self.maker.get(slot as usize).copied().unwrap_or(NO_STEP)
    }

    pub fn is_remote(&self, step: u32) -> bool {
        self.places[step as usize].load(Ordering::Relaxed) != LOCAL
    }

    pub fn is_cheap(&self, step: u32) -> bool {
        self.places[step as usize].load(Ordering::Relaxed) == CHEAP
    }

    pub fn is_last(&self, step: u32) -> bool {
        self.last[step as usize].load(Ordering::Relaxed)
    }

    pub fn be_last(&self, step: u32) {
        self.last[step as usize].store(true, Ordering::Relaxed);
    }

    /// Which state of the places this is; 0 as long as all steps run here.
    pub fn placed(&self) -> u64 {
        self.placed.load(Ordering::Relaxed)
    }

    /// Call a step with what the block has of its inputs. An input that was not emitted, or that
    /// is `NoEvent`, is left out.
    pub fn call<'py>(
        &self,
        py: Python<'py>,
        step: &Step,
        block: &Bound<'py, ValueBlock>,
        epoch: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let block = block.get();
        if block.has_packs() {
            for slot in step.inputs() {
                block.unpack(py, slot)?;
            }
        }
        let mut args: SmallVec<[Bound<'py, PyAny>; 4]> = SmallVec::new();
        let mut named: SmallVec<[(&Py<PyString>, Bound<'py, PyAny>); 4]> = SmallVec::new();
        {
            let log = block.log(py);
            let input = |slot: u32| {
                let value = log.value(slot)?.bind(py);
                (!value.is(&self.meanings.no_event)).then(|| value.clone())
            };
            args.extend(step.positional.iter().filter_map(|&slot| input(slot)));
            let keyword = step.keyword.iter();
            named.extend(keyword.filter_map(|(name, slot)| Some((name, input(*slot)?))));
        }
        let call = if step.late {
            &step.call.bind(py).getattr(intern!(py, "process"))?
        } else {
            step.call.bind(py)
        };
        if step.keyword.is_empty() && step.epoch_slot.is_none() {
            // (What is passed as it lies on the stack needs no tuple.)
            return match &args[..] {
                [] => call.call0(),
                [a] => call.call1((a,)),
                [a, b] => call.call1((a, b)),
                [a, b, c] => call.call1((a, b, c)),
                [a, b, c, d] => call.call1((a, b, c, d)),
                more => call.call1(PyTuple::new(py, more)?),
            };
        }
        let kwargs = PyDict::new(py);
        if let Some(name) = &step.epoch_slot {
            kwargs.set_item(name, epoch)?;
        }
        for (name, value) in named {
            kwargs.set_item(name, value)?;
        }
        call.call(PyTuple::new(py, args)?, Some(&kwargs))
    }
}

#[pymethods]
impl EpochDriver {
    /// `steps`: a plan's steps; `no_event`, `exhausted`: NOOB's signals; `is_special`: whether NOOB
    /// might take a value for events that the node made; `not_run`: stands for no value;
    /// `watch`: how local calls are watched, if they are, in [`Watch`]'s order.
    #[new]
    fn new(
        scheduler: &Bound<'_, FastScheduler>,
        steps: &Bound<'_, PyAny>,
        no_event: Py<PyAny>,
        exhausted: Py<PyAny>,
        is_special: Py<PyAny>,
        not_run: Py<PyAny>,
        watch: Option<(Py<PyAny>, u64, bool, u64)>,
    ) -> PyResult<Self> {
        let mut own: Vec<Option<Step>> = Vec::new();
        let mut by_item = Vec::new();
        let mut maker = Vec::new();
        let mut unknown = rustc_hash::FxHashSet::default();
        for step in steps.try_iter()? {
            let step: GivenStep = step?.extract()?;
            let slots = step.first..step.first + step.signals.len() as u32;
            let core = &scheduler.get().lock().core;
            let Some(node) = core.items.node(&step.node_id).filter(|_| step.plain) else {
                unknown.extend(slots);
                own.push(None);
                continue;
            };
            if by_item.len() <= node as usize {
                by_item.resize(core.items.len().max(node as usize + 1), NO_STEP);
            }
            by_item[node as usize] = own.len() as u32;
            maker.resize(maker.len().max(slots.end as usize), NO_STEP);
            maker[slots.start as usize..slots.end as usize].fill(own.len() as u32);
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
                ordered: step.ordered,
                enabled: core.is_enabled(node),
                positional: step.positional.into(),
                keyword: step.keyword.into(),
                epoch_slot: step.epoch_slot,
                awaited: signals.iter().flatten().copied().collect(),
                signals,
                first: step.first as usize,
                calls: AtomicU64::new(0),
                ns: AtomicU64::new(0),
                sources: None,
                successors: Vec::new(),
            }));
        }
        connect(&mut own, &maker, &unknown);
        Ok(EpochDriver {
            scheduler: scheduler.clone().unbind(),
            places: own.iter().map(|_| AtomicU8::new(LOCAL)).collect(),
            last: own.iter().map(|_| AtomicBool::new(false)).collect(),
            placed: AtomicU64::new(0),
            watch: watch.map(|(slow, from, slices, clock)| Watch {
                slow,
                from,
                slices,
                clock: clock.wrapping_sub(now()),
            }),
            steps: own,
            by_item,
            maker,
            meanings: Meanings {
                no_event,
                exhausted,
                is_special,
                not_run,
            },
        })
    }

    /// Say where steps run: 0 here, 1 elsewhere, 2 elsewhere and rather together with others.
    fn place(&self, steps: Vec<usize>, place: u8) {
        for step in steps {
            if let Some(known) = self.places.get(step) {
                known.store(place.min(CHEAP), Ordering::Relaxed);
            }
        }
        self.placed.fetch_add(1, Ordering::Relaxed);
    }

    /// The steps that were called here since the last time this was asked: how often, and how
    /// many nanoseconds that took.
    fn totals(&self) -> Vec<(usize, u64, u64)> {
        self.steps
            .iter()
            .enumerate()
            .filter_map(|(at, step)| step.as_ref().map(|step| (at, step)))
            .map(|(at, step)| {
                (
                    at,
                    step.calls.swap(0, Ordering::Relaxed),
                    step.ns.swap(0, Ordering::Relaxed),
                )
            })
            .filter(|(_, calls, _)| *calls > 0)
            .collect()
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.scheduler)?;
        if let Some(watch) = &self.watch {
            visit.call(&watch.slow)?;
        }
        self.steps
            .iter()
            .flatten()
            .try_for_each(|step| visit.call(&step.call))
    }
}

/// Find out which steps take the values of which.
fn connect(steps: &mut [Option<Step>], maker: &[u32], unknown: &rustc_hash::FxHashSet<u32>) {
    for at in 0..steps.len() {
        let Some(step) = &steps[at] else { continue };
        if step.inputs().any(|slot| unknown.contains(&slot)) {
            continue;
        }
        let mut sources: Vec<u32> = step
            .inputs()
            .filter_map(|slot| maker.get(slot as usize).copied())
            .filter(|&source| source != NO_STEP)
            .collect();
        sources.sort_unstable();
        sources.dedup();
        for &source in &sources {
            if let Some(source) = &mut steps[source as usize] {
                source.successors.push(at as u32);
            }
        }
        if let Some(step) = &mut steps[at] {
            step.sources = Some(sources.into());
        }
    }
}
