//! What a contest found.

use hdrhistogram::Histogram;

use super::turn::merge;
use super::{Turn, Unit};

/// The result of a [`Contest`](super::Contest).
#[derive(Debug)]
pub struct Table {
    /// What was done.
    pub title: String,
    /// What the values are.
    pub unit: Unit,
    /// The row that the ratios refer to.
    pub baseline: usize,
    /// Whether the shares are of interest.
    pub fairness: bool,
    /// What the hardware sets as a limit, one value a round, if that is known.
    pub limits: Vec<f64>,
    /// One row a contestant.
    pub rows: Vec<Row>,
}

impl Table {
    /// Whether any contestant took latencies.
    pub fn has_latencies(&self) -> bool {
        self.rows.iter().any(|row| row.latencies.is_some())
    }

    /// Whether any contestant has another way to be compared with.
    pub fn has_ways(&self) -> bool {
        self.rows.iter().any(|row| !row.of_way.is_empty())
    }

    /// The fastest of the peers: by its median over all rounds.
    pub fn best_peer(&self) -> Option<&Row> {
        let speed =
            |row: &Row| summary(&self.unit.speeds(&row.values, &vec![1.0; row.values.len()])).0;
        (self.rows.iter())
            .filter(|row| row.role == Role::Peer)
            .max_by(|a, b| speed(a).total_cmp(&speed(b)))
    }
}

/// Who a contestant is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Somebody else's.
    Peer,
    /// Something to compare with, which counts as no peer.
    Yardstick,
    /// Ours.
    Own {
        /// How many times as fast as the best peer it is to be.
        target: Option<f64>,
    },
    /// Another way of the contestant in that row, which is compared with it.
    Way {
        /// The row.
        of: usize,
    },
}

/// A contestant's values.
#[derive(Debug)]
pub struct Row {
    /// The contestant.
    pub name: String,
    /// Who that is.
    pub role: Role,
    /// One value a round.
    pub values: Vec<f64>,
    /// How many times as fast as the baseline, round by round.
    pub ratios: Vec<f64>,
    /// How many times as fast as the limit, round by round, if that is known.
    pub of_limit: Vec<f64>,
    /// How many times as fast as its other way, round by round, if it has one.
    pub of_way: Vec<f64>,
    /// The smallest share of a thread over the largest, one a round.
    pub fairness: Vec<f64>,
    /// The latencies of all rounds.
    pub latencies: Option<Histogram<u64>>,
}

impl Row {
    /// A row without turns.
    pub(super) fn new(name: impl Into<String>, role: Role) -> Self {
        Self {
            name: name.into(),
            role,
            values: Vec::new(),
            ratios: Vec::new(),
            of_limit: Vec::new(),
            of_way: Vec::new(),
            fairness: Vec::new(),
            latencies: None,
        }
    }

    /// Adds a turn.
    pub(super) fn record(&mut self, unit: Unit, turn: Turn) {
        assert!(
            turn.operations > 0,
            "{}: a turn was over before anything was done; use a longer one",
            self.name
        );
        self.values.push(unit.of(&turn));
        let least = turn.shares.iter().min().copied().unwrap_or(0);
        let most = turn.shares.iter().max().copied().unwrap_or(0);
        self.fairness.push(least as f64 / most.max(1) as f64);
        if let Some(latencies) = turn.latencies {
            merge(&mut self.latencies, &latencies);
        }
    }
}

/// Median, smallest and largest.
pub fn summary(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    };
    (median, sorted[0], sorted[sorted.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_peer_is_the_one_with_the_best_median() {
        let row = |name: &str, role, values: [f64; 3]| Row {
            values: values.to_vec(),
            ..Row::new(name, role)
        };
        let table = |unit| Table {
            title: String::new(),
            unit,
            baseline: 0,
            fairness: false,
            limits: Vec::new(),
            rows: vec![
                row("more", Role::Peer, [1.0, 3.0, 9.0]),
                row("less", Role::Peer, [2.0, 2.0, 2.0]),
                row("lock", Role::Yardstick, [0.5, 50.0, 50.0]),
                row("ours", Role::Own { target: None }, [1.0, 50.0, 50.0]),
            ],
        };
        let best = |unit| table(unit).best_peer().map(|row| row.name.clone());
        assert_eq!(best(Unit::Mops).as_deref(), Some("more"));
        assert_eq!(best(Unit::Nanoseconds).as_deref(), Some("less"));
    }

    #[test]
    fn summaries() {
        assert_eq!(summary(&[3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(summary(&[4.0, 1.0, 2.0, 3.0]), (2.5, 1.0, 4.0));
        assert_eq!(summary(&[7.0]), (7.0, 7.0, 7.0));
    }
}
