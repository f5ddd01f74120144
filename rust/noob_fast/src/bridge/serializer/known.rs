//! Types that are written as a value of another type: time zones, NOOB's own, and views of
//! buffers. Numpy's are in `numpy.rs`.

use super::build::Maker;
use super::failure::{Failure, Made};
use super::types::is_zone;
use super::walk::Walker;
use crate::frame::{Date, Known, Time};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyException, PyImportError, PyMemoryError, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyDate, PyDateAccess, PyDateTime, PyDelta, PyDeltaAccess, PyInt,
    PyMemoryView, PyString, PyTime, PyTimeAccess, PyTuple, PyTzInfoAccess,
};

/// The formats that a memoryview can be cast to, and those of them that an empty array can have.
const FORMATS: &str = "cbB?hHiIlLqQnNfdP";
const EMPTY: &str = "bBhHiIlLqQfd";

/// The longest key of a time zone; those there are have up to 40 bytes.
const ZONE_KEY: usize = 64;

/// Bytes in a row that some object lends.
pub struct Bytes<'py> {
    view: Bound<'py, PyAny>,
    buffer: PyBuffer<u8>,
}

impl<'py> Bytes<'py> {
    /// A flat memoryview of them.
    pub fn view(&self) -> &Bound<'py, PyAny> {
        &self.view
    }

    #[allow(unsafe_code, reason = "Python lends its memory without a copy")]
    pub fn as_slice(&self) -> &[u8] {
        if self.buffer.len_bytes() == 0 {
            return &[];
        }
        // SAFETY: the buffer is contiguous and held while `self` is. That nobody changes what is
        // read is what the documentation asks of callers.
        unsafe {
            std::slice::from_raw_parts(self.buffer.buf_ptr().cast::<u8>(), self.buffer.len_bytes())
        }
    }
}

/// The bytes of anything with the buffer protocol whose buffer is contiguous.
pub fn flat<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bytes<'py>> {
    let py = object.py();
    let mut view = PyMemoryView::from(object)?.into_any();
    let format: String = view.getattr("format")?.extract()?;
    if format.contains('O') {
        return Err(PyTypeError::new_err("a buffer of objects"));
    }
    if view.getattr("nbytes")?.extract::<usize>()? == 0 {
        view = PyMemoryView::from(PyBytes::new(py, b"").as_any())?.into_any();
    } else if view.getattr("ndim")?.extract::<usize>()? != 1
        || format != "B"
        || !view.getattr("c_contiguous")?.extract::<bool>()?
    {
        view = view.call_method1("cast", ("B",))?;
    }
    let buffer = PyBuffer::get(&view)?;
    Ok(Bytes { view, buffer })
}

/// A Python exception while a frame is read, which says that the frame is wrong.
pub fn frames_fault(py: Python<'_>, error: PyErr) -> Failure {
    if error.is_instance_of::<PyImportError>(py)
        || error.is_instance_of::<PyMemoryError>(py)
        || !error.is_instance_of::<PyException>(py)
    {
        return error.into();
    }
    Failure::frame(error.to_string())
}

impl<'py> Walker<'_, 'py> {
    /// Writes a value of a known type; whether it was one.
    pub fn known(&mut self, value: &Bound<'py, PyAny>) -> Made<bool> {
        let (py, types) = (self.py, &self.serializer.types);
        let kind = value.get_type();
        if let Ok(datetime) = value.cast_exact::<PyDateTime>() {
            self.writer.datetime(date(datetime), time(datetime))?;
            self.zone_of(datetime)?;
        } else if kind.is(types.epoch.bind(py)) {
            self.epoch(value)?;
        } else if let Ok(delta) = value.cast_exact::<PyDelta>() {
            self.writer.timedelta(
                delta.get_days(),
                delta.get_seconds(),
                delta.get_microseconds(),
            );
        } else if let Ok(day) = value.cast_exact::<PyDate>() {
            self.writer.date(date(day));
        } else if let Ok(clock) = value.cast_exact::<PyTime>() {
            self.writer.time(time(clock))?;
            self.zone_of(clock)?;
        } else if value.is(&types.utc) {
            // What the next branch would write, without asking.
            self.writer.known(Known::Timezone)?;
            self.writer.tuple(1)?;
            self.writer.timedelta(0, 0, 0);
            self.writer.leave();
            self.writer.leave();
        } else if kind.is(types.timezone.bind(py)) {
            self.payload(Known::Timezone, &value.call_method0("__getinitargs__")?)?;
        } else if value.is_exact_instance_of::<PyMemoryView>() {
            self.view(value)?;
        } else if let Some([signal, event]) = types.meta(py, false)?
            && (kind.is(signal) || kind.is(event))
        {
            let known = if kind.is(signal) {
                Known::MetaSignal
            } else {
                Known::MetaEventType
            };
            self.payload(known, &value.getattr("name")?)?;
        } else if types.zone(py, false)?.is_some_and(|zone| kind.is(zone)) {
            let key = value.getattr("key")?;
            if key.is_none() {
                let why = "a ZoneInfo without a key".to_string();
                return Err(Failure::unserializable(why, None));
            }
            self.payload(Known::Zone, &key)?;
        } else if let Some(numpy) = types.numpy(py, false)? {
            return self.numpys(numpy, value);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn epoch(&mut self, epoch: &Bound<'py, PyAny>) -> Made<()> {
        if epoch.len()? > 1 {
            let arguments = epoch.call_method0("__reduce__")?.get_item(1)?;
            return self.payload(Known::Epoch, &arguments);
        }
        self.writer.known(Known::Epoch)?;
        self.writer.tuple(2)?;
        self.writer
            .int(epoch.getattr(intern!(self.py, "root"))?.extract()?);
        self.writer.list(0)?;
        for _ in 0..3 {
            self.writer.leave();
        }
        Ok(())
    }

    fn payload(&mut self, kind: Known, value: &Bound<'py, PyAny>) -> Made<()> {
        self.writer.known(kind)?;
        self.value(value)?;
        self.writer.leave();
        Ok(())
    }

    fn zone_of(&mut self, moment: &impl PyTzInfoAccess<'py>) -> Made<()> {
        match moment.get_tzinfo() {
            Some(zone) => self
                .value(&zone)
                .map_err(|failure| failure.within(|| ".tzinfo".to_string()))?,
            None => self.writer.none(),
        }
        self.writer.leave();
        Ok(())
    }

    /// Writes anything with the buffer protocol; whether it has that. What is derived from a type
    /// that is written otherwise is not a mere buffer.
    #[allow(unsafe_code, reason = "pyo3 has no name for the question")]
    pub fn buffer(&mut self, value: &Bound<'py, PyAny>) -> Made<bool> {
        // SAFETY: any object may be asked.
        let lends = unsafe { ffi::PyObject_CheckBuffer(value.as_ptr()) } == 1;
        if !lends || value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
            return Ok(false);
        }
        if let Some(numpy) = self.serializer.types.numpy(self.py, false)?
            && numpy.is_numpys(value)?
        {
            return Ok(false);
        }
        self.view(PyMemoryView::from(value)?.as_any())?;
        Ok(true)
    }

    fn view(&mut self, view: &Bound<'py, PyAny>) -> Made<()> {
        let format: String = view.getattr("format")?.extract()?;
        let format = format.strip_prefix('@').unwrap_or(&format);
        let shape = view.getattr("shape")?;
        let empty = view.getattr("nbytes")?.extract::<usize>()? == 0;
        let flat_shape = shape.len()? == 1;
        if format.len() != 1
            || !FORMATS.contains(format)
            || (empty && !(flat_shape && EMPTY.contains(format)))
        {
            let what = if empty { "an empty buffer" } else { "a buffer" };
            let why = format!("{what} of format '{format}' and shape {shape}, which no view has");
            return Err(Failure::unserializable(why, None));
        }
        self.writer.known(Known::View)?;
        self.writer.tuple(3)?;
        self.writer.str(format)?;
        self.value(&shape)?;
        if view.getattr("c_contiguous")?.extract()? {
            self.data(view)?;
        } else {
            self.data(&view.call_method0("tobytes")?)?;
        }
        self.writer.leave();
        self.writer.leave();
        Ok(())
    }
}

fn date(value: &impl PyDateAccess) -> Date {
    Date {
        year: value.get_year().cast_unsigned() as u16,
        month: value.get_month(),
        day: value.get_day(),
    }
}

fn time(value: &impl PyTimeAccess) -> Time {
    Time {
        hour: value.get_hour(),
        minute: value.get_minute(),
        second: value.get_second(),
        fold: value.get_fold().into(),
        microsecond: value.get_microsecond(),
    }
}

impl<'py> Maker<'_, 'py> {
    /// A value of a known type of its payload.
    pub fn known_value(
        &mut self,
        kind: Known,
        payload: &Bound<'py, PyAny>,
    ) -> Made<Bound<'py, PyAny>> {
        let (py, types) = (self.py, &self.serializer.types);
        let made = match kind {
            Known::Timezone => tuple(payload)
                .and_then(|arguments| types.timezone.bind(py).call1(arguments.clone())),
            Known::Epoch => {
                tuple(payload).and_then(|arguments| types.epoch.bind(py).call1(arguments.clone()))
            }
            Known::Zone => text(payload).and_then(|key| {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"_+-/".contains(&b);
                // Of any other key zoneinfo would import a package for each of its parts.
                if key.len() > ZONE_KEY || !key.bytes().all(plain) || !is_zone(payload)? {
                    return Err(PyTypeError::new_err("a time zone's key that there is not"));
                }
                let zone = types.zone(py, true)?.ok_or_else(|| missing("zoneinfo"))?;
                zone.bind(py).call1((payload,))
            }),
            Known::MetaSignal | Known::MetaEventType => text(payload).and_then(|_| {
                let [signal, event] = types.meta(py, true)?.ok_or_else(|| missing("noob"))?;
                let kind = if kind == Known::MetaSignal {
                    signal
                } else {
                    event
                };
                kind.bind(py).get_item(payload)
            }),
            Known::View => view(payload),
            Known::Array | Known::Objects | Known::Scalar => types
                .numpy(py, true)
                .and_then(|numpy| numpy.ok_or_else(|| missing("numpy")))
                .and_then(|numpy| numpy.make(kind, payload)),
        };
        made.map_err(|error| frames_fault(py, error))
    }
}

fn missing(module: &str) -> PyErr {
    PyImportError::new_err(format!(
        "the frame holds a type of {module}, which is not there"
    ))
}

/// A payload that is a tuple, as it must be.
pub fn tuple<'a, 'py>(payload: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyTuple>> {
    payload.cast_exact().map_err(|_| unexpected(payload))
}

pub fn text<'a>(payload: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let text = payload.cast_exact::<PyString>();
    text.map_err(|_| unexpected(payload))?.to_str()
}

pub fn unexpected(payload: &Bound<'_, PyAny>) -> PyErr {
    let kind = payload.get_type();
    PyTypeError::new_err(format!("a payload with a {kind} where that cannot be"))
}

/// The extents of a tuple of ints, and their product.
pub fn shape(given: &Bound<'_, PyAny>) -> PyResult<(Vec<usize>, usize)> {
    let mut product = 1_usize;
    let mut extents = Vec::new();
    for extent in tuple(given)?.iter_borrowed() {
        if !extent.is_exact_instance_of::<PyInt>() {
            return Err(unexpected(&extent));
        }
        let extent: usize = extent.extract()?;
        product = product
            .checked_mul(extent)
            .ok_or_else(|| PyTypeError::new_err("a shape that is too large"))?;
        extents.push(extent);
    }
    Ok((extents, product))
}

/// The data of an array or a view, flat: a bytearray of the frame, or a view of a buffer.
pub fn data<'a, 'py>(given: &'a Bound<'py, PyAny>) -> PyResult<(&'a Bound<'py, PyAny>, usize)> {
    if given.is_exact_instance_of::<PyByteArray>() {
        return Ok((given, given.len()?));
    }
    if given.is_exact_instance_of::<PyMemoryView>()
        && given.getattr("format")?.extract::<String>()? == "B"
        && given.getattr("ndim")?.extract::<usize>()? == 1
    {
        return Ok((given, given.len()?));
    }
    Err(unexpected(given))
}

fn view<'py>(payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let (format, extents, held): (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>) =
        tuple(payload)?.extract()?;
    let (lengths, product) = shape(&extents)?;
    let (held, length) = data(&held)?;
    let kind = text(&format)?;
    let view = PyMemoryView::from(held)?.into_any();
    if kind.len() != 1 || !FORMATS.contains(kind) {
        return Err(PyTypeError::new_err(format!("a view of format '{kind}'")));
    }
    if length > 0 {
        if kind == "B" && lengths.len() == 1 && product == length {
            return Ok(view);
        }
        return view.call_method1("cast", (format, extents));
    }
    if lengths != [0] || !EMPTY.contains(kind) {
        return Err(PyTypeError::new_err(format!(
            "an empty view of format '{kind}'"
        )));
    }
    if kind == "B" {
        return Ok(view);
    }
    let array = payload
        .py()
        .import("array")?
        .call_method1("array", (format,))?;
    Ok(PyMemoryView::from(&array)?.into_any())
}
