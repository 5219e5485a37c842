//! The asymmetric pair on this machine, by the strategy that it offers. One test:
//! others beside it would take the processors that it needs.

mod litmus;

use engine_atomic::fence::{self, Strategy};
use litmus::Case;

#[test]
fn the_pair_on_this_machine() {
    all_threads_agree();
    let strategy = fence::strategy();
    #[cfg(all(target_os = "linux", not(any(engine_tsan, miri))))]
    assert_eq!(strategy, the_kernels_offer());
    let nothing = || ();
    let mut cases = vec![
        Case::whole("light, heavy", 10, fence::light, fence::heavy),
        Case::whole("heavy, heavy", 1, fence::heavy, fence::heavy),
        Case::one_sided("light, nothing", fence::light, nothing),
    ];
    if strategy == Strategy::Membarrier {
        // What `heavy` is without the system call.
        cases.push(Case::one_sided(
            "light, full fence",
            fence::light,
            fence::seq_cst,
        ));
        // `light` is no instruction: the kernel's fence stands for it.
        cases.push(Case::same_instructions(
            "nothing, heavy",
            nothing,
            fence::heavy,
        ));
    } else {
        cases.push(Case::one_sided("nothing, heavy", nothing, fence::heavy));
    }
    litmus::store_buffering(&format!("{strategy:?}"), cases);
}

/// Many threads make the first call together; whatever is decided, all see the same.
fn all_threads_agree() {
    let strategies: Vec<_> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                s.spawn(move || {
                    if n % 2 == 0 {
                        fence::light();
                    } else {
                        fence::heavy();
                    }
                    fence::strategy()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(strategies.iter().all(|s| *s == strategies[0]));
    assert_eq!(fence::prefer_seq_cst(), strategies[0]);
}

/// The kernel asked directly: what it offers is taken.
#[cfg(all(target_os = "linux", not(any(engine_tsan, miri))))]
fn the_kernels_offer() -> Strategy {
    use rustix::thread::{MembarrierCommand::*, membarrier};

    let answers = [RegisterPrivateExpedited, PrivateExpedited].map(membarrier);
    if answers.iter().all(Result::is_ok) {
        Strategy::Membarrier
    } else {
        Strategy::SeqCst
    }
}
