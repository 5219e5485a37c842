//! The asymmetric pair on this machine, by the strategy that it offers. One test:
//! others beside it would take the processors that it needs.

mod litmus;

use engine_atomic::fence;

#[test]
fn the_pair_on_this_machine() {
    all_threads_agree();
    println!("{:?}", fence::strategy());
    type Side = (&'static str, fn());
    let light: Side = ("light", fence::light);
    let heavy: Side = ("heavy", fence::heavy);
    for (left, right) in [(light, heavy), (heavy, light), (heavy, heavy)] {
        let outcome = litmus::store_buffering(left.1, right.1);
        println!("{}, {}: {outcome:?}", left.0, right.0);
        assert!(outcome.rounds > 0);
        assert_eq!(outcome.both_missed, 0);
    }
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
