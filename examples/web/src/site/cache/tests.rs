use std::task::{Context, Waker};

use super::*;
use crate::testing::Signal;
use futures_lite::future::{block_on, poll_once};
use proptest::prelude::*;

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

fn cache(bodies_of_100: u64) -> Arc<Cache> {
    let budget = NonZeroU64::new(bodies_of_100 * (100 + OVERHEAD)).unwrap();
    Arc::new(Cache::new(budget))
}

fn filler(cache: &Arc<Cache>, number: u64) -> Filler {
    match cache.claim(key(number)) {
        Claim::Fill(filler) => filler,
        other => panic!("{other:?}"),
    }
}

fn fill(cache: &Arc<Cache>, number: u64) {
    filler(cache, number).finish(Ok(vec![0; 100].into()), Keep::Yes);
}

fn holds(cache: &Arc<Cache>, number: u64) -> bool {
    lock(&cache.inner).slots.peek(&key(number)).is_some()
}

#[test]
fn one_fills_the_others_wait() {
    let cache = cache(4);
    let filler = filler(&cache, 1);
    let Claim::Wait(slot) = cache.claim(key(1)) else {
        panic!("a second claim must wait");
    };
    block_on(async {
        let mut wait = std::pin::pin!(slot.wait());
        assert!(poll_once(wait.as_mut()).await.is_none());
        filler.finish(Ok(Bytes::from_static(b"body")), Keep::Yes);
        assert_eq!(wait.await.unwrap(), "body");
    });
    assert!(matches!(cache.claim(key(1)), Claim::Hit(body) if body == "body"));
}

#[test]
fn the_least_recently_used_goes_first() {
    let cache = cache(2);
    fill(&cache, 1);
    fill(&cache, 2);
    assert!(matches!(cache.claim(key(1)), Claim::Hit(_)));
    fill(&cache, 3);
    assert!(holds(&cache, 1) && !holds(&cache, 2) && holds(&cache, 3));
    assert_eq!(cache.usage().evicted, 1);
}

#[test]
fn a_body_larger_than_the_cache_is_delivered_but_not_kept() {
    let cache = cache(1);
    let filler = filler(&cache, 1);
    let slot = filler.slot();
    filler.finish(Ok(vec![0; 101].into()), Keep::Yes);
    assert_eq!(block_on(slot.wait()).unwrap().len(), 101);
    assert_eq!(
        cache.usage(),
        Usage {
            entries: 0,
            bytes: 0,
            budget: 356,
            evicted: 0
        }
    );
}

#[test]
fn a_body_not_to_keep_reaches_those_who_wait() {
    let cache = cache(1);
    let filler = filler(&cache, 1);
    let slot = filler.slot();
    filler.finish(Ok(Bytes::from_static(b"body")), Keep::No);
    assert_eq!(block_on(slot.wait()).unwrap(), "body");
    assert!(!holds(&cache, 1));
    assert_eq!(cache.usage().bytes, 0);
}

#[test]
fn a_failure_reaches_those_who_wait_and_is_not_kept() {
    let cache = cache(1);
    let filler = filler(&cache, 1);
    let slot = filler.slot();
    filler.finish(
        Err(Arc::new(io::ErrorKind::UnexpectedEof.into())),
        Keep::Yes,
    );
    let error = block_on(slot.wait()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(!holds(&cache, 1));
}

#[test]
fn a_dropped_filler_fails_the_slot() {
    let cache = cache(1);
    let filler = filler(&cache, 1);
    let slot = filler.slot();
    drop(filler);
    assert!(block_on(slot.wait()).is_err());
    assert!(matches!(cache.claim(key(1)), Claim::Fill(_)));
}

#[test]
fn an_empty_slot_that_was_pushed_out_still_delivers() {
    let cache = cache(1);
    let early = filler(&cache, 1);
    fill(&cache, 2);
    fill(&cache, 3);
    assert!(!holds(&cache, 1));
    let slot = early.slot();
    early.finish(Ok(Bytes::from_static(b"late")), Keep::Yes);
    assert_eq!(block_on(slot.wait()).unwrap(), "late");
    assert!(!holds(&cache, 1));
    assert_eq!(cache.usage().bytes, 100 + OVERHEAD);
}

proptest! {
    #[test]
    fn the_budget_holds(bodies in proptest::collection::vec((0u64..6, 0usize..500), 1..60)) {
        let cache = cache(3);
        for (number, len) in bodies {
            if let Claim::Fill(filler) = cache.claim(key(number)) {
                filler.finish(Ok(vec![0; len].into()), Keep::Yes);
            }
            let usage = cache.usage();
            prop_assert!(usage.bytes <= usage.budget);
            let sum: u64 = lock(&cache.inner).slots.iter().map(|(_, slot)| cost(slot)).sum();
            prop_assert_eq!(usage.bytes, sum);
        }
    }
}

#[test]
fn a_wait_that_is_given_up_leaves_the_others_alone() {
    let cache = cache(1);
    let filler = filler(&cache, 1);
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(filler.slot().wait())).collect();
    let signals: Vec<_> = (0..3).map(|_| Arc::<Signal>::default()).collect();
    let wakers: Vec<Waker> = signals.iter().map(|signal| signal.clone().into()).collect();
    let mut poll = |index: usize| {
        let cx = &mut Context::from_waker(&wakers[index]);
        waits[index].as_mut().poll(cx).is_pending()
    };
    assert!(poll(0) && poll(1) && poll(2));
    // A number is a wait's for good, also when it is polled for no reason.
    drop(waits.remove(0));
    let cx = &mut Context::from_waker(&wakers[2]);
    assert!(waits[1].as_mut().poll(cx).is_pending());
    filler.finish(Ok(Bytes::from_static(b"body")), Keep::Yes);
    let woken: Vec<bool> = signals.iter().map(|signal| signal.is_set()).collect();
    assert_eq!(woken, [false, true, true]);
}
