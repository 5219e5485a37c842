//! The futex under shuttle: a wait list, checked and slept on as the kernel
//! does. One wait in ten returns spuriously, and three in ten with a deadline
//! time out; the draws are part of the schedule and replay with it.

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

/// Returns whether a wake ended the sleep; `None` if the word differed.
fn sleep(word: &AtomicU32, expected: u32, early: f64) -> Option<bool> {
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
    if ::shuttle::rand::thread_rng().gen_bool(early) {
        // The wake may come while we decide, so take ourselves off the list.
        ::shuttle::thread::yield_now();
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
    sleep(word, expected, 0.1);
}

pub(super) fn wait_until(word: &AtomicU32, expected: u32, _deadline: Instant) -> WaitResult {
    match sleep(word, expected, 0.3) {
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
