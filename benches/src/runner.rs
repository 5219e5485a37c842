//! The interleaving runner: contestants take turns in one process.
//!
//! A [`Contest`] lets each contestant take a [`Turn`], round after round, and makes a
//! [`Table`] of it. What a turn does is the contestant's affair; [`for_duration`],
//! [`to_the_end`] and [`alone`] are the usual ways.

mod contest;
mod group;
mod options;
mod pin;
mod table;
mod turn;
mod unit;

pub use contest::Contest;
pub use group::{Done, Part, Signal, alone, for_duration, to_the_end};
pub use options::{Format, Options};
pub use pin::{can_pin, on_one_processor};
pub use table::{Role, Row, Table, summary};
pub use turn::{Turn, nanoseconds};
pub use unit::Unit;
