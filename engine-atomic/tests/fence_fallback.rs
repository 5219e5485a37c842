//! The asymmetric pair where membarrier(2) is refused. A process of its own, with
//! one test: the strategy is decided once.

mod litmus;

use engine_atomic::fence::{self, Strategy};
use litmus::Case;

#[test]
fn both_sides_fall_back_together() {
    assert_eq!(fence::prefer_seq_cst(), Strategy::SeqCst);
    assert_eq!(fence::strategy(), Strategy::SeqCst);
    let nothing = || ();
    litmus::store_buffering(
        "SeqCst",
        vec![
            Case::whole("light, heavy", 10, fence::light, fence::heavy),
            Case::whole("heavy, heavy", 1, fence::heavy, fence::heavy),
            Case::one_sided("light, nothing", fence::light, nothing),
            Case::one_sided("nothing, heavy", nothing, fence::heavy),
        ],
    );
    // Using them has not changed it.
    assert_eq!(fence::strategy(), Strategy::SeqCst);
}
