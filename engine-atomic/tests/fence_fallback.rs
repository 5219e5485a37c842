//! The asymmetric pair where membarrier(2) is refused. A process of its own, with
//! one test: the strategy is decided once.

mod litmus;

use engine_atomic::fence::{self, Strategy};

#[test]
fn both_sides_fall_back_together() {
    assert_eq!(fence::prefer_seq_cst(), Strategy::SeqCst);
    assert_eq!(fence::strategy(), Strategy::SeqCst);
    let outcome = litmus::store_buffering(fence::light, fence::heavy);
    println!("{outcome:?}");
    assert!(outcome.rounds > 0);
    assert_eq!(outcome.both_missed, 0);
    // Using them has not changed it.
    assert_eq!(fence::strategy(), Strategy::SeqCst);
}
