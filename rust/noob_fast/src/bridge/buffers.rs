//! `BufferPool`, `Buffer` and `BufferReader`: buffers as Python's memory views.

use crate::buffers::{self, Handle, Limits, Pool, Reader, SharedFile, Topology, View};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict, PyMemoryView, PyTuple, PyType};
use pyo3::{ffi, intern};
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Any four numbers: a `Handle` of ours, or one that came from somewhere else.
impl<'a, 'py> FromPyObject<'a, 'py> for Handle {
    type Error = PyErr;

    fn extract(handle: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let fields = handle.extract::<(u64, u64, u32, u64)>();
        let (offset, nbytes, slot, generation) = fields.map_err(|_| {
            let text = "a handle is four numbers: offset, nbytes, slot, generation";
            PyValueError::new_err(format!("{text}; not {handle:?}"))
        })?;
        Ok(Handle {
            offset,
            nbytes,
            slot,
            generation,
        })
    }
}

/// Have Python tell of forks.
pub fn watch_forks(m: &Bound<'_, PyModule>) -> PyResult<()> {
    let note = wrap_pyfunction!(forked, m)?;
    let hooks = [("after_in_child", note)].into_py_dict(m.py())?;
    let os = m.py().import("os")?;
    os.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}

#[pyfunction]
fn forked() {
    buffers::note_fork();
}

/// What is there until it is closed.
struct Open<T>(Mutex<Option<Arc<T>>>);

impl<T> Open<T> {
    fn new(inner: T) -> Self {
        Open(Mutex::new(Some(Arc::new(inner))))
    }

    fn get(&self) -> PyResult<Arc<T>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .clone()
            .ok_or_else(|| PyValueError::new_err("it has been closed"))
    }

    fn close(&self) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(inner);
    }
}

#[pyclass(module = "noob_fast", frozen)]
pub struct BufferPool {
    pool: Open<Pool>,
}

#[pymethods]
impl BufferPool {
    #[new]
    #[pyo3(signature = (
        descriptor = None, *, keep_seconds = 10.0, spare_bytes = 33_554_432, numa = None
    ))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands arguments over by value"
    )]
    fn new(
        descriptor: Option<i32>,
        keep_seconds: f64,
        spare_bytes: u64,
        numa: Option<PathBuf>,
    ) -> PyResult<Self> {
        let keep = Duration::try_from_secs_f64(keep_seconds).map_err(|error| {
            PyValueError::new_err(format!("keep_seconds={keep_seconds}: {error}"))
        })?;
        let file = descriptor.map_or_else(SharedFile::create, SharedFile::duplicate)?;
        let topology = Topology::read(numa.as_deref().unwrap_or(Path::new(buffers::NODES)));
        let limits = Limits {
            spare: spare_bytes,
            keep,
        };
        let pool = Pool::new(file, limits, topology)?;
        Ok(BufferPool {
            pool: Open::new(pool),
        })
    }

    #[getter]
    fn descriptor(&self) -> PyResult<i32> {
        Ok(self.pool.get()?.file().number())
    }

    fn acquire(&self, py: Python<'_>, nbytes: u64) -> PyResult<Buffer> {
        let pool = self.pool.get()?;
        let held = match pool.acquire_warm(nbytes)? {
            Some(held) => held,
            // Taking memory from the system takes long enough for others to run.
            None => py.detach(|| pool.acquire(nbytes))?,
        };
        Ok(Buffer { held })
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands arguments over by value"
    )]
    fn release(&self, handle: Handle) -> PyResult<()> {
        Ok(self.pool.get()?.release(&handle)?)
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let pool = self.pool.get()?;
        let stats = py.detach(|| pool.stats())?;
        let dict = PyDict::new(py);
        dict.set_item(intern!(py, "buffers"), stats.buffers)?;
        dict.set_item(intern!(py, "asked"), stats.asked)?;
        dict.set_item(intern!(py, "live"), stats.live)?;
        dict.set_item(intern!(py, "spare"), stats.spare)?;
        dict.set_item(intern!(py, "reserved"), stats.reserved)?;
        Ok(dict)
    }

    fn trim(&self, py: Python<'_>) -> PyResult<()> {
        let pool = self.pool.get()?;
        Ok(py.detach(|| pool.trim())?)
    }

    fn close(&self) {
        self.pool.close();
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) {
        self.close();
    }
}

#[pyclass(module = "noob_fast", frozen)]
pub struct Buffer {
    held: buffers::Buffer,
}

#[pymethods]
impl Buffer {
    #[getter]
    fn view<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(slf.as_any())
    }

    #[getter]
    fn handle<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let Handle {
            offset,
            nbytes,
            slot,
            generation,
        } = self.held.handle;
        TYPE.import(py, "noob_fast.handle", "Handle")?
            .call1((offset, nbytes, slot, generation))
    }

    #[getter]
    fn node(&self) -> u16 {
        self.held.node
    }

    fn release(&self) -> PyResult<()> {
        Ok(self.held.release()?)
    }

    fn __len__(&self) -> usize {
        self.held.handle.nbytes as usize
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    /// It may have been released meanwhile.
    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) {
        let _ = self.held.release();
    }

    #[allow(unsafe_code, reason = "Python's buffer protocol is raw pointers")]
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let held = &slf.get().held;
        let start = held.begin_view()?;
        // SAFETY: Python passes a view to be filled. It holds a reference to this object until it
        // is released; until then the memory stays mapped and is given to nobody else, as a view
        // of it is counted.
        let filled = unsafe { fill(view, slf.as_any(), start, held.handle.nbytes, false, flags) };
        filled.inspect_err(|_| held.end_view())
    }

    #[allow(unsafe_code, reason = "Python's buffer protocol is raw pointers")]
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        self.held.end_view();
    }
}

#[pyclass(module = "noob_fast", frozen)]
pub struct BufferReader {
    reader: Open<Reader>,
}

#[pymethods]
impl BufferReader {
    #[new]
    fn new(descriptor: i32) -> PyResult<Self> {
        let reader = Reader::new(SharedFile::duplicate(descriptor)?)?;
        Ok(BufferReader {
            reader: Open::new(reader),
        })
    }

    #[getter]
    fn descriptor(&self) -> PyResult<i32> {
        Ok(self.reader.get()?.file().number())
    }

    #[pyo3(signature = (handle, *, private = false, keep = None))]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands arguments over by value"
    )]
    fn open<'py>(
        &self,
        py: Python<'py>,
        handle: Handle,
        private: bool,
        keep: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let view = self.reader.get()?.open(&handle, private)?;
        PyMemoryView::from(Bound::new(py, Opened { view, keep })?.as_any())
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands arguments over by value"
    )]
    fn check(&self, handle: Handle) -> PyResult<()> {
        Ok(self.reader.get()?.check(&handle)?)
    }

    fn close(&self) {
        self.reader.close();
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, _error: &Bound<'_, PyTuple>) {
        self.close();
    }
}

/// What views of a reader look at.
#[pyclass(module = "noob_fast", frozen)]
struct Opened {
    view: View,
    /// Something that is to live as long.
    keep: Option<Py<PyAny>>,
}

#[pymethods]
impl Opened {
    #[allow(unsafe_code, reason = "Python's buffer protocol is raw pointers")]
    unsafe fn __getbuffer__(
        slf: &Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let opened = &slf.get().view;
        let (start, length) = (opened.pointer(), opened.length as u64);
        // SAFETY: Python passes a view to be filled. It holds a reference to this object, which
        // keeps the mapping.
        unsafe { fill(view, slf.as_any(), start, length, !opened.writable, flags) }
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "PyO3 hands the visitor over by value"
    )]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.keep.as_ref().map_or(Ok(()), |keep| visit.call(keep))
    }
}

/// Fill a view of one dimension of bytes.
///
/// # Safety
/// `view` can be written, and the bytes can be used as long as `owner` lives.
#[allow(unsafe_code, reason = "Python's buffer protocol is raw pointers")]
unsafe fn fill(
    view: *mut ffi::Py_buffer,
    owner: &Bound<'_, PyAny>,
    start: *mut u8,
    length: u64,
    readonly: bool,
    flags: c_int,
) -> PyResult<()> {
    let length = length.cast_signed() as ffi::Py_ssize_t;
    // SAFETY: as the caller says; the view takes a reference to `owner`.
    let outcome = unsafe {
        ffi::PyBuffer_FillInfo(
            view,
            owner.as_ptr(),
            start.cast(),
            length,
            readonly.into(),
            flags,
        )
    };
    if outcome == 0 {
        return Ok(());
    }
    Err(PyErr::fetch(owner.py()))
}
