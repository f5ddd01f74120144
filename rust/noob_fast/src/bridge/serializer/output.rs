//! The bytes object that a frame is written into, so that it need not be copied into one.

use crate::frame::output::Output;
use pyo3::ffi;
use pyo3::ffi::compat::{
    PyBytesWriter, PyBytesWriter_Create, PyBytesWriter_Discard, PyBytesWriter_FinishWithSize,
    PyBytesWriter_GetData, PyBytesWriter_Resize,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::mem::{self, MaybeUninit};
use std::ptr::NonNull;
use std::slice;

/// Python's writer of a bytes object, of whose memory the first `count` bytes are written.
pub struct Frame<'py> {
    py: Python<'py>,
    writer: NonNull<PyBytesWriter>,
    start: NonNull<MaybeUninit<u8>>,
    count: usize,
    capacity: usize,
}

#[allow(
    unsafe_code,
    reason = "pyo3 has no writer of bytes that tells its room"
)]
impl<'py> Frame<'py> {
    /// An empty one with room for so many bytes.
    pub fn new(py: Python<'py>, capacity: usize) -> PyResult<Self> {
        // SAFETY: this thread is attached; a writer always has memory to point to.
        unsafe {
            let Some(writer) = NonNull::new(PyBytesWriter_Create(capacity.cast_signed())) else {
                return Err(PyErr::fetch(py));
            };
            let start = PyBytesWriter_GetData(writer.as_ptr()).cast();
            Ok(Frame {
                py,
                writer,
                start: NonNull::new_unchecked(start),
                count: 0,
                capacity,
            })
        }
    }

    /// What is written.
    pub fn finish(self) -> PyResult<Bound<'py, PyBytes>> {
        let (py, writer, count) = (self.py, self.writer, self.count.cast_signed());
        mem::forget(self);
        // SAFETY: the writer is used no more from here on, as finishing ends it; what it gives is
        // new, a bytes object, and written up to `count`.
        unsafe {
            let bytes = PyBytesWriter_FinishWithSize(writer.as_ptr(), count);
            Ok(Bound::from_owned_ptr_or_err(py, bytes)?.cast_into_unchecked())
        }
    }

    /// # Panics
    /// Where there is no memory: it is written to where nothing can fail.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, wanted: usize) {
        let capacity = (2 * self.capacity).max(self.count + wanted);
        // SAFETY: the writer is not finished, and moves what is written to its new memory.
        unsafe {
            if PyBytesWriter_Resize(self.writer.as_ptr(), capacity.cast_signed()) < 0 {
                ffi::PyErr_Clear();
                panic!("no memory for a frame of {capacity} bytes");
            }
            let start = PyBytesWriter_GetData(self.writer.as_ptr()).cast();
            self.start = NonNull::new_unchecked(start);
        }
        self.capacity = capacity;
    }
}

#[allow(unsafe_code, reason = "the memory is Python's")]
#[allow(
    clippy::inline_always,
    reason = "measured: it is called for every value"
)]
impl Output for Frame<'_> {
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: so many bytes are written, and nobody else has the memory.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.count) }
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.count
    }

    #[inline(always)]
    fn room(&mut self, wanted: usize) -> &mut [MaybeUninit<u8>] {
        if self.capacity - self.count < wanted {
            self.grow(wanted);
        }
        // SAFETY: the memory has `capacity` bytes, and nobody else has it.
        unsafe {
            let end = self.start.as_ptr().add(self.count);
            slice::from_raw_parts_mut(end, self.capacity - self.count)
        }
    }

    #[inline(always)]
    unsafe fn written(&mut self, count: usize) {
        self.count += count;
    }

    fn truncate(&mut self, count: usize) {
        self.count = self.count.min(count);
    }
}

#[allow(unsafe_code, reason = "the writer is Python's")]
impl Drop for Frame<'_> {
    fn drop(&mut self) {
        // SAFETY: it is not finished, and used no more.
        unsafe { PyBytesWriter_Discard(self.writer.as_ptr()) };
    }
}
