//! `loom` and `shuttle`: the model bodies of the crates that have some.
//!
//! A model is a unit test in a module named `model`. The verb lists the tests of
//! each crate before it runs them and compares the list with the files: a model
//! file that is no longer compiled must not look like one that passes.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;

use crate::{
    cmd::Cmd,
    env::{self, MODELLED, folder, relative, root, rustflags, target},
    report::Report,
};

/// Which checker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Checker {
    /// Every ordering, on tiny bodies.
    Loom,
    /// Many schedules, on big ones.
    Shuttle,
}

impl Checker {
    /// The name of the feature and of the target folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loom => "loom",
            Self::Shuttle => "shuttle",
        }
    }

    /// Arguments to rustc.
    pub fn cfg(self) -> &'static str {
        match self {
            Self::Loom => "--cfg engine_loom",
            Self::Shuttle => "--cfg engine_shuttle",
        }
    }

    /// `cmd` in this checker's environment, with its target folder.
    pub fn set(self, cmd: Cmd, folder: &Path) -> Cmd {
        let (name, flags) = rustflags(&[self.cfg()]);
        let cmd = cmd.var(name, flags).path_var("CARGO_TARGET_DIR", folder);
        match self {
            Self::Loom => cmd,
            // It would say for each run that it treats every ordering as SeqCst.
            Self::Shuttle => cmd.var("SHUTTLE_SILENCE_WARNINGS", "1"),
        }
    }
}

/// Which models.
#[derive(Args, Default)]
pub struct Options {
    /// Only models whose path contains this
    filter: Option<String>,
    /// Only this crate; `engine-` may be left out
    #[arg(short, long, value_name = "CRATE")]
    package: Option<String>,
}

impl Options {
    fn wants(&self, krate: &str) -> bool {
        match &self.package {
            Some(name) => krate == name || krate.strip_prefix("engine-") == Some(name),
            None => true,
        }
    }
}

/// Runs the models of each crate.
pub fn run(report: &mut Report, checker: Checker, options: &Options) {
    let mut rows = Vec::new();
    let mut matched = 0;
    let crates: Vec<_> = MODELLED
        .into_iter()
        .filter(|krate| options.wants(krate))
        .collect();
    if crates.is_empty() {
        report.step("package", || Err("no crate of this name".to_owned()));
    }
    for krate in crates {
        let name = format!("{}: {krate}", checker.name());
        report.step(&name, || {
            let listed = list(checker, krate)?;
            missing(krate, &listed)?;
            let chosen = match &options.filter {
                Some(filter) => listed.into_iter().filter(|n| n.contains(filter)).collect(),
                None => listed,
            };
            matched += chosen.len();
            if chosen.is_empty() {
                return Ok("no model".to_owned());
            }
            let which = match options.filter {
                Some(_) => Chosen::These(&chosen),
                None => Chosen::All,
            };
            let lines = explore(checker, krate, which)?;
            let explored = lines.iter().filter(|line| !line.ends_with("not for loom"));
            let note = format!("{} models", explored.count());
            rows.extend(lines.iter().map(|line| format!("{krate:14} {line}")));
            Ok(note)
        });
    }
    if let Some(filter) = &options.filter
        && matched == 0
    {
        report.step("filter", || Err(format!("no model matches `{filter}`")));
    }
    report.table(&format!("models under {}", checker.name()), rows);
}

fn test(checker: Checker, krate: &str) -> Cmd {
    let cmd = Cmd::cargo("test --profile model --lib -p")
        .arg(krate)
        .words("--features")
        .arg(checker.name());
    checker.set(cmd, &target(checker.name()))
}

/// The paths of the crate's model tests.
fn list(checker: Checker, krate: &str) -> Result<Vec<String>, String> {
    let cmd = test(checker, krate).words("model -- --list --format terse");
    println!("$ {cmd}");
    let mut names = Vec::new();
    cmd.run_lines(|line| {
        if let Some(name) = line.strip_suffix(": test") {
            names.push(name.to_owned());
        }
    })?;
    Ok(names)
}

/// Fails when a model file of the crate has no test in the list.
fn missing(krate: &str, listed: &[String]) -> Result<(), String> {
    let source = root().join(folder(krate)).join("src");
    let files = env::files(&source, ".rs").map_err(|error| error.to_string())?;
    let lost: Vec<String> = files
        .iter()
        .filter_map(|file| Some((file, module(file.strip_prefix(&source).ok()?)?)))
        .filter(|(_, module)| !listed.iter().any(|name| name.starts_with(module)))
        .map(|(file, _)| relative(file))
        .collect();
    if lost.is_empty() {
        Ok(())
    } else {
        Err(format!("no test of {} was built", lost.join(", ")))
    }
}

/// The path of a model file's tests, as `futex::model::`; `None` for other files.
fn module(file: &Path) -> Option<String> {
    let mut parts: Vec<_> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|part| part == "mod") {
        parts.pop();
    }
    // A folder `model/` may hold helpers without tests; one test in it is enough.
    let at = parts.iter().position(|part| part == "model")?;
    parts.truncate(at + 1);
    Some(parts.join("::") + "::")
}

/// Which of a crate's models are to run.
#[derive(Clone, Copy)]
enum Chosen<'a> {
    All,
    These(&'a [String]),
}

/// Runs the models and returns what the runner says about each.
fn explore(checker: Checker, krate: &str, chosen: Chosen<'_>) -> Result<Vec<String>, String> {
    // With one test thread, libtest would put its own words before our lines.
    let cmd = match chosen {
        Chosen::All => test(checker, krate).words("model -- --nocapture --test-threads=2"),
        // Two filters of libtest are an `or`, so the choice is ours.
        Chosen::These(names) => test(checker, krate)
            .words("-- --nocapture --test-threads=2 --exact")
            .args(names),
    };
    println!("$ {cmd}");
    let mut lines = BTreeSet::new();
    cmd.run_lines(|line| lines.extend(model_line(line)))?;
    if lines.is_empty() {
        return Err("tests ran, but no model".to_owned());
    }
    Ok(lines.into_iter().collect())
}

/// `NAME: CHECKER, what was explored`, out of a line of the test's output.
fn model_line(line: &str) -> Option<String> {
    // The other test thread may have left `test a::b ... ok` before it.
    let (_, line) = line.split_once("model ")?;
    let (name, what) = line.split_once(": ")?;
    let known = ["loom, ", "shuttle, ", "not for "];
    let ours = !name.contains(' ') && known.iter().any(|word| what.starts_with(word));
    ours.then(|| format!("{name}: {what}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{model_line, module};

    #[test]
    fn finds_the_line_behind_the_harness() {
        let line = "model a_b: loom, 12 executions, no bound in 0.1 s";
        let found = Some("a_b: loom, 12 executions, no bound in 0.1 s");
        assert_eq!(model_line(line).as_deref(), found);
        let mixed = format!("test x::model::y ... ok{line}");
        assert_eq!(model_line(&mixed).as_deref(), found);
        assert_eq!(model_line("test x::model::y ... ok"), None);
        assert_eq!(model_line("the model says so: loom, well"), None);
    }

    #[test]
    fn names_the_module_of_a_model_file() {
        let module = |file: &str| module(Path::new(file));
        assert_eq!(module("futex/model.rs").as_deref(), Some("futex::model::"));
        assert_eq!(module("model/mod.rs").as_deref(), Some("model::"));
        assert_eq!(module("a/model/pi.rs").as_deref(), Some("a::model::"));
        assert_eq!(module("futex/mod.rs"), None);
        assert_eq!(module("modelled.rs"), None);
    }
}
