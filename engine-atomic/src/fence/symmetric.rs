//! Wherever membarrier(2) is not, and under every checker: two full fences.

use super::decision::Strategy;
use crate::sync::atomic::{Ordering::SeqCst, fence};

#[inline]
pub(super) fn light() {
    // SeqCst: with the fence of `heavy`. Either ours is first and what follows
    // theirs sees our stores, or theirs is and what follows ours sees theirs.
    fence(SeqCst);
}

#[inline]
pub(super) fn heavy() {
    // SeqCst: with the fence of `light` as there, and with that of another `heavy`.
    fence(SeqCst);
}

#[allow(dead_code, reason = "not the pair in force where there is a choice")]
pub(super) fn strategy() -> Strategy {
    Strategy::SeqCst
}

#[allow(dead_code, reason = "not the pair in force where there is a choice")]
pub(super) fn prefer_seq_cst() -> Strategy {
    Strategy::SeqCst
}
