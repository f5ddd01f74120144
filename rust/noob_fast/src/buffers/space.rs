//! Ranges of the file: carved from its end, and used again, the one freed last first, by the node
//! whose memory they have. Free ranges keep their memory, as used memory is quick, up to a mark that
//! follows what was in use lately.

use super::Limits;
use super::classes::class;
use super::memory::{Access, Mapping, PAGE, SharedFile};
use super::table::data;
use crate::error::{Error, Result};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Instant;

/// Bytes that the file grows by at least. Only what is written takes memory.
const CHUNK: u64 = 64 << 20;
/// Longer than any file can be.
const LONGEST: u64 = 1 << 46;

#[derive(Debug)]
pub struct Range {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length: that of its class.
    size: u64,
    /// Bytes from its beginning that have memory.
    backed: u64,
    /// The node that they are near.
    pub node: u16,
    /// The mapping that it lies in, and where.
    pub chunk: Arc<Mapping>,
    pub at: usize,
    /// When it was freed, in ranges freed before.
    freed: u64,
}

#[derive(Debug)]
pub struct Space {
    limits: Limits,
    ranges: Vec<Range>,
    /// Those that are free, by node and class, the one freed last at the end.
    free: FxHashMap<(u16, u64), Vec<u32>>,
    chunk: Option<Arc<Mapping>>,
    chunk_start: u64,
    chunk_end: u64,
    /// Where the next range is carved.
    end: u64,
    live: u64,
    spare: u64,
    /// The most bytes that were in use lately, and when that was halved last.
    mark: u64,
    marked: Instant,
    freed: u64,
}

impl Space {
    pub fn new(limits: Limits) -> Self {
        Space {
            limits,
            ranges: Vec::new(),
            free: FxHashMap::default(),
            chunk: None,
            chunk_start: data(),
            chunk_end: data(),
            end: data(),
            live: 0,
            spare: 0,
            mark: 0,
            marked: Instant::now(),
            freed: 0,
        }
    }

    /// Bytes of memory in ranges that are in use.
    pub fn live(&self) -> u64 {
        self.live
    }

    /// Bytes of memory in ranges that are free.
    pub fn spare(&self) -> u64 {
        self.spare
    }

    pub fn range(&self, id: u32) -> &Range {
        &self.ranges[id as usize]
    }

    /// Take a range of at least so many bytes, all of them with memory. Without a file take only
    /// what needs no call of the system; none if there is nothing such.
    pub fn take(
        &mut self,
        nbytes: u64,
        node: u16,
        file: Option<&SharedFile>,
    ) -> Result<Option<u32>> {
        if nbytes > LONGEST {
            let errno = rustix::io::Errno::FBIG.raw_os_error();
            return Err(Error::System(
                errno,
                format!("no file has room for {nbytes} bytes"),
            ));
        }
        let size = class(nbytes).next_multiple_of(*PAGE);
        let length = nbytes.max(1).next_multiple_of(*PAGE);
        let free = self.free.entry((node, size)).or_default();
        let id = match (free.last(), file) {
            (Some(&id), None) if self.ranges[id as usize].backed < length => return Ok(None),
            (Some(&id), _) => {
                free.pop();
                self.spare -= self.ranges[id as usize].backed;
                id
            }
            (None, None) => return Ok(None),
            (None, Some(file)) => self.carve(size, node, file)?,
        };
        let range = &mut self.ranges[id as usize];
        if let (Some(file), more @ 1..) = (file, length.saturating_sub(range.backed)) {
            if let Err(error) = file.reserve(range.offset + range.backed, more) {
                self.shelve(id);
                return Err(error);
            }
            range.backed = length;
        }
        self.live += range.backed;
        self.mark = self.mark.max(self.live);
        Ok(Some(id))
    }

    /// Take one back.
    pub fn give(&mut self, id: u32) {
        self.live -= self.ranges[id as usize].backed;
        self.shelve(id);
    }

    fn shelve(&mut self, id: u32) {
        self.freed += 1;
        let range = &mut self.ranges[id as usize];
        range.freed = self.freed;
        self.spare += range.backed;
        self.free
            .entry((range.node, range.size))
            .or_default()
            .push(id);
    }

    fn carve(&mut self, size: u64, node: u16, file: &SharedFile) -> Result<u32> {
        let chunk = match &self.chunk {
            Some(chunk) if self.chunk_end - self.end >= size => chunk,
            _ => {
                // As much again as there is, so that there are few chunks.
                let length = CHUNK.max(size).max(self.chunk_end - data());
                file.grow(self.chunk_end + length)?;
                let chunk = file.map(self.chunk_end, length as usize, Access::Shared)?;
                self.end = self.chunk_end;
                self.chunk_start = self.chunk_end;
                self.chunk_end += length;
                self.chunk.insert(Arc::new(chunk))
            }
        };
        self.ranges.push(Range {
            offset: self.end,
            size,
            backed: 0,
            node,
            chunk: chunk.clone(),
            at: (self.end - self.chunk_start) as usize,
            freed: 0,
        });
        self.end += size;
        Ok(self.ranges.len() as u32 - 1)
    }

    /// Let the mark follow, and tell to how many bytes of spare memory to shrink, if there is more
    /// than may be.
    pub fn settle(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.marked) >= self.limits.keep {
            self.mark = self.live.max(self.mark / 2);
            self.marked = now;
        }
        let most = self.limits.spare.max(2 * self.live).max(self.mark);
        (self.spare > most).then_some(most / 2)
    }

    /// Give memory of free ranges back, of those first that were not used for longest, until no
    /// more than so many bytes are left.
    pub fn shrink(&mut self, goal: u64, file: &SharedFile) {
        let mut warm: Vec<u32> = self.free.values().flatten().copied().collect();
        warm.retain(|&id| self.ranges[id as usize].backed > 0);
        warm.sort_unstable_by_key(|&id| self.ranges[id as usize].freed);
        for id in warm {
            let range = &mut self.ranges[id as usize];
            if self.spare <= goal || !file.give_back(range.offset, range.backed) {
                break;
            }
            self.spare -= range.backed;
            range.backed = 0;
        }
    }
}
