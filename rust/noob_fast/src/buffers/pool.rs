//! The owner's side: buffers come into use and go out of it, from any thread of one process.

use super::classes::SMALL;
use super::memory::{Mapping, SharedFile};
use super::slabs::{Cell, Slabs};
use super::space::{Limits, Space};
use super::table::Table;
use super::topology::Topology;
use super::{FORKS, Handle};
use crate::error::{Error, Result};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What a pool holds, in bytes, but for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How many buffers are in use.
    pub buffers: u64,
    /// What was asked for them.
    pub asked: u64,
    /// Memory in ranges that are in use.
    pub live: u64,
    /// Memory in ranges that are free.
    pub spare: u64,
    /// All memory, with that of the table.
    pub reserved: u64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Range(u32),
    Cell(Cell),
}

/// A line of the table, as only the owner sees it.
#[derive(Debug)]
struct Slot {
    handle: Handle,
    place: Place,
    /// How many views look at it.
    views: u32,
    /// Whether its memory is to be used again as soon as there are none.
    released: bool,
}

#[derive(Debug)]
struct State {
    table: Table,
    space: Space,
    slabs: Slabs,
    /// By line; the first is the table's own.
    slots: Vec<Option<Slot>>,
    vacant: Vec<u32>,
    generation: u64,
    buffers: u64,
    asked: u64,
}

/// Hands out buffers of one file.
#[derive(Debug)]
pub struct Pool {
    file: SharedFile,
    topology: Topology,
    /// What [`FORKS`] was: a forked process must leave the file alone.
    forks: u32,
    state: Mutex<State>,
}

/// A buffer in use; it is released when it is dropped. Its memory is used again when, in addition,
/// no view is counted any more.
#[derive(Debug)]
pub struct Buffer {
    pool: Arc<Pool>,
    chunk: Arc<Mapping>,
    at: usize,
    pub handle: Handle,
    /// The node whose memory it is.
    pub node: u16,
}

impl Pool {
    /// Begin to hand out buffers of a file, in this process only.
    ///
    /// # Errors
    /// [`Error::Value`] if more of the file is in use than its front, or it can become shorter;
    /// [`Error::System`] if there is no room for the table.
    pub fn new(file: SharedFile, limits: Limits, topology: Topology) -> Result<Self> {
        file.keep_length()?;
        let state = State {
            table: Table::create(&file)?,
            space: Space::new(limits),
            slabs: Slabs::default(),
            slots: vec![None],
            vacant: Vec::new(),
            // Another pool's begin elsewhere, so that its handles are not taken for this one's.
            generation: RandomState::new().hash_one(std::process::id()) >> 2,
            buffers: 0,
            asked: 0,
        };
        Ok(Pool {
            file,
            topology,
            forks: FORKS.load(Relaxed),
            state: Mutex::new(state),
        })
    }

    pub fn file(&self) -> &SharedFile {
        &self.file
    }

    /// Bring a buffer into use. Its bytes are what they happen to be.
    ///
    /// # Errors
    /// [`Error::System`] if there is no room, [`Error::Forked`] in a process forked from the pool's.
    pub fn acquire(self: &Arc<Self>, nbytes: u64) -> Result<Buffer> {
        self.acquire_at(nbytes, self.topology.here())
    }

    /// The same, of the memory of a node. It is that node's if this thread runs there.
    ///
    /// # Errors
    /// [`Error::System`] if there is no room, [`Error::Forked`] in a process forked from the pool's.
    pub fn acquire_at(self: &Arc<Self>, nbytes: u64, node: u16) -> Result<Buffer> {
        self.check_owner()?;
        let mut state = self.lock();
        if let Some(goal) = state.space.settle(Instant::now()) {
            state.space.shrink(goal, &self.file);
        }
        state.back(&self.file)?;
        let file = (nbytes <= SMALL).then_some(&self.file);
        if let Some(taken) = state.take(nbytes, node, file)? {
            return Ok(self.hand_out(&state, taken));
        }
        // Reserving memory takes long, so that others go on meanwhile.
        let bare = state.space.take_bare(nbytes, node, &self.file)?;
        let (offset, length) = state.space.extent(bare);
        drop(state);
        let reserved = self.file.reserve(offset, length);
        let mut state = self.lock();
        if let Err(error) = reserved {
            state.space.undo(bare);
            return Err(error);
        }
        if let Err(error) = state.back(&self.file) {
            state.space.give(bare);
            return Err(error);
        }
        let taken = state.note(nbytes, Place::Range(bare));
        Ok(self.hand_out(&state, taken))
    }

    /// The same, if that needs no call of the system and no waiting for another thread.
    ///
    /// # Errors
    /// [`Error::System`] if there is no room, [`Error::Forked`] in a process forked from the pool's.
    pub fn acquire_warm(self: &Arc<Self>, nbytes: u64) -> Result<Option<Buffer>> {
        self.check_owner()?;
        let Ok(mut state) = self.state.try_lock() else {
            return Ok(None);
        };
        if state.space.settle(Instant::now()).is_some() {
            return Ok(None);
        }
        let taken = state.take(nbytes, self.topology.here(), None)?;
        Ok(taken.map(|taken| self.hand_out(&state, taken)))
    }

    /// End the use of a buffer; its memory is used again as soon as no view is counted.
    ///
    /// # Errors
    /// [`Error::DoubleFree`] if no buffer in use has the handle.
    pub fn release(&self, handle: &Handle) -> Result<()> {
        self.check_owner()?;
        if self.lock().release(handle) {
            return Ok(());
        }
        let text = format!("no buffer of this pool in use has the {handle}");
        Err(Error::DoubleFree(text))
    }

    /// What it holds, after giving back what need not be kept.
    ///
    /// # Errors
    /// [`Error::Forked`] in a process forked from the pool's.
    pub fn stats(&self) -> Result<Stats> {
        self.check_owner()?;
        let mut state = self.lock();
        if let Some(goal) = state.space.settle(Instant::now()) {
            state.space.shrink(goal, &self.file);
        }
        let (live, spare) = (state.space.live(), state.space.spare());
        Ok(Stats {
            buffers: state.buffers,
            asked: state.asked,
            live,
            spare,
            reserved: live + spare + state.table.reserved(),
        })
    }

    /// Give all free memory back.
    ///
    /// # Errors
    /// [`Error::Forked`] in a process forked from the pool's.
    pub fn trim(&self) -> Result<()> {
        self.check_owner()?;
        self.lock().space.shrink(0, &self.file);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_owner(&self) -> bool {
        FORKS.load(Relaxed) == self.forks
    }

    fn check_owner(&self) -> Result<()> {
        // Before the lock is touched: it may have been held when this process was forked.
        if self.is_owner() {
            return Ok(());
        }
        let text = "the pool is that of the process that this one was forked from";
        Err(Error::Forked(text.into()))
    }

    fn hand_out(self: &Arc<Self>, state: &State, (handle, place): (Handle, Place)) -> Buffer {
        let (range, within) = match place {
            Place::Range(range) => (range, 0),
            Place::Cell(cell) => (cell.range, cell.at as usize),
        };
        let range = state.space.range(range);
        Buffer {
            pool: self.clone(),
            chunk: range.chunk.clone(),
            at: range.at + within,
            handle,
            node: range.node,
        }
    }
}

impl State {
    fn slot(&mut self, handle: &Handle) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(handle.slot as usize)?.as_mut()?;
        (slot.handle == *handle).then_some(slot)
    }

    /// The line of the table that is used next.
    fn line(&self) -> u32 {
        self.vacant
            .last()
            .copied()
            .unwrap_or(self.slots.len() as u32)
    }

    /// Take memory for that line, if it has none.
    fn back(&mut self, file: &SharedFile) -> Result<()> {
        if self.table.has(self.line()) {
            return Ok(());
        }
        self.table.back(file)
    }

    /// Bring a buffer into use; as [`Space::take`].
    fn take(
        &mut self,
        nbytes: u64,
        node: u16,
        file: Option<&SharedFile>,
    ) -> Result<Option<(Handle, Place)>> {
        if !self.table.has(self.line()) {
            return Ok(None);
        }
        let place = if nbytes <= SMALL {
            self.slabs
                .take(&mut self.space, nbytes, node, file)?
                .map(Place::Cell)
        } else {
            self.space.take(nbytes, node, file)?.map(Place::Range)
        };
        Ok(place.map(|place| self.note(nbytes, place)))
    }

    /// Note a buffer that comes into use.
    fn note(&mut self, nbytes: u64, place: Place) -> (Handle, Place) {
        let line = self.line();
        let offset = match place {
            Place::Range(range) => self.space.range(range).offset,
            Place::Cell(cell) => self.space.range(cell.range).offset + cell.at,
        };
        self.generation += 1;
        let handle = Handle {
            offset,
            nbytes,
            slot: line,
            generation: self.generation,
        };
        let slot = Some(Slot {
            handle,
            place,
            views: 0,
            released: false,
        });
        if self.vacant.pop().is_some() {
            self.slots[line as usize] = slot;
        } else {
            self.slots.push(slot);
        }
        self.table.write(&handle);
        self.buffers += 1;
        self.asked += nbytes;
        (handle, place)
    }

    /// Whether a buffer was in use, which now ends.
    fn release(&mut self, handle: &Handle) -> bool {
        match self.slot(handle) {
            Some(slot) if !slot.released => slot.released = true,
            _ => return false,
        }
        self.buffers -= 1;
        self.asked -= handle.nbytes;
        self.table.clear(handle.slot);
        self.recycle(handle);
        true
    }

    /// Take its memory back, if it has been released and nobody looks at it.
    fn recycle(&mut self, handle: &Handle) {
        let place = &mut self.slots[handle.slot as usize];
        if let Some(Slot {
            place: memory,
            views: 0,
            released: true,
            ..
        }) = *place
        {
            *place = None;
            self.vacant.push(handle.slot);
            match memory {
                Place::Range(range) => self.space.give(range),
                Place::Cell(cell) => self.slabs.give(&mut self.space, cell),
            }
        }
    }
}

impl Buffer {
    /// End its use now.
    ///
    /// # Errors
    /// [`Error::DoubleFree`] if that was done before.
    pub fn release(&self) -> Result<()> {
        self.pool.release(&self.handle)
    }

    /// Count a view that looks at it, and tell where it begins.
    ///
    /// # Errors
    /// [`Error::UseAfterFree`] if it has been released, [`Error::Forked`] in a process forked from the
    /// pool's.
    pub fn begin_view(&self) -> Result<*mut u8> {
        self.pool.check_owner()?;
        let mut state = self.pool.lock();
        match state.slot(&self.handle) {
            Some(slot) if !slot.released => slot.views += 1,
            _ => {
                let text = format!("the buffer has been released: {}", self.handle);
                return Err(Error::UseAfterFree(text));
            }
        }
        Ok(self.chunk.pointer(self.at, self.handle.nbytes as usize))
    }

    /// One view less.
    pub fn end_view(&self) {
        if self.pool.is_owner() {
            let mut state = self.pool.lock();
            if let Some(slot) = state.slot(&self.handle) {
                slot.views -= 1;
                state.recycle(&self.handle);
            }
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.pool.is_owner() {
            self.pool.lock().release(&self.handle);
        }
    }
}
