//! A command line that prints itself the way it can be typed.

use std::{
    env,
    ffi::OsStr,
    fmt, io,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::env::root;

/// A program, its arguments and what it changes in the environment.
#[derive(Clone)]
pub struct Cmd {
    program: String,
    args: Vec<String>,
    vars: Vec<(String, String)>,
    folder: PathBuf,
}

impl Cmd {
    /// `program`, run in the root of the repository.
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            vars: Vec::new(),
            folder: root().to_path_buf(),
        }
    }

    /// The cargo that runs us; `words` are its arguments, separated by spaces.
    pub fn cargo(words: &str) -> Self {
        Self::new("cargo").words(words)
    }

    /// The cargo of the nightly toolchain.
    pub fn nightly(words: &str) -> Self {
        Self::new("rustup").words("run nightly cargo").words(words)
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds the arguments in `words`, which are separated by spaces.
    pub fn words(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(String::from));
        self
    }

    /// Adds arguments.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    /// Sets a variable to a path.
    pub fn path_var(self, name: &str, path: &Path) -> Self {
        self.var(name, path.to_string_lossy())
    }

    /// Runs it in `folder`.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = folder.to_path_buf();
        self
    }

    /// The command as `std` knows it, without input.
    pub fn command(&self) -> Command {
        let program = match self.program.as_str() {
            // Not the one in PATH: the toolchain that builds us builds the rest.
            "cargo" => env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            other => OsStr::new(other).to_os_string(),
        };
        let mut command = Command::new(program);
        command
            .args(&self.args)
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs it; its output goes where ours goes.
    pub fn run(&self) -> Result<(), String> {
        self.judge(self.command().status())
    }

    /// Runs it and shows its standard output line by line, to `look` as well.
    pub fn run_lines(&self, mut look: impl FnMut(&str)) -> Result<(), String> {
        let mut command = self.command();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.explain(&error))?;
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = Vec::new();
        // Bytes, not `lines()`: a test may print what is no UTF-8.
        while output.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            look(text.trim_end());
            line.clear();
        }
        self.judge(child.wait())
    }

    /// Runs it and returns its standard output; its errors are shown if it fails.
    pub fn read(&self) -> Result<String, String> {
        let output = self
            .command()
            .output()
            .map_err(|error| self.explain(&error))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            eprint!("{said}");
            let error = said.lines().find(|line| line.starts_with("error"));
            Err(error.map_or_else(|| output.status.to_string(), str::to_owned))
        }
    }

    fn judge(&self, status: io::Result<std::process::ExitStatus>) -> Result<(), String> {
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(self.explain(&error)),
        }
    }

    fn explain(&self, error: &io::Error) -> String {
        format!("cannot run `{}`: {error}", self.program)
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.vars {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        for arg in &self.args {
            write!(f, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::Cmd;

    #[test]
    fn prints_what_can_be_typed() {
        let cmd = Cmd::cargo("test -p engine-atomic")
            .var("RUSTFLAGS", "--cfg engine_loom")
            .arg("it's");
        assert_eq!(
            cmd.to_string(),
            r"RUSTFLAGS='--cfg engine_loom' cargo test -p engine-atomic 'it'\''s'"
        );
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let error = Cmd::new("no-such-program-at-all").run().unwrap_err();
        assert!(error.contains("no-such-program-at-all"), "{error}");
    }
}
