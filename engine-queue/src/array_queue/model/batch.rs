//! Models of batches.

use super::*;
use crate::PushError;

/// Pushes `items` as batches, waiting for room.
fn batch_pusher(queue: &Queue, mut items: Vec<usize>) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || {
        while let Err(error) = queue.push_batch(&mut items) {
            assert_eq!(error, PushError::Full(()));
            thread::yield_now();
        }
    })
}

/// Pops batches of up to two until it has `count` items.
fn batch_popper(queue: &Queue, count: usize) -> thread::JoinHandle<Vec<usize>> {
    let queue = queue.clone();
    thread::spawn(move || {
        let mut taken = Vec::new();
        while taken.len() < count {
            let max = 2.min(count - taken.len());
            if queue.pop_batch(&mut taken, max) == 0 {
                thread::yield_now();
            }
        }
        taken
    })
}

#[test]
fn batches_pass_through() {
    check("batches_pass_through", Budget::preemptions(3), || {
        let queue = filled(2, 0..1);
        let pusher = batch_pusher(&queue, vec![1, 2]);
        let popper = batch_popper(&queue, 3);
        pusher.join().unwrap();
        assert_eq!(popper.join().unwrap(), [0, 1, 2]);
    });
}

#[test]
fn a_batch_against_a_push() {
    check("a_batch_against_a_push", Budget::preemptions(2), || {
        let queue = filled(3, 0..0);
        let pushers = [batch_pusher(&queue, vec![10, 11]), pusher(&queue, vec![20])];
        let popper = popper(&queue, 1);
        for pusher in pushers {
            pusher.join().unwrap();
        }
        let taken = [popper.join().unwrap(), drain(&queue)];
        assert_fifo(&taken, vec![10, 11, 20]);
        // One claim: there was room for both.
        let order = taken.concat();
        assert_ne!(order[1], 20, "in the middle of a batch: {order:?}");
    });
}

#[test]
fn a_batch_against_a_pop() {
    check("a_batch_against_a_pop", Budget::preemptions(3), || {
        let queue = filled(3, 0..2);
        let pusher = pusher(&queue, vec![2]);
        let poppers = [2, 1].map(|max| {
            let queue = queue.clone();
            thread::spawn(move || {
                let mut taken = Vec::new();
                queue.pop_batch(&mut taken, max);
                taken
            })
        });
        pusher.join().unwrap();
        let mut taken: Vec<_> = poppers.map(|popper| popper.join().unwrap()).into();
        taken.push(drain(&queue));
        assert_fifo(&taken, vec![0, 1, 2]);
    });
}

/// A batch that finds the queue full, or empty, says nothing else than a single call.
#[test]
fn batches_answer_as_single_calls_do() {
    check(
        "batches_answer_as_single_calls_do",
        Budget::exhaustive(),
        || {
            let (a, b) = (filled(1, 0..0), filled(1, 0..0));
            let other = {
                let (a, b) = (a.clone(), b.clone());
                thread::spawn(move || {
                    b.push_batch(&mut vec![2]).unwrap();
                    a.pop_batch(&mut Vec::new(), 1)
                })
            };
            a.push_batch(&mut vec![1]).unwrap();
            let mine = b.pop_batch(&mut Vec::new(), 1);
            let theirs = other.join().unwrap();
            assert!(mine + theirs > 0, "both found nothing");
        },
    );
}

#[test]
fn full_batches_answer_as_single_calls_do() {
    check(
        "full_batches_answer_as_single_calls_do",
        Budget::exhaustive(),
        || {
            let (a, b) = (filled(1, 0..1), filled(1, 0..1));
            let other = {
                let (a, b) = (a.clone(), b.clone());
                thread::spawn(move || {
                    assert_eq!(b.pop_batch(&mut Vec::new(), 1), 1);
                    a.push_batch(&mut vec![1])
                })
            };
            assert_eq!(a.pop_batch(&mut Vec::new(), 1), 1);
            let mine = b.push_batch(&mut vec![1]);
            let theirs = other.join().unwrap();
            assert!(mine.is_ok() || theirs.is_ok(), "both found no room");
        },
    );
}

/// With one slot, the ends meet while a `force_push` moves them: the queue is not empty then.
#[test]
fn force_push_against_a_batch() {
    check("force_push_against_a_batch", Budget::exhaustive(), || {
        let queue = filled(1, 0..1);
        let forcer = forcer(&queue, vec![1]);
        let popper = {
            let queue = queue.clone();
            thread::spawn(move || {
                let mut taken = Vec::new();
                assert_eq!(queue.pop_batch(&mut taken, 1), 1, "it never was empty");
                taken
            })
        };
        let taken = [
            forcer.join().unwrap(),
            popper.join().unwrap(),
            drain(&queue),
        ];
        assert_fifo(&taken, vec![0, 1]);
    });
}
