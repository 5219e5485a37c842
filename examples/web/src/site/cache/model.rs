//! Models of the cache: one makes a body, the others wait for it.

use std::sync::Arc;

use bytes::Bytes;
use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::thread;
use futures_lite::future::poll_once;
use testkit::model::{Budget, check, check_large};

use super::*;
use crate::testing::block_on;

fn key(number: u64) -> Key {
    Key {
        meta: Meta {
            len: 1,
            modified: (0, 0),
            identity: (0, number),
        },
        coding: Coding::Gzip,
    }
}

/// A cache with room for `bodies` bodies of four bytes.
fn cache(bodies: u64) -> Arc<Cache> {
    Arc::new(Cache::new(
        NonZeroU64::new(bodies * (4 + OVERHEAD)).unwrap(),
    ))
}

fn body() -> Outcome {
    Ok(Bytes::from_static(b"body"))
}

/// What a request does: takes the body, waits for it, or makes it.
fn request(cache: &Arc<Cache>, key: Key, keep: Keep, made: &AtomicUsize) {
    let outcome = match cache.claim(key) {
        Claim::Hit(body) => Ok(body),
        Claim::Wait(slot) => block_on(slot.wait()),
        Claim::Fill(filler) => {
            made.fetch_add(1, Relaxed);
            let slot = filler.slot();
            filler.finish(body(), keep);
            block_on(slot.wait())
        }
    };
    assert_eq!(outcome.unwrap(), "body");
}

/// The books: what the slots cost is what is counted, within the budget.
fn balanced(cache: &Cache) {
    let inner = lock(&cache.inner);
    let sum: u64 = inner.slots.iter().map(|(_, slot)| cost(slot)).sum();
    assert_eq!(inner.used, sum);
    assert!(sum <= cache.budget);
}

#[test]
fn a_body_is_made_once() {
    check("a_body_is_made_once", Budget::preemptions(4), || {
        let (cache, made) = (cache(1), Arc::new(AtomicUsize::new(0)));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (cache, made) = (cache.clone(), made.clone());
                thread::spawn(move || request(&cache, key(1), Keep::Yes, &made))
            })
            .collect();
        request(&cache, key(1), Keep::Yes, &made);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(made.load(Relaxed), 1);
        balanced(&cache);
    });
}

/// A body that is not kept still reaches all who asked while it was made.
#[test]
fn a_body_that_is_not_kept() {
    check("a_body_that_is_not_kept", Budget::exhaustive(), || {
        let (cache, made) = (cache(1), Arc::new(AtomicUsize::new(0)));
        let other = thread::spawn({
            let (cache, made) = (cache.clone(), made.clone());
            move || request(&cache, key(1), Keep::No, &made)
        });
        request(&cache, key(1), Keep::No, &made);
        other.join().unwrap();
        assert_eq!(cache.usage().entries, 0);
        balanced(&cache);
    });
}

/// Whoever makes the body fails: nobody waits in vain, and the next one tries again.
#[test]
fn a_filler_that_is_dropped() {
    check("a_filler_that_is_dropped", Budget::exhaustive(), || {
        let cache = cache(1);
        let Claim::Fill(filler) = cache.claim(key(1)) else {
            panic!("an empty cache");
        };
        let failing = thread::spawn(move || drop(filler));
        match cache.claim(key(1)) {
            Claim::Hit(body) => panic!("{body:?} of nobody"),
            Claim::Wait(slot) => assert!(block_on(slot.wait()).is_err()),
            Claim::Fill(filler) => filler.finish(body(), Keep::Yes),
        }
        failing.join().unwrap();
        balanced(&cache);
    });
}

/// One who waits gives up as the body comes; the other gets it.
#[test]
fn a_wait_that_is_given_up() {
    check("a_wait_that_is_given_up", Budget::preemptions(3), || {
        let cache = cache(1);
        let Claim::Fill(filler) = cache.claim(key(1)) else {
            panic!("an empty cache");
        };
        let (hasty, patient) = (filler.slot(), filler.slot());
        let hasty = thread::spawn(move || block_on(poll_once(hasty.wait())));
        let filling = thread::spawn(move || filler.finish(body(), Keep::Yes));
        assert_eq!(block_on(patient.wait()).unwrap(), "body");
        if let Some(outcome) = hasty.join().unwrap() {
            assert_eq!(outcome.unwrap(), "body");
        }
        filling.join().unwrap();
        balanced(&cache);
    });
}

/// Two bodies, room for one: each is delivered, and the books balance.
#[test]
fn one_pushes_the_other_out() {
    check("one_pushes_the_other_out", Budget::exhaustive(), || {
        let (cache, made) = (cache(1), Arc::new(AtomicUsize::new(0)));
        let other = thread::spawn({
            let (cache, made) = (cache.clone(), made.clone());
            move || request(&cache, key(2), Keep::Yes, &made)
        });
        request(&cache, key(1), Keep::Yes, &made);
        other.join().unwrap();
        assert_eq!(made.load(Relaxed), 2);
        assert_eq!(cache.usage().entries, 1);
        balanced(&cache);
    });
}

/// The body that has to go is being filled at that moment: it is counted before it goes,
/// or not at all.
#[test]
fn a_body_is_pushed_out_as_it_comes() {
    let name = "a_body_is_pushed_out_as_it_comes";
    check(name, Budget::exhaustive(), || {
        let (cache, made) = (cache(1), Arc::new(AtomicUsize::new(0)));
        request(&cache, key(1), Keep::Yes, &made);
        let Claim::Fill(filler) = cache.claim(key(2)) else {
            panic!("nobody makes it");
        };
        // From now on, 2 is the oldest.
        request(&cache, key(1), Keep::Yes, &made);
        let filling = thread::spawn(move || filler.finish(body(), Keep::Yes));
        request(&cache, key(3), Keep::Yes, &made);
        filling.join().unwrap();
        balanced(&cache);
    });
}

/// More keys than room, and more requests than keys.
#[test]
fn a_busy_cache() {
    let budget = Budget::default().schedules(300);
    check_large("a_busy_cache", budget, || {
        let (cache, made) = (cache(2), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..4u64)
            .map(|thread| {
                let (cache, made) = (cache.clone(), made.clone());
                thread::spawn(move || {
                    for step in 0..4 {
                        request(&cache, key((thread + step) % 3), Keep::Yes, &made);
                        balanced(&cache);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        balanced(&cache);
    });
}
