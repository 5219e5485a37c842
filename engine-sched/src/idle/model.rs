//! Models of the idle protocol, over a counter that stands for the queues.

use engine_atomic::futex;
use engine_atomic::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{Arc, thread};
use engine_queue::deque::bounded;
use testkit::model::{Budget, check, check_large};

use super::{Idle, Searchers, Searching};
use crate::driver::Driver;

/// The queues and the protocol, as the scheduler combines them.
struct World {
    idle: Idle,
    /// Public tasks.
    queued: AtomicUsize,
    /// Tasks that have run.
    done: AtomicUsize,
    /// All tasks that will ever be pushed.
    total: usize,
    stopped: AtomicBool,
}

impl World {
    fn new(workers: usize, total: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(workers, None),
            queued: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            total,
            stopped: AtomicBool::new(false),
        })
    }

    fn push(&self) {
        // Relaxed: the fence in `notify` is all that a push may rely on.
        self.queued.fetch_add(1, Relaxed);
        self.idle.notify();
    }

    fn take(&self) -> bool {
        let mut queued = self.queued.load(Relaxed);
        while queued > 0 {
            match self
                .queued
                .compare_exchange(queued, queued - 1, Relaxed, Relaxed)
            {
                Ok(_) => return true,
                Err(now) => queued = now,
            }
        }
        false
    }

    fn any_public(&self) -> bool {
        self.queued.load(Relaxed) > 0
    }

    /// A push by worker `me` itself.
    fn push_from(&self, me: usize) {
        self.queued.fetch_add(1, Relaxed);
        self.idle.notify_from(me);
    }

    fn stop(&self) {
        self.stopped.swap(true, Relaxed);
        self.idle.wake_all();
    }

    /// The worker's loop, with the same decisions as `worker.rs`. The worker that
    /// runs the last task stops the world.
    fn work(&self, me: usize) {
        let mut searching = Searching::No;
        while !self.stopped.load(Relaxed) {
            if self.take() {
                if searching == Searching::Yes {
                    searching = Searching::No;
                    if self.idle.end_search() == Searchers::None && self.any_public() {
                        self.idle.wake_one();
                    }
                }
                if self.done.fetch_add(1, Relaxed) + 1 == self.total {
                    self.stop();
                }
                continue;
            }
            self.idle.sleep(me, searching, || {
                self.any_public() || self.stopped.load(Relaxed)
            });
            searching = Searching::Yes;
        }
    }
}

fn run(workers: usize, pushers: usize, each: usize) {
    let world = World::new(workers, pushers * each);
    let mut threads = Vec::new();
    for me in 0..workers {
        let world = world.clone();
        threads.push(thread::spawn(move || world.work(me)));
    }
    for _ in 1..pushers {
        let world = world.clone();
        threads.push(thread::spawn(move || (0..each).for_each(|_| world.push())));
    }
    (0..each).for_each(|_| world.push());
    for thread in threads {
        thread.join().unwrap();
    }
    // All threads asleep would be a deadlock that the checker reports.
    assert_eq!(world.done.load(Relaxed), world.total);
    assert_eq!(world.queued.load(Relaxed), 0);
}

#[test]
fn push_between_look_and_sleep() {
    check(
        "push_between_look_and_sleep",
        Budget::preemptions(4),
        || run(1, 1, 1),
    );
}

#[test]
fn two_pushes_one_worker() {
    check("two_pushes_one_worker", Budget::preemptions(3), || {
        run(1, 1, 2)
    });
}

#[test]
fn two_workers_one_pusher() {
    check("two_workers_one_pusher", Budget::preemptions(2), || {
        run(2, 1, 2)
    });
}

#[test]
fn two_pushers_two_workers() {
    check("two_pushers_two_workers", Budget::preemptions(1), || {
        run(2, 2, 1)
    });
}

/// A task that waits for another one, pushed while the only searcher is busy with
/// the first: without the chain the second task would wait for ever.
#[test]
fn the_last_searcher_wakes_the_next() {
    check(
        "the_last_searcher_wakes_the_next",
        Budget::preemptions(2),
        || {
            let world = World::new(2, 2);
            let workers: Vec<_> = (0..2)
                .map(|me| {
                    let world = world.clone();
                    thread::spawn(move || blocking_work(&world, me))
                })
                .collect();
            world.push();
            world.push();
            for worker in workers {
                worker.join().unwrap();
            }
            assert_eq!(world.done.load(Relaxed), 2);
        },
    );

    /// Each of the two tasks ends only after the other has started.
    fn blocking_work(world: &World, me: usize) {
        let mut searching = Searching::No;
        loop {
            if world.take() {
                if searching == Searching::Yes
                    && world.idle.end_search() == Searchers::None
                    && world.any_public()
                {
                    world.idle.wake_one();
                }
                world.done.fetch_add(1, AcqRel);
                while world.done.load(Acquire) < 2 {
                    thread::yield_now();
                }
                return;
            }
            world.idle.sleep(me, searching, || world.any_public());
            searching = Searching::Yes;
        }
    }
}

/// A task that wakes itself is queued without a notification, behind one that does not
/// end before it. Whoever sees that one taken has to see the other.
#[test]
fn a_yielded_task_is_seen() {
    const FIRST: u8 = 1;
    const YIELDED: u8 = 2;

    check("a_yielded_task_is_seen", Budget::preemptions(3), || {
        let queue = bounded::Worker::new_fifo(2);
        queue.push(FIRST).unwrap();
        let world = World::new(2, 1);
        let thief = thread::spawn({
            let world = world.clone();
            let stealer = queue.stealer();
            move || {
                let mut searching = Searching::No;
                while world.done.load(Relaxed) == 0 {
                    if stealer.steal().success() == Some(YIELDED) {
                        world.done.store(1, Relaxed);
                    } else {
                        let anything = || !stealer.is_empty() || world.done.load(Relaxed) != 0;
                        world.idle.sleep(1, searching, anything);
                        searching = Searching::Yes;
                    }
                }
            }
        });
        queue.push(YIELDED).unwrap();
        while let Some(task) = queue.pop() {
            if task == YIELDED {
                world.done.store(1, Relaxed);
                world.idle.wake_all();
            }
            while world.done.load(Relaxed) == 0 {
                thread::yield_now();
            }
        }
        thief.join().unwrap();
    });
}

#[test]
fn eight_workers_four_pushers() {
    check_large(
        "eight_workers_four_pushers",
        Budget::default().schedules(2_000),
        || run(8, 4, 3),
    );
}

/// A driver with one kind of event, which stands for a readable socket: handling it
/// wakes a task, on the worker that drives.
struct Events {
    /// `EVENT` and `UNPARKED`.
    word: AtomicU32,
    /// Touched in `park` and `poll`, by one worker after the other.
    calls: UnsafeCell<usize>,
    /// std's, here and below: the checkers' have no weak references, and counting
    /// references is no part of the protocol.
    world: std::sync::Weak<World>,
}

// SAFETY: `calls` is touched by whoever has the seat; the checkers verify it.
unsafe impl Sync for Events {}
// SAFETY: plain data.
unsafe impl Send for Events {}

const EVENT: u32 = 1;
const UNPARKED: u32 = 2;

impl Events {
    fn raise(&self, flag: u32) {
        self.word.fetch_or(flag, Release);
        futex::wake_one(&self.word);
    }

    /// In `park` or `poll`.
    fn called(&self) {
        // SAFETY: this worker has the seat.
        self.calls.with_mut(|calls| unsafe { *calls += 1 });
    }

    /// Wakes a task if the event is among what was `seen`.
    fn handle(&self, seen: u32) {
        if seen & EVENT != 0 {
            let world = self.world.upgrade().expect("the workers hold it");
            world.push_from(ME.with(|me| me.get()));
        }
    }
}

impl Driver for std::sync::Arc<Events> {
    fn park(&self) {
        self.called();
        loop {
            let seen = self.word.swap(0, Acquire);
            self.handle(seen);
            if seen != 0 {
                return;
            }
            futex::wait(&self.word, 0);
        }
    }

    fn unpark(&self) {
        self.raise(UNPARKED);
    }

    fn poll(&self) {
        self.called();
        self.handle(self.word.fetch_and(!EVENT, Acquire));
    }
}

engine_atomic::sync::thread_local! {
    // The checkers' macros take no `const` block.
    #[allow(clippy::missing_const_for_thread_local)]
    static ME: std::cell::Cell<usize> = std::cell::Cell::new(0);
}

/// Workers with a driver, of which `polls` look into it before they work; one push from
/// outside and one event, in any order.
fn driven(workers: usize, polls: usize) {
    let mut events = None;
    let world = std::sync::Arc::new_cyclic(|world| {
        let driver = std::sync::Arc::new(Events {
            word: AtomicU32::new(0),
            calls: UnsafeCell::new(0),
            world: world.clone(),
        });
        events = Some(driver.clone());
        World {
            idle: Idle::new(workers, Some(Box::new(driver))),
            queued: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            total: 2,
            stopped: AtomicBool::new(false),
        }
    });
    let threads: Vec<_> = (0..workers)
        .map(|me| {
            let world = world.clone();
            thread::spawn(move || {
                ME.with(|mine| mine.set(me));
                if me < polls {
                    world.idle.poll_driver();
                }
                world.work(me);
            })
        })
        .collect();
    events.expect("made with the world").raise(EVENT);
    world.push();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(world.done.load(Relaxed), 2);
}

#[test]
fn a_driving_worker_hears_pushes_and_events() {
    check(
        "a_driving_worker_hears_pushes_and_events",
        Budget::preemptions(3),
        || driven(1, 0),
    );
}

#[test]
fn one_of_two_workers_drives() {
    check("one_of_two_workers_drives", Budget::preemptions(2), || {
        driven(2, 0)
    });
}

#[test]
fn a_poll_and_a_park_take_turns() {
    check(
        "a_poll_and_a_park_take_turns",
        Budget::preemptions(2),
        || driven(2, 1),
    );
}

#[test]
fn two_polls_take_turns() {
    check("two_polls_take_turns", Budget::preemptions(1), || {
        driven(2, 2)
    });
}
