//! What the types promise to the compiler: auto traits, sizes, `const` constructors.

use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

use engine_atomic::fence::Strategy;
use engine_atomic::futex::WaitResult;
use engine_atomic::topology::{Distance, Topology};
use engine_atomic::{
    Backoff, CACHE_LINE, CachePadded, Contention, Plain, SeqLock, StripedCounter, plain,
    separate_lines,
};

fn shared<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug>() {}
fn own<T: Send + Unpin + UnwindSafe + Debug>() {}
fn value<T: Copy + Eq + std::hash::Hash + Send + Sync + Debug>() {}

#[test]
fn auto_traits() {
    shared::<CachePadded<u8>>();
    shared::<Contention>();
    shared::<StripedCounter>();
    shared::<SeqLock<[u64; 4]>>();
    shared::<Topology>();
    own::<Backoff>();
    value::<WaitResult>();
    value::<Strategy>();
    value::<Distance>();
}

/// Whether a type is `Sync`, by the method that is found first.
macro_rules! is_sync {
    ($type:ty) => {{
        #[allow(dead_code)]
        trait Fallback {
            fn is_sync(&self) -> bool {
                false
            }
        }
        struct Probe<T>(std::marker::PhantomData<T>);
        impl<T> Fallback for Probe<T> {}
        #[allow(dead_code)]
        impl<T: Sync> Probe<T> {
            fn is_sync(&self) -> bool {
                true
            }
        }
        Probe::<$type>(std::marker::PhantomData).is_sync()
    }};
}

/// A plain value that must stay on its thread.
#[derive(Clone, Copy)]
struct Local(#[allow(dead_code)] u8, std::marker::PhantomData<*const u8>);
// SAFETY: the only byte is a `u8`.
unsafe impl Plain for Local {}

/// Plain, and not `Sync`: a copy of it may go to another thread all the same.
#[derive(Clone, Copy)]
struct Unshared(
    #[allow(dead_code)] u8,
    std::marker::PhantomData<std::cell::Cell<u8>>,
);
// SAFETY: the only byte is a `u8`.
unsafe impl Plain for Unshared {}

#[test]
fn a_seqlock_is_sync_if_its_value_is_send() {
    assert!(is_sync!(SeqLock<u8>));
    assert!(is_sync!(SeqLock<Unshared>) && !is_sync!(Unshared));
    assert!(!is_sync!(SeqLock<Local>));
    assert!(!is_sync!(Backoff));
}

#[test]
fn sizes() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Backoff>(), 4);
    assert_eq!(size_of::<Contention>(), word);
    assert_eq!(size_of::<SeqLock<u32>>(), 2 * word);
    assert_eq!(
        size_of::<SeqLock<[u8; 100]>>(),
        word + 100_usize.next_multiple_of(word)
    );
    assert_eq!(
        size_of::<StripedCounter>(),
        2 * size_of::<CachePadded<u8>>()
    );
    assert_eq!(align_of::<StripedCounter>(), align_of::<CachePadded<u8>>());
    assert!(size_of::<CachePadded<[u8; CACHE_LINE + 1]>>() >= 2 * CACHE_LINE);
    assert_eq!(size_of::<WaitResult>(), 1);
    assert_eq!(size_of::<Distance>(), 2);
}

plain! {
    /// Declared from outside the crate.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Sample {
        /// When.
        pub at: u64,
        value: f64,
    }
}

#[allow(dead_code)]
struct Statistics {
    requests: StripedCounter,
    last: CachePadded<SeqLock<Sample>>,
    contention: Contention,
}

separate_lines!(Statistics { requests, last });

static STATISTICS: Statistics = Statistics {
    requests: StripedCounter::new(),
    last: CachePadded::new(SeqLock::new(Sample { at: 0, value: 0.0 })),
    contention: Contention::new(),
};
std::thread_local! {
    static FRESH: Backoff = const { Backoff::new() };
}

#[test]
fn statics() {
    STATISTICS.requests.increment();
    STATISTICS.last.update(|sample| sample.at += 1);
    STATISTICS.contention.record(1);
    assert_eq!(STATISTICS.requests.sum(), 1);
    assert_eq!(STATISTICS.last.read(), Sample { at: 1, value: 0.0 });
    assert_eq!(STATISTICS.contention.lost(), 1);
    assert_eq!(FRESH.with(Backoff::rounds), 0);
}
