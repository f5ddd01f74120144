//! Shared memory that processes pass by handle: a file without a name, which one process, its
//! owner, hands out in buffers, and which others map.
//!
//! The file begins with a page that is left to other uses, and a [`table`] of the buffers in use,
//! by which a reader in another process can tell that a handle has been released. The rest is
//! [`space`], in ranges of whole pages; small buffers are cells of [`slabs`], in [`classes`] of
//! sizes. All that touches memory is in [`memory`].

mod classes;
mod memory;
mod pool;
mod reader;
mod slabs;
mod space;
mod table;
mod topology;

pub use memory::SharedFile;
pub use pool::{Buffer, Pool, Stats};
pub use reader::{Reader, View};
pub use space::Limits;
pub use topology::{NODES, Topology};

use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

#[cfg(test)]
mod tests;

/// How many forks led to this process.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// A forked process calls this first of all. Its copies of pools are its parent's, and it may have
/// been forked while another thread held one's lock.
pub fn note_fork() {
    FORKS.fetch_add(1, Relaxed);
}

/// A buffer's name, good in every process that has the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub nbytes: u64,
    /// Its line in the table.
    pub slot: u32,
    /// Which use of that line it is; no two buffers of a pool have the same, and those of two
    /// pools hardly ever.
    pub generation: u64,
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handle {
            offset,
            nbytes,
            slot,
            generation,
        } = self;
        write!(
            f,
            "handle of {nbytes} bytes at {offset}, slot {slot}, generation {generation}"
        )
    }
}
