//! Native components for NOOB runners. All but `bridge` is plain Rust, and is built, tested and
//! measured without Python.

pub mod buffers;
pub mod error;
pub mod frame;
pub mod scheduler;
pub mod store;

#[cfg(feature = "python")]
mod bridge;
