//! What nodes emitted: a log for each epoch, and which epochs to drop where memory is bounded.

pub mod bounds;
pub mod log;
