//! What happened when, and whether a queue of the guarantees G1 to G4 can do that.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::vec::Vec;

/// Producer and number of an item.
pub(in super::super) type Item = (usize, usize);

/// Stamps that order the beginnings and ends of calls. Not of the facade: no step of
/// the model.
#[derive(Default)]
pub(in super::super) struct Clock(AtomicUsize);

impl Clock {
    fn tick(&self) -> usize {
        self.0.fetch_add(1, SeqCst)
    }

    /// Runs `call`, and says when.
    pub(in super::super) fn time<R>(&self, call: impl FnOnce() -> R) -> (Span, R) {
        let begin = self.tick();
        let result = call();
        let end = self.tick();
        (Span { begin, end }, result)
    }
}

/// From the beginning of a call to its end.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Span {
    begin: usize,
    end: usize,
}

impl Span {
    fn before(self, other: Self) -> bool {
        self.end < other.begin
    }
}

/// All calls of one thread, or of several.
#[derive(Default, Debug)]
pub(in super::super) struct History {
    pub(in super::super) pushes: Vec<(Span, Item)>,
    /// `None`: found empty.
    pub(in super::super) pops: Vec<(Span, Option<Item>)>,
}

impl History {
    pub(in super::super) fn add(&mut self, other: Self) {
        self.pushes.extend(other.pushes);
        self.pops.extend(other.pops);
    }

    /// Panics where a queue of the guarantees could not have done this. `passed` is the
    /// most older items that a pop may pass: (w - 1) * S. All items must be popped.
    #[track_caller]
    pub(in super::super) fn check(&self, passed: usize) {
        // G1: the same items, each once.
        let mut pushed: Vec<Item> = self.pushes.iter().map(|push| push.1).collect();
        let mut popped: Vec<Item> = self.pops.iter().filter_map(|pop| pop.1).collect();
        pushed.sort_unstable();
        popped.sort_unstable();
        assert_eq!(pushed, popped, "G1: lost, doubled or invented");

        let mut lives: Vec<(Item, Span, Span)> = self
            .pops
            .iter()
            .filter_map(|&(pop, item)| {
                let item = item?;
                let push = self.pushes.iter().find(|push| push.1 == item)?.0;
                Some((item, push, pop))
            })
            .collect();
        for &(item, push, pop) in &lives {
            assert!(!pop.before(push), "G1: {item:?} was popped before its push");
        }
        self.check_order(&lives, passed);

        // G4: each `None` has a moment at which no item is in the queue for certain.
        lives.sort_unstable_by_key(|&(_, push, _)| push.end);
        for (none, _) in self.pops.iter().filter(|pop| pop.1.is_none()) {
            // In the queue without doubt: from the end of the push to the beginning of
            // the pop. Every moment up to `covered` is in one of these.
            let mut covered = none.begin;
            for &(_, push, pop) in &lives {
                if push.end <= covered {
                    covered = covered.max(pop.begin);
                }
            }
            assert!(
                covered < none.end,
                "G4: `None` during {none:?}, and never empty: {self:?}"
            );
        }
    }

    #[track_caller]
    fn check_order(&self, lives: &[(Item, Span, Span)], passed: usize) {
        for &(item, push, pop) in lives {
            let mut older = 0;
            for &(other, other_push, other_pop) in lives {
                let is_left = pop.before(other_pop);
                if other_push.before(push) && is_left {
                    older += 1;
                }
                assert!(
                    !(other.0 == item.0 && other.1 < item.1 && is_left),
                    "G2: {item:?} before {other:?}: {self:?}"
                );
            }
            assert!(older <= passed, "G3: {item:?} passed {older}: {self:?}");
        }
    }
}
