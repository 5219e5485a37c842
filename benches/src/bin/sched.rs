//! Schedulers of futures: nanoseconds a task or a turn.
//!
//! ```sh
//! cargo run --release -p benches --bin sched -- [--rounds 9] [--millis 60] [--only "2 workers"] [--format csv]
//! ```
//!
//! | table | what happens, on a task of the scheduler unless it says otherwise |
//! |---|---|
//! | spawn and join | spawn a task that returns a number, and await it |
//! | spawn 1,000, join 1,000 | spawn all, then await all |
//! | yield | one task for each worker, each yields over and over; a turn of any of them counts |
//! | chain | each task spawns the next and ends; a thousand links, then a channel says so |
//! | from outside | a thread that is no worker spawns a task and blocks on it: two wake-ups |
//!
//! Every scheduler exists for the whole run; those whose turn it is not are idle.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::{Contest, Report, Turn, Unit};

/// What the schedulers have in common.
trait Runtime: Clone + Send + Sync + 'static {
    fn new(workers: usize) -> Self;
    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future<Output: Send> + Send + 'static;
    fn detach(&self, future: impl Future<Output = ()> + Send + 'static);
    fn block_on<F: Future>(&self, future: F) -> F::Output;
    fn yield_now() -> impl Future<Output = ()> + Send;
}

#[derive(Clone)]
struct Engine(engine_sched::Scheduler);

impl Runtime for Engine {
    fn new(workers: usize) -> Self {
        let builder = engine_sched::Scheduler::builder().workers(workers);
        Self(builder.build().expect("threads start"))
    }

    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let task = self.0.spawn(future);
        async move { task.await.expect("the task does not panic") }
    }

    fn detach(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future).detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        engine_sched::yield_now()
    }
}

#[derive(Clone)]
struct Tokio(Arc<tokio::runtime::Runtime>);

impl Runtime for Tokio {
    fn new(workers: usize) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).build();
        Self(Arc::new(runtime.expect("threads start")))
    }

    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let task = self.0.spawn(future);
        async move { task.await.expect("the task does not panic") }
    }

    fn detach(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(future));
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }
}

/// async-executor has no threads: these run it until the process ends.
#[derive(Clone)]
struct AsyncExecutor(Arc<async_executor::Executor<'static>>);

impl Runtime for AsyncExecutor {
    fn new(workers: usize) -> Self {
        let executor = Arc::new(async_executor::Executor::new());
        for _ in 0..workers {
            let executor = executor.clone();
            std::thread::spawn(move || {
                futures_lite::future::block_on(executor.run(std::future::pending::<()>()));
            });
        }
        Self(executor)
    }

    fn spawn<F>(&self, future: F) -> impl Future<Output = F::Output> + Send + 'static
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.spawn(future)
    }

    fn detach(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future).detach();
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        futures_lite::future::block_on(future)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }
}

/// Runs `batch` on a task of the runtime over and over for `duration`; it returns
/// how many operations it did.
fn on_a_task<R, F>(runtime: &R, duration: Duration, batch: impl Fn(R) -> F + Send + 'static) -> Turn
where
    R: Runtime,
    F: Future<Output = u64> + Send,
{
    let inside = runtime.clone();
    let task = runtime.spawn(async move {
        let start = Instant::now();
        let mut operations = 0;
        while start.elapsed() < duration {
            operations += batch(inside.clone()).await;
        }
        (operations, start.elapsed())
    });
    let (operations, elapsed) = runtime.block_on(task);
    Turn {
        operations,
        elapsed,
        latencies: None,
        shares: Vec::new(),
    }
}

fn spawn_and_join<R: Runtime>(runtime: &R, duration: Duration) -> Turn {
    on_a_task(runtime, duration, |runtime| async move {
        for number in 0..100 {
            assert_eq!(runtime.spawn(async move { number }).await, number);
        }
        100
    })
}

fn spawn_all_join_all<R: Runtime>(runtime: &R, duration: Duration) -> Turn {
    on_a_task(runtime, duration, |runtime| async move {
        let tasks: Vec<_> = (0..1_000)
            .map(|number| runtime.spawn(async move { number }))
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        assert_eq!(sum, 999 * 1_000 / 2);
        1_000
    })
}

fn yields<R: Runtime>(runtime: &R, duration: Duration, workers: usize) -> Turn {
    on_a_task(runtime, duration, move |runtime| async move {
        let turn = || async {
            for _ in 0..10_000 {
                R::yield_now().await;
            }
        };
        let others: Vec<_> = (1..workers).map(|_| runtime.spawn(turn())).collect();
        turn().await;
        for other in others {
            other.await;
        }
        10_000 * workers as u64
    })
}

fn chain<R: Runtime>(runtime: &R, duration: Duration) -> Turn {
    const LINKS: u64 = 1_000;

    fn link<R: Runtime>(runtime: R, left: u64, done: tokio::sync::oneshot::Sender<()>) {
        let inside = runtime.clone();
        runtime.detach(async move {
            if left > 1 {
                link(inside, left - 1, done);
            } else {
                done.send(()).expect("the first task waits");
            }
        });
    }

    on_a_task(runtime, duration, |runtime| async move {
        let (done, wait) = tokio::sync::oneshot::channel();
        link(runtime, LINKS, done);
        wait.await.expect("the last link sends");
        LINKS
    })
}

fn from_outside<R: Runtime>(runtime: &R, duration: Duration) -> Turn {
    benches::runner::alone(duration, 10, |batch| {
        for number in 0..batch {
            let task = runtime.spawn(async move { number });
            assert_eq!(runtime.block_on(task), number);
        }
    })
}

fn main() {
    let report = Report::start();
    let duration = report.options().turn();
    for workers in [1, 2] {
        let engine = Engine::new(workers);
        let tokio = Tokio::new(workers);
        let executor = AsyncExecutor::new(workers);
        let title = |what: &str| {
            let s = if workers == 1 { "" } else { "s" };
            format!("{what}, {workers} worker{s}")
        };
        macro_rules! contest {
            ($title:literal, $turn:ident $(, $argument:expr)?) => {
                report.run(
                    Contest::new(title($title), Unit::Nanoseconds)
                        .add("tokio", || $turn(&tokio, duration $(, $argument)?))
                        .add("async-executor", || $turn(&executor, duration $(, $argument)?))
                        .add("engine-sched", || $turn(&engine, duration $(, $argument)?)),
                );
            };
        }
        contest!("spawn and join", spawn_and_join);
        contest!("spawn 1,000, join 1,000", spawn_all_join_all);
        contest!("yield", yields, workers);
        contest!("chain", chain);
        contest!("from outside", from_outside);
        engine.0.shutdown();
    }
    report.finish();
}
