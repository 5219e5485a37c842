//! The futex under shuttle: a wait list, checked and slept on as the kernel
//! does. One wait in ten returns spuriously, and one with a deadline times out after one to
//! four turns of the others; the draws are part of the schedule and replay with it.

use std::collections::VecDeque;
use std::time::Instant;

use ::shuttle::rand::Rng;
use ::shuttle::sync::{Arc, Condvar, Mutex};

use super::WaitResult;
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};

struct Waiter {
    woken: Mutex<bool>,
    changed: Condvar,
}

::shuttle::lazy_static! {
    static ref LIST: Mutex<VecDeque<(usize, Arc<Waiter>)>> = Mutex::new(VecDeque::new());
}

/// Returns whether a wake ended the sleep; `None` if the word differed. Sleeps until
/// a wake, or for so many turns.
fn sleep(word: &AtomicU32, expected: u32, turns: Option<u32>) -> Option<bool> {
    let me = Arc::new(Waiter {
        woken: Mutex::new(false),
        changed: Condvar::new(),
    });
    {
        let mut list = LIST.lock().unwrap();
        if word.load(Relaxed) != expected {
            return None;
        }
        list.push_back((std::ptr::from_ref(word).addr(), me.clone()));
    }
    if let Some(turns) = turns {
        for _ in 0..turns {
            ::shuttle::thread::yield_now();
        }
        // The wake may have come meanwhile; if not, take ourselves off the list.
        let mut list = LIST.lock().unwrap();
        return match list.iter().position(|(_, w)| Arc::ptr_eq(w, &me)) {
            Some(at) => {
                list.remove(at);
                Some(false)
            }
            None => Some(true),
        };
    }
    let mut woken = me.woken.lock().unwrap();
    while !*woken {
        woken = me.changed.wait(woken).unwrap();
    }
    Some(true)
}

pub(super) fn wait(word: &AtomicU32, expected: u32) {
    let spurious = ::shuttle::rand::thread_rng().gen_bool(0.1);
    sleep(word, expected, spurious.then_some(1));
}

pub(super) fn wait_until(word: &AtomicU32, expected: u32, _deadline: Instant) -> WaitResult {
    let turns = ::shuttle::rand::thread_rng().gen_range(1..=4);
    match sleep(word, expected, Some(turns)) {
        Some(false) => WaitResult::TimedOut,
        Some(true) | None => WaitResult::Returned,
    }
}

fn wake(word: *const AtomicU32, limit: usize) {
    let mut woken = Vec::new();
    {
        let mut list = LIST.lock().unwrap();
        while woken.len() < limit {
            let Some(at) = list.iter().position(|(key, _)| *key == word.addr()) else {
                break;
            };
            let (_, waiter) = list.remove(at).expect("the position was just found");
            woken.push(waiter);
        }
    }
    for waiter in woken {
        *waiter.woken.lock().unwrap() = true;
        waiter.changed.notify_one();
    }
}

pub(super) fn wake_one(word: *const AtomicU32) {
    wake(word, 1);
}

pub(super) fn wake_all(word: *const AtomicU32) {
    wake(word, usize::MAX);
}
