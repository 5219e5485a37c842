//! Compressed bodies, kept until their room is needed.
//!
//! Bounded in bytes; the least recently used body goes first. A body that
//! several requests want at once is made once: the first claim fills it, the
//! others wait, and a client that hangs up does not stop the filling.

#[cfg(test)]
mod model;
mod slot;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;

use bytes::Bytes;
use lru::LruCache;

use super::encoding::Coding;
use super::root::Meta;
use crate::sync::{Mutex, lock};

pub use slot::{Slot, Wait};

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

/// The cache. Its lock is held for a few steps, never while a body is made. A slot's
/// lock is taken inside it, never the other way round.
#[derive(Debug)]
pub struct Cache {
    budget: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    slots: LruCache<Key, Arc<Slot>>,
    /// Cost of all filled slots here: at most `budget` whenever the lock is free.
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

    /// Looks `key` up, and enters an empty slot if it is not there.
    pub fn claim(self: &Arc<Self>, key: Key) -> Claim {
        let mut inner = lock(&self.inner);
        if let Some(slot) = inner.slots.get(&key) {
            return match slot.get() {
                Some(Ok(body)) => Claim::Hit(body),
                // A slot that fails is taken out under the same lock: none is here.
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
        let inner = lock(&self.inner);
        Usage {
            entries: inner.slots.len(),
            bytes: inner.used,
            budget: self.budget,
            evicted: inner.evicted,
        }
    }

    /// Fills `slot` and keeps it or takes it out. One step under the lock: a slot that
    /// is found here is empty, or full and counted.
    ///
    /// ```text
    /// filler of 2               filler of 3, with room for one
    /// 2 is full
    ///                           3 is full and counted; 2 is the oldest, has to go,
    ///                           and is subtracted
    /// 2 is counted: too late
    /// ```
    fn settle(&self, key: &Key, slot: &Arc<Slot>, outcome: Outcome, keep: Keep) {
        let mut inner = lock(&self.inner);
        // The slot may have been pushed out while it was empty.
        let ours = inner
            .slots
            .peek(key)
            .is_some_and(|there| Arc::ptr_eq(there, slot));
        let waiting = slot.fill(outcome);
        if ours {
            inner.keep(key, cost(slot), keep, self.budget);
        }
        drop(inner);
        waiting.wake();
    }
}

impl Inner {
    fn keep(&mut self, key: &Key, cost: u64, keep: Keep, budget: u64) {
        if keep == Keep::No || cost == 0 || cost > budget {
            self.slots.pop(key);
            return;
        }
        self.used += cost;
        while self.used > budget {
            let Some((_, oldest)) = self.slots.pop_lru() else {
                return;
            };
            // An empty slot costs nothing yet; whoever waits for it still gets the body.
            self.used -= self::cost(&oldest);
            self.evicted += 1;
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
    match slot.get() {
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
        self.cache.settle(&self.key, &self.slot, outcome, keep);
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
