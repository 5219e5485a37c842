//! Benchmarks of the engine-* crates beside their peers.
//!
//! Numbers from a shared machine drift: the same loop can take ten times as long
//! an hour later. So contestants take turns in one process, round after round,
//! and each round compares them while the machine is in one state. What counts is
//! the ratio to the baseline within a run, next to the limits of the hardware
//! measured in that same run. See the README.

pub mod limits;
pub mod queues;
pub mod report;
pub mod runner;

pub use report::Report;
pub use runner::{Contest, Options, Turn, Unit};
