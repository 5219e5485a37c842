use super::*;
use futures_lite::future::{block_on, poll_once};

use crate::sync::lock;
use crate::testing::Bomb;

fn hub(limit: usize) -> Arc<Hub> {
    let patience = Patience {
        head: Duration::from_secs(60),
        idle: Duration::from_secs(60),
    };
    Arc::new(Hub::new(patience, limit))
}

#[test]
fn room_opens_when_a_guest_leaves() {
    let hub = hub(1);
    let guest = hub.admit();
    block_on(async {
        let mut room = std::pin::pin!(hub.room());
        assert!(poll_once(room.as_mut()).await.is_none());
        drop(guest);
        assert!(poll_once(room.as_mut()).await.is_some());
    });
}

#[test]
fn empty_waits_for_the_last_guest() {
    let hub = hub(8);
    let (a, b) = (hub.admit(), hub.admit());
    block_on(async {
        let mut empty = std::pin::pin!(hub.empty());
        drop(a);
        assert!(poll_once(empty.as_mut()).await.is_none());
        drop(b);
        assert!(poll_once(empty.as_mut()).await.is_some());
    });
}

#[test]
fn drain_nudges_everyone() {
    let hub = hub(8);
    let guests = [hub.admit(), hub.admit()];
    hub.drain();
    assert!(hub.draining());
    assert!(guests.iter().all(|guest| guest.activity.take_nudge()));
}

#[test]
fn whoever_comes_after_the_drain_is_asked_to_go_as_well() {
    let hub = hub(8);
    hub.drain();
    assert!(hub.admit().activity.take_nudge());
}

#[test]
fn a_waker_that_panics_loses_no_other_guest() {
    let hub = hub(8);
    let guests = [hub.admit(), hub.admit()];
    let bomb = std::sync::Arc::new(Bomb("a waker"));
    guests[0].activity.set_waker(&bomb.into());
    hub.drain();
    assert!(guests.iter().all(|guest| guest.activity.take_nudge()));
}

#[test]
fn one_task_waits_with_one_waker() {
    let hub = hub(1);
    let guest = hub.admit();
    block_on(async {
        let (mut room, mut empty) = (std::pin::pin!(hub.room()), std::pin::pin!(hub.empty()));
        for _ in 0..3 {
            assert!(poll_once(room.as_mut()).await.is_none());
            assert!(poll_once(empty.as_mut()).await.is_none());
        }
        assert_eq!(lock(&hub.guests).waiting.len(), 1);
        drop(guest);
        assert!(poll_once(room.as_mut()).await.is_some());
        assert!(poll_once(empty.as_mut()).await.is_some());
    });
}
