//! Work-stealing deques: one owner pushes and pops, many thieves steal.

#[cfg(target_has_atomic = "64")]
pub mod bounded;
mod steal;

pub use steal::Steal;
