//! The command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};

/// What every benchmark binary takes on its command line.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Rounds; in each, every contestant takes one turn.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Length of a turn in milliseconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub millis: u64,
    /// Only tables whose title contains this; given more than once, any of these.
    #[arg(long)]
    pub only: Vec<String>,
    /// `markdown` for people; `csv` has one line for each turn.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    pub format: Format,
}

impl Options {
    /// The length of a turn.
    pub fn turn(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// Whether the table with this title was asked for.
    pub fn wants(&self, title: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| title.contains(only))
    }
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    Markdown,
    /// One line for each turn: `table,contestant,round,unit,value`.
    Csv,
}
