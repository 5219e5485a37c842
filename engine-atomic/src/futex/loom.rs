//! The futex under loom: a wait list, checked and slept on as the kernel does.
//!
//! loom's own mutex stands for the kernel's bucket lock: it makes `wait` and
//! `wake` dependent, so that loom explores both orders. It also adds a
//! happens-before edge between futex calls that a real futex does not promise;
//! paths that do not sleep are still checked strictly.
//!
//! A wait with a deadline gives the other threads a turn and then returns
//! ([`WaitResult::TimedOut`] if no wake came), so it never counts as a deadlock. A
//! spurious return is explored for the first `ENGINE_LOOM_SPURIOUS` (0 if unset)
//! waits of an execution without a deadline.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed as Plain};
use std::time::Instant;

use ::loom::sync::{Arc, Mutex, Notify};
use ::loom::thread::{self, Thread};

use super::WaitResult;
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How a waiter sleeps.
enum Sleep {
    /// Until a wake, or until the others have had a turn: the deadline.
    Timed,
    /// Until a wake, or spuriously: loom explores one early return of a `Notify`.
    MayReturn(Notify),
    /// Until a wake.
    Firm(Thread),
}

struct Waiter {
    key: usize,
    /// Not loom's: it is written and read under the list's lock, or by the
    /// waiter itself after the unpark that follows the write.
    woken: AtomicBool,
    sleep: Sleep,
}

struct List {
    queue: VecDeque<Arc<Waiter>>,
    spurious_left: Cell<u32>,
}

fn spurious_budget() -> u32 {
    std::env::var("ENGINE_LOOM_SPURIOUS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

::loom::lazy_static! {
    static ref LIST: Mutex<List> = Mutex::new(List {
        queue: VecDeque::new(),
        spurious_left: Cell::new(spurious_budget()),
    });
}

/// Whether a sleep has a deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    None,
    Deadline,
}

/// Returns whether a wake ended the sleep; `None` if the word differed.
fn sleep(word: &AtomicU32, expected: u32, limit: Limit) -> Option<bool> {
    let timed = limit == Limit::Deadline;
    let me;
    {
        let mut list = LIST.lock().unwrap();
        if word.load(Relaxed) != expected {
            return None;
        }
        let spurious = !timed && {
            let left = list.spurious_left.get();
            list.spurious_left.set(left.saturating_sub(1));
            left > 0
        };
        me = Arc::new(Waiter {
            key: std::ptr::from_ref(word).addr(),
            woken: AtomicBool::new(false),
            sleep: if timed {
                Sleep::Timed
            } else if spurious {
                Sleep::MayReturn(Notify::new())
            } else {
                Sleep::Firm(thread::current())
            },
        });
        list.queue.push_back(me.clone());
    }
    match &me.sleep {
        Sleep::Timed => {
            thread::yield_now();
            leave(&me);
        }
        Sleep::MayReturn(notify) => {
            notify.wait();
            leave(&me);
        }
        Sleep::Firm(_) => {
            while !me.woken.load(Plain) {
                thread::park();
            }
        }
    }
    Some(me.woken.load(Plain))
}

/// Takes a waiter off the list, if no wake has.
fn leave(me: &Arc<Waiter>) {
    let mut list = LIST.lock().unwrap();
    if let Some(at) = list.queue.iter().position(|w| Arc::ptr_eq(w, me)) {
        list.queue.remove(at);
    }
}

pub(super) fn wait(word: &AtomicU32, expected: u32) {
    sleep(word, expected, Limit::None);
}

pub(super) fn wait_until(word: &AtomicU32, expected: u32, _deadline: Instant) -> WaitResult {
    match sleep(word, expected, Limit::Deadline) {
        Some(false) => WaitResult::TimedOut,
        Some(true) | None => WaitResult::Returned,
    }
}

fn wake(word: *const AtomicU32, limit: usize) {
    let mut woken = Vec::new();
    {
        let mut list = LIST.lock().unwrap();
        while woken.len() < limit {
            let Some(at) = list.queue.iter().position(|w| w.key == word.addr()) else {
                break;
            };
            let waiter = list.queue.remove(at).expect("the position was just found");
            waiter.woken.store(true, Plain);
            woken.push(waiter);
        }
    }
    for waiter in woken {
        match &waiter.sleep {
            Sleep::Timed => {}
            Sleep::MayReturn(notify) => notify.notify(),
            Sleep::Firm(thread) => thread.unpark(),
        }
    }
}

pub(super) fn wake_one(word: *const AtomicU32) {
    wake(word, 1);
}

pub(super) fn wake_all(word: *const AtomicU32) {
    wake(word, usize::MAX);
}
