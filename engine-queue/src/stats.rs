//! What a queue has noticed of contention.

/// Races that operations on a queue have lost since it was made: compare-and-swaps that
/// failed because another thread's succeeded.
///
/// They are counted without a shared write: a thread adds its losses to the line that it
/// has just won. Additions at the same moment may be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Lost to other pushes.
    pub push_races_lost: usize,
    /// Lost to other pops.
    pub pop_races_lost: usize,
}
