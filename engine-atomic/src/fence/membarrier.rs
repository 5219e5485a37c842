//! Linux: membarrier(2), `PRIVATE_EXPEDITED`.
//!
//! Android is not served by this file: seccomp filters of its older versions kill
//! a process for the system call instead of refusing it.
//!
//! # Why the pair holds
//!
//! The kernel runs a full fence on every processor that executes a thread of this
//! process at the time, and a thread that is not executing passes one when it is
//! switched in or out. So each other thread has a full fence at some point P of its
//! program, and P lies between the start and the end of `heavy`. If P is after the
//! stores before a `light`, these are visible to what follows the `heavy`. If P is
//! before them, then it is before the loads that follow the `light` too (the
//! compiler fence keeps stores and loads in program order), and these see
//! what precedes the `heavy`, whose thread passed a full fence before P.
//!
//! That the kernel does so is trusted: no checker knows the system call. What follows
//! from it is modelled (`model.rs`, with a kernel that does so and a compiler that may move
//! what nothing holds), and `tests/fence.rs` tries the whole on real threads.

use rustix::io::Errno;
use rustix::thread::{MembarrierCommand, membarrier};

use super::decision::Strategy;
use super::pair::{Pair, System};
use crate::CachePadded;
use crate::sync::atomic::{Ordering::SeqCst, compiler_fence};
use crate::sync::thread;

/// Read by every `light`: not on a line with statics that are written.
static PAIR: CachePadded<Pair<Linux>> = CachePadded::new(Pair::new(Linux));

#[inline]
pub(super) fn light() {
    PAIR.light();
}

#[inline]
pub(super) fn heavy() {
    PAIR.heavy();
}

pub(super) fn strategy() -> Strategy {
    PAIR.strategy()
}

pub(super) fn prefer_seq_cst() -> Strategy {
    PAIR.prefer_seq_cst()
}

/// The kernel, by system calls.
pub(super) struct Linux;

impl System for Linux {
    fn willing(&self) -> bool {
        // A kernel may know the registration and have the command filtered, so both
        // are tried.
        register().is_ok() && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }

    #[inline(always)]
    fn hold_compiler(&self) {
        // SeqCst, for the compiler alone: keeps the stores before a `light` and the loads
        // after it on their sides. Pairs with the fence that the kernel runs on this
        // processor for `interrupt`, which orders only what is in program order.
        //
        // No run on a machine can miss it: LLVM leaves atomic accesses, Relaxed ones too,
        // in program order (tried with rustc 1.95, on x86-64). The language allows it to
        // move them, and so does the compiler of `pair/model.rs`, which does miss it.
        compiler_fence(SeqCst);
    }

    fn interrupt(&self) {
        let mut registrations = 0;
        loop {
            match membarrier(MembarrierCommand::PrivateExpedited) {
                Ok(()) => break,
                // Not registered, though decided: Linux passes the registration on to the
                // child of a fork(2), but no page says so, and a process restored from a
                // checkpoint has lost it. What the command promises does not depend on when
                // the registration was made.
                Err(Errno::PERM) if registrations < MOST_REGISTRATIONS => {
                    registrations += 1;
                    if let Err(why) = register() {
                        refused(why);
                    }
                }
                // The kernel has no memory for its list of processors just now.
                Err(Errno::NOMEM | Errno::INTR | Errno::AGAIN) => thread::yield_now(),
                Err(why) => refused(why),
            }
        }
        // SeqCst, for the compiler alone: what follows is not moved up before the call.
        // Pairs with `hold_compiler`, on the side that was interrupted.
        compiler_fence(SeqCst);
    }
}

/// A filter may let registrations pass and refuse the command as if there were none.
const MOST_REGISTRATIONS: u32 = 8;

fn register() -> Result<(), Errno> {
    membarrier(MembarrierCommand::RegisterPrivateExpedited)
}

#[cold]
fn refused(why: Errno) -> ! {
    panic!(
        "fence::heavy: the kernel agreed to membarrier(2) before and now refuses it: {why}; \
         other threads rely on it already. Install seccomp filters before the first use, \
         or call fence::prefer_seq_cst() at the start"
    );
}
