//! Models of the reactor over a poller of our own: sockets are flags.

use std::io;
use std::task::Context;
use std::time::Duration;

use engine_atomic::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, Condvar, Mutex, thread};
use testkit::model::{Budget, check, check_large};

use super::core::Core;
use super::poller::{Poll, Ready};
use super::source::Source;
use crate::sync::lock;
use crate::testing::block_on;

/// A poller whose events the models make.
#[derive(Default)]
struct Fake {
    inner: Mutex<FakeInner>,
    changed: Condvar,
}

#[derive(Default)]
struct FakeInner {
    ready: Vec<Ready>,
    notified: bool,
    /// So many waits fail first.
    failures: usize,
}

impl Poll for Fake {
    type Buffer = ();

    fn buffer(&self) {}

    fn wait(
        &self,
        (): &mut (),
        timeout: Option<Duration>,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        if inner.failures > 0 {
            inner.failures -= 1;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        while timeout.is_none() && inner.ready.is_empty() && !inner.notified {
            inner = self.changed.wait(inner).unwrap();
        }
        inner.notified = false;
        ready.append(&mut inner.ready);
        Ok(())
    }

    fn notify(&self) {
        lock(&self.inner).notified = true;
        self.changed.notify_one();
    }
}

impl Fake {
    /// The socket of `key` has become readable.
    fn edge(&self, key: usize) {
        let event = Ready {
            key,
            read: true,
            write: false,
        };
        lock(&self.inner).ready.push(event);
        self.changed.notify_one();
    }
}

/// A reactor, a socket of its, and plain data that others write.
struct World {
    core: Core<Fake>,
    /// Bytes that have come.
    came: AtomicUsize,
    done: AtomicBool,
    data: [UnsafeCell<u32>; 2],
}

// SAFETY: each cell is written by one thread before its unpark or its edge, and read by
// others after they have seen that; the checkers verify it.
unsafe impl Sync for World {}
// SAFETY: plain data.
unsafe impl Send for World {}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            core: Core::new(Fake::default()),
            came: AtomicUsize::new(0),
            done: AtomicBool::new(false),
            data: [UnsafeCell::new(0), UnsafeCell::new(0)],
        })
    }

    fn write(&self, index: usize) {
        // SAFETY: nobody reads before what the caller does next.
        self.data[index].with_mut(|data| unsafe { *data = 7 });
    }

    fn read(&self, index: usize) -> u32 {
        // SAFETY: the writer is done, and the caller has seen so.
        self.data[index].with(|data| unsafe { *data })
    }

    /// The network: a byte, and the edge for it.
    fn byte(&self, key: usize) {
        // Release: as the kernel publishes a byte to the read that returns it.
        self.came.fetch_add(1, Release);
        self.core.poller.edge(key);
    }

    /// The driving worker, until a task says that all is done.
    fn drive(&self) {
        while !self.done.load(Acquire) {
            self.core.park();
        }
    }

    /// A task that reads `bytes` bytes one by one, and waits for each.
    fn read_bytes(&self, source: &Source, bytes: usize) {
        for read in 0..bytes {
            let operation = || match self.came.load(Acquire) > read {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            let poll = |cx: &mut Context<'_>| source.read.poll_with(cx, operation);
            block_on(std::future::poll_fn(poll)).unwrap();
        }
    }

    fn end(&self) {
        self.done.swap(true, Release);
        self.core.unpark();
    }
}

/// What the caller of an unpark did before happens before the return of the park.
#[test]
fn an_unpark_publishes() {
    check("an_unpark_publishes", Budget::exhaustive(), || {
        let world = World::new();
        let other = thread::spawn({
            let world = world.clone();
            move || {
                world.write(0);
                world.core.unpark();
            }
        });
        world.core.park();
        assert_eq!(world.read(0), 7);
        other.join().unwrap();
    });
}

/// A park ends what all unparks before its end have asked for, and shows what all of
/// their callers did; one that comes later ends the next park.
#[test]
fn two_unparks() {
    check("two_unparks", Budget::preemptions(3), || {
        let world = World::new();
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let others: Vec<_> = (0..2)
            .map(|index| {
                let (world, flags) = (world.clone(), flags.clone());
                thread::spawn(move || {
                    // Relaxed: the unpark publishes it.
                    flags[index].swap(true, Relaxed);
                    world.core.unpark();
                })
            })
            .collect();
        let seen = || flags.each_ref().map(|flag| flag.load(Relaxed));
        world.core.park();
        let first = seen();
        assert_ne!(first, [false, false]);
        if first != [true, true] {
            world.core.park();
            assert_eq!(seen(), [true, true]);
        }
        for other in others {
            other.join().unwrap();
        }
    });
}

/// A poll between an unpark and the park does not use the unpark up.
#[test]
fn a_poll_leaves_the_unpark() {
    check("a_poll_leaves_the_unpark", Budget::exhaustive(), || {
        let world = World::new();
        let other = thread::spawn({
            let world = world.clone();
            move || {
                world.write(0);
                world.core.unpark();
            }
        });
        world.core.poll();
        world.core.park();
        assert_eq!(world.read(0), 7);
        other.join().unwrap();
    });
}

/// An unpark reaches a worker whose poller fails: while it rests, and before and after.
#[test]
fn an_unpark_reaches_a_worker_that_rests() {
    check(
        "an_unpark_reaches_a_worker_that_rests",
        Budget::preemptions(5),
        || {
            let world = World::new();
            lock(&world.core.poller.inner).failures = 1;
            let other = thread::spawn({
                let world = world.clone();
                move || {
                    world.write(0);
                    world.end();
                }
            });
            // The rest may also end by itself.
            world.drive();
            assert_eq!(world.read(0), 7);
            other.join().unwrap();
        },
    );
}

/// The edge comes before the read, between the read and the wait, or during the wait.
#[test]
fn an_edge_reaches_the_task_that_waits() {
    check(
        "an_edge_reaches_the_task_that_waits",
        Budget::preemptions(3),
        || {
            let world = World::new();
            let source = std::sync::Arc::<Source>::default();
            let key = world.core.insert(source.clone());
            let task = thread::spawn({
                let world = world.clone();
                move || {
                    world.read_bytes(&source, 1);
                    assert_eq!(world.read(0), 7);
                    world.end();
                }
            });
            let network = thread::spawn({
                let world = world.clone();
                move || {
                    world.write(0);
                    world.byte(key);
                }
            });
            world.drive();
            task.join().unwrap();
            network.join().unwrap();
        },
    );
}

/// An event that has been used for one read is not missing for the next.
#[test]
fn two_edges() {
    check("two_edges", Budget::preemptions(3), || {
        let world = World::new();
        let source = std::sync::Arc::<Source>::default();
        let key = world.core.insert(source.clone());
        let task = thread::spawn({
            let world = world.clone();
            move || {
                world.read_bytes(&source, 2);
                world.end();
            }
        });
        let network = thread::spawn({
            let world = world.clone();
            move || {
                world.byte(key);
                world.byte(key);
            }
        });
        world.drive();
        task.join().unwrap();
        network.join().unwrap();
    });
}

/// An event of a socket that is gone reaches the one that has its key now, and does
/// no harm there.
#[test]
fn a_key_is_used_again() {
    check("a_key_is_used_again", Budget::preemptions(3), || {
        let world = World::new();
        let old = world.core.insert(std::sync::Arc::default());
        world.core.poller.edge(old);
        let task = thread::spawn({
            let world = world.clone();
            move || {
                world.core.remove(old);
                let source = std::sync::Arc::<Source>::default();
                let key = world.core.insert(source.clone());
                assert_eq!(key, old);
                let network = thread::spawn({
                    let world = world.clone();
                    move || world.byte(key)
                });
                world.read_bytes(&source, 1);
                world.core.remove(key);
                network.join().unwrap();
                world.end();
            }
        });
        world.drive();
        task.join().unwrap();
    });
}

/// Several sockets, several bytes each, and unparks all the time.
#[test]
fn a_busy_reactor() {
    let budget = Budget::default().schedules(300);
    check_large("a_busy_reactor", budget, || {
        const SOCKETS: usize = 3;
        const BYTES: usize = 3;
        let world = World::new();
        let left = Arc::new(AtomicUsize::new(SOCKETS));
        lock(&world.core.poller.inner).failures = 1;
        let tasks: Vec<_> = (0..SOCKETS)
            .map(|_| {
                let (world, left) = (world.clone(), left.clone());
                thread::spawn(move || {
                    let source = std::sync::Arc::<Source>::default();
                    let key = world.core.insert(source.clone());
                    let network = thread::spawn({
                        let world = world.clone();
                        move || (0..BYTES).for_each(|_| world.byte(key))
                    });
                    world.read_bytes(&source, BYTES);
                    world.core.unpark();
                    network.join().unwrap();
                    world.core.remove(key);
                    if left.fetch_sub(1, AcqRel) == 1 {
                        world.end();
                    }
                })
            })
            .collect();
        world.drive();
        for task in tasks {
            task.join().unwrap();
        }
    });
}
