use std::collections::HashSet;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;

use super::{Barrier, BarrierWaitResult};

/// Runs `rounds` rounds on `threads` threads; panics unless each has one leader
/// and nobody is ahead of an absent thread.
fn rounds(barrier: &Barrier, threads: usize, rounds: u64) {
    let arrived: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    let leaders: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                for (arrived, leaders) in arrived.iter().zip(&leaders) {
                    arrived.fetch_add(1, SeqCst);
                    let result = barrier.wait();
                    assert_eq!(arrived.load(SeqCst), threads as u64);
                    leaders.fetch_add(result.is_leader().into(), SeqCst);
                }
            });
        }
    });
    for leaders in leaders {
        assert_eq!(leaders.into_inner(), 1);
    }
}

#[test]
fn every_round_waits_for_everyone_and_has_one_leader() {
    for threads in [1, 2, 3, 7] {
        rounds(&Barrier::new(threads), threads, 200);
    }
}

#[test]
fn the_epoch_wraps() {
    // 2^31 rounds later the word is back where it began; 2^30 is where the sign
    // of the comparison changes; 2^32 is beyond the word.
    for start in [(1 << 30) - 3, (1 << 31) - 3, (1 << 32) - 3, (1 << 40) - 3] {
        rounds(&Barrier::after_rounds(3, start), 3, 6);
    }
}

#[test]
fn zero_participants_act_like_one() {
    let barrier = Barrier::new(0);
    assert!(barrier.wait().is_leader());
    assert!(barrier.wait().is_leader());
}

#[test]
fn a_huge_number_of_participants_is_accepted() {
    let barrier = Barrier::new(usize::MAX);
    assert!(format!("{barrier:?}").contains(&usize::MAX.to_string()));
}

/// As in the standard library's own documentation: of `n` threads, `n - 1`
/// cannot pass.
#[test]
fn nobody_passes_before_the_last_arrives() {
    const N: usize = 5;
    static BARRIER: Barrier = Barrier::new(N);
    let (passed, seen) = mpsc::channel();
    let threads: Vec<_> = (0..N - 1)
        .map(|_| {
            let passed = passed.clone();
            thread::spawn(move || {
                passed.send(BARRIER.wait().is_leader()).unwrap();
            })
        })
        .collect();
    // They may not have arrived yet, but whenever they do they must stay.
    while !format!("{BARRIER:?}").contains("arrived: 4") {
        thread::yield_now();
    }
    assert!(seen.try_recv().is_err());
    let mine = BARRIER.wait().is_leader();
    for thread in threads {
        thread.join().unwrap();
    }
    drop(passed);
    assert!(mine);
    assert!(seen.iter().all(|leader| !leader));
}

/// Threads that share a barrier for fewer form rounds among themselves.
#[test]
fn more_threads_than_participants() {
    const N: u64 = 3;
    let barrier = Barrier::new(N as usize);
    let permits = AtomicU64::new(0);
    let (arrived, passed, leaders) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let all = N * 1_000;
    thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                while permits.fetch_add(1, SeqCst) < all {
                    arrived.fetch_add(1, SeqCst);
                    let result = barrier.wait();
                    leaders.fetch_add(result.is_leader().into(), SeqCst);
                    // Those who have passed are in complete rounds.
                    let passed = passed.fetch_add(1, SeqCst) + 1;
                    assert!(passed <= arrived.load(SeqCst) / N * N);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), all);
    assert_eq!(leaders.into_inner(), all / N);
}

#[test]
fn debug_decodes() {
    let barrier = Barrier::after_rounds(2, 7);
    assert_eq!(
        format!("{barrier:?}"),
        "Barrier { participants: 2, arrived: 0, epoch: Epoch { rounds: 7, sleepers: false } }"
    );
    let results: HashSet<String> = thread::scope(|s| {
        let other = s.spawn(|| format!("{:?}", barrier.wait()));
        [format!("{:?}", barrier.wait()), other.join().unwrap()].into()
    });
    assert_eq!(
        results,
        [
            "BarrierWaitResult { is_leader: true }".to_owned(),
            "BarrierWaitResult { is_leader: false }".to_owned()
        ]
        .into()
    );
}

#[test]
fn auto_traits_and_size() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    check::<Barrier>();
    check::<BarrierWaitResult>();
    assert_eq!(
        size_of::<Barrier>(),
        align_of::<engine_atomic::CachePadded<u8>>()
    );
    assert_eq!(align_of::<Barrier>(), size_of::<Barrier>());
    assert_eq!(size_of::<BarrierWaitResult>(), 1);
}
