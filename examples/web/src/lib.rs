//! A static web server over HTTP/1.1: hyper on engine-sched, whose idle
//! workers watch the sockets.
//!
//! The library is what the binary `engine-web` runs. It is generic over
//! [`runtime::Runtime`], so that a bench can put the same handler on another
//! executor:
//!
//! - [`site::Site::handle`] answers one request; it needs no socket.
//! - [`server::Server::run`] accepts connections and serves a site on them.
//! - [`engine::Engine`] is the runtime of the binary.

#[cfg(not(unix))]
compile_error!("engine-web opens files relative to a directory handle, which needs a Unix");

mod activity;
mod connection;
pub mod engine;
mod hub;
mod io;
pub mod reactor;
pub mod runtime;
pub mod server;
pub mod site;
pub mod stats;
mod status;
mod sync;
#[cfg(test)]
mod testing;

/// One line on standard error. A closed one is no reason to stop serving, so not
/// `eprintln`, which panics.
pub fn say(what: std::fmt::Arguments<'_>) {
    use std::io::Write as _;
    let line = format!("engine-web: {what}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
