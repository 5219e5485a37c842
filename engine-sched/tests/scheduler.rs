//! What a user relies on, through the public interface, on real threads.

use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use engine_sched::{Scheduler, Snapshot, yield_now};

fn scheduler(workers: usize) -> Scheduler {
    Scheduler::builder().workers(workers).build().unwrap()
}

/// Counts drops, and panics in the drop if it is told to.
struct Guard {
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl Guard {
    fn new(drops: &Arc<AtomicUsize>) -> Self {
        Self {
            drops: drops.clone(),
            panics: false,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
        assert!(!self.panics, "a guard that panics when dropped");
    }
}

#[test]
fn many_tasks_from_many_threads() {
    let scheduler = scheduler(2);
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let scheduler = scheduler.clone();
            std::thread::spawn(move || {
                let handles: Vec<_> = (0..1_000)
                    .map(|n| {
                        scheduler.spawn(async move {
                            yield_now().await;
                            thread * 1_000 + n
                        })
                    })
                    .collect();
                handles
                    .into_iter()
                    .map(|handle| scheduler.block_on(handle).unwrap())
                    .sum::<u64>()
            })
        })
        .collect();
    let sum: u64 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    assert_eq!(sum, (0..4_000).sum());
    let polls: u64 = scheduler.snapshot().workers.iter().map(|w| w.polls).sum();
    assert_eq!(polls, 8_000);
}

#[test]
fn a_worker_that_spawns_more_than_its_queue_holds() {
    let scheduler = scheduler(2);
    let sum = scheduler.spawn(async {
        let handles: Vec<_> = (0..10_000_u64)
            .map(|n| engine_sched::spawn(async move { n }))
            .collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(scheduler.block_on(sum).unwrap(), (0..10_000).sum());
    let overflows: u64 = scheduler
        .snapshot()
        .workers
        .iter()
        .map(|w| w.overflows)
        .sum();
    assert!(overflows > 0, "10,000 tasks in a queue of 256");
}

#[test]
fn a_panic_reaches_the_handle_and_no_worker_dies() {
    let scheduler = scheduler(1);
    for _ in 0..3 {
        let error = scheduler
            .block_on(scheduler.spawn(async { panic!("payload") }))
            .unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.to_string(), "the task panicked");
        let payload = error.into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"payload"));
    }
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 1 })).unwrap(), 1);
}

#[test]
fn a_panic_in_the_drop_of_a_future_reaches_the_handle() {
    let scheduler = scheduler(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let mut guard = Guard::new(&drops);
    guard.panics = true;
    let handle = scheduler.spawn(async move {
        let _held_to_the_end = &guard;
        pending::<()>().await;
    });
    handle.abort();
    assert!(scheduler.block_on(handle).unwrap_err().is_panic());
    assert_eq!(drops.load(SeqCst), 1);
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 1 })).unwrap(), 1);
}

#[test]
fn a_panic_in_the_drop_of_an_unwanted_result_kills_no_worker() {
    let scheduler = scheduler(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let mut guard = Guard::new(&drops);
    guard.panics = true;
    scheduler.spawn(async move { guard }).detach();
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 1 })).unwrap(), 1);
    assert_eq!(drops.load(SeqCst), 1);
    assert_eq!(scheduler.snapshot().workers[0].panics, 1);
}

#[test]
fn dropping_a_handle_detaches() {
    let scheduler = scheduler(1);
    let (sender, receiver) = mpsc::channel();
    drop(scheduler.spawn(async move { sender.send(7).unwrap() }));
    assert_eq!(receiver.recv(), Ok(7));
}

#[test]
fn abort_drops_the_future_and_leaves_a_finished_task_alone() {
    let scheduler = scheduler(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::new(&drops);
    let waiting = scheduler.spawn(async move {
        let _held_to_the_end = &guard;
        pending::<()>().await;
    });
    waiting.abort();
    waiting.abort();
    let error = scheduler.block_on(waiting).unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!(drops.load(SeqCst), 1);

    let finished = scheduler.spawn(async { 7 });
    scheduler.block_on(scheduler.spawn(async {})).unwrap();
    assert!(finished.is_finished());
    finished.abort();
    assert_eq!(scheduler.block_on(finished).unwrap(), 7);
}

#[test]
fn spawning_after_shutdown_hands_the_future_back() {
    let scheduler = scheduler(1);
    scheduler.shutdown();
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::new(&drops);
    let refused = scheduler
        .try_spawn(async move {
            let _guard = guard;
            5
        })
        .unwrap_err();
    assert_eq!(refused.to_string(), "the scheduler has been shut down");
    assert_eq!(drops.load(SeqCst), 0);
    assert_eq!(scheduler.block_on(refused.into_inner()), 5);

    let handle = scheduler.spawn(async {});
    assert!(handle.is_finished());
    assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
    let handle = scheduler.spawn_blocking(|| ());
    assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
}

#[test]
fn shutdown_drops_every_task_and_every_handle_resolves() {
    let scheduler = scheduler(2);
    let drops = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..100)
        .map(|n| {
            let guard = Guard::new(&drops);
            scheduler.spawn(async move {
                let _held_to_the_end = &guard;
                if n % 2 == 0 {
                    pending::<()>().await;
                }
                loop {
                    yield_now().await;
                }
            })
        })
        .collect();
    scheduler.shutdown();
    assert_eq!(drops.load(SeqCst), 100);
    for handle in handles {
        assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
    }
    assert_eq!(scheduler.snapshot().live_tasks, 0);
}

#[test]
fn the_last_handle_ends_the_scheduler() {
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::new(&drops);
    let first = scheduler(2);
    let second = first.clone();
    let handle = first.spawn(async move {
        let _held_to_the_end = &guard;
        pending::<()>().await;
    });
    drop(first);
    assert_eq!(drops.load(SeqCst), 0);
    drop(second);
    assert_eq!(drops.load(SeqCst), 1);
    assert!(handle.is_finished());
}

#[test]
fn shutdown_inside_a_task_and_inside_a_blocking_closure() {
    for blocking in [false, true] {
        let scheduler = scheduler(2);
        let inner = scheduler.clone();
        let handle = if blocking {
            scheduler.spawn_blocking(move || inner.shutdown())
        } else {
            scheduler.spawn(async move { inner.shutdown() })
        };
        scheduler.block_on(handle).unwrap();
        scheduler.shutdown();
        assert!(scheduler.is_shut_down());
    }
}

#[test]
fn a_future_whose_drop_spawns_during_shutdown() {
    struct Spawner(Scheduler, Arc<AtomicUsize>);
    impl Drop for Spawner {
        fn drop(&mut self) {
            assert!(self.0.try_spawn(async {}).is_err());
            self.1.fetch_add(1, SeqCst);
        }
    }
    let scheduler = scheduler(2);
    let drops = Arc::new(AtomicUsize::new(0));
    let spawner = Spawner(scheduler.clone(), drops.clone());
    scheduler
        .spawn(async move {
            let _held_to_the_end = &spawner;
            pending::<()>().await;
        })
        .detach();
    scheduler.shutdown();
    assert_eq!(drops.load(SeqCst), 1);
}

/// Runs a closure when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// The drop runs on a worker that has left its loop; waiting there for the end would be
/// waiting for itself.
#[test]
fn a_future_whose_drop_shuts_down() {
    for queued in [false, true] {
        let scheduler = scheduler(2);
        let inner = scheduler.clone();
        let (sender, receiver) = mpsc::channel();
        let on_drop = OnDrop(move || {
            inner.shutdown();
            sender.send(()).unwrap();
        });
        scheduler
            .spawn(async move {
                let _held_to_the_end = &on_drop;
                loop {
                    if !queued {
                        pending::<()>().await;
                    }
                    yield_now().await;
                }
            })
            .detach();
        scheduler.shutdown();
        assert_eq!(receiver.try_recv(), Ok(()));
    }
}

#[test]
fn the_last_handle_in_a_task_that_the_shutdown_drops() {
    let scheduler = scheduler(2);
    let (held, caller) = (scheduler.clone(), scheduler.clone());
    let holds = scheduler.spawn(async move {
        let _held_to_the_end = &held;
        pending::<()>().await;
    });
    scheduler.spawn(async move { caller.shutdown() }).detach();
    drop(scheduler);
    let other = self::scheduler(1);
    assert!(other.block_on(holds).unwrap_err().is_cancelled());
}

/// By then the worker belongs to no scheduler; joining itself would panic, where a panic
/// aborts.
#[test]
fn the_last_handle_in_a_thread_local_of_a_worker() {
    struct Held(Option<Scheduler>, mpsc::Sender<()>);
    impl Drop for Held {
        fn drop(&mut self) {
            drop(self.0.take());
            self.1.send(()).unwrap();
        }
    }
    thread_local! {
        static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
    }
    let scheduler = scheduler(1);
    let inner = scheduler.clone();
    let (sender, receiver) = mpsc::channel();
    let (dropped, has_dropped) = mpsc::channel();
    scheduler
        .spawn(async move {
            has_dropped.recv().unwrap();
            inner.shutdown();
            HELD.set(Some(Held(Some(inner), sender)));
        })
        .detach();
    drop(scheduler);
    dropped.send(()).unwrap();
    assert_eq!(receiver.recv(), Ok(()));
}

/// What a drop does at the end is what it could do before, in the poll.
#[test]
fn a_drop_at_the_end_is_on_a_worker() {
    let scheduler = scheduler(1);
    let (sender, receiver) = mpsc::channel();
    let inner = scheduler.clone();
    let on_drop = OnDrop(move || {
        engine_sched::spawn(async {}).detach();
        let blocked = catch_unwind(AssertUnwindSafe(|| inner.block_on(async {})));
        sender.send(blocked.is_err()).unwrap();
    });
    scheduler
        .spawn(async move {
            let _held_to_the_end = &on_drop;
            loop {
                yield_now().await;
            }
        })
        .detach();
    scheduler.shutdown();
    assert_eq!(receiver.try_recv(), Ok(true));
}

#[test]
fn shutdown_while_a_blocking_closure_waits_for_a_task() {
    let scheduler = scheduler(2);
    let (sender, receiver) = mpsc::channel();
    let inner = scheduler.clone();
    let waits = scheduler.spawn_blocking(move || {
        let task = inner.spawn(pending::<()>());
        sender.send(()).unwrap();
        inner.block_on(task).unwrap_err().is_cancelled()
    });
    receiver.recv().unwrap();
    scheduler.shutdown();
    assert!(scheduler.block_on(waits).unwrap());
}

#[test]
fn blocking_closures_beyond_the_limit_wait_their_turn() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .blocking_threads(2)
        .build()
        .unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..50)
        .map(|n| {
            let (running, most) = (running.clone(), most.clone());
            scheduler.spawn_blocking(move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, SeqCst);
                n
            })
        })
        .collect();
    for (n, handle) in handles.into_iter().enumerate() {
        assert_eq!(scheduler.block_on(handle).unwrap(), n);
    }
    assert!((1..=2).contains(&most.load(SeqCst)));
}

#[test]
fn blocking_closures_run_on_the_workers_if_there_are_no_threads_for_them() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .blocking_threads(0)
        .build()
        .unwrap();
    assert_eq!(
        scheduler.block_on(scheduler.spawn_blocking(|| 7)).unwrap(),
        7
    );
    let error = scheduler
        .block_on(scheduler.spawn_blocking(|| panic!("payload")))
        .unwrap_err();
    assert!(error.is_panic());
}

#[test]
fn a_queued_blocking_closure_can_be_aborted_and_a_running_one_cannot() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .blocking_threads(1)
        .build()
        .unwrap();
    let (started, has_started) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let running = scheduler.spawn_blocking(move || {
        started.send(()).unwrap();
        may_end.recv().unwrap();
        7
    });
    has_started.recv().unwrap();
    let queued = scheduler.spawn_blocking(|| 8);
    queued.abort();
    running.abort();
    end.send(()).unwrap();
    assert_eq!(scheduler.block_on(running).unwrap(), 7);
    assert!(scheduler.block_on(queued).unwrap_err().is_cancelled());
}

/// The first task never gives its worker back before the second, which waits in the
/// same queue, has run: another worker must be woken to steal it.
#[test]
fn no_task_waits_behind_a_busy_worker() {
    let scheduler = scheduler(2);
    for _ in 0..1_000 {
        let outer = scheduler.spawn(async {
            let (sender, receiver) = mpsc::channel();
            engine_sched::spawn(async move { sender.send(7).unwrap() }).detach();
            receiver.recv().unwrap()
        });
        assert_eq!(scheduler.block_on(outer).unwrap(), 7);
    }
    let steals: u64 = scheduler.snapshot().workers.iter().map(|w| w.steals).sum();
    assert!(steals > 0);
}

#[test]
fn a_worker_polls_in_order_and_a_task_that_wakes_itself_goes_last() {
    let scheduler = scheduler(1);
    let (sender, receiver) = mpsc::channel();
    let outer = scheduler.spawn(async move {
        for n in 0..3 {
            let sender = sender.clone();
            let task = async move {
                sender.send(n).unwrap();
                yield_now().await;
                sender.send(10 + n).unwrap();
            };
            engine_sched::spawn(task).detach();
        }
    });
    scheduler.block_on(outer).unwrap();
    let order: Vec<_> = receiver.iter().collect();
    assert_eq!(order, [0, 1, 2, 10, 11, 12]);
}

#[test]
fn foreign_tasks_get_through_to_busy_workers() {
    let scheduler = scheduler(1);
    let stop = Arc::new(AtomicUsize::new(0));
    let busy: Vec<_> = (0..10)
        .map(|_| {
            let stop = stop.clone();
            scheduler.spawn(async move {
                while stop.load(SeqCst) == 0 {
                    yield_now().await;
                }
            })
        })
        .collect();
    for n in 0..100 {
        assert_eq!(
            scheduler
                .block_on(scheduler.spawn(async move { n }))
                .unwrap(),
            n
        );
    }
    stop.store(1, SeqCst);
    for handle in busy {
        scheduler.block_on(handle).unwrap();
    }
}

#[test]
fn block_on_a_worker_is_refused() {
    let scheduler = scheduler(1);
    let inner = scheduler.clone();
    let error = scheduler
        .block_on(scheduler.spawn(async move { inner.block_on(async {}) }))
        .unwrap_err();
    let payload = error.into_panic();
    let text = payload.downcast_ref::<&str>().unwrap();
    assert!(text.contains("use `.await`"), "{text}");
}

#[test]
fn block_on_borrows_and_nests_outside_of_workers() {
    let scheduler = scheduler(1);
    let text = String::from("borrowed");
    let length = scheduler.block_on(async { scheduler.block_on(async { text.len() }) });
    assert_eq!(length, 8);
    let nested = scheduler.spawn_blocking({
        let scheduler = scheduler.clone();
        move || scheduler.block_on(async { 7 })
    });
    assert_eq!(scheduler.block_on(nested).unwrap(), 7);
}

#[test]
#[should_panic(expected = "outside of a scheduler")]
fn the_free_spawn_needs_a_scheduler() {
    engine_sched::spawn(async {}).detach();
}

#[test]
fn two_schedulers_spawn_on_each_other() {
    let (one, two) = (scheduler(1), scheduler(1));
    let inner = two.clone();
    let handle = one.spawn(async move {
        let name = inner.spawn(async { std::thread::current().name().map(str::to_owned) });
        (
            name.await.unwrap(),
            std::thread::current().name().map(str::to_owned),
        )
    });
    one.block_on(handle).unwrap();
    assert_eq!(one.snapshot().live_tasks, 0);
    assert!(two.snapshot().workers[0].polls > 0);
}

#[test]
fn hooks_run_on_each_worker_and_may_panic() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (starts, stops) = (calls.clone(), calls.clone());
    let scheduler = Scheduler::builder()
        .workers(2)
        .thread_name("hooked")
        .on_thread_start(move |worker| {
            let name = std::thread::current().name().unwrap().to_owned();
            assert_eq!(name, format!("hooked-{worker}"));
            starts.fetch_add(1, SeqCst);
            panic!("a hook that panics");
        })
        .on_thread_stop(move |_| {
            stops.fetch_add(100, SeqCst);
        })
        .build()
        .unwrap();
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 7 })).unwrap(), 7);
    scheduler.shutdown();
    assert_eq!(calls.load(SeqCst), 202);
}

#[test]
fn bad_settings_are_errors() {
    for workers in [0, 1025, usize::MAX] {
        let error = Scheduler::builder().workers(workers).build().unwrap_err();
        let text = error.to_string();
        assert_eq!(
            text,
            format!("a scheduler has 1 to 1024 workers, not {workers}")
        );
    }
    let error = Scheduler::builder()
        .thread_name("a\0b")
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("NUL"));
    // No address space holds this stack: the system refuses the first thread.
    let error = Scheduler::builder()
        .workers(2)
        .stack_size(1 << 60)
        .build()
        .unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "{error}");
}

#[test]
fn one_worker_and_many_workers_work() {
    for workers in [1, 3, 70] {
        let scheduler = scheduler(workers);
        let handles: Vec<_> = (0..200)
            .map(|n| scheduler.spawn(async move { n }))
            .collect();
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(scheduler.block_on(handle).unwrap(), n);
        }
        assert_eq!(scheduler.snapshot().workers.len(), workers);
    }
}

#[test]
fn the_snapshot_says_what_happens() {
    let scheduler = scheduler(1);
    let before: Snapshot = scheduler.snapshot();
    assert_eq!(before.live_tasks, 0);
    let waiting = scheduler.spawn(pending::<()>());
    scheduler.block_on(scheduler.spawn(async {})).unwrap();
    let during = scheduler.snapshot();
    assert_eq!(during.live_tasks, 1);
    assert_eq!(during.workers[0].polls, 2);
    assert!(during.to_string().contains("1 live tasks"), "{during}");
    waiting.abort();
    scheduler.shutdown();
    let after = scheduler.snapshot();
    assert_eq!(
        (after.live_tasks, after.searching, after.sleeping),
        (0, 0, 0)
    );
}

/// At rest: every worker sleeps, and none is switched to any more.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_scheduler_uses_no_processor() {
    fn switches(of: &str) -> u64 {
        let mut sum = 0;
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let path = task.path();
            let Ok(name) = std::fs::read_to_string(path.join("comm")) else {
                continue;
            };
            if !name.starts_with(of) {
                continue;
            }
            let status = std::fs::read_to_string(path.join("status")).unwrap();
            for line in status.lines().filter(|line| line.contains("ctxt_switches")) {
                sum += line.rsplit('\t').next().unwrap().parse::<u64>().unwrap();
            }
        }
        sum
    }

    let scheduler = Scheduler::builder()
        .workers(3)
        .thread_name("restful")
        .build()
        .unwrap();
    for n in 0..100 {
        scheduler
            .block_on(scheduler.spawn(async move { n }))
            .unwrap();
    }
    // A worker announces its sleep a few instructions before it is asleep: wait until
    // the counts stand still, then see that they go on standing.
    let mut last = switches("restful");
    loop {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let now = switches("restful");
        if scheduler.snapshot().sleeping == 3 && now == last {
            break;
        }
        last = now;
    }
    assert!(last > 0);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(switches("restful"), last);
}
