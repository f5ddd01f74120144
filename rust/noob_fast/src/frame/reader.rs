//! Reads a frame, checks it, and drives a builder with what it finds.

use super::builder::Builder;
use super::{
    Account, Beside, Date, HEADER, Known, Limits, RECORD_KEYS, RECORD_SHAPES, Time, cost, open, tag,
};
use crate::error::Error;

pub struct Reader<'a, B: Builder> {
    data: &'a [u8],
    at: usize,
    builder: B,
    account: Account,
    /// Values whose containers are not complete.
    stack: Vec<B::Value>,
    shapes: Vec<(B::Keys, usize)>,
    buffers: u32,
}

impl<'a, B: Builder> Reader<'a, B> {
    /// A reader of a frame with so many buffers beside it.
    ///
    /// # Errors
    /// `Error::Frame` if the header is wrong, the frame altered, or has other buffers.
    pub fn new(
        data: &'a [u8],
        buffers: usize,
        builder: B,
        limits: Limits,
    ) -> Result<Self, B::Error> {
        let said = open(data, limits)?;
        if said as usize != buffers {
            return Err(Error::Frame(format!(
                "{buffers} buffers were given, and the frame says {said} at byte 16"
            ))
            .into());
        }
        let mut account = Account::new(limits);
        account.charge((data.len(), 0), 0)?;
        Ok(Reader {
            data,
            at: HEADER,
            builder,
            account,
            stack: Vec::new(),
            shapes: Vec::new(),
            buffers: said,
        })
    }

    /// The byte where reading stopped.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The frame's value.
    ///
    /// # Errors
    /// `Error::Frame` or `Error::Depth` without the offset, or the builder's.
    pub fn read(&mut self) -> Result<B::Value, B::Error> {
        let value = self.value()?;
        if self.at != self.data.len() {
            let rest = self.data.len() - self.at;
            return Err(wrong(format!("{rest} bytes follow the value")));
        }
        if self.buffers != 0 {
            let rest = self.buffers;
            return Err(wrong(format!("{rest} buffers are not used")));
        }
        Ok(value)
    }

    fn value(&mut self) -> Result<B::Value, B::Error> {
        let [tag] = self.array()?;
        match tag {
            0..=0x7F => self.builder.int(i64::from(tag)),
            tag::STR..=tag::STR_END => self.text(usize::from(tag - tag::STR)),
            tag::NONE => Ok(self.builder.none()),
            tag::FALSE => Ok(self.builder.bool(false)),
            tag::TRUE => Ok(self.builder.bool(true)),
            tag::INT8 => {
                let value = i8::from_le_bytes(self.array()?);
                self.builder.int(value.into())
            }
            tag::INT16 => {
                let value = i16::from_le_bytes(self.array()?);
                self.builder.int(value.into())
            }
            tag::INT32 => {
                let value = i32::from_le_bytes(self.array()?);
                self.builder.int(value.into())
            }
            tag::INT64 => {
                let value = i64::from_le_bytes(self.array()?);
                self.builder.int(value)
            }
            tag::FLOAT => {
                let bits = u64::from_le_bytes(self.array()?);
                self.builder.float(f64::from_bits(bits))
            }
            tag::RECORD => self.record(),
            tag::NEW_RECORD => self.new_record(),
            tag::FLOATS => self.floats(),
            tag::INTS..=tag::INTS_END => self.ints(tag - tag::INTS),
            tag::LONG_STR => {
                let length = self.length()?;
                self.text(length)
            }
            tag::LIST..=tag::DICT => self.container(tag),
            _ => self.rarer(tag),
        }
    }

    fn container(&mut self, tag: u8) -> Result<B::Value, B::Error> {
        let count = self.count()?;
        let (cost, each) = match tag {
            tag::LIST | tag::TUPLE => (cost::LIST, 1),
            tag::DICT => (cost::TABLE, 2),
            _ => (cost::TABLE, 1),
        };
        self.account.enter(cost, count)?;
        let start = self.stack.len();
        for _ in 0..count * each {
            let value = self.value()?;
            self.stack.push(value);
        }
        self.account.leave();
        let items = self.stack.drain(start..);
        match tag {
            tag::LIST => self.builder.list(items),
            tag::TUPLE => self.builder.tuple(items),
            tag::SET => self.builder.set(items),
            tag::FROZENSET => self.builder.frozenset(items),
            _ => self.builder.dict(items),
        }
    }

    fn new_record(&mut self) -> Result<B::Value, B::Error> {
        let count = self.count()?;
        if count == 0 || count > RECORD_KEYS {
            return Err(wrong(format!("a record of {count} keys")));
        }
        if self.shapes.len() == RECORD_SHAPES {
            return Err(wrong(format!("more than {RECORD_SHAPES} kinds of records")));
        }
        let start = self.stack.len();
        for _ in 0..count {
            let [tag] = self.array()?;
            let key = match tag {
                tag::STR..=tag::STR_END => self.text(usize::from(tag - tag::STR))?,
                tag::LONG_STR => {
                    let length = self.length()?;
                    self.text(length)?
                }
                tag::SURROGATES => self.rarer(tag)?,
                _ => return Err(wrong(format!("a record's key with tag {tag:#04x}"))),
            };
            self.stack.push(key);
        }
        let keys = self.builder.keys(self.stack.drain(start..))?;
        self.shapes.push((keys, count));
        self.values(self.shapes.len() - 1)
    }

    fn record(&mut self) -> Result<B::Value, B::Error> {
        let number = self.length()?;
        if number >= self.shapes.len() {
            let known = self.shapes.len();
            return Err(wrong(format!("record {number} of {known} so far")));
        }
        self.values(number)
    }

    fn values(&mut self, number: usize) -> Result<B::Value, B::Error> {
        let count = self.shapes[number].1;
        self.account.enter(cost::RECORD, count)?;
        let start = self.stack.len();
        for _ in 0..count {
            let value = self.value()?;
            self.stack.push(value);
        }
        self.account.leave();
        self.builder
            .record(&self.shapes[number].0, self.stack.drain(start..))
    }

    fn floats(&mut self) -> Result<B::Value, B::Error> {
        let count = self.length()?;
        let raw = self.take(count.saturating_mul(8))?;
        self.column(count)?;
        self.builder.floats(raw.as_chunks().0)
    }

    fn ints(&mut self, width: u8) -> Result<B::Value, B::Error> {
        let count = self.length()?;
        let raw = self.take(count.saturating_mul(1 << width))?;
        self.column(count)?;
        let build = &mut self.builder;
        match width {
            0 => build.ints(
                raw.as_chunks()
                    .0
                    .iter()
                    .map(|&b| i8::from_le_bytes(b).into()),
            ),
            1 => build.ints(
                raw.as_chunks()
                    .0
                    .iter()
                    .map(|&b| i16::from_le_bytes(b).into()),
            ),
            2 => build.ints(
                raw.as_chunks()
                    .0
                    .iter()
                    .map(|&b| i32::from_le_bytes(b).into()),
            ),
            _ => build.ints(raw.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b))),
        }
    }

    fn column(&mut self, count: usize) -> Result<(), Error> {
        self.account.enter(cost::LIST, count)?;
        self.account.leave();
        Ok(())
    }

    #[inline(never)]
    fn rarer(&mut self, tag: u8) -> Result<B::Value, B::Error> {
        match tag {
            tag::INT => {
                let bytes = self.sized()?;
                self.builder.big(bytes)
            }
            tag::SURROGATES => {
                let text = self.sized()?;
                if !is_text_with_surrogates(text) {
                    return Err(wrong("text that is not UTF-8, even with surrogates".into()));
                }
                self.account.charge(cost::TEXT, text.len())?;
                self.builder.surrogates(text)
            }
            tag::BYTES => {
                let bytes = self.sized()?;
                self.builder.bytes(bytes)
            }
            tag::BYTEARRAY => {
                let bytes = self.sized()?;
                self.builder.bytearray(bytes)
            }
            tag::BESIDE_BYTES => self.beside(Beside::Bytes),
            tag::BESIDE_BYTEARRAY => self.beside(Beside::Bytearray),
            tag::BESIDE_VIEW => self.beside(Beside::View),
            tag::DATE => {
                let date = self.date()?;
                self.builder.date(date)
            }
            tag::TIME => {
                let time = self.time()?;
                let zone = self.payload()?;
                self.builder.time(time, zone)
            }
            tag::DATETIME => {
                let (date, time) = (self.date()?, self.time()?);
                let zone = self.payload()?;
                self.builder.datetime(date, time, zone)
            }
            tag::TIMEDELTA => {
                let mut parts = [0; 3];
                for part in &mut parts {
                    *part = i32::from_le_bytes(self.array()?);
                }
                self.builder.timedelta(parts)
            }
            tag::PICKLE => {
                let bytes = self.sized()?;
                self.builder.pickle(bytes)
            }
            tag::HOOK => {
                let name = std::str::from_utf8(self.sized()?)
                    .map_err(|_| Error::Frame("a type's name that is not UTF-8".into()))?;
                let payload = self.payload()?;
                self.builder.hook(name, payload)
            }
            _ => match Known::ALL.get(usize::from(tag.wrapping_sub(tag::KNOWN))) {
                Some(&kind) => {
                    let payload = self.payload()?;
                    self.builder.known(kind, payload)
                }
                None => Err(wrong(format!("unknown tag {tag:#04x}"))),
            },
        }
    }

    fn payload(&mut self) -> Result<B::Value, B::Error> {
        self.account.enter(cost::KNOWN, 0)?;
        let value = self.value()?;
        self.account.leave();
        Ok(value)
    }

    fn beside(&mut self, what: Beside) -> Result<B::Value, B::Error> {
        let length = self.length()?;
        self.buffers = self.buffers.checked_sub(1).ok_or_else(|| {
            Error::Frame("more buffers are used than are beside the frame".to_string())
        })?;
        if self.builder.copies(what) {
            self.account.charge((length, 0), 0)?;
        }
        self.builder.beside(what, length as u64)
    }

    fn date(&mut self) -> Result<Date, Error> {
        let year = u16::from_le_bytes(self.array()?);
        let [month, day] = self.array()?;
        Ok(Date { year, month, day })
    }

    fn time(&mut self) -> Result<Time, Error> {
        let [hour, minute, second, fold] = self.array()?;
        let microsecond = u32::from_le_bytes(self.array()?);
        if fold > 1 {
            return Err(Error::Frame(format!("a time with fold {fold}")));
        }
        Ok(Time {
            hour,
            minute,
            second,
            fold,
            microsecond,
        })
    }

    #[inline]
    fn text(&mut self, length: usize) -> Result<B::Value, B::Error> {
        let bytes = self.take(length)?;
        if bytes.is_ascii() {
            return self.builder.ascii(bytes);
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::Frame("text that is not UTF-8".to_string()))?;
        self.account.charge(cost::TEXT, length)?;
        self.builder.str(text)
    }

    /// A count of values, of which each takes a byte at least.
    #[inline]
    fn count(&mut self) -> Result<usize, Error> {
        let count = self.length()?;
        if count > self.data.len() - self.at {
            return Err(self.short(count));
        }
        Ok(count)
    }

    fn sized(&mut self) -> Result<&'a [u8], Error> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Error> {
        let [first] = self.array()?;
        let length = match first {
            252 => u16::from_le_bytes(self.array()?).into(),
            253 => u32::from_le_bytes(self.array()?).into(),
            254 => u64::from_le_bytes(self.array()?),
            255 => return Err(Error::Frame("a length that starts with 255".into())),
            _ => first.into(),
        };
        // What does not fit is more than the frame has, whatever it is.
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        match self.data[self.at..].split_at_checked(length) {
            Some((taken, _)) => {
                self.at += length;
                Ok(taken)
            }
            None => Err(self.short(length)),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        match self.data[self.at..].first_chunk() {
            Some(taken) => {
                self.at += N;
                Ok(*taken)
            }
            None => Err(self.short(N)),
        }
    }

    #[cold]
    fn short(&self, wanted: usize) -> Error {
        let rest = self.data.len() - self.at;
        Error::Frame(format!(
            "{wanted} bytes or values wanted, and {rest} bytes are left"
        ))
    }
}

#[cold]
fn wrong<E: From<Error>>(text: String) -> E {
    Error::Frame(text).into()
}

/// Whether this is UTF-8 but for surrogates, which are written as UTF-8 would.
fn is_text_with_surrogates(mut text: &[u8]) -> bool {
    while let Err(error) = std::str::from_utf8(text) {
        text = &text[error.valid_up_to()..];
        match text {
            [0xED, 0xA0..=0xBF, 0x80..=0xBF, rest @ ..] => text = rest,
            _ => return false,
        }
    }
    true
}
