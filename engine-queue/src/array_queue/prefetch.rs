//! Asking for a cache line before it is needed.

/// Asks for the line of `place` for writing, if the processor can be asked; never anything
/// else. The place need not exist.
#[inline]
pub(super) fn for_writing<T>(place: *const T) {
    #[cfg(all(
        target_arch = "x86_64",
        not(any(miri, engine_loom, engine_shuttle, engine_tsan))
    ))]
    // SAFETY: a hint. It faults nowhere, changes neither memory nor flags, and a processor
    // that does not know it does nothing.
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
