//! What NOOB takes for an event, and the times that events carry.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyBytes, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType,
    PyTzInfo,
};

/// What a value that a node emitted is to NOOB.
pub enum Kind {
    Value,
    /// An event that the node has made.
    Event,
    /// A sequence that begins with one.
    Events,
}

/// What NOOB takes a value for.
pub fn kind(value: &Bound<'_, PyAny>) -> PyResult<Kind> {
    let py = value.py();
    let plain = value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyBytes>()
        || value.is_none();
    if plain {
        return Ok(Kind::Value);
    }
    if is_dict(value)? {
        let event = is_event(value)?;
        return Ok(if event { Kind::Event } else { Kind::Value });
    }
    let is_sequence =
        value.is_exact_instance_of::<PyList>() || value.is_exact_instance_of::<PyTuple>() || {
            static SEQUENCE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            let sequence = SEQUENCE.import(py, "collections.abc", "Sequence")?;
            value.is_instance(sequence)?
        };
    if is_sequence && value.len()? > 0 {
        let first = value.get_item(0)?;
        if is_dict(&first)? && is_event(&first)? {
            return Ok(Kind::Events);
        }
    }
    Ok(Kind::Value)
}

/// What Python says is a dictionary, be it a proxy of one.
fn is_dict(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(value.is_exact_instance_of::<PyDict>()
        || value.is_instance(&value.py().get_type::<PyDict>())?)
}

fn is_event(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = value.py();
    for key in [
        intern!(py, "id"),
        intern!(py, "timestamp"),
        intern!(py, "node_id"),
        intern!(py, "signal"),
        intern!(py, "epoch"),
        intern!(py, "value"),
    ] {
        if !value.contains(key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Take an item out of a dictionary.
pub fn part<'py>(
    dict: &Bound<'py, PyDict>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = dict.py();
    let item = dict
        .as_any()
        .call_method1(intern!(py, "pop"), (key, py.None()))?;
    Ok((!item.is_none()).then_some(item))
}

/// A time, in microseconds since 1970, as Python's, in UTC.
pub fn moment(py: Python<'_>, micros: u64) -> PyResult<Bound<'_, PyDateTime>> {
    let seconds = micros / 1_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    PyDateTime::new(
        py,
        year,
        month,
        day,
        (of_day / 3600) as u8,
        (of_day / 60 % 60) as u8,
        (of_day % 60) as u8,
        (micros % 1_000_000) as u32,
        Some(&*PyTzInfo::utc(py)?),
    )
}

/// The date of a day since 1970, in the proleptic Gregorian calendar: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`, for days that are not negative.
fn date(day: u64) -> (i32, u8, u8) {
    let day = day + 719_468; // since 0000-03-01
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153; // the month, March being 0
    let of_month = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year as i32, month as u8, of_month as u8)
}
