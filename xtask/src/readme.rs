//! Keeps `README.md` true: its figures and its code.

use std::{collections::BTreeSet, fs};

use crate::{
    cmd::Cmd,
    env::{CRATES, root},
};

/// Where the README's example is compiled.
pub const EXAMPLE: &str = "engine-sched/examples/readme.rs";

/// The target whose packages are counted: they differ between systems.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Compares the "pulls in" column with cargo's answer.
pub fn packages() -> Result<String, String> {
    let readme = read("README.md")?;
    let mut wrong = 0;
    for krate in CRATES {
        let counted = count(krate)?;
        let said = said(&readme, krate);
        if said != Some(counted) {
            println!("README.md: {krate} pulls in {counted} packages, not {said:?}");
            wrong += 1;
        }
    }
    match wrong {
        0 => Ok(format!("{} crates", CRATES.len())),
        n => Err(format!("{n} figures are wrong")),
    }
}

/// Packages beside the crate itself.
fn count(krate: &str) -> Result<usize, String> {
    let tree = Cmd::cargo("tree -e normal --prefix none --no-dedupe --target")
        .arg(TARGET)
        .arg("-p")
        .arg(krate)
        .read()?;
    let packages: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    Ok(packages.len().saturating_sub(1))
}

/// What the crate's row of the table ends with.
fn said(readme: &str, krate: &str) -> Option<usize> {
    let start = format!("| [`{krate}`]");
    let row = readme.lines().find(|line| line.starts_with(&start))?;
    let cell = row.trim_end_matches([' ', '|']).rsplit('|').next()?;
    cell.trim().strip_suffix(" packages")?.parse().ok()
}

/// Compares the README's code with the example that is compiled.
pub fn example() -> Result<String, String> {
    let readme = read("README.md")?;
    let example = read(EXAMPLE)?;
    let block = readme
        .split_once("```rust\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(block, _)| block)
        .ok_or("README.md has no Rust code")?;
    // The file may have a comment of its own on top.
    if example.ends_with(block) {
        Ok(format!("{} lines", block.lines().count()))
    } else {
        Err(format!("README.md's code is not that of {EXAMPLE}"))
    }
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(root().join(name)).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn reads_the_row_of_a_crate() {
        let readme = "| crate |\n| [`a-b`](a-b) | x | 7 packages |\n| [`a`](a) | y | 12 packages |";
        assert_eq!(said(readme, "a"), Some(12));
        assert_eq!(said(readme, "a-b"), Some(7));
        assert_eq!(said(readme, "b"), None);
    }
}
