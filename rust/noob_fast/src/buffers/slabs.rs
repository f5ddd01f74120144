//! Small buffers: cells of one size, many to a range. A range that has none in use goes back.

use super::classes::{class, slab};
use super::memory::SharedFile;
use super::space::Space;
use crate::error::Result;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

#[derive(Debug)]
struct Slab {
    range: u32,
    /// Bytes of a cell.
    size: u64,
    /// Cells from this one on were never used.
    fresh: u32,
    free: Vec<u32>,
    used: u32,
}

impl Slab {
    fn is_full(&self) -> bool {
        u64::from(self.used) == slab(self.size) / self.size
    }
}

/// A cell in use.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    slab: u32,
    number: u32,
    /// The range that it lies in, and where, in bytes.
    pub range: u32,
    pub at: u64,
}

#[derive(Debug, Default)]
pub struct Slabs {
    all: Vec<Slab>,
    /// Places in `all` that can be used again.
    vacant: Vec<u32>,
    /// Slabs that have room, by node and size of cells; the oldest is filled first.
    open: FxHashMap<(u16, u64), BTreeSet<u32>>,
}

impl Slabs {
    /// Take a cell, as [`Space::take`] takes a range.
    pub fn take(
        &mut self,
        space: &mut Space,
        nbytes: u64,
        node: u16,
        file: Option<&SharedFile>,
    ) -> Result<Option<Cell>> {
        let size = class(nbytes);
        let open = self.open.entry((node, size)).or_default();
        let id = if let Some(&id) = open.first() {
            id
        } else {
            let Some(range) = space.take(slab(size), node, file)? else {
                return Ok(None);
            };
            let slab = Slab {
                range,
                size,
                fresh: 0,
                free: Vec::new(),
                used: 0,
            };
            let id = self.vacant.pop().unwrap_or(self.all.len() as u32);
            match self.all.get_mut(id as usize) {
                Some(place) => *place = slab,
                None => self.all.push(slab),
            }
            open.insert(id);
            id
        };
        let slab = &mut self.all[id as usize];
        let number = slab.free.pop().unwrap_or_else(|| {
            slab.fresh += 1;
            slab.fresh - 1
        });
        slab.used += 1;
        if slab.is_full() {
            open.remove(&id);
        }
        Ok(Some(Cell {
            slab: id,
            number,
            range: slab.range,
            at: u64::from(number) * size,
        }))
    }

    /// Take one back.
    pub fn give(&mut self, space: &mut Space, cell: Cell) {
        let slab = &mut self.all[cell.slab as usize];
        let open = self
            .open
            .entry((space.range(slab.range).node, slab.size))
            .or_default();
        slab.used -= 1;
        if slab.used == 0 {
            open.remove(&cell.slab);
            self.vacant.push(cell.slab);
            space.give(slab.range);
        } else {
            slab.free.push(cell.number);
            open.insert(cell.slab);
        }
    }
}
