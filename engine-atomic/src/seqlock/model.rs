//! Models of reading, writing and updating.

use testkit::model::{Budget, check, check_large};

use super::SeqLock;
use crate::sync::atomic::{AtomicU32, Ordering::*};
use crate::sync::{Arc, thread};

/// Two words that are always written equal.
type Pair = [usize; 2];

fn spawn<T: Send + 'static>(
    lock: &Arc<SeqLock<Pair>>,
    body: impl FnOnce(&SeqLock<Pair>) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let lock = lock.clone();
    thread::spawn(move || body(&lock))
}

#[test]
fn torn_reads_are_impossible() {
    check("torn_reads_are_impossible", Budget::preemptions(3), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let writer = spawn(&lock, |lock| {
            lock.write([1; 2]);
            lock.write([2; 2]);
        });
        let first = lock.read();
        let second = lock.read();
        assert!(first[0] == first[1] && second[0] == second[1]);
        assert!(first[0] <= second[0], "{first:?}, then {second:?}");
        writer.join().unwrap();
        assert_eq!(lock.read(), [2; 2]);
    });
}

#[test]
fn try_read_is_whole_or_nothing() {
    check("try_read_is_whole_or_nothing", Budget::exhaustive(), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let writer = spawn(&lock, |lock| lock.write([1; 2]));
        if let Some([a, b]) = lock.try_read() {
            assert_eq!(a, b);
        }
        writer.join().unwrap();
        assert_eq!(lock.try_read(), Some([1; 2]));
    });
}

/// A read that returns a value sees what the writer did before.
#[test]
fn a_value_publishes() {
    check("a_value_publishes", Budget::exhaustive(), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let before = Arc::new(AtomicU32::new(0));
        let writer = spawn(&lock, {
            let before = before.clone();
            move |lock| {
                before.store(1, Relaxed);
                lock.write([1; 2]);
            }
        });
        if lock.read() == [1; 2] {
            assert_eq!(before.load(Relaxed), 1);
        }
        writer.join().unwrap();
    });
}

/// And a write is visible to who has been told of it.
#[test]
fn a_write_is_visible() {
    check("a_write_is_visible", Budget::exhaustive(), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let told = Arc::new(AtomicU32::new(0));
        let writer = spawn(&lock, {
            let told = told.clone();
            move |lock| {
                lock.write([1; 2]);
                told.store(1, Release);
            }
        });
        if told.load(Acquire) == 1 {
            assert_eq!(lock.read(), [1; 2]);
        }
        writer.join().unwrap();
    });
}

/// Writers exclude each other, and the later one sees what the earlier one did.
#[test]
fn writers_are_ordered() {
    check("writers_are_ordered", Budget::preemptions(3), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let before = Arc::new(AtomicU32::new(0));
        let other = spawn(&lock, {
            let before = before.clone();
            move |lock| {
                before.store(1, Relaxed);
                lock.write([1; 2]);
            }
        });
        if lock.begin(2) {
            // We are the second writer.
            assert_eq!(before.load(Relaxed), 1);
            lock.finish(2, [2; 2]);
            assert_eq!(lock.read(), [2; 2]);
        } else {
            lock.write([2; 2]);
        }
        other.join().unwrap();
        let [a, b] = lock.read();
        assert!(a == b && a != 0);
        assert_eq!(lock.sequence.load(Relaxed), 4);
    });
}

#[test]
fn no_update_is_lost() {
    check("no_update_is_lost", Budget::preemptions(3), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let add = |lock: &SeqLock<Pair>| {
            lock.update(|pair| {
                assert_eq!(pair[0], pair[1]);
                *pair = pair.map(|n| n + 1);
            });
        };
        let other = spawn(&lock, add);
        add(&lock);
        other.join().unwrap();
        assert_eq!(lock.read(), [2; 2]);
    });
}

#[test]
fn try_write_excludes() {
    check("try_write_excludes", Budget::exhaustive(), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let other = spawn(&lock, |lock| lock.try_write([1; 2]).is_ok());
        let ours = lock.try_write([2; 2]);
        let theirs = other.join().unwrap();
        assert!(ours.is_ok() || theirs);
        let done = usize::from(ours.is_ok()) + usize::from(theirs);
        assert_eq!(lock.sequence.load(Relaxed), 2 * done);
        let [a, b] = lock.read();
        assert_eq!(a, b);
    });
}

#[test]
fn many_threads() {
    check_large("many_threads_seqlock", Budget::default(), || {
        let lock = Arc::new(SeqLock::new([0; 2]));
        let writers: Vec<_> = (0..3)
            .map(|n| {
                spawn(&lock, move |lock| {
                    lock.update(|pair| *pair = pair.map(|n| n + 1));
                    let [a, b] = lock.read();
                    assert!(a == b && a > 0);
                    if n == 0 {
                        lock.update(|pair| pair.iter_mut().for_each(|n| *n += 10));
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(lock.read(), [13; 2]);
    });
}
