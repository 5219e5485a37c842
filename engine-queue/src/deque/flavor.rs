//! Which end the owner pops from, and how.

/// Which end the owner pops from; thieves always take the oldest item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavor {
    /// The owner pops the oldest item. Only claims take items away.
    Fifo,
    /// The owner pops the newest item, by moving the tail back.
    Lifo,
}

/// How the owner pops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The front is open: with a claim, or a fence.
    Open,
    /// The oldest item, under a [bias](super::bias).
    BiasedOldest,
    /// The newest item, under a bias.
    BiasedNewest,
}

impl Flavor {
    /// How the owner pops under a bias.
    pub(super) fn biased(self) -> Way {
        match self {
            Self::Fifo => Way::BiasedOldest,
            Self::Lifo => Way::BiasedNewest,
        }
    }
}
