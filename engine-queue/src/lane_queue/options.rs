//! How a queue is made.

use engine_atomic::sync::Arc;
#[cfg(feature = "std")]
use engine_atomic::sync::processors;

use super::LaneQueue;
use super::lane::{MAX_SLOTS, MAX_WIDTH};
use super::law::Bounds;
use super::shared::{Limits, Shared};
use super::slot::Value;

/// Bytes of a lane that the default number of slots aims at.
const LANE_BYTES: usize = 16 * 1024;

/// The fewest and the most slots of a lane by default.
const LANE_SLOTS: (usize, usize) = (16, 2048);

/// Settings of a [`LaneQueue`].
///
/// # Example
///
/// ```
/// use engine_queue::LaneOptions;
/// use engine_queue::PushError;
///
/// let queue = LaneOptions::new()
///     .max_width(4)
///     .lane_slots(8)
///     .max_segments(2)
///     .build();
/// let mut producer = queue.producer();
/// let pushed = (0..).take_while(|&n| producer.try_push(n).is_ok()).count();
/// assert_eq!(pushed, 16);
/// assert_eq!(producer.try_push(7), Err(PushError::Full(7)));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LaneOptions {
    min_width: usize,
    max_width: Option<usize>,
    lane_slots: Option<usize>,
    max_segments: usize,
}

impl LaneOptions {
    /// The settings of [`LaneQueue::new`].
    pub fn new() -> Self {
        Self {
            min_width: 1,
            max_width: None,
            lane_slots: None,
            max_segments: usize::MAX,
        }
    }

    /// The most lanes that a segment may have; by default four for each processor that there
    /// is to use, rounded up to a power of two, but at least 8, and 8 without the feature `std`.
    ///
    /// There are never more than producers. A lane that has only one is the fastest, so this is
    /// worth being as large as the number of threads that push.
    ///
    /// With 1 the queue is strictly first in, first out.
    ///
    /// # Panics
    ///
    /// If `lanes` is 0 or more than 64.
    #[track_caller]
    pub fn max_width(mut self, lanes: usize) -> Self {
        assert!(
            (1..=MAX_WIDTH).contains(&lanes),
            "a LaneQueue has 1 to 64 lanes, not {lanes}"
        );
        self.max_width = Some(lanes);
        self
    }

    /// The fewest lanes that a segment may have, and what the queue starts with; 1 by
    /// default. Above the greatest width, it raises that.
    ///
    /// # Panics
    ///
    /// If `lanes` is 0 or more than 64.
    #[track_caller]
    pub fn min_width(mut self, lanes: usize) -> Self {
        assert!(
            (1..=MAX_WIDTH).contains(&lanes),
            "a LaneQueue has 1 to 64 lanes, not {lanes}"
        );
        self.min_width = lanes;
        self
    }

    /// Slots of a lane: S in the guarantees. By default as many as fit into 16 KiB, but
    /// at least 16 and at most 2048.
    ///
    /// # Panics
    ///
    /// If `slots` is 0 or more than 65,536.
    #[track_caller]
    pub fn lane_slots(mut self, slots: usize) -> Self {
        assert!(
            (1..=MAX_SLOTS).contains(&slots),
            "a lane has 1 to 65536 slots, not {slots}"
        );
        self.lane_slots = Some(slots);
        self
    }

    /// The most segments in the list; no limit by default.
    ///
    /// A push that would need one more is refused. So that none is for want of a lane of its
    /// own, producers of such a queue share their lanes, at the price of two
    /// read-modify-writes for each push. It is a bound on memory, not on
    /// items: besides the segments in the list there may be one for each handle that
    /// stands on one that was emptied, and a few that are kept for use.
    ///
    /// # Panics
    ///
    /// If `segments` is below 2: one is filled while the other is emptied.
    #[track_caller]
    pub fn max_segments(mut self, segments: usize) -> Self {
        assert!(
            segments >= 2,
            "a LaneQueue needs at least 2 segments, not {segments}"
        );
        self.max_segments = segments;
        self
    }

    /// An empty queue. Allocates its first segment.
    ///
    /// # Panics
    ///
    /// If a segment would be larger than `isize::MAX` bytes.
    #[must_use]
    pub fn build<T>(&self) -> LaneQueue<T> {
        self.build_with(|limits| limits)
    }

    pub(super) fn build_with<T>(&self, change: impl FnOnce(Limits) -> Limits) -> LaneQueue<T> {
        let slot = size_of::<Value<T>>().max(1);
        let lane_slots = self
            .lane_slots
            .unwrap_or_else(|| (LANE_BYTES / slot).clamp(LANE_SLOTS.0, LANE_SLOTS.1));
        let widest = self.max_width.unwrap_or_else(default_width);
        let bounds = Bounds {
            min: self.min_width,
            max: widest.max(self.min_width),
            owned: self.max_segments == usize::MAX,
        };
        let bytes = slot
            .checked_mul(lane_slots)
            .and_then(|lane| lane.checked_mul(bounds.max));
        assert!(
            bytes.is_some_and(|bytes| bytes <= isize::MAX as usize),
            "a segment of {} lanes of {lane_slots} slots is too large",
            bounds.max
        );
        let limits = Limits {
            bounds,
            lane_slots,
            segments: self.max_segments,
            #[cfg(test)]
            script: None,
        };
        LaneQueue {
            shared: Arc::new(Shared::new(change(limits))),
        }
    }
}

impl Default for LaneOptions {
    fn default() -> Self {
        Self::new()
    }
}

fn default_width() -> usize {
    #[cfg(feature = "std")]
    {
        (4 * processors()).next_power_of_two().clamp(8, MAX_WIDTH)
    }
    #[cfg(not(feature = "std"))]
    8
}
