//! `cargo xtask VERB`: one verb for each check of this repository.
//!
//! A verb prints each command before it runs it, how long it took, and a summary.
//! It goes on after a failed step, so that one run shows all that is wrong, and
//! exits with 1 if any step failed. A tool that is missing (nightly, cargo-fuzz,
//! cargo-deny) is one line that says how to get it, and an error only in `ci`.

mod ci;
mod cmd;
mod env;
mod fuzz;
mod lint;
mod model;
mod mutate;
mod package;
mod readme;
mod report;
mod rules;
mod source;
mod test;
mod tsan;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use report::Report;

#[derive(Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    about = "One verb for each check"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// All tests: plain, doc, features, loom, shuttle, the downstream crate
    Test,
    /// rustfmt, clippy and docs without warnings, the source rules, cargo-deny
    Lint,
    /// The loom models of the five crates and of the web server
    Loom(model::Options),
    /// The shuttle models of the five crates and of the web server
    Shuttle(model::Options),
    /// The `tsan_*` examples under ThreadSanitizer (nightly)
    Tsan,
    /// Each fuzz target for a bounded number of runs (nightly, cargo-fuzz)
    FuzzSmoke(fuzz::Options),
    /// Packs the five crates as they would be published, and looks inside
    Package,
    /// Weakens one memory ordering at a time and expects a loom model to fail
    Mutate(mutate::Options),
    /// Every check but `mutate`; a missing tool is an error
    Ci,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut report = match cli.verb {
        Verb::Ci => Report::strict("ci"),
        Verb::Test => Report::new("test"),
        Verb::Lint => Report::new("lint"),
        Verb::Loom(_) => Report::new("loom"),
        Verb::Shuttle(_) => Report::new("shuttle"),
        Verb::Tsan => Report::new("tsan"),
        Verb::FuzzSmoke(_) => Report::new("fuzz-smoke"),
        Verb::Package => Report::new("package"),
        Verb::Mutate(_) => Report::new("mutate"),
    };
    match cli.verb {
        Verb::Test => test::run(&mut report),
        Verb::Lint => lint::run(&mut report),
        Verb::Loom(options) => model::run(&mut report, model::Checker::Loom, &options),
        Verb::Shuttle(options) => model::run(&mut report, model::Checker::Shuttle, &options),
        Verb::Tsan => tsan::run(&mut report),
        Verb::FuzzSmoke(options) => fuzz::run(&mut report, &options),
        Verb::Package => package::run(&mut report),
        Verb::Mutate(options) => mutate::run(&mut report, &options),
        Verb::Ci => ci::run(&mut report),
    }
    report.finish()
}
