//! Ranges of the file, in whole pages: cut from what is free, to the length that is asked for.
//!
//! What is free is warm, if it has memory, or cold. Warm memory is quick, so it is used first, by
//! the node whose it is: of the pieces that are long enough the shortest, and of those as long the
//! one freed last. As much is kept as a mark says that follows what was in use lately. Pieces that
//! touch are joined only when none is long enough, so that what comes back is mostly found as it
//! was, and the longest free is known.

use super::memory::{Access, MEMORY, Mapping, PAGE, SharedFile};
use super::table::data;
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes that the file grows by at least. Only what is written takes memory.
const CHUNK: u64 = 64 << 20;

/// How much free memory is kept, because memory that was used before is quick.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that are always kept.
    pub spare: u64,
    /// For how long as much is kept as was in use at some time; then for half of it, and so on.
    pub keep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            spare: 32 << 20,
            keep: Duration::from_secs(10),
        }
    }
}

/// What is in use.
#[derive(Debug)]
pub struct Range {
    /// Where it begins in the file.
    pub offset: u64,
    length: u64,
    /// The node that it is near.
    pub node: u16,
    /// The mapping that it lies in, and where.
    pub chunk: Arc<Mapping>,
    pub at: usize,
}

/// What is free, in the order in which it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    /// The node that it is near; zero if it is cold.
    node: u16,
    length: u64,
    /// When it was freed, in ranges freed before.
    freed: Reverse<u64>,
    offset: u64,
}

#[derive(Debug)]
pub struct Space {
    limits: Limits,
    ranges: Vec<Range>,
    /// Places in `ranges` that can be used again.
    vacant: Vec<u32>,
    /// The file's parts, each mapped by itself, by where they begin.
    chunks: BTreeMap<u64, Arc<Mapping>>,
    /// Where the next begins.
    end: u64,
    warm: BTreeSet<Piece>,
    cold: BTreeSet<Piece>,
    /// How many ranges were freed since pieces that touch were joined.
    loose: usize,
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
            vacant: Vec::new(),
            chunks: BTreeMap::new(),
            end: data(),
            warm: BTreeSet::new(),
            cold: BTreeSet::new(),
            loose: 0,
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

    /// Bytes of memory that are free.
    pub fn spare(&self) -> u64 {
        self.spare
    }

    pub fn range(&self, id: u32) -> &Range {
        &self.ranges[id as usize]
    }

    /// Take a range of so many bytes, all of them with memory. Without a file take only what needs
    /// no call of the system; none if there is nothing such.
    pub fn take(
        &mut self,
        nbytes: u64,
        node: u16,
        file: Option<&SharedFile>,
    ) -> Result<Option<u32>> {
        if nbytes > *MEMORY {
            let errno = rustix::io::Errno::NOMEM.raw_os_error();
            let text = format!("no room for {nbytes} bytes: {} are all there are", *MEMORY);
            return Err(Error::System(errno, text));
        }
        let length = pages(nbytes);
        if let Some(offset) = self.take_warm(length, node) {
            return Ok(Some(self.begin(offset, length, node)));
        }
        let Some(file) = file else {
            return Ok(None);
        };
        let bare = self.take_bare(nbytes, node, file)?;
        let (offset, length) = self.extent(bare);
        if let Err(error) = file.reserve(offset, length) {
            self.undo(bare);
            return Err(error);
        }
        Ok(Some(bare))
    }

    /// Take a range of so many bytes that has no memory yet: it is to be reserved, or undone.
    pub fn take_bare(&mut self, nbytes: u64, node: u16, file: &SharedFile) -> Result<u32> {
        let length = pages(nbytes);
        let offset = self.take_cold(length, file)?;
        Ok(self.begin(offset, length, node))
    }

    /// Where a range is, and how long, in bytes of the file.
    pub fn extent(&self, id: u32) -> (u64, u64) {
        let range = self.range(id);
        (range.offset, range.length)
    }

    /// Take a range without memory back.
    pub fn undo(&mut self, id: u32) {
        let (offset, length) = self.extent(id);
        self.live -= length;
        self.cold.insert(cold(offset, length));
        self.vacant.push(id);
    }

    fn begin(&mut self, offset: u64, length: u64, node: u16) -> u32 {
        self.live += length;
        self.mark = self.mark.max(self.live);
        let chunk = self.chunks.range(..=offset).next_back();
        let (start, chunk) = chunk.expect("all that is free lies in a chunk");
        let range = Range {
            offset,
            length,
            node,
            chunk: chunk.clone(),
            at: (offset - start) as usize,
        };
        let id = self.vacant.pop().unwrap_or(self.ranges.len() as u32);
        match self.ranges.get_mut(id as usize) {
            Some(place) => *place = range,
            None => self.ranges.push(range),
        }
        id
    }

    /// Take one back.
    pub fn give(&mut self, id: u32) {
        let range = &self.ranges[id as usize];
        self.live -= range.length;
        self.spare += range.length;
        self.freed += 1;
        self.loose += 1;
        self.warm.insert(Piece {
            node: range.node,
            length: range.length,
            freed: Reverse(self.freed),
            offset: range.offset,
        });
        self.vacant.push(id);
    }

    fn take_warm(&mut self, length: u64, node: u16) -> Option<u64> {
        if self.spare < length {
            return None;
        }
        let mut found = cut(&mut self.warm, length, node);
        // (Not each time, as that looks at all of them.)
        if found.is_none() && 4 * self.loose > self.warm.len() {
            join(&mut self.warm, &self.chunks);
            self.loose = 0;
            found = cut(&mut self.warm, length, node);
        }
        self.spare -= found.map_or(0, |_| length);
        found
    }

    fn take_cold(&mut self, length: u64, file: &SharedFile) -> Result<u64> {
        if let Some(offset) = cut(&mut self.cold, length, 0) {
            return Ok(offset);
        }
        join(&mut self.cold, &self.chunks);
        if let Some(offset) = cut(&mut self.cold, length, 0) {
            return Ok(offset);
        }
        // As much again as there is, so that there are few chunks; and all of the file, whose
        // length is where readers take a chunk to end.
        let start = self.end;
        let more = file.length()?.saturating_sub(start);
        let size = CHUNK.max(length).max(start - data()).max(more);
        // (It may not become shorter again, so it grows last.)
        let chunk = file.map(start, size as usize, Access::Shared)?;
        file.grow(start + size)?;
        self.chunks.insert(start, Arc::new(chunk));
        self.end += size;
        if size > length {
            self.cold.insert(cold(start + length, size - length));
        }
        Ok(start)
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

    /// Give memory back, of those pieces first that were not used for longest, until no more than
    /// so many bytes are left.
    pub fn shrink(&mut self, goal: u64, file: &SharedFile) {
        let mut warm: Vec<Piece> = self.warm.iter().copied().collect();
        warm.sort_unstable_by_key(|piece| Reverse(piece.freed));
        for piece in warm {
            if self.spare <= goal || !file.give_back(piece.offset, piece.length) {
                break;
            }
            self.spare -= piece.length;
            self.warm.remove(&piece);
            self.cold.insert(cold(piece.offset, piece.length));
        }
    }
}

fn pages(nbytes: u64) -> u64 {
    nbytes.max(1).next_multiple_of(*PAGE)
}

fn cold(offset: u64, length: u64) -> Piece {
    Piece {
        node: 0,
        length,
        freed: Reverse(0),
        offset,
    }
}

/// Cut a length from the beginning of the shortest piece that has it; tells where that is.
fn cut(pieces: &mut BTreeSet<Piece>, length: u64, node: u16) -> Option<u64> {
    let least = Piece {
        node,
        length,
        freed: Reverse(u64::MAX),
        offset: 0,
    };
    let found = *pieces.range(least..).next()?;
    if found.node != node {
        return None;
    }
    pieces.remove(&found);
    if found.length > length {
        pieces.insert(Piece {
            length: found.length - length,
            offset: found.offset + length,
            ..found
        });
    }
    Some(found.offset)
}

/// Join pieces of a node that touch and lie in one chunk.
fn join(pieces: &mut BTreeSet<Piece>, chunks: &BTreeMap<u64, Arc<Mapping>>) {
    let mut all: Vec<Piece> = std::mem::take(pieces).into_iter().collect();
    all.sort_unstable_by_key(|piece| piece.offset);
    all.dedup_by(|next, last| {
        let touch = last.node == next.node
            && last.offset + last.length == next.offset
            && !chunks.contains_key(&next.offset);
        if touch {
            last.length += next.length;
            last.freed = last.freed.min(next.freed);
        }
        touch
    });
    pieces.extend(all);
}
