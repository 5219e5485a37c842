//! Models of a connection's side of the drain, over a connection that does nothing.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use engine_atomic::sync::thread;
use testkit::model::{Budget, check};

use super::{Drain, End, drive};
use crate::activity::Patience;
use crate::hub::{Guest, Hub};
use crate::testing::block_on;

/// It waits for a request that never comes, and closes when it is asked to.
#[derive(Default)]
struct Quiet {
    draining: bool,
}

impl Drain for Quiet {
    fn poll_serve(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        match self.draining {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn drain(mut self: Pin<&mut Self>) {
        self.draining = true;
    }
}

fn hub() -> Arc<Hub> {
    let hour = Duration::from_secs(3600);
    let patience = Patience {
        head: hour,
        idle: hour,
    };
    Arc::new(Hub::new(patience, 8))
}

fn serve(guest: &Guest) {
    let end = block_on(drive(pin!(Quiet::default()), &guest.hub, &guest.activity));
    assert!(matches!(end, End::Finished(Ok(()))));
}

/// It enters before the drain or after, and is asked before its first look or after.
#[test]
fn the_drain_reaches_a_connection_that_enters() {
    check(
        "the_drain_reaches_a_connection_that_enters",
        Budget::preemptions(5),
        || {
            let hub = hub();
            let connection = thread::spawn({
                let hub = hub.clone();
                move || serve(&hub.admit())
            });
            hub.drain();
            block_on(hub.empty());
            connection.join().unwrap();
            assert_eq!(hub.open(), 0);
        },
    );
}

/// A nudge of the sweep, which has nothing to say, does not hide the drain's.
#[test]
fn the_drain_is_not_lost_in_the_sweep() {
    check(
        "the_drain_is_not_lost_in_the_sweep",
        Budget::preemptions(3),
        || {
            let hub = hub();
            let guest = hub.admit();
            let activity = guest.activity.clone();
            let sweep = thread::spawn(move || activity.nudge());
            let connection = thread::spawn(move || serve(&guest));
            hub.drain();
            block_on(hub.empty());
            connection.join().unwrap();
            sweep.join().unwrap();
        },
    );
}
