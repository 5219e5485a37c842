//! `mutate`: is each memory ordering needed, and does a model notice?
//!
//! One ordering of one file at a time is weakened, or one fence removed, in a
//! copy of the repository, and the models of the crate run under loom until one
//! fails. An ordering that survives is stronger than needed, or the models are
//! too small for it: either way there is something to write down.

mod orderings;
mod trial;

use std::{collections::BTreeSet, fs, path::Path, path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    env::{self, MODELLED, folder, root, target},
    report::Report,
    rules::tracked,
};
use orderings::Mutation;
use trial::{Trial, Verdict};

/// What to weaken, and who should notice.
#[derive(Args)]
pub struct Options {
    /// A source file, from the root: `engine-atomic/src/futex/bucket.rs`
    file: String,
    /// Only models whose path contains this
    filter: Option<String>,
    /// The crate whose models should notice; by default the one of the file
    #[arg(short, long, value_name = "CRATE")]
    package: Option<String>,
    /// Only the orderings in this line
    #[arg(long)]
    line: Option<usize>,
    /// Seconds after which the models of one mutation are given up
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// Print the mutations and stop
    #[arg(long)]
    list: bool,
}

/// Weakens and runs.
pub fn run(report: &mut Report, options: &Options) {
    let mut found = Vec::new();
    let mut source = String::new();
    report.step(&options.file, || {
        source = fs::read_to_string(root().join(&options.file)).map_err(|e| e.to_string())?;
        found = orderings::mutations(&source);
        if let Some(line) = options.line {
            found.retain(|mutation| mutation.line == line);
        }
        for mutation in &found {
            println!("{mutation}");
        }
        match found.len() {
            0 => Err("no ordering to weaken".to_owned()),
            n => Ok(format!("{n} mutations")),
        }
    });
    if options.list || found.is_empty() {
        return;
    }

    let mut trial = None;
    let ready = report.step("unchanged", || {
        let tree = copy()?;
        let ready = Trial {
            krate: krate(options)?,
            file: tree.join(&options.file),
            tree,
            filter: options.filter.clone().unwrap_or_else(|| "model".to_owned()),
            timeout: Duration::from_secs(options.timeout),
        };
        match ready.run(&source)? {
            Verdict::Survived(tests) => {
                trial = Some(ready);
                Ok(format!("{tests} models"))
            }
            other => Err(format!("the models do not pass: {other}")),
        }
    });
    if let (true, Some(trial)) = (ready, trial) {
        for mutation in &found {
            weaken(report, &trial, &source, mutation);
        }
        // The next run starts from the file as it is.
        let _ = fs::write(&trial.file, &source);
    }
}

fn weaken(report: &mut Report, trial: &Trial, source: &str, mutation: &Mutation) {
    report.step(&mutation.to_string(), || {
        match trial.run(&mutation.apply(source))? {
            Verdict::Killed(by) => Ok(format!("killed by {by}")),
            // Not a mutation then: no test is needed to see it.
            Verdict::NotBuilt => Ok("does not build".to_owned()),
            other => Err(other.to_string()),
        }
    });
}

fn krate(options: &Options) -> Result<String, String> {
    let wanted = |krate: &&str| match &options.package {
        Some(name) => *krate == name || krate.strip_prefix("engine-") == Some(name),
        None => Path::new(&options.file).starts_with(folder(krate)),
    };
    let name = options.package.as_ref().unwrap_or(&options.file);
    MODELLED
        .into_iter()
        .find(wanted)
        .map(str::to_owned)
        .ok_or_else(|| format!("`{name}` is in none of the crates with models"))
}

/// A copy of the repository's files; one that has not changed keeps its time, so
/// that cargo does not build it again.
fn copy() -> Result<PathBuf, String> {
    let tree = target("mutate").join("tree");
    let files: BTreeSet<String> = tracked()?.into_iter().collect();
    for name in &files {
        copy_file(&root().join(name), &tree.join(name)).map_err(|e| format!("{name}: {e}"))?;
    }
    // What has gone from the repository goes from the copy.
    for file in env::files(&tree, "").map_err(|error| error.to_string())? {
        let name = file.strip_prefix(&tree).unwrap_or(&file);
        if !files.contains(&name.to_string_lossy().replace('\\', "/")) {
            fs::remove_file(&file).map_err(|error| error.to_string())?;
        }
    }
    Ok(tree)
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let Ok(new) = fs::read(from) else {
        // Deleted, and not yet committed.
        return Ok(());
    };
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(to, new)
}
