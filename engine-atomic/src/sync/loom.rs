//! loom: every ordering, on tiny bodies.

#[cfg(not(feature = "loom"))]
compile_error!(
    "`--cfg engine_loom` needs the checker as well: add `--features loom` \
     (or `engine-atomic/loom` from another crate)"
);

pub use ::loom::{
    cell, hint,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread, thread_local,
};

pub use crate::futex;

/// Atomics and fences.
pub mod atomic {
    pub use ::loom::sync::atomic::*;
    pub use core::sync::atomic::compiler_fence;
}
