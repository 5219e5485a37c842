//! `ci`: every check but the mutations, which take hours.

use crate::{fuzz, lint, package, report::Report, test, tsan};

/// Runs them, cheap ones first.
pub fn run(report: &mut Report) {
    lint::run(report);
    package::run(report);
    test::run(report);
    tsan::run(report);
    fuzz::run(report, &fuzz::Options::default());
}
