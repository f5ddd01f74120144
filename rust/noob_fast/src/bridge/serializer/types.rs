//! The types that are known, each looked up once, and only where its module is there.

use super::numpy::Numpy;
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use pyo3::types::{PyDict, PySet, PyTuple, PyType};
use std::sync::{Mutex, PoisonError};

/// The keys of all time zones, and where they were looked for.
static ZONES: Mutex<Option<(Py<PyTuple>, Py<PySet>)>> = Mutex::new(None);

/// A module that is imported already.
fn loaded<'py>(py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let modules = py.import("sys")?.getattr("modules")?;
    modules
        .cast::<PyDict>()
        .map_err(PyErr::from)?
        .get_item(name)
}

/// Whether there is a time zone of this key. They are looked for once, and again only where
/// zoneinfo is told to look elsewhere.
pub fn is_zone(key: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = key.py();
    let known = |path: Option<&Bound<'_, PyTuple>>| {
        let zones = ZONES
            .lock_py_attached(py)
            .unwrap_or_else(PoisonError::into_inner);
        let zones = zones.as_ref()?;
        let current = path.is_none_or(|path| path.is(&zones.0));
        current.then(|| zones.1.clone_ref(py))
    };
    if let Some(zones) = known(None)
        && zones.bind(py).contains(key)?
    {
        return Ok(true);
    }
    let module = py.import("zoneinfo")?;
    let path = module.getattr("TZPATH")?.cast_into::<PyTuple>()?;
    if let Some(zones) = known(Some(&path)) {
        return zones.bind(py).contains(key);
    }
    let found = module
        .call_method0("available_timezones")?
        .cast_into::<PySet>()?;
    let is_there = found.contains(key)?;
    *ZONES
        .lock_py_attached(py)
        .unwrap_or_else(PoisonError::into_inner) = Some((path.unbind(), found.unbind()));
    Ok(is_there)
}

/// The types that are known, as they are found.
pub struct Types {
    pub epoch: Py<PyAny>,
    pub timezone: Py<PyAny>,
    pub utc: Py<PyAny>,
    zone: PyOnceLock<Py<PyAny>>,
    meta: PyOnceLock<[Py<PyAny>; 2]>,
    numpy: PyOnceLock<Numpy>,
}

impl Types {
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        let timezone = py.import("datetime")?.getattr("timezone")?;
        Ok(Types {
            epoch: py.import("noob_core")?.getattr("Epoch")?.unbind(),
            utc: timezone.getattr("utc")?.unbind(),
            timezone: timezone.unbind(),
            zone: PyOnceLock::new(),
            meta: PyOnceLock::new(),
            numpy: PyOnceLock::new(),
        })
    }

    /// Whether values of exactly this type are written without a hook.
    pub fn writes(&self, cls: &Bound<'_, PyType>) -> PyResult<bool> {
        let py = cls.py();
        let builtins = py.import("builtins")?;
        for name in [
            "bool",
            "int",
            "float",
            "str",
            "bytes",
            "bytearray",
            "memoryview",
            "list",
            "tuple",
            "dict",
            "set",
            "frozenset",
        ] {
            if cls.is(&builtins.getattr(name)?) {
                return Ok(true);
            }
        }
        let datetime = py.import("datetime")?;
        for name in ["date", "datetime", "time", "timedelta", "timezone"] {
            if cls.is(&datetime.getattr(name)?) {
                return Ok(true);
            }
        }
        let meta = self.meta(py, false)?;
        let numpy = self.numpy(py, false)?;
        Ok(cls.is(py.None().bind(py).get_type())
            || cls.is(self.epoch.bind(py))
            || self.zone(py, false)?.is_some_and(|zone| cls.is(zone))
            || meta.is_some_and(|types| types.iter().any(|kind| cls.is(kind)))
            || match numpy {
                Some(numpy) => numpy.writes(cls)?,
                None => false,
            })
    }

    pub fn zone(&self, py: Python<'_>, import: bool) -> PyResult<Option<&Py<PyAny>>> {
        if self.zone.get(py).is_none() && (import || loaded(py, "zoneinfo")?.is_some()) {
            let zone = py.import("zoneinfo")?.getattr("ZoneInfo")?.unbind();
            let _ = self.zone.set(py, zone);
        }
        Ok(self.zone.get(py))
    }

    pub fn meta(&self, py: Python<'_>, import: bool) -> PyResult<Option<&[Py<PyAny>; 2]>> {
        if self.meta.get(py).is_none() && (import || loaded(py, "noob.event")?.is_some()) {
            let module = py.import("noob.event")?;
            let types = [
                module.getattr("MetaSignal")?.unbind(),
                module.getattr("MetaEventType")?.unbind(),
            ];
            let _ = self.meta.set(py, types);
        }
        Ok(self.meta.get(py))
    }

    pub fn numpy(&self, py: Python<'_>, import: bool) -> PyResult<Option<&Numpy>> {
        if self.numpy.get(py).is_none() && (import || loaded(py, "numpy")?.is_some()) {
            let _ = self.numpy.set(py, Numpy::new(py)?);
        }
        Ok(self.numpy.get(py))
    }
}
