//! The asymmetric pair without membarrier(2): because the program asks for that, and
//! because the kernel refuses it, by a seccomp filter. Each case in a process of its
//! own, since the strategy is decided once; one after the other, since each needs the
//! processors.

mod litmus;
#[cfg(target_os = "linux")]
mod seccomp;

use engine_atomic::fence::{self, Strategy};
use litmus::Case;

#[test]
fn both_sides_fall_back_together() {
    alone("asked_for");
    #[cfg(target_os = "linux")]
    for test in [
        "refused::everything_with_eperm",
        "refused::everything_with_enosys",
        "refused::the_registration",
        "refused::the_command",
        "refused::to_one_thread",
        "refused::too_late",
    ] {
        alone(test);
    }
}

/// Runs one of the ignored tests below in a process of its own, and passes on what it
/// has to say for itself.
fn alone(test: &str) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    print!("{test}:\n{text}{said}");
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test}: see above"
    );
    for line in said.lines().filter(|line| line.contains("NOT ")) {
        litmus::say(line);
    }
}

/// Both sides are full fences, and stay that.
fn try_the_fallback(title: &str) {
    assert_eq!(fence::strategy(), Strategy::SeqCst);
    let nothing = || ();
    litmus::store_buffering(
        title,
        vec![
            Case::whole("light, heavy", 10, fence::light, fence::heavy),
            Case::whole("heavy, heavy", 1, fence::heavy, fence::heavy),
            Case::one_sided("light, nothing", fence::light, nothing),
            Case::one_sided("nothing, heavy", nothing, fence::heavy),
        ],
    );
    // Using them has not changed it.
    assert_eq!(fence::strategy(), Strategy::SeqCst);
}

#[test]
#[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
fn asked_for() {
    assert_eq!(fence::prefer_seq_cst(), Strategy::SeqCst);
    try_the_fallback("asked for SeqCst");
}

#[cfg(target_os = "linux")]
mod refused {
    use engine_atomic::fence;
    use rustix::io::Errno;
    use rustix::thread::{MembarrierCommand::*, membarrier};

    use super::litmus::say;
    use super::seccomp::{PRIVATE_EXPEDITED, REGISTER_PRIVATE_EXPEDITED, Refuse, refuse};
    use super::{Strategy, try_the_fallback};

    /// Whether the kernel refuses from now on; some sandboxes take no filters.
    fn filtered(what: Refuse, with: Errno) -> bool {
        match refuse(what, with) {
            Ok(()) => true,
            Err(why) => {
                say(&format!(
                    "NOT TRIED: {what:?} refused: this system takes no filter: {why}"
                ));
                false
            }
        }
    }

    fn try_with(what: Refuse, with: Errno) {
        if !filtered(what, with) {
            return;
        }
        let answers = [RegisterPrivateExpedited, PrivateExpedited].map(membarrier);
        assert!(answers.contains(&Err(with)), "{answers:?}");
        try_the_fallback(&format!("{what:?} refused: {with}"));
    }

    #[test]
    #[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
    fn everything_with_eperm() {
        try_with(Refuse::All, Errno::PERM);
    }

    #[test]
    #[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
    fn everything_with_enosys() {
        try_with(Refuse::All, Errno::NOSYS);
    }

    #[test]
    #[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
    fn the_registration() {
        try_with(Refuse::Command(REGISTER_PRIVATE_EXPEDITED), Errno::INVAL);
    }

    /// The registration passes, so a decision by that alone would be wrong.
    #[test]
    #[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
    fn the_command() {
        try_with(Refuse::Command(PRIVATE_EXPEDITED), Errno::PERM);
    }

    /// Filters are a thread's own: the thread that decides is refused, the others are not.
    #[test]
    #[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
    fn to_one_thread() {
        let decided = std::thread::spawn(|| {
            filtered(Refuse::All, Errno::PERM).then(|| {
                fence::light();
                fence::strategy()
            })
        });
        if let Some(strategy) = decided.join().unwrap() {
            assert_eq!(strategy, Strategy::SeqCst);
            try_the_fallback("refused to the thread that decided");
        }
    }

    /// Agreed first and refused afterwards: `heavy` panics, and says why. It neither
    /// returns as if it had worked nor tries for ever.
    #[test]
    #[ignore = "needs a process of its own: run by both_sides_fall_back_together"]
    fn too_late() {
        if fence::strategy() != Strategy::Membarrier {
            return say("NOT TRIED: a refusal that comes too late: refused from the start");
        }
        for (what, with) in [
            (Refuse::All, Errno::PERM),
            (Refuse::All, Errno::NOSYS),
            (Refuse::Command(PRIVATE_EXPEDITED), Errno::PERM),
        ] {
            let thread = std::thread::spawn(move || {
                if filtered(what, with) {
                    // `light` needs no system call.
                    fence::light();
                    fence::heavy();
                    panic!("the kernel did not refuse");
                }
            });
            if let Err(panic) = thread.join() {
                let text = panic.downcast_ref::<String>().expect("a formatted text");
                assert!(
                    text.contains("now refuses it"),
                    "{what:?}, {with:?}: {text}"
                );
            }
        }
        // This thread has no filter.
        fence::heavy();
        assert_eq!(fence::strategy(), Strategy::Membarrier);
    }
}
