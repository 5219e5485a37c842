//! Placeholder.
use crate::report::Report;
#[derive(clap::Args)]
pub struct Options {}
pub fn run(_: &mut Report, _: &Options) {}
