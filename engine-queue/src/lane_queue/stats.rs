//! What a queue says about itself.

/// Figures of a [`LaneQueue`](super::LaneQueue), by
/// [`stats`](super::LaneQueue::stats).
///
/// Counts of lost races may miss some, and never count one twice: they are kept by
/// plain stores. While other threads work, the figures are not of one moment. Sums
/// wrap with `usize`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LaneStats {
    /// Lanes of the segment that is pushed to.
    pub width: usize,
    /// Whether each of these lanes has one producer at most.
    pub owned: bool,
    /// Segments in the list: from the one that is popped from to the one that is
    /// pushed to.
    pub segments: usize,
    /// Segments in memory: those in the list, those that some handle still stands
    /// on, and those kept for use.
    pub allocated_segments: usize,
    /// Races lost: compare-and-swaps for a place in a lane, by producers and
    /// consumers, that failed because another thread was faster.
    pub cas_failures: usize,
    /// Places given out to pushes, with those given up.
    pub pushes: usize,
    /// Places given up, because the push was too slow; the push took another one.
    pub burned: usize,
    /// Segments that were wider than the one before.
    pub widened: usize,
    /// Segments that were narrower than the one before.
    pub narrowed: usize,
}
