//! Asking for a cache line before it is needed.

/// Asks for the line of `place` for writing, if the processor can be asked; never anything
/// else. The place need not exist.
#[inline]
pub(super) fn for_writing<T>(place: *const T) {
    #[cfg(all(
        target_arch = "x86_64",
        not(any(miri, engine_loom, engine_shuttle, engine_tsan))
    ))]
    // SAFETY: a hint. It faults nowhere, and changes neither memory nor flags. Its place among
    // the opcodes has been a hint, or nothing, on all x86-64 processors but the first of Intel's
    // (before 2005); current systems ask for it (Windows since 8.1).
    unsafe {
        core::arch::asm!(
            "prefetchw [{place}]",
            place = in(reg) place.addr(),
            options(nomem, nostack, preserves_flags),
        );
    }
    #[cfg(not(all(
        target_arch = "x86_64",
        not(any(miri, engine_loom, engine_shuttle, engine_tsan))
    )))]
    let _ = place;
}
