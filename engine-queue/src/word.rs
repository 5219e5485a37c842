//! The width of positions: 64 bits wherever they are atomic, so that a position
//! never repeats while a thread may remember it.

#[cfg(target_has_atomic = "64")]
mod width {
    pub(crate) use engine_atomic::sync::atomic::AtomicU64 as AtomicIndex;
    pub(crate) type Word = u64;
    pub(crate) type Signed = i64;
}
#[cfg(not(target_has_atomic = "64"))]
mod width {
    pub(crate) use engine_atomic::sync::atomic::AtomicUsize as AtomicIndex;
    pub(crate) type Word = usize;
    pub(crate) type Signed = isize;
}

pub(crate) use width::{AtomicIndex, Signed, Word};
