//! A value that is read far more often than written.

use core::fmt;
use core::mem::MaybeUninit;

use crate::Backoff;
use crate::plain::Plain;
use crate::sync::atomic::{AtomicUsize, Ordering::*, fence};

mod words;

use words::Words;

/// A small value that readers copy without writing anything.
///
/// A reader-writer lock makes every reader write to the lock, so readers slow each other
/// down. Here a reader loads a sequence number, copies the value, and loads the number
/// again: if it is the same and even, no writer was at work, and the copy is whole.
/// Otherwise it copies again. Readers share the line and never take it from each other.
///
/// # Example
///
/// ```
/// use engine_atomic::SeqLock;
///
/// static POSITION: SeqLock<[f64; 3]> = SeqLock::new([0.0; 3]);
///
/// std::thread::scope(|s| {
///     s.spawn(|| POSITION.write([1.0, 2.0, 3.0]));
///     let [x, y, z] = POSITION.read();
///     assert!(y == 2.0 * x && z == 3.0 * x);
/// });
/// POSITION.update(|[x, _, _]| *x += 1.0);
/// assert_eq!(POSITION.read(), [2.0, 2.0, 3.0]);
/// ```
///
/// # Guarantees
///
/// - **No torn reads**: [`read`](Self::read) and [`try_read`](Self::try_read) return a
///   value that was written as a whole. And no data race: the value is copied by
///   relaxed atomics, which is why it must be [`Plain`] and not only `Copy`. (A reader that
///   is suspended while exactly 2^31 writes go by would be fooled on a 32-bit target;
///   on 64-bit ones it takes 2^63.)
/// - **Order**: a read that returns a value sees what happened before the write of that
///   value. Writes are totally ordered, and each sees what happened before the one before.
/// - **Progress**: not lock-free. Readers and writers wait for a writer that is suspended
///   between its two steps on the sequence number; the value is copied there and nothing else. A steady
///   stream of writes can starve a reader. [`try_read`](Self::try_read) and
///   [`try_write`](Self::try_write) never wait. Waiting spins, then yields, and
///   never sleeps.
/// - **No user code runs while readers are kept out**: the closure of
///   [`update`](Self::update) works on a copy, and may panic, or use the same `SeqLock`.
/// - No allocation. Size: the value's, rounded up to words, and one word.
/// - `Send` and `Sync` if `T` is `Send`: a reference to the value is never given out.
///
/// # When not to use
///
/// - For one word, use an atomic. For more than a few cache lines, readers copy too long
///   between two writes: publish a pointer instead.
/// - When writes are frequent: they make all readers copy again.
/// - From a signal handler, use only `try_read` and `try_write`: the handler may have interrupted a writer.
///
/// Source: the sequence locks of Linux (`include/linux/seqlock.h`); H.-J. Boehm, "Can
/// Seqlocks Get Along with Programming Language Memory Models?" (MSPC 2012), whose
/// variant with fences this is.
///
/// # The sequence number
///
/// | sequence | meaning | who may leave it, how |
/// |---|---|---|
/// | even | `sequence / 2` writes are done and none is under way | a writer, by CAS, to the next odd one |
/// | odd | one writer is storing the value | that writer, by a store, to the next even one |
pub struct SeqLock<T> {
    sequence: AtomicUsize,
    words: Words<T>,
}

impl<T: Plain> SeqLock<T> {
    crate::const_unless_model! {
        /// A lock around `value`.
        pub const fn new(value: T) -> Self {
            Self {
                sequence: AtomicUsize::new(0),
                words: Words::new(value),
            }
        }
    }

    /// A copy of the value; waits while it is being written.
    #[inline]
    pub fn read(&self) -> T {
        match self.attempt() {
            Attempt::Whole(value, _) => value,
            Attempt::Torn | Attempt::Writing => self.read_contended().0,
        }
    }

    /// A copy of the value, unless it is being written just now.
    #[inline]
    pub fn try_read(&self) -> Option<T> {
        match self.attempt() {
            Attempt::Whole(value, _) => Some(value),
            Attempt::Torn | Attempt::Writing => None,
        }
    }

    /// Replaces the value; waits for other writers.
    #[inline]
    pub fn write(&self, value: T) {
        let backoff = Backoff::new();
        loop {
            // Relaxed: `begin` says whether it is still true.
            let sequence = self.sequence.load(Relaxed);
            if sequence.is_multiple_of(2) && self.begin(sequence) {
                return self.finish(sequence, value);
            }
            backoff.snooze();
        }
    }

    /// Replaces the value, unless another thread is writing just now; hands `value`
    /// back then.
    #[inline]
    pub fn try_write(&self, value: T) -> Result<(), T> {
        // Relaxed: as in `write`.
        let sequence = self.sequence.load(Relaxed);
        if sequence.is_multiple_of(2) && self.begin(sequence) {
            self.finish(sequence, value);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// Changes the value; returns what `change` returned.
    ///
    /// `change` works on a copy, which is written if no other write came in between.
    /// Otherwise it is called again, on a new copy, so it may be called several times
    /// for one update. If it panics the value stays as it was. It may write to this lock
    /// itself, but not in every call: each time the update starts over.
    pub fn update<R>(&self, mut change: impl FnMut(&mut T) -> R) -> R {
        let backoff = Backoff::new();
        loop {
            let (mut value, sequence) = match self.attempt() {
                Attempt::Whole(value, sequence) => (value, sequence),
                Attempt::Torn | Attempt::Writing => self.read_contended(),
            };
            // Unwind: nothing has been touched yet.
            let result = change(&mut value);
            if self.begin(sequence) {
                self.finish(sequence, value);
                return result;
            }
            backoff.spin();
        }
    }

    /// Unwraps the value.
    pub fn into_inner(self) -> T {
        // SAFETY: `self` is owned, so no writer is at work and the value is whole.
        unsafe { self.words.load().assume_init() }
    }

    /// Copies until no writer came in between.
    #[cold]
    fn read_contended(&self) -> (T, usize) {
        let backoff = Backoff::new();
        loop {
            match self.attempt() {
                Attempt::Whole(value, sequence) => return (value, sequence),
                // The writer was quick: it is done already, or the next one began.
                Attempt::Torn => backoff.spin(),
                Attempt::Writing => backoff.snooze(),
            }
        }
    }

    #[inline]
    fn attempt(&self) -> Attempt<T> {
        // Acquire: the words of this write, or later ones, are what we load below;
        // pairs with the Release store in `finish`.
        let before = self.sequence.load(Acquire);
        if !before.is_multiple_of(2) {
            return Attempt::Writing;
        }
        let copy: MaybeUninit<T> = self.words.load();
        // Acquire: if a word came from a later write, the load below sees that write's
        // odd number or a later one; pairs with the Release fence in `begin`.
        fence(Acquire);
        // Relaxed: ordered by the fence; what it sees is only compared.
        if self.sequence.load(Relaxed) != before {
            return Attempt::Torn;
        }
        // SAFETY: (1) each word is from the write that ended with `before` or a later one, by
        // the Acquire load; (2) none is from a later one, by the fence; (3) so they are
        // the words of one value (of the first one, if there was no write).
        Attempt::Whole(unsafe { copy.assume_init() }, before)
    }

    /// Becomes the writer, if the sequence is still `even`.
    #[inline]
    fn begin(&self, even: usize) -> bool {
        // Even -> odd. Acquire: our words come after those of the write before, in
        // each word's modification order; pairs with the Release store in `finish`.
        // Relaxed on failure: the caller starts over.
        let ours = self
            .sequence
            .compare_exchange(even, even.wrapping_add(1), Acquire, Relaxed)
            .is_ok();
        if ours {
            // Release: who sees a word of ours sees the odd number too; pairs with the
            // Acquire fence in `attempt`.
            fence(Release);
        }
        ours
    }

    /// Stores the value, as the writer.
    #[inline]
    fn finish(&self, even: usize, value: T) {
        self.words.store(value);
        // Odd -> even. Release: publishes the words; pairs with the Acquire load in
        // `attempt` and the Acquire CAS in `begin`.
        self.sequence.store(even.wrapping_add(2), Release);
    }
}

/// What came of copying the value.
enum Attempt<T> {
    /// It was written as a whole, by the write that ended with this number.
    Whole(T, usize),
    /// A write came in between.
    Torn,
    /// A write was under way from the start.
    Writing,
}

// A panic anywhere leaves a value that was written as a whole.
impl<T> core::panic::RefUnwindSafe for SeqLock<T> {}

impl<T: Plain + Default> Default for SeqLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Plain> From<T> for SeqLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for SeqLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("SeqLock");
        match self.try_read() {
            Some(value) => f.field("value", &value),
            None => f.field("value", &format_args!("<being written>")),
        };
        f.finish()
    }
}

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
