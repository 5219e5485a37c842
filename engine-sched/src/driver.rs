//! Events that an idle worker waits for.

/// A source of wake-ups that an idle worker serves instead of sleeping: the reactor
/// that watches sockets, for example.
///
/// A scheduler without a driver sleeps on futexes, and a reactor on a thread of its
/// own wakes it for each event: one switch of threads more for each. With a driver,
/// given to [`Builder::driver`](crate::Builder::driver), at most one worker at a time
/// is in [`park`](Self::park) or [`poll`](Self::poll); the tasks that it wakes there
/// go into its own queue, and it runs them next.
///
/// # Contract
///
/// - `park` returns after it has handled some events, or soon after an `unpark`. It may
///   return for no reason.
/// - An `unpark` that no `park` has returned for makes the next one return at once; a `poll`
///   in between does not use it up.
/// - What the caller of an `unpark` did before happens before the return of that `park`.
/// - `unpark` does not panic. A panic in `park` or `poll`, for example of a waker that it
///   calls, ends that call, and is counted.
///
/// # When events are looked at
///
/// When a worker has found nothing to do, and otherwise once in 61 tasks of a worker.
/// While one worker has left `park` to run a task and the others sleep, nobody looks
/// until that task's poll has ended: a task that computes for long holds up events then,
/// as it does on tokio.
pub trait Driver: Send + Sync + 'static {
    /// Waits for events and wakes the tasks that wait for them.
    fn park(&self);

    /// Ends the current `park`, or else the next one. Called from any thread, also from
    /// wakers that `park` or `poll` call.
    fn unpark(&self);

    /// Handles the events that are there, without waiting.
    fn poll(&self);
}
