//! The binary frame: one value, self-describing, versioned and checked.
//!
//! All numbers are little-endian. A frame is a header and one value:
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | magic, `8E 4E 46 0A` |
//! | 4 | version, 1: another is refused |
//! | 5..8 | zero |
//! | 8..16 | length of the whole frame, `u64` |
//! | 16..20 | number of buffers that travel beside the frame, `u32` |
//! | 20..24 | CRC-32 (as zlib's) of bytes 0..20 and 24.. |
//! | 24.. | the value |
//!
//! The checksum finds alteration by accident. It is no authentication: whoever can write a frame
//! can write its checksum.
//!
//! A value is a tag and what follows it. A *length* is one byte up to 251, or 252, 253, 254 and
//! then a `u16`, `u32`, `u64`; 255 is refused.
//!
//! | tag | value | after the tag |
//! |---|---|---|
//! | 00..7F | int 0 to 127 | |
//! | 80..BF | str of 0 to 63 bytes | UTF-8 |
//! | C0, C1, C2 | None, False, True | |
//! | C3..C6 | int | `i8`, `i16`, `i32`, `i64` |
//! | C7 | int | length, two's complement |
//! | C8 | float | `f64` |
//! | C9 | str | length, UTF-8 |
//! | CA | str with lone surrogates | length, UTF-8 that has them too (Python's `surrogatepass`) |
//! | CB, CC | bytes, bytearray | length, bytes |
//! | CD, CE, CF | bytes, bytearray, raw view | length: of the next buffer beside the frame |
//! | D0..D3 | list, tuple, set, frozenset | length, that many values |
//! | D4 | dict | length, that many keys and values in turn |
//! | D5 | record: dict of str | length, that many keys (str), that many values |
//! | D6 | record with the keys of an earlier one | length: its number, from 0; values |
//! | D7 | list of float | length, that many `f64` |
//! | D8..DB | list of int | length, that many `i8`, `i16`, `i32`, `i64` |
//! | DC | date | year `u16`, month, day `u8` |
//! | DD | time | hour, minute, second, fold `u8`, microsecond `u32`; time zone: a value |
//! | DE | datetime | as DC, then as DD |
//! | DF | timedelta | days, seconds, microseconds `i32` |
//! | E0 | pickle | length, bytes |
//! | E1 | a registered type | its name: length, UTF-8; payload: a value |
//! | E2.. | a [`Known`] type | payload: a value |
//!
//! Reading is bounded: no count is believed that the bytes left cannot hold, nesting ends at
//! `max_depth`, and what the frame takes in memory, by the estimates in [`cost`], at `max_bytes`.
//! Writing keeps the same account, so what one side may write the other may read.

pub mod builder;
pub mod output;
pub mod reader;
pub mod table;
pub mod tree;
pub mod writer;

#[cfg(test)]
mod tests;

use crate::error::{Error, Result};

pub const MAGIC: [u8; 4] = [0x8E, b'N', b'F', b'\n'];
pub const VERSION: u8 = 1;
/// Bytes before the value.
pub const HEADER: usize = 24;

/// A dict of more keys is no record.
pub const RECORD_KEYS: usize = 32;
/// A frame has no more records with keys of their own.
pub const RECORD_SHAPES: usize = 1024;

/// A buffer of at least so many bytes travels beside the frame, where the caller takes buffers.
pub const BESIDE_FROM: usize = 4096;

pub(crate) mod tag {
    pub const STR: u8 = 0x80;
    pub const STR_END: u8 = 0xBF;
    pub const NONE: u8 = 0xC0;
    pub const FALSE: u8 = 0xC1;
    pub const TRUE: u8 = 0xC2;
    pub const INT8: u8 = 0xC3;
    pub const INT16: u8 = 0xC4;
    pub const INT32: u8 = 0xC5;
    pub const INT64: u8 = 0xC6;
    pub const INT: u8 = 0xC7;
    pub const FLOAT: u8 = 0xC8;
    pub const LONG_STR: u8 = 0xC9;
    pub const SURROGATES: u8 = 0xCA;
    pub const BYTES: u8 = 0xCB;
    pub const BYTEARRAY: u8 = 0xCC;
    pub const BESIDE_BYTES: u8 = 0xCD;
    pub const BESIDE_BYTEARRAY: u8 = 0xCE;
    pub const BESIDE_VIEW: u8 = 0xCF;
    pub const LIST: u8 = 0xD0;
    pub const TUPLE: u8 = 0xD1;
    pub const SET: u8 = 0xD2;
    pub const FROZENSET: u8 = 0xD3;
    pub const DICT: u8 = 0xD4;
    pub const NEW_RECORD: u8 = 0xD5;
    pub const RECORD: u8 = 0xD6;
    pub const FLOATS: u8 = 0xD7;
    pub const INTS: u8 = 0xD8;
    pub const INTS_END: u8 = 0xDB;
    pub const DATE: u8 = 0xDC;
    pub const TIME: u8 = 0xDD;
    pub const DATETIME: u8 = 0xDE;
    pub const TIMEDELTA: u8 = 0xDF;
    pub const PICKLE: u8 = 0xE0;
    pub const HOOK: u8 = 0xE1;
    pub const KNOWN: u8 = 0xE2;
}

/// Estimates, in bytes, of what values take in memory: (the container, each element with what it
/// refers to if that is no container). They are on the safe side for `CPython` on 64 bits.
pub mod cost {
    pub const LIST: (usize, usize) = (64, 64);
    pub const RECORD: (usize, usize) = (256, 128);
    pub const TABLE: (usize, usize) = (256, 192);
    pub const KNOWN: (usize, usize) = (256, 0);
    /// A byte of text beyond ASCII may become four.
    pub const TEXT: (usize, usize) = (0, 3);
}

/// Types that are written as a value of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Known {
    /// `datetime.timezone`: (offset, name or None).
    Timezone,
    /// `zoneinfo.ZoneInfo`: key.
    Zone,
    /// NOOB's Epoch: (root, ((node, index), ...)).
    Epoch,
    /// NOOB's `MetaSignal`: name.
    MetaSignal,
    /// NOOB's `MetaEventType`: name.
    MetaEventType,
    /// memoryview: (format, shape, data).
    View,
    /// numpy array: (dtype, shape, whether in Fortran's order, data).
    Array,
    /// numpy array of objects: (shape, list of elements).
    Objects,
    /// numpy scalar: (dtype, bytes).
    Scalar,
}

impl Known {
    pub const ALL: [Known; 9] = [
        Known::Timezone,
        Known::Zone,
        Known::Epoch,
        Known::MetaSignal,
        Known::MetaEventType,
        Known::View,
        Known::Array,
        Known::Objects,
        Known::Scalar,
    ];
}

/// What a buffer beside the frame stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Beside {
    Bytes,
    Bytearray,
    View,
}

/// A point or a length of time, but for its time zone. Fields are not checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time {
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub fold: u8,
    pub microsecond: u32,
}

/// What a frame may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of the frame and of what it takes in memory, by [`cost`].
    pub bytes: usize,
    /// Of values within values.
    pub depth: usize,
}

/// What values are read or written so far, in memory and depth.
#[derive(Debug)]
pub(crate) struct Account {
    limits: Limits,
    bytes: usize,
    depth: usize,
}

impl Account {
    pub fn new(limits: Limits) -> Self {
        Account {
            limits,
            bytes: 0,
            depth: 0,
        }
    }

    #[inline]
    pub fn charge(&mut self, (base, each): (usize, usize), count: usize) -> Result<()> {
        self.bytes = each
            .saturating_mul(count)
            .saturating_add(base)
            .saturating_add(self.bytes);
        self.check(0)
    }

    /// Whether so many bytes of frame are within the limit, beside what is charged.
    #[inline]
    pub fn check(&self, frame: usize) -> Result<()> {
        if self.bytes.saturating_add(frame) > self.limits.bytes {
            return Err(self.too_large());
        }
        Ok(())
    }

    #[cold]
    fn too_large(&self) -> Error {
        let limit = self.limits.bytes;
        Error::Frame(format!(
            "the frame and what it holds take more memory than max_bytes = {limit}"
        ))
    }

    #[inline]
    pub fn enter(&mut self, cost: (usize, usize), count: usize) -> Result<()> {
        if self.depth >= self.limits.depth {
            return Err(self.too_deep());
        }
        self.depth += 1;
        self.charge(cost, count)
    }

    #[inline]
    pub fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    fn too_deep(&self) -> Error {
        let limit = self.limits.depth;
        Error::Depth(format!("values nest deeper than max_depth = {limit}"))
    }
}

fn checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[..20]);
    hasher.update(&frame[HEADER..]);
    hasher.finalize()
}

/// Fills in the header of a frame that has room for it: length, number of buffers, checksum.
///
/// # Panics
/// Where there is no room.
pub fn seal(frame: &mut [u8], buffers: u32) {
    let length = frame.len() as u64;
    frame[..4].copy_from_slice(&MAGIC);
    frame[4..8].copy_from_slice(&[VERSION, 0, 0, 0]);
    frame[8..16].copy_from_slice(&length.to_le_bytes());
    frame[16..20].copy_from_slice(&buffers.to_le_bytes());
    let sum = checksum(frame);
    frame[20..HEADER].copy_from_slice(&sum.to_le_bytes());
}

/// Checks the header of a frame and its checksum; the number of buffers beside it.
///
/// # Errors
/// `Error::Frame` says what is wrong, and at which byte.
pub fn open(frame: &[u8], limits: Limits) -> Result<u32> {
    let wrong = |text: String| Err(Error::Frame(text));
    let length = frame.len();
    if length <= HEADER {
        return wrong(format!(
            "truncated: {length} bytes, and a frame has at least {}",
            HEADER + 1
        ));
    }
    if frame[..4] != MAGIC {
        return wrong("not a frame: the magic number at byte 0 is another".into());
    }
    if frame[4] != VERSION {
        return wrong(format!(
            "version {} of the format at byte 4; this reads version {VERSION}",
            frame[4]
        ));
    }
    if frame[5..8] != [0; 3] {
        return wrong("altered: bytes 5 to 7 are not zero".into());
    }
    let said = u64::from_le_bytes(frame[8..16].try_into().unwrap_or_default());
    if said != length as u64 {
        let what = if said > length as u64 {
            "truncated"
        } else {
            "altered"
        };
        return wrong(format!(
            "{what}: {length} bytes, and the header says {said} at byte 8"
        ));
    }
    Account::new(limits).check(length)?;
    let sum = checksum(frame);
    let said = u32::from_le_bytes(frame[20..HEADER].try_into().unwrap_or_default());
    if sum != said {
        return wrong(format!(
            "altered: the checksum is {sum:08x}, and the header says {said:08x} at byte 20"
        ));
    }
    Ok(u32::from_le_bytes(
        frame[16..20].try_into().unwrap_or_default(),
    ))
}
