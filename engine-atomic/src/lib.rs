//! Placeholder: being written.
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(all(engine_loom, engine_shuttle))]
compile_error!("`engine_loom` and `engine_shuttle` exclude each other: set one of them");
#[cfg(all(any(engine_loom, engine_shuttle), not(feature = "std")))]
compile_error!("the model checkers need the feature `std`");

pub mod fence;
#[cfg(feature = "std")]
pub mod futex;
#[doc(hidden)]
pub mod sync;
#[cfg(feature = "std")]
pub mod topology;

mod backoff;
mod contention;
mod pad;

pub use backoff::Backoff;
pub use contention::Contention;
pub use pad::{CACHE_LINE, CachePadded};

/// What the macros of this crate expand to. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::pad::{separate, size_of_field};
}
