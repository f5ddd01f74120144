//! Native components for NOOB runners. Everything but `bridge` and `driver` is plain Rust,
//! and is built and tested without Python.
#![deny(unsafe_code)]

pub mod epoch;
pub mod error;
pub mod graph;
pub mod items;
pub mod scheduler;

mod downstream;
mod optional;
mod progress;
mod ready;
mod sorter;

#[cfg(feature = "python")]
mod bridge;
#[cfg(feature = "python")]
mod driver;
