//! Which strategy the pair uses: decided once, for good.

use crate::sync::atomic::{AtomicU8, Ordering::*};

/// How [`light`](super::light) and [`heavy`](super::heavy) work in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// `light` is a compiler fence, and `heavy` has the kernel run a full fence on
    /// every processor that runs this process.
    Membarrier,
    /// Both are full fences.
    SeqCst,
}

const UNDECIDED: u8 = 0;
const MEMBARRIER: u8 = 1;
const SEQ_CST: u8 = 2;

/// A decision that is made once.
///
/// | word | meaning | who may leave it, how |
/// |---|---|---|
/// | `UNDECIDED` | nobody has used the pair | anybody, by CAS, to one of the others |
/// | `MEMBARRIER` | [`Strategy::Membarrier`] | nobody |
/// | `SEQ_CST` | [`Strategy::SeqCst`] | nobody |
///
/// So two readings that are not `UNDECIDED` are the same, in whatever order and on
/// whichever threads they are made. That is all that the pair needs: a `light`
/// that is a mere compiler fence has read `MEMBARRIER`, and then no `heavy` can have
/// read `SEQ_CST` or won the CAS to it, before or after.
pub(super) struct Decision {
    word: AtomicU8,
}

impl Decision {
    crate::const_unless_loom! {
        /// A decision to be made.
        pub(super) const fn new() -> Self {
            Self {
                word: AtomicU8::new(UNDECIDED),
            }
        }
    }

    /// What was decided, if anything was.
    #[inline(always)]
    pub(super) fn made(&self) -> Option<Strategy> {
        // Relaxed: the value is the whole message. No thread's memory has to be
        // ready before another may use the pair; the kernel's side, the
        // registration, is repeated by `heavy` should it not be seen there yet.
        decode(self.word.load(Relaxed))
    }

    /// Decides for `proposal` unless there is a decision; returns the one in force.
    pub(super) fn propose(&self, proposal: Strategy) -> Strategy {
        let proposed = match proposal {
            Strategy::Membarrier => MEMBARRIER,
            Strategy::SeqCst => SEQ_CST,
        };
        // UNDECIDED -> MEMBARRIER or SEQ_CST. Relaxed: as in `made`.
        match self
            .word
            .compare_exchange(UNDECIDED, proposed, Relaxed, Relaxed)
        {
            Ok(_) => proposal,
            Err(decided) => decode(decided).expect("the CAS failed, so there is a decision"),
        }
    }
}

#[inline(always)]
fn decode(word: u8) -> Option<Strategy> {
    match word {
        MEMBARRIER => Some(Strategy::Membarrier),
        SEQ_CST => Some(Strategy::SeqCst),
        _ => None,
    }
}
