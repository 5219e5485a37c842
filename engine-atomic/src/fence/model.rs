//! Models of the asymmetric pair and of its decision.

use testkit::model::{Budget, check};

use super::decision::Decision;
use super::{Strategy, heavy, light, seq_cst};
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};
use crate::sync::{Arc, thread};

/// One round of store buffering: what each side loads.
fn store_buffering(left: fn(), right: fn()) -> (u32, u32) {
    let words = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
    let other = thread::spawn({
        let words = words.clone();
        move || {
            words.0.store(1, Relaxed);
            left();
            words.1.load(Relaxed)
        }
    });
    words.1.store(1, Relaxed);
    right();
    let seen = words.0.load(Relaxed);
    (other.join().unwrap(), seen)
}

#[test]
fn light_and_heavy_forbid_store_buffering() {
    check(
        "light_and_heavy_forbid_store_buffering",
        Budget::exhaustive(),
        || assert_ne!(store_buffering(light, heavy), (0, 0)),
    );
}

#[test]
fn two_heavies_forbid_store_buffering() {
    check(
        "two_heavies_forbid_store_buffering",
        Budget::exhaustive(),
        || assert_ne!(store_buffering(heavy, heavy), (0, 0)),
    );
}

#[test]
fn full_fences_forbid_store_buffering() {
    check(
        "full_fences_forbid_store_buffering",
        Budget::exhaustive(),
        || {
            assert_ne!(store_buffering(seq_cst, seq_cst), (0, 0));
            assert_ne!(store_buffering(seq_cst, heavy), (0, 0));
        },
    );
}

/// Each side is necessary: without it loom finds the outcome that the pair forbids.
/// (shuttle has no such outcomes, and on hardware it is a matter of luck.)
#[cfg(engine_loom)]
mod without_one_side {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;

    fn nothing() {}

    /// Whether some execution has both sides miss the other's store.
    fn reached(name: &str, left: fn(), right: fn()) -> bool {
        static REACHED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
        let reached = match name {
            "without_light" => &REACHED[0],
            "without_heavy" => &REACHED[1],
            _ => &REACHED[2],
        };
        check(name, Budget::exhaustive(), move || {
            if store_buffering(left, right) == (0, 0) {
                reached.store(true, Relaxed);
            }
        });
        reached.load(Relaxed)
    }

    #[test]
    fn store_buffering_is_reached() {
        assert!(reached("without_light", nothing, heavy));
        assert!(reached("without_heavy", light, nothing));
        assert!(reached(
            "acquire_and_release",
            super::super::acquire,
            super::super::release
        ));
    }
}

/// Message passing over the plain fences.
#[test]
fn release_and_acquire_publish() {
    check("release_and_acquire_publish", Budget::exhaustive(), || {
        let words = Arc::new((AtomicU32::new(0), AtomicU32::new(0)));
        let writer = thread::spawn({
            let words = words.clone();
            move || {
                words.0.store(7, Relaxed);
                super::release();
                words.1.store(1, Relaxed);
            }
        });
        if words.1.load(Relaxed) == 1 {
            super::acquire();
            assert_eq!(words.0.load(Relaxed), 7);
        }
        writer.join().unwrap();
    });
}

/// Threads that decide together, one of them against its will, act on one decision.
#[test]
fn everybody_gets_the_same_decision() {
    check(
        "everybody_gets_the_same_decision",
        Budget::exhaustive(),
        || {
            let decision = Arc::new(Decision::new());
            let others = [Strategy::Membarrier, Strategy::SeqCst].map(|proposal| {
                let decision = decision.clone();
                thread::spawn(move || match decision.made() {
                    Some(made) => made,
                    None => decision.propose(proposal),
                })
            });
            let early = decision.made();
            let [a, b] = others.map(|other| other.join().unwrap());
            assert_eq!(a, b);
            assert_eq!(decision.made(), Some(a));
            assert!(early.is_none_or(|early| early == a));
        },
    );
}
