//! Where events come from.

use std::io;
use std::time::Duration;

use polling::{Events, Poller};

/// An event of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Of the source.
    pub key: usize,
    /// Who waits to read should try again.
    pub read: bool,
    /// Who waits to write should try again.
    pub write: bool,
}

/// What the reactor asks of a poller. The system's is the one in production; models
/// and tests have others, which fail when they are told to.
pub trait Poll: Send + Sync + 'static {
    /// What a wait needs besides.
    type Buffer: Send;

    /// A buffer for the only one that waits.
    fn buffer(&self) -> Self::Buffer;

    /// Waits for events, at most for `timeout`, or until a [`notify`](Self::notify) that no
    /// wait has returned for, and appends the events to `ready`.
    ///
    /// # Errors
    ///
    /// When the system cannot wait. Being interrupted is no error.
    fn wait(
        &self,
        buffer: &mut Self::Buffer,
        timeout: Option<Duration>,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()>;

    /// Ends the current or the next wait.
    fn notify(&self);
}

impl Poll for Poller {
    type Buffer = Events;

    fn buffer(&self) -> Events {
        Events::new()
    }

    fn wait(
        &self,
        events: &mut Events,
        timeout: Option<Duration>,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()> {
        events.clear();
        // It waits on when it is interrupted.
        Poller::wait(self, events, timeout)?;
        ready.extend(events.iter().map(|event| {
            // Errors and hang-ups count as both, so that whoever waits finds out.
            let both = event.is_interrupt() || event.is_err() == Some(true);
            Ready {
                key: event.key,
                read: event.readable || both,
                write: event.writable || both,
            }
        }));
        Ok(())
    }

    fn notify(&self) {
        // It fails for a bad descriptor only, and then waiting does as well.
        let _ = Poller::notify(self);
    }
}
