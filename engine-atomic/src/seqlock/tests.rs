//! What needs the parts, and real threads.

use super::*;

/// Writers at work that never finish, as seen by the others.
#[test]
fn while_a_write_is_under_way() {
    let lock = SeqLock::new([1_u64; 4]);
    assert!(lock.begin(0));
    assert_eq!(lock.try_read(), None);
    assert_eq!(lock.try_write([2; 4]), Err([2; 4]));
    assert_eq!(format!("{lock:?}"), "SeqLock { value: <being written> }");
    lock.finish(0, [3; 4]);
    assert_eq!(lock.try_read(), Some([3; 4]));
    // Late: somebody else has written since.
    assert!(!lock.begin(0));
    assert_eq!(lock.try_write([4; 4]), Ok(()));
    assert_eq!(lock.into_inner(), [4; 4]);
}

#[test]
fn the_sequence_wraps() {
    let lock = SeqLock {
        sequence: AtomicUsize::new(usize::MAX - 1),
        words: Words::new(7_u32),
    };
    assert_eq!(lock.read(), 7);
    lock.write(8);
    assert_eq!(lock.sequence.load(Relaxed), 0);
    assert_eq!(lock.read(), 8);
}

fn round_trip<T: Plain + PartialEq + fmt::Debug>(values: [T; 2]) {
    let lock = SeqLock::new(values[0]);
    assert_eq!(lock.read(), values[0]);
    lock.write(values[1]);
    assert_eq!(lock.read(), values[1]);
    lock.update(|value| *value = values[0]);
    assert_eq!(lock.into_inner(), values[0]);
}

crate::plain! {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Mixed {
        wide: u64,
        name: [u8; 5],
        flag: bool,
        short: i16,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Odd([u8; 7], Option<std::num::NonZero<u8>>, [u8; 3]);

    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C, packed)]
    struct Packed { a: u8, b: u64 }

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Nothing {}
}

/// Every length around the word, every alignment.
#[test]
fn all_kinds_of_values() {
    fn bytes<const N: usize>() {
        round_trip([std::array::from_fn::<u8, N, _>(|n| n as u8), [0xA5; N]]);
    }
    bytes::<0>();
    bytes::<1>();
    bytes::<3>();
    bytes::<7>();
    bytes::<8>();
    bytes::<9>();
    bytes::<15>();
    bytes::<16>();
    bytes::<17>();
    bytes::<200>();
    round_trip([(), ()]);
    round_trip([true, false]);
    round_trip(['a', '\u{10FFFF}']);
    round_trip([u128::MAX, 1]);
    round_trip([(1_u8, -1_i8), (2, 3)]);
    round_trip([[(1_u64, 2.0_f32, 3_u32); 3], [(4, 5.0, 6); 3]]);
    round_trip([std::num::NonZero::<u16>::MIN, std::num::NonZero::<u16>::MAX]);
    let mixed = Mixed {
        wide: u64::MAX,
        name: *b"abcde",
        flag: true,
        short: -2,
    };
    round_trip([
        mixed,
        Mixed {
            flag: false,
            ..mixed
        },
    ]);
    round_trip([
        Odd([1; 7], None, [2; 3]),
        Odd([3; 7], std::num::NonZero::new(4), [5; 3]),
    ]);
    round_trip([Packed { a: 1, b: 2 }, Packed { a: 3, b: 4 }]);
    round_trip([Nothing {}, Nothing {}]);
}

#[test]
fn sizes() {
    assert_eq!(size_of::<SeqLock<()>>(), size_of::<usize>());
    assert_eq!(size_of::<SeqLock<u8>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<SeqLock<[u64; 4]>>(), size_of::<usize>() + 32);
}

#[test]
fn a_panicking_update_changes_nothing() {
    let lock = SeqLock::new([1_u32, 2]);
    let panicked = std::panic::catch_unwind(|| {
        lock.update(|value| {
            value[0] = 9;
            panic!("on purpose");
        })
    });
    assert!(panicked.is_err());
    assert_eq!(lock.try_read(), Some([1, 2]));
    lock.write([3, 4]);
    assert_eq!(lock.read(), [3, 4]);
}

/// The closure may use the lock itself; the update then starts over.
#[test]
fn an_update_within_an_update() {
    let lock = SeqLock::new(1_u32);
    let mut calls = 0;
    let result = lock.update(|value| {
        calls += 1;
        if calls == 1 {
            lock.write(10);
            assert_eq!(lock.read(), 10);
        }
        *value += 1;
        *value
    });
    assert_eq!((result, calls, lock.read()), (11, 2, 11));
}

#[test]
fn whole_values_only() {
    let lock = SeqLock::<[u64; 9]>::default();
    std::thread::scope(|s| {
        let writers: Vec<_> = (0..2)
            .map(|_| {
                s.spawn(|| {
                    for _ in 0..2_000 {
                        lock.update(|words| *words = words.map(|word| word + 1));
                    }
                })
            })
            .collect();
        s.spawn(|| {
            let mut last = 0;
            while last < 4_000 {
                let words = lock.read();
                assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
                assert!(words[0] >= last);
                last = words[0];
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
    });
    assert_eq!(lock.read(), [4_000; 9]);
}

#[test]
fn made_in_many_ways() {
    static LOCK: SeqLock<(u32, u32)> = SeqLock::new((1, 2));
    assert_eq!(LOCK.read(), (1, 2));
    assert_eq!(SeqLock::from(5_u8).read(), 5);
    assert_eq!(format!("{LOCK:?}"), "SeqLock { value: (1, 2) }");
}
