//! Cache-line padding.

pub use crossbeam_utils::CachePadded;

/// Bytes in a cache line: the unit that the cores' coherence protocol moves.
pub const CACHE_LINE: usize = 64;
