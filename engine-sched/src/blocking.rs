//! Threads for closures that block.
//!
//! A plain pool behind a lock: what it runs takes far longer than a lock. Threads
//! are started when all others are busy, up to a limit, and end after a while
//! without work.

use std::collections::VecDeque;
use std::time::Duration;

use engine_atomic::sync::{Arc, thread};
use engine_lock::{Condvar, Mutex};

use crate::context::{self, Context};
use crate::shared::{Home, Shared, cancel};
use crate::task::Runnable;
use crate::worker::run_caught;

pub(crate) struct BlockingPool {
    state: Mutex<State>,
    /// Work has come, or the end.
    changed: Condvar,
    /// The last thread has ended.
    ended: Condvar,
    limit: usize,
    keep_alive: Duration,
}

struct State {
    queue: VecDeque<Runnable>,
    threads: usize,
    /// Threads that wait on `changed`.
    idle: usize,
    stopped: bool,
}

impl BlockingPool {
    pub(crate) fn new(limit: usize, keep_alive: Duration) -> Self {
        Self {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                threads: 0,
                idle: 0,
                stopped: false,
            }),
            changed: Condvar::new(),
            ended: Condvar::new(),
            limit,
            keep_alive,
        }
    }

    /// Queues `runnable`. Without a thread to have, because the limit is 0 or the
    /// system refuses even the first one, the task goes to the workers instead: it
    /// runs, at the price of a worker.
    pub(crate) fn push(&self, runnable: Runnable, shared: &Arc<Shared>) {
        if self.limit == 0 {
            shared.inject(runnable);
            return;
        }
        let mut state = self.state.lock();
        if state.stopped {
            // The last worker cancels it. Not this thread: the drop of what the closure
            // holds may ask for the shutdown, and would wait here for itself.
            drop(state);
            shared.inject(runnable);
            return;
        }
        state.queue.push_back(runnable);
        if state.queue.len() <= state.idle {
            drop(state);
            self.changed.notify_one();
            return;
        }
        if state.threads == self.limit {
            // Some thread takes it when it is done with what it has.
            return;
        }
        state.threads += 1;
        drop(state);
        if self.start_thread(shared).is_err() {
            self.thread_refused(shared);
        }
    }

    fn start_thread(&self, shared: &Arc<Shared>) -> std::io::Result<()> {
        let home = Arc::new(Home::foreign(shared));
        let builder = thread::Builder::new().name("engine-blocking".to_owned());
        builder.spawn(move || {
            context::set(Some(Context::Blocking(home.clone())));
            home.shared.blocking.work();
            context::set(None);
        })?;
        Ok(())
    }

    #[cold]
    fn thread_refused(&self, shared: &Shared) {
        let mut state = self.state.lock();
        state.threads -= 1;
        if state.threads > 0 {
            return;
        }
        // Nobody would ever take what is queued.
        let stranded = std::mem::take(&mut state.queue);
        self.ended.notify_all();
        drop(state);
        for runnable in stranded {
            shared.inject(runnable);
        }
    }

    /// The loop of a thread.
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(runnable) = state.queue.pop_front() {
                drop(state);
                run_caught(runnable);
                state = self.state.lock();
                continue;
            }
            if state.stopped {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_for(&mut state, self.keep_alive);
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        // Under the same lock as the decision to end: a push either finds this
        // thread counted and awake, or not at all.
        state.threads -= 1;
        if state.threads == 0 {
            self.ended.notify_all();
        }
    }

    /// Cancels what is queued, and tells the threads to end after what they run.
    pub(crate) fn begin_stop(&self) {
        let mut state = self.state.lock();
        state.stopped = true;
        let queued = std::mem::take(&mut state.queue);
        drop(state);
        self.changed.notify_all();
        queued.into_iter().for_each(cancel);
    }

    /// Waits until the threads have ended, or for `timeout`.
    pub(crate) fn wait_ended(&self, timeout: Duration) {
        let mut state = self.state.lock();
        if state.threads > 0 {
            // The caller looks again either way.
            let _ = self.ended.wait_for(&mut state, timeout);
        }
    }

    /// Threads, and tasks that wait for one.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.threads, state.queue.len())
    }
}
