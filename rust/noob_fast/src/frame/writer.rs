//! Writes values into a frame, one call a value, containers before what they hold.

use super::output::Output;
use super::{
    Account, Beside, Date, HEADER, Known, Limits, RECORD_KEYS, RECORD_SHAPES, Time, cost, seal, tag,
};
use crate::error::{Error, Result};
use rustc_hash::FxHashMap;

/// Every error here is `Error::Frame` if the frame gets larger than allowed, or `Error::Depth`.
pub struct Writer<O> {
    out: O,
    account: Account,
    /// The number of the record by its keys as they are written.
    shapes: FxHashMap<Box<[u8]>, u32>,
    buffers: u32,
}

/// The keys of a record that are being written.
pub struct Keys {
    start: usize,
    charged: usize,
    count: usize,
}

#[allow(
    clippy::missing_errors_doc,
    reason = "it is the same for all, and said above"
)]
impl<O: Output> Writer<O> {
    /// A writer into `out`, whose room is used and whose content is not.
    pub fn new(mut out: O, limits: Limits) -> Self {
        out.truncate(0);
        let mut writer = Writer {
            out,
            account: Account::new(limits),
            shapes: FxHashMap::default(),
            buffers: 0,
        };
        writer.out.put(&[0; HEADER]);
        writer
    }

    /// The frame, when its value is written.
    pub fn finish(mut self) -> Result<O> {
        self.account.check(self.out.count())?;
        seal(self.out.bytes(), self.buffers);
        Ok(self.out)
    }

    #[inline]
    pub fn none(&mut self) {
        self.out.push(tag::NONE);
    }

    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.push(if value { tag::TRUE } else { tag::FALSE });
    }

    #[inline]
    #[allow(clippy::cast_sign_loss, reason = "the branch has checked it")]
    pub fn int(&mut self, value: i64) {
        if (0..0x80).contains(&value) {
            self.out.push(value as u8);
        } else if let Ok(value) = i8::try_from(value) {
            self.out.tagged(tag::INT8, value.to_le_bytes());
        } else if let Ok(value) = i16::try_from(value) {
            self.out.tagged(tag::INT16, value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.out.tagged(tag::INT32, value.to_le_bytes());
        } else {
            self.out.tagged(tag::INT64, value.to_le_bytes());
        }
    }

    /// An int beyond 64 bits, in two's complement.
    pub fn big(&mut self, bytes: &[u8]) -> Result<()> {
        self.sized(tag::INT, bytes)
    }

    #[inline]
    pub fn float(&mut self, value: f64) {
        self.out.tagged(tag::FLOAT, value.to_bits().to_le_bytes());
    }

    #[inline]
    pub fn str(&mut self, text: &str) -> Result<()> {
        self.ascii(text)?;
        if text.is_ascii() {
            return Ok(());
        }
        self.account.charge(cost::TEXT, text.len())
    }

    /// Text that is known to be ASCII.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: it is most of what is written"
    )]
    pub fn ascii(&mut self, text: &str) -> Result<()> {
        let length = text.len();
        if length > usize::from(tag::STR_END - tag::STR) {
            return self.sized(tag::LONG_STR, text.as_bytes());
        }
        self.out.short(tag::STR + length as u8, text.as_bytes());
        Ok(())
    }

    /// Text with lone surrogates, as UTF-8 would write them.
    pub fn surrogates(&mut self, text: &[u8]) -> Result<()> {
        self.account.charge(cost::TEXT, text.len())?;
        self.sized(tag::SURROGATES, text)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.sized(tag::BYTES, bytes)
    }

    pub fn bytearray(&mut self, bytes: &[u8]) -> Result<()> {
        self.sized(tag::BYTEARRAY, bytes)
    }

    /// A buffer of `length` bytes that travels beside the frame, after those named before.
    pub fn beside(&mut self, what: Beside, length: usize) -> Result<()> {
        self.buffers = self.buffers.checked_add(1).ok_or_else(|| {
            Error::Frame("more buffers beside a frame than it can count".to_string())
        })?;
        self.out.push(match what {
            Beside::Bytes => tag::BESIDE_BYTES,
            Beside::Bytearray => tag::BESIDE_BYTEARRAY,
            Beside::View => tag::BESIDE_VIEW,
        });
        self.length(length);
        Ok(())
    }

    /// A list of as many values as follow, up to `leave`; so with the other containers.
    #[inline]
    pub fn list(&mut self, count: usize) -> Result<()> {
        self.container(tag::LIST, cost::LIST, count)
    }

    pub fn tuple(&mut self, count: usize) -> Result<()> {
        self.container(tag::TUPLE, cost::LIST, count)
    }

    pub fn set(&mut self, count: usize) -> Result<()> {
        self.container(tag::SET, cost::TABLE, count)
    }

    pub fn frozenset(&mut self, count: usize) -> Result<()> {
        self.container(tag::FROZENSET, cost::TABLE, count)
    }

    /// A dict of as many keys and values in turn.
    pub fn dict(&mut self, count: usize) -> Result<()> {
        self.container(tag::DICT, cost::TABLE, count)
    }

    /// Begins the keys of a record: so many strings are written next, then comes `record`. `None`
    /// if a record cannot have so many.
    pub fn keys(&mut self, count: usize) -> Option<Keys> {
        if count == 0 || count > RECORD_KEYS {
            return None;
        }
        let keys = Keys {
            start: self.out.count(),
            charged: self.account.bytes,
            count,
        };
        self.out.push(tag::NEW_RECORD);
        self.length(count);
        Some(keys)
    }

    /// A record with the keys just written, and its number; its values follow, up to `leave`.
    /// `None` if the frame has too many records with keys of their own: then nothing is written.
    pub fn record(&mut self, keys: &Keys) -> Result<Option<u32>> {
        let known = self.shapes.get(&self.out.bytes()[keys.start..]).copied();
        if known.is_none() && self.shapes.len() < RECORD_SHAPES {
            let number = self.shapes.len() as u32;
            self.shapes
                .insert(self.out.bytes()[keys.start..].into(), number);
            self.account.enter(cost::RECORD, keys.count)?;
            return Ok(Some(number));
        }
        self.out.truncate(keys.start);
        self.account.bytes = keys.charged;
        if let Some(number) = known {
            self.again(number, keys.count)?;
        }
        Ok(known)
    }

    /// A record with the `count` keys of an earlier one.
    #[inline]
    pub fn again(&mut self, number: u32, count: usize) -> Result<()> {
        self.out.push(tag::RECORD);
        self.length(number as usize);
        self.account.enter(cost::RECORD, count)?;
        self.account.check(self.out.count())
    }

    /// A list of floats, whole, where all of `count` are there.
    #[inline]
    pub fn floats(&mut self, values: impl ExactSizeIterator<Item = Option<f64>>) -> Result<bool> {
        let (start, count) = (self.out.count(), values.len());
        self.out.push(tag::FLOATS);
        self.length(count);
        let all = count.saturating_mul(8 + cost::LIST.1);
        self.account.check(all.saturating_add(self.out.count()))?;
        let bytes = |value: Option<f64>| Some(value?.to_bits().to_le_bytes());
        if !self.out.all(values.map(bytes)) {
            self.out.truncate(start);
            return Ok(false);
        }
        self.account.enter(cost::LIST, count)?;
        self.account.leave();
        self.account.check(self.out.count())?;
        Ok(true)
    }

    /// A list of ints, whole, in the fewest bytes an int.
    pub fn ints(&mut self, values: &[i64]) -> Result<()> {
        let (low, high) = values
            .iter()
            .fold((0, 0), |(low, high), &v| (v.min(low), v.max(high)));
        self.account.enter(cost::LIST, values.len())?;
        self.account.leave();
        if i8::try_from(low).is_ok() && i8::try_from(high).is_ok() {
            self.column(0, values, |v| (v as i8).to_le_bytes());
        } else if i16::try_from(low).is_ok() && i16::try_from(high).is_ok() {
            self.column(1, values, |v| (v as i16).to_le_bytes());
        } else if i32::try_from(low).is_ok() && i32::try_from(high).is_ok() {
            self.column(2, values, |v| (v as i32).to_le_bytes());
        } else {
            self.column(3, values, i64::to_le_bytes);
        }
        self.account.check(self.out.count())
    }

    fn column<const N: usize>(&mut self, width: u8, values: &[i64], cut: impl Fn(i64) -> [u8; N]) {
        self.out.push(tag::INTS + width);
        self.length(values.len());
        self.out.all(values.iter().map(|&value| Some(cut(value))));
    }

    pub fn date(&mut self, date: Date) {
        self.out.push(tag::DATE);
        self.day(date);
    }

    /// A time of day; its time zone, or none, is the next value. So with `datetime`.
    pub fn time(&mut self, time: Time) -> Result<()> {
        self.out.push(tag::TIME);
        self.clock(time);
        self.account.enter(cost::KNOWN, 0)
    }

    pub fn datetime(&mut self, date: Date, time: Time) -> Result<()> {
        self.out.push(tag::DATETIME);
        self.day(date);
        self.clock(time);
        self.account.enter(cost::KNOWN, 0)
    }

    pub fn timedelta(&mut self, days: i32, seconds: i32, microseconds: i32) {
        self.out.push(tag::TIMEDELTA);
        for part in [days, seconds, microseconds] {
            self.out.put(&part.to_le_bytes());
        }
    }

    pub fn pickle(&mut self, bytes: &[u8]) -> Result<()> {
        self.sized(tag::PICKLE, bytes)
    }

    /// A value of a registered type; its payload is the next value, and then comes `leave`.
    pub fn hook(&mut self, name: &str) -> Result<()> {
        self.sized(tag::HOOK, name.as_bytes())?;
        self.account.enter(cost::KNOWN, 0)
    }

    /// A value of a known type; its payload is the next value, and then comes `leave`.
    pub fn known(&mut self, kind: Known) -> Result<()> {
        self.out.push(tag::KNOWN + kind as u8);
        self.account.enter(cost::KNOWN, 0)
    }

    /// The last container has all its values.
    #[inline]
    pub fn leave(&mut self) {
        self.account.leave();
    }

    fn day(&mut self, date: Date) {
        self.out.put(&date.year.to_le_bytes());
        self.out.put(&[date.month, date.day]);
    }

    fn clock(&mut self, time: Time) {
        self.out
            .put(&[time.hour, time.minute, time.second, time.fold]);
        self.out.put(&time.microsecond.to_le_bytes());
    }

    #[inline]
    fn container(&mut self, tag: u8, cost: (usize, usize), count: usize) -> Result<()> {
        self.out.push(tag);
        self.length(count);
        self.account.enter(cost, count)?;
        self.account.check(self.out.count())
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<()> {
        self.account
            .check(self.out.count().saturating_add(bytes.len()))?;
        self.out.push(tag);
        self.length(bytes.len());
        self.out.put(bytes);
        Ok(())
    }

    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: nearly every length is one byte"
    )]
    fn length(&mut self, length: usize) {
        if length <= 251 {
            self.out.push(length as u8);
        } else if let Ok(length) = u16::try_from(length) {
            self.out.tagged(252, length.to_le_bytes());
        } else if let Ok(length) = u32::try_from(length) {
            self.out.tagged(253, length.to_le_bytes());
        } else {
            self.out.tagged(254, (length as u64).to_le_bytes());
        }
    }
}
