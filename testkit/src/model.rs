//! Runs one model body under whichever checker this build has.
//!
//! A body is written once over `engine_atomic::sync` and named once:
//!
//! ```ignore
//! #[test]
//! fn wake_between_check_and_sleep() {
//!     testkit::model::check("wake_between_check_and_sleep", Budget::default(), || { .. });
//! }
//! ```
//!
//! | build | what runs |
//! |---|---|
//! | `--cfg engine_loom` | every execution within the preemption bound |
//! | `--cfg engine_shuttle` | random and PCT schedules |
//! | neither | the body itself, a number of times, on real threads |
//!
//! Each run prints one line that starts with `model `, with what was explored.
//! `ENGINE_MODEL_FACTOR` multiplies the schedules and plain runs, for long runs. loom's
//! own variables work: `LOOM_MAX_PREEMPTIONS`, `LOOM_LOG` and the others.

use std::time::Instant;

/// How much of a body to explore.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// loom: involuntary switches an execution may contain; `None` is all of
    /// them, which only two threads with a few steps each can afford.
    pub preemptions: Option<usize>,
    /// shuttle: schedules of each kind (random and PCT).
    pub schedules: usize,
    /// Neither: how often the body runs on real threads.
    pub runs: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            preemptions: Some(3),
            schedules: 1_000,
            runs: 50,
        }
    }
}

impl Budget {
    /// The default with another bound on loom's preemptions.
    #[must_use]
    pub fn preemptions(bound: usize) -> Self {
        Self {
            preemptions: Some(bound),
            ..Self::default()
        }
    }

    /// The default with no bound on loom's preemptions.
    #[must_use]
    pub fn exhaustive() -> Self {
        Self {
            preemptions: None,
            ..Self::default()
        }
    }

    /// This budget with another number of shuttle schedules.
    #[must_use]
    pub fn schedules(self, schedules: usize) -> Self {
        Self { schedules, ..self }
    }
}

/// Checks `body` under every model but loom: it is too big for loom.
pub fn check_large(name: &str, budget: Budget, body: impl Fn() + Send + Sync + 'static) {
    if cfg!(engine_loom) {
        println!("model {name}: not for loom");
    } else {
        check(name, budget, body);
    }
}

/// Checks `body`; panics with the checker's own report when an execution fails.
pub fn check(name: &str, budget: Budget, body: impl Fn() + Send + Sync + 'static) {
    let start = Instant::now();
    let explored = run(budget, body);
    println!(
        "model {name}: {explored} in {:.1} s",
        start.elapsed().as_secs_f64()
    );
}

#[cfg(any(engine_shuttle, not(engine_loom)))]
fn factor() -> usize {
    std::env::var("ENGINE_MODEL_FACTOR")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(1)
}

#[cfg(engine_loom)]
fn run(budget: Budget, body: impl Fn() + Send + Sync + 'static) -> String {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::util::SubscriberInitExt;

    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let mut builder = loom::model::Builder::new();
    // LOOM_MAX_PREEMPTIONS, which the builder has read, overrides the budget.
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = budget.preemptions;
    }
    builder.max_branches = builder.max_branches.max(20_000);
    let bound = builder.preemption_bound;
    // `loom::model` would do this, but takes no bound.
    let _trace = builder.log.then(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_env("LOOM_LOG"))
            .with_test_writer()
            .without_time()
            .finish()
            .set_default()
    });
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        body();
    });
    let executions = executions.load(Relaxed);
    match bound {
        Some(bound) => format!("loom, {executions} executions, at most {bound} preemptions"),
        None => format!("loom, {executions} executions, no bound"),
    }
}

#[cfg(engine_shuttle)]
fn run(budget: Budget, body: impl Fn() + Send + Sync + 'static) -> String {
    use std::sync::Arc;

    // A failed schedule can be given back to us for replay.
    if let Ok(schedule) = std::env::var("ENGINE_SHUTTLE_REPLAY") {
        shuttle::replay(body, &schedule);
        return "shuttle, 1 schedule replayed".to_owned();
    }
    let schedules = budget.schedules * factor();
    let body = Arc::new(body);
    let random = body.clone();
    shuttle::check_random(move || random(), schedules);
    shuttle::check_pct(move || body(), schedules, 3);
    format!("shuttle, {schedules} random and {schedules} PCT schedules")
}

#[cfg(not(any(engine_loom, engine_shuttle)))]
fn run(budget: Budget, body: impl Fn() + Send + Sync + 'static) -> String {
    let runs = budget.runs * factor();
    for _ in 0..runs {
        body();
    }
    format!("{runs} plain runs")
}
