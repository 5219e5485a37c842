//! What a driver may rely on, and what the scheduler survives.

use std::sync::{Arc, Condvar, Mutex};
use std::task::Waker;

use engine_sched::{Driver, Scheduler};

/// A driver whose events are wakers that are to be woken.
#[derive(Clone, Default)]
struct Events {
    inner: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    unparked: bool,
    due: Vec<Waker>,
    /// Calls of `park` and `poll` that are still to panic.
    panics: usize,
    panicked: usize,
}

impl Events {
    fn raise(&self, waker: Waker) {
        self.inner.0.lock().unwrap().due.push(waker);
        self.inner.1.notify_all();
    }

    fn handle(&self, wait: bool) {
        let (state, changed) = &*self.inner;
        let mut state = state.lock().unwrap();
        while wait && !state.unparked && state.due.is_empty() && state.panics == 0 {
            state = changed.wait(state).unwrap();
        }
        state.unparked &= !wait;
        let due = std::mem::take(&mut state.due);
        let panics = state.panics > 0;
        if panics {
            state.panics -= 1;
            state.panicked += 1;
        }
        drop(state);
        due.into_iter().for_each(Waker::wake);
        assert!(!panics, "a driver that panics");
    }
}

impl Driver for Events {
    fn park(&self) {
        self.handle(true);
    }

    fn unpark(&self) {
        self.inner.0.lock().unwrap().unparked = true;
        self.inner.1.notify_all();
    }

    fn poll(&self) {
        self.handle(false);
    }
}

fn start(workers: usize) -> (Scheduler, Events) {
    let events = Events::default();
    let builder = Scheduler::builder().workers(workers).driver(events.clone());
    (builder.build().unwrap(), events)
}

/// Ready once its waker has been through the driver.
async fn event(events: Events) {
    let mut raised = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut raised, true) {
            return std::task::Poll::Ready(());
        }
        events.raise(cx.waker().clone());
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn events_and_spawns_get_through() {
    for workers in [1, 3] {
        let (scheduler, events) = start(workers);
        for n in 0..500 {
            let events = events.clone();
            let handle = scheduler.spawn(async move {
                event(events).await;
                n
            });
            assert_eq!(scheduler.block_on(handle).unwrap(), n);
        }
        scheduler.shutdown();
    }
}

/// A waker that `park` calls may be anybody's, and panic.
#[test]
fn a_driver_that_panics_is_called_again() {
    for workers in [1, 3] {
        let (scheduler, events) = start(workers);
        for _ in 0..20 {
            events.inner.0.lock().unwrap().panics = 1;
            let handle = scheduler.spawn(event(events.clone()));
            scheduler.block_on(handle).unwrap();
        }
        scheduler.shutdown();
        let counted: u64 = scheduler.snapshot().workers.iter().map(|w| w.panics).sum();
        let panicked = events.inner.0.lock().unwrap().panicked;
        assert!(panicked > 0);
        assert_eq!(counted, panicked as u64);
    }
}
