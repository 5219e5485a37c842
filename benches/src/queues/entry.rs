//! Queues that take turns.

use std::time::Duration;

use super::blocking::{self, Channel};
use super::work::turn;
use super::{Claims, Costs, Queue, Shape, Threads, Work, engine};
use crate::runner::{Format, can_pin};
use crate::{Contest, Report, Turn, Unit};

/// A queue that can take a turn at any shape.
#[derive(Clone, Copy)]
pub struct Entry {
    name: &'static str,
    turn: fn(&Shape, Duration) -> Turn,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Peer,
    Yardstick,
    /// Ours, and what its ratio to the best peer of each shape is to be.
    Own(fn(&Shape) -> Option<f64>),
}

impl Entry {
    /// A peer.
    pub(super) fn peer<Q: Queue>(name: &'static str) -> Self {
        Self {
            name,
            turn: turn::<Q>,
            side: Side::Peer,
        }
    }

    /// A queue that is only compared with.
    pub(super) fn yardstick<Q: Queue>(name: &'static str) -> Self {
        Self {
            side: Side::Yardstick,
            ..Self::peer::<Q>(name)
        }
    }

    /// A peer, by the calls that wait.
    pub(super) fn waiting_peer<C: Channel>(name: &'static str) -> Self {
        Self {
            name,
            turn: blocking::turn::<C>,
            side: Side::Peer,
        }
    }

    /// One of ours, by the calls that wait.
    pub(super) fn waiting_own<C: Channel>(name: &'static str) -> Self {
        Self {
            side: Side::Own(|_| None),
            ..Self::waiting_peer::<C>(name)
        }
    }

    /// One of ours, with what it is to reach.
    pub(super) fn own<Q: Queue>(name: &'static str, target: fn(&Shape) -> Option<f64>) -> Self {
        Self {
            side: Side::Own(target),
            ..Self::peer::<Q>(name)
        }
    }
}

/// Queues that are compared, and the shapes of the work.
pub struct Set {
    /// What the titles of its tables begin with.
    pub(super) title: String,
    /// What the hardware limit counts.
    pub(super) claims: Claims,
    /// The queues; the first is the baseline.
    pub(super) entries: Vec<Entry>,
    /// A table each.
    pub(super) shapes: Vec<Shape>,
}

impl Set {
    /// Lets the queues take turns at each of the shapes that the system can do.
    pub fn run(&self, report: &Report) {
        for shape in &self.shapes {
            if matches!(shape.threads, Threads::Pinned(_)) && !can_pin() {
                continue;
            }
            report.run(self.contest(shape, report.options().turn()));
            let widest = engine::widest();
            if widest != 0 && report.options().format == Format::Markdown {
                println!("\nwidest LaneQueue at the end of a turn: {widest}");
            }
        }
    }

    fn contest<'a>(&self, shape: &'a Shape, duration: Duration) -> Contest<'a> {
        let mut contest = Contest::new(format!("{}, {shape}", self.title), Unit::Mops);
        let claims = self.claims;
        // Nothing is left of a single thread's cost without the claims.
        if (shape.threads, claims) != (Threads::One, Claims::None) {
            contest = contest.limit(move || 1e3 / Costs::measure().of(shape, claims));
        }
        for &Entry { name, turn, side } in &self.entries {
            let take = move || turn(shape, duration);
            contest = match side {
                Side::Peer => contest.add(name, take),
                Side::Yardstick => contest.add_yardstick(name, take),
                Side::Own(target) => contest.add_own(name, target(shape), take),
            };
            if shape.work == Work::Batches {
                contest = contest.beside("singly", move || turn(&shape.singly(), duration));
            }
        }
        contest
    }
}
