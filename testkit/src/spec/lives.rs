//! When items were inside a queue: what can be said without a search.

use std::collections::HashMap;

use super::{History, Item, Op, Ret};
use crate::linearizability::Window;

/// The operations that brought an item in and took it out.
#[derive(Clone, Copy, Debug)]
struct Life {
    item: Item,
    push: usize,
    pop: Option<usize>,
}

/// The lives of all items, in the order of the history's pushes.
pub(super) struct Lives {
    lives: Vec<Life>,
    /// Pairs of items that one operation pushed, one right after the other.
    together_in: Vec<(usize, usize)>,
    /// The same for one that popped them.
    together_out: Vec<(usize, usize)>,
}

/// The window of something that never happens.
const NEVER: Window = Window {
    call: u64::MAX,
    end: u64::MAX,
    rank: (u64::MAX, 0),
};

fn pushed<'a>(op: &'a Op, ret: &Ret) -> &'a [Item] {
    match (op, ret) {
        (Op::Push(item), Ret::Done) | (Op::ForcePush(item), Ret::Done | Ret::Item(_)) => {
            std::slice::from_ref(item)
        }
        (Op::PushBatch(items), Ret::Count(count)) => &items[..*count],
        _ => &[],
    }
}

fn popped(ret: &Ret) -> &[Item] {
    match ret {
        Ret::Item(item) => std::slice::from_ref(item),
        Ret::Items(items) => items,
        _ => &[],
    }
}

impl Lives {
    /// `None` if an item is pushed twice: then nothing is known about which is which.
    ///
    /// Closes the windows of pops of what is never pushed, or was popped already.
    pub(super) fn of(history: &History, windows: &mut [Window]) -> Option<Self> {
        let mut lives = Vec::new();
        let mut together_in = Vec::new();
        let mut by_item: HashMap<Item, usize> = HashMap::new();
        for (n, operation) in history.operations().iter().enumerate() {
            for (at, item) in pushed(&operation.op, &operation.ret).iter().enumerate() {
                if by_item.insert(*item, lives.len()).is_some() {
                    return None;
                }
                if at > 0 {
                    together_in.push((lives.len() - 1, lives.len()));
                }
                lives.push(Life {
                    item: *item,
                    push: n,
                    pop: None,
                });
            }
        }
        let mut together_out = Vec::new();
        for (n, operation) in history.operations().iter().enumerate() {
            let mut last = None;
            for item in popped(&operation.ret) {
                match by_item.get(item) {
                    Some(&life) if lives[life].pop.is_none() => {
                        lives[life].pop = Some(n);
                        together_out.extend(last.map(|last| (last, life)));
                        last = Some(life);
                    }
                    _ => windows[n].close(),
                }
            }
        }
        Some(Self {
            lives,
            together_in,
            together_out,
        })
    }

    fn pop_window(&self, life: Life, windows: &[Window]) -> Window {
        life.pop.map_or(NEVER, |pop| windows[pop])
    }

    /// An item is pushed, then popped.
    pub(super) fn pushed_before_popped(&self, windows: &mut [Window]) {
        for life in &self.lives {
            if let Some(pop) = life.pop {
                order(windows, life.push, pop);
            }
        }
    }

    /// Pops are in the order of the pushes, and pushes in that of the pops.
    pub(super) fn first_in_first_out(&self, windows: &mut [Window]) {
        for &(first, second) in &self.together_in {
            self.order_pops(windows, first, second);
        }
        for &(first, second) in &self.together_out {
            self.order_pushes(windows, first, second);
        }
        let pushes: Vec<_> = self.lives.iter().map(|life| windows[life.push]).collect();
        let pops: Vec<_> = self
            .lives
            .iter()
            .map(|&life| self.pop_window(life, windows))
            .collect();
        let (calls, ends) = bounds(&pushes, &pops);
        for (n, life) in self.lives.iter().enumerate() {
            if let Some(pop) = life.pop {
                narrow(&mut windows[pop], calls[n], ends[n]);
            }
        }
        let (calls, ends) = bounds(&pops, &pushes);
        for (n, life) in self.lives.iter().enumerate() {
            narrow(&mut windows[life.push], calls[n], ends[n]);
        }
    }

    fn order_pops(&self, windows: &mut [Window], first: usize, second: usize) {
        match (self.lives[first].pop, self.lives[second].pop) {
            (Some(first), Some(second)) => order(windows, first, second),
            // The second is out and the first is not.
            (None, Some(second)) => windows[second].close(),
            (_, None) => {}
        }
    }

    fn order_pushes(&self, windows: &mut [Window], first: usize, second: usize) {
        order(windows, self.lives[first].push, self.lives[second].push);
    }

    /// "Empty" is said when no item is certainly inside.
    pub(super) fn emptiness(&self, history: &History, windows: &mut [Window]) {
        // After the push has ended and before the pop is called it is inside.
        let mut inside: Vec<(u64, u64)> = self
            .lives
            .iter()
            .map(|&life| (windows[life.push].end, self.pop_window(life, windows).call))
            .filter(|(from, to)| from < to)
            .collect();
        inside.sort_unstable();
        // The bounds are not part of it: there, both may have had their moment.
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, to) in inside {
            match merged.last_mut() {
                Some(last) if from < last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        // The one that time is within.
        let around = |time: u64| {
            let after = merged.partition_point(|&(from, _)| from < time);
            let last = after.checked_sub(1).map(|before| merged[before]);
            last.filter(|&(_, to)| time < to)
        };
        for (n, operation) in history.operations().iter().enumerate() {
            let empty = match (&operation.op, &operation.ret) {
                (_, Ret::Empty) | (Op::Len, Ret::Count(0)) => true,
                (Op::PopBatch(most), Ret::Items(items)) => items.is_empty() && *most > 0,
                _ => false,
            };
            if empty {
                if let Some((_, to)) = around(windows[n].call) {
                    windows[n].call = to;
                }
                if let Some((from, _)) = around(windows[n].end) {
                    windows[n].end = from;
                }
            }
        }
    }

    /// "Full" is said when so many items may be inside.
    pub(super) fn fullness(&self, history: &History, windows: &mut [Window], capacity: usize) {
        // From the call of the push to the end of the pop it may be inside, bounds included.
        let mut changes: Vec<(u64, isize)> = Vec::new();
        for &life in &self.lives {
            changes.push((windows[life.push].call, 1));
            let end = self.pop_window(life, windows).end;
            changes.push((end.saturating_add(1), -1));
        }
        changes.sort_unstable();
        let mut count = 0;
        let counts: Vec<(u64, isize)> = changes
            .into_iter()
            .map(|(time, change)| {
                count += change;
                (time, count)
            })
            .collect();
        for (n, operation) in history.operations().iter().enumerate() {
            let full = matches!(
                (&operation.op, &operation.ret),
                (Op::Push(_), Ret::Full) | (Op::ForcePush(_), Ret::Item(_))
            );
            if !full {
                continue;
            }
            // What held when the window begins, and each change within.
            let (call, end) = (windows[n].call, windows[n].end);
            let first = counts.partition_point(|&(time, _)| time <= call);
            let most = counts[first.saturating_sub(1)..]
                .iter()
                .take_while(|&&(time, _)| time <= end)
                .map(|&(_, count)| count)
                .max();
            if most.is_none_or(|most| most < capacity.cast_signed()) {
                windows[n].close();
            }
        }
    }

    /// A push's turn is that of its item's pop.
    pub(super) fn rank(&self, windows: &mut [Window]) {
        for (n, window) in windows.iter_mut().enumerate() {
            window.rank = (window.end, n as u64);
        }
        // From the last to the first, so that of a batch the first item decides.
        for &life in self.lives.iter().rev() {
            let pop = self.pop_window(life, windows).end;
            windows[life.push].rank = (pop, windows[life.push].end);
        }
    }

    /// Items of one producer are popped in the order in which they are pushed.
    pub(super) fn in_order_of_producer(
        &self,
        history: &History,
        producer: fn(Item) -> u64,
        windows: &mut [Window],
    ) {
        let operations = history.operations();
        let mut last_of: HashMap<u64, usize> = HashMap::new();
        for (n, life) in self.lives.iter().enumerate() {
            let Some(last) = last_of.insert(producer(life.item), n) else {
                continue;
            };
            if operations[self.lives[last].push].end < operations[life.push].call {
                self.order_pops(windows, last, n);
            }
        }
    }

    /// Closes the window of a pop that certainly passes over more than `k` items.
    pub(super) fn passes_at_most(&self, windows: &mut [Window], k: usize) {
        let all: Vec<(Window, Window)> = self
            .lives
            .iter()
            .map(|&life| (windows[life.push], self.pop_window(life, windows)))
            .collect();
        for (&life, &(push, pop)) in self.lives.iter().zip(&all) {
            let Some(n) = life.pop else { continue };
            let passed = all
                .iter()
                .filter(|(other_push, other_pop)| {
                    other_push.end < push.call && other_pop.call > pop.end
                })
                .count();
            if passed > k {
                windows[n].close();
            }
        }
    }
}

fn narrow(window: &mut Window, call: u64, end: u64) {
    window.call = window.call.max(call);
    window.end = window.end.min(end);
}

/// The moment of `first` is before that of `second`.
fn order(windows: &mut [Window], first: usize, second: usize) {
    if first != second {
        let (call, end) = (windows[first].call, windows[second].end);
        narrow(&mut windows[second], call, u64::MAX);
        narrow(&mut windows[first], 0, end);
    }
}

/// With `then[a]` before `then[b]` wherever `first[a]` is certainly before `first[b]`:
/// what bounds each `then`, from below and from above.
fn bounds(first: &[Window], then: &[Window]) -> (Vec<u64>, Vec<u64>) {
    let count = first.len();
    let mut by_end: Vec<usize> = (0..count).collect();
    by_end.sort_unstable_by_key(|&n| first[n].end);
    let mut by_call: Vec<usize> = (0..count).collect();
    by_call.sort_unstable_by_key(|&n| first[n].call);

    // Upwards: the latest call among those that ended before.
    let mut calls = vec![0; count];
    let mut ended = by_end.iter().peekable();
    let mut latest = 0;
    for &n in &by_call {
        while let Some(&&before) = ended.peek()
            && first[before].end < first[n].call
        {
            latest = latest.max(then[before].call);
            ended.next();
        }
        calls[n] = latest;
    }
    // Downwards: the earliest end among those that are called after.
    let mut ends = vec![u64::MAX; count];
    let mut called = by_call.iter().rev().peekable();
    let mut earliest = u64::MAX;
    for &n in by_end.iter().rev() {
        while let Some(&&after) = called.peek()
            && first[after].call > first[n].end
        {
            earliest = earliest.min(then[after].end);
            called.next();
        }
        ends[n] = earliest;
    }
    (calls, ends)
}
