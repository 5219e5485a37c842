//! Models of admission and of the waits for another number of connections.

use std::sync::Arc;
use std::time::Duration;

use engine_atomic::sync::thread;
use testkit::model::{Budget, check, check_large};

use super::Hub;
use crate::activity::Patience;
use crate::testing::block_on;

fn hub(limit: usize) -> Arc<Hub> {
    let hour = Duration::from_secs(3600);
    let patience = Patience {
        head: hour,
        idle: hour,
    };
    Arc::new(Hub::new(patience, limit))
}

#[test]
fn a_guest_that_leaves_makes_room() {
    check(
        "a_guest_that_leaves_makes_room",
        Budget::exhaustive(),
        || {
            let hub = hub(1);
            let guest = hub.admit();
            let leaving = thread::spawn(move || drop(guest));
            block_on(hub.room());
            assert_eq!(hub.open(), 0);
            leaving.join().unwrap();
        },
    );
}

#[test]
fn the_last_guest_ends_the_wait() {
    check(
        "the_last_guest_ends_the_wait",
        Budget::preemptions(5),
        || {
            let hub = hub(8);
            let leaving =
                [hub.admit(), hub.admit()].map(|guest| thread::spawn(move || drop(guest)));
            block_on(hub.empty());
            assert_eq!(hub.open(), 0);
            for thread in leaving {
                thread.join().unwrap();
            }
        },
    );
}

/// The sweep sleeps while nobody is there.
#[test]
fn a_guest_starts_the_sweep() {
    check("a_guest_starts_the_sweep", Budget::exhaustive(), || {
        let hub = hub(8);
        let coming = thread::spawn({
            let hub = hub.clone();
            move || hub.admit()
        });
        block_on(hub.until(|open| open > 0));
        drop(coming.join().unwrap());
        assert_eq!(hub.open(), 0);
    });
}

/// Connections come when there is room, and the limit holds.
#[test]
fn the_limit_holds() {
    let budget = Budget::default().schedules(300);
    check_large("the_limit_holds", budget, || {
        let hub = hub(2);
        let mut guests = Vec::new();
        for _ in 0..6 {
            block_on(hub.room());
            let guest = hub.admit();
            assert!(hub.open() <= 2);
            guests.push(thread::spawn(move || drop(guest)));
        }
        block_on(hub.empty());
        for guest in guests {
            guest.join().unwrap();
        }
    });
}
