//! Models of the pair over a kernel that interrupts and a compiler that moves.
//!
//! The **kernel** does what membarrier(2) promises and no more: a thread that runs passes a
//! full fence at one of its points, wherever that falls, and says so; a thread that does
//! not run passes one when it is switched in or out. The edges between the two are those of
//! an inter-processor interrupt and of the run queue's lock.
//!
//! The **compiler** moves the load that follows a `light` above the store that comes
//! before it, whenever nothing in between holds it back.

use std::cell::Cell;

use testkit::model::{Budget, check};

use super::super::decision::Strategy;
use super::{Pair, System};
use crate::sync::atomic::{AtomicU32, Ordering::*, fence};
use crate::sync::{Arc, thread, thread_local};

/// The bits of `Kernel::lighter`.
const RUNS: u32 = 1;
const ASKED: u32 = 2;

struct Kernel {
    /// The thread that calls `light`: whether it runs, and owes a fence.
    lighter: AtomicU32,
    /// What is to be left out, to see that it is missed.
    without: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Interrupt,
    HoldCompiler,
}

#[derive(Clone, Copy)]
struct Me {
    /// Whether this is the thread that `interrupt` reaches.
    lighter: bool,
    /// What the kernel tells this thread: filters are a thread's own.
    willing: bool,
    /// Whether anything has held the compiler.
    held: bool,
}

thread_local! {
    static ME: Cell<Me> = Cell::new(nobody());
}

fn nobody() -> Me {
    Me {
        lighter: false,
        willing: false,
        held: false,
    }
}

fn me() -> Me {
    ME.with(Cell::get)
}

fn set_me(me: Me) {
    ME.with(|cell| cell.set(me));
}

impl Kernel {
    fn new(without: Option<Part>) -> Self {
        Self {
            lighter: AtomicU32::new(0),
            without,
        }
    }

    /// The lighter is switched in.
    fn enter(&self) {
        // not running -> running. AcqRel: with `interrupt` and `leave`.
        self.lighter.swap(RUNS, AcqRel);
        fence(SeqCst);
    }

    /// The lighter is switched out.
    fn leave(&self) {
        fence(SeqCst);
        // running -> not running, and nothing is owed. AcqRel: with `interrupt` and `enter`.
        self.lighter.swap(0, AcqRel);
    }

    /// An interrupt may arrive here.
    fn point(&self) {
        // Acquire: what the interrupter did before; pairs with `interrupt`.
        if me().lighter && self.lighter.load(Acquire) & ASKED != 0 {
            fence(SeqCst);
            // asked -> running. AcqRel: "I have passed it"; pairs with `interrupt`.
            self.lighter.swap(RUNS, AcqRel);
        }
    }
}

impl System for Kernel {
    fn willing(&self) -> bool {
        self.point();
        me().willing
    }

    fn hold_compiler(&self) {
        if self.without != Some(Part::HoldCompiler) {
            set_me(Me { held: true, ..me() });
        }
    }

    fn interrupt(&self) {
        if self.without == Some(Part::Interrupt) {
            return;
        }
        // any -> asked. AcqRel: with `enter`, `leave` and `point`.
        if self.lighter.fetch_or(ASKED, AcqRel) & RUNS == 0 {
            return;
        }
        while self.lighter.load(Acquire) & ASKED != 0 {
            thread::yield_now();
        }
    }
}

/// One round of store buffering: what each side loads.
struct Round {
    pair: Pair<Kernel>,
    words: [AtomicU32; 2],
}

impl Round {
    fn new(without: Option<Part>) -> Arc<Self> {
        Arc::new(Self {
            pair: Pair::new(Kernel::new(without)),
            words: [AtomicU32::new(0), AtomicU32::new(0)],
        })
    }

    fn heavy(&self, willing: bool) -> u32 {
        set_me(Me {
            lighter: false,
            willing,
            held: false,
        });
        let [theirs, mine] = &self.words;
        mine.store(1, Relaxed);
        self.pair.heavy();
        theirs.load(Relaxed)
    }
}

/// The other side, on a thread of its own.
fn lighter(round: &Arc<Round>, willing: bool) -> thread::JoinHandle<u32> {
    let round = round.clone();
    thread::spawn(move || {
        set_me(Me {
            lighter: true,
            willing,
            held: false,
        });
        let kernel = round.pair.system();
        let [mine, theirs] = &round.words;
        kernel.enter();
        kernel.point();
        // Where the compiler would have it.
        let moved_up = theirs.load(Relaxed);
        kernel.point();
        mine.store(1, Relaxed);
        kernel.point();
        round.pair.light();
        kernel.point();
        // A full fence holds the compiler too.
        let held = me().held || round.pair.strategy() == Strategy::SeqCst;
        let seen = if held { theirs.load(Relaxed) } else { moved_up };
        kernel.leave();
        seen
    })
}

/// A kernel that agrees: the interrupt stands for the fence that `light` has not.
#[test]
fn an_interrupt_stands_for_the_fence() {
    check(
        "an_interrupt_stands_for_the_fence",
        Budget::exhaustive(),
        || {
            let round = Round::new(None);
            assert_eq!(
                round.pair.decision.propose(Strategy::Membarrier),
                Strategy::Membarrier
            );
            let other = lighter(&round, true);
            let seen = round.heavy(true);
            assert_ne!((other.join().unwrap(), seen), (0, 0));
        },
    );
}

/// Both sides decide together, and one of them is refused. Whichever is first, the other
/// does as it does; and so it is when one is in the middle of deciding as the other comes.
fn decide_together(name: &str, lighter_is_told: bool) {
    check(name, Budget::exhaustive(), move || {
        let round = Round::new(None);
        let other = lighter(&round, lighter_is_told);
        let seen = round.heavy(!lighter_is_told);
        assert_ne!((other.join().unwrap(), seen), (0, 0));
    });
}

#[test]
fn the_lighter_is_refused() {
    decide_together("the_lighter_is_refused", false);
}

#[test]
fn the_heavier_is_refused() {
    decide_together("the_heavier_is_refused", true);
}

/// A third thread asks for `SeqCst`, too late or in time.
#[test]
fn somebody_prefers_seq_cst() {
    check("somebody_prefers_seq_cst", Budget::preemptions(3), || {
        let round = Round::new(None);
        let other = lighter(&round, true);
        let third = thread::spawn({
            let round = round.clone();
            move || round.pair.prefer_seq_cst()
        });
        let seen = round.heavy(true);
        assert_ne!((other.join().unwrap(), seen), (0, 0));
        assert_eq!(third.join().unwrap(), round.pair.strategy());
    });
}

/// Between two of them the full fences are enough: the kernel does nothing here.
#[test]
fn two_heavies() {
    check("two_heavies", Budget::exhaustive(), || {
        let round = Round::new(Some(Part::Interrupt));
        round.pair.decision.propose(Strategy::Membarrier);
        let other = thread::spawn({
            let round = round.clone();
            move || {
                let [mine, theirs] = &round.words;
                mine.store(1, Relaxed);
                round.pair.heavy();
                theirs.load(Relaxed)
            }
        });
        let seen = round.heavy(true);
        assert_ne!((other.join().unwrap(), seen), (0, 0));
    });
}

/// The models above can fail: without the interrupt, or with nothing that holds the
/// compiler, loom finds what the pair forbids. (shuttle has no such outcomes but by the
/// compiler's moves.)
#[cfg(engine_loom)]
#[test]
fn each_part_is_missed() {
    use std::sync::atomic::AtomicBool as Plain;

    static REACHED: [Plain; 2] = [const { Plain::new(false) }; 2];
    for (reached, part) in REACHED.iter().zip([Part::Interrupt, Part::HoldCompiler]) {
        check("each_part_is_missed", Budget::exhaustive(), move || {
            let round = Round::new(Some(part));
            round.pair.decision.propose(Strategy::Membarrier);
            let other = lighter(&round, true);
            let seen = round.heavy(true);
            if (other.join().unwrap(), seen) == (0, 0) {
                reached.store(true, Relaxed);
            }
        });
        assert!(reached.load(Relaxed));
    }
}
