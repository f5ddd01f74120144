//! Native components for NOOB runners.
#[cfg(feature = "python")]
mod bridge;
