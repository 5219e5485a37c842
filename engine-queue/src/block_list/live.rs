//! Counts the blocks that were not freed, by thread: the checkers run a model on one.
#![cfg(test)]

use std::cell::Cell;

use engine_atomic::sync::MODEL;
use testkit::model::{Budget, check};

std::thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

pub(super) fn add(n: isize) {
    LIVE.set(LIVE.get() + n);
}

/// How many this thread has allocated and not freed.
#[cfg(not(any(engine_loom, engine_shuttle)))]
pub(crate) fn count() -> isize {
    LIVE.get()
}

/// Checks `body`, and that it frees every block.
pub(crate) fn check_freed(name: &str, budget: Budget, body: impl Fn() + Send + Sync + 'static) {
    check(name, budget, move || freed(&body));
}

/// Runs `body` and checks that it frees every block.
pub(crate) fn freed(body: &impl Fn()) {
    let before = LIVE.get();
    body();
    // On real threads the count of one thread says nothing.
    assert!(!MODEL || LIVE.get() == before, "a block leaks");
}
