//! A value that is copied in and out by relaxed atomics, in pieces.
//!
//! A copy may be torn, when it raced another; the caller finds out afterwards. It is
//! a `MaybeUninit` until then, because a torn value may be none of its type.

use core::mem::MaybeUninit;

use crate::plain::Plain;

#[cfg(not(any(engine_loom, engine_shuttle)))]
pub(super) use in_place::Words;
#[cfg(any(engine_loom, engine_shuttle))]
pub(super) use modelled::Words;

const WORD: usize = size_of::<usize>();

/// Production: in the memory of the value itself, as whole words and then bytes.
#[cfg(not(any(engine_loom, engine_shuttle)))]
mod in_place {
    use super::*;
    use crate::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
    use crate::sync::cell::UnsafeCell;

    #[repr(C)]
    pub(in crate::seqlock) struct Words<T> {
        /// Aligns `value` so that its words are aligned.
        _align: [usize; 0],
        value: UnsafeCell<MaybeUninit<T>>,
    }

    // SAFETY: all access to `value` through a shared reference is by atomics, and
    // what gets to another thread is a copy of a `T`, so `Send` is enough.
    unsafe impl<T: Plain + Send> Sync for Words<T> {}

    impl<T: Plain> Words<T> {
        pub(in crate::seqlock) const fn new(value: T) -> Self {
            const { T::ASSERT_NO_PADDING }
            Self {
                _align: [],
                value: UnsafeCell::new(MaybeUninit::new(value)),
            }
        }

        /// The words of the value, and the bytes after the last whole one.
        #[inline(always)]
        fn pieces(&self) -> (&[AtomicUsize], &[AtomicU8]) {
            let (words, bytes) = (size_of::<T>() / WORD, size_of::<T>() % WORD);
            self.value.with_mut(|value| {
                let start: *const AtomicUsize = value.cast();
                // SAFETY: (1) `words` words lie within the value; (2) it is aligned
                // by `_align`, and an atomic has the layout of its integer; (3) every byte
                // is initialised, since `T` is `Plain`; (4) shared references to
                // it give atomic access only, here; (5) it lives as long as `self`.
                let whole = unsafe { core::slice::from_raw_parts(start, words) };
                // SAFETY: at most one past the end of the value.
                let rest = unsafe { start.add(words) };
                // SAFETY: as for the words, with the rest of the value's bytes, which
                // no word covers.
                let rest = unsafe { core::slice::from_raw_parts(rest.cast(), bytes) };
                (whole, rest)
            })
        }

        #[inline]
        pub(in crate::seqlock) fn store(&self, value: T) {
            let from: *const T = &value;
            let (words, bytes) = self.pieces();
            for (n, word) in words.iter().enumerate() {
                // SAFETY: (1) within the value; (2) the read is unaligned; (3) the
                // bytes are initialised and no pointers, since `T` is `Plain`.
                let piece = unsafe { from.cast::<usize>().wrapping_add(n).read_unaligned() };
                // Relaxed: ordered by the caller's fence and sequence.
                word.store(piece, Relaxed);
            }
            for (n, byte) in bytes.iter().enumerate() {
                // SAFETY: as above, behind the words.
                let piece = unsafe {
                    from.cast::<u8>()
                        .wrapping_add(words.len() * WORD + n)
                        .read()
                };
                // Relaxed: as above.
                byte.store(piece, Relaxed);
            }
        }

        #[inline]
        pub(in crate::seqlock) fn load(&self) -> MaybeUninit<T> {
            let mut copy = MaybeUninit::<T>::uninit();
            let to = copy.as_mut_ptr();
            let (words, bytes) = self.pieces();
            for (n, word) in words.iter().enumerate() {
                // Relaxed: ordered by the caller's sequence and fence.
                let piece = word.load(Relaxed);
                // SAFETY: (1) within the copy; (2) the write is unaligned.
                unsafe { to.cast::<usize>().wrapping_add(n).write_unaligned(piece) };
            }
            for (n, byte) in bytes.iter().enumerate() {
                // Relaxed: as above.
                let piece = byte.load(Relaxed);
                // SAFETY: as above, behind the words.
                unsafe {
                    to.cast::<u8>()
                        .wrapping_add(words.len() * WORD + n)
                        .write(piece)
                };
            }
            copy
        }
    }
}

/// Under a checker: one atomic of the checker's for each word.
#[cfg(any(engine_loom, engine_shuttle))]
mod modelled {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    pub(in crate::seqlock) struct Words<T> {
        words: Box<[AtomicUsize]>,
        value: core::marker::PhantomData<T>,
    }

    // SAFETY: what gets to another thread is a copy of a `T`, so `Send` is enough.
    unsafe impl<T: Plain + Send> Sync for Words<T> {}

    impl<T: Plain> Words<T> {
        pub(in crate::seqlock) fn new(value: T) -> Self {
            const { T::ASSERT_NO_PADDING }
            Self {
                words: split(value).map(AtomicUsize::new).collect(),
                value: core::marker::PhantomData,
            }
        }

        pub(in crate::seqlock) fn store(&self, value: T) {
            for (word, piece) in self.words.iter().zip(split(value)) {
                // Relaxed: as in production.
                word.store(piece, Relaxed);
            }
        }

        pub(in crate::seqlock) fn load(&self) -> MaybeUninit<T> {
            let mut copy = MaybeUninit::<T>::uninit();
            let to: *mut u8 = copy.as_mut_ptr().cast();
            for (n, word) in self.words.iter().enumerate() {
                // Relaxed: as in production.
                let bytes = word.load(Relaxed).to_ne_bytes();
                let length = WORD.min(size_of::<T>() - n * WORD);
                let piece = to.wrapping_add(n * WORD);
                // SAFETY: (1) within the copy: the last piece is cut at its end; (2) a
                // local array does not overlap.
                unsafe { piece.copy_from_nonoverlapping(bytes.as_ptr(), length) };
            }
            copy
        }
    }

    /// The words of a value, the last one filled up with zeros.
    fn split<T: Plain>(value: T) -> impl Iterator<Item = usize> {
        (0..size_of::<T>().div_ceil(WORD)).map(move |n| {
            let from: *const u8 = (&raw const value).cast();
            let mut bytes = [0; WORD];
            let length = WORD.min(size_of::<T>() - n * WORD);
            let piece = from.wrapping_add(n * WORD);
            // SAFETY: (1) within the value; (2) the bytes are initialised, since `T` is
            // `Plain`; (3) a local array does not overlap.
            unsafe { piece.copy_to_nonoverlapping(bytes.as_mut_ptr(), length) };
            usize::from_ne_bytes(bytes)
        })
    }
}
