//! What the numbers of a table are.

use super::Turn;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Million operations a second; more is better.
    Mops,
    /// Nanoseconds an operation; less is better.
    Nanoseconds,
}

impl Unit {
    /// What the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mops => "Mops/s",
            Self::Nanoseconds => "ns",
        }
    }

    /// The value of `turn`.
    pub(super) fn of(self, turn: &Turn) -> f64 {
        let operations = turn.operations as f64;
        match self {
            Self::Mops => operations / turn.elapsed.as_secs_f64() / 1e6,
            Self::Nanoseconds => turn.elapsed.as_secs_f64() * 1e9 / operations,
        }
    }

    /// How many times as fast `values` are as those of `others`: round by round, because the
    /// machine drifts between rounds.
    pub fn speeds(self, values: &[f64], others: &[f64]) -> Vec<f64> {
        (values.iter().zip(others))
            .map(|(&value, &other)| self.speed(value, other))
            .collect()
    }

    /// How many times as fast `value` is as `baseline`.
    fn speed(self, value: f64, baseline: f64) -> f64 {
        match self {
            Self::Mops => value / baseline,
            Self::Nanoseconds => baseline / value,
        }
    }
}
