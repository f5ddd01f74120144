//! What can go wrong in the core. The bridge maps each to NOOB's own exception.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Something was marked done that was done already.
    AlreadyDone(String),
    /// Something was named that the graph does not have.
    NotAdded(String),
    /// The epoch is there already.
    EpochExists(String),
    /// The epoch was there, and has ended.
    EpochCompleted(String),
    /// No node can ever run again.
    Exhausted(String),
    /// A value that makes no sense.
    Value(String),
    /// A buffer was released that is not in use.
    DoubleFree(String),
    /// A buffer was asked for that has been released.
    UseAfterFree(String),
    /// A forked process asked for what is its parent's.
    Forked(String),
    /// What the system refused, with its number of the error.
    System(i32, String),
    /// A frame that is none, or is beyond a limit.
    Frame(String),
    /// Values that nest deeper than allowed.
    Depth(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Error::AlreadyDone(text)
        | Error::NotAdded(text)
        | Error::EpochExists(text)
        | Error::EpochCompleted(text)
        | Error::Exhausted(text)
        | Error::Value(text)
        | Error::DoubleFree(text)
        | Error::UseAfterFree(text)
        | Error::Forked(text)
        | Error::System(_, text)
        | Error::Frame(text)
        | Error::Depth(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Error {}
