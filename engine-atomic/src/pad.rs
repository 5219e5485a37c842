//! Cache-line padding, and a compile-time check that it is there.

pub use crossbeam_utils::CachePadded;

/// Bytes in a cache line: the unit that the coherence protocol moves between
/// cores, so the distance below which two variables slow each other down.
///
/// | target | bytes |
/// |---|---|
/// | s390x | 256 |
/// | aarch64 from Apple, powerpc64 | 128 |
/// | arm, mips, sparc (32 bits), hexagon | 32 |
/// | m68k | 16 |
/// | all others: x86, x86-64, other aarch64, riscv, loongarch64, wasm, .. | 64 |
///
/// It is a constant of the target, not a reading of the machine: the figure of
/// the cores in use today. Cores with longer lines exist on some targets (the
/// A64FX has 256 bytes on aarch64, some arm cores have 64), and Linux tells the
/// line of the running machine in `cpu0/cache/index0/coherency_line_size`.
///
/// # How it differs from the padding of `CachePadded`
///
/// [`CachePadded`] aligns to 128 bytes on x86-64 and on every aarch64, where this
/// constant is 64 (but on Apple's). The line that coherence works on is 64 bytes
/// there; the other half of the 128 is for the *spatial prefetcher*, which
/// fetches lines in aligned pairs and so can pull a neighbour's line out of
/// another core's cache, and for the aarch64 cores with 128-byte lines. So:
/// **128 bytes to lay out by** (`CachePadded`), **the line to reason by** (this
/// constant, and [`separate_lines!`](crate::separate_lines)). `CachePadded` is
/// never narrower than a line, which is asserted at compile time.
// Sources:
// - x86-64, the line and the pairs: Intel 64 and IA-32 Architectures
//   Optimization Reference Manual, "Data Prefetching": lines are 64 bytes, and
//   the spatial prefetcher completes 128-byte-aligned pairs.
// - aarch64: Arm Cortex-A and Neoverse technical reference manuals, "cache line
//   length of 64 bytes". Apple: `sysctl hw.cachelinesize` gives 128 on Apple
//   silicon; Linux sets L1_CACHE_SHIFT to 6 and ARCH_DMA_MINALIGN to 128
//   (arch/arm64/include/asm/cache.h).
// - powerpc64 and s390x: Linux, L1_CACHE_SHIFT 7 (arch/powerpc/include/asm/cache.h)
//   and 8 (arch/s390/include/asm/cache.h).
// - arm: Arm Cortex-A9 Technical Reference Manual, 32 bytes; others, such as the
//   Cortex-A15, have 64, and a 32-bit target does not tell them apart.
// - mips, sparc, hexagon, m68k: Linux, arch/*/include/asm/cache.h; the values of
//   crossbeam-utils, whose alignment this constant must not exceed.
// - riscv: Linux, L1_CACHE_SHIFT 6 (arch/riscv/include/asm/cache.h).
pub const CACHE_LINE: usize = if cfg!(target_arch = "s390x") {
    256
} else if cfg!(any(
    all(target_arch = "aarch64", target_vendor = "apple"),
    target_arch = "powerpc64",
)) {
    128
} else if cfg!(any(
    target_arch = "arm",
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6",
    target_arch = "sparc",
    target_arch = "hexagon",
)) {
    32
} else if cfg!(target_arch = "m68k") {
    16
} else {
    64
};

// Otherwise two `CachePadded` fields could share a line.
const _: () = assert!(align_of::<CachePadded<u8>>() >= CACHE_LINE);

/// Checks at compile time that no two of the named fields of a struct can lie on
/// one cache line.
///
/// The struct may lie anywhere that its alignment allows: when it is aligned to
/// a line the offsets decide, and when it is not, every placement is tried. A
/// field of size zero shares a line with nothing.
///
/// The line is [`CACHE_LINE`]. The macro expands to an item, so it may
/// stand next to the struct or inside a function. Generic structs are checked for one
/// choice of arguments at a time, nested fields are named by their path, and
/// tuple fields by their number.
///
/// # Example
///
/// ```
/// use engine_atomic::{CachePadded, separate_lines};
/// use std::sync::atomic::AtomicUsize;
///
/// struct Ring<T> {
///     head: CachePadded<AtomicUsize>,
///     tail: CachePadded<AtomicUsize>,
///     // Written once, so it may lie beside anything.
///     capacity: usize,
///     slots: Box<[T]>,
/// }
///
/// separate_lines!(Ring<u8> { head, tail });
/// ```
///
/// Two hot words side by side do not compile:
///
/// ```compile_fail,E0080
/// use std::sync::atomic::AtomicUsize;
///
/// struct Ring {
///     head: AtomicUsize,
///     tail: AtomicUsize,
/// }
///
/// // error: fields `head` and `tail` of `Ring` can share a cache line
/// engine_atomic::separate_lines!(Ring { head, tail });
/// ```
///
/// Distance alone is not enough when the struct may start in the middle of a
/// line: 64 bytes between the two starts leave the end of a long field and the
/// start of the next on one line.
///
/// ```compile_fail,E0080
/// # const LINE: usize = engine_atomic::CACHE_LINE;
/// #[repr(C)]
/// struct Ring {
///     head: u64,
///     pad: [u8; LINE - 16],
///     tail: u64,
/// }
///
/// engine_atomic::separate_lines!(Ring { head, tail });
/// ```
///
/// Nor is the alignment of the struct, when a field reaches into the line of
/// the next:
///
/// ```compile_fail,E0080
/// # const LINE: usize = engine_atomic::CACHE_LINE;
/// #[repr(C, align(256))]
/// struct Ring {
///     head: [u8; LINE + 8],
///     tail: u64,
/// }
///
/// engine_atomic::separate_lines!(Ring { head, tail });
/// ```
///
/// One name alone proves nothing and is refused:
///
/// ```compile_fail
/// # use engine_atomic::CachePadded;
/// struct Ring {
///     head: CachePadded<u64>,
/// }
///
/// engine_atomic::separate_lines!(Ring { head });
/// ```
#[macro_export]
macro_rules! separate_lines {
    ($type:ty { $first:tt $(. $first_rest:tt)*, $($other:tt $(. $other_rest:tt)*),+ $(,)? }) => {
        const _: () = {
            $crate::separate_lines!(@pairs [$type]
                [$first $(. $first_rest)*] $([$other $(. $other_rest)*])+);
        };
    };
    // Each field against all that follow it.
    (@pairs [$type:ty] $last:tt) => {};
    (@pairs [$type:ty] $first:tt $($other:tt)+) => {
        $($crate::separate_lines!(@pair [$type] $first $other);)+
        $crate::separate_lines!(@pairs [$type] $($other)+);
    };
    // The paths start with `$crate`, since `core` may be another crate where the macro is
    // used. Nothing unsafe depends on it: the check would only be worth nothing.
    (@pair [$type:ty] [$($a:tt)+] [$($b:tt)+]) => {
        $crate::__private::core::assert!(
            $crate::__private::separate::<$type>(
                (
                    $crate::__private::core::mem::offset_of!($type, $($a)+),
                    $crate::__private::size_of_field(|whole: &$type| &whole.$($a)+),
                ),
                (
                    $crate::__private::core::mem::offset_of!($type, $($b)+),
                    $crate::__private::size_of_field(|whole: &$type| &whole.$($b)+),
                ),
            ),
            $crate::__private::core::concat!(
                "fields `", $crate::__private::core::stringify!($($a)+),
                "` and `", $crate::__private::core::stringify!($($b)+),
                "` of `", $crate::__private::core::stringify!($type),
                "` can share a cache line"
            ),
        );
    };
}

/// What [`separate_lines!`](crate::separate_lines) must refuse whatever `core` is to the
/// caller: here one whose fields all lie a page apart, and which asserts nothing.
///
/// ```compile_fail,E0080
/// extern crate self as core;
/// pub mod mem {
///     #[macro_export]
///     macro_rules! far_apart {
///         ($type:ty, head) => { 0 };
///         ($type:ty, tail) => { 4096 };
///     }
///     pub use crate::far_apart as offset_of;
/// }
/// #[macro_export]
/// macro_rules! assert {
///     ($($anything:tt)*) => {};
/// }
/// pub use std::{concat, stringify};
///
/// struct Ring {
///     head: u64,
///     tail: u64,
/// }
///
/// engine_atomic::separate_lines!(Ring { head, tail });
///
/// fn main() {}
/// ```
#[cfg(doctest)]
struct Refused;

/// The size of the field that a projection leads to: the projection is never
/// called, it only tells its type.
pub const fn size_of_field<Whole, Field>(_: fn(&Whole) -> &Field) -> usize {
    size_of::<Field>()
}

/// Whether two fields, each `(offset, size)`, lie on different lines wherever a
/// `Whole` may be placed.
pub const fn separate<Whole>(a: (usize, usize), b: (usize, usize)) -> bool {
    never_share(CACHE_LINE, align_of::<Whole>(), a, b)
}

/// Whether no placement aligned to `align` puts a byte of each field on one line.
const fn never_share(line: usize, align: usize, a: (usize, usize), b: (usize, usize)) -> bool {
    if a.1 == 0 || b.1 == 0 {
        return true;
    }
    // Within one line, the struct may start at every multiple of its alignment.
    let mut start = 0;
    while start < line {
        let (first_of_a, last_of_a) = lines(line, start, a);
        let (first_of_b, last_of_b) = lines(line, start, b);
        if first_of_a <= last_of_b && first_of_b <= last_of_a {
            return false;
        }
        start += align;
    }
    true
}

/// The lines of the first and the last byte of a field that is not empty.
const fn lines(line: usize, start: usize, (offset, size): (usize, usize)) -> (usize, usize) {
    ((start + offset) / line, (start + offset + size - 1) / line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By brute force: whether some placement puts a byte of each on one line.
    fn can_share(line: usize, align: usize, a: (usize, usize), b: (usize, usize)) -> bool {
        (0..line).step_by(align).any(|start| {
            let lines = |(offset, size)| {
                (start + offset..start + offset + size).map(move |byte| byte / line)
            };
            lines(a).any(|on| lines(b).any(|other| on == other))
        })
    }

    #[test]
    fn never_share_is_exact() {
        const LINE: usize = 8;
        let mut seen = [0, 0];
        for align in [1, 2, 4, 8, 16] {
            for a in (0..20).flat_map(|offset| (0..10).map(move |size| (offset, size))) {
                for b in (0..20).flat_map(|offset| (0..10).map(move |size| (offset, size))) {
                    let separate = never_share(LINE, align, a, b);
                    assert_eq!(
                        separate,
                        !can_share(LINE, align, a, b),
                        "{align} {a:?} {b:?}"
                    );
                    seen[usize::from(separate)] += 1;
                }
            }
        }
        assert!(seen[0] > 1000 && seen[1] > 1000, "{seen:?}");
    }

    #[test]
    fn never_share_is_symmetric_and_needs_distance() {
        // Aligned to a line: the neighbouring lines are apart.
        assert!(never_share(64, 64, (0, 8), (64, 8)));
        assert!(!never_share(64, 64, (0, 8), (56, 8)));
        assert!(!never_share(64, 64, (0, 72), (72, 8)));
        // Aligned to a word: 64 bytes from the last byte to the first.
        assert!(never_share(64, 8, (0, 8), (64, 8)));
        assert!(!never_share(64, 8, (0, 16), (64, 8)));
        assert!(never_share(64, 8, (72, 8), (0, 16)));
    }
}
