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

/// Compares the "stands on" and "pulls in" columns with cargo's answer.
pub fn packages() -> Result<String, String> {
    let readme = read("README.md")?;
    let mut wrong = 0;
    for krate in CRATES {
        let counted = counted(krate)?;
        let said = said(&readme, krate);
        if said.as_ref() != Some(&counted) {
            println!("README.md: {krate}: {said:?} should be {counted:?}");
            wrong += 1;
        }
    }
    match wrong {
        0 => Ok(format!("{} crates", CRATES.len())),
        n => Err(format!("{n} rows are wrong")),
    }
}

/// What a crate depends on.
#[derive(Debug, PartialEq, Eq)]
struct Dependencies {
    /// The names in its own list.
    direct: BTreeSet<String>,
    /// How many packages with theirs.
    all: usize,
}

fn counted(krate: &str) -> Result<Dependencies, String> {
    let tree = |depth: &str| {
        Cmd::cargo("tree -e normal --prefix none --no-dedupe --target")
            .arg(TARGET)
            .words(depth)
            .arg("-p")
            .arg(krate)
            .read()
    };
    let name = |line: &str| line.split(' ').next().map(str::to_owned);
    let all = tree("")?;
    let all: BTreeSet<&str> = all.lines().filter(|line| !line.is_empty()).collect();
    Ok(Dependencies {
        // The first line is the crate itself.
        direct: tree("--depth 1")?
            .lines()
            .skip(1)
            .filter_map(name)
            .collect(),
        all: all.len().saturating_sub(1),
    })
}

/// What the last two cells of the crate's row say.
fn said(readme: &str, krate: &str) -> Option<Dependencies> {
    let start = format!("| [`{krate}`]");
    let row = readme.lines().find(|line| line.starts_with(&start))?;
    let mut cells = row.trim_end_matches([' ', '|']).rsplit('|');
    let all = cells.next()?.trim().strip_suffix(" packages")?;
    // Names are between backticks: every other piece.
    let direct = cells.next()?.split('`').skip(1).step_by(2);
    Some(Dependencies {
        direct: direct.map(str::to_owned).collect(),
        all: all.parse().ok()?,
    })
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
        let readme = "| crate |\n| [`a-b`](a-b) | x `y` | `c`, `d` | 7 packages |\n\
                      | [`a`](a) | y | none | 12 packages |";
        let row = |krate| said(readme, krate).map(|row| (row.direct, row.all));
        let direct = ["c", "d"].map(String::from).into();
        assert_eq!(row("a-b"), Some((direct, 7)));
        assert_eq!(row("a"), Some(([].into(), 12)));
        assert_eq!(row("b"), None);
    }
}
