//! What the hardware takes for a shape at least.

use super::{BACKLOG, BATCH, BURST, Shape, Threads, Work};
use crate::limits;

/// Items of 8 bytes in a cache line of 64.
const LINE: f64 = 8.0;

/// What an ideal queue pays with, in nanoseconds, measured here and now.
///
/// # The model
///
/// An ideal queue that is first in, first out for all threads has to do this for an item,
/// and nothing else takes time:
///
/// - It claims the item twice, once at each end: a read-modify-write each, or one a batch;
///   none in a queue of one producer and one consumer.
/// - If producers and consumers run on different processors, the lines of eight items
///   travel to the consumer and back: two transfers for eight items, and each end waits for
///   one of them. The ends work side by side.
/// - Once in as many items as it has room for, a producer has to hear from the consumers,
///   and they from it: a round trip of a line; or, where they share a processor, two
///   changes of the running thread.
///
/// Where more than one processor may be used, it may still be better to stay on one and
/// let the other wait. So with `C` for the claims of an item, `T` for a transfer, `R` for
/// a round trip, `S` for a change of the running thread, and room for `K` items, an item
/// takes
///
/// | threads | at least |
/// |---|---|
/// | one | `2 C` |
/// | on one processor | `2 C + 2 S / K` |
/// | on several | the smaller of that, and `C + T / 8 + R / K` |
///
/// A queue that fetches several lines at once may be faster than this, and so may one
/// without a common order, on which each processor can work for itself.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// A read-modify-write on a line that this core owns.
    pub rmw: f64,
    /// A cache line there and back, if there are two processors.
    pub round_trip: Option<f64>,
    /// From one thread to another on the same processor, if threads can be put there.
    pub hand_over: Option<f64>,
}

impl Costs {
    /// Measures; takes some milliseconds.
    pub fn measure() -> Self {
        Self {
            rmw: limits::rmw(),
            round_trip: limits::round_trip(),
            hand_over: limits::hand_over(),
        }
    }

    /// The nanoseconds that an item takes at least, of a queue that claims by a
    /// read-modify-write (or, for one producer and one consumer, does without).
    pub fn of(&self, shape: &Shape, claims: Claims) -> f64 {
        let claim = match (claims, shape.work) {
            (Claims::None, _) => 0.0,
            (Claims::Rmw, Work::Batches) => self.rmw / BATCH as f64,
            (Claims::Rmw, _) => self.rmw,
        };
        let room = shape.capacity.map_or(BACKLOG, |capacity| capacity as u64);
        let room = match shape.work {
            Work::Bursts => room.min(BURST),
            _ => room,
        } as f64;
        let one_processor = match (shape.threads, self.hand_over) {
            (Threads::One, _) => 2.0 * claim,
            (_, Some(hand_over)) => 2.0 * claim + 2.0 * hand_over / room,
            // Not known: as if it were free.
            (_, None) => 2.0 * claim,
        };
        match (shape.threads, self.round_trip) {
            (Threads::Each(_), Some(trip)) => {
                one_processor.min(claim + trip / 2.0 / LINE + trip / room)
            }
            _ => one_processor,
        }
    }
}

/// How items are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// By a read-modify-write: several threads may be at an end.
    Rmw,
    /// Not at all: one thread is at each end.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs {
        rmw: 2.0,
        round_trip: Some(160.0),
        hand_over: Some(320.0),
    };

    fn of(threads: Threads, work: Work, capacity: Option<usize>) -> f64 {
        let shape = Shape {
            threads,
            work,
            capacity,
        };
        COSTS.of(&shape, Claims::Rmw)
    }

    #[test]
    fn the_formula_of_each_shape() {
        let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9, "{value}");
        near(of(Threads::One, Work::Singly, Some(16)), 4.0);
        near(of(Threads::One, Work::Batches, Some(16)), 0.25);
        near(of(Threads::Pinned([1, 1]), Work::Singly, Some(16)), 44.0);
        // Two processors are better: 2 + 10 + 10.
        near(of(Threads::Each([1, 1]), Work::Singly, Some(16)), 22.0);
        // One is better: 4 + 0.625, and not 2 + 10 + 0.156.
        near(of(Threads::Each([4, 4]), Work::Singly, Some(1_024)), 4.625);
        // As with room for a burst: 4 + 2.5.
        near(of(Threads::Each([1, 1]), Work::Bursts, None), 6.5);
        let alone = Costs {
            round_trip: None,
            hand_over: None,
            ..COSTS
        };
        let shape = Shape {
            threads: Threads::Each([1, 1]),
            work: Work::Singly,
            capacity: Some(16),
        };
        near(alone.of(&shape, Claims::Rmw), 4.0);
    }
}
