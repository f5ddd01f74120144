//! Numpy's arrays and scalars, without linking to numpy: it is used only if it is there.

use super::failure::{Failure, Made};
use super::known::{data, flat, shape, text, tuple, unexpected};
use super::texts::check_texts;
use super::walk::Walker;
use crate::frame::Known;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString, PyTuple, PyType,
};

/// The kinds of dtypes whose values are bytes and no more.
const KINDS: &str = "biufcmMSUV";
/// Elements of no bytes are not bounded by the frame's length; more of them are refused.
const EMPTY_ITEMS: usize = 1 << 20;

pub struct Numpy {
    ndarray: Py<PyAny>,
    generic: Py<PyAny>,
    dtype: Py<PyAny>,
    uint8: Py<PyAny>,
    void: Py<PyAny>,
    zeros: Py<PyAny>,
}

impl Numpy {
    pub fn new(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("numpy")?;
        let get = |name| Ok::<_, PyErr>(module.getattr(name)?.unbind());
        Ok(Numpy {
            ndarray: get("ndarray")?,
            generic: get("generic")?,
            dtype: get("dtype")?,
            uint8: get("uint8")?,
            void: get("void")?,
            zeros: get("zeros")?,
        })
    }

    /// Whether the type is an array's or a scalar's.
    pub fn writes(&self, cls: &Bound<'_, PyType>) -> PyResult<bool> {
        let py = cls.py();
        let module: String = cls.getattr("__module__")?.extract().unwrap_or_default();
        Ok(cls.is(&self.ndarray)
            || (module == "numpy" && cls.is_subclass(self.generic.bind(py))?))
    }

    pub fn is_numpys(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = value.py();
        Ok(
            value.is_instance(self.ndarray.bind(py))?
                || value.is_instance(self.generic.bind(py))?,
        )
    }

    /// A dtype as str, (base, shape) or (names, formats, offsets, itemsize, aligned); None if its
    /// values are more than bytes.
    fn describe<'py>(&self, dtype: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let kind: String = dtype.getattr("kind")?.extract()?;
        if !KINDS.contains(&kind) || dtype.getattr("hasobject")?.extract()? {
            return Ok(None);
        }
        if dtype.getattr("isbuiltin")?.extract::<i32>()? == 1 {
            return dtype.getattr("str").map(Some);
        }
        let described = Self::plain(dtype)?;
        let same = match self.rebuild(&described) {
            Ok(rebuilt) => rebuilt.eq(dtype)?,
            Err(_) => false,
        };
        Ok(same.then_some(described))
    }

    fn plain<'py>(dtype: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = dtype.py();
        let of_many = dtype.getattr("subdtype")?;
        if !of_many.is_none() {
            let (base, extents): (Bound<'py, PyAny>, Bound<'py, PyAny>) = of_many.extract()?;
            return Ok((Self::plain(&base)?, extents).into_pyobject(py)?.into_any());
        }
        let names = dtype.getattr("names")?;
        if names.is_none() {
            return dtype.getattr("str");
        }
        let fields = dtype.getattr("fields")?;
        let (mut formats, mut offsets) = (Vec::new(), Vec::new());
        for name in names.try_iter()? {
            let field = fields.get_item(name?)?;
            formats.push(Self::plain(&field.get_item(0)?)?);
            offsets.push(field.get_item(1)?);
        }
        let (size, aligned) = (
            dtype.getattr("itemsize")?,
            dtype.getattr("isalignedstruct")?,
        );
        let (formats, offsets) = (PyTuple::new(py, formats)?, PyTuple::new(py, offsets)?);
        Ok((names, formats, offsets, size, aligned)
            .into_pyobject(py)?
            .into_any())
    }

    fn rebuild<'py>(&self, described: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = described.py();
        let dtype = self.dtype.bind(py);
        if described.is_exact_instance_of::<PyString>() {
            let name = text(described)?.as_bytes();
            let plain = |b: &u8| b.is_ascii_alphanumeric() || b"[]".contains(b);
            let strange = || PyTypeError::new_err(format!("{described:?} is no dtype"));
            let [b'<' | b'>' | b'|', kind, rest @ ..] = name else {
                return Err(strange());
            };
            // Numpy divides by a unit's denominator and by its number, whatever they are.
            if !KINDS.as_bytes().contains(kind)
                || !rest.iter().all(plain)
                || rest.starts_with(b"8[0")
            {
                return Err(strange());
            }
            let made = dtype.call1((described,))?;
            return if made.getattr("str")?.eq(described)? {
                Ok(made)
            } else {
                Err(strange())
            };
        }
        let parts = tuple(described)?;
        if parts.len() == 2 {
            let base = self.rebuild(&parts.get_item(0)?)?;
            if base.getattr("itemsize")?.extract::<usize>()? == 0 {
                return Err(PyTypeError::new_err("elements of no bytes in an element"));
            }
            shape(&parts.get_item(1)?)?;
            return dtype.call1(((base, parts.get_item(1)?),));
        }
        let (names, formats, offsets, size, aligned): (
            Bound<'py, PyTuple>,
            Bound<'py, PyTuple>,
            Bound<'py, PyTuple>,
            usize,
            bool,
        ) = parts.extract()?;
        let formats: Vec<_> = formats
            .iter_borrowed()
            .map(|format| self.rebuild(&format))
            .collect::<PyResult<_>>()?;
        if formats.len() != offsets.len() {
            return Err(unexpected(described));
        }
        // Numpy's own check wraps around at 2 GB.
        for (format, offset) in formats.iter().zip(offsets.iter_borrowed()) {
            let length: usize = format.getattr("itemsize")?.extract()?;
            let end = offset.extract::<usize>()?.checked_add(length);
            if end.is_none_or(|end| end > size) {
                return Err(PyTypeError::new_err(
                    "a field that ends beyond its structure",
                ));
            }
        }
        for name in names.iter_borrowed() {
            text(&name)?;
        }
        let layout = PyDict::new(py);
        layout.set_item("names", names.to_list())?;
        layout.set_item("formats", formats)?;
        layout.set_item("offsets", offsets.to_list())?;
        layout.set_item("itemsize", size)?;
        dtype.call1((layout, aligned))
    }

    /// An array or a scalar of its payload.
    pub fn make<'py>(
        &self,
        kind: Known,
        payload: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match kind {
            Known::Array => self.array(payload),
            Known::Objects => self.objects(payload),
            _ => self.scalar(payload),
        }
    }

    fn readable<'py>(&self, described: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, usize)> {
        let dtype = self.rebuild(described)?;
        if dtype.getattr("hasobject")?.extract()? {
            return Err(PyTypeError::new_err("an array of objects as bytes"));
        }
        let size = dtype.getattr("itemsize")?.extract()?;
        Ok((dtype, size))
    }

    fn array<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        type Parts<'py> = (
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Bound<'py, PyBool>,
            Bound<'py, PyAny>,
        );
        let (described, extents, fortran, held): Parts<'py> = tuple(payload)?.extract()?;
        let (dtype, size) = self.readable(&described)?;
        let (_, product) = shape(&extents)?;
        let (held, length) = data(&held)?;
        if size == 0 && product > EMPTY_ITEMS {
            return Err(PyTypeError::new_err(format!(
                "{product} elements of no bytes"
            )));
        }
        if product.checked_mul(size) != Some(length) {
            return Err(PyTypeError::new_err(format!(
                "an array of {product} elements of {size} bytes in {length} bytes"
            )));
        }
        check_texts(&dtype, size, flat(held)?.as_slice())?;
        let order = if fortran.is_true() { "F" } else { "C" };
        let nothing = payload.py().None();
        self.ndarray
            .bind(payload.py())
            .call1((extents, dtype, held, 0, nothing, order))
    }

    fn objects<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        let (extents, items): (Bound<'py, PyAny>, Bound<'py, PyList>) =
            tuple(payload)?.extract()?;
        let (_, product) = shape(&extents)?;
        if product != items.len() {
            let count = items.len();
            return Err(PyTypeError::new_err(format!(
                "an array of {product} objects with {count}"
            )));
        }
        let array = self.ndarray.bind(py).call1((product, "O"))?;
        for (at, item) in items.iter().enumerate() {
            array.set_item(at, item)?;
        }
        array.call_method1("reshape", (extents,))
    }

    fn scalar<'py>(&self, payload: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = payload.py();
        let (described, held): (Bound<'py, PyAny>, Bound<'py, PyAny>) =
            tuple(payload)?.extract()?;
        let held = held
            .cast_exact::<PyBytes>()
            .map_err(|_| unexpected(&held))?
            .as_bytes();
        let (dtype, size) = self.readable(&described)?;
        // (Of an empty text or bytes numpy gives one character.)
        if held.len() != size && !(size == 0 && matches!(held.len(), 1 | 4)) {
            return Err(PyTypeError::new_err(format!(
                "a scalar of {size} bytes in {} bytes",
                held.len()
            )));
        }
        check_texts(&dtype, size, held)?;
        let empty = PyTuple::empty(py);
        let array = self
            .ndarray
            .bind(py)
            .call1((&empty, dtype, PyByteArray::new(py, held)))?;
        array.get_item(empty)
    }
}

impl<'py> Walker<'_, 'py> {
    /// Writes an array or a scalar of numpy; whether it was one.
    pub fn numpys(&mut self, numpy: &Numpy, value: &Bound<'py, PyAny>) -> Made<bool> {
        let kind = value.get_type();
        let is_array = kind.is(&numpy.ndarray);
        if !is_array && !value.is_instance(numpy.generic.bind(self.py))? {
            return Ok(false);
        }
        let dtype = value.getattr("dtype")?;
        if !is_array && !kind.is(&dtype.getattr("type")?) {
            return Ok(false);
        }
        if is_array && dtype.getattr("kind")?.extract::<String>()? == "O" {
            self.objects(value)?;
            return Ok(true);
        }
        // What others derive from a void is theirs to describe.
        let strange = dtype.getattr("kind")?.extract::<String>()? == "V"
            && !dtype.getattr("type")?.is(&numpy.void);
        let described = if strange {
            None
        } else {
            numpy.describe(&dtype)?
        };
        let Some(described) = described else {
            if self.serializer.allow_pickle {
                return Ok(false);
            }
            let why = format!("numpy values of dtype {dtype}, which are more than bytes");
            return Err(Failure::unserializable(why, None));
        };
        if is_array {
            self.array(numpy, value, &described)?;
        } else {
            self.writer.known(Known::Scalar)?;
            self.writer.tuple(2)?;
            self.value(&described)?;
            self.value(&value.call_method0("tobytes")?)?;
            self.writer.leave();
            self.writer.leave();
        }
        Ok(true)
    }

    fn array(
        &mut self,
        numpy: &Numpy,
        array: &Bound<'py, PyAny>,
        described: &Bound<'py, PyAny>,
    ) -> Made<()> {
        let flags = array.getattr("flags")?;
        let in_rows: bool = flags.getattr("c_contiguous")?.extract()?;
        let fortran = !in_rows && flags.getattr("f_contiguous")?.extract()?;
        self.writer.known(Known::Array)?;
        self.writer.tuple(4)?;
        self.value(described)?;
        self.value(&array.getattr("shape")?)?;
        self.writer.bool(fortran);
        let rows = match (in_rows, fortran) {
            (true, _) => array.clone(),
            (_, true) => array.getattr("T")?,
            _ => {
                // What lies between the fields of a structure is zero, not what was there.
                let arguments = (array.getattr("shape")?, array.getattr("dtype")?);
                let copy = numpy.zeros.bind(self.py).call1(arguments)?;
                copy.set_item(self.py.Ellipsis(), array)?;
                copy
            }
        };
        let bytes = if array.getattr("nbytes")?.extract::<usize>()? == 0 {
            PyMemoryView::from(PyBytes::new(self.py, b"").as_any())?
        } else {
            let row = rows.call_method1("reshape", (-1,))?;
            PyMemoryView::from(&row.call_method1("view", (&numpy.uint8,))?)?
        };
        self.data(bytes.as_any())?;
        self.writer.leave();
        self.writer.leave();
        Ok(())
    }

    fn objects(&mut self, array: &Bound<'py, PyAny>) -> Made<()> {
        self.writer.known(Known::Objects)?;
        self.writer.tuple(2)?;
        self.value(&array.getattr("shape")?)?;
        let row = array.call_method1("reshape", (-1,))?;
        self.value(&row.call_method0("tolist")?)?;
        self.writer.leave();
        self.writer.leave();
        Ok(())
    }
}
