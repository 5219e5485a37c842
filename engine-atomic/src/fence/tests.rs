//! What needs this process's own state, or a process of its own.

use super::*;

#[test]
fn the_strategy_stays() {
    let first = strategy();
    light();
    heavy();
    assert_eq!(strategy(), first);
    // Too late: the decision stands.
    assert_eq!(prefer_seq_cst(), first);
    assert_eq!(strategy(), first);
}

#[cfg(all(target_os = "linux", not(any(engine_tsan, miri))))]
mod fresh_process {
    use rustix::io::Errno;
    use rustix::thread::{MembarrierCommand, membarrier};

    use super::super::membarrier::Linux;
    use super::super::pair::System;

    /// Runs one of the ignored tests below in a process of its own.
    fn alone(test: &str) {
        let me = std::env::current_exe().unwrap();
        let output = std::process::Command::new(me)
            .args(["--exact", test, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn heavy_in_a_process_that_is_not_registered() {
        alone("fence::tests::fresh_process::unregistered");
    }

    /// As after a checkpoint: the decision is there, the registration not.
    #[test]
    #[ignore = "needs a process of its own: run by heavy_in_a_process_that_is_not_registered"]
    fn unregistered() {
        match membarrier(MembarrierCommand::PrivateExpedited) {
            Err(Errno::PERM) => {}
            Err(why) => return println!("skipped: this kernel has no membarrier: {why}"),
            Ok(()) => panic!("registered already"),
        }
        Linux.interrupt();
        assert_eq!(membarrier(MembarrierCommand::PrivateExpedited), Ok(()));
    }

    /// A child made by fork(2) goes on with the decision of its parent.
    #[test]
    fn the_pair_after_a_fork() {
        let strategy = super::strategy();
        super::heavy();
        // SAFETY: the child takes no lock and allocates nothing before it exits.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let goes_on = std::panic::catch_unwind(|| {
                super::heavy();
                super::light();
                super::strategy() == strategy
            });
            // SAFETY: ends this process, which is the child.
            unsafe { libc::_exit(i32::from(!goes_on.unwrap_or(false))) };
        }
        assert!(child > 0, "{}", std::io::Error::last_os_error());
        let mut status = -1;
        // SAFETY: our own child, and a place for its status.
        let waited = unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!((waited, status), (child, 0));
    }
}
