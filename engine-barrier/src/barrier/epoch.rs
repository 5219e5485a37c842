//! The epoch word: how many rounds have been published, and whether somebody
//! sleeps.

use std::fmt;

/// | bits | meaning |
/// |---|---|
/// | 31..1 | published rounds, mod 2<sup>31</sup> |
/// | 0 | SLEEPERS: somebody sleeps until the rounds change |
///
/// Every value is reachable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u32);

/// A thread sleeps on the word, or is about to.
const SLEEPERS: u32 = 1;

/// One round.
const ROUND: u32 = 2;

const _: () = assert!(SLEEPERS < ROUND && ROUND.is_power_of_two());

impl Epoch {
    /// The word once `rounds` are published, with nobody asleep.
    pub(super) const fn after(rounds: u64) -> Self {
        // Truncation is the wrap.
        Self((rounds as u32).wrapping_mul(ROUND))
    }

    pub(super) const fn word(self) -> u32 {
        self.0
    }

    const fn rounds(self) -> u32 {
        self.0 / ROUND
    }

    pub(super) const fn has_sleepers(self) -> bool {
        self.0 & SLEEPERS != 0
    }

    #[must_use]
    pub(super) const fn with_sleepers(self) -> Self {
        Self(self.0 | SLEEPERS)
    }

    /// Whether both count the same rounds.
    pub(super) const fn same_rounds(self, other: Self) -> bool {
        self.rounds() == other.rounds()
    }

    /// Whether these rounds are those of `target` or later ones, fewer than
    /// 2<sup>30</sup> later.
    pub(super) const fn has_reached(self, target: Self) -> bool {
        let ahead = (self.0 & !SLEEPERS).wrapping_sub(target.0 & !SLEEPERS);
        ahead.cast_signed() >= 0
    }
}

impl From<u32> for Epoch {
    fn from(word: u32) -> Self {
        Self(word)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch")
            .field("rounds", &self.rounds())
            .field("sleepers", &self.has_sleepers())
            .finish()
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::Epoch;

    #[test]
    fn reached_is_a_half_circle() {
        for rounds in [
            0,
            1,
            (1 << 30) - 1,
            1 << 30,
            (1 << 31) - 1,
            1 << 31,
            u64::MAX >> 1,
        ] {
            let target = Epoch::after(rounds);
            for ahead in [0, 1, 2, (1 << 30) - 1] {
                let later = Epoch::after(rounds + ahead);
                assert!(later.has_reached(target), "{rounds} + {ahead}");
                assert!(later.with_sleepers().has_reached(target));
                assert!(later.has_reached(target.with_sleepers()));
                assert_eq!(later.same_rounds(target), ahead == 0);
            }
            for behind in [1, 2, 1 << 30] {
                let earlier = Epoch::after(rounds.wrapping_sub(behind));
                assert!(!earlier.has_reached(target), "{rounds} - {behind}");
                assert!(!earlier.with_sleepers().has_reached(target));
            }
        }
    }

    #[test]
    fn sleepers_leave_the_rounds_alone() {
        let epoch = Epoch::after((1 << 31) - 1);
        assert!(!epoch.has_sleepers());
        assert!(epoch.with_sleepers().has_sleepers());
        assert!(epoch.with_sleepers().same_rounds(epoch));
        // The wrap: 2^31 rounds look like none.
        assert_eq!(Epoch::after(1 << 31), Epoch::after(0));
        assert_eq!(
            format!("{:?}", epoch.with_sleepers()),
            "Epoch { rounds: 2147483647, sleepers: true }"
        );
    }
}
