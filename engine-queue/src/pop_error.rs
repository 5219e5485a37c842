//! Why there is no item.

use core::error::Error;
use core::fmt;

/// Why no item was popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopError {
    /// There was no item; there may be later.
    Empty,
    /// There is no item, and the queue is closed: there will be none.
    Closed,
}

impl PopError {
    /// Whether there may be items later.
    pub fn is_empty(self) -> bool {
        self == PopError::Empty
    }

    /// Whether there will be no more items.
    pub fn is_closed(self) -> bool {
        self == PopError::Closed
    }
}

impl fmt::Display for PopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PopError::Empty => "the queue is empty",
            PopError::Closed => "the queue is empty and closed",
        })
    }
}

impl Error for PopError {}
