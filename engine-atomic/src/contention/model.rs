//! A model of the lossy count.

use testkit::model::{Budget, check};

use super::Contention;
use crate::sync::{Arc, thread};

/// Recorders that overlap may lose counts, and never make any up; what is recorded
/// alone afterwards is kept.
#[test]
fn lossy_and_never_more() {
    check("lossy_and_never_more", Budget::exhaustive(), || {
        let contention = Arc::new(Contention::new());
        let other = thread::spawn({
            let contention = contention.clone();
            move || {
                contention.record(1);
                contention.record(0);
            }
        });
        contention.record(2);
        let meanwhile = contention.lost();
        other.join().unwrap();
        let lost = contention.lost();
        assert!((1..=3).contains(&meanwhile), "{meanwhile}");
        assert!((1..=3).contains(&lost), "{lost}");
        contention.record(4);
        assert_eq!(contention.lost(), lost + 4);
    });
}
