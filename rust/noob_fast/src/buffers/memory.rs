//! The file and its mappings: all of the component's unsafe code.

#![allow(
    unsafe_code,
    reason = "mapping memory and looking at it is not possible without"
)]

use crate::error::{Error, Result};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

/// Bytes of a page of memory.
pub static PAGE: LazyLock<u64> = LazyLock::new(|| rustix::param::page_size() as u64);

/// Bytes of memory that the machine has, or, where it does not tell, more than any file can have.
/// (The system would try to find more for a file in memory, and kill processes for it.)
pub static MEMORY: LazyLock<u64> = LazyLock::new(|| {
    #[cfg(target_os = "linux")]
    {
        let told = rustix::system::sysinfo();
        told.totalram * u64::from(told.mem_unit)
    }
    #[cfg(not(target_os = "linux"))]
    {
        1 << 46
    }
});

/// Who sees what is written to a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing can be written.
    Read,
    /// Everybody who maps the file.
    Shared,
    /// Nobody but who looks at this mapping.
    Private,
}

fn refused(what: &str) -> impl FnOnce(Errno) -> Error {
    move |errno| {
        let reason = std::io::Error::from(errno);
        Error::System(
            errno.raw_os_error(),
            format!("shared memory: {what}: {reason}"),
        )
    }
}

/// A file that is memory.
#[derive(Debug)]
pub struct SharedFile {
    fd: OwnedFd,
}

impl SharedFile {
    /// A new file without a name: in memory, where the system has such files.
    ///
    /// # Errors
    /// [`Error::System`] if the system has no room for one.
    pub fn create() -> Result<Self> {
        create().map(|fd| SharedFile { fd })
    }

    /// The file that a process has open under a number. It is duplicated, so that what becomes of
    /// that number does not matter here.
    ///
    /// # Errors
    /// [`Error::System`] if no file is open under it, or no more may be opened.
    pub fn duplicate(number: i32) -> Result<Self> {
        if number < 0 {
            let text = format!("{number} is no open file");
            return Err(Error::System(Errno::BADF.raw_os_error(), text));
        }
        // SAFETY: the number is not -1, and is lent for this one call only; if no file is open
        // under it, the system says so and nothing else happens.
        let lent = unsafe { BorrowedFd::borrow_raw(number) };
        let fd = rustix::io::fcntl_dupfd_cloexec(lent, 3);
        let fd = fd.map_err(refused(&format!("file {number} cannot be duplicated")))?;
        Ok(SharedFile { fd })
    }

    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> Result<u64> {
        let status = rustix::fs::fstat(&self.fd).map_err(refused("no status"))?;
        Ok(status.st_size.cast_unsigned())
    }

    /// Make it longer. What is not written to takes no memory.
    pub(super) fn grow(&self, length: u64) -> Result<()> {
        rustix::fs::ftruncate(&self.fd, length)
            .map_err(refused(&format!("no room for a file of {length} bytes")))
    }

    /// Have the system promise that it never becomes shorter, where it has such files: whoever has
    /// it mapped would die of looking beyond its end.
    ///
    /// # Errors
    /// [`Error::Value`] if it is no file of which the system promises that.
    pub(super) fn keep_length(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals};
            // (Whoever may not write to it cannot say so, but somebody may have done that before.)
            let _ = fcntl_add_seals(&self.fd, SealFlags::SHRINK);
            if !fcntl_get_seals(&self.fd).is_ok_and(|seals| seals.contains(SealFlags::SHRINK)) {
                let text = "it is no file in memory that can be kept from becoming shorter";
                return Err(Error::Value(format!("file {}: {text}", self.number())));
            }
        }
        Ok(())
    }

    /// Reserve memory, where the system can, since writing to a mapping without any would kill the
    /// process. It is taken from the node that this thread runs on.
    pub(super) fn reserve(&self, offset: u64, length: u64) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            // (A signal stops it, and undoes it.)
            let outcome = rustix::io::retry_on_intr(|| {
                fallocate(&self.fd, FallocateFlags::empty(), offset, length)
            });
            match outcome {
                Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
                Err(errno) => Err(refused(&format!("no memory for {length} bytes"))(errno)),
            }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (offset, length);
            Ok(())
        }
    }

    /// Give memory back; whether the system can. The bytes are zero afterwards.
    pub(super) fn give_back(&self, offset: u64, length: u64) -> bool {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::io::retry_on_intr(|| fallocate(&self.fd, flags, offset, length)).is_ok()
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (offset, length);
            false
        }
    }

    /// Map a range that begins at a page and lies within the file.
    pub(super) fn map(&self, offset: u64, length: usize, access: Access) -> Result<Mapping> {
        let (prot, flags) = match access {
            Access::Read => (ProtFlags::READ, MapFlags::SHARED),
            Access::Shared => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
            Access::Private => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE),
        };
        // SAFETY: the system chooses an address where nothing is, so no memory of this process
        // changes. The mapping is looked at by raw pointers and atomics only, never by references
        // to plain bytes, as other processes may write meanwhile.
        let start = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                length,
                prot,
                flags,
                self.fd.as_fd(),
                offset,
            )
        };
        let start = start.map_err(refused(&format!("{length} bytes cannot be mapped")))?;
        let start =
            NonNull::new(start.cast()).ok_or_else(|| refused("mapped at zero")(Errno::NOMEM))?;
        Ok(Mapping { start, length })
    }
}

#[cfg(target_os = "linux")]
fn create() -> Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, memfd_create};
    memfd_create("noob", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(refused("no file in memory"))
}

#[cfg(not(target_os = "linux"))]
fn create() -> Result<OwnedFd> {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let name = format!("noob-{}-{}", std::process::id(), now.as_nanos());
    let path = std::env::temp_dir().join(name);
    let failed = |error: std::io::Error| {
        let text = format!("shared memory: no temporary file: {error}");
        Error::System(error.raw_os_error().unwrap_or_default(), text)
    };
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)?;
    Ok(file.into())
}

/// A part of the file in this process's memory, until it is dropped.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: a mapping belongs to the whole process, and nothing here depends on the thread. Whoever
// reads and writes through its pointers orders that with others, as with any shared memory.
unsafe impl Send for Mapping {}
// SAFETY: as above; a shared reference gives pointers and atomics only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Where bytes that lie in it begin. The pointer is good as long as the mapping lives.
    ///
    /// # Panics
    /// If they do not lie in it.
    pub fn pointer(&self, at: usize, length: usize) -> *mut u8 {
        let fits = at.checked_add(length).is_some_and(|end| end <= self.length);
        assert!(
            fits,
            "{length} bytes at {at} of a mapping of {}",
            self.length
        );
        // SAFETY: `at` is within the mapping, or just at its end, as checked above.
        unsafe { self.start.add(at).as_ptr() }
    }

    /// An eight-byte word of it.
    ///
    /// # Panics
    /// If it does not lie in the mapping.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        let pointer = self.pointer(index * 8, 8).cast();
        // SAFETY: the word lies in the mapping, which outlives the reference, and is aligned, since
        // a mapping begins at a page. All look at it as an atomic; who maps it for reading only
        // does relaxed loads only, which are allowed there.
        unsafe { AtomicU64::from_ptr(pointer) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped at this place with this length, once, and nobody can have a pointer
        // to it any more who may use it.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast::<c_void>(), self.length) };
    }
}
