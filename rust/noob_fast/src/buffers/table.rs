//! The table of buffers in use, at the front of the file: what tells a reader in another process
//! whether a handle is still good.
//!
//! A line is four words: generation, offset, length, and one that is not used. The generation is
//! zero while the line is free. Line zero is the table's own: a mark, and how many lines there are.

use super::Handle;
use super::memory::{Access, Mapping, PAGE, SharedFile};
use crate::error::{Error, Result};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::fence;

/// How many lines there can be: buffers in use at a time, and one.
pub const LINES: u32 = 1 << 20;
const LINE: u64 = 32;
const MARK: u64 = u64::from_le_bytes(*b"noobbuf1");

/// Bytes at the beginning of the file that are kept for other uses.
pub fn front() -> u64 {
    *PAGE
}

/// Where the table ends, and buffers begin.
pub fn data() -> u64 {
    front() + u64::from(LINES) * LINE
}

#[derive(Debug)]
pub struct Table {
    mapping: Mapping,
    /// Lines that have memory; the owner's only.
    backed: u32,
}

impl Table {
    /// Begin one.
    pub fn create(file: &SharedFile) -> Result<Self> {
        let length = file.length()?;
        let taken = || {
            let front = front();
            Error::Value(format!(
                "the file has a pool already, or something else: {length} bytes, of which only \
                 the first {front} may be used before",
            ))
        };
        if length > front() {
            return Err(taken());
        }
        file.grow(data())?;
        let mut table = Self::map(file, Access::Shared)?;
        table.back(file)?;
        // (Another may have come as far at the same time.)
        let mark = table.mapping.word(0);
        mark.compare_exchange(0, MARK, Relaxed, Relaxed)
            .map_err(|_| taken())?;
        table.mapping.word(1).fetch_max(1, Release);
        Ok(table)
    }

    /// Open that of another process.
    pub fn open(file: &SharedFile) -> Result<Self> {
        let opened = (file.length()? >= data()).then(|| Self::map(file, Access::Read));
        match opened.transpose()? {
            Some(table) if table.mapping.word(0).load(Relaxed) == MARK => Ok(table),
            _ => Err(Error::Value("no pool has the file".into())),
        }
    }

    fn map(file: &SharedFile, access: Access) -> Result<Self> {
        let mapping = file.map(front(), (data() - front()) as usize, access)?;
        Ok(Table { mapping, backed: 0 })
    }

    /// Whether a line can be written.
    pub fn has(&self, line: u32) -> bool {
        line < self.backed
    }

    /// Take memory for more lines.
    pub fn back(&mut self, file: &SharedFile) -> Result<()> {
        if self.backed == LINES {
            let text = format!("a pool has at most {} buffers in use", LINES - 1);
            return Err(Error::System(rustix::io::Errno::NOMEM.raw_os_error(), text));
        }
        file.reserve(front() + u64::from(self.backed) * LINE, *PAGE)?;
        self.backed += (*PAGE / LINE) as u32;
        Ok(())
    }

    /// Bytes of memory that it takes, with the page before it.
    pub fn reserved(&self) -> u64 {
        front() + u64::from(self.backed) * LINE
    }

    /// Note a buffer that comes into use.
    pub fn write(&self, handle: &Handle) {
        let first = handle.slot as usize * 4;
        self.mapping.word(first + 1).store(handle.offset, Relaxed);
        self.mapping.word(first + 2).store(handle.nbytes, Relaxed);
        self.mapping.word(first).store(handle.generation, Release);
        self.mapping
            .word(1)
            .fetch_max(u64::from(handle.slot) + 1, Release);
    }

    /// Note that its use ends.
    pub fn clear(&self, slot: u32) {
        self.mapping.word(slot as usize * 4).store(0, Release);
    }

    /// Whether a buffer is in use.
    pub fn has_live(&self, handle: &Handle) -> bool {
        // (Whoever has the file can write any number there.)
        let lines = self.mapping.word(1).load(Relaxed).min(u64::from(LINES));
        if handle.slot == 0 || u64::from(handle.slot) >= lines {
            return false;
        }
        let first = handle.slot as usize * 4;
        let generation = self.mapping.word(first).load(Relaxed);
        fence(Acquire);
        handle.generation == generation
            && generation != 0
            && self.mapping.word(first + 1).load(Relaxed) == handle.offset
            && self.mapping.word(first + 2).load(Relaxed) == handle.nbytes
    }
}
