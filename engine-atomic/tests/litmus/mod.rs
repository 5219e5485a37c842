//! Store buffering on two real threads: each stores its own word and loads the other's,
//! and if both miss the other's store, no full fence was between store and load on one
//! side at least.
//!
//! A pair of fences under which nobody ever missed proves something only if somebody
//! would have noticed a miss. So the *whole* pairs run in turn with *one-sided* ones, round
//! by round on the same threads and lines, until each of those has missed often; and
//! then on, until the whole ones have had many times the trials that any of those needed.
//!
//! What makes a miss likely where one is possible:
//!
//! - Both threads have read all lines before, so a load takes no time and a store waits for
//!   the line to come over: it sits in the store buffer as long as that takes.
//! - Both start at a time of the clock that one of them has told the other. Starting on a
//!   signal would leave the one who gives it ahead by just the time that a line takes.
//! - A few stores to other lines may go before, which the buffer has to get rid of first; how
//!   many, and a few dozen nanoseconds, differ from round to round by chance.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::time::Instant;

use engine_atomic::CachePadded;
use engine_atomic::topology::{Distance, Topology};

/// A one-sided pair is convincing after so many misses.
const CONVINCING: usize = 40;
/// Rounds after which what has not missed is given up: it takes a few per cent of them.
const MOST_ROUNDS: u64 = 3_000_000;
/// Rounds on one processor, where no trial can fail: they only show that nothing hangs.
const ROUNDS_ALONE: u64 = 1_000;
/// Rounds between two looks at the figures.
const CHUNK: u64 = 1_200;

/// Spins before a waiting thread gives its processor away, of two: others may want it too,
/// and whoever yields to them loses a time slice for one round.
const PATIENCE: u32 = 300_000;

/// Time that a thread has to learn when the other one starts.
const LEAD_NS: u64 = 400;
const MOST_DELAY_NS: u64 = 100;
const MOST_STORES_BEFORE: u64 = 4;

/// One side of a trial: stores the number to the first word, loads the second one.
type Side = Box<dyn Fn(&AtomicU64, &AtomicU64, u64) -> u64 + Sync>;

/// The fence is inlined between the two accesses, as in a user's code: behind a
/// function pointer the compiler could not move them if it would.
fn side(fence: impl Fn() + Sync + 'static) -> Side {
    Box::new(move |mine, theirs, number| {
        mine.store(number, Relaxed);
        fence();
        theirs.load(Relaxed)
    })
}

/// What is expected of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Never misses, in so many times the trials that a one-sided one needed.
    Whole(usize),
    /// Half of a whole one: misses now and then.
    OneSided,
    /// Half of a whole one, with the same instructions: what is missing is there for
    /// the compiler only. Shows nothing either way.
    SameInstructions,
}

/// A pair of fences, and what came of it.
pub struct Case {
    name: &'static str,
    role: Role,
    sides: [Side; 2],
    trials: usize,
    missed: usize,
    /// Trials until it was convincing.
    needed: Option<usize>,
}

impl Case {
    fn new(
        name: &'static str,
        role: Role,
        left: impl Fn() + Sync + 'static,
        right: impl Fn() + Sync + 'static,
    ) -> Self {
        Self {
            name,
            role,
            sides: [side(left), side(right)],
            trials: 0,
            missed: 0,
            needed: None,
        }
    }

    /// Must never miss, in `times` the trials that any one-sided one needed.
    pub fn whole(
        name: &'static str,
        times: usize,
        left: impl Fn() + Sync + 'static,
        right: impl Fn() + Sync + 'static,
    ) -> Self {
        Self::new(name, Role::Whole(times), left, right)
    }

    /// Must miss, for the whole ones to prove anything.
    pub fn one_sided(
        name: &'static str,
        left: impl Fn() + Sync + 'static,
        right: impl Fn() + Sync + 'static,
    ) -> Self {
        Self::new(name, Role::OneSided, left, right)
    }

    /// May miss, if the compiler moves the accesses; is reported.
    #[allow(dead_code, reason = "not in every test that has this module")]
    pub fn same_instructions(
        name: &'static str,
        left: impl Fn() + Sync + 'static,
        right: impl Fn() + Sync + 'static,
    ) -> Self {
        Self::new(name, Role::SameInstructions, left, right)
    }

    fn times(&self) -> Option<usize> {
        match self.role {
            Role::Whole(times) => Some(times),
            _ => None,
        }
    }

    fn count(&mut self, missed: bool) {
        self.trials += 1;
        self.missed += usize::from(missed);
        if self.missed == CONVINCING {
            self.needed.get_or_insert(self.trials);
        }
    }
}

/// Runs the cases in turn; panics if a whole one has missed. Returns whether every
/// one-sided one has convinced, and says on standard error which has not.
pub fn store_buffering(title: &str, mut cases: Vec<Case>) -> bool {
    let cpus = two_processors();
    let turns = turns(&cases);
    let lines = Lines {
        patience: if cpus.is_some() { PATIENCE } else { 0 },
        ..Lines::default()
    };
    let most = if cpus.is_some() {
        MOST_ROUNDS
    } else {
        ROUNDS_ALONE
    };
    let mut rounds = 0;
    while rounds < most && !enough(&cases) {
        let chunk = rounds + 1..rounds + 1 + CHUNK.min(most - rounds);
        rounds = chunk.end - 1;
        let missed = run(&cases, &turns, &lines, chunk.clone(), cpus);
        for (round, missed) in chunk.zip(missed) {
            cases[turn(&turns, round)].count(missed);
        }
    }

    println!("{title}: {rounds} rounds, processors {cpus:?}");
    for case in &cases {
        println!(
            "  {:16} {:18} {:6} of {:7} trials missed; convincing after {:?}",
            format!("{:?}", case.role),
            case.name,
            case.missed,
            case.trials,
            case.needed
        );
    }
    for case in &cases {
        assert!(case.trials > 0, "{title}: {} never ran", case.name);
        assert!(
            case.times().is_none() || case.missed == 0,
            "{title}: {}: both sides missed the other's store in {} of {} trials",
            case.name,
            case.missed,
            case.trials
        );
    }
    let silent: Vec<_> = (cases.iter())
        .filter(|case| case.role == Role::OneSided && case.needed.is_none())
        .map(|case| format!("{} ({} of {})", case.name, case.missed, case.trials))
        .collect();
    if !silent.is_empty() {
        let why = match cpus {
            None => "one processor, where store buffering cannot be seen".to_owned(),
            Some(_) => format!(
                "in {rounds} rounds too seldom missed: {}",
                silent.join(", ")
            ),
        };
        say(&format!(
            "{title}: NOT SHOWN that the pair is needed: {why}"
        ));
    }
    silent.is_empty()
}

/// Past the harness, which shows what a passing test prints to nobody.
pub fn say(line: &str) {
    use std::io::Write;

    // The harness may be in the middle of a line.
    let _ = writeln!(std::io::stderr(), "\n{line}");
}

/// Every second turn goes to a whole case, to each in proportion to its times.
fn turns(cases: &[Case]) -> Vec<usize> {
    let whole: Vec<usize> = (0..cases.len())
        .flat_map(|n| vec![n; cases[n].times().unwrap_or(0)])
        .collect();
    let others: Vec<usize> = (0..cases.len())
        .filter(|&n| cases[n].times().is_none())
        .collect();
    assert!(!whole.is_empty() && !others.is_empty());
    (0..whole.len() * others.len())
        .flat_map(|n| [whole[n % whole.len()], others[n % others.len()]])
        .collect()
}

fn turn(turns: &[usize], round: u64) -> usize {
    turns[(round % turns.len() as u64) as usize]
}

/// Whether the one-sided cases have convinced and the whole ones have had their trials;
/// or a whole one has failed.
fn enough(cases: &[Case]) -> bool {
    let needed = cases
        .iter()
        .filter(|case| case.role == Role::OneSided)
        .map(|case| case.needed)
        .try_fold(0, |most, needed| Some(most.max(needed?)));
    let done = |case: &Case, times| needed.is_some_and(|needed| case.trials >= times * needed);
    let mut whole = cases.iter().filter_map(|case| Some((case, case.times()?)));
    whole.clone().any(|(case, _)| case.missed > 0) || whole.all(|(case, times)| done(case, times))
}

/// What the two threads share, each word on lines of its own.
#[derive(Default)]
struct Lines {
    patience: u32,
    words: [CachePadded<AtomicU64>; 2],
    /// Where the stores before a trial go, for each thread.
    before: [[CachePadded<AtomicU64>; MOST_STORES_BEFORE as usize]; 2],
    /// The round before which each has done all.
    done: [CachePadded<AtomicU64>; 2],
    /// The last round that the right one is ready for.
    ready: CachePadded<AtomicU64>,
    /// The last round that has its start, and that start.
    told: CachePadded<AtomicU64>,
    start: CachePadded<AtomicU64>,
}

/// For each round, whether both sides missed.
fn run(
    cases: &[Case],
    turns: &[usize],
    lines: &Lines,
    rounds: std::ops::Range<u64>,
    cpus: Option<[usize; 2]>,
) -> Vec<bool> {
    let clock = Instant::now();
    let thread = |me: usize| {
        if let Some(cpus) = cpus {
            pin(cpus[me]);
        }
        rounds
            .clone()
            .map(|round| {
                let side = &cases[turn(turns, round)].sides[me];
                trial(me, round, side, lines, clock)
            })
            .collect::<Vec<bool>>()
    };
    std::thread::scope(|s| {
        // Both new: this thread stays unpinned.
        let [left, right] = [0, 1].map(|me| s.spawn(move || thread(me)));
        let (left, right) = (left.join().unwrap(), right.join().unwrap());
        left.into_iter().zip(right).map(|(l, r)| l && r).collect()
    })
}

/// One side of one round; returns whether it missed the other's store.
fn trial(me: usize, round: u64, side: &Side, lines: &Lines, clock: Instant) -> bool {
    let other = 1 - me;
    // Release: the last trial's accesses come before what the other does once it sees
    // this; pairs with the Acquire in `reaches`.
    lines.done[me].store(round, Release);
    let reaches = |word| reaches(word, round, lines.patience);
    reaches(&lines.done[other]);
    // Nobody writes now: both get a copy of each line.
    for line in lines.before[other].iter().chain(&lines.words) {
        black_box(line.load(Relaxed));
    }
    let now = || clock.elapsed().as_nanos() as u64;
    if me == 0 {
        reaches(&lines.ready);
        lines.start.store(now() + LEAD_NS, Relaxed);
        // Release: publishes the start; pairs with the Acquire in `reaches`.
        lines.told.store(round, Release);
    } else {
        // Release: our copies of the lines are there; pairs with the Acquire in `reaches`.
        lines.ready.store(round, Release);
        reaches(&lines.told);
    }
    let chance = mix(2 * round + me as u64);
    let start = lines.start.load(Relaxed) + chance % MOST_DELAY_NS;
    while now() < start {}

    let stores = (chance >> 32) % (MOST_STORES_BEFORE + 1);
    for line in &lines.before[me][..stores as usize] {
        line.store(round, Relaxed);
    }
    let seen = side(&lines.words[me], &lines.words[other], round);
    assert!(seen <= round, "the other side is in a later round");
    seen < round
}

/// Waits until the other thread has got there.
fn reaches(word: &AtomicU64, round: u64, patience: u32) {
    let mut spins = 0;
    // Acquire: pairs with the Release stores in `trial`.
    while word.load(Acquire) < round {
        spins += 1;
        if spins > patience {
            std::thread::yield_now();
        }
    }
}

/// Spreads a number over 64 bits (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Two processors that this process may use, of two cores if there are.
fn two_processors() -> Option<[usize; 2]> {
    let topology = Topology::current();
    let &first = topology.cpus().first()?;
    let others = topology.neighbours(first);
    let apart = others.iter().find(|group| group.0 != Distance::Smt);
    let (_, group) = apart.or(others.first())?;
    Some([first, group[0]])
}

#[cfg(target_os = "linux")]
fn pin(cpu: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    // Refused, say, by a change of the set that may be used: then it stays where it is.
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

#[cfg(not(target_os = "linux"))]
fn pin(_: usize) {}
