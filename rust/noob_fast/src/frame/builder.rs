//! What a reader drives: it makes the values.

use super::{Beside, Date, Known, Time};
use crate::error::Error;
use std::vec::Drain;

/// Makes values of what is read. Containers get what they hold, complete and in order. What the
/// builder cannot make is its own error.
#[allow(
    clippy::missing_errors_doc,
    reason = "it is the same for all, and said above"
)]
pub trait Builder {
    type Value;
    /// The keys of records.
    type Keys;
    type Error: From<Error>;

    fn none(&mut self) -> Self::Value;
    fn bool(&mut self, value: bool) -> Self::Value;
    fn int(&mut self, value: i64) -> Result<Self::Value, Self::Error>;
    fn big(&mut self, bytes: &[u8]) -> Result<Self::Value, Self::Error>;
    fn float(&mut self, value: f64) -> Result<Self::Value, Self::Error>;
    /// Text of ASCII.
    fn ascii(&mut self, text: &[u8]) -> Result<Self::Value, Self::Error>;
    fn str(&mut self, text: &str) -> Result<Self::Value, Self::Error>;
    fn surrogates(&mut self, text: &[u8]) -> Result<Self::Value, Self::Error>;
    fn bytes(&mut self, bytes: &[u8]) -> Result<Self::Value, Self::Error>;
    fn bytearray(&mut self, bytes: &[u8]) -> Result<Self::Value, Self::Error>;
    /// Whether the next of the buffers beside the frame would be copied.
    fn copies(&self, what: Beside) -> bool;
    /// The next of the buffers beside the frame.
    fn beside(&mut self, what: Beside, length: u64) -> Result<Self::Value, Self::Error>;
    fn floats(&mut self, values: &[[u8; 8]]) -> Result<Self::Value, Self::Error>;
    fn ints(
        &mut self,
        values: impl ExactSizeIterator<Item = i64>,
    ) -> Result<Self::Value, Self::Error>;
    fn list(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, Self::Error>;
    fn tuple(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, Self::Error>;
    fn set(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, Self::Error>;
    fn frozenset(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, Self::Error>;
    /// Keys and values in turn.
    fn dict(&mut self, items: Drain<'_, Self::Value>) -> Result<Self::Value, Self::Error>;
    fn keys(&mut self, keys: Drain<'_, Self::Value>) -> Result<Self::Keys, Self::Error>;
    fn record(
        &mut self,
        keys: &Self::Keys,
        values: Drain<'_, Self::Value>,
    ) -> Result<Self::Value, Self::Error>;
    fn date(&mut self, date: Date) -> Result<Self::Value, Self::Error>;
    fn time(&mut self, time: Time, zone: Self::Value) -> Result<Self::Value, Self::Error>;
    fn datetime(
        &mut self,
        date: Date,
        time: Time,
        zone: Self::Value,
    ) -> Result<Self::Value, Self::Error>;
    fn timedelta(&mut self, parts: [i32; 3]) -> Result<Self::Value, Self::Error>;
    fn pickle(&mut self, bytes: &[u8]) -> Result<Self::Value, Self::Error>;
    fn hook(&mut self, name: &str, payload: Self::Value) -> Result<Self::Value, Self::Error>;
    fn known(&mut self, kind: Known, payload: Self::Value) -> Result<Self::Value, Self::Error>;
}
