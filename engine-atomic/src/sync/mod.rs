//! The facade: one set of names for `std`, loom and shuttle.
//!
//! This module is hidden from the documentation and **exempt from semver**. It
//! is public so that the other engine-* crates, and the model tests of crates
//! that build on them, run over the same primitives. Nothing else in the
//! engine-* crates names `core::sync::atomic`, `std::thread`, `UnsafeCell`, a
//! spin hint or the futex.
//!
//! | `RUSTFLAGS` | backend | what it is for |
//! |---|---|---|
//! | none | `core` and `std` | production |
//! | `--cfg engine_loom`, feature `loom` | loom | orderings, on tiny bodies |
//! | `--cfg engine_shuttle`, feature `shuttle` | shuttle | interleavings, on big schedules |
//!
//! The cfg names are our own: a bare `loom` cfg reaches every dependency. The
//! switch is not gated on `cfg(test)`, which is never set for a dependency.
//!
//! # Rules for code over the facade
//!
//! - `UnsafeCell` is entered by `with` and `with_mut` only. Under shuttle each
//!   entry is a scheduling point that panics when two accesses overlap.
//! - No `get_mut`, `as_ptr` or transmute on atomics: the checkers' types have
//!   another layout. With exclusive access, load `Relaxed`.
//! - `const fn new` goes through [`const_unless_loom!`](crate::const_unless_loom):
//!   loom's constructors register an object and are not `const`.
//! - loom treats `SeqCst` *accesses* as `AcqRel` but models `fence(SeqCst)`:
//!   Dekker patterns use explicit fences.
//! - loom reports false histories where a plain store races an RMW on one
//!   atomic: use `swap` there.
//! - Constants shrink under a model by [`pick`].

#[cfg(not(any(engine_loom, engine_shuttle)))]
mod native;
#[cfg(not(any(engine_loom, engine_shuttle)))]
pub use native::*;

#[cfg(all(feature = "std", engine_tsan, not(any(engine_loom, engine_shuttle))))]
mod tsan;

#[cfg(engine_loom)]
mod loom;
#[cfg(engine_loom)]
pub use self::loom::*;

#[cfg(engine_shuttle)]
mod shuttle;
#[cfg(engine_shuttle)]
pub use self::shuttle::*;

/// Whether a model checker runs this build.
pub const MODEL: bool = cfg!(any(engine_loom, engine_shuttle));

/// `real` in production, `model` under a checker, so that a tiny body reaches
/// every block change, wrap and overflow. It must not change the logic.
pub const fn pick(real: usize, model: usize) -> usize {
    if MODEL { model } else { real }
}

/// Declares a `const fn`, or a plain `fn` under loom.
///
/// The choice is made here and not in the expansion, so that a crate which uses
/// the macro does not have to know our cfg names.
#[cfg(not(engine_loom))]
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        $(#[$meta])*
        $vis const fn $name($($arg: $ty),*) -> $ret $body
    };
}

/// Declares a plain `fn`: loom's constructors are not `const`.
#[cfg(engine_loom)]
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}

/// Declares a `const fn`, or a plain `fn` under a checker: for what stands in for
/// something there that takes an allocation.
#[cfg(not(any(engine_loom, engine_shuttle)))]
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_model {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        $(#[$meta])*
        $vis const fn $name($($arg: $ty),*) -> $ret $body
    };
}

/// Declares a plain `fn`: a checker runs this build.
#[cfg(any(engine_loom, engine_shuttle))]
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_model {
    ($(#[$meta:meta])* $vis:vis const fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) -> $ret $body
    };
}
