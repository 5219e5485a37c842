//! Models of the ring, with one or two slots, over the wrap of the positions.

use std::vec;
use std::vec::Vec;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::{Arc, thread};
use testkit::history::Recorder;
use testkit::linearizability::assert_linearizable;
use testkit::model::{Budget, check, check_large};
use testkit::spec::{Fifo, History, Log, Op, Ret};

use super::{Consumer, Producer, starting_at};

/// The positions wrap with the first item.
fn wrapping<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    starting_at(capacity, usize::MAX)
}

fn push(producer: &mut Producer<usize>, item: usize) {
    while producer.push(item).is_err() {
        thread::yield_now();
    }
}

fn pop(consumer: &mut Consumer<usize>) -> usize {
    loop {
        match consumer.pop() {
            Some(item) => return item,
            None => thread::yield_now(),
        }
    }
}

/// The second push needs the slot of the first, the third that of the second.
#[test]
fn one_slot_is_used_in_turns() {
    check(
        "spsc_one_slot_is_used_in_turns",
        Budget::exhaustive(),
        || {
            let (mut producer, mut consumer) = wrapping(1);
            let pusher = thread::spawn(move || (0..3).for_each(|n| push(&mut producer, n)));
            for n in 0..3 {
                assert_eq!(pop(&mut consumer), n);
            }
            pusher.join().unwrap();
        },
    );
}

/// Both sides by batches, over the end of the ring.
#[test]
fn batches_over_the_end() {
    check("batches_over_the_end", Budget::preemptions(3), || {
        let (mut producer, mut consumer) = wrapping(2);
        let pusher = thread::spawn(move || {
            let mut items = 0..3;
            while !items.is_empty() {
                if producer.push_iter(&mut items) == 0 {
                    thread::yield_now();
                }
            }
        });
        let mut taken = Vec::new();
        while taken.len() < 3 {
            if consumer.pop_batch(&mut taken, 2) == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(taken, [0, 1, 2]);
        pusher.join().unwrap();
    });
}

/// In place: a chunk is there as a whole or not at all, and what was only looked at
/// stays.
#[test]
fn chunks_in_place() {
    check("chunks_in_place", Budget::exhaustive(), || {
        let (mut producer, mut consumer) = wrapping(2);
        let pusher = thread::spawn(move || {
            let chunk = producer.write_chunk(2).unwrap();
            assert_eq!(chunk.fill([10, 11]), 2);
            push(&mut producer, 12);
        });
        let found = consumer.slots();
        assert_ne!(found, 1, "half a chunk");
        if let Ok(chunk) = consumer.read_chunk(2) {
            let (first, second) = chunk.as_slices();
            assert_eq!((first, second), (&[10][..], &[11][..]));
            chunk.commit(1);
        } else {
            assert_eq!(pop(&mut consumer), 10);
        }
        assert_eq!(consumer.peek(), Some(&11));
        assert_eq!(pop(&mut consumer), 11);
        assert_eq!(pop(&mut consumer), 12);
        pusher.join().unwrap();
    });
}

/// The slots of a leaked iterator come back although the consumer finds nothing.
#[test]
fn a_leaked_iterator_keeps_no_slot_for_ever() {
    check("a_leaked_iterator", Budget::exhaustive(), || {
        let (mut producer, mut consumer) = wrapping(1);
        producer.push(0).unwrap();
        let mut items = consumer.read_chunk(1).unwrap().into_iter();
        assert_eq!(items.next(), Some(0));
        core::mem::forget(items);
        let pusher = thread::spawn(move || push(&mut producer, 1));
        assert_eq!(pop(&mut consumer), 1);
        pusher.join().unwrap();
    });
}

/// Who sees that the producer is gone, and then finds nothing, has missed nothing.
#[test]
fn nothing_comes_after_the_end() {
    check("nothing_comes_after_the_end", Budget::exhaustive(), || {
        let (mut producer, mut consumer) = wrapping(2);
        let pusher = thread::spawn(move || {
            producer.push(0).unwrap();
            producer.push(1).unwrap();
        });
        let mut taken = Vec::new();
        loop {
            let last = consumer.is_abandoned();
            match consumer.pop() {
                Some(item) => taken.push(item),
                None if last => break,
                None => thread::yield_now(),
            }
        }
        assert_eq!(taken, [0, 1]);
        pusher.join().unwrap();
    });
}

/// What the consumer did is seen by a producer that finds it gone.
#[test]
fn the_consumer_leaves_its_work_behind() {
    check("the_consumer_leaves", Budget::exhaustive(), || {
        let (producer, consumer) = wrapping::<usize>(1);
        let work = Arc::new(AtomicUsize::new(0));
        let popper = {
            let work = work.clone();
            thread::spawn(move || {
                work.store(1, Relaxed);
                drop(consumer);
            })
        };
        if producer.is_abandoned() {
            assert_eq!(work.load(Relaxed), 1);
        }
        popper.join().unwrap();
    });
}

/// Both sides leave at the same time: what is left is dropped by the second, once.
#[test]
fn the_second_to_leave_drops_the_rest() {
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    check("the_second_to_leave", Budget::exhaustive(), || {
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut producer, mut consumer) = wrapping(2);
        let pusher = {
            let drops = drops.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    assert!(producer.push(Counted(drops.clone())).is_ok());
                }
            })
        };
        drop(consumer.pop());
        drop(consumer);
        pusher.join().unwrap();
        assert_eq!(drops.load(Relaxed), 2);
    });
}

/// Runs a producer and a consumer that try, and do not wait; checks what they were told.
fn assert_linearizable_runs(capacity: usize, pushes: Vec<Op>, pops: Vec<Op>) {
    let (mut producer, mut consumer) = starting_at(capacity, usize::MAX - 1);
    let mut recorder = Recorder::new();
    let (mut in_log, mut out_log): (Log, Log) = (recorder.log(), recorder.log());
    let pusher = thread::spawn(move || {
        for op in pushes {
            in_log.record(op.clone(), || match op {
                Op::Push(item) => Ret::pushed(&producer.push(item)),
                Op::PushBatch(items) => Ret::Count(producer.push_iter(items)),
                Op::Len => Ret::Count(producer.capacity() - producer.slots()),
                other => unreachable!("{other:?}"),
            });
        }
        in_log
    });
    for op in pops {
        out_log.record(op.clone(), || match op {
            Op::Pop => Ret::popped(consumer.pop()),
            Op::PopBatch(max) => {
                let mut items = Vec::new();
                consumer.pop_batch(&mut items, max);
                Ret::Items(items)
            }
            Op::Len => Ret::Count(consumer.slots()),
            other => unreachable!("{other:?}"),
        });
    }
    let in_log = pusher.join().unwrap();
    let history = History::new([in_log, out_log]);
    // What comes between a batch's look and its end is left to the next one.
    assert_linearizable(&Fifo::bounded(capacity).with_short_batches(), &history);
}

/// Full, empty and the counts are right at some moment.
#[test]
fn answers_are_of_one_moment() {
    check("answers_are_of_one_moment", Budget::exhaustive(), || {
        let pushes = vec![Op::Push(1), Op::Push(2), Op::Len];
        assert_linearizable_runs(1, pushes, vec![Op::Pop, Op::Pop]);
    });
}

/// The same with batches and more of it.
#[test]
fn histories_are_linearizable() {
    check_large("spsc_histories_are_linearizable", Budget::default(), || {
        for capacity in 1..4 {
            let pushes = (0..12)
                .map(|n| match n % 4 {
                    1 => Op::PushBatch(vec![10 * n, 10 * n + 1, 10 * n + 2]),
                    3 => Op::Len,
                    _ => Op::Push(10 * n),
                })
                .collect();
            let pops = (0..14)
                .map(|n| match n % 5 {
                    2 => Op::PopBatch(2),
                    4 => Op::Len,
                    _ => Op::Pop,
                })
                .collect();
            assert_linearizable_runs(capacity, pushes, pops);
        }
    });
}
