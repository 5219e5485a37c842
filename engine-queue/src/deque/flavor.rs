//! Which end the owner pops from.

/// Which end the owner pops from; thieves always take the oldest item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    /// The owner pops the oldest item. Only claims take items away.
    Fifo,
    /// The owner pops the newest item, by moving the tail back.
    Lifo,
}
