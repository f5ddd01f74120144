//! A reader's side, in the owner's process or another: handles become memory.

use super::Handle;
use super::memory::{Access, Mapping, PAGE, SharedFile};
use super::table::{Table, data};
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// Maps a pool's file.
#[derive(Debug)]
pub struct Reader {
    file: SharedFile,
    mapped: Mutex<Mapped>,
}

#[derive(Debug, Default)]
struct Mapped {
    table: Option<Table>,
    /// Parts of the file, one after the other, and where each begins and ends. A file grows by
    /// whole parts, and no buffer lies in two.
    parts: Vec<(u64, u64, Arc<Mapping>)>,
}

/// A buffer's bytes, in this process.
#[derive(Debug)]
pub struct View {
    mapping: Arc<Mapping>,
    at: usize,
    pub length: usize,
    /// Whether they may be written; then for oneself only.
    pub writable: bool,
}

impl View {
    /// Where it begins; good as long as it lives.
    pub fn pointer(&self) -> *mut u8 {
        self.mapping.pointer(self.at, self.length)
    }
}

impl Reader {
    /// Nothing is mapped before the first handle comes, so the pool may begin later.
    ///
    /// # Errors
    /// [`Error::Value`] if the file can become shorter.
    pub fn new(file: SharedFile) -> Result<Self> {
        file.keep_length()?;
        Ok(Reader {
            file,
            mapped: Mutex::default(),
        })
    }

    pub fn file(&self) -> &SharedFile {
        &self.file
    }

    /// The bytes of a buffer in use: those that all see, to be read only; or, if `private`, to be
    /// written too, which nobody else sees.
    ///
    /// That it is in use is checked now. Who reads while the owner might release it checks again
    /// afterwards.
    ///
    /// # Errors
    /// [`Error::UseAfterFree`] if it is not in use, [`Error::Value`] if the handle is of no place in the
    /// file or the file has no pool, [`Error::System`] if it cannot be mapped.
    pub fn open(&self, handle: &Handle, private: bool) -> Result<View> {
        let length = handle.nbytes as usize;
        let (mapping, at) = self.locate(handle)?;
        if private {
            let start = handle.offset / *PAGE * *PAGE;
            let at = (handle.offset - start) as usize;
            let mapping = self
                .file
                .map(start, (at + length).max(1), Access::Private)?;
            return Ok(View {
                mapping: Arc::new(mapping),
                at,
                length,
                writable: true,
            });
        }
        Ok(View {
            mapping,
            at,
            length,
            writable: false,
        })
    }

    /// Whether the buffer is in use still.
    ///
    /// # Errors
    /// As of [`Reader::open`].
    pub fn check(&self, handle: &Handle) -> Result<()> {
        self.locate(handle).map(|_| ())
    }

    fn locate(&self, handle: &Handle) -> Result<(Arc<Mapping>, usize)> {
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        let end = mapped.parts.last().map_or(data(), |part| part.1);
        let until = handle.offset.checked_add(handle.nbytes.max(1));
        let until = until.filter(|_| handle.offset >= data());
        if until.is_none_or(|until| until > end) {
            let length = self.file.length()?;
            if until.is_none_or(|until| until > length) {
                let text = format!("{handle} is outside of the file, of {length} bytes");
                return Err(Error::Value(text));
            }
            let part = self.file.map(end, (length - end) as usize, Access::Read)?;
            mapped.parts.push((end, length, Arc::new(part)));
        }
        let table = match &mapped.table {
            Some(table) => table,
            None => &*mapped.table.insert(Table::open(&self.file)?),
        };
        if !table.has_live(handle) {
            let text = format!("the buffer has been released: {handle}");
            return Err(Error::UseAfterFree(text));
        }
        let at = mapped.parts.partition_point(|part| part.1 <= handle.offset);
        match mapped.parts.get(at) {
            Some((start, end, mapping)) if until.is_some_and(|until| until <= *end) => {
                Ok((mapping.clone(), (handle.offset - start) as usize))
            }
            _ => Err(Error::Value(format!(
                "the table is not a pool's: it has the {handle}"
            ))),
        }
    }
}
