//! The atomic of a lock word, as something that a `const` can hold.
//!
//! `lock_api` asks for `const INIT`, an unlocked lock. loom's atomics register
//! with the execution that makes them, so no `const` can hold one. Under loom the
//! word of `INIT` is therefore absent, and using it panics with what to do
//! instead; our own constructors make a real word.

#[cfg(not(engine_loom))]
pub(super) use engine_atomic::sync::atomic::AtomicU32 as Word;

/// The word of `INIT`.
#[cfg(not(engine_loom))]
#[expect(
    clippy::declare_interior_mutable_const,
    reason = "lock_api's way to initialise a static"
)]
pub(super) const ZERO: Word = Word::new(0);

#[cfg(engine_loom)]
pub(super) use loom::{Word, ZERO};

#[cfg(engine_loom)]
mod loom {
    use engine_atomic::sync::atomic::AtomicU32;

    pub(crate) struct Word(Option<AtomicU32>);

    pub(crate) const ZERO: Word = Word(None);

    impl Word {
        pub(crate) fn new(value: u32) -> Self {
            Self(Some(AtomicU32::new(value)))
        }

        /// Claims exclusive access, as freeing would: loom reports every access
        /// that does not happen before this.
        #[cfg(test)]
        pub(crate) fn retire(&mut self) {
            self.0.as_mut().expect("made by `new`").with_mut(|_| ());
        }
    }

    impl std::ops::Deref for Word {
        type Target = AtomicU32;

        fn deref(&self) -> &AtomicU32 {
            self.0
                .as_ref()
                .expect("a lock made from lock_api's `INIT` cannot be modelled by loom: use `new`")
        }
    }
}
