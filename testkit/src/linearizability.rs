//! Whether a [`History`] is linearizable: whether each operation can be given a moment
//! between its call and its end, so that, one after the other by their moments, they are
//! what a [`Spec`] allows.
//!
//! # How
//!
//! The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) with
//! two ideas of Lowe's ("Testing for linearizability", 2017). *Just in time*: the
//! calls and ends are gone through in order, and an operation gets its moment when it
//! ends, at the latest; others that are open then may get theirs before it. *Memory*:
//! what is open and has its moment already, with the state, is all that matters to what
//! follows. A place that led nowhere is remembered by these and not entered again.
//!
//! And three that keep it fast, none of which changes the answer:
//!
//! - An operation that only looks gets its moment as soon as one is possible. It can be
//!   in nobody's way.
//! - When nothing is open and the spec says that no other state is possible, what was
//!   before is forgotten: the history is cut in two.
//! - A spec may narrow the windows in which moments are looked for, by what it knows of
//!   the whole history, and say which of two is to be tried first. For a FIFO queue that
//!   leaves next to nothing to search: see [`spec::Fifo`](crate::spec::Fifo).

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Debug};
use std::hash::Hash;

use crate::history::{History, Operation};

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
pub(crate) mod tests;

/// What an object of one thread does: the measure for that of many.
pub trait Spec {
    /// What the object holds.
    type State: Clone + Eq + Hash + Debug;
    /// What can be asked.
    type Op: Debug;
    /// What can be answered.
    type Ret: Debug;
    /// What takes a change back.
    type Undo;

    /// The state before all operations.
    fn initial(&self) -> Self::State;

    /// Whether `op` may be answered by `ret` in this state; if so, makes the change.
    ///
    /// Where the object may choose, each answer is possible for which this says so; but
    /// the state that follows is that of `op` and `ret`.
    fn apply(&self, state: &mut Self::State, op: &Self::Op, ret: &Self::Ret) -> Step<Self::Undo>;

    /// Takes back the last change.
    fn undo(&self, state: &mut Self::State, undo: Self::Undo);

    /// Narrows the windows, one for each operation. Only what holds for every
    /// linearization may be used.
    fn narrow(&self, history: &History<Self::Op, Self::Ret>, windows: &mut [Window]) {
        let _ = (history, windows);
    }

    /// Whether the operations that led to this state lead to no other one, in
    /// whichever order that the history allows.
    fn is_only_state(&self, state: &Self::State) -> bool {
        let _ = state;
        false
    }
}

/// What becomes of an operation and its answer in some state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<U> {
    /// This is not the answer here.
    Impossible,
    /// It is the answer, and leaves the state as it is, here and wherever else it will be
    /// the answer: it only looks. Writing what is there already is no such thing: it
    /// would change what others write first.
    Unchanged,
    /// It is the answer, and sets the state.
    Changed(U),
}

/// Where the moment of an operation is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Not before this.
    pub call: u64,
    /// Not after this.
    pub end: u64,
    /// Of two that could come next, the smaller one is tried first.
    pub rank: (u64, u64),
}

impl Window {
    fn of<O, R>(operation: &Operation<O, R>) -> Self {
        Self {
            call: operation.call,
            end: operation.end,
            rank: (operation.end, 0),
        }
    }

    /// No moment is possible.
    pub fn close(&mut self) {
        (self.call, self.end) = (1, 0);
    }

    /// Whether no moment is possible.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.call > self.end
    }
}

/// Why [`check`] gives no linearization.
#[derive(Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is none. What follows says where the search got no further.
    NotLinearizable(String),
    /// The search was given up after this many steps.
    TooHard(usize),
}

impl Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLinearizable(why) => write!(f, "not linearizable: {why}"),
            Self::TooHard(steps) => write!(f, "undecided after {steps} steps"),
        }
    }
}

/// How many changes of state a search may try.
const MOST_STEPS: usize = 2_000_000;

/// How many states without a way on it may remember.
const MOST_DEAD: usize = 100_000;

/// A linearization of `history`: the indices of its operations, in the order of their
/// moments.
///
/// # Errors
///
/// If there is none, or the search takes too long; see [`Failure`].
///
/// # Panics
///
/// If more than 64 operations are open at once.
pub fn check<S: Spec>(spec: &S, history: &History<S::Op, S::Ret>) -> Result<Vec<usize>, Failure> {
    let mut windows: Vec<_> = history.operations().iter().map(Window::of).collect();
    spec.narrow(history, &mut windows);
    search(spec, history, &windows)
}

/// Checks `history`.
///
/// # Panics
///
/// If it has no linearization, or the search takes too long.
#[track_caller]
pub fn assert_linearizable<S: Spec>(spec: &S, history: &History<S::Op, S::Ret>) {
    if let Err(failure) = check(spec, history) {
        panic!("{failure:?}");
    }
}

/// The wanted linearization, with moments in these windows.
fn search<S: Spec>(
    spec: &S,
    history: &History<S::Op, S::Ret>,
    windows: &[Window],
) -> Result<Vec<usize>, Failure> {
    if let Some(closed) = windows.iter().position(Window::is_closed) {
        let why = format!(
            "no moment is possible for\n  {:?}{}",
            history.operations()[closed],
            around(history, closed, windows)
        );
        return Err(Failure::NotLinearizable(why));
    }
    let timeline = Timeline::new(windows);
    let mut search = Search {
        spec,
        history,
        timeline: &timeline,
        at: At {
            event: 0,
            done: 0,
            placed: 0,
        },
        state: spec.initial(),
        order: Vec::with_capacity(windows.len()),
        choices: Vec::new(),
        dead: HashMap::new(),
        steps: 0,
        left: 0,
        furthest: None,
    };
    search.run()?;
    Ok(search.order)
}

/// One line of a history.
#[derive(Clone, Copy)]
enum Event {
    Call(usize),
    End(usize),
}

/// Calls and ends in order. An end and a call at one time are concurrent, so the calls
/// come first.
struct Timeline {
    events: Vec<Event>,
    /// The bit of each operation in a set of open ones.
    bits: Vec<u64>,
    /// What is open at each event that is an end, by rank; empty for calls.
    open: Vec<Vec<usize>>,
}

impl Timeline {
    fn new(windows: &[Window]) -> Self {
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * windows.len());
        for (n, window) in windows.iter().enumerate() {
            events.push((window.call, false, n));
            events.push((window.end, true, n));
        }
        events.sort_unstable();
        let mut free = u64::MAX;
        let mut bits = vec![0; windows.len()];
        let mut now_open: Vec<usize> = Vec::new();
        let mut open = Vec::with_capacity(events.len());
        let events: Vec<Event> = events
            .into_iter()
            .map(|(_, is_end, n)| {
                if is_end {
                    let mut by_rank = now_open.clone();
                    by_rank.sort_by_key(|&n| windows[n].rank);
                    open.push(by_rank);
                    now_open.retain(|&other| other != n);
                    free |= bits[n];
                    return Event::End(n);
                }
                assert!(free != 0, "more than 64 operations are open at once");
                bits[n] = free & free.wrapping_neg();
                free &= !bits[n];
                now_open.push(n);
                open.push(Vec::new());
                Event::Call(n)
            })
            .collect();
        Self { events, bits, open }
    }
}

/// A place in the search, together with the state.
#[derive(Clone, Copy)]
struct At {
    /// The next event.
    event: usize,
    /// Open operations that have their moment.
    done: u64,
    /// How many operations have their moment in all.
    placed: usize,
}

/// A place where one of several operations had to come next.
struct Choice<U> {
    at: At,
    /// The candidate after the one that was taken.
    next: usize,
    /// Takes back that one.
    undo: Option<U>,
}

struct Search<'a, S: Spec> {
    spec: &'a S,
    history: &'a History<S::Op, S::Ret>,
    timeline: &'a Timeline,
    at: At,
    state: S::State,
    order: Vec<usize>,
    choices: Vec<Choice<S::Undo>>,
    /// States from which nothing leads on, by the event and what is done.
    dead: HashMap<(usize, u64), HashSet<S::State>>,
    steps: usize,
    /// How many of these there were.
    left: usize,
    /// The last event that was not passed, and the first state there.
    furthest: Option<(usize, String)>,
}

impl<S: Spec> Search<'_, S> {
    fn run(&mut self) -> Result<(), Failure> {
        while let Some(&event) = self.timeline.events.get(self.at.event) {
            match event {
                Event::Call(n) => {
                    self.place_if_it_looks(n);
                    self.at.event += 1;
                }
                Event::End(n) if self.at.done & self.timeline.bits[n] != 0 => {
                    self.at.done &= !self.timeline.bits[n];
                    let quiet = self.timeline.open[self.at.event].len() == 1;
                    self.at.event += 1;
                    if quiet && self.spec.is_only_state(&self.state) {
                        self.choices.clear();
                        self.dead.clear();
                    }
                }
                Event::End(_) => {
                    if !self.is_dead() {
                        self.choices.push(Choice {
                            at: self.at,
                            next: 0,
                            undo: None,
                        });
                    }
                    self.go_on()?;
                }
            }
        }
        Ok(())
    }

    /// Takes the next candidate at the last choice that has one.
    fn go_on(&mut self) -> Result<(), Failure> {
        while let Some(mut choice) = self.choices.pop() {
            if let Some(undo) = choice.undo.take() {
                self.spec.undo(&mut self.state, undo);
            }
            self.at = choice.at;
            self.order.truncate(self.at.placed);
            let open = &self.timeline.open[self.at.event];
            while let Some(&n) = open.get(choice.next) {
                choice.next += 1;
                if self.at.done & self.timeline.bits[n] != 0 {
                    continue;
                }
                self.steps += 1;
                if self.steps > MOST_STEPS {
                    return Err(Failure::TooHard(self.steps));
                }
                let Step::Changed(undo) = self.apply(n) else {
                    // What only looks had its moment before.
                    continue;
                };
                self.place(n);
                for &other in open {
                    self.place_if_it_looks(other);
                }
                if self.is_dead() {
                    self.spec.undo(&mut self.state, undo);
                    self.at = choice.at;
                    self.order.truncate(self.at.placed);
                    continue;
                }
                choice.undo = Some(undo);
                self.choices.push(choice);
                return Ok(());
            }
            self.leave();
            if self.left > MOST_DEAD {
                return Err(Failure::TooHard(self.steps));
            }
        }
        Err(Failure::NotLinearizable(self.report()))
    }

    /// Nothing leads on from here.
    fn leave(&mut self) {
        if self
            .furthest
            .as_ref()
            .is_none_or(|(event, _)| *event < self.at.event)
        {
            self.furthest = Some((self.at.event, format!("{:?}", self.state)));
        }
        self.left += 1;
        self.dead
            .entry((self.at.event, self.at.done))
            .or_default()
            .insert(self.state.clone());
    }

    fn is_dead(&self) -> bool {
        let dead = self.dead.get(&(self.at.event, self.at.done));
        dead.is_some_and(|states| states.contains(&self.state))
    }

    fn apply(&mut self, n: usize) -> Step<S::Undo> {
        let Operation { op, ret, .. } = &self.history.operations()[n];
        self.spec.apply(&mut self.state, op, ret)
    }

    fn place(&mut self, n: usize) {
        self.at.done |= self.timeline.bits[n];
        self.at.placed += 1;
        self.order.push(n);
    }

    fn place_if_it_looks(&mut self, n: usize) {
        if self.at.done & self.timeline.bits[n] != 0 {
            return;
        }
        match self.apply(n) {
            Step::Unchanged => self.place(n),
            Step::Changed(undo) => self.spec.undo(&mut self.state, undo),
            Step::Impossible => {}
        }
    }

    fn report(&self) -> String {
        let Some((event, state)) = &self.furthest else {
            unreachable!("a search fails at some choice");
        };
        let (Event::End(n) | Event::Call(n)) = self.timeline.events[*event];
        format!(
            "no moment is left for\n  {:?}\nin the state {state}{}",
            self.history.operations()[n],
            around(self.history, n, &[])
        )
    }
}

/// The operations next to the `n`th, for a report.
fn around<O: Debug, R: Debug>(history: &History<O, R>, n: usize, windows: &[Window]) -> String {
    const BEFORE: usize = 24;
    const AFTER: usize = 8;

    let operations = history.operations();
    let first = n.saturating_sub(BEFORE);
    let mut text = format!(
        "\nof {} operations, from the {first}th on:",
        operations.len()
    );
    for (at, operation) in operations
        .iter()
        .enumerate()
        .skip(first)
        .take(BEFORE + AFTER)
    {
        let mark = if at == n { '>' } else { ' ' };
        text += &format!("\n{mark} {operation:?}");
        if let Some(window) = windows.get(at)
            && (window.call, window.end) != (operation.call, operation.end)
        {
            text += &format!("  (in [{}, {}])", window.call, window.end);
        }
    }
    text
}
