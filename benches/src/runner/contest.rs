//! Contestants that take turns.

use super::{Role, Row, Table, Turn, Unit};

/// A contestant's turns.
type Turns<'a> = Box<dyn FnMut() -> Turn + 'a>;

/// Contestants that do the same work, one of them the baseline.
pub struct Contest<'a> {
    title: String,
    unit: Unit,
    contestants: Vec<(Row, Turns<'a>)>,
    baseline: usize,
    fairness: bool,
    limit: Option<Box<dyn FnMut() -> f64 + 'a>>,
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
            limit: None,
        }
    }

    /// Adds a contestant; `turn` does the work once, for about the length of a
    /// turn.
    #[must_use]
    pub fn add(self, name: impl Into<String>, turn: impl FnMut() -> Turn + 'a) -> Self {
        self.enter(Row::new(name, Role::Peer), turn)
    }

    /// Adds a contestant that is only there to be compared with, and is nobody's to beat.
    #[must_use]
    pub fn add_yardstick(self, name: impl Into<String>, turn: impl FnMut() -> Turn + 'a) -> Self {
        self.enter(Row::new(name, Role::Yardstick), turn)
    }

    /// Adds a contestant of ours, and how many times as fast as the best peer it is to be.
    #[must_use]
    pub fn add_own(
        self,
        name: impl Into<String>,
        target: Option<f64>,
        turn: impl FnMut() -> Turn + 'a,
    ) -> Self {
        self.enter(Row::new(name, Role::Own { target }), turn)
    }

    /// Adds the contestant added last once more, in another way of its own that it is
    /// compared with: the table says how many times as fast as that way it was.
    #[must_use]
    pub fn beside(self, way: &str, turn: impl FnMut() -> Turn + 'a) -> Self {
        let of = self.last();
        let name = format!("{}, {way}", self.contestants[of].0.name);
        self.enter(Row::new(name, Role::Way { of }), turn)
    }

    fn enter(mut self, row: Row, turn: impl FnMut() -> Turn + 'a) -> Self {
        self.contestants.push((row, Box::new(turn)));
        self
    }

    fn last(&self) -> usize {
        (self.contestants.len().checked_sub(1)).expect("add a contestant first")
    }

    /// Makes the contestant added last the baseline.
    #[must_use]
    pub fn baseline(mut self) -> Self {
        self.baseline = self.last();
        self
    }

    /// Reports the smallest share of a thread over the largest, too.
    #[must_use]
    pub fn fairness(mut self) -> Self {
        self.fairness = true;
        self
    }

    /// Reports how near each contestant came to this value, in the unit of the table, which
    /// is measured anew in each round.
    #[must_use]
    pub fn limit(mut self, limit: impl FnMut() -> f64 + 'a) -> Self {
        self.limit = Some(Box::new(limit));
        self
    }

    /// The title of the table.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Lets every contestant take one turn that does not count, and then one in
    /// each of `rounds` rounds: A B C, C A B, ... The order is another one in each round,
    /// so that nobody always comes after the same other.
    pub fn run(self, rounds: u32) -> Table {
        let (mut rows, mut turns): (Vec<Row>, Vec<Turns<'_>>) =
            self.contestants.into_iter().unzip();
        for turn in &mut turns {
            turn();
        }
        let mut limit = self.limit;
        let mut limits = Vec::new();
        let mut order: Vec<_> = (0..rows.len()).collect();
        let mut dice = Dice(0);
        for _ in 0..rounds {
            if let Some(limit) = &mut limit {
                limits.push(limit());
            }
            dice.shuffle(&mut order);
            for &place in &order {
                rows[place].record(self.unit, turns[place]());
            }
        }
        let baseline = rows[self.baseline].values.clone();
        let ways: Vec<_> = (rows.iter())
            .filter_map(|row| match row.role {
                Role::Way { of } => Some((of, row.values.clone())),
                _ => None,
            })
            .collect();
        for row in &mut rows {
            row.ratios = self.unit.speeds(&row.values, &baseline);
            row.of_limit = self.unit.speeds(&row.values, &limits);
        }
        for (of, values) in ways {
            rows[of].of_way = self.unit.speeds(&rows[of].values, &values);
        }
        Table {
            title: self.title,
            unit: self.unit,
            baseline: self.baseline,
            fairness: self.fairness,
            limits,
            rows,
        }
    }
}

/// The same throws in each run: a run is not better than the next for its order.
struct Dice(u64);

impl Dice {
    /// Not uniform to the last bit, which nothing here needs.
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// Fisher and Yates.
    fn shuffle(&mut self, order: &mut [usize]) {
        for end in (1..order.len()).rev() {
            order.swap(end, self.below(end + 1));
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
            .run(20);
        let order = order.into_inner();
        // The first of each is the warm-up.
        assert_eq!((order.len(), &order[..2]), (42, "AB"));
        let rounds: Vec<_> = (2..42).step_by(2).map(|at| &order[at..at + 2]).collect();
        assert!(rounds.iter().all(|&round| round == "AB" || round == "BA"));
        assert!(rounds.contains(&"AB") && rounds.contains(&"BA"));
        assert_eq!(table.baseline, 0);
        let near = |values: &[f64], expected: f64| {
            values.len() == 20 && values.iter().all(|value| (value - expected).abs() < 1e-9)
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
        assert_eq!(table.baseline, 1);
        let values: Vec<_> = table.rows[0].values.iter().map(|v| v.round()).collect();
        assert_eq!(values, [300.0, 3_000.0]);
        for ratio in &table.rows[0].ratios {
            assert!((ratio - 1.0 / 3.0).abs() < 1e-9);
        }
    }

    #[test]
    fn limits_and_other_ways_of_a_contestant() {
        let table = Contest::new("limits", Unit::Mops)
            .add("A", || turn(20, 10))
            .beside("slowly", || turn(10, 10))
            .add_own("B", Some(1.5), || turn(40, 10))
            .limit(|| 8.0)
            .run(2);
        let [a, slowly, b] = &table.rows[..] else {
            panic!("three rows");
        };
        assert_eq!(slowly.name, "A, slowly");
        assert_eq!((a.role, slowly.role), (Role::Peer, Role::Way { of: 0 }));
        assert_eq!(b.role, Role::Own { target: Some(1.5) });
        let near = |values: &[f64], expected: f64| {
            values.len() == 2 && values.iter().all(|value| (value - expected).abs() < 1e-9)
        };
        assert!(near(&a.of_limit, 0.25) && near(&b.of_limit, 0.5));
        assert!(near(&a.of_way, 2.0));
        assert!(slowly.of_way.is_empty() && b.of_way.is_empty());
    }
}
