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
//! This is argued and stress-tested (`tests/fence.rs`), not modelled: no checker knows the
//! system call. The other strategy is `symmetric.rs`, which is what the models check.

use rustix::io::Errno;
use rustix::thread::{MembarrierCommand, membarrier};

use super::decision::{Decision, Strategy};
use super::symmetric;
use crate::CachePadded;
use crate::sync::atomic::{Ordering::SeqCst, compiler_fence};
use crate::sync::thread;

/// Read by every `light`: not on a line with statics that are written.
static DECISION: CachePadded<Decision> = CachePadded::new(Decision::new());

#[inline]
pub(super) fn light() {
    match DECISION.made() {
        Some(Strategy::Membarrier) => compiler_fence(SeqCst),
        Some(Strategy::SeqCst) => symmetric::light(),
        None => light_undecided(),
    }
}

#[cold]
fn light_undecided() {
    match decide() {
        Strategy::Membarrier => compiler_fence(SeqCst),
        Strategy::SeqCst => symmetric::light(),
    }
}

#[inline]
pub(super) fn heavy() {
    // In either case: towards another `heavy` this is all that counts.
    symmetric::heavy();
    if strategy() == Strategy::Membarrier {
        interrupt();
    }
}

pub(super) fn strategy() -> Strategy {
    match DECISION.made() {
        Some(strategy) => strategy,
        None => decide(),
    }
}

pub(super) fn prefer_seq_cst() -> Strategy {
    DECISION.propose(Strategy::SeqCst)
}

#[cold]
fn decide() -> Strategy {
    // A kernel may know the registration and have the command filtered, so both
    // are tried; and both may be repeated by threads that decide together.
    let willing = register().is_ok() && membarrier(MembarrierCommand::PrivateExpedited).is_ok();
    DECISION.propose(if willing {
        Strategy::Membarrier
    } else {
        Strategy::SeqCst
    })
}

fn register() -> Result<(), Errno> {
    membarrier(MembarrierCommand::RegisterPrivateExpedited)
}

/// Returns once every other thread of the process has passed a full fence.
pub(super) fn interrupt() {
    loop {
        match membarrier(MembarrierCommand::PrivateExpedited) {
            Ok(()) => break,
            // Not registered: this is a child made by fork(2), or the registration
            // by another thread is not visible here yet. What the command
            // promises does not depend on when the registration was made.
            Err(Errno::PERM) => {
                if let Err(why) = register() {
                    refused(why);
                }
            }
            // The kernel has no memory for its list of processors just now.
            Err(Errno::NOMEM | Errno::INTR | Errno::AGAIN) => thread::yield_now(),
            Err(why) => refused(why),
        }
    }
    // What follows must not be moved up by the compiler either.
    compiler_fence(SeqCst);
}

#[cold]
fn refused(why: Errno) -> ! {
    panic!(
        "fence::heavy: the kernel agreed to membarrier(2) before and now refuses it: {why}; \
         other threads rely on it already. Install seccomp filters before the first use, \
         or call fence::prefer_seq_cst() at the start"
    );
}
