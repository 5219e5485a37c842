//! Contestants that take turns.

use super::{Row, Table, Turn, Unit};

/// A contestant's turns.
type Turns<'a> = Box<dyn FnMut() -> Turn + 'a>;

/// Contestants that do the same work, one of them the baseline.
pub struct Contest<'a> {
    title: String,
    unit: Unit,
    contestants: Vec<(String, Turns<'a>)>,
    baseline: usize,
    fairness: bool,
}

impl<'a> Contest<'a> {
    /// A contest without contestants; the first one added is the baseline.
    pub fn new(title: impl Into<String>, unit: Unit) -> Self {
        Self {
            title: title.into(),
            unit,
            contestants: Vec::new(),
            baseline: 0,
            fairness: false,
        }
    }

    /// Adds a contestant; `turn` does the work once, for about the length of a
    /// turn.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, turn: impl FnMut() -> Turn + 'a) -> Self {
        self.contestants.push((name.into(), Box::new(turn)));
        self
    }

    /// Makes the contestant added last the baseline.
    #[must_use]
    pub fn baseline(mut self) -> Self {
        self.baseline = self
            .contestants
            .len()
            .checked_sub(1)
            .expect("add the baseline first");
        self
    }

    /// Reports the smallest share of a thread over the largest, too.
    #[must_use]
    pub fn fairness(mut self) -> Self {
        self.fairness = true;
        self
    }

    /// The title of the table.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Lets every contestant take one turn that does not count, and then one in
    /// each of `rounds` rounds: A B C, A B C, ...
    pub fn run(mut self, rounds: u32) -> Table {
        for (_, turn) in &mut self.contestants {
            turn();
        }
        let mut rows: Vec<Row> = self
            .contestants
            .iter()
            .map(|(name, _)| Row::new(name))
            .collect();
        for _ in 0..rounds {
            for ((_, turn), row) in self.contestants.iter_mut().zip(&mut rows) {
                row.record(self.unit, turn());
            }
        }
        let baseline = rows[self.baseline].values.clone();
        for row in &mut rows {
            row.compare(self.unit, &baseline);
        }
        Table {
            title: self.title,
            unit: self.unit,
            baseline: rows[self.baseline].name.clone(),
            fairness: self.fairness,
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::*;

    fn turn(operations: u64, micros: u64) -> Turn {
        Turn {
            operations,
            elapsed: Duration::from_micros(micros),
            latencies: None,
            shares: vec![operations],
        }
    }

    #[test]
    fn contestants_take_turns() {
        let order = RefCell::new(String::new());
        let table = Contest::new("order", Unit::Mops)
            .add("A", || {
                order.borrow_mut().push('A');
                turn(10, 10)
            })
            .add("B", || {
                order.borrow_mut().push('B');
                turn(20, 10)
            })
            .run(3);
        // The first of each is the warm-up.
        assert_eq!(order.into_inner(), "ABABABAB");
        assert_eq!(table.baseline, "A");
        let near = |values: &[f64], expected: f64| {
            values.len() == 3 && values.iter().all(|value| (value - expected).abs() < 1e-9)
        };
        assert!(near(&table.rows[1].values, 2.0));
        assert!(near(&table.rows[1].ratios, 2.0));
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        // Everything is ten times as slow in the second round, alike.
        let drift = [1, 1, 10];
        let contest = |factor: u64| {
            let mut round = 0;
            move || {
                let micros = drift[round] * factor;
                round += 1;
                turn(100, micros)
            }
        };
        let table = Contest::new("drift", Unit::Nanoseconds)
            .add("slow", contest(30))
            .add("fast", contest(10))
            .baseline()
            .run(2);
        assert_eq!(table.baseline, "fast");
        let values: Vec<_> = table.rows[0].values.iter().map(|v| v.round()).collect();
        assert_eq!(values, [300.0, 3_000.0]);
        for ratio in &table.rows[0].ratios {
            assert!((ratio - 1.0 / 3.0).abs() < 1e-9);
        }
    }
}
