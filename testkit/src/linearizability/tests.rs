//! The search alone, with a register: no windows are narrowed.

use std::panic;

use proptest::prelude::*;

use super::*;

/// A word that is read and written.
struct Register {
    cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Read,
    Write(u8),
    /// Adds one and gives the sum.
    Add,
}

type Ret = Option<u8>;

impl Spec for Register {
    type State = u8;
    type Op = Op;
    type Ret = Ret;
    type Undo = u8;

    fn initial(&self) -> u8 {
        0
    }

    fn apply(&self, state: &mut u8, op: &Op, ret: &Ret) -> Step<u8> {
        let next = match (*op, *ret) {
            (Op::Read, Some(value)) if value == *state => return Step::Unchanged,
            (Op::Write(value), None) => value,
            (Op::Add, Some(sum)) if sum == state.wrapping_add(1) => sum,
            _ => return Step::Impossible,
        };
        // Also a write of the same value: it is not nothing where it comes second.
        Step::Changed(std::mem::replace(state, next))
    }

    fn undo(&self, state: &mut u8, undo: u8) {
        *state = undo;
    }

    fn is_only_state(&self, _: &u8) -> bool {
        self.cut
    }
}

const REGISTER: Register = Register { cut: false };

fn operation(thread: usize, call: u64, end: u64, op: Op, ret: Ret) -> Operation<Op, Ret> {
    Operation {
        thread,
        op,
        ret,
        call,
        end,
    }
}

fn read(thread: usize, call: u64, end: u64, value: u8) -> Operation<Op, Ret> {
    operation(thread, call, end, Op::Read, Some(value))
}

fn write(thread: usize, call: u64, end: u64, value: u8) -> Operation<Op, Ret> {
    operation(thread, call, end, Op::Write(value), None)
}

fn verdict(operations: &[Operation<Op, Ret>]) -> bool {
    let history = History::of(operations.iter().cloned());
    match check(&REGISTER, &history) {
        Ok(order) => {
            assert_is_linearization(&REGISTER, &history, &order);
            true
        }
        Err(Failure::NotLinearizable(_)) => false,
        Err(failure) => panic!("{failure:?}"),
    }
}

/// Goes by the definition alone.
#[track_caller]
pub(crate) fn assert_is_linearization<S: Spec>(
    spec: &S,
    history: &History<S::Op, S::Ret>,
    order: &[usize],
) {
    let operations = history.operations();
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..operations.len()), "each one once");
    let mut state = spec.initial();
    let mut latest_call = 0;
    for &n in order {
        let operation = &operations[n];
        assert!(operation.end >= latest_call, "against the order of time");
        latest_call = latest_call.max(operation.call);
        let step = spec.apply(&mut state, &operation.op, &operation.ret);
        assert!(!matches!(step, Step::Impossible), "{operation:?}");
    }
}

/// Tries every order, and nothing else.
pub(crate) fn by_hand<S: Spec>(spec: &S, history: &History<S::Op, S::Ret>) -> bool {
    fn go<S: Spec>(spec: &S, left: &[&Operation<S::Op, S::Ret>], state: &S::State) -> bool {
        let first_end = left.iter().map(|operation| operation.end).min();
        let Some(first_end) = first_end else {
            return true;
        };
        left.iter().enumerate().any(|(n, operation)| {
            let mut state = state.clone();
            let possible = operation.call <= first_end
                && !matches!(
                    spec.apply(&mut state, &operation.op, &operation.ret),
                    Step::Impossible
                );
            let mut others = left.to_vec();
            others.remove(n);
            possible && go(spec, &others, &state)
        })
    }
    let all: Vec<_> = history.operations().iter().collect();
    go(spec, &all, &spec.initial())
}

#[test]
fn nothing_is_linearizable() {
    assert!(verdict(&[]));
}

#[test]
fn a_read_during_a_write_sees_either() {
    assert!(verdict(&[write(0, 0, 10, 1), read(1, 2, 3, 0)]));
    assert!(verdict(&[write(0, 0, 10, 1), read(1, 2, 3, 1)]));
    assert!(!verdict(&[write(0, 0, 10, 1), read(1, 2, 3, 2)]));
}

#[test]
fn a_read_after_a_write_sees_it() {
    assert!(verdict(&[write(0, 0, 1, 1), read(1, 2, 3, 1)]));
    assert!(!verdict(&[write(0, 0, 1, 1), read(1, 2, 3, 0)]));
    // The clock did not show the write to the reader.
    assert!(verdict(&[write(0, 0, 1, 1), read(1, 1, 3, 0)]));
}

/// Not just each read alone: the new value, and then the old one again.
#[test]
fn reads_do_not_go_back() {
    let during = |first, second| {
        verdict(&[
            write(0, 0, 20, 1),
            read(1, 2, 3, first),
            read(2, 5, 6, second),
        ])
    };
    assert!(during(0, 1));
    assert!(!during(1, 0));
}

/// A write of what is there anyway may still have to come second.
#[test]
fn a_write_of_the_same_value_is_a_write() {
    assert!(verdict(&[
        write(0, 0, 1, 0),
        write(1, 0, 2, 1),
        read(1, 3, 4, 0)
    ]));
}

/// The first order that is tried is wrong, and that shows much later.
#[test]
fn goes_back_far() {
    let mut operations = vec![write(0, 0, 10, 1), write(1, 0, 11, 2)];
    // Both are over; which one was last shows now.
    operations.push(read(2, 20, 21, 1));
    assert!(verdict(&operations));
    operations.push(read(2, 30, 31, 2));
    assert!(!verdict(&operations));
}

/// A state that is the only one cuts the history, and the verdict stays.
#[test]
fn a_cut_forgets_nothing_that_matters() {
    // One thread: always the only state.
    let operations: Vec<_> = (0..100)
        .map(|n| operation(0, 3 * n, 3 * n + 1, Op::Add, Some(n as u8 + 1)))
        .collect();
    let history = History::of(operations.clone());
    let order = check(&Register { cut: true }, &history).unwrap();
    assert_is_linearization(&REGISTER, &history, &order);
    let mut wrong = operations;
    wrong[60].ret = Some(60);
    let failure = check(&Register { cut: true }, &History::of(wrong)).unwrap_err();
    let text = format!("{failure:?}");
    assert!(
        text.contains("> thread 0 [180, 181] Add -> Some(60)"),
        "{text}"
    );
    assert!(text.contains("in the state 60"), "{text}");
}

/// Eight threads, all at once, and no order will do: 8! of them, but 2^8 places.
#[test]
fn what_led_nowhere_is_not_entered_again() {
    let mut operations: Vec<_> = (0..16)
        .map(|n| operation(n, 0, 100, Op::Add, Some(n as u8 + 1)))
        .collect();
    assert!(verdict(&operations));
    operations.push(write(16, 0, 100, 3));
    operations.push(operation(17, 0, 100, Op::Add, Some(99)));
    assert!(!verdict(&operations));
}

#[test]
fn gives_up_at_some_time() {
    // Sums of 40 subsets, of which none is asked for.
    struct Sum;
    impl Spec for Sum {
        type State = u64;
        type Op = u64;
        type Ret = bool;
        type Undo = u64;
        fn initial(&self) -> u64 {
            0
        }
        fn apply(&self, state: &mut u64, op: &u64, ret: &bool) -> Step<u64> {
            if *ret {
                *state += op;
                return Step::Changed(*op);
            }
            Step::Impossible
        }
        fn undo(&self, state: &mut u64, undo: u64) {
            *state -= undo;
        }
    }
    let history = History::of((0..41).map(|n| Operation {
        thread: n,
        op: 1 << n,
        ret: n != 40,
        call: 0,
        end: 10,
    }));
    assert!(matches!(check(&Sum, &history), Err(Failure::TooHard(_))));
}

#[test]
fn sixty_five_threads_are_too_many() {
    let operations = (0..65).map(|n| read(n, 0, 1, 0));
    let history = History::of(operations);
    let panic = panic::catch_unwind(|| check(&REGISTER, &history)).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert!(text.contains("more than 64"), "{text}");
}

prop_compose! {
    /// Up to eight operations of three threads, with windows and answers at random.
    fn any_history()(
        operations in prop::collection::vec(
            (0..3_usize, 0..4_u64, 1..6_u64, 0..3_u8, 0..3_u8, prop::bool::ANY), 0..8)
    ) -> History<Op, Ret> {
        let mut now = [0; 3];
        History::of(operations.into_iter().map(|(thread, wait, long, kind, value, add)| {
            let call = now[thread] + wait;
            let end = call + long;
            now[thread] = end + 1;
            match kind {
                0 => write(thread, call, end, value),
                1 if add => operation(thread, call, end, Op::Add, Some(value)),
                _ => read(thread, call, end, value),
            }
        }))
    }
}

proptest! {
    /// The search agrees with the definition.
    #[test]
    fn agrees_with_trying_every_order(history in any_history()) {
        match check(&REGISTER, &history) {
            Ok(order) => assert_is_linearization(&REGISTER, &history, &order),
            Err(_) => prop_assert!(!by_hand(&REGISTER, &history)),
        }
    }
}
