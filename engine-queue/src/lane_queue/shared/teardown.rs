//! The end of a queue: the items in it are dropped and the segments freed.

use core::ptr::{self, NonNull};

use engine_atomic::sync::atomic::Ordering::*;

use super::Shared;
use crate::drop_all::drop_all;
use crate::lane_queue::segment::{Next, Segment};

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Frees a segment even if the drop of an item in it panics, and goes on.
        struct Rest<T>(*mut Segment<T>);

        impl<T> Iterator for Rest<T> {
            type Item = NonNull<Segment<T>>;

            fn next(&mut self) -> Option<Self::Item> {
                let segment = NonNull::new(self.0)?;
                // SAFETY: in the list, and not freed yet.
                self.0 = match unsafe { segment.as_ref() }.next() {
                    Next::Segment(next) => next.as_ptr(),
                    Next::Nothing | Next::End => ptr::null_mut(),
                };
                Some(segment)
            }
        }

        /// Owns a segment.
        struct Owned<T>(NonNull<Segment<T>>);

        impl<T> Drop for Owned<T> {
            fn drop(&mut self) {
                struct Free<T>(NonNull<Segment<T>>);

                impl<T> Drop for Free<T> {
                    fn drop(&mut self) {
                        // SAFETY: ours alone, and its items are gone.
                        unsafe { Segment::free(self.0) };
                    }
                }

                let free = Free(self.0);
                // SAFETY: ours alone until `free` is dropped.
                let segment = unsafe { free.0.as_ref() };
                // SAFETY: ours alone, and once.
                drop_all(unsafe { segment.drain() });
            }
        }

        // Relaxed: `&mut self`; what others did happened before.
        let retired = self.rare.retired.load(Relaxed);
        let mut at = NonNull::new(retired);
        while let Some(segment) = at {
            // SAFETY: in the list of the retired, and not freed yet.
            // Relaxed: as above.
            at = NonNull::new(unsafe { segment.as_ref() }.below().load(Relaxed));
            // SAFETY: ours alone, drained when it was retired.
            unsafe { Segment::free(segment) };
        }
        for cached in &self.rare.cache {
            // Relaxed: as above.
            if let Some(segment) = NonNull::new(cached.load(Relaxed)) {
                // SAFETY: ours alone, and it holds no items.
                unsafe { Segment::free(segment) };
            }
        }
        // Relaxed: as above. Unwind: `drop_all` goes on with the others.
        drop_all(Rest(self.head.load(Relaxed)).map(Owned));
    }
}
