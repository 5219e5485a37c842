//! The binary as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The server.
pub const BINARY: &str = env!("CARGO_BIN_EXE_engine-web");

/// A running server; killed when dropped.
pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
    /// What it has said at its start.
    pub line: String,
}

impl Process {
    /// Serves `directory` on a free port.
    pub fn start(directory: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command
            .arg(directory)
            .args(["--listen", "127.0.0.1:0"])
            .args(more);
        Self::spawn(command)
    }

    /// Waits for the start line and takes the address from it.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .unwrap_or_else(|| panic!("{line:?}"));
        let address = address.split('/').next().unwrap().parse().unwrap();
        Self {
            child,
            address,
            line,
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "it does not exit"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the listening socket is closed.
    pub fn wait_for_drain(&self) {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_ok() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "it still accepts"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
