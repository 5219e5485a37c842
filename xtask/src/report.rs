//! Steps, their times and the summary.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::cmd::Cmd;

/// How a step ended.
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
    note: String,
}

/// What a verb has done so far.
pub struct Report {
    verb: &'static str,
    strict: bool,
    start: Instant,
    steps: Vec<Step>,
    tables: Vec<(String, Vec<String>)>,
}

impl Report {
    /// A report in which a missing tool skips its steps.
    pub fn new(verb: &'static str) -> Self {
        Self {
            verb,
            strict: false,
            start: Instant::now(),
            steps: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// A report in which a missing tool is an error.
    pub fn strict(verb: &'static str) -> Self {
        Self {
            strict: true,
            ..Self::new(verb)
        }
    }

    /// Runs `body`: `Ok` holds a note for the summary, `Err` what went wrong.
    /// Returns whether it passed.
    pub fn step(&mut self, name: &str, body: impl FnOnce() -> Result<String, String>) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let result = body();
        let took = start.elapsed();
        let passed = result.is_ok();
        let (outcome, note) = match result {
            Ok(note) => (Outcome::Passed, note),
            Err(error) => (Outcome::Failed, error),
        };
        let word = if passed { "passed" } else { "FAILED" };
        println!("== {name}: {word} in {:.1} s {note}", took.as_secs_f64());
        self.steps.push(Step {
            name: name.to_owned(),
            took,
            outcome,
            // A long error has been shown in full.
            note: note.lines().next().unwrap_or_default().to_owned(),
        });
        passed
    }

    /// Runs a command as one step.
    pub fn command(&mut self, name: &str, cmd: &Cmd) -> bool {
        self.step(name, || {
            println!("$ {cmd}");
            cmd.run().map(|()| String::new())
        })
    }

    /// Notes that `name` cannot run here, and how to make it run.
    pub fn missing(&mut self, name: &str, how: &str) {
        println!("\n== {name}: not run: {how}");
        self.steps.push(Step {
            name: name.to_owned(),
            took: Duration::ZERO,
            outcome: if self.strict {
                Outcome::Failed
            } else {
                Outcome::Skipped
            },
            note: how.to_owned(),
        });
    }

    /// Adds rows that the summary shows under `title`.
    pub fn table(&mut self, title: &str, rows: Vec<String>) {
        if !rows.is_empty() {
            self.tables.push((title.to_owned(), rows));
        }
    }

    /// Prints the summary; the exit status says whether all went well.
    pub fn finish(self) -> ExitCode {
        for (title, rows) in &self.tables {
            println!("\n{title}");
            for row in rows {
                println!("  {row}");
            }
        }
        println!("\nsummary of `cargo xtask {}`", self.verb);
        let width = self.steps.iter().map(|step| step.name.len()).max();
        let mut counts = [0; 3];
        for step in &self.steps {
            let (slot, word) = match step.outcome {
                Outcome::Passed => (0, "passed"),
                Outcome::Skipped => (1, "skipped"),
                Outcome::Failed => (2, "FAILED"),
            };
            counts[slot] += 1;
            let line = format!(
                "  {word:8} {:7.1} s  {:width$}  {}",
                step.took.as_secs_f64(),
                step.name,
                step.note,
                width = width.unwrap_or(0)
            );
            println!("{}", line.trim_end());
        }
        let [passed, skipped, failed] = counts;
        println!(
            "{passed} passed, {skipped} skipped, {failed} failed in {:.1} s",
            self.start.elapsed().as_secs_f64()
        );
        // A verb without a single step has checked nothing.
        if failed > 0 || self.steps.is_empty() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}
