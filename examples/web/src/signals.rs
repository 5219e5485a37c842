//! Ctrl-C and SIGTERM: the first asks for a drain, the second exits at once.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool; // facade: the type that signal-hook asks for

use async_io::Async;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

/// Resolves at the first signal.
pub struct Stop {
    /// The handler writes a byte for each signal.
    signalled: Async<UnixStream>,
}

/// Installs the handlers.
///
/// # Errors
///
/// When the system refuses a socket pair or a handler.
pub fn watch() -> io::Result<Stop> {
    let seen = Arc::new(AtomicBool::new(false));
    let (receiver, sender) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM] {
        // Handlers run in this order: the first signal finds the flag down and
        // raises it; the second exits inside the handler, whatever the threads
        // are doing, with the status a shell reports for the signal.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&seen))?;
        flag::register(signal, Arc::clone(&seen))?;
        pipe::register(signal, sender.try_clone()?)?;
    }
    Ok(Stop {
        signalled: Async::new(receiver)?,
    })
}

impl Stop {
    /// Waits for a signal.
    pub async fn requested(&self) {
        let mut byte = [0];
        // An error would mean that no signal can reach us any more; stopping is
        // then better than running on without a way to stop.
        let _ = self
            .signalled
            .read_with(|mut socket| socket.read(&mut byte))
            .await;
    }
}
