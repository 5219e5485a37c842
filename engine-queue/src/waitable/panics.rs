//! The panics of wakers.

use std::any::Any;
use std::boxed::Box;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::panicking; // facade: a question, not a protocol

/// What wakers have panicked with, kept while there are others to be woken.
///
/// Whoever has called them decides where that goes, by a rule that the [module](super) gives.
#[derive(Default)]
#[must_use = "a panic is passed on, or ends here"]
pub(super) struct Panics {
    /// The first one; the others end where they are caught.
    first: Option<Payload>,
}

type Payload = Box<dyn Any + Send>;

impl Panics {
    /// Calls a waker; whether it came back.
    pub(super) fn catch(&mut self, call: impl FnOnce()) -> bool {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(()) => true,
            Err(payload) => {
                self.keep(payload);
                false
            }
        }
    }

    /// Those of both.
    pub(super) fn and(mut self, others: Self) -> Self {
        if let Some(payload) = others.first {
            self.keep(payload);
        }
        self
    }

    /// Goes on with the panic; not in a drop during another one.
    pub(super) fn pass_on(self) {
        match self.first {
            None => {}
            Some(payload) if panicking() => end(payload),
            Some(payload) => resume_unwind(payload),
        }
    }

    /// The panic was reported when it began, by the hook, and goes no further.
    pub(super) fn end_here(self) {
        if let Some(payload) = self.first {
            end(payload);
        }
    }

    fn keep(&mut self, payload: Payload) {
        match &self.first {
            None => self.first = Some(payload),
            Some(_) => end(payload),
        }
    }
}

/// Drops a payload, and what its drop panics with not at all, as that might go on for ever.
fn end(payload: Payload) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        forget(another);
    }
}
