//! What is asked for before the loop comes to it: the calls of an epoch's remote steps, from when
//! their inputs are there until the loop has taken what they returned.

use crate::bridge::run::driver::{EpochDriver, Kind, NO_STEP, Step};
use crate::bridge::run::split;
use crate::bridge::store::block::ValueBlock;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustc_hash::{FxHashMap, FxHashSet};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Idle,
    Wanted,
    Sent,
    Arrived,
}

/// How many steps a call has at most: what is lost with a worker is not lost for long.
const LONGEST: usize = 50_000;

/// An input by slot, where there was one.
type Given = (u32, Option<Py<PyAny>>);

pub struct Ahead {
    states: Vec<State>,
    /// By step, how many steps have not yet made what it takes; never 0 where that is not known.
    missing: Vec<u32>,
    /// Whether a step has made its values, for good.
    made: Vec<bool>,
    /// Values by slot that have come, but are not emitted yet.
    early: FxHashMap<u32, Py<PyAny>>,
    outcomes: FxHashMap<u32, PyResult<Py<PyAny>>>,
    wanted: Vec<u32>,
    sent: FxHashMap<u64, Vec<u32>>,
    /// By step, what its call was given, by slot: where that may have changed before its turn.
    given: FxHashMap<u32, Vec<Given>>,
}

impl Ahead {
    /// `is_made`: whether a step's values are there already.
    pub fn new(driver: &EpochDriver, is_made: impl Fn(&Step) -> bool) -> Self {
        let made: Vec<bool> = driver
            .steps
            .iter()
            .map(|step| step.as_ref().is_some_and(&is_made))
            .collect();
        let missing = driver.steps.iter().map(|step| {
            let sources = step.as_ref().and_then(|step| step.sources.as_ref());
            sources.map_or(u32::MAX, |sources| {
                let left = sources.iter().filter(|&&source| !made[source as usize]);
                left.count() as u32
            })
        });
        Ahead {
            states: vec![State::Idle; driver.steps.len()],
            missing: missing.collect(),
            made,
            early: FxHashMap::default(),
            outcomes: FxHashMap::default(),
            wanted: Vec::new(),
            sent: FxHashMap::default(),
            given: FxHashMap::default(),
        }
    }

    /// Ask for a step's call, unless that has been done.
    pub fn want(&mut self, step: u32) {
        let state = &mut self.states[step as usize];
        if *state == State::Idle {
            *state = State::Wanted;
            self.wanted.push(step);
        }
    }

    /// Whether a step's call is under way.
    pub fn is_sent(&self, step: u32) -> bool {
        self.states[step as usize] == State::Sent
    }

    /// A step was called here: it is not asked for any more.
    pub fn settle(&mut self, step: u32) {
        self.states[step as usize] = State::Arrived;
    }

    /// Nothing that is under way will come.
    pub fn abandon(&mut self) {
        for step in self.sent.drain().flat_map(|(_, steps)| steps) {
            self.states[step as usize] = State::Idle;
        }
    }

    /// What a step's call has returned or raised, once.
    /// Nothing, where nodes before it have emitted since what it ought to have had: then it may be
    /// asked for again.
    pub fn take(
        &mut self,
        py: Python<'_>,
        driver: &EpochDriver,
        block: &ValueBlock,
        step: u32,
    ) -> Option<PyResult<Py<PyAny>>> {
        let outcome = self.outcomes.remove(&step)?;
        let stale = self.given.remove(&step).is_some_and(|given| {
            let mut given = given.iter();
            given.any(|(slot, value)| !block.holds(py, *slot, value.as_ref()))
        });
        if let Some(step) = &driver.steps[step as usize] {
            for slot in step.slots() {
                self.early.remove(&(slot as u32));
            }
        }
        if stale {
            self.states[step as usize] = State::Idle;
            return None;
        }
        Some(outcome)
    }

    /// A step has made its values: the steps that take them may have all they need.
    pub fn made(&mut self, driver: &EpochDriver, number: u32) {
        let Some(step) = &driver.steps[number as usize] else {
            return;
        };
        if std::mem::replace(&mut self.made[number as usize], true) {
            return;
        }
        for &next in &step.successors {
            let missing = &mut self.missing[next as usize];
            if *missing == 0 || *missing == u32::MAX {
                continue;
            }
            *missing -= 1;
            if *missing == 0 && self.may_go(driver, next) {
                self.want(next);
            }
        }
    }

    fn may_go(&self, driver: &EpochDriver, step: u32) -> bool {
        self.states[step as usize] == State::Idle
            && driver.is_remote(step)
            && driver.steps[step as usize]
                .as_ref()
                .is_some_and(|it| it.enabled && !it.ordered)
    }

    /// The calls that are wanted, each as `noob_runners.executor.Call` has it.
    ///
    /// A call's first step is followed by those that can go with it: the rest of a chain, and as
    /// many as `limit` cheap ones. Up to `merge` calls that are all cheap go as one.
    #[allow(
        clippy::too_many_arguments,
        reason = "what one call needs; a struct of borrows would only move the list"
    )]
    pub fn calls(
        &mut self,
        py: Python<'_>,
        driver: &EpochDriver,
        block: &ValueBlock,
        epoch: &Bound<'_, PyAny>,
        root: u32,
        merge: usize,
        limit: usize,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.retain(|&step| self.states[step as usize] == State::Wanted);
        let is_cheap = |&step: &u32| driver.is_cheap(step);
        let heads: Vec<Vec<u32>> =
            if (2..=merge).contains(&wanted.len()) && wanted.iter().all(is_cheap) {
                vec![wanted]
            } else {
                wanted.into_iter().map(|step| vec![step]).collect()
            };
        let mut calls = Vec::with_capacity(heads.len());
        for mut steps in heads {
            for &step in &steps {
                self.states[step as usize] = State::Sent;
            }
            for &step in &steps {
                self.remember(py, driver, block, step);
            }
            if !steps.iter().any(|step| self.given.contains_key(step)) {
                self.follow(driver, &mut steps, limit);
            }
            let values = self.values(py, driver, block, &steps)?;
            let ticket = (u64::from(root) << 32) | u64::from(steps[0]);
            let numbers = PyTuple::new(py, &steps)?;
            calls.push(
                (ticket, numbers, values, epoch)
                    .into_pyobject(py)?
                    .into_any()
                    .unbind(),
            );
            self.sent.insert(ticket, steps);
        }
        Ok(calls)
    }

    /// Note what a step is given, unless it is sure to be the same when it is its turn: each input
    /// a value that a plain step has made.
    fn remember(&mut self, py: Python<'_>, driver: &EpochDriver, block: &ValueBlock, number: u32) {
        let Some(step) = &driver.steps[number as usize] else {
            return;
        };
        let early = |slot: u32| self.early.get(&slot).map(|value| value.bind(py).clone());
        let sure = |slot: u32| {
            self.early.contains_key(&slot)
                || block
                    .value(py, slot)
                    .is_some_and(|value| !value.is(&driver.meanings.no_event))
        };
        if step.sources.is_some() && step.inputs().all(sure) {
            return;
        }
        let given = step.inputs().map(|slot| {
            let value = block.value(py, slot).or_else(|| early(slot));
            (slot, value.map(Bound::unbind))
        });
        let given = given.collect();
        self.given.insert(number, given);
    }

    /// Add the steps that can run right after those of a call, in the same place.
    fn follow(&mut self, driver: &EpochDriver, steps: &mut Vec<u32>, limit: usize) {
        let mut left: FxHashMap<u32, u32> = FxHashMap::default();
        let (mut at, mut cheap) = (0, 0);
        while at < steps.len() && steps.len() < LONGEST {
            let Some(step) = &driver.steps[steps[at] as usize] else {
                return;
            };
            at += 1;
            if driver.is_last(steps[at - 1]) {
                continue;
            }
            for &next in &step.successors {
                let missing = self.missing[next as usize];
                let left = left.entry(next).or_insert(missing);
                if *left == 0 || *left == u32::MAX {
                    continue;
                }
                *left -= 1;
                if *left > 0 || !self.may_go(driver, next) {
                    continue;
                }
                let in_line = step.successors.len() == 1
                    && driver.steps[next as usize]
                        .as_ref()
                        .and_then(|next| next.sources.as_ref())
                        .is_some_and(|sources| sources.len() == 1);
                if !in_line {
                    if cheap >= limit || !driver.is_cheap(next) {
                        continue;
                    }
                    cheap += 1;
                }
                self.states[next as usize] = State::Sent;
                steps.push(next);
            }
        }
    }

    /// What the steps of a call read and do not make themselves.
    fn values<'py>(
        &self,
        py: Python<'py>,
        driver: &EpochDriver,
        block: &ValueBlock,
        steps: &[u32],
    ) -> PyResult<Bound<'py, PyDict>> {
        let values = PyDict::new(py);
        let several = steps.len() > 1;
        let own: FxHashSet<u32> = if several {
            steps.iter().copied().collect()
        } else {
            FxHashSet::default()
        };
        for &number in steps {
            let Some(step) = &driver.steps[number as usize] else {
                continue;
            };
            for slot in step.inputs() {
                if several {
                    let maker = driver.maker(slot);
                    if maker != NO_STEP && own.contains(&maker) {
                        continue;
                    }
                }
                let early = || self.early.get(&slot).map(|value| value.bind(py).clone());
                if let Some(value) = block.value(py, slot).or_else(early)
                    && !value.is(&driver.meanings.no_event)
                {
                    values.set_item(slot, value)?;
                }
            }
        }
        Ok(values)
    }

    /// Take what came of a call. Of a call that nobody knows any more, nothing.
    pub fn deliver(
        &mut self,
        py: Python<'_>,
        driver: &EpochDriver,
        ticket: u64,
        values: Vec<Py<PyAny>>,
        mut error: Option<PyErr>,
    ) -> PyResult<()> {
        let Some(steps) = self.sent.remove(&ticket) else {
            return Ok(());
        };
        let ran = values.len();
        if (1..steps.len()).contains(&ran) && error.is_none() {
            driver.be_last(steps[ran - 1]);
        }
        let mut values = values.into_iter();
        for (at, number) in steps.into_iter().enumerate() {
            match values.next() {
                Some(value) if !value.is(&driver.meanings.not_run) => {
                    self.arrive(py, driver, number, value)?;
                }
                None if at == ran && error.is_some() => {
                    self.states[number as usize] = State::Arrived;
                    if let Some(error) = error.take() {
                        self.outcomes.insert(number, Err(error));
                    }
                }
                _ => self.states[number as usize] = State::Idle,
            }
        }
        Ok(())
    }

    fn arrive(
        &mut self,
        py: Python<'_>,
        driver: &EpochDriver,
        number: u32,
        value: Py<PyAny>,
    ) -> PyResult<()> {
        self.states[number as usize] = State::Arrived;
        // What may yet be thrown away is not for others.
        let is_sure = !self.given.contains_key(&number);
        if let Some(step) = driver.steps[number as usize].as_ref().filter(|_| is_sure) {
            if step.signals.len() == 1 {
                if driver.meanings.kind(value.bind(py))? == Kind::Plain {
                    self.early.insert(step.first as u32, value.clone_ref(py));
                    self.made(driver, number);
                }
            } else if let Some(values) = split(value.bind(py), step.signals.len()) {
                let mut plain = true;
                for value in &values {
                    plain &= driver.meanings.kind(value)? == Kind::Plain;
                }
                if plain {
                    for (slot, value) in step.slots().zip(values) {
                        self.early.insert(slot as u32, value.unbind());
                    }
                    self.made(driver, number);
                }
            }
        }
        self.outcomes.insert(number, Ok(value));
        Ok(())
    }

    /// Show Python's garbage collector what values are here.
    pub fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.early
            .values()
            .try_for_each(|value| visit.call(value))?;
        for outcome in self.outcomes.values().flatten() {
            visit.call(outcome)?;
        }
        let mut given = self.given.values().flatten();
        given.try_for_each(|(_, value)| visit.call(value))
    }
}
