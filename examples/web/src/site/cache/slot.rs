//! The place for one body.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Outcome;
use crate::sync::{Mutex, lock, wake_all};

/// A place for one body, empty while it is being made.
///
/// | state | meaning | leaves by |
/// |---|---|---|
/// | `Empty` | somebody makes the body; these wait for it | `fill`, to `Full` |
/// | `Full` | the body is there, or has failed | never |
#[derive(Default)]
pub struct Slot {
    state: Mutex<State>,
}

enum State {
    /// The wakers by the waits' numbers; `None` is a wait that was given up.
    Empty(Vec<Option<Waker>>),
    Full(Outcome),
}

impl Default for State {
    fn default() -> Self {
        Self::Empty(Vec::new())
    }
}

impl Slot {
    /// The body, or why there is none; `None` while it is being made.
    pub fn get(&self) -> Option<Outcome> {
        match &*lock(&self.state) {
            State::Empty(_) => None,
            State::Full(outcome) => Some(outcome.clone()),
        }
    }

    /// Waits until the body is there or has failed.
    pub fn wait(self: Arc<Self>) -> Wait {
        Wait {
            slot: self,
            number: None,
        }
    }

    /// Fills the slot. Called once, by the filler, who then wakes who has waited, without
    /// a lock.
    pub(super) fn fill(&self, outcome: Outcome) -> Waiting {
        // EMPTY -> FULL
        match mem::replace(&mut *lock(&self.state), State::Full(outcome)) {
            State::Empty(wakers) => Waiting(wakers),
            State::Full(_) => unreachable!("a slot has one filler, which fills it once"),
        }
    }
}

/// Those who have waited for a slot that is full now.
#[must_use]
pub(super) struct Waiting(Vec<Option<Waker>>);

impl Waiting {
    pub(super) fn wake(self) {
        // A waker that panics is the runtime's concern: the others have waited, too.
        let _ = wake_all(self.0.into_iter().flatten());
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*lock(&self.state) {
            State::Empty(wakers) => write!(f, "Empty({} waits)", wakers.len()),
            State::Full(Ok(body)) => write!(f, "Full({} bytes)", body.len()),
            State::Full(Err(error)) => write!(f, "Full({error})"),
        }
    }
}

/// Waits for a [`Slot`] to be filled. Dropped, it leaves nothing behind but its number.
#[derive(Debug)]
pub struct Wait {
    slot: Arc<Slot>,
    /// Its place among the wakers, once it has waited.
    number: Option<usize>,
}

impl Future for Wait {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        // Cloned and dropped without the lock: both are foreign code.
        let waker = cx.waker().clone();
        let slot = Arc::clone(&self.slot);
        let mut state = lock(&slot.state);
        let before = match &mut *state {
            State::Full(outcome) => return Poll::Ready(outcome.clone()),
            State::Empty(wakers) => match self.number {
                Some(number) => wakers[number].replace(waker),
                None => {
                    self.number = Some(wakers.len());
                    wakers.push(Some(waker));
                    None
                }
            },
        };
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let waker = match &mut *lock(&self.slot.state) {
            State::Empty(wakers) => wakers[number].take(),
            State::Full(_) => None,
        };
        drop(waker);
    }
}
