//! `separate_lines!` accepts what is apart; what it must refuse is in its
//! `compile_fail` examples.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use engine_atomic::{CACHE_LINE, CachePadded, separate_lines};

#[allow(dead_code)]
struct Ring<T> {
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
    closed: CachePadded<AtomicU64>,
    slots: Box<[T]>,
}

separate_lines!(Ring<String> { head, tail });
separate_lines!(Ring<[u8; 3]> { head, tail, closed, });

struct Tuple(CachePadded<u8>, CachePadded<UnsafeCell<u16>>);
separate_lines!(Tuple { 0, 1 });

/// Only as aligned as a byte, and yet apart wherever it starts.
#[repr(C)]
#[allow(dead_code)]
struct Loose {
    first: u8,
    gap: [u8; CACHE_LINE - 1],
    second: u8,
}
separate_lines!(Loose { first, second });

#[repr(C)]
#[allow(dead_code)]
struct Outer {
    ring: Ring<u64>,
    nothing: (),
    after: CachePadded<u8>,
}
separate_lines!(Outer { ring.head, ring.tail, after });
// A field of no size lies on no line.
separate_lines!(Outer { nothing, after });

#[test]
fn also_a_statement() {
    #[repr(C, align(256))]
    #[allow(dead_code)]
    struct Local {
        a: [u8; 256],
        b: u8,
    }
    separate_lines!(Local { a, b });
    let local = Tuple(CachePadded::new(1), CachePadded::new(UnsafeCell::new(2)));
    assert_eq!(*local.0, 1);
    assert_eq!(local.1.into_inner().into_inner(), 2);
}

#[test]
fn the_line_is_sane() {
    assert!(CACHE_LINE.is_power_of_two());
    assert!(align_of::<CachePadded<u8>>().is_multiple_of(CACHE_LINE));
    #[cfg(target_arch = "x86_64")]
    assert_eq!((CACHE_LINE, align_of::<CachePadded<u8>>()), (64, 128));
}

/// The constant against the machine's own word, where it says one and the
/// target knows only one length.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_line_of_this_machine() {
    let path = "/sys/devices/system/cpu/cpu0/cache/index0/coherency_line_size";
    match std::fs::read_to_string(path) {
        Ok(line) => assert_eq!(line.trim().parse(), Ok(CACHE_LINE)),
        Err(why) => println!("skipped: {path}: {why}"),
    }
}
