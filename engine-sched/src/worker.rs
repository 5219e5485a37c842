//! A worker thread: find a task, poll it, and sleep when there is none.

use std::rc::Rc;

use engine_atomic::Backoff;
use engine_atomic::sync::Arc;
use engine_queue::deque::Steal;
use engine_queue::deque::bounded;

use crate::context::{self, Context, WorkerContext};
use crate::idle::{Searchers, Searching};
use crate::shared::{Home, Shared, cancel};
use crate::task::Runnable;

/// One task in this many comes from the injector first, and events are looked at, so
/// that the outside is served while the workers keep their own queues full.
const OUTSIDE_INTERVAL: u32 = 61;

/// Passes over the other queues before a search gives up: a pass may meet queues
/// where another thief is at work.
const SEARCH_PASSES: usize = engine_atomic::sync::pick(4, 1);

pub(crate) struct Worker {
    context: Rc<WorkerContext>,
    searching: Searching,
    /// Tasks taken, to know when the injector is due.
    tick: u32,
    /// xorshift state, to begin each search at another victim.
    random: u32,
}

/// The body of a worker thread.
pub(crate) fn run(home: Arc<Home>, index: usize, queue: bounded::Worker<Runnable>) {
    let context = Rc::new(WorkerContext { home, index, queue });
    context::set(Some(Context::Worker(context.clone())));
    let shared = &context.home.shared;
    shared.hooks.start(index);
    Worker {
        context: context.clone(),
        searching: Searching::No,
        tick: 0,
        random: 0x9E37_79B9 ^ (index as u32 + 1),
    }
    .work();
    shared.hooks.stop(index);
    // From here on, tasks that are woken by the drops below go to the injector. The thread
    // is the scheduler's to the end: a drop that asks for the shutdown must not wait for it.
    context::set(Some(Context::Ending(context.clone())));
    while let Some(runnable) = context.queue.pop() {
        cancel(runnable);
    }
    shared.worker_ended();
    context::set(None);
}

/// Polls a task once. Panics in the user's future are caught in the task itself;
/// nothing else should panic, and if it does, no worker ends by it.
pub(crate) fn run_caught(runnable: Runnable) {
    context::catch(|| {
        runnable.run();
    });
}

impl Worker {
    fn shared(&self) -> &Arc<Shared> {
        &self.context.home.shared
    }

    fn work(&mut self) {
        while self.shared().phase.is_running() {
            match self.next_task() {
                Some(runnable) => self.poll(runnable),
                None => self.sleep(),
            }
        }
        if self.searching == Searching::Yes {
            // The last one or not: nobody has to look after work at the end.
            let _ = self.shared().idle.end_search();
        }
    }

    fn poll(&mut self, runnable: Runnable) {
        if self.searching == Searching::Yes {
            self.stop_searching();
        }
        // Before the poll: whoever waits for this task sees it counted.
        self.context.stats().polls.add(1);
        run_caught(runnable);
    }

    /// A task has been found: the last searcher passes the search on if there is
    /// more to find.
    fn stop_searching(&mut self) {
        self.searching = Searching::No;
        let shared = self.shared();
        if shared.idle.end_search() == Searchers::None && shared.any_public() {
            shared.idle.wake_one();
        }
    }

    fn next_task(&mut self) -> Option<Runnable> {
        self.tick = self.tick.wrapping_add(1);
        if self.tick.is_multiple_of(OUTSIDE_INTERVAL) {
            self.shared().idle.poll_driver();
            if let Some(runnable) = self.take_injected() {
                return Some(runnable);
            }
        }
        self.context
            .queue
            .pop()
            .or_else(|| self.take_injected())
            .or_else(|| self.search())
    }

    /// Takes a task from the injector, and a batch more into the own queue.
    fn take_injected(&mut self) -> Option<Runnable> {
        let shared = self.shared();
        let backoff = Backoff::new();
        loop {
            match shared.injector.steal_batch_and_pop(&self.context.queue) {
                Steal::Success(runnable) => {
                    self.context.stats().injected.add(1);
                    // A searcher passes the search on as soon as it polls; others
                    // have to say that their queue has filled.
                    if self.searching == Searching::No && !self.context.queue.is_empty() {
                        shared.idle.notify();
                    }
                    return Some(runnable);
                }
                Steal::Empty => return None,
                Steal::Retry => backoff.snooze(),
            }
        }
    }

    /// Looks for a task in the queues of the other workers, and in the injector.
    fn search(&mut self) -> Option<Runnable> {
        if self.searching == Searching::No {
            if !self.shared().idle.try_begin_search() {
                return None;
            }
            self.searching = Searching::Yes;
        }
        let count = self.shared().workers.len();
        for _ in 0..SEARCH_PASSES {
            let first = self.next_random() as usize % count;
            let mut retry = false;
            for offset in 0..count {
                let victim = (first + offset) % count;
                if victim == self.context.index {
                    continue;
                }
                let shared = self.shared();
                let stealer = &shared.workers[victim].stealer;
                match stealer.steal_batch_and_pop(&self.context.queue) {
                    Steal::Success(runnable) => {
                        self.context.stats().steals.add(1);
                        return Some(runnable);
                    }
                    Steal::Empty => {}
                    Steal::Retry => retry = true,
                }
            }
            if let Some(runnable) = self.take_injected() {
                return Some(runnable);
            }
            if !retry {
                break;
            }
            engine_atomic::sync::hint::spin_loop();
        }
        None
    }

    fn sleep(&mut self) {
        let shared = self.shared();
        self.context.stats().sleeps.add(1);
        shared.idle.sleep(self.context.index, self.searching, || {
            shared.any_public() || !shared.phase.is_running()
        });
        self.searching = Searching::Yes;
    }

    fn next_random(&mut self) -> u32 {
        // Marsaglia's xorshift32.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }
}
