//! Native components for NOOB runners. Everything but `ahead`, `block`, `bridge`, `driver`,
//! `handles` and `run` is plain Rust, and is built and tested without Python.

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

#[cfg(test)]
mod tests;

#[cfg(feature = "python")]
mod ahead;
#[cfg(feature = "python")]
mod block;
#[cfg(feature = "python")]
mod bridge;
#[cfg(feature = "python")]
mod driver;
#[cfg(feature = "python")]
mod handles;
#[cfg(feature = "python")]
mod run;
