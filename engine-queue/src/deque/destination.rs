//! Where a batch can go.

use alloc::boxed::Box;
use alloc::rc::Rc;

#[cfg(target_has_atomic = "64")]
use super::{Worker, bounded};

/// A worker's deque that stolen batches can be moved to, or what leads to one: `&`, [`Box`] and
/// [`Rc`]; of another pointer write `&**pointer`. Sealed: it is for the types of this crate.
pub trait Destination<T>: sealed::Destination<T> {}

pub(super) mod sealed {
    pub trait Destination<T> {
        /// How many items can be appended, at most `wanted`; room is made for them if it
        /// can be. Holds until the owner pushes.
        fn room_for(&self, wanted: usize) -> usize;

        /// Appends `count` items and publishes them at once, so that the owner pops
        /// `item(0)` first.
        ///
        /// # Safety
        ///
        /// `count` is not above what `room_for` said, and the owner has not pushed since.
        unsafe fn append(&self, count: usize, item: impl FnMut(usize) -> T);
    }
}

#[cfg(target_has_atomic = "64")]
impl<T> Destination<T> for Worker<T> {}

#[cfg(target_has_atomic = "64")]
impl<T> sealed::Destination<T> for Worker<T> {
    fn room_for(&self, wanted: usize) -> usize {
        self.reserve(wanted);
        wanted
    }

    unsafe fn append(&self, count: usize, mut item: impl FnMut(usize) -> T) {
        // SAFETY: by contract.
        unsafe { Worker::append(self, count as u64, |n| item(n as usize)) };
    }
}

#[cfg(target_has_atomic = "64")]
impl<T> Destination<T> for bounded::Worker<T> {}

#[cfg(target_has_atomic = "64")]
impl<T> sealed::Destination<T> for bounded::Worker<T> {
    fn room_for(&self, wanted: usize) -> usize {
        // No ring has more slots than fit 32 bits.
        let wanted = wanted.min(self.capacity()) as u32;
        bounded::Worker::room_for(self, wanted) as usize
    }

    unsafe fn append(&self, count: usize, mut item: impl FnMut(usize) -> T) {
        bounded::Worker::append(self, count as u32, |n| item(n as usize));
    }
}

macro_rules! leads_to {
    ($pointer:ty) => {
        impl<T, D: Destination<T>> Destination<T> for $pointer {}

        impl<T, D: Destination<T>> sealed::Destination<T> for $pointer {
            fn room_for(&self, wanted: usize) -> usize {
                (**self).room_for(wanted)
            }

            unsafe fn append(&self, count: usize, item: impl FnMut(usize) -> T) {
                // SAFETY: by contract.
                unsafe { (**self).append(count, item) };
            }
        }
    };
}

leads_to!(&D);
leads_to!(Box<D>);
leads_to!(Rc<D>);
