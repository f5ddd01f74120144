//! The loop over one epoch's nodes: take what is ready, in NOOB's order; call it here, or take what
//! its call elsewhere has returned; note it; tell the scheduler. Whatever is not plain is handed to
//! Python, node by node or value by value, and the loop goes on. Where it has to wait it returns.

pub mod driver;

mod ahead;

use crate::bridge::run::ahead::Ahead;
use crate::bridge::run::driver::{EpochDriver, Kind, NO_STEP, Step};
use crate::bridge::scheduler::FastScheduler;
use crate::bridge::store::block::{ValueBlock, now};
use crate::scheduler::Event;
use crate::scheduler::epoch::Epoch;
use crate::scheduler::items::{ASSETS, INPUT, Item};
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use std::sync::atomic::Ordering;

/// One root epoch on its way through a driver's steps. For one thread at a time: where two use it
/// at once, one of them gets a `RuntimeError` ("Already borrowed", "Already mutably borrowed").
#[pyclass(module = "noob_fast")]
pub struct EpochRun {
    driver: Py<EpochDriver>,
    block: Py<ValueBlock>,
    handle: Py<PyAny>,
    root: Epoch,
    /// What is ready, and how much of it has run.
    ready: Vec<(Epoch, Item)>,
    at: usize,
    /// Whether an earlier epoch has not ended yet: then Python says when an ordered step may run.
    #[pyo3(get, set)]
    early: bool,
    /// Which state of the driver's places the calls were asked for in.
    asked: u64,
    ahead: Option<Ahead>,
    /// The calls made here: step, when it began, how long it took, in nanoseconds.
    slices: Vec<(u32, u64, u64)>,
}

/// Whom the loop asks for what it cannot do itself.
struct Hands<'a, 'py> {
    special: &'a Bound<'py, PyAny>,
    emit: &'a Bound<'py, PyAny>,
    announce: &'a Bound<'py, PyAny>,
}

#[pymethods]
impl EpochRun {
    #[new]
    fn new(
        driver: &Bound<'_, EpochDriver>,
        epoch: &Bound<'_, PyAny>,
        block: &Bound<'_, ValueBlock>,
    ) -> PyResult<Self> {
        let root = driver.get().scheduler.get().at(epoch)?.1;
        Ok(EpochRun {
            driver: driver.clone().unbind(),
            block: block.clone().unbind(),
            handle: epoch.clone().unbind(),
            root,
            ready: Vec::new(),
            at: 0,
            early: false,
            asked: 0,
            ahead: None,
            slices: Vec::new(),
        })
    }

    /// Run as many nodes as can run now.
    ///
    /// `special(node_id, epoch)` runs a node that is not plain, or not in the root epoch, and says
    /// whether it has run or the loop must wait; `emit(node_id, value)` takes note of a value that
    /// is not plain; `announce(nodes)` is told which nodes of sub-epochs are ready, before they
    /// are run one by one.
    ///
    /// Returns whether the epoch is over, or nothing of it will be ready any more; else it waits.
    fn advance(
        slf: &Bound<'_, Self>,
        special: &Bound<'_, PyAny>,
        emit: &Bound<'_, PyAny>,
        announce: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = slf.py();
        let hands = Hands {
            special,
            emit,
            announce,
        };
        let driver = slf.borrow().driver.clone_ref(py);
        let driver = driver.get();
        let scheduler = driver.scheduler.get();
        loop {
            py.check_signals()?;
            if slf.borrow().at == slf.borrow().ready.len() {
                let root = slf.borrow().root.clone();
                let ready = {
                    let core = &mut scheduler.lock().core;
                    if !core.is_active_at(&root) {
                        return Ok(true);
                    }
                    core.get_ready_at(&root)
                };
                if ready.is_empty() {
                    return Ok(true);
                }
                {
                    let mut run = slf.borrow_mut();
                    run.ready = ready;
                    run.at = 0;
                }
                slf.borrow_mut().asked = 0;
                Self::announce(slf, driver, scheduler, &hands)?;
            }
            let (begin, ready) = {
                let mut run = slf.borrow_mut();
                (run.at, std::mem::take(&mut run.ready))
            };
            let mut at = begin;
            let result = Self::batch(slf, driver, scheduler, &hands, &ready, &mut at);
            {
                let mut run = slf.borrow_mut();
                run.ready = ready;
                run.at = at;
            }
            if !result? {
                // What else is ready may have come to be remote since.
                Self::announce(slf, driver, scheduler, &hands)?;
                return Ok(false);
            }
        }
    }

    /// The calls that are to be made elsewhere, and were not asked for yet. `merge`: up to how many
    /// cheap ones go as one; `limit`: how many cheap steps may go with another.
    fn calls(&mut self, py: Python<'_>, merge: usize, limit: usize) -> PyResult<Vec<Py<PyAny>>> {
        match &mut self.ahead {
            Some(ahead) => ahead.calls(
                py,
                self.driver.get(),
                self.block.get(),
                self.handle.bind(py),
                self.root.root,
                merge,
                limit,
            ),
            None => Ok(Vec::new()),
        }
    }

    /// Take what came of a call: the values of its steps, and why the next has none.
    fn deliver(
        &mut self,
        py: Python<'_>,
        ticket: u64,
        values: Vec<Py<PyAny>>,
        error: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        match &mut self.ahead {
            Some(ahead) => {
                let error = error.map(PyErr::from_value);
                ahead.deliver(py, self.driver.get(), ticket, values, error)
            }
            None => Ok(()),
        }
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.driver)?;
        visit.call(&self.block)?;
        visit.call(&self.handle)?;
        self.ahead
            .as_ref()
            .map_or(Ok(()), |ahead| ahead.visit(&visit))
    }

    fn __clear__(&mut self) {
        self.ahead = None;
    }

    /// No call that is under way will come back.
    fn abandon(&mut self) {
        if let Some(ahead) = &mut self.ahead {
            ahead.abandon();
        }
    }

    /// The calls that were made here: step, when it began, how long it took, in nanoseconds.
    fn slices(&mut self) -> Vec<(u32, u64, u64)> {
        std::mem::take(&mut self.slices)
    }
}

impl EpochRun {
    /// Ask for the calls of the remote steps that are ready.
    fn announce(
        slf: &Bound<'_, Self>,
        driver: &EpochDriver,
        scheduler: &FastScheduler,
        hands: &Hands<'_, '_>,
    ) -> PyResult<()> {
        let py = slf.py();
        let mut below = Vec::new();
        {
            let mut run = slf.borrow_mut();
            let run = &mut *run;
            if run.asked == driver.placed() {
                return Ok(());
            }
            run.asked = driver.placed();
            let ready = std::mem::take(&mut run.ready);
            for (at, node) in &ready[run.at..] {
                let step = driver.step_of(*node);
                if step == NO_STEP || !driver.is_remote(step) {
                    continue;
                }
                if at.is_root() {
                    let ordered = driver.steps[step as usize]
                        .as_ref()
                        .is_some_and(|step| step.ordered);
                    if !ordered {
                        run.ahead(py, driver).want(step);
                    }
                } else {
                    below.push((scheduler.name(py, *node), scheduler.handle(py, at)?));
                }
            }
            run.ready = ready;
        }
        if below.is_empty() {
            return Ok(());
        }
        hands.announce.call1((below,)).map(drop)
    }

    fn ahead(&mut self, py: Python<'_>, driver: &EpochDriver) -> &mut Ahead {
        let block = &self.block;
        self.ahead.get_or_insert_with(|| {
            let block = block.get();
            Ahead::new(driver, |step| {
                step.slots().all(|slot| block.has(py, slot as u32))
            })
        })
    }

    /// Run what is ready, one by one. Whether all of it has run.
    fn batch(
        slf: &Bound<'_, Self>,
        driver: &EpochDriver,
        scheduler: &FastScheduler,
        hands: &Hands<'_, '_>,
        ready: &[(Epoch, Item)],
        place: &mut usize,
    ) -> PyResult<bool> {
        let py = slf.py();
        let (early, root) = {
            let run = slf.borrow();
            (run.early, run.root.clone())
        };
        // When the call before ended, if that is when the next begins.
        let mut last: Option<u64> = None;
        let (block, epoch) = {
            let run = slf.borrow();
            (run.block.clone_ref(py), run.handle.clone_ref(py))
        };
        let loop_ = Loop {
            py,
            driver,
            scheduler,
            block: block.bind(py),
            epoch: epoch.bind(py),
            emit: hands.emit,
        };
        while let Some((at, node)) = ready.get(*place) {
            let number = driver.step_of(*node);
            let step = if at.is_root() && number != NO_STEP {
                driver.steps[number as usize].as_ref()
            } else {
                None
            };
            match step {
                Some(step) if !(step.ordered && (early || driver.is_remote(number))) => {
                    let mut begin = None;
                    let value = if driver.is_remote(number) {
                        let outcome = {
                            let mut run = slf.borrow_mut();
                            let ahead = run.ahead(py, driver);
                            let outcome = ahead.take(py, driver, loop_.block.get(), number);
                            ahead.want(number);
                            outcome
                        };
                        match outcome {
                            Some(outcome) => outcome
                                .map_err(|error| noted(py, error, scheduler, *node, loop_.epoch))?,
                            None => return Ok(false),
                        }
                        .into_bound(py)
                    } else {
                        let arrived = {
                            let mut run = slf.borrow_mut();
                            match &mut run.ahead {
                                // Those that went with it will come with what it has returned.
                                Some(ahead) if ahead.is_sent(number) => return Ok(false),
                                Some(ahead) => {
                                    let outcome = ahead.take(py, driver, loop_.block.get(), number);
                                    ahead.settle(number);
                                    outcome
                                }
                                None => None,
                            }
                        };
                        if let Some(outcome) = arrived {
                            // It has come to be local since it was sent.
                            outcome
                                .map_err(|error| noted(py, error, scheduler, *node, loop_.epoch))?
                                .into_bound(py)
                        } else {
                            if driver.watch.is_some() {
                                begin = Some(last.unwrap_or_else(now));
                            }
                            loop_.call(step, *node)?
                        }
                    };
                    let plain = loop_.commit(&root, step, *node, value)?;
                    last = match begin {
                        Some(begin) if driver.watch.is_some() => {
                            Some(loop_.count(slf, number, step, begin)?)
                        }
                        _ => None,
                    };
                    if plain && let Some(ahead) = &mut slf.borrow_mut().ahead {
                        ahead.made(driver, number);
                    }
                }
                _ if matches!(*node, INPUT | ASSETS) => {
                    scheduler.lock().core.done(at, *node, true)?;
                }
                _ => {
                    let (handle, name) = (scheduler.handle(py, at)?, scheduler.name(py, *node));
                    last = None;
                    if !hands.special.call1((name, handle))?.is_truthy()? {
                        return Ok(false);
                    }
                }
            }
            *place += 1;
        }
        Ok(true)
    }
}

/// What running a step takes.
struct Loop<'a, 'py> {
    py: Python<'py>,
    driver: &'a EpochDriver,
    scheduler: &'a FastScheduler,
    block: &'a Bound<'py, ValueBlock>,
    epoch: &'a Bound<'py, PyAny>,
    emit: &'a Bound<'py, PyAny>,
}

impl<'py> Loop<'_, 'py> {
    /// Call a step here.
    fn call(&self, step: &Step, node: Item) -> PyResult<Bound<'py, PyAny>> {
        self.driver
            .call(self.py, step, self.block, self.epoch)
            .map_err(|error| noted(self.py, error, self.scheduler, node, self.epoch))
    }

    /// Count a call that was made here, and tell of a slow one. Reading the clock takes as long as
    /// half of the loop, so the time when the value was noted ends it, and the next may begin then.
    fn count(
        &self,
        run: &Bound<'_, EpochRun>,
        number: u32,
        step: &Step,
        begin: u64,
    ) -> PyResult<u64> {
        let end = self.block.get().latest(self.py);
        let Some(watch) = &self.driver.watch else {
            return Ok(end);
        };
        let took = end.saturating_sub(begin);
        step.calls.fetch_add(1, Ordering::Relaxed);
        step.ns.fetch_add(took, Ordering::Relaxed);
        if watch.slices {
            run.borrow_mut()
                .slices
                .push((number, begin.wrapping_add(watch.clock), took));
        }
        if took >= watch.from {
            watch.slow.bind(self.py).call1((number, took))?;
            return Ok(now());
        }
        Ok(end)
    }

    /// Take note of what a step returned. Whether all of it was plain.
    fn commit(
        &self,
        root: &Epoch,
        step: &Step,
        node: Item,
        value: Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let (block, meanings) = (self.block.get(), &self.driver.meanings);
        if step.slots().any(|slot| block.has(self.py, slot as u32)) {
            // Someone else has emitted in this node's name.
            return self.hand_over(node, value);
        }
        if step.signals.len() == 1 {
            let kind = meanings.kind(&value)?;
            if kind == Kind::Special {
                return self.hand_over(node, value);
            }
            block.put_value(step.first, value)?;
            let core = &mut self.scheduler.lock().core;
            if kind == Kind::Plain {
                core.finish_node(root, node, &step.awaited)?;
            } else {
                core.update(vec![event(root, node, step.signals[0], kind)])?;
            }
            return Ok(kind == Kind::Plain);
        }
        // One value a signal; only a list or a tuple is sure to be read twice alike.
        let Some(values) = sequence(&value) else {
            return self.hand_over(node, value);
        };
        let mut kinds = Vec::with_capacity(values.len());
        for value in &values {
            kinds.push(meanings.kind(value)?);
        }
        let emitted = step.signals.len().min(values.len());
        if emitted == 0 || kinds[..emitted].contains(&Kind::Special) {
            return self.hand_over(node, value);
        }
        let mut events = Vec::with_capacity(emitted);
        for (at, value) in values.into_iter().take(emitted).enumerate() {
            block.put_value(step.first + at, value)?;
            events.push(event(root, node, step.signals[at], kinds[at]));
        }
        self.scheduler.lock().core.update(events)?;
        let plain = kinds[..emitted].iter().all(|&kind| kind == Kind::Plain);
        Ok(plain && emitted == step.signals.len())
    }

    /// Let Python take note of what a node returned.
    fn hand_over(&self, node: Item, value: Bound<'py, PyAny>) -> PyResult<bool> {
        let name = self.scheduler.name(self.py, node);
        self.emit.call1((name, value))?;
        Ok(false)
    }
}

/// The values of a list or a tuple; of anything else, `None`.
fn sequence<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        Some(tuple.iter().collect())
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        Some(list.iter().collect())
    } else {
        None
    }
}

/// The values of a list or a tuple for so many signals, if there are as many.
pub fn split<'py>(value: &Bound<'py, PyAny>, signals: usize) -> Option<Vec<Bound<'py, PyAny>>> {
    let mut values = sequence(value)?;
    if signals == 0 || values.len() < signals {
        return None;
    }
    values.truncate(signals);
    Some(values)
}

/// An exception of a node, with a note that names node and epoch.
fn noted(
    py: Python<'_>,
    error: PyErr,
    scheduler: &FastScheduler,
    node: Item,
    epoch: &Bound<'_, PyAny>,
) -> PyErr {
    if !error.is_instance_of::<PyException>(py) {
        return error;
    }
    let name = scheduler.name(py, node);
    let text = format!("in node '{name}', epoch {epoch}");
    // An exception that takes no notes is passed on without.
    let _ = error
        .value(py)
        .call_method1(intern!(py, "add_note"), (text,));
    error
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
