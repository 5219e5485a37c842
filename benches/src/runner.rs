//! The interleaving runner: contestants take turns in one process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use engine_atomic::{Backoff, CachePadded};
use hdrhistogram::Histogram;

/// What every benchmark binary takes on its command line.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Rounds; in each, every contestant takes one turn.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Length of a turn in milliseconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub millis: u64,
    /// Only tables whose title contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// `markdown` for people; `csv` has one line for each turn.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    pub format: Format,
}

impl Options {
    /// The length of a turn.
    pub fn turn(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// Whether the table with this title was asked for.
    pub fn wants(&self, title: &str) -> bool {
        self.only.as_deref().is_none_or(|only| title.contains(only))
    }
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    Markdown,
    /// One line for each turn: `table,contestant,round,unit,value`.
    Csv,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Million operations a second; more is better.
    Mops,
    /// Nanoseconds an operation; less is better.
    Nanoseconds,
}

impl Unit {
    /// What the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mops => "Mops/s",
            Self::Nanoseconds => "ns",
        }
    }

    fn of(self, turn: &Turn) -> f64 {
        let operations = turn.operations as f64;
        match self {
            Self::Mops => operations / turn.elapsed.as_secs_f64() / 1e6,
            Self::Nanoseconds => turn.elapsed.as_secs_f64() * 1e9 / operations,
        }
    }

    /// How many times as fast `value` is as `baseline`.
    fn speed(self, value: f64, baseline: f64) -> f64 {
        match self {
            Self::Mops => value / baseline,
            Self::Nanoseconds => baseline / value,
        }
    }
}

/// What one turn of a contestant measured.
#[derive(Debug)]
pub struct Turn {
    /// Operations that all threads completed together.
    pub operations: u64,
    /// From the common start to the end.
    pub elapsed: Duration,
    /// Latencies in nanoseconds, if the workload took them.
    pub latencies: Option<Histogram<u64>>,
    /// The operations of each thread, if the workload is about fairness.
    pub shares: Vec<u64>,
}

/// What one thread of a group did.
#[derive(Debug)]
pub struct Done {
    /// Operations that this thread completed.
    pub operations: u64,
    /// Latencies in nanoseconds, if it took them.
    pub latencies: Option<Histogram<u64>>,
}

impl From<u64> for Done {
    fn from(operations: u64) -> Self {
        Self {
            operations,
            latencies: None,
        }
    }
}

/// An empty histogram of nanoseconds, three significant digits.
pub fn nanoseconds() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are in range")
}

/// Tells the threads of a group when to stop.
#[derive(Debug)]
pub struct Signal {
    stop: CachePadded<AtomicBool>,
}

impl Signal {
    /// Whether the turn goes on.
    #[inline]
    pub fn running(&self) -> bool {
        !self.stop.load(Relaxed)
    }
}

/// One thread's part of a turn.
pub type Part<'a> = Box<dyn FnOnce(&Signal) -> Done + Send + 'a>;

/// Runs `parts`, a thread each, for `duration`.
///
/// The threads are created first and start together: each says that it is ready
/// and waits for the start, spinning at first and then yielding, so that more
/// threads than processors get there too.
pub fn for_duration(duration: Duration, parts: Vec<Part<'_>>) -> Turn {
    group(parts, |signal| {
        thread::sleep(duration);
        signal.stop.store(true, Relaxed);
    })
}

/// Runs `parts`, a thread each, until each has done its share by itself.
pub fn to_the_end(parts: Vec<Part<'_>>) -> Turn {
    group(parts, |_| ())
}

fn group(parts: Vec<Part<'_>>, meanwhile: impl FnOnce(&Signal)) -> Turn {
    let signal = Signal {
        stop: CachePadded::new(AtomicBool::new(false)),
    };
    let ready = AtomicUsize::new(0);
    let go = CachePadded::new(AtomicBool::new(false));
    let count = parts.len();
    let (done, elapsed) = thread::scope(|s| {
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (signal, ready, go) = (&signal, &ready, &go);
                s.spawn(move || {
                    ready.fetch_add(1, Release);
                    wait_until(|| go.load(Acquire));
                    let done = part(signal);
                    (done, Instant::now())
                })
            })
            .collect();
        wait_until(|| ready.load(Acquire) == count);
        let start = Instant::now();
        go.store(true, Release);
        meanwhile(&signal);
        let mut end = start;
        let done: Vec<Done> = threads
            .into_iter()
            .map(|thread| {
                let (done, at) = thread.join().expect("a benchmark thread panicked");
                end = end.max(at);
                done
            })
            .collect();
        (done, end - start)
    });
    let mut latencies: Option<Histogram<u64>> = None;
    let mut shares = Vec::with_capacity(done.len());
    for part in done {
        shares.push(part.operations);
        if let Some(more) = part.latencies {
            merge(&mut latencies, &more);
        }
    }
    Turn {
        operations: shares.iter().sum(),
        elapsed,
        latencies,
        shares,
    }
}

fn merge(all: &mut Option<Histogram<u64>>, more: &Histogram<u64>) {
    all.get_or_insert_with(nanoseconds)
        .add(more)
        .expect("both histograms resize");
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let backoff = Backoff::new();
    while !condition() {
        backoff.snooze();
    }
}

/// Runs `turn` on this thread over and over for `duration`, `batch` operations at
/// a time, so that reading the clock costs nothing by comparison.
pub fn alone(duration: Duration, batch: u64, mut turn: impl FnMut(u64)) -> Turn {
    let start = Instant::now();
    let mut operations = 0;
    loop {
        turn(batch);
        operations += batch;
        let elapsed = start.elapsed();
        if elapsed >= duration {
            return Turn {
                operations,
                elapsed,
                latencies: None,
                shares: vec![operations],
            };
        }
    }
}

/// A contestant's turns.
type Turns<'a> = Box<dyn FnMut() -> Turn + 'a>;

/// Contestants that do the same work, one of them the baseline.
pub struct Contest<'a> {
    title: String,
    unit: Unit,
    contestants: Vec<(String, Turns<'a>)>,
    baseline: usize,
    fairness: bool,
}

impl<'a> Contest<'a> {
    /// A contest without contestants; the first one added is the baseline.
    pub fn new(title: impl Into<String>, unit: Unit) -> Self {
        Self {
            title: title.into(),
            unit,
            contestants: Vec::new(),
            baseline: 0,
            fairness: false,
        }
    }

    /// Adds a contestant; `turn` does the work once, for about the length of a
    /// turn.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, turn: impl FnMut() -> Turn + 'a) -> Self {
        self.contestants.push((name.into(), Box::new(turn)));
        self
    }

    /// Makes the contestant added last the baseline.
    #[must_use]
    pub fn baseline(mut self) -> Self {
        self.baseline = self
            .contestants
            .len()
            .checked_sub(1)
            .expect("add the baseline first");
        self
    }

    /// Reports the smallest share of a thread over the largest, too.
    #[must_use]
    pub fn fairness(mut self) -> Self {
        self.fairness = true;
        self
    }

    /// The title of the table.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Lets every contestant take one turn that does not count, and then one in
    /// each of `rounds` rounds: A B C, A B C, ...
    pub fn run(mut self, rounds: u32) -> Table {
        for (_, turn) in &mut self.contestants {
            turn();
        }
        let mut rows: Vec<Row> = self
            .contestants
            .iter()
            .map(|(name, _)| Row::new(name))
            .collect();
        for _ in 0..rounds {
            for ((_, turn), row) in self.contestants.iter_mut().zip(&mut rows) {
                row.record(self.unit, turn());
            }
        }
        let baseline = rows[self.baseline].values.clone();
        for row in &mut rows {
            row.compare(self.unit, &baseline);
        }
        Table {
            title: self.title,
            unit: self.unit,
            baseline: rows[self.baseline].name.clone(),
            fairness: self.fairness,
            rows,
        }
    }
}

/// The result of a [`Contest`].
#[derive(Debug)]
pub struct Table {
    /// What was done.
    pub title: String,
    /// What the values are.
    pub unit: Unit,
    /// The contestant that the ratios refer to.
    pub baseline: String,
    /// Whether the shares are of interest.
    pub fairness: bool,
    /// One row a contestant.
    pub rows: Vec<Row>,
}

/// A contestant's values.
#[derive(Debug)]
pub struct Row {
    /// The contestant.
    pub name: String,
    /// One value a round.
    pub values: Vec<f64>,
    /// How many times as fast as the baseline, round by round.
    pub ratios: Vec<f64>,
    /// The smallest share of a thread over the largest, one a round.
    pub fairness: Vec<f64>,
    /// The latencies of all rounds.
    pub latencies: Option<Histogram<u64>>,
}

impl Row {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: Vec::new(),
            ratios: Vec::new(),
            fairness: Vec::new(),
            latencies: None,
        }
    }

    fn record(&mut self, unit: Unit, turn: Turn) {
        assert!(turn.operations > 0, "{}: a turn did nothing", self.name);
        self.values.push(unit.of(&turn));
        let least = turn.shares.iter().min().copied().unwrap_or(0);
        let most = turn.shares.iter().max().copied().unwrap_or(0);
        self.fairness.push(least as f64 / most.max(1) as f64);
        if let Some(latencies) = turn.latencies {
            merge(&mut self.latencies, &latencies);
        }
    }

    /// Round by round, because the machine drifts between rounds.
    fn compare(&mut self, unit: Unit, baseline: &[f64]) {
        self.ratios = self
            .values
            .iter()
            .zip(baseline)
            .map(|(&value, &baseline)| unit.speed(value, baseline))
            .collect();
    }
}

/// Median, smallest and largest.
pub fn summary(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    };
    (median, sorted[0], sorted[sorted.len() - 1])
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn turn(operations: u64, micros: u64) -> Turn {
        Turn {
            operations,
            elapsed: Duration::from_micros(micros),
            latencies: None,
            shares: vec![operations],
        }
    }

    #[test]
    fn contestants_take_turns() {
        let order = RefCell::new(String::new());
        let table = Contest::new("order", Unit::Mops)
            .add("A", || {
                order.borrow_mut().push('A');
                turn(10, 10)
            })
            .add("B", || {
                order.borrow_mut().push('B');
                turn(20, 10)
            })
            .run(3);
        // The first of each is the warm-up.
        assert_eq!(order.into_inner(), "ABABABAB");
        assert_eq!(table.baseline, "A");
        let near = |values: &[f64], expected: f64| {
            values.len() == 3 && values.iter().all(|value| (value - expected).abs() < 1e-9)
        };
        assert!(near(&table.rows[1].values, 2.0));
        assert!(near(&table.rows[1].ratios, 2.0));
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        // Everything is ten times as slow in the second round, alike.
        let drift = [1, 1, 10];
        let contest = |factor: u64| {
            let mut round = 0;
            move || {
                let micros = drift[round] * factor;
                round += 1;
                turn(100, micros)
            }
        };
        let table = Contest::new("drift", Unit::Nanoseconds)
            .add("slow", contest(30))
            .add("fast", contest(10))
            .baseline()
            .run(2);
        assert_eq!(table.baseline, "fast");
        let values: Vec<_> = table.rows[0].values.iter().map(|v| v.round()).collect();
        assert_eq!(values, [300.0, 3_000.0]);
        for ratio in &table.rows[0].ratios {
            assert!((ratio - 1.0 / 3.0).abs() < 1e-9);
        }
    }

    #[test]
    fn groups_start_together_stop_on_time_and_add_up() {
        let parts = |count: u64| -> Vec<Part<'static>> {
            (0..count)
                .map(|me| -> Part<'static> {
                    Box::new(move |signal: &Signal| {
                        while signal.running() {
                            thread::yield_now();
                        }
                        let mut latencies = nanoseconds();
                        latencies.record(me).unwrap();
                        Done {
                            operations: me + 1,
                            latencies: Some(latencies),
                        }
                    })
                })
                .collect()
        };
        let duration = Duration::from_millis(5);
        let turn = for_duration(duration, parts(3));
        assert!(turn.elapsed >= duration);
        assert_eq!(turn.operations, 6);
        assert_eq!(turn.shares, [1, 2, 3]);
        assert_eq!(turn.latencies.unwrap().len(), 3);
    }

    #[test]
    fn summaries() {
        assert_eq!(summary(&[3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(summary(&[4.0, 1.0, 2.0, 3.0]), (2.5, 1.0, 4.0));
        assert_eq!(summary(&[7.0]), (7.0, 7.0, 7.0));
    }

    #[test]
    fn alone_does_whole_batches() {
        let mut seen = 0;
        let turn = alone(Duration::from_millis(1), 7, |batch| seen += batch);
        assert_eq!(turn.operations, seen);
        assert_eq!(seen % 7, 0);
        assert!(turn.elapsed >= Duration::from_millis(1));
    }
}
