//! Work-stealing deques: one owner pushes and pops, many thieves steal.

#[cfg(target_has_atomic = "64")]
pub mod bounded;
mod destination;
mod injector;
mod steal;

pub use destination::Destination;
pub use injector::Injector;
pub use steal::Steal;
