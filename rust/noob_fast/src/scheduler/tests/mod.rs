//! The core without Python: small tubes with known answers, and random ones with invariants. That
//! the answers are also `noob_core`'s is tested from Python.

mod bookkeeping;
mod epochs;
mod graphs;
mod random;
mod subepochs;
pub mod support;
