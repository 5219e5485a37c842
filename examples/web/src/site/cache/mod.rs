//! Compressed bodies, kept until their room is needed.
//!
//! Bounded in bytes; the least recently used body goes first. A body that
//! several requests want at once is made once: the first claim fills it, the
//! others wait, and a client that hangs up does not stop the filling.

use std::io;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_lock::OnceCell;
use bytes::Bytes;
use lru::LruCache;

use super::encoding::Coding;
use super::root::Meta;

/// What an entry costs beside its body: key, list node, slot.
const OVERHEAD: u64 = 256;

/// One version of one file in one coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The version.
    pub meta: Meta,
    /// The coding.
    pub coding: Coding,
}

/// A body, or why there is none.
pub type Outcome = Result<Bytes, Arc<io::Error>>;

/// A place for one body, empty while it is being made.
#[derive(Debug, Default)]
pub struct Slot {
    outcome: OnceCell<Outcome>,
}

impl Slot {
    /// Waits until the body is there or has failed.
    pub async fn wait(&self) -> Outcome {
        self.outcome.wait().await.clone()
    }
}

/// What a request finds.
#[derive(Debug)]
pub enum Claim {
    /// The body.
    Hit(Bytes),
    /// Somebody is making it.
    Wait(Arc<Slot>),
    /// Nobody is: the caller must.
    Fill(Filler),
}

/// The cache. Its lock is held for a few steps, never while a body is made.
#[derive(Debug)]
pub struct Cache {
    budget: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    slots: LruCache<Key, Arc<Slot>>,
    /// Cost of all filled slots: at most `budget` whenever the lock is free.
    used: u64,
    evicted: u64,
}

/// The state of the cache, for `/_engine/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bodies kept or being made.
    pub entries: usize,
    /// Bytes they take.
    pub bytes: u64,
    /// Bytes they may take.
    pub budget: u64,
    /// Bodies that had to go.
    pub evicted: u64,
}

impl Cache {
    /// An empty cache of at most `budget` bytes.
    pub fn new(budget: NonZeroU64) -> Self {
        Self {
            budget: budget.get(),
            inner: Mutex::new(Inner {
                slots: LruCache::unbounded(),
                used: 0,
                evicted: 0,
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks `key` up, and enters an empty slot if it is not there.
    pub fn claim(self: &Arc<Self>, key: Key) -> Claim {
        let mut inner = self.inner();
        if let Some(slot) = inner.slots.get(&key) {
            return match slot.outcome.get() {
                Some(Ok(body)) => Claim::Hit(body.clone()),
                // Failed slots are taken out at once; a claim may come in between.
                Some(Err(_)) | None => Claim::Wait(Arc::clone(slot)),
            };
        }
        let slot = Arc::new(Slot::default());
        inner.slots.put(key, Arc::clone(&slot));
        Claim::Fill(Filler {
            cache: Arc::clone(self),
            key,
            slot,
            finished: false,
        })
    }

    /// The state at this moment.
    pub fn usage(&self) -> Usage {
        let inner = self.inner();
        Usage {
            entries: inner.slots.len(),
            bytes: inner.used,
            budget: self.budget,
            evicted: inner.evicted,
        }
    }

    fn settle(&self, key: &Key, slot: &Arc<Slot>, keep: Keep) {
        let mut inner = self.inner();
        // The slot may have been pushed out while it was empty.
        let ours = inner
            .slots
            .peek(key)
            .is_some_and(|there| Arc::ptr_eq(there, slot));
        if !ours {
            return;
        }
        let cost = cost(slot);
        if keep == Keep::No || cost == 0 || cost > self.budget {
            inner.slots.pop(key);
            return;
        }
        inner.used += cost;
        while inner.used > self.budget {
            let Some((_, oldest)) = inner.slots.pop_lru() else {
                return;
            };
            // An empty slot costs nothing yet; whoever waits for it still gets the body.
            inner.used -= self::cost(&oldest);
            inner.evicted += 1;
        }
    }
}

/// Whether a body may be given to later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// As long as there is room.
    Yes,
    /// Only to those who wait for it already.
    No,
}

/// Zero for a slot that holds no body.
fn cost(slot: &Slot) -> u64 {
    match slot.outcome.get() {
        Some(Ok(body)) => body.len() as u64 + OVERHEAD,
        Some(Err(_)) | None => 0,
    }
}

/// The duty to fill a slot. Dropped unfulfilled, it fails the slot, so nobody waits in vain.
#[derive(Debug)]
pub struct Filler {
    cache: Arc<Cache>,
    key: Key,
    slot: Arc<Slot>,
    finished: bool,
}

impl Filler {
    /// The slot, to wait for it like everybody else.
    pub fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }

    /// Fills the slot and wakes who waits. A failure is not kept.
    pub fn finish(mut self, outcome: Outcome, keep: Keep) {
        self.fill(outcome, keep);
    }

    fn fill(&mut self, outcome: Outcome, keep: Keep) {
        self.finished = true;
        // Only the filler fills, and only once.
        let _ = self.slot.outcome.set_blocking(outcome);
        self.cache.settle(&self.key, &self.slot, keep);
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        if !self.finished {
            let lost = io::Error::other(crate::runtime::JobLost);
            self.fill(Err(Arc::new(lost)), Keep::No);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        cache.inner().slots.peek(&key(number)).is_some()
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
                let sum: u64 = cache.inner().slots.iter().map(|(_, slot)| cost(slot)).sum();
                prop_assert_eq!(usage.bytes, sum);
            }
        }
    }
}
